//! Stock: one level per store and product, and the ledger that explains it.
//!
//! What is on hand is exactly the sum of the ledger rows, and what is staged or on order exactly what
//! the lines of live orders add. Both are kept as sums, so that a level is read without its history.

use super::code::{ProductId, StoreId};
use super::money::UnitCost;
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

/// The stock of one product in one store. It exists from the first line that names the product on, also
/// while every quantity is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// The store and the product; never changes.
    pub key: LevelKey,
    /// What the quantities count; fixed by the first line that names the product in the store.
    pub unit: Unit,
    /// What is available for sale: the sum of all ledger rows.
    pub on_hand: Quantity,
    /// What live orders add: staged in the building, or still to be delivered.
    pub inbound: InboundStock,
    /// The number of its last ledger row; 0 if it has none.
    pub last_movement: i64,
}

impl Level {
    /// The level of a product that no order of the store has named before.
    pub fn empty(key: LevelKey, unit: Unit) -> Self {
        Self { key, unit, on_hand: Quantity::ZERO, inbound: InboundStock::default(), last_movement: 0 }
    }

    /// Whether every quantity of the level is at most [`Quantity::MAX_LEVEL`].
    pub fn is_within_range(&self) -> bool {
        let InboundStock { staged, on_order, back_ordered } = self.inbound;
        [self.on_hand, staged, on_order, back_ordered].iter().all(|q| *q <= Quantity::MAX_LEVEL)
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

/// One row of the stock ledger, which is only ever appended to: an accepted receipt item that went on
/// hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// The level whose ledger it belongs to.
    pub level: LevelKey,
    /// 1, 2, 3 ... in that ledger, without a gap.
    pub number: i64,
    /// How much was added to what is on hand.
    pub quantity: Quantity,
    /// What one unit cost, as on the order line.
    pub unit_cost: UnitCost,
    /// What was on hand afterwards, so that the ledger can be checked row by row.
    pub balance_after: Quantity,
    /// When it was posted, by the store's clock.
    pub create_time: Timestamp,
    /// The number of the event that posted it: the completion of its order.
    pub event: i64,
    /// The order whose completion posted it.
    pub order: OrderId,
    /// The line of that order that was received.
    pub line: i32,
    /// The receipt of that order by which it was accepted.
    pub receipt: i32,
    /// When the goods arrived, which may be days before they were posted.
    pub receive_time: Timestamp,
}
