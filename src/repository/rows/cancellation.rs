//! Rows of the table `line_cancellation`, which are written, and deleted when an order is reopened, and never changed.

use diesel::prelude::{Queryable, Selectable};

use super::order_id;
use crate::domain::code::StoreId;
use crate::domain::order::cancellation::{CancelReason, Cancellation};
use crate::domain::order::{LineKey, OrderKey};
use crate::domain::quantity::Quantity;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::line_cancellation;

/// What an event cancelled of a line, as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = line_cancellation)]
pub struct CancellationRow {
    store_id: String,
    po_id: String,
    line_number: i32,
    event_number: i64,
    quantity: i64,
    reason: Option<String>,
    reason_code: Option<String>,
}

impl TryFrom<CancellationRow> for Cancellation {
    type Error = DbError;

    fn try_from(row: CancellationRow) -> Result<Self, DbError> {
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        Ok(Self {
            line: LineKey { order, number: row.line_number },
            event: row.event_number,
            quantity: Quantity::from_scaled(row.quantity),
            reason: row.reason,
            reason_code: cancel_reason(row.reason_code)?,
        })
    }
}

/// The kind of reason that is stored by a name.
pub fn cancel_reason(name: Option<String>) -> Result<Option<CancelReason>, DbError> {
    let Some(name) = name else { return Ok(None) };
    match CancelReason::from_name(&name) {
        Some(reason) => Ok(Some(reason)),
        None => Err(DbError::unreadable("cancel reason", name)),
    }
}

/// The primary key of a cancellation, for deleting it.
pub fn cancellation_key(row: &Cancellation) -> Vec<Cell<'_>> {
    vec![
        Cell::text(row.line.order.store.as_str()),
        Cell::text(row.line.order.order.to_string()),
        Cell::Int(row.line.number),
        Cell::big_int(row.event),
    ]
}

impl Row for Cancellation {
    const TABLE: &'static str = "line_cancellation";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.line.order.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.line.order.order.to_string())),
        Column::key("line_number", |row| Cell::Int(row.line.number)),
        Column::key("event_number", |row| Cell::big_int(row.event)),
        Column::fixed("quantity", |row| Cell::big_int(row.quantity.scaled())),
        Column::fixed("reason", |row| Cell::optional_text(row.reason.as_deref())),
        Column::fixed("reason_code", |row| Cell::optional_text(row.reason_code.map(CancelReason::name))),
    ];
}
