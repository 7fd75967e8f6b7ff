//! Rows of the table `store`. Its row is what a write transaction locks, and it has the counters by which rules are decided
//! without loading the orders of the store.

use diesel::prelude::{Queryable, Selectable};

use super::currency;
use crate::domain::code::StoreId;
use crate::domain::order::tolerance::Tolerance;
use crate::domain::store::Store;
use crate::domain::time::{TimeZone, Timestamp};
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::store;

/// A store as it is read, under its lock in a write transaction and without it in a read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = store)]
pub struct StoreRow {
    store_id: String,
    display_name: String,
    currency: String,
    time_zone: String,
    create_time: i64,
    back_orders_enabled: bool,
    over_receipt_tolerance: i64,
    allow_negative_stock: bool,
    allow_unlisted_items: bool,
    open_orders: i64,
    last_order_number: i64,
    last_event: i64,
    last_event_time: i64,
    first_event: i64,
}

impl StoreRow {
    /// The id of the store.
    pub fn id(&self) -> &str {
        &self.store_id
    }
}

impl TryFrom<StoreRow> for Store {
    type Error = DbError;

    fn try_from(row: StoreRow) -> Result<Self, DbError> {
        Ok(Self {
            id: StoreId::new(row.store_id),
            display_name: row.display_name,
            currency: currency(&row.currency)?,
            time_zone: TimeZone::parse(&row.time_zone)
                .ok_or_else(|| DbError::unreadable("time zone", row.time_zone))?,
            create_time: Timestamp::from_micros(row.create_time),
            back_orders_enabled: row.back_orders_enabled,
            over_receipt_tolerance: Tolerance::from_scaled(row.over_receipt_tolerance),
            allow_negative_stock: row.allow_negative_stock,
            allow_unlisted_items: row.allow_unlisted_items,
            open_orders: row.open_orders,
            last_order_number: row.last_order_number,
            last_event: row.last_event,
            last_event_time: Timestamp::from_micros(row.last_event_time),
            first_event: row.first_event,
        })
    }
}

impl Row for Store {
    const TABLE: &'static str = "store";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.id.as_str())),
        // All money of a store is in its currency, so that it can never change.
        Column::fixed("currency", |row| Cell::text(row.currency.code())),
        Column::fixed("create_time", |row| Cell::big_int(row.create_time.micros())),
        // Only the pruner changes it, by a statement of its own.
        Column::fixed("first_event", |row| Cell::big_int(row.first_event)),
        Column::changing("display_name", |row| Cell::text(&row.display_name)),
        Column::changing("time_zone", |row| Cell::text(row.time_zone.name())),
        Column::changing("back_orders_enabled", |row| Cell::Bool(row.back_orders_enabled)),
        Column::changing("over_receipt_tolerance", |row| Cell::big_int(row.over_receipt_tolerance.scaled())),
        Column::changing("allow_negative_stock", |row| Cell::Bool(row.allow_negative_stock)),
        Column::changing("allow_unlisted_items", |row| Cell::Bool(row.allow_unlisted_items)),
        Column::changing("open_orders", |row| Cell::big_int(row.open_orders)),
        Column::changing("last_order_number", |row| Cell::big_int(row.last_order_number)),
        Column::changing("last_event", |row| Cell::big_int(row.last_event)),
        Column::changing("last_event_time", |row| Cell::big_int(row.last_event_time.micros())),
    ];
}
