//! A purchase order: its header, its lines, its counters, and how its numbers are made.

pub mod actions;
pub mod cancel;
pub mod chain;
pub mod complete;
pub mod create;
pub mod place;
pub mod preview;
pub mod receipt;
pub mod receive;
pub mod update;
pub mod void;

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::receipt::Receipt;
use super::code::{ProductId, StoreId};
use super::inventory::LevelKey;
use super::money::{Currency, UnitCost};
use super::quantity::Quantity;
use super::refusal::Refusal;
use super::time::{Date, Timestamp};
use super::unit::Unit;

/// How many lines an order has at most.
pub const MAX_LINES: usize = 5_000;
/// How many items the receipts of one order have at most.
pub const MAX_RECEIPT_ITEMS: i64 = 20_000;

/// A purchase order's id, made by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub Uuid);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey {
    /// Where.
    pub store: StoreId,
    /// Which.
    pub order: OrderId,
}

/// Names a line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// The order.
    pub order: OrderKey,
    /// 1, 2, 3 ... on it.
    pub number: i32,
}

impl LineKey {
    /// Every line that an order could have.
    pub fn range_of(order: &OrderKey) -> RangeInclusive<Self> {
        Self { order: order.clone(), number: i32::MIN }..=Self { order: order.clone(), number: i32::MAX }
    }
}

/// Names a receipt.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptKey {
    /// The order.
    pub order: OrderKey,
    /// 1, 2, 3 ... on it.
    pub number: i32,
}

impl ReceiptKey {
    /// Every receipt that an order could have.
    pub fn range_of(order: &OrderKey) -> RangeInclusive<Self> {
        Self { order: order.clone(), number: i32::MIN }..=Self { order: order.clone(), number: i32::MAX }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Being written.
    Draft,
    /// Placed, no receipt stands.
    OnOrder,
    /// A receipt stands.
    Receiving,
    /// What came is on hand, the rest is settled.
    Completed,
    /// Given up; final.
    Cancelled,
}

impl State {
    /// Every state.
    pub const ALL: [Self; 5] = [Self::Draft, Self::OnOrder, Self::Receiving, Self::Completed, Self::Cancelled];

    /// The name it is stored by and known to callers by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Draft => "DRAFT",
            Self::OnOrder => "ON_ORDER",
            Self::Receiving => "RECEIVING",
            Self::Completed => "COMPLETED",
            Self::Cancelled => "CANCELLED",
        }
    }

    /// The state stored by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether it is neither completed nor cancelled. Drafts are open.
    pub const fn is_open(self) -> bool {
        matches!(self, Self::Draft | Self::OnOrder | Self::Receiving)
    }

    /// Whether goods are awaited or being received.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::OnOrder | Self::Receiving)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The header of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Which.
    pub key: OrderKey,
    /// `PO-000001`, or `PO-000001-B1`.
    pub number: String,
    /// The order whose pending quantities it carries, if it is a back order.
    pub parent: Option<OrderId>,
    /// The chain's original; itself for an original.
    pub root: OrderId,
    /// 0 for the original, 1 for its first back order ...
    pub chain_position: i32,
    /// Who supplies it.
    pub supplier: String,
    /// The store's or supplier's own reference.
    pub supplier_reference: Option<String>,
    /// Free text.
    pub note: Option<String>,
    /// The store's.
    pub currency: Currency,
    /// When it is expected; a line's own date overrides it.
    pub expected_date: Option<Date>,
    /// When it was created.
    pub create_time: Timestamp,
    /// The number of the event that created it; 0 until it is recorded.
    pub create_event: i64,
    /// Where it stands.
    pub state: State,
    /// How many events it has had; callers see it as the etag.
    pub revision: i64,
    /// When it was ordered, as told.
    pub order_time: Option<Timestamp>,
    /// When that was recorded.
    pub place_time: Option<Timestamp>,
    /// `order_time` of the chain's original.
    pub original_order_time: Option<Timestamp>,
    /// When it was completed or cancelled.
    pub close_time: Option<Timestamp>,
    /// Why it, or a part of it, was cancelled.
    pub cancel_reason: Option<String>,
    /// The back order that carries what it left pending.
    pub child: Option<OrderId>,
    /// What it keeps over its lines and receipts.
    pub counters: OrderCounters,
}

impl Order {
    /// What callers hand back to have a change refused if the order has changed.
    pub fn etag(&self) -> String {
        self.revision.to_string()
    }

    /// Refuses unless `etag` is empty or the order's.
    pub fn check_etag(&self, etag: &str) -> Result<(), Refusal> {
        if etag.is_empty() || etag == self.etag() {
            return Ok(());
        }
        Err(Refusal::EtagMismatch { number: self.number.clone(), current: self.etag() })
    }

    /// The number of the store's `n`-th original order.
    pub fn number_of(n: i64) -> String {
        format!("PO-{n:06}")
    }

    /// The number of the back order that follows this order.
    pub fn next_number(&self) -> String {
        let root = self.number.split_once("-B").map_or(self.number.as_str(), |(root, _)| root);
        format!("{root}-B{}", self.chain_position + 1)
    }

    /// When a line is expected.
    pub fn expected_date_of(&self, line: &Line) -> Option<Date> {
        line.expected_date.or(self.expected_date)
    }

    /// The refusal by the order's state of what only other states allow.
    pub fn wrong_state(&self, rule: &'static str) -> Refusal {
        Refusal::WrongState { number: self.number.clone(), state: self.state, rule }
    }
}

/// What a header keeps over its lines and receipts, so that a rule need not load them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounters {
    /// Lines.
    pub lines: i32,
    /// Lines with a quantity pending.
    pub pending_lines: i32,
    /// Receipts that are not voided.
    pub active_receipts: i32,
    /// The last receipt number given out.
    pub last_receipt: i32,
    /// Items of all receipts, voided ones included.
    pub receipt_items: i32,
    /// Quantities over all lines.
    pub totals: Quantities,
}

impl OrderCounters {
    /// Counts a line as it is after a change, if it still is, instead of as it was before.
    pub fn count_line(&mut self, before: Option<&Line>, after: Option<&Line>) {
        let is_pending = |line: Option<&Line>| line.is_some_and(|line| line.quantities.pending.is_positive());
        let quantities = |line: Option<&Line>| line.map(|line| line.quantities).unwrap_or_default();
        self.lines += i32::from(after.is_some()) - i32::from(before.is_some());
        self.pending_lines += i32::from(is_pending(after)) - i32::from(is_pending(before));
        self.totals.exchange(quantities(before), quantities(after));
    }

    /// Counts a receipt likewise.
    pub fn count_receipt(&mut self, before: Option<&Receipt>, after: &Receipt) {
        self.active_receipts += i32::from(after.is_active()) - i32::from(before.is_some_and(Receipt::is_active));
        if before.is_none() {
            self.last_receipt = self.last_receipt.max(after.key.number);
            self.receipt_items += after.items.len() as i32;
        }
    }
}

/// The quantities of a line, or of all lines of an order.
///
/// `ordered + excess = received + back_ordered + cancelled + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities {
    /// Ordered now.
    pub ordered: Quantity,
    /// Accepted, staged included.
    pub received: Quantity,
    /// Refused at the transport; apart from the equation.
    pub rejected: Quantity,
    /// Moved to the back order.
    pub back_ordered: Quantity,
    /// Given up.
    pub cancelled: Quantity,
    /// Still to come.
    pub pending: Quantity,
    /// Received beyond ordered.
    pub excess: Quantity,
}

impl Quantities {
    /// Of a line just ordered.
    pub fn ordered(quantity: Quantity) -> Self {
        Self { ordered: quantity, pending: quantity, ..Self::default() }
    }

    /// Works out what is pending, or in excess, from the others.
    pub fn balance(&mut self) {
        let open = self.ordered - self.received - self.back_ordered - self.cancelled;
        self.pending = open.or_nothing();
        self.excess = (-open).or_nothing();
    }

    fn exchange(&mut self, before: Self, after: Self) {
        self.ordered += after.ordered - before.ordered;
        self.received += after.received - before.received;
        self.rejected += after.rejected - before.rejected;
        self.back_ordered += after.back_ordered - before.back_ordered;
        self.cancelled += after.cancelled - before.cancelled;
        self.pending += after.pending - before.pending;
        self.excess += after.excess - before.excess;
    }
}

/// One product ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which.
    pub key: LineKey,
    /// The product.
    pub product: ProductId,
    /// What a person reads.
    pub description: String,
    /// Its trade item number.
    pub gtin: Option<String>,
    /// What its quantities count.
    pub unit: Unit,
    /// Per unit.
    pub unit_cost: UnitCost,
    /// Whether it carries what the parent order's line of the same number left pending.
    pub carried_over: bool,
    /// Its own expected date; the order's counts where there is none.
    pub expected_date: Option<Date>,
    /// The first date ever promised along the chain.
    pub first_expected_date: Option<Date>,
    /// Ordered when first placed on this order; never changes.
    pub first_ordered: Quantity,
    /// Where its quantity is.
    pub quantities: Quantities,
    /// The earliest `receive_time` of its active receipts.
    pub first_receive_time: Option<Timestamp>,
    /// The latest.
    pub last_receive_time: Option<Timestamp>,
    /// When a part of it moved to the back order.
    pub back_order_time: Option<Timestamp>,
}

impl Line {
    /// The level of its product.
    pub fn level_key(&self) -> LevelKey {
        LevelKey { store: self.key.order.store.clone(), product: self.product.clone() }
    }

    /// Whether a quantity may stand on it: its unit may forbid fractions.
    pub fn admits(&self, quantity: Quantity) -> bool {
        !self.unit.is_whole() || quantity.is_whole()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pending_or_in_excess_follows_from_the_rest() {
        let units = |n: i64| Quantity::from_scaled(n * 10_000);
        let mut quantities = Quantities::ordered(units(10));
        quantities.received = units(7);
        quantities.balance();
        assert_eq!((quantities.pending, quantities.excess), (units(3), units(0)));
        quantities.received = units(12);
        quantities.balance();
        assert_eq!((quantities.pending, quantities.excess), (units(0), units(2)));
    }
}
