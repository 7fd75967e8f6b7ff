//! Forgetting first answers that are too old to be asked for again.

use diesel::prelude::*;

use super::error::DbError;
use super::schema::request_record as record;
use super::session::Session;
use crate::domain::code::StoreId;
use crate::domain::time::Timestamp;

/// How many records one step deletes at most: it holds its locks for milliseconds.
pub const STEP: i64 = 500;

/// Deletes up to [`STEP`] of a store's first answers from before `cutoff`; how many.
pub fn request_records(session: &mut Session, store: &StoreId, cutoff: Timestamp) -> Result<usize, DbError> {
    let old = || record::store_id.eq(store.as_str().to_owned()).and(record::create_time.lt(cutoff.micros()));
    let ids: Vec<String> =
        session.load(record::table.filter(old()).order(record::create_time).limit(STEP).select(record::request_id))?;
    if ids.is_empty() {
        return Ok(0);
    }
    session.execute(diesel::delete(record::table.filter(old()).filter(record::request_id.eq_any(ids))))
}
