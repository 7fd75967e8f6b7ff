//! Rows of the table `event`, which are inserted and read, and never changed.

use diesel::prelude::{Queryable, Selectable};
use serde::{Deserialize, Serialize};

use super::{json, optional_date, order_id};
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::event::{Detail, Event, OrderSummary};
use crate::domain::money::Amount;
use crate::domain::order::{OrderId, Quantities, State};
use crate::domain::quantity::Quantity;
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
    order_after: Option<String>,
    detail: String,
}

/// The version of the JSON in `order_after`; to be raised when a field changes its meaning.
const VERSION: i32 = 1;

/// The JSON in `order_after`. Quantities and amounts are numbers, as in the columns of orders, and they stand last:
/// `verify` compares the end of the text with what it puts together from the order's columns.
#[derive(Serialize, Deserialize)]
struct OrderAfter {
    v: i32,
    number: String,
    supplier: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected_date: Option<String>,
    root: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent: Option<OrderId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    child: Option<OrderId>,
    chain_position: i32,
    charges_cost: i64,
    lines: i32,
    pending_lines: i32,
    active_receipts: i32,
    ordered: i64,
    received: i64,
    rejected: i64,
    back_ordered: i64,
    cancelled: i64,
    pending: i64,
    excess: i64,
    ordered_cost: i64,
    pending_cost: i64,
    received_cost: i64,
}

fn order_after(summary: &OrderSummary) -> String {
    let totals = &summary.totals;
    json(&OrderAfter {
        v: VERSION,
        number: summary.number.clone(),
        supplier: summary.supplier.clone(),
        external_id: summary.external_id.clone(),
        expected_date: summary.expected_date.map(|date| date.to_string()),
        root: summary.root,
        parent: summary.parent,
        child: summary.child,
        chain_position: summary.chain_position,
        charges_cost: summary.charges_cost.scaled(),
        lines: summary.lines,
        pending_lines: summary.pending_lines,
        active_receipts: summary.active_receipts,
        ordered: totals.ordered.scaled(),
        received: totals.received.scaled(),
        rejected: totals.rejected.scaled(),
        back_ordered: totals.back_ordered.scaled(),
        cancelled: totals.cancelled.scaled(),
        pending: totals.pending.scaled(),
        excess: totals.excess.scaled(),
        ordered_cost: summary.ordered_cost.scaled(),
        pending_cost: summary.pending_cost.scaled(),
        received_cost: summary.received_cost.scaled(),
    })
}

fn summary(order: OrderId, revision: i64, state: State, text: &str) -> Result<OrderSummary, DbError> {
    let unreadable = |why: String| DbError::unreadable("order_after", why);
    let after: OrderAfter = serde_json::from_str(text).map_err(|error| unreadable(error.to_string()))?;
    if after.v != VERSION {
        return Err(unreadable(format!("its format has the version {}; {VERSION} is known", after.v)));
    }
    Ok(OrderSummary {
        order,
        revision,
        state,
        number: after.number,
        supplier: after.supplier,
        external_id: after.external_id,
        expected_date: optional_date(after.expected_date)?,
        root: after.root,
        parent: after.parent,
        child: after.child,
        chain_position: after.chain_position,
        lines: after.lines,
        pending_lines: after.pending_lines,
        active_receipts: after.active_receipts,
        totals: Quantities {
            ordered: Quantity::from_scaled(after.ordered),
            received: Quantity::from_scaled(after.received),
            rejected: Quantity::from_scaled(after.rejected),
            back_ordered: Quantity::from_scaled(after.back_ordered),
            cancelled: Quantity::from_scaled(after.cancelled),
            pending: Quantity::from_scaled(after.pending),
            excess: Quantity::from_scaled(after.excess),
        },
        ordered_cost: Amount::from_scaled(after.ordered_cost),
        received_cost: Amount::from_scaled(after.received_cost),
        pending_cost: Amount::from_scaled(after.pending_cost),
        charges_cost: Amount::from_scaled(after.charges_cost),
    })
}

impl EventRow {
    /// How many bytes are stored of what happened, which is what pages are bounded by.
    pub fn detail_bytes(&self) -> i64 {
        self.detail.len() as i64
    }
}

impl TryFrom<EventRow> for Event {
    type Error = DbError;

    fn try_from(row: EventRow) -> Result<Self, DbError> {
        let order = match (row.po_id, row.revision, row.state_after, row.order_after) {
            (Some(order), Some(revision), Some(state), Some(after)) => {
                let state = State::from_name(&state).ok_or_else(|| DbError::unreadable("state", state))?;
                Some(summary(order_id(&order)?, revision, state, &after)?)
            }
            (None, None, None, None) => None,
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
        Column::fixed("po_id", |row| Cell::formatted(row.order.as_ref().map(|order| order.order))),
        Column::fixed("revision", |row| Cell::BigInt(row.order.as_ref().map(|order| order.revision))),
        Column::fixed("state_after", |row| Cell::optional_text(row.order.as_ref().map(|order| order.state.name()))),
        Column::fixed("order_after", |row| Cell::formatted(row.order.as_ref().map(order_after))),
        Column::fixed("detail", |row| Cell::text(row.detail.to_stored())),
    ];
}
