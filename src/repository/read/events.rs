//! Reads events: of one store after a number, of several stores each after a number of its own, or of one order after a
//! revision.
//!
//! An event is small or very large: it names each line that it is about, with quantities, and an order has up to 5,000 of
//! them. So a page is bounded twice, by the number of its events and by the bytes of what is stored of them. The bytes
//! are added up where they are stored, so that what does not fit is never loaded. Where only some types of events are
//! asked for, a page is bounded a third time, by how many events are looked through.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use crate::domain::code::StoreId;
use crate::domain::event::Event;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::repository::error::DbError;
use crate::repository::rows::event::EventRow;
use crate::repository::schema::{event, store};

/// How much a page of events holds at most.
#[derive(Clone, Copy, Debug)]
pub struct PageLimits {
    /// Events.
    pub events: i64,
    /// Bytes of the stored details. The event with which they are reached is the last of the page, so a page is larger
    /// by one event at most, and never empty because its first event is large.
    pub bytes: i64,
}

/// Which of a store's events are wanted.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The proof that the caller may see the store.
    pub check: AccessCheck,
    /// Events with a greater number.
    pub after: i64,
}

/// What a page has of one store.
pub struct StoreEvents {
    /// What the caller may see in the store.
    pub authorized: Authorized,
    /// The store.
    pub store: StoreId,
    /// Events by number.
    pub events: Vec<Event>,
    /// The number of the last event that was looked at.
    pub position: i64,
    /// The number of the store's last event.
    pub last_event: i64,
}

/// The events of one store, by one statement: those of `types` (all, if it is empty) among the next `scanned` events.
pub fn of_store(
    session: &mut ReadSession<'_>,
    wanted: &Wanted,
    types: &[&'static str],
    limits: PageLimits,
    scanned: i64,
) -> Result<StoreEvents, ReadError> {
    let query = EventsAfter::of_store(wanted, types, limits, scanned);
    let (authorized, rows) = session.authorize_and_load::<EventRow, _>(&wanted.check, query)?;
    check_position(wanted, authorized.store())?;
    Ok(page(wanted, authorized, rows, limits, scanned)?)
}

/// The events of some stores, in the order in which they are named. Several are read on one snapshot: one statement judges
/// access to all of them; then those that have news are read one by one until the page is full. `scanned` is for all of them.
pub fn of_stores(
    session: &mut ReadSession<'_>,
    wanted: &[Wanted],
    types: &[&'static str],
    limits: PageLimits,
    scanned: i64,
) -> Result<Vec<StoreEvents>, ReadError> {
    if let [only] = wanted {
        return Ok(vec![of_store(session, only, types, limits, scanned)?]);
    }
    session.snapshot(|snapshot| {
        let authorized = judge(snapshot, wanted)?;
        let (mut left, mut scans_left) = (limits, scanned);
        let mut pages = Vec::with_capacity(wanted.len());
        for (wanted, authorized) in wanted.iter().zip(authorized) {
            // A store without news, or for which the page has no room, is judged and not read. Its position stays.
            let has_room = left.events > 0 && left.bytes > 0 && scans_left > 0;
            let mut rows = Vec::new();
            let mut scanned = 0;
            if has_room && wanted.after < authorized.last_event() {
                scanned = scans_left;
                rows = snapshot.load_authorized(&authorized, EventsAfter::of_store(wanted, types, left, scanned))?;
            }
            let bytes: i64 = rows.iter().map(EventRow::detail_bytes).sum();
            let found = page(wanted, authorized, rows, left, scanned)?;
            left.events -= found.events.len() as i64;
            left.bytes -= bytes;
            // How far the position has moved is how many events were looked through: numbers have no gap.
            scans_left -= found.position - wanted.after;
            pages.push(found);
        }
        Ok(pages)
    })
}

/// Judges access to all the stores, and whether their positions are possible, by one statement.
pub fn judge(session: &mut ReadSession<'_>, wanted: &[Wanted]) -> Result<Vec<Authorized>, ReadError> {
    let checks: Vec<&AccessCheck> = wanted.iter().map(|wanted| &wanted.check).collect();
    let authorized = session.authorize_each(&checks)?;
    for (wanted, authorized) in wanted.iter().zip(&authorized) {
        check_position(wanted, authorized.store())?;
    }
    Ok(authorized)
}

/// The numbers of the last events of stores, in no order; stores that do not exist are missing. It is the service itself
/// that asks, to find out which stores other instances have written to.
pub fn last_events(session: &mut ReadSession<'_>, stores: &[StoreId]) -> Result<Vec<(StoreId, i64)>, ReadError> {
    let ids: Vec<String> = stores.iter().map(|store| store.as_str().to_owned()).collect();
    let query = store::table.filter(store::store_id.eq_any(ids)).select((store::store_id, store::last_event));
    let rows: Vec<(String, i64)> = session.load(query)?;
    Ok(rows.into_iter().map(|(id, last_event)| (StoreId::new(id), last_event)).collect())
}

/// Refuses a position from which a follower would miss events, or that none can have.
fn check_position(wanted: &Wanted, store: &Store) -> Result<(), Refusal> {
    let Store { first_event, last_event, .. } = *store;
    let (id, after) = (store.id.clone(), wanted.after);
    if after > last_event {
        return Err(Refusal::PositionAhead { store: id, after, last_event });
    }
    if after < first_event - 1 {
        return Err(Refusal::PositionPruned { store: id, after, first_event, last_event });
    }
    Ok(())
}

fn page(
    wanted: &Wanted,
    authorized: Authorized,
    rows: Vec<EventRow>,
    limits: PageLimits,
    scanned: i64,
) -> Result<StoreEvents, DbError> {
    let bytes: i64 = rows.iter().map(EventRow::detail_bytes).sum();
    let is_cut = rows.len() as i64 >= limits.events || bytes >= limits.bytes;
    let mut events = rows.into_iter().map(Event::try_from).collect::<Result<Vec<_>, DbError>>()?;
    events.sort_by_key(|event| event.number);
    let last_event = authorized.last_event();
    // A page that was not cut has everything up to where it was looked.
    let position = match events.last() {
        Some(last) if is_cut => last.number,
        _ => wanted.after.saturating_add(scanned).min(last_event),
    };
    Ok(StoreEvents { authorized, store: wanted.check.store.clone(), events, position, last_event })
}

/// The query for the events after a position, within limits.
pub(super) struct EventsAfter {
    store: String,
    /// Only events of this order; then positions are its revisions.
    order: Option<String>,
    after: i64,
    /// Up to this number of an event; none: to the last.
    until: Option<i64>,
    /// Of these types; empty: of all.
    types: Vec<&'static str>,
    limits: PageLimits,
}

impl EventsAfter {
    /// The events of an order after a revision.
    pub(super) fn of_order(store: String, order: String, after: i64, limits: PageLimits) -> Self {
        Self { store, order: Some(order), after, until: None, types: Vec::new(), limits }
    }

    fn of_store(wanted: &Wanted, types: &[&'static str], limits: PageLimits, scanned: i64) -> Self {
        let until = Some(wanted.after.saturating_add(scanned));
        let store = wanted.check.store.as_str().to_owned();
        Self { store, order: None, after: wanted.after, until, types: types.to_vec(), limits }
    }

    /// The column of positions. With the columns that are compared it is the key of an index.
    fn position(&self) -> &'static str {
        if self.order.is_some() { "event.revision" } else { "event.event_number" }
    }

    /// Writes a condition that finds the events after the position, by an index.
    fn walk_condition<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
        String: ToSql<Text, DB>,
        str: ToSql<Text, DB>,
        i64: ToSql<BigInt, DB>,
    {
        out.push_sql("event.store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        if let Some(order) = &self.order {
            out.push_sql(" AND event.po_id = ");
            out.push_bind_param::<Text, _>(order)?;
        }
        out.push_sql(&format!(" AND {} > ", self.position()));
        out.push_bind_param::<BigInt, _>(&self.after)?;
        if let Some(until) = &self.until {
            out.push_sql(&format!(" AND {} <= ", self.position()));
            out.push_bind_param::<BigInt, _>(until)?;
        }
        for (index, kind) in self.types.iter().enumerate() {
            out.push_sql(if index == 0 { " AND event.event_type IN (" } else { ", " });
            out.push_bind_param::<Text, str>(kind)?;
        }
        if !self.types.is_empty() {
            out.push_sql(")");
        }
        Ok(())
    }
}

impl<DB> QueryFragment<DB> for EventsAfter
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    <event::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let position = self.position();
        out.push_sql("SELECT ");
        event::all_columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM event WHERE ");
        self.walk_condition(&mut out)?;
        // `sizes`: as many events as the page may have, each with the bytes of its detail, which both databases know
        // without reading it. `before`: the bytes of the events in front of it on the page.
        out.push_sql(&format!(
            " AND {position} <= (SELECT max(position) FROM (SELECT position, \
             sum(size) OVER (ORDER BY position) - size AS before FROM (\
             SELECT {position} AS position, octet_length(event.detail) AS size FROM event WHERE "
        ));
        self.walk_condition(&mut out)?;
        out.push_sql(&format!(" ORDER BY {position} LIMIT "));
        out.push_bind_param::<BigInt, _>(&self.limits.events)?;
        out.push_sql(") AS sizes) AS sums WHERE before < ");
        out.push_bind_param::<BigInt, _>(&self.limits.bytes)?;
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for EventsAfter {
    type QueryId = ();
    // The text depends on what is asked for, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for EventsAfter {
    type SqlType = <<event::table as Table>::AllColumns as Expression>::SqlType;
}

impl<C> RunQueryDsl<C> for EventsAfter {}
