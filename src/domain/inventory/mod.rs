//! Stock: one level per store and product, and the ledger that explains it.

use super::code::{ProductId, StoreId};
use super::money::UnitCost;
use super::order::{Line, Order, OrderId, Quantities};
use super::quantity::Quantity;
use super::time::Timestamp;
use super::unit::Unit;

/// Names a level.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LevelKey {
    /// Where.
    pub store: StoreId,
    /// What.
    pub product: ProductId,
}

/// One product in one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Which.
    pub key: LevelKey,
    /// What its quantities count.
    pub unit: Unit,
    /// Available for sale.
    pub on_hand: Quantity,
    /// What its live orders add: in the building, on its way.
    pub inbound: InboundStock,
    /// The number of its last ledger row.
    pub last_movement: i64,
}

impl Level {
    /// The level of a product that no order has named before.
    pub fn empty(key: LevelKey, unit: Unit) -> Self {
        Self { key, unit, on_hand: Quantity::ZERO, inbound: InboundStock::default(), last_movement: 0 }
    }

    /// Whether every quantity of it is within its limit.
    pub fn is_within_range(&self) -> bool {
        let InboundStock { staged, on_order, back_ordered } = self.inbound;
        [self.on_hand, staged, on_order, back_ordered].iter().all(|q| *q <= Quantity::MAX_LEVEL)
    }
}

/// What live orders add to a level beside what is on hand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct InboundStock {
    /// Received and not yet completed.
    pub staged: Quantity,
    /// Pending.
    pub on_order: Quantity,
    /// The part of `on_order` that is on back orders.
    pub back_ordered: Quantity,
}

impl InboundStock {
    /// What one line adds to its product's level. Only an order that is ON_ORDER or RECEIVING adds
    /// anything, so a change of state changes what all of its lines add.
    pub fn of(order: &Order, line: &Line) -> Self {
        if !order.state.is_live() {
            return Self::default();
        }
        let Quantities { received: staged, pending: on_order, .. } = line.quantities;
        let back_ordered = if order.parent.is_some() { on_order } else { Quantity::ZERO };
        Self { staged, on_order, back_ordered }
    }

    /// Replaces one line's part by another.
    pub fn exchange(&mut self, before: Self, after: Self) {
        self.staged += after.staged - before.staged;
        self.on_order += after.on_order - before.on_order;
        self.back_ordered += after.back_ordered - before.back_ordered;
    }
}

/// One row of the ledger: an accepted receipt item that went on hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Movement {
    /// Whose ledger.
    pub level: LevelKey,
    /// 1, 2, 3 ... in that ledger.
    pub number: i64,
    /// How many were added.
    pub quantity: Quantity,
    /// Per unit.
    pub unit_cost: UnitCost,
    /// On hand afterwards.
    pub balance_after: Quantity,
    /// When.
    pub create_time: Timestamp,
    /// The event that wrote it.
    pub event: i64,
    /// The order, line and receipt that it came from.
    pub order: OrderId,
    /// See `order`.
    pub line: i32,
    /// See `order`.
    pub receipt: i32,
    /// When the goods arrived.
    pub receive_time: Timestamp,
}
