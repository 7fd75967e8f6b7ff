//! The source of new ids outside of tests. It is passed in as [`Ids`], so that tests can make predictable ones.

use uuid::Uuid;

use crate::domain::Ids;
use crate::domain::code::StoreId;

/// Makes UUIDs of version 7: unique, and close to each other in an index when they were made at about the same
/// time, which keeps inserts cheap.
#[derive(Clone, Copy, Debug)]
pub struct UuidV7;

impl Ids for UuidV7 {
    #[expect(clippy::disallowed_methods, reason = "this is the source of ids that is passed to everything else")]
    fn next(&self, _: &StoreId) -> Uuid {
        Uuid::now_v7()
    }
}
