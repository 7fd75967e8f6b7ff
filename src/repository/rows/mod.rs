//! Turns rows into entities of the domain and back, in one file per group of tables.
//!
//! Diesel reads a row by position, so the fields of a `Queryable` struct must be in the order of the schema's columns: two
//! fields of the same type in the wrong order would compile and exchange their values. [`Row`](super::bulk::Row) lists the
//! columns by which an entity is saved. The tests below compare both with the schema.
//!
//! A value that this version cannot read (an unknown state, a malformed id) is an error and never a default: an entity
//! with a guessed value would be decided on and saved.

pub mod access;
pub mod cancellation;
pub mod chain;
pub mod event;
pub mod level;
pub mod line;
pub mod lot;
pub mod order;
pub mod receipt;
pub mod store;
pub mod stored_response;

use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

use super::error::DbError;
use crate::domain::money::Currency;
use crate::domain::order::OrderId;
use crate::domain::order::receipt::DeliveryId;
use crate::domain::time::Date;

/// Reads the id of an order, which is stored as text in the usual form of a UUID.
pub(super) fn order_id(text: &str) -> Result<OrderId, DbError> {
    Uuid::from_str(text).map(OrderId).map_err(|_| DbError::unreadable("order id", text))
}

/// Reads the id of a delivery, which is stored like that of an order.
fn delivery_id(text: &str) -> Result<DeliveryId, DbError> {
    Uuid::from_str(text).map(DeliveryId).map_err(|_| DbError::unreadable("delivery id", text))
}

fn optional_order_id(text: Option<String>) -> Result<Option<OrderId>, DbError> {
    text.as_deref().map(order_id).transpose()
}

/// Reads a currency code. Codes that this version does not know are refused: amounts would have no meaning.
fn currency(text: &str) -> Result<Currency, DbError> {
    Currency::parse(text).ok_or_else(|| DbError::unreadable("currency", text))
}

pub(super) fn optional_date(text: Option<String>) -> Result<Option<Date>, DbError> {
    match text {
        Some(text) => Ok(Some(Date::parse(&text).ok_or_else(|| DbError::unreadable("date", text))?)),
        None => Ok(None),
    }
}

/// A value as JSON text, for the columns that hold a whole struct.
fn json(value: &impl Serialize) -> String {
    // Structs of text and numbers always serialize. If one did not, the text would be stored and fail when it is read.
    serde_json::to_string(value).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}

#[cfg(test)]
mod tests {
    use diesel::prelude::*;
    use diesel::sqlite::Sqlite;

    use super::access::{RoleGrantRow, RolePermissionRow};
    use super::cancellation::CancellationRow;
    use super::event::EventRow;
    use super::level::{LevelRow, MovementRow};
    use super::line::LineRow;
    use super::lot::{LotOfItem, LotRow, LotSum, ReceiptLotRow};
    use super::order::OrderRow;
    use super::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow};
    use super::store::StoreRow;
    use crate::domain::access::{GrantKey, RolePermissionKey, ValidityPeriod};
    use crate::domain::event::Event;
    use crate::domain::idempotency::StoredResponse;
    use crate::domain::inventory::{Level, Movement};
    use crate::domain::order::cancellation::Cancellation;
    use crate::domain::order::receipt::Receipt;
    use crate::domain::order::{Line, Order};
    use crate::domain::store::Store;
    use crate::repository::bulk::{ColumnRole, Row};
    use crate::repository::schema;

    /// The names of the columns that a query selects, in its order. A macro, because each query has a type of its own.
    macro_rules! selected {
        ($query:expr) => {{
            let text = diesel::debug_query::<Sqlite, _>(&$query).to_string();
            let columns = text.split_once("SELECT ").unwrap().1.split_once(" FROM ").unwrap().0;
            columns.split(", ").map(|column| column.rsplit('.').next().unwrap().replace('`', "")).collect::<Vec<_>>()
        }};
    }

    #[test]
    fn rows_are_read_in_the_order_of_the_schema() {
        use schema::*;
        macro_rules! check {
            ($($table:ident: $row:ty),+ $(,)?) => {$(
                assert_eq!(selected!($table::table.select(<$row>::as_select())), selected!($table::table.select($table::all_columns)), stringify!($table));
            )+};
        }
        check!(
            store: StoreRow, purchase_order: OrderRow, purchase_order_line: LineRow, receipt: ReceiptRow,
            receipt_item: ReceiptItemRow, receipt_lot: ReceiptLotRow, inventory_lot: LotRow, inventory_level: LevelRow, stock_movement: MovementRow,
            role_permission: RolePermissionRow, event: EventRow, role_grant: RoleGrantRow,
            line_cancellation: CancellationRow,
        );
    }

    fn check_saved<R: Row>(mut of_schema: Vec<String>) {
        let names: Vec<&str> = R::COLUMNS.iter().map(|column| column.name).collect();
        let is_key: Vec<bool> = R::COLUMNS.iter().map(|column| column.role == ColumnRole::Key).collect();
        assert_eq!(names[0], "store_id", "{}: every key begins with the store", R::TABLE);
        assert!(is_key[0] && is_key.is_sorted_by(|one, next| one >= next), "{}: the key comes first", R::TABLE);
        let mut saved: Vec<String> = names.into_iter().map(str::to_owned).collect();
        saved.sort();
        of_schema.sort();
        assert_eq!(saved, of_schema, "{}: every column is saved", R::TABLE);
    }

    #[test]
    fn every_column_of_the_schema_is_saved() {
        use schema::*;
        check_saved::<Store>(selected!(store::table.select(store::all_columns)));
        check_saved::<Order>(selected!(purchase_order::table.select(purchase_order::all_columns)));
        check_saved::<Line>(selected!(purchase_order_line::table.select(purchase_order_line::all_columns)));
        check_saved::<Cancellation>(selected!(line_cancellation::table.select(line_cancellation::all_columns)));
        check_saved::<Receipt>(selected!(receipt::table.select(receipt::all_columns)));
        check_saved::<ItemOfReceipt>(selected!(receipt_item::table.select(receipt_item::all_columns)));
        check_saved::<LotOfItem>(selected!(receipt_lot::table.select(receipt_lot::all_columns)));
        check_saved::<LotSum>(selected!(inventory_lot::table.select(inventory_lot::all_columns)));
        check_saved::<Level>(selected!(inventory_level::table.select(inventory_level::all_columns)));
        check_saved::<Movement>(selected!(stock_movement::table.select(stock_movement::all_columns)));
        check_saved::<Event>(selected!(event::table.select(event::all_columns)));
        check_saved::<StoredResponse>(selected!(stored_response::table.select(stored_response::all_columns)));
        check_saved::<ValidityPeriod<RolePermissionKey>>(selected!(
            role_permission::table.select(role_permission::all_columns)
        ));
        check_saved::<ValidityPeriod<GrantKey>>(selected!(role_grant::table.select(role_grant::all_columns)));
    }
}
