//! Table `purchase_order`.

use diesel::prelude::Queryable;

use super::{currency, maybe_date, maybe_order_id, order_id};
use crate::domain::code::StoreId;
use crate::domain::order::{Order, OrderCounters, OrderKey, Quantities, State};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `purchase_order`.
#[derive(Queryable)]
pub struct OrderRow {
    store_id: String,
    po_id: String,
    number: String,
    parent_id: Option<String>,
    root_id: String,
    chain_position: i32,
    supplier_id: String,
    supplier_reference: Option<String>,
    note: Option<String>,
    currency: String,
    expected_date: Option<String>,
    create_time: i64,
    create_event: i64,
    state: String,
    revision: i64,
    order_time: Option<i64>,
    place_time: Option<i64>,
    original_order_time: Option<i64>,
    close_time: Option<i64>,
    cancel_reason: Option<String>,
    child_id: Option<String>,
    line_count: i32,
    pending_lines: i32,
    active_receipts: i32,
    last_receipt: i32,
    receipt_items: i32,
    ordered: i64,
    received: i64,
    rejected: i64,
    back_ordered: i64,
    cancelled: i64,
    pending: i64,
}

impl OrderRow {
    /// What lists are sorted by.
    pub fn position(&self) -> (i64, i64) {
        (self.create_time, self.create_event)
    }

    fn counters(&self) -> OrderCounters {
        OrderCounters {
            lines: self.line_count,
            pending_lines: self.pending_lines,
            active_receipts: self.active_receipts,
            last_receipt: self.last_receipt,
            receipt_items: self.receipt_items,
            totals: Quantities {
                ordered: Quantity::from_scaled(self.ordered),
                received: Quantity::from_scaled(self.received),
                rejected: Quantity::from_scaled(self.rejected),
                back_ordered: Quantity::from_scaled(self.back_ordered),
                cancelled: Quantity::from_scaled(self.cancelled),
                pending: Quantity::from_scaled(self.pending),
                excess: Quantity::from_scaled(
                    self.received + self.back_ordered + self.cancelled + self.pending - self.ordered,
                ),
            },
        }
    }
}

impl TryFrom<OrderRow> for Order {
    type Error = DbError;

    fn try_from(row: OrderRow) -> Result<Self, DbError> {
        let counters = row.counters();
        Ok(Self {
            key: OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? },
            number: row.number,
            parent: maybe_order_id(row.parent_id)?,
            root: order_id(&row.root_id)?,
            chain_position: row.chain_position,
            supplier: row.supplier_id,
            supplier_reference: row.supplier_reference,
            note: row.note,
            currency: currency(&row.currency)?,
            expected_date: maybe_date(row.expected_date)?,
            create_time: Timestamp::from_micros(row.create_time),
            create_event: row.create_event,
            state: State::from_name(&row.state).ok_or_else(|| DbError::unreadable("state", row.state))?,
            revision: row.revision,
            order_time: row.order_time.map(Timestamp::from_micros),
            place_time: row.place_time.map(Timestamp::from_micros),
            original_order_time: row.original_order_time.map(Timestamp::from_micros),
            close_time: row.close_time.map(Timestamp::from_micros),
            cancel_reason: row.cancel_reason,
            child: maybe_order_id(row.child_id)?,
            counters,
        })
    }
}

impl Row for Order {
    const TABLE: &'static str = "purchase_order";
    const COLUMNS: &'static [&'static str] = &[
        "store_id",
        "po_id",
        "number",
        "parent_id",
        "root_id",
        "chain_position",
        "currency",
        "create_time",
        "create_event",
        "supplier_id",
        "supplier_reference",
        "note",
        "expected_date",
        "state",
        "revision",
        "order_time",
        "place_time",
        "original_order_time",
        "close_time",
        "cancel_reason",
        "child_id",
        "line_count",
        "pending_lines",
        "active_receipts",
        "last_receipt",
        "receipt_items",
        "ordered",
        "received",
        "rejected",
        "back_ordered",
        "cancelled",
        "pending",
    ];
    const KEY: usize = 2;
    const FIXED: usize = 9;

    fn cells(&self) -> Vec<Cell<'_>> {
        let OrderCounters { lines, pending_lines, active_receipts, last_receipt, receipt_items, totals } =
            self.counters;
        vec![
            Cell::text(self.key.store.as_str()),
            Cell::text(self.key.order.to_string()),
            Cell::text(&self.number),
            Cell::written(self.parent),
            Cell::text(self.root.to_string()),
            Cell::Int(self.chain_position),
            Cell::text(self.currency.code()),
            Cell::big(self.create_time.micros()),
            Cell::big(self.create_event),
            Cell::text(&self.supplier),
            Cell::maybe(self.supplier_reference.as_deref()),
            Cell::maybe(self.note.as_deref()),
            Cell::written(self.expected_date),
            Cell::text(self.state.name()),
            Cell::big(self.revision),
            Cell::Big(self.order_time.map(Timestamp::micros)),
            Cell::Big(self.place_time.map(Timestamp::micros)),
            Cell::Big(self.original_order_time.map(Timestamp::micros)),
            Cell::Big(self.close_time.map(Timestamp::micros)),
            Cell::maybe(self.cancel_reason.as_deref()),
            Cell::written(self.child),
            Cell::Int(lines),
            Cell::Int(pending_lines),
            Cell::Int(active_receipts),
            Cell::Int(last_receipt),
            Cell::Int(receipt_items),
            Cell::big(totals.ordered.scaled()),
            Cell::big(totals.received.scaled()),
            Cell::big(totals.rejected.scaled()),
            Cell::big(totals.back_ordered.scaled()),
            Cell::big(totals.cancelled.scaled()),
            Cell::big(totals.pending.scaled()),
        ]
    }
}
