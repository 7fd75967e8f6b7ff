//! Rows of the table `event`, which are inserted and read, and never changed.

use diesel::prelude::{Queryable, Selectable};

use super::order_id;
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::event::{Detail, Event, OrderRevision};
use crate::domain::order::State;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::event;

/// An event as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = event)]
pub struct EventRow {
    store_id: String,
    event_number: i64,
    event_time: i64,
    actor: String,
    as_operator: bool,
    event_type: String,
    po_id: Option<String>,
    revision: Option<i64>,
    state_after: Option<String>,
    detail: String,
}

impl TryFrom<EventRow> for Event {
    type Error = DbError;

    fn try_from(row: EventRow) -> Result<Self, DbError> {
        let order = match (row.po_id, row.revision, row.state_after) {
            (Some(order), Some(revision), Some(state)) => {
                let state = State::from_name(&state).ok_or_else(|| DbError::unreadable("state", state))?;
                Some(OrderRevision { order: order_id(&order)?, revision, state })
            }
            (None, None, None) => None,
            _ => return Err(DbError::unreadable("event", "it names an order in part")),
        };
        let detail = Detail::from_stored(&row.event_type, &row.detail);
        Ok(Self {
            store: StoreId::new(row.store_id),
            number: row.event_number,
            time: Timestamp::from_micros(row.event_time),
            actor: PrincipalId::new(row.actor),
            as_operator: row.as_operator,
            order,
            detail: detail.map_err(|unreadable| DbError::unreadable("detail", unreadable))?,
        })
    }
}

impl Row for Event {
    const TABLE: &'static str = "event";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.store.as_str())),
        Column::key("event_number", |row| Cell::big_int(row.number)),
        Column::fixed("event_time", |row| Cell::big_int(row.time.micros())),
        Column::fixed("actor", |row| Cell::text(row.actor.as_str())),
        Column::fixed("as_operator", |row| Cell::Bool(row.as_operator)),
        Column::fixed("event_type", |row| Cell::text(row.detail.kind())),
        Column::fixed("po_id", |row| Cell::formatted(row.order.map(|revision| revision.order))),
        Column::fixed("revision", |row| Cell::BigInt(row.order.map(|revision| revision.revision))),
        Column::fixed("state_after", |row| Cell::optional_text(row.order.map(|revision| revision.state.name()))),
        Column::fixed("detail", |row| Cell::text(row.detail.to_stored())),
    ];
}
