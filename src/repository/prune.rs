//! Deletes stored responses and events whose retention has passed, and counts the open back orders.
//!
//! Each statement looks at a bounded number of stores, by an index of what is in order of age there, and each transaction
//! deletes a bounded number of rows: so it holds its locks for milliseconds, and writers never wait long for it. Several
//! instances may prune at once, and any step may be repeated, because what was deleted is not found again.

use diesel::backend::Backend;
use diesel::dsl::{count_star, sql};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

use super::error::DbError;
use super::schema::{clock_day, event, purchase_order, store, stored_response};
use super::session::{Session, WriteError};
use super::transaction::TransactionName;
use crate::domain::order::State;
use crate::domain::time::Timestamp;

const MICROS_PER_DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// How many stores one statement looks at.
pub const STORES: i64 = 64;
/// How many stored responses or events one transaction deletes at most.
pub const STEP: i64 = 500;

/// How many bytes of stored details the events have together that one transaction deletes; with the event with which they
/// are reached it ends. An event may name thousands of lines.
const STEP_BYTES: i64 = 2 * 1024 * 1024;

/// What one transaction has deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// How many rows.
    pub deleted: usize,
    /// Whether there may be more to delete.
    pub has_more: bool,
}

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
pub fn any_old_responses(session: &mut Session, stores: &[String], cutoff: Timestamp) -> Result<bool, DbError> {
    let query = stored_response::table
        .filter(stored_response::store_id.eq_any(stores.to_vec()))
        .filter(stored_response::create_time.lt(cutoff.micros()))
        .limit(1)
        .select(stored_response::store_id);
    let found: Vec<String> = session.autocommit(TransactionName::PruneScan, |session| session.load(query))?;
    Ok(!found.is_empty())
}

/// Deletes at most [`STEP`] of the stored responses of these stores from before `cutoff`, in a transaction of its own.
/// It may run again after any error, an unanswered COMMIT included.
pub fn delete_old_responses(session: &mut Session, stores: &[String], cutoff: Timestamp) -> Result<Step, WriteError> {
    let delete = DeleteOldResponses { stores: stores.to_vec(), cutoff: cutoff.micros() };
    let deleted = session.write(TransactionName::PruneDelete, |session| session.execute(delete))?;
    Ok(Step { deleted, has_more: deleted as i64 >= STEP })
}

/// The statement of [`delete_old_responses`]. A subquery chooses the rows, because DELETE has no LIMIT here; it compares
/// primary keys as rows, which Diesel's query builder cannot write.
struct DeleteOldResponses {
    stores: Vec<String>,
    cutoff: i64,
}

impl<DB> QueryFragment<DB> for DeleteOldResponses
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

impl QueryId for DeleteOldResponses {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for DeleteOldResponses {}

/// Those of the stores whose first kept event is from before `cutoff`, and not their last. Each costs a probe of the
/// primary key.
pub fn stores_with_old_events(
    session: &mut Session,
    stores: &[String],
    cutoff: Timestamp,
) -> Result<Vec<String>, DbError> {
    let is_first = event::store_id.eq(store::store_id).and(event::event_number.eq(store::first_event));
    let query = store::table
        .inner_join(event::table.on(is_first))
        .filter(store::store_id.eq_any(stores.to_vec()))
        .filter(store::first_event.lt(store::last_event))
        .filter(event::event_time.lt(cutoff.micros()))
        .order(store::store_id)
        .select(store::store_id);
    session.autocommit(TransactionName::PruneScan, |session| session.load(query))
}

/// How many back orders of these stores are neither completed nor cancelled. It costs a row for each order that is open, and
/// nothing for those that were.
pub fn open_back_orders(session: &mut Session, stores: &[String]) -> Result<usize, DbError> {
    let open: Vec<&str> = State::ALL.into_iter().filter(|state| state.is_open()).map(State::name).collect();
    let query = purchase_order::table
        .filter(purchase_order::store_id.eq_any(stores.to_vec()))
        .filter(purchase_order::state.eq_any(open))
        .filter(purchase_order::parent_id.is_not_null())
        .select(count_star());
    let counted: Vec<i64> = session.autocommit(TransactionName::PruneScan, |session| session.load(query))?;
    let counted = counted.into_iter().next().unwrap_or_default();
    usize::try_from(counted).map_err(|_| DbError::unreadable("count", counted))
}

/// Deletes at most [`STEP`] of a store's events from before `cutoff`, the first before the others, in a transaction of its
/// own. The store's last event stays, whatever its age: the store's row names it.
///
/// It needs no lock to choose the events: old events never change, and commands only add events behind them. Its update
/// of the store's row takes the lock that commands take, from there to the commit. Of two instances that delete the
/// same, the second finds less.
pub fn delete_old_events(session: &mut Session, of: &str, cutoff: Timestamp) -> Result<Step, WriteError> {
    let of = of.to_owned();
    session.write(TransactionName::PruneDelete, |session| {
        let last = store::table.filter(store::store_id.eq(of.clone())).select(store::last_event);
        let last: Vec<i64> = session.load(last)?;
        let old = event::table
            .filter(event::store_id.eq(of.clone()))
            .filter(event::event_number.lt(last.into_iter().next().unwrap_or_default()))
            // Times never go back along the numbers, so the old events are the first ones.
            .filter(event::event_time.lt(cutoff.micros()))
            .order(event::event_number)
            .limit(STEP)
            .select((event::event_number, sql::<BigInt>("CAST(octet_length(event.detail) AS bigint)")));
        let old: Vec<(i64, i64)> = session.load(old)?;
        let (count, is_cut) = fitting(&old);
        let Some((last, _)) = count.checked_sub(1).and_then(|index| old.get(index)) else {
            return Ok(Step { deleted: 0, has_more: false });
        };
        let kept = last + 1;
        // Never back: another instance may have deleted more in the meantime.
        let of_store = store::table.filter(store::store_id.eq(of.clone())).filter(store::first_event.lt(kept));
        // In the transaction of the deletion, so that no follower finds a gap where events should be.
        session.execute(diesel::update(of_store).set(store::first_event.eq(kept)))?;
        let deleted = event::table.filter(event::store_id.eq(of.clone())).filter(event::event_number.lt(kept));
        let deleted = session.execute(diesel::delete(deleted))?;
        Ok(Step { deleted, has_more: is_cut || old.len() as i64 == STEP })
    })
}

/// How many of the events, which are given with their bytes, are deleted in one step, and whether others are left.
fn fitting(old: &[(i64, i64)]) -> (usize, bool) {
    let mut bytes = 0;
    let mut count = 0;
    for (_, size) in old {
        count += 1;
        bytes += size;
        if bytes >= STEP_BYTES {
            break;
        }
    }
    (count, count < old.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_ends_with_the_event_that_fills_it() {
        for (sizes, expected) in [
            (vec![], (0, false)),
            (vec![10, 10], (2, false)),
            (vec![STEP_BYTES], (1, false)),
            (vec![STEP_BYTES, 1], (1, true)),
            (vec![STEP_BYTES - 1, 1, 1], (2, true)),
        ] {
            let old: Vec<(i64, i64)> = sizes.iter().zip(1..).map(|(size, number)| (number, *size)).collect();
            assert_eq!(fitting(&old), expected, "{sizes:?}");
        }
    }
}
