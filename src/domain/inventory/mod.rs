//! Stock: one level per store and product, and the ledger that explains it.
//!
//! What is on hand is exactly the sum of the ledger rows, and what is staged or on order exactly what
//! the lines of live orders add. Both are kept as sums, so that a level is read without its history.

pub mod adjust;
pub mod average_cost;
pub mod lot;

use serde::{Deserialize, Serialize};

use self::average_cost::ValuedStock;
use self::lot::Lot;
use super::code::{ProductId, StoreId};
use super::money::{Amount, UnitCost};
use super::order::{Line, Order, OrderId, Quantities};
use super::quantity::Quantity;
use super::time::Timestamp;
use super::unit::Unit;

/// Identifies a level: one product in one store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LevelKey {
    /// The store whose stock it is.
    pub store: StoreId,
    /// The product that is counted.
    pub product: ProductId,
}

/// The stock of one product in one store. It exists from the first line or adjustment that names the
/// product on, also while every quantity is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The store and the product; never changes.
    pub key: LevelKey,
    /// What the quantities count; fixed by the first line or adjustment that names the product in the store.
    pub unit: Unit,
    /// What is available for sale: the sum of all ledger rows.
    pub on_hand: Quantity,
    /// What live orders add: staged in the building, or still to be delivered.
    pub inbound: InboundStock,
    /// What a unit on hand costs on average: that of the last ledger row; 0 if it has none.
    pub average_cost: UnitCost,
    /// The number of its last ledger row; 0 if it has none.
    pub last_movement: i64,
}

impl Level {
    /// The level of a product that no order or adjustment of the store has named before.
    pub fn empty(key: LevelKey, unit: Unit) -> Self {
        Self {
            key,
            unit,
            on_hand: Quantity::ZERO,
            inbound: InboundStock::default(),
            average_cost: UnitCost::default(),
            last_movement: 0,
        }
    }

    /// Whether every quantity of the level is at most [`Quantity::MAX_LEVEL`], and what is on hand no
    /// further below zero.
    pub fn is_within_range(&self) -> bool {
        let InboundStock { staged, on_order, back_ordered } = self.inbound;
        self.on_hand >= -Quantity::MAX_LEVEL
            && [self.on_hand, staged, on_order, back_ordered].iter().all(|q| *q <= Quantity::MAX_LEVEL)
    }

    /// What the stock on hand is worth at its average cost. Stock below zero is worth nothing: nobody owns
    /// it.
    pub fn value(&self) -> Amount {
        self.average_cost.times(self.on_hand.or_nothing()).rounded()
    }

    /// Posts a ledger row: what it puts on hand or takes away moves the level and its average cost. The row
    /// gets its number, balance and average, whatever it had.
    pub fn post(&mut self, movement: Movement) -> Movement {
        let stock = ValuedStock { on_hand: self.on_hand, average: self.average_cost };
        if movement.quantity.is_positive() {
            self.average_cost = stock.average_with(movement.quantity, movement.unit_cost);
        // Nothing else that goes out moves the average.
        } else if movement.kind == MovementKind::ReceiptReversal {
            self.average_cost = stock.average_without(-movement.quantity, movement.unit_cost);
        }
        self.append(movement)
    }

    /// Posts the reversal of the last row of the ledger, before which the average cost was `average_before`. That is
    /// restored exactly: worked out from what is there now, it would differ by what was rounded in between.
    pub fn undo(&mut self, reversal: Movement, average_before: UnitCost) -> Movement {
        self.average_cost = average_before;
        self.append(reversal)
    }

    fn append(&mut self, movement: Movement) -> Movement {
        self.on_hand += movement.quantity;
        self.last_movement += 1;
        Movement {
            number: self.last_movement,
            balance_after: self.on_hand,
            average_after: self.average_cost,
            ..movement
        }
    }
}

/// What ON_ORDER and RECEIVING orders add to a level, apart from what is on hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboundStock {
    /// Accepted by active receipts of orders that are not completed yet: in the building, not for sale.
    pub staged: Quantity,
    /// Pending on the lines of these orders, back orders included.
    pub on_order: Quantity,
    /// The part of `on_order` that is pending on back orders.
    pub back_ordered: Quantity,
}

impl InboundStock {
    /// What one line adds to the level of its product. Only an order that is ON_ORDER or RECEIVING adds
    /// anything, so a change of state changes what every line of the order adds.
    pub fn of(order: &Order, line: &Line) -> Self {
        if !order.state.is_live() {
            return Self::default();
        }
        let Quantities { received: staged, pending: on_order, .. } = line.quantities;
        // Everything that is pending on a back order is late: it should have come with its parent.
        let back_ordered = if order.parent.is_some() { on_order } else { Quantity::ZERO };
        Self { staged, on_order, back_ordered }
    }

    /// Replaces what one line added before by what it adds now.
    pub fn exchange(&mut self, before: Self, after: Self) {
        self.staged += after.staged - before.staged;
        self.on_order += after.on_order - before.on_order;
        self.back_ordered += after.back_ordered - before.back_ordered;
    }
}

/// Why stock changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MovementKind {
    /// An order was completed: what was accepted went on hand.
    Receipt,
    /// The order was reopened: what a RECEIPT had put on hand was taken out again.
    ReceiptReversal,
    /// Goods were sold.
    Sale,
    /// A customer brought goods back.
    CustomerReturn,
    /// Goods went back to their supplier.
    ReturnToSupplier,
    /// Stock was counted, and what is on hand was set to what was found.
    Count,
    /// Goods were lost, broken, stolen or spoilt.
    Loss,
}

impl MovementKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Receipt,
        Self::ReceiptReversal,
        Self::Sale,
        Self::CustomerReturn,
        Self::ReturnToSupplier,
        Self::Count,
        Self::Loss,
    ];

    /// The name it is stored by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Receipt => "RECEIPT",
            Self::ReceiptReversal => "RECEIPT_REVERSAL",
            Self::Sale => "SALE",
            Self::CustomerReturn => "CUSTOMER_RETURN",
            Self::ReturnToSupplier => "RETURN_TO_SUPPLIER",
            Self::Count => "COUNT",
            Self::Loss => "LOSS",
        }
    }

    /// The kind stored by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// One row of the stock ledger, which is only ever appended to: an accepted receipt item that went on
/// hand, the reversal of such a row, or an adjustment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The level whose ledger it belongs to.
    pub level: LevelKey,
    /// 1, 2, 3 ... in that ledger, without a gap. The changeset gives it, as it does the balance and the
    /// average.
    pub number: i64,
    /// Why stock changed.
    pub kind: MovementKind,
    /// How much was added to what is on hand; below zero if it was taken away.
    pub quantity: Quantity,
    /// What one unit cost: as the receipt item says, or else its order line; of an adjustment, as that says, as the
    /// line says by which returned goods came, or the average.
    pub unit_cost: UnitCost,
    /// What was on hand afterwards, so that the ledger can be checked row by row.
    pub balance_after: Quantity,
    /// The average cost afterwards, rounded once per row.
    pub average_after: UnitCost,
    /// When it was posted, by the store's clock.
    pub create_time: Timestamp,
    /// The number of the event that posted it: the completion or reopening of its order, or the adjustment.
    pub event: i64,
    /// The order that the goods came by; of adjustments, only a return to the supplier may have one.
    pub order: Option<OrderId>,
    /// The line of that order.
    pub line: Option<i32>,
    /// The receipt of that order by which it was accepted; only of a RECEIPT and its reversal.
    pub receipt: Option<i32>,
    /// When the goods arrived, which may be days before they were posted; only of a RECEIPT and its
    /// reversal.
    pub receive_time: Option<Timestamp>,
    /// Why an adjustment was made; a RECEIPT needs no reason, and its reversal has that of the event.
    pub reason: Option<String>,
    /// The lot that it puts goods into or takes them out of; none for goods that are in no lot.
    pub lot: Option<Lot>,
}
