//! Goods receipts: what was delivered, when, and what of it was accepted.

use super::ReceiptKey;
use crate::domain::code::PrincipalId;
use crate::domain::event::ItemQuantities;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;

/// Bytes of all reject reasons of one receipt: with them, every line touched and 5,000 items, an answer
/// still fits into a message.
pub const MAX_REJECT_REASONS: usize = 1_000_000;

/// A goods receipt: one delivery that was booked in. Its quantities are staged until the order is
/// completed. It is active until it is voided; it is never deleted, and nothing else of it ever changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The order and the number of the receipt on it.
    pub key: ReceiptKey,
    /// When the goods arrived; may be before they were booked in.
    pub receive_time: Timestamp,
    /// When the delivery was booked in, by the store's clock.
    pub book_time: Timestamp,
    /// The principal who booked it in.
    pub booked_by: PrincipalId,
    /// The number of the supplier's delivery note, as the caller gave it.
    pub delivery_note: Option<String>,
    /// Text for people; no rule reads it.
    pub note: Option<String>,
    /// When, by whom and why it was voided; none while it is active.
    pub voided: Option<Voided>,
    /// What was delivered of each line, by line number; a line has at most one item.
    pub items: Vec<ReceiptItem>,
}

impl Receipt {
    /// Whether its quantities count for the order: it was not voided.
    pub fn is_active(&self) -> bool {
        self.voided.is_none()
    }

    /// Its items as an order's staged items; none if it is voided.
    pub fn staged_items(&self) -> impl Iterator<Item = StagedItem> {
        let items = if self.is_active() { self.items.as_slice() } else { &[] };
        items.iter().map(|item| StagedItem {
            receipt: self.key.number,
            receive_time: self.receive_time,
            line: item.line,
            accepted: item.accepted,
        })
    }

    /// Its items as an event tells them.
    pub fn quantities(&self) -> Vec<ItemQuantities> {
        let mut quantities = Vec::with_capacity(self.items.len());
        for item in &self.items {
            quantities.push(ItemQuantities {
                line: item.line,
                accepted: item.accepted.to_string(),
                rejected: item.rejected.to_string(),
            });
        }
        quantities
    }
}

/// How a receipt was voided. The receipt stays readable, so that the history of an order is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voided {
    /// When it was voided, by the store's clock.
    pub time: Timestamp,
    /// The principal who voided it.
    pub by: PrincipalId,
    /// Why it was voided; always given.
    pub reason: String,
}

/// What a delivery brought of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptItem {
    /// The number of the line on the order.
    pub line: i32,
    /// What was kept; it is staged until the order is completed.
    pub accepted: Quantity,
    /// What was sent back or refused; it stays pending on the line.
    pub rejected: Quantity,
    /// Why it was rejected; present if and only if anything was.
    pub reject_reason: Option<String>,
}

/// What a completion must know of an item of an active receipt to post it to the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StagedItem {
    /// The number of the receipt on the order.
    pub receipt: i32,
    /// The number of the line on the order.
    pub line: i32,
    /// When the goods arrived, as the receipt says.
    pub receive_time: Timestamp,
    /// What was kept; 0 where everything was rejected, which is not posted.
    pub accepted: Quantity,
}

/// The first and the last time at which a line was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveTimes {
    /// The earliest `receive_time` of the receipts that have the line.
    pub first: Timestamp,
    /// The latest `receive_time` of the receipts that have the line.
    pub last: Timestamp,
}
