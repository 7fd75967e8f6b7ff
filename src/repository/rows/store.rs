//! Table `store`.

use diesel::prelude::Queryable;

use super::currency;
use crate::domain::code::StoreId;
use crate::domain::store::Store;
use crate::domain::time::{TimeZone, Timestamp};
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `store`.
#[derive(Queryable)]
pub struct StoreRow {
    store_id: String,
    display_name: String,
    currency: String,
    time_zone: String,
    create_time: i64,
    back_orders_enabled: bool,
    open_orders: i64,
    last_order_number: i64,
    last_event: i64,
    last_event_time: i64,
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
            open_orders: row.open_orders,
            last_order_number: row.last_order_number,
            last_event: row.last_event,
            last_event_time: Timestamp::from_micros(row.last_event_time),
        })
    }
}

impl Row for Store {
    const TABLE: &'static str = "store";
    const COLUMNS: &'static [&'static str] = &[
        "store_id",
        "currency",
        "create_time",
        "display_name",
        "time_zone",
        "back_orders_enabled",
        "open_orders",
        "last_order_number",
        "last_event",
        "last_event_time",
    ];
    const KEY: usize = 1;
    const FIXED: usize = 3;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.id.as_str()),
            Cell::text(self.currency.code()),
            Cell::big(self.create_time.micros()),
            Cell::text(&self.display_name),
            Cell::text(self.time_zone.name()),
            Cell::Bool(self.back_orders_enabled),
            Cell::big(self.open_orders),
            Cell::big(self.last_order_number),
            Cell::big(self.last_event),
            Cell::big(self.last_event_time.micros()),
        ]
    }
}
