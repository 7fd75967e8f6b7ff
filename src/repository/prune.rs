//! Deletes stored responses whose retention has passed. Each statement looks at several
//! stores that exist, by the index of records by age, and deletes a bounded number of rows.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

use super::error::DbError;
use super::schema::{clock_day, store, stored_response as record};
use super::session::{Session, WriteError};
use crate::domain::time::Timestamp;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// How many stores a statement looks at.
pub const STORES: i64 = 64;
/// How many records a transaction deletes: it holds its locks for milliseconds.
pub const STEP: i64 = 500;

/// The next stores by id behind `after`, at most [`STORES`].
pub fn next_stores(session: &mut Session, after: &str) -> Result<Vec<String>, DbError> {
    session.load(
        store::table
            .filter(store::store_id.gt(after.to_owned()))
            .order(store::store_id)
            .limit(STORES)
            .select(store::store_id),
    )
}

/// Notes that the service was seen to run on a day, and returns the start of the day before which a record is
/// older than so many of the days that were noted; `None` while there are not so many. A clock that jumps
/// ahead and back adds one day, and so makes a record older by one day and not by the jump; that one is made
/// up for by counting one more.
pub fn older_than_days(session: &mut Session, now: Timestamp, days: i64) -> Result<Option<Timestamp>, WriteError> {
    let today = now.micros().div_euclid(MICROS_PER_DAY);
    let newest_first = clock_day::table.order(clock_day::day.desc()).select(clock_day::day);
    let is_noted = clock_day::table.filter(clock_day::day.eq(today)).select(clock_day::day);
    let noted: Vec<i64> = session.load(is_noted)?;
    if noted.is_empty() {
        let note = diesel::insert_into(clock_day::table).values(clock_day::day.eq(today)).on_conflict_do_nothing();
        session.write(|session| session.execute(note))?;
    }
    let oldest: Vec<i64> = session.load(newest_first.limit(1).offset(days))?;
    Ok(oldest.first().map(|day| Timestamp::from_micros(day * MICROS_PER_DAY)))
}

/// Whether these stores have stored responses from before `cutoff`. It only reads: most of the time there
/// are none, and a write transaction would hold SQLite's one write lock to find that out.
pub fn any_old_records(session: &mut Session, stores: &[String], cutoff: Timestamp) -> Result<bool, DbError> {
    let found: Vec<String> = session.load(
        record::table
            .filter(record::store_id.eq_any(stores.to_vec()))
            .filter(record::create_time.lt(cutoff.micros()))
            .limit(1)
            .select(record::store_id),
    )?;
    Ok(!found.is_empty())
}

/// Deletes at most [`STEP`] of these stores' stored responses from before `cutoff`, in a transaction of
/// its own; how many. Can be run again after any error.
pub fn delete_old_records(session: &mut Session, stores: &[String], cutoff: Timestamp) -> Result<usize, WriteError> {
    let delete = DeleteOldRecords { stores: stores.to_vec(), cutoff: cutoff.micros() };
    session.write(|session| session.execute(delete))
}

/// The statement of [`delete_old_records`]. Keys are compared as rows, which Diesel's DSL cannot say.
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
        // One text for each number of stores: these are not worth keeping prepared.
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
