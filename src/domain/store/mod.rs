//! A store: its settings, and the counters by which rules judge it without loading its orders. The row
//! is the unit of consistency: every command locks it first, and its events are numbered by it.

pub mod back_orders;
pub mod create;
pub mod update;

use super::code::StoreId;
use super::money::Currency;
use super::order::tolerance::Tolerance;
use super::time::{TimeZone, Timestamp};

/// A shop or warehouse. Its row is locked by every command of the store, so its counters are never
/// changed by two at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Store {
    /// The caller's id for the store, unique on the platform.
    pub id: StoreId,
    /// The name that people read; it need not be unique.
    pub display_name: String,
    /// The currency of everything that the store buys; never changes.
    pub currency: Currency,
    /// The zone by whose calendar dates are judged, such as "today" and the day of an order.
    pub time_zone: TimeZone,
    /// When the store was created, which is the time of its first event.
    pub create_time: Timestamp,
    /// Whether a completion may create a back order.
    pub back_orders_enabled: bool,
    /// How much more than ordered a delivery may bring of a line that has no tolerance of its own.
    pub over_receipt_tolerance: Tolerance,
    /// Whether an adjustment may take out more than is on hand, so that a till can go on selling.
    pub allow_negative_stock: bool,
    /// Whether a receipt may bring what its order does not name, or what was cancelled of it.
    pub allow_unlisted_items: bool,
    /// How many orders are neither completed nor cancelled; back orders are enabled only while it is 0.
    pub open_orders: i64,
    /// The number of the last original order; the next one gets the next number, without a gap.
    pub last_order_number: i64,
    /// The number of the last event; events are numbered without a gap.
    pub last_event: i64,
    /// The time of the last event. The store's clock never runs behind it, whatever the wall clock of
    /// an instance says.
    pub last_event_time: Timestamp,
    /// The number of the first event that is still kept: 1, unless old events are deleted. No command changes it.
    pub first_event: i64,
}
