//! Rows of the table `purchase_order_line`.

use diesel::prelude::{Queryable, Selectable};

use super::{optional_date, order_id};
use crate::domain::code::{ProductId, StoreId};
use crate::domain::money::UnitCost;
use crate::domain::order::due_date::DueDate;
use crate::domain::order::tolerance::Tolerance;
use crate::domain::order::{Line, LineKey, OrderKey, Quantities};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::domain::unit::Unit;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::purchase_order_line;

/// A line as it is read. `carried_over` says that it comes from the parent of a back order.
#[derive(Queryable, Selectable)]
#[diesel(table_name = purchase_order_line)]
pub struct LineRow {
    store_id: String,
    po_id: String,
    line_number: i32,
    product_id: String,
    description: String,
    gtin: Option<String>,
    supplier_product_id: Option<String>,
    note: Option<String>,
    unit: String,
    pack_size: Option<i64>,
    unit_cost: i64,
    pack_cost: Option<i64>,
    tolerance: Option<i64>,
    lot_required: bool,
    carried_over: bool,
    first_expected_date: Option<String>,
    first_ordered: i64,
    confirmed: Option<i64>,
    expected_date: Option<String>,
    ordered: i64,
    received: i64,
    rejected: i64,
    back_ordered: i64,
    cancelled: i64,
    pending: i64,
    excess: i64,
    returned: i64,
    first_receive_time: Option<i64>,
    last_receive_time: Option<i64>,
    back_order_time: Option<i64>,
    due_date: Option<String>,
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

/// The unit with this stored name. One that this version does not know is an error: quantities would be meaningless.
pub(super) fn unit(name: String) -> Result<Unit, DbError> {
    Unit::from_name(&name).ok_or_else(|| DbError::unreadable("unit", name))
}

/// When a line is due, as it is stored of an outstanding one.
pub fn due_date(stored: String) -> Result<DueDate, DbError> {
    if stored == DueDate::UNDATED {
        return Ok(DueDate::Undated);
    }
    match optional_date(Some(stored.clone()))? {
        Some(date) => Ok(DueDate::On(date)),
        None => Err(DbError::unreadable("due date", stored)),
    }
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
            pack_size: row.pack_size.map(Quantity::from_scaled),
            unit_cost: UnitCost::from_scaled(row.unit_cost),
            pack_cost: row.pack_cost.map(UnitCost::from_scaled),
            tolerance: row.tolerance.map(Tolerance::from_scaled),
            lot_required: row.lot_required,
            supplier_product: row.supplier_product_id,
            note: row.note,
            carried_over: row.carried_over,
            expected_date: optional_date(row.expected_date)?,
            first_expected_date: optional_date(row.first_expected_date)?,
            first_ordered: Quantity::from_scaled(row.first_ordered),
            confirmed: row.confirmed.map(Quantity::from_scaled),
            quantities,
            returned: Quantity::from_scaled(row.returned),
            first_receive_time: row.first_receive_time.map(Timestamp::from_micros),
            last_receive_time: row.last_receive_time.map(Timestamp::from_micros),
            back_order_time: row.back_order_time.map(Timestamp::from_micros),
            due_date: row.due_date.map(due_date).transpose()?,
        })
    }
}

/// The primary key of a line, for deleting it.
pub fn line_key(key: &LineKey) -> Vec<Cell<'_>> {
    vec![Cell::text(key.order.store.as_str()), Cell::text(key.order.order.to_string()), Cell::Int(key.number)]
}

impl Row for Line {
    const TABLE: &'static str = "purchase_order_line";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.order.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.key.order.order.to_string())),
        Column::key("line_number", |row| Cell::Int(row.key.number)),
        // An update of a draft, an amendment and a confirmation replace a line as a whole, so that what was agreed is
        // never updated.
        Column::fixed("product_id", |row| Cell::text(row.product.as_str())),
        Column::fixed("description", |row| Cell::text(&row.description)),
        Column::fixed("gtin", |row| Cell::optional_text(row.gtin.as_deref())),
        Column::fixed("supplier_product_id", |row| Cell::optional_text(row.supplier_product.as_deref())),
        Column::fixed("note", |row| Cell::optional_text(row.note.as_deref())),
        Column::fixed("unit", |row| Cell::text(row.unit.name())),
        Column::fixed("pack_size", |row| Cell::BigInt(row.pack_size.map(Quantity::scaled))),
        Column::fixed("unit_cost", |row| Cell::big_int(row.unit_cost.scaled())),
        Column::fixed("pack_cost", |row| Cell::BigInt(row.pack_cost.map(UnitCost::scaled))),
        Column::fixed("tolerance", |row| Cell::BigInt(row.tolerance.map(Tolerance::scaled))),
        Column::fixed("lot_required", |row| Cell::Bool(row.lot_required)),
        Column::fixed("carried_over", |row| Cell::Bool(row.carried_over)),
        Column::fixed("first_expected_date", |row| Cell::formatted(row.first_expected_date)),
        Column::fixed("first_ordered", |row| Cell::big_int(row.first_ordered.scaled())),
        Column::fixed("confirmed", |row| Cell::BigInt(row.confirmed.map(Quantity::scaled))),
        Column::fixed("expected_date", |row| Cell::formatted(row.expected_date)),
        Column::fixed("ordered", |row| Cell::big_int(row.quantities.ordered.scaled())),
        Column::changing("received", |row| Cell::big_int(row.quantities.received.scaled())),
        Column::changing("rejected", |row| Cell::big_int(row.quantities.rejected.scaled())),
        Column::changing("back_ordered", |row| Cell::big_int(row.quantities.back_ordered.scaled())),
        Column::changing("cancelled", |row| Cell::big_int(row.quantities.cancelled.scaled())),
        Column::changing("pending", |row| Cell::big_int(row.quantities.pending.scaled())),
        Column::changing("excess", |row| Cell::big_int(row.quantities.excess.scaled())),
        Column::changing("returned", |row| Cell::big_int(row.returned.scaled())),
        Column::changing("first_receive_time", |row| Cell::BigInt(row.first_receive_time.map(Timestamp::micros))),
        Column::changing("last_receive_time", |row| Cell::BigInt(row.last_receive_time.map(Timestamp::micros))),
        Column::changing("back_order_time", |row| Cell::BigInt(row.back_order_time.map(Timestamp::micros))),
        Column::changing("due_date", |row| Cell::formatted(row.due_date)),
    ];
}
