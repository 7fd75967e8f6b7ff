//! Deletes stored responses whose retention has passed.
//!
//! Each statement looks at a bounded number of stores, by the index of responses by age, and each transaction deletes a
//! bounded number of rows: so it holds its locks for milliseconds, and writers never wait long for it. Several instances
//! may prune at once, and any step may be repeated, because what was deleted is not found again.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

use super::error::DbError;
use super::schema::{clock_day, store, stored_response};
use super::session::{Session, WriteError};
use super::transaction::TransactionName;
use crate::domain::time::Timestamp;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// How many stores one statement looks at.
pub const STORES: i64 = 64;
/// How many stored responses one transaction deletes.
pub const STEP: i64 = 500;

/// The ids of the stores after `after`, in order, at most [`STORES`].
pub fn next_stores(session: &mut Session, after: &str) -> Result<Vec<String>, DbError> {
    let query = store::table
        .filter(store::store_id.gt(after.to_owned()))
        .order(store::store_id)
        .limit(STORES)
        .select(store::store_id);
    session.autocommit(TransactionName::PruneScan, |session| session.load(query))
}

/// Notes that the service has run today, and returns the start of the day before which a response is older than `days`
/// of the days that were noted; `None` while fewer were noted.
///
/// A clock that jumps ahead and back adds one day to the noted ones. So it makes a response older by one day instead of
/// by the length of the jump. To make up for that one day, one more is counted: `days` days after the returned one.
pub fn older_than_days(session: &mut Session, now: Timestamp, days: i64) -> Result<Option<Timestamp>, WriteError> {
    // Days of UTC. Rounded down, also for a clock before 1970, so that each day has one number.
    let today = now.micros().div_euclid(MICROS_PER_DAY);
    let noted_today = clock_day::table.filter(clock_day::day.eq(today)).select(clock_day::day);
    let noted: Vec<i64> = session.autocommit(TransactionName::PruneScan, |session| session.load(noted_today))?;
    // Looked for first, because this runs every minute and would take SQLite's write lock for nothing. Another instance
    // may insert it meanwhile: that is no conflict.
    if noted.is_empty() {
        let note = diesel::insert_into(clock_day::table).values(clock_day::day.eq(today)).on_conflict_do_nothing();
        session.write(TransactionName::PruneNoteDay, |session| session.execute(note))?;
    }
    let newest_first = clock_day::table.order(clock_day::day.desc()).select(clock_day::day);
    let oldest: Vec<i64> =
        session.autocommit(TransactionName::PruneScan, |session| session.load(newest_first.limit(1).offset(days)))?;
    Ok(oldest.first().map(|day| Timestamp::from_micros(day * MICROS_PER_DAY)))
}

/// Whether these stores have stored responses from before `cutoff`. It only reads: most of the time there are none, and
/// a write transaction would take SQLite's one write lock to find that out.
pub fn any_old_records(session: &mut Session, stores: &[String], cutoff: Timestamp) -> Result<bool, DbError> {
    let query = stored_response::table
        .filter(stored_response::store_id.eq_any(stores.to_vec()))
        .filter(stored_response::create_time.lt(cutoff.micros()))
        .limit(1)
        .select(stored_response::store_id);
    let found: Vec<String> = session.autocommit(TransactionName::PruneScan, |session| session.load(query))?;
    Ok(!found.is_empty())
}

/// Deletes at most [`STEP`] of the stored responses of these stores from before `cutoff`, in a transaction of its own,
/// and returns how many. It may run again after any error, an unanswered COMMIT included.
pub fn delete_old_records(session: &mut Session, stores: &[String], cutoff: Timestamp) -> Result<usize, WriteError> {
    let delete = DeleteOldRecords { stores: stores.to_vec(), cutoff: cutoff.micros() };
    session.write(TransactionName::PruneDelete, |session| session.execute(delete))
}

/// The statement of [`delete_old_records`]. A subquery chooses the rows, because DELETE has no LIMIT here; it compares
/// primary keys as rows, which Diesel's query builder cannot write.
struct DeleteOldRecords {
    stores: Vec<String>,
    cutoff: i64,
}

impl<DB> QueryFragment<DB> for DeleteOldRecords
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // There is one text for each number of stores, and each is used too rarely to keep it prepared.
        out.unsafe_to_cache_prepared();
        out.push_sql(
            "DELETE FROM stored_response WHERE (store_id, principal, request_id) IN \
             (SELECT store_id, principal, request_id FROM stored_response WHERE store_id IN (",
        );
        for (index, store) in self.stores.iter().enumerate() {
            out.push_sql(if index == 0 { "" } else { ", " });
            out.push_bind_param::<Text, _>(store)?;
        }
        out.push_sql(") AND create_time < ");
        out.push_bind_param::<BigInt, _>(&self.cutoff)?;
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&STEP)?;
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for DeleteOldRecords {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for DeleteOldRecords {}
