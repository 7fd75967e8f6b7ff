//! A delivery booked in.

use super::ReceiptKey;
use crate::domain::code::PrincipalId;
use crate::domain::event::ItemQuantities;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;

/// Bytes of all reject reasons of one receipt: with them, every line touched and 5,000 items, an answer
/// still fits into a message.
pub const MAX_REJECT_REASONS: usize = 1_000_000;

/// One delivery. It stands until it is voided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Which.
    pub key: ReceiptKey,
    /// When the goods arrived. Nothing ever overwrites it.
    pub receive_time: Timestamp,
    /// When it was booked.
    pub book_time: Timestamp,
    /// Who booked it.
    pub booked_by: PrincipalId,
    /// The supplier's delivery note.
    pub delivery_note: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// How it ended, if it was voided.
    pub voided: Option<Voided>,
    /// What came, by line number.
    pub items: Vec<ReceiptItem>,
}

impl Receipt {
    /// Whether it counts.
    pub fn is_active(&self) -> bool {
        self.voided.is_none()
    }

    /// Its items as an order's staged items; none if it is voided.
    pub fn staged_items(&self) -> impl Iterator<Item = StagedItem> {
        let items = if self.is_active() { self.items.as_slice() } else { &[] };
        let (receipt, receive_time) = (self.key.number, self.receive_time);
        items.iter().map(move |item| StagedItem { receipt, receive_time, line: item.line, accepted: item.accepted })
    }

    /// Its items for an event.
    pub fn quantities(&self) -> Vec<ItemQuantities> {
        let item = |item: &ReceiptItem| ItemQuantities {
            line: item.line,
            accepted: item.accepted.to_string(),
            rejected: item.rejected.to_string(),
        };
        self.items.iter().map(item).collect()
    }
}

/// How a receipt was taken back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    /// When.
    pub time: Timestamp,
    /// By whom.
    pub by: PrincipalId,
    /// Why.
    pub reason: String,
}

/// One line's part of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptItem {
    /// The line's number.
    pub line: i32,
    /// Kept.
    pub accepted: Quantity,
    /// Refused.
    pub rejected: Quantity,
    /// Why it was refused.
    pub reject_reason: Option<String>,
}

/// What a completion must know of an item of an active receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StagedItem {
    /// The receipt's number.
    pub receipt: i32,
    /// The line's number.
    pub line: i32,
    /// When the goods arrived.
    pub receive_time: Timestamp,
    /// Kept; may be nothing, where everything was rejected.
    pub accepted: Quantity,
}

/// Between which times a line was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveTimes {
    /// The earliest `receive_time`.
    pub first: Timestamp,
    /// The latest.
    pub last: Timestamp,
}
