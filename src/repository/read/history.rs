//! Reads the history of an order, page by page: its events, in the order of its revisions.

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use super::events::{EventsAfter, PageLimits};
use super::orders::{header, only_order};
use crate::domain::event::Event;
use crate::domain::order::OrderId;
use crate::repository::error::DbError;
use crate::repository::rows::event::EventRow;
use crate::repository::rows::order::HeaderRow;

/// A page of a history.
pub struct HistoryPage {
    /// What the caller may see in the order's store.
    pub authorized: Authorized,
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
    limits: PageLimits,
) -> Result<Option<HistoryPage>, ReadError> {
    let store = check.store.as_str().to_owned();
    let events = EventsAfter::of_order(store.clone(), order.to_string(), after, limits);
    let queries = (header(store, order.to_string()), events);
    let (authorized, orders, rows) = session.authorize_and_load_two::<HeaderRow, EventRow, _, _>(check, queries)?;
    let Some(order) = only_order(orders)? else { return Ok(None) };
    let mut events = rows.into_iter().map(Event::try_from).collect::<Result<Vec<_>, DbError>>()?;
    events.sort_by_key(revision);
    // The header is of the same snapshot, and each event moves its revision.
    let is_last = events.last().is_none_or(|last| revision(last) >= order.revision);
    Ok(Some(HistoryPage { authorized, events, is_last }))
}

/// The revision of the order after an event; 0 of an event that is of no order, which the query does not find.
pub fn revision(event: &Event) -> i64 {
    event.order.as_ref().map_or(0, |order| order.revision)
}
