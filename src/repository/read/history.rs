//! Reads the history of an order, page by page: its events, in the order of its revisions.
//!
//! An event is small or very large: it names each line that it is about, with quantities, and an order has up to 5,000 of
//! them. So a page is bounded twice, by the number of its events and by the bytes of what is stored of them. The bytes
//! are added up where they are stored, so that what does not fit is never loaded.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::orders::{header, only_order};
use crate::domain::event::Event;
use crate::domain::order::OrderId;
use crate::repository::error::DbError;
use crate::repository::rows::event::EventRow;
use crate::repository::rows::order::HeaderRow;
use crate::repository::schema::event;

/// How much a page of a history holds at most.
#[derive(Clone, Copy, Debug)]
pub struct HistoryLimits {
    /// Events.
    pub events: i64,
    /// Bytes of the stored details. The event with which they are reached is the last of the page, so a page is larger
    /// by one event at most, and never empty because its first event is large.
    pub bytes: i64,
}

/// A page of a history.
pub struct HistoryPage {
    /// Events, the oldest first.
    pub events: Vec<Event>,
    /// Whether the order has no event after them.
    pub is_last: bool,
}

/// The events of an order after a revision. `None` if there is no such order.
pub fn page(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    after: i64,
    limits: HistoryLimits,
) -> Result<Option<HistoryPage>, ReadError> {
    let store = check.store.as_str().to_owned();
    let events = EventsAfter { store: store.clone(), order: order.to_string(), after, limits };
    let queries = (header(store, order.to_string()), events);
    let (_, orders, rows) = session.authorize_and_load_two::<HeaderRow, EventRow, _, _>(check, queries)?;
    let Some(order) = only_order(orders)? else { return Ok(None) };
    let mut events = rows.into_iter().map(Event::try_from).collect::<Result<Vec<_>, DbError>>()?;
    events.sort_by_key(revision);
    // The header is of the same snapshot, and each event moves its revision.
    let is_last = events.last().is_none_or(|last| revision(last) >= order.revision);
    Ok(Some(HistoryPage { events, is_last }))
}

/// The revision of the order after an event; 0 of an event that is of no order, which the query does not find.
pub fn revision(event: &Event) -> i64 {
    event.order.map_or(0, |order| order.revision)
}

/// The query for the events of an order after a revision, within limits.
struct EventsAfter {
    store: String,
    order: String,
    after: i64,
    limits: HistoryLimits,
}

impl EventsAfter {
    /// Writes a condition that finds the events of the order after the revision, by the index of an order's events.
    fn walk_condition<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
        String: ToSql<Text, DB>,
        i64: ToSql<BigInt, DB>,
    {
        out.push_sql("event.store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND event.po_id = ");
        out.push_bind_param::<Text, _>(&self.order)?;
        out.push_sql(" AND event.revision > ");
        out.push_bind_param::<BigInt, _>(&self.after)
    }
}

impl<DB> QueryFragment<DB> for EventsAfter
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    <event::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        event::all_columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM event WHERE ");
        self.walk_condition(&mut out)?;
        // `sizes`: as many events as the page may have, each with the bytes of its detail, which both databases know
        // without reading it. `before`: the bytes of the events in front of it on the page.
        out.push_sql(
            " AND event.revision <= (SELECT max(revision) FROM (SELECT revision, \
             sum(size) OVER (ORDER BY revision) - size AS before FROM (\
             SELECT event.revision, octet_length(event.detail) AS size FROM event WHERE ",
        );
        self.walk_condition(&mut out)?;
        out.push_sql(" ORDER BY event.revision LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limits.events)?;
        out.push_sql(") AS sizes) AS sums WHERE before < ");
        out.push_bind_param::<BigInt, _>(&self.limits.bytes)?;
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for EventsAfter {
    type QueryId = EventsAfter;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for EventsAfter {
    type SqlType = <<event::table as Table>::AllColumns as Expression>::SqlType;
}

impl<C> RunQueryDsl<C> for EventsAfter {}
