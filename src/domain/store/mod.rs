//! A store: its settings, and the counters by which rules judge it without loading its orders.

pub mod back_orders;
pub mod create;
pub mod update;

use super::code::StoreId;
use super::money::Currency;
use super::time::{TimeZone, Timestamp};

/// One shop or warehouse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The caller's id for it.
    pub id: StoreId,
    /// What a person reads.
    pub display_name: String,
    /// The currency of everything it buys.
    pub currency: Currency,
    /// Where its dates are judged.
    pub time_zone: TimeZone,
    /// When it was created.
    pub create_time: Timestamp,
    /// Whether a completion may make a back order.
    pub back_orders_enabled: bool,
    /// Orders that are not closed.
    pub open_orders: i64,
    /// The last order number given out.
    pub last_order_number: i64,
    /// The last event's number.
    pub last_event: i64,
    /// The last event's time: the store's clock never runs behind it.
    pub last_event_time: Timestamp,
}
