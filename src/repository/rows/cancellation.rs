//! Rows of the table `line_cancellation`, which are written and never changed.

use crate::domain::order::cancellation::Cancellation;
use crate::repository::bulk::{Cell, Column, Row};

impl Row for Cancellation {
    const TABLE: &'static str = "line_cancellation";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.line.order.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.line.order.order.to_string())),
        Column::key("line_number", |row| Cell::Int(row.line.number)),
        Column::key("event_number", |row| Cell::big_int(row.event)),
        Column::fixed("quantity", |row| Cell::big_int(row.quantity.scaled())),
        Column::fixed("reason", |row| Cell::optional_text(row.reason.as_deref())),
    ];
}
