//! Where ids come from, handed in so that tests can make their own.

use uuid::Uuid;

use crate::domain::Ids;
use crate::domain::code::StoreId;

/// UUIDs of version 7: unique, and close in an index when close in time.
#[derive(Clone, Copy, Debug)]
pub struct UuidV7;

impl Ids for UuidV7 {
    fn next(&self, _: &StoreId) -> Uuid {
        Uuid::now_v7()
    }
}
