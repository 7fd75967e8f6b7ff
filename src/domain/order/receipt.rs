//! Goods receipts: what was delivered, when, and what of it was accepted.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::ReceiptKey;
use crate::domain::code::PrincipalId;
use crate::domain::event::ItemQuantities;
use crate::domain::inventory::lot::{Lot, LotQuantity};
use crate::domain::money::{Amount, ExactAmount, UnitCost};
use crate::domain::order::Line;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;

/// Bytes of what the items of one delivery have besides quantities and costs, see [`size_of_items`]: with them,
/// every line touched and 5,000 items, an answer still fits into a message.
pub const MAX_ITEMS_SIZE: usize = 500_000;
/// For how many bytes each lot counts: as many as the largest has in an answer.
pub const LOT_SIZE: usize = 100;

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
    /// The order's supplier, by which the same delivery note is found again.
    pub supplier: String,
    /// The number of the supplier's delivery note, as the caller gave it.
    pub delivery_note: Option<String>,
    /// The delivery that it is a part of, if that was for several orders.
    pub delivery: Option<DeliveryId>,
    /// Text for people; no rule reads it.
    pub note: Option<String>,
    /// The number of the receipt in whose place it was booked, if it is a correction. That one is voided.
    pub corrects: Option<i32>,
    /// When, by whom and why it was voided; none while it is active.
    pub voided: Option<Voided>,
    /// What was delivered of each line, by line number; a line has at most one item.
    pub items: Vec<ReceiptItem>,
}

/// The id that the receipts of one delivery over several orders share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeliveryId(pub Uuid);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
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
            line: item.line,
            receive_time: self.receive_time,
            accepted: item.accepted,
            excess: item.excess,
            costs: item.costs,
            lots: item.lots.clone(),
        })
    }

    /// Its item of a line, if it has one.
    pub fn item_of(&self, line: i32) -> Option<&ReceiptItem> {
        self.items.binary_search_by_key(&line, |item| item.line).ok().map(|index| &self.items[index])
    }

    /// What its items are worth together.
    pub fn value(&self) -> Amount {
        self.items.iter().map(|item| item.value).sum()
    }

    /// What it adds to the received cost of its order: nothing once it is voided.
    pub fn active_value(&self) -> Amount {
        if self.is_active() { self.value() } else { Amount::ZERO }
    }

    /// How many rows it has beside its own: its items and their lots.
    pub fn row_count(&self) -> usize {
        self.items.len() + self.items.iter().map(|item| item.lots.len()).sum::<usize>()
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
    /// The part of `accepted` that went beyond what was pending when it was booked. It is kept as it was
    /// then, because it may have its own cost; the line's excess is another matter once receipts are voided.
    pub excess: Quantity,
    /// What was sent back or refused; it stays pending on the line.
    pub rejected: Quantity,
    /// Why it was rejected; present if and only if anything was.
    pub rejection: Option<Rejection>,
    /// What the goods cost according to the invoice.
    pub costs: ItemCosts,
    /// What the accepted quantity is worth, rounded once.
    pub value: Amount,
    /// The lots of the accepted quantity, which they add up to, in the order in which they were given; or none.
    /// The excess is the last of them.
    pub lots: Vec<LotQuantity>,
}

/// The bytes of the reject notes and lots of items, which are limited to [`MAX_ITEMS_SIZE`].
pub fn size_of_items<'a>(items: impl Iterator<Item = (Option<&'a Rejection>, usize)>) -> usize {
    let mut size = 0;
    for (rejection, lots) in items {
        // In normal form, as it is stored and answered: normalizing can make text three times as long.
        size += rejection.and_then(|rejection| rejection.note.as_ref()).map_or(0, String::len) + lots * LOT_SIZE;
    }
    size
}

/// What the accepted units of an item cost, where the caller says it; otherwise the line's cost counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ItemCosts {
    /// The invoiced cost of one unit.
    pub unit_cost: Option<UnitCost>,
    /// The cost of one unit beyond what was pending; 0 for goods that are free.
    pub excess_unit_cost: Option<UnitCost>,
}

impl ItemCosts {
    /// What `accepted` units of a line are worth, `excess` of them beyond what was pending. Where no cost is
    /// named, whole packs count by the cost of a pack.
    pub fn value_of(&self, line: &Line, accepted: Quantity, excess: Quantity) -> Amount {
        let Some(excess_unit_cost) = self.excess_unit_cost else {
            // As a whole, so that packs of which a part is in excess still count as packs.
            return self.exact_value_of(line, accepted).rounded();
        };
        // Rounded once, when both parts are added up.
        (self.exact_value_of(line, accepted - excess) + excess_unit_cost.times(excess)).rounded()
    }

    fn exact_value_of(&self, line: &Line, quantity: Quantity) -> ExactAmount {
        match self.unit_cost {
            Some(unit_cost) => unit_cost.times(quantity),
            None => line.exact_value_of(quantity),
        }
    }
}

/// A quantity of one lot, or of none, and of one cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StockPart {
    /// The lot, if the goods have one.
    pub lot: Option<Lot>,
    /// How many units; above zero.
    pub quantity: Quantity,
    /// What each of them costs.
    pub unit_cost: UnitCost,
}

/// Why a delivered quantity was rejected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    /// The reason, by which rejections are counted.
    pub reason: RejectReason,
    /// The same for people; required with [`RejectReason::Other`].
    pub note: Option<String>,
}

/// Why goods are rejected on delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum RejectReason {
    /// Broken or spoiled.
    Damaged,
    /// Past its date, or too close to it.
    Expired,
    /// Another product than ordered.
    WrongProduct,
    /// Not as good as agreed.
    Quality,
    /// Nobody ordered it.
    NotOrdered,
    /// Something else, which a note says.
    Other,
}

impl RejectReason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Self; 6] =
        [Self::Damaged, Self::Expired, Self::WrongProduct, Self::Quality, Self::NotOrdered, Self::Other];

    /// The name it is stored by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Damaged => "DAMAGED",
            Self::Expired => "EXPIRED",
            Self::WrongProduct => "WRONG_PRODUCT",
            Self::Quality => "QUALITY",
            Self::NotOrdered => "NOT_ORDERED",
            Self::Other => "OTHER",
        }
    }

    /// The reason stored by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// What a completion must know of an item of an active receipt to post it to the ledger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StagedItem {
    /// The number of the receipt on the order.
    pub receipt: i32,
    /// The number of the line on the order.
    pub line: i32,
    /// When the goods arrived, as the receipt says.
    pub receive_time: Timestamp,
    /// What was kept; 0 where everything was rejected, which is not posted.
    pub accepted: Quantity,
    /// The part of it that went beyond what was pending.
    pub excess: Quantity,
    /// What the goods cost according to the invoice.
    pub costs: ItemCosts,
    /// The lots of what was kept, in the order in which they were given; or none.
    pub lots: Vec<LotQuantity>,
}

impl StagedItem {
    /// How it goes to stock: a part for each lot in their order, divided where the excess begins if that has
    /// another cost.
    pub fn parts(&self, line: &Line) -> Vec<StockPart> {
        let unit_cost = self.costs.unit_cost.unwrap_or(line.unit_cost);
        let excess_unit_cost = self.costs.excess_unit_cost.unwrap_or(unit_cost);
        // With one cost, all of it is ordinary.
        let mut ordinary = if excess_unit_cost == unit_cost { self.accepted } else { self.accepted - self.excess };
        let mut parts = Vec::with_capacity(self.lots.len().max(1));
        for (lot, quantity) in self.quantities_by_lot() {
            let first = ordinary.min(quantity);
            ordinary -= first;
            for (quantity, unit_cost) in [(first, unit_cost), (quantity - first, excess_unit_cost)] {
                // Where everything was rejected, or everything is in excess, a part is empty.
                if quantity.is_positive() {
                    parts.push(StockPart { lot: lot.clone(), quantity, unit_cost });
                }
            }
        }
        parts
    }

    fn quantities_by_lot(&self) -> Vec<(Option<Lot>, Quantity)> {
        if self.lots.is_empty() {
            return vec![(None, self.accepted)];
        }
        self.lots.iter().map(|LotQuantity { lot, quantity }| (Some(lot.clone()), *quantity)).collect()
    }
}

/// The first and the last time at which a line was received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveTimes {
    /// The earliest `receive_time` of the receipts that have the line.
    pub first: Timestamp,
    /// The latest `receive_time` of the receipts that have the line.
    pub last: Timestamp,
}
