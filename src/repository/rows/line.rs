//! Table `purchase_order_line`.

use diesel::prelude::Queryable;

use super::{maybe_date, order_id};
use crate::domain::code::{ProductId, StoreId};
use crate::domain::money::UnitCost;
use crate::domain::order::{Line, LineKey, OrderKey, Quantities};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::domain::unit::Unit;
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `purchase_order_line`.
#[derive(Queryable)]
pub struct LineRow {
    store_id: String,
    po_id: String,
    line_number: i32,
    product_id: String,
    description: String,
    gtin: Option<String>,
    unit: String,
    unit_cost: i64,
    inherited: bool,
    first_expected_date: Option<String>,
    first_ordered: i64,
    expected_date: Option<String>,
    ordered: i64,
    received: i64,
    rejected: i64,
    back_ordered: i64,
    cancelled: i64,
    pending: i64,
    excess: i64,
    first_receive_time: Option<i64>,
    last_receive_time: Option<i64>,
    back_order_time: Option<i64>,
}

impl LineRow {
    fn quantities(&self) -> Quantities {
        Quantities {
            ordered: Quantity::from_scaled(self.ordered),
            received: Quantity::from_scaled(self.received),
            rejected: Quantity::from_scaled(self.rejected),
            back_ordered: Quantity::from_scaled(self.back_ordered),
            cancelled: Quantity::from_scaled(self.cancelled),
            pending: Quantity::from_scaled(self.pending),
            excess: Quantity::from_scaled(self.excess),
        }
    }
}

/// Reads a unit's stored name.
pub(super) fn unit(name: String) -> Result<Unit, DbError> {
    Unit::from_name(&name).ok_or_else(|| DbError::unreadable("unit", name))
}

impl TryFrom<LineRow> for Line {
    type Error = DbError;

    fn try_from(row: LineRow) -> Result<Self, DbError> {
        let quantities = row.quantities();
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        Ok(Self {
            key: LineKey { order, number: row.line_number },
            product: ProductId::new(row.product_id),
            description: row.description,
            gtin: row.gtin,
            unit: unit(row.unit)?,
            unit_cost: UnitCost::from_scaled(row.unit_cost),
            carried_over: row.inherited,
            expected_date: maybe_date(row.expected_date)?,
            first_expected_date: maybe_date(row.first_expected_date)?,
            first_ordered: Quantity::from_scaled(row.first_ordered),
            quantities,
            first_receive_time: row.first_receive_time.map(Timestamp::from_micros),
            last_receive_time: row.last_receive_time.map(Timestamp::from_micros),
            back_order_time: row.back_order_time.map(Timestamp::from_micros),
        })
    }
}

/// The cells that name a line.
pub fn line_key(key: &LineKey) -> Vec<Cell<'_>> {
    vec![Cell::text(key.order.store.as_str()), Cell::text(key.order.order.to_string()), Cell::Int(key.number)]
}

impl Row for Line {
    const TABLE: &'static str = "purchase_order_line";
    const COLUMNS: &'static [&'static str] = &[
        "store_id",
        "po_id",
        "line_number",
        "product_id",
        "description",
        "gtin",
        "unit",
        "unit_cost",
        "inherited",
        "first_expected_date",
        "first_ordered",
        "expected_date",
        "ordered",
        "received",
        "rejected",
        "back_ordered",
        "cancelled",
        "pending",
        "excess",
        "first_receive_time",
        "last_receive_time",
        "back_order_time",
    ];
    const KEY: usize = 3;
    const FIXED: usize = 11;

    fn cells(&self) -> Vec<Cell<'_>> {
        let Quantities { ordered, received, rejected, back_ordered, cancelled, pending, excess } = self.quantities;
        let mut cells = line_key(&self.key);
        cells.extend([
            Cell::text(self.product.as_str()),
            Cell::text(&self.description),
            Cell::maybe(self.gtin.as_deref()),
            Cell::text(self.unit.name()),
            Cell::big(self.unit_cost.scaled()),
            Cell::Bool(self.carried_over),
            Cell::written(self.first_expected_date),
            Cell::big(self.first_ordered.scaled()),
            Cell::written(self.expected_date),
            Cell::big(ordered.scaled()),
            Cell::big(received.scaled()),
            Cell::big(rejected.scaled()),
            Cell::big(back_ordered.scaled()),
            Cell::big(cancelled.scaled()),
            Cell::big(pending.scaled()),
            Cell::big(excess.scaled()),
            Cell::Big(self.first_receive_time.map(Timestamp::micros)),
            Cell::Big(self.last_receive_time.map(Timestamp::micros)),
            Cell::Big(self.back_order_time.map(Timestamp::micros)),
        ]);
        cells
    }
}
