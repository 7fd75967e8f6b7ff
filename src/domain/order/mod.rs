//! A purchase order: its header, its lines, its counters, and how its numbers are made.
//!
//! The quantities of a line keep one equation (see [`Quantities`]): every unit ordered is pending,
//! received, back-ordered or cancelled, exactly once. The header keeps sums over its lines and receipts,
//! so that a command on one line loads one line.

pub mod actions;
pub mod amend;
pub mod cancel;
pub mod cancel_lines;
pub mod cancellation;
pub mod chain;
pub mod complete;
pub mod confirm;
pub mod copy;
pub mod correct;
pub mod create;
pub mod due_date;
mod expected_date;
pub mod place;
pub mod preview;
pub mod receipt;
pub mod receive;
pub mod reopen;
pub mod tolerance;
pub mod update;
pub mod void;

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::cancellation::CancelReason;
use self::due_date::DueDate;
use self::receipt::Receipt;
use self::tolerance::Tolerance;
use super::code::{PrincipalId, ProductId, StoreId};
use super::inventory::LevelKey;
use super::money::{Amount, Currency, ExactAmount, UnitCost};
use super::pack::whole_packs_in;
use super::quantity::Quantity;
use super::refusal::Refusal;
use super::store::Store;
use super::time::{Date, Timestamp};
use super::unit::Unit;

/// How many lines an order has at most, so that it fits into one transaction and one answer.
pub const MAX_LINES: usize = 5_000;
/// How many items and lots the receipts of one order have at most together, voided ones included: a completion
/// loads all that are active.
pub const MAX_RECEIPT_ITEMS: i64 = 20_000;
/// How many charges an order has at most.
pub const MAX_CHARGES: usize = 20;

/// A purchase order's id, made by the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct OrderId(pub Uuid);

impl fmt::Display for OrderId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Identifies an order. The store comes first, as in every key, because the store is the unit of
/// sharding.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OrderKey {
    /// The store that ordered the goods.
    pub store: StoreId,
    /// The id of the order, made by this service.
    pub order: OrderId,
}

/// Identifies a line of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// The order that the line belongs to.
    pub order: OrderKey,
    /// 1, 2, 3 ... on the order. A back order keeps the numbers, so it may have gaps.
    pub number: i32,
}

impl LineKey {
    /// The range of keys in which every line of an order lies.
    pub fn range_of(order: &OrderKey) -> RangeInclusive<Self> {
        Self { order: order.clone(), number: i32::MIN }..=Self { order: order.clone(), number: i32::MAX }
    }
}

/// Identifies a receipt of an order.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReceiptKey {
    /// The order whose goods were received.
    pub order: OrderKey,
    /// 1, 2, 3 ... on the order, without a gap.
    pub number: i32,
}

impl ReceiptKey {
    /// The range of keys in which every receipt of an order lies.
    pub fn range_of(order: &OrderKey) -> RangeInclusive<Self> {
        Self { order: order.clone(), number: i32::MIN }..=Self { order: order.clone(), number: i32::MAX }
    }
}

/// The state of an order, which decides what may be done to it and whether it counts for levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Planned and not yet ordered; it adds nothing to levels.
    Draft,
    /// Placed, with no active receipt.
    OnOrder,
    /// Placed, with at least one active receipt.
    Receiving,
    /// Closed: what was accepted is on hand, and nothing is pending.
    Completed,
    /// Closed without any goods; final.
    Cancelled,
}

impl State {
    /// Every state, in the order of the life of an order.
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

/// The header of an order: everything about it but its lines and receipts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The store and the id; never changes.
    pub key: OrderKey,
    /// The number that people use: `PO-000001`, and `PO-000001-B1` for its first back order.
    pub number: String,
    /// The order whose pending quantities this back order carries; none for an original.
    pub parent: Option<OrderId>,
    /// The original order of the chain; an original's own id.
    pub root: OrderId,
    /// 0 for the original, 1 for its first back order, and so on.
    pub chain_position: i32,
    /// The caller's id for the supplier; fixed once the order is placed.
    pub supplier: String,
    /// The store's or the supplier's own reference; may change while the order is open.
    pub supplier_reference: Option<String>,
    /// Text for people; may change while the order is open. A back order does not copy it.
    pub note: Option<String>,
    /// The caller's own id for the order, unique in the store; may change in every state. A back order does
    /// not copy it.
    pub external_id: Option<String>,
    /// What is paid besides the lines; changed by amendments alone once the order is placed, and not copied to a back
    /// order.
    pub charges: Vec<Charge>,
    /// The store's currency, in which all costs are.
    pub currency: Currency,
    /// When the goods are expected; the own date of a line overrides it.
    pub expected_date: Option<Date>,
    /// When it was created, by the store's clock.
    pub create_time: Timestamp,
    /// Who created it; for a back order, who completed its parent.
    pub created_by: PrincipalId,
    /// The number of the event that created it; 0 until the event is recorded.
    pub create_event: i64,
    /// Decides what may be done to it; changes by commands alone and never by time.
    pub state: State,
    /// How many events it has had; callers see it as the etag.
    pub revision: i64,
    /// When the goods were ordered, as the caller says; may be before it was placed here.
    pub order_time: Option<Timestamp>,
    /// When it was placed here.
    pub place_time: Option<Timestamp>,
    /// Who placed it; for a back order, who completed its parent.
    pub placed_by: Option<PrincipalId>,
    /// `order_time` of the chain's original: goods cannot arrive before that day.
    pub original_order_time: Option<Timestamp>,
    /// When it was completed or cancelled; none while it is open.
    pub close_time: Option<Timestamp>,
    /// Who completed or cancelled it.
    pub closed_by: Option<PrincipalId>,
    /// Why it, or a pending part of it, was cancelled.
    pub cancel_reason: Option<String>,
    /// The kind of that reason, if one was given.
    pub cancel_reason_code: Option<CancelReason>,
    /// The back order that carries what its completion left pending, if there is one.
    pub child: Option<OrderId>,
    /// Whether that back order is as the completion has made it, so that this order may be reopened; true where
    /// there is none. It is read with the header and not stored: see [`Order::is_untouched_child_of`].
    pub child_is_untouched: bool,
    /// The highest n of a `PO-000001-Bn` that the chain had given out up to this order's back order. It counts
    /// those that were folded back too, so that no number is given again.
    pub last_back_order: i32,
    /// Whether the order that it followed was reopened: it is cancelled then, and in no chain any more.
    pub folded_back: bool,
    /// Whether its terms were changed after it was placed: by an amendment or a confirmation.
    pub terms_changed: bool,
    /// Sums over its lines and receipts, derived by the changeset.
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

    /// The number of the `n`-th back order that was ever made in the chain of this order.
    pub fn number_of_back_order(&self, n: i32) -> String {
        // Numbers of a chain differ in the suffix alone: `-B1` is followed by `-B2` and not by `-B1-B1`.
        let root = self.number.split_once("-B").map_or(self.number.as_str(), |(root, _)| root);
        format!("{root}-B{n}")
    }

    /// The number of the back order that its completion makes.
    pub fn next_number(&self) -> String {
        self.number_of_back_order(self.last_back_order + 1)
    }

    /// Whether this back order is as the completion of `parent` has made it: then it can be folded back, and nothing
    /// that anybody has done to it is lost. Its note, its references and the caller's own id may have changed. A
    /// receipt that was voided since is nothing that stands, unless it has added a line, whose number would be lost.
    ///
    /// Headers are read with the answer for their back order, so the repository says the same in SQL.
    pub fn is_untouched_child_of(&self, parent: &Self) -> bool {
        self.state == State::OnOrder
            && self.counters.totals.cancelled == Quantity::ZERO
            && !self.terms_changed
            && self.counters.last_line == parent.counters.last_line
    }

    /// When the goods of a line are expected: at its own date, or else at that of the order.
    pub fn expected_date_of(&self, line: &Line) -> Option<Date> {
        line.expected_date.or(self.expected_date)
    }

    /// What the charges add up to.
    pub fn charges_cost(&self) -> Amount {
        self.charges.iter().map(|charge| charge.amount).sum()
    }

    /// The refusal of an action that the order's state does not allow; `rule` says which states do.
    pub fn wrong_state(&self, rule: &'static str) -> Refusal {
        Refusal::WrongState { number: self.number.clone(), state: self.state, rule }
    }
}

/// Something that is paid for an order besides its lines, such as freight. It counts in the order's value,
/// never holds up a completion and never becomes stock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// What it is for.
    pub description: String,
    /// How much it is, in the order's currency.
    pub amount: Amount,
}

/// Sums over the lines and receipts of an order, kept in its header so that a rule need not load them.
/// Every decision keeps them equal to what the rows add up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OrderCounters {
    /// How many lines the order has.
    pub lines: i32,
    /// The highest number of a line on it and on the orders of its chain before it. A new line gets the next,
    /// so that no two lines of a chain have one number.
    pub last_line: i32,
    /// How many of its lines have a pending quantity.
    pub pending_lines: i32,
    /// How many of its receipts are not voided; the order is RECEIVING while it is above 0.
    pub active_receipts: i32,
    /// The number of its last receipt; receipts are numbered without a gap.
    pub last_receipt: i32,
    /// How many items and lots its receipts have, voided ones included; limited by [`MAX_RECEIPT_ITEMS`].
    pub receipt_items: i32,
    /// The quantities of all its lines added up, whatever their units.
    pub totals: Quantities,
    /// What is ordered, added up over the rounded values of the lines.
    pub ordered_cost: Amount,
    /// What is pending, added up over the rounded values of the lines.
    pub pending_cost: Amount,
    /// What was accepted, added up over the rounded values of the items of active receipts.
    pub received_cost: Amount,
}

impl OrderCounters {
    /// Counts a line as it is after a change instead of as it was before. `None` before is a new line,
    /// and `None` after a removed one.
    pub fn count_line(&mut self, before: Option<&Line>, after: Option<&Line>) {
        let quantities_before = before.map_or_else(Quantities::default, |line| line.quantities);
        let quantities_after = after.map_or_else(Quantities::default, |line| line.quantities);
        let was_pending = quantities_before.pending.is_positive();
        let is_pending = quantities_after.pending.is_positive();
        self.lines += i32::from(after.is_some()) - i32::from(before.is_some());
        // It does not go down with a line that is removed: the number is not given again.
        self.last_line = self.last_line.max(after.map_or(0, |line| line.key.number));
        self.pending_lines += i32::from(is_pending) - i32::from(was_pending);
        self.totals.exchange(quantities_before, quantities_after);
        self.ordered_cost += ordered_cost(after) - ordered_cost(before);
        self.pending_cost += pending_cost(after) - pending_cost(before);
    }

    /// Counts a receipt as it is after a change instead of as it was before; `None` before is a new
    /// one.
    pub fn count_receipt(&mut self, before: Option<&Receipt>, after: &Receipt) {
        self.active_receipts += i32::from(after.is_active()) - i32::from(before.is_some_and(Receipt::is_active));
        self.received_cost += after.active_value() - before.map_or(Amount::ZERO, Receipt::active_value);
        // Voiding changes neither: numbers and items of a receipt are taken for good.
        if before.is_none() {
            self.last_receipt = self.last_receipt.max(after.key.number);
            self.receipt_items += after.row_count() as i32;
        }
    }
}

fn ordered_cost(line: Option<&Line>) -> Amount {
    line.map_or(Amount::ZERO, |line| line.value_of(line.quantities.ordered))
}

fn pending_cost(line: Option<&Line>) -> Amount {
    line.map_or(Amount::ZERO, |line| line.value_of(line.quantities.pending))
}

/// The quantities of a line, or of all lines of an order.
///
/// `ordered + excess = received + back_ordered + cancelled + pending`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantities {
    /// What is ordered now; an amendment changes it.
    pub ordered: Quantity,
    /// What was accepted by active receipts, staged or on hand.
    pub received: Quantity,
    /// What was refused when it was delivered. It is no part of the equation: a rejected unit is still
    /// pending.
    pub rejected: Quantity,
    /// What the completion moved to the back order.
    pub back_ordered: Quantity,
    /// What was cancelled and is not expected any more.
    pub cancelled: Quantity,
    /// What is still to be delivered on this order.
    pub pending: Quantity,
    /// What was received beyond what was wanted.
    pub excess: Quantity,
}

impl Quantities {
    /// The quantities of a line that was just ordered: all of it is pending.
    pub fn ordered(quantity: Quantity) -> Self {
        Self { ordered: quantity, pending: quantity, ..Self::default() }
    }

    /// Sets what is pending, or in excess, so that the equation holds for the other quantities.
    pub fn balance(&mut self) {
        let open = self.ordered - self.received - self.back_ordered - self.cancelled;
        // At most one of the two is above zero. The database has a CHECK for that.
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

/// One line of an order: so much of one product. Where its quantity is at any moment is told by
/// `quantities`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The order and the number; never changes.
    pub key: LineKey,
    /// The product that is ordered.
    pub product: ProductId,
    /// The description that people read, as it was when the line was ordered.
    pub description: String,
    /// The global trade item number, if the caller gave one.
    pub gtin: Option<String>,
    /// The supplier's own code of the product, if the caller gave one.
    pub supplier_product: Option<String>,
    /// Text for people; no rule reads it. A back order copies it.
    pub note: Option<String>,
    /// The unit that its quantities count, the same for the product in the whole store.
    pub unit: Unit,
    /// How many units are in a pack, where the goods come in packs.
    pub pack_size: Option<Quantity>,
    /// What one unit costs, in the order's currency. Stock is valued by it.
    pub unit_cost: UnitCost,
    /// What one pack costs, if that is how the line was priced; `unit_cost` is then its rounded part.
    pub pack_cost: Option<UnitCost>,
    /// How much more may be received than is wanted; the store's tolerance counts where there is none.
    pub tolerance: Option<Tolerance>,
    /// Whether what is accepted of it must be divided into lots.
    pub lot_required: bool,
    /// Whether it carries what the parent order's line of the same number left pending.
    pub carried_over: bool,
    /// When its goods are expected; the order's date counts where there is none.
    pub expected_date: Option<Date>,
    /// The first date that was promised for it along the chain; a later back order does not change it.
    pub first_expected_date: Option<Date>,
    /// What was ordered when the line was placed, or added, on this order. Nothing changes it afterwards.
    pub first_ordered: Quantity,
    /// How much of what is ordered the supplier has confirmed; none if nothing is known. No rule reads it, and a back
    /// order begins without it.
    pub confirmed: Option<Quantity>,
    /// Where its quantity is: pending, received, back-ordered or cancelled.
    pub quantities: Quantities,
    /// What went back to the supplier after the completion; at most what was received, and no part of the
    /// equation.
    pub returned: Quantity,
    /// The earliest `receive_time` of the active receipts that have it.
    pub first_receive_time: Option<Timestamp>,
    /// The latest `receive_time` of the active receipts that have it.
    pub last_receive_time: Option<Timestamp>,
    /// When a part of it moved to the back order, if any did.
    pub back_order_time: Option<Timestamp>,
    /// When it is due, while it is outstanding; derived by the changeset from the line and its order.
    pub due_date: Option<DueDate>,
}

impl Line {
    /// The key of the level of its product, which exists since the line was created.
    pub fn level_key(&self) -> LevelKey {
        LevelKey { store: self.key.order.store.clone(), product: self.product.clone() }
    }

    /// What a quantity of it is worth, rounded once.
    pub fn value_of(&self, quantity: Quantity) -> Amount {
        self.exact_value_of(quantity).rounded()
    }

    /// What a quantity of it is worth: whole packs by the cost of a pack where the line has one, so that 12
    /// for 10.00 is worth exactly 10.00, and everything else by the cost of a unit.
    pub fn exact_value_of(&self, quantity: Quantity) -> ExactAmount {
        let packs = self.pack_size.and_then(|size| whole_packs_in(quantity, size));
        match (self.pack_cost, packs) {
            (Some(pack_cost), Some(packs)) => pack_cost.times_packs(packs),
            _ => self.unit_cost.times(quantity),
        }
    }

    /// The most that may be received of it in all: what is wanted with the tolerance on top. Where the store
    /// allows unlisted items, also what was cancelled of it; and of a line of which nothing was ever ordered,
    /// any quantity. In whole units where it is counted in these.
    pub fn most_receivable(&self, store: &Store) -> Quantity {
        let Quantities { ordered, cancelled, .. } = self.quantities;
        let tolerance = self.tolerance.unwrap_or(store.over_receipt_tolerance);
        let most = tolerance.most((ordered - cancelled).or_nothing());
        let most = match store.allow_unlisted_items {
            // Nothing was ordered that it could be compared with.
            true if ordered == Quantity::ZERO => Quantity::MAX,
            true => most.max(ordered),
            false => most,
        };
        // No quantity of a line is above this. And a tolerance may allow a part of a unit that has no parts.
        let most = most.min(Quantity::MAX);
        if self.unit.is_whole() { most.whole_part() } else { most }
    }

    /// How much more may be received of it.
    pub fn still_receivable(&self, store: &Store) -> Quantity {
        // Below zero where the tolerance was lowered after more was received.
        (self.most_receivable(store) - self.quantities.received).or_nothing()
    }

    /// How much less the supplier has confirmed than is wanted; nothing where it has confirmed nothing.
    pub fn shortfall(&self) -> Quantity {
        let Quantities { ordered, cancelled, .. } = self.quantities;
        self.confirmed.map_or(Quantity::ZERO, |confirmed| (ordered - cancelled - confirmed).or_nothing())
    }

    /// How much of it can still go back to the supplier, once its order is completed.
    pub fn returnable(&self) -> Quantity {
        self.quantities.received - self.returned
    }

    /// Whether a quantity may be on this line: units such as EACH allow no fractions.
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
        quantities.received = units(4);
        quantities.back_ordered = units(3);
        quantities.cancelled = units(2);
        quantities.balance();
        assert_eq!((quantities.pending, quantities.excess), (units(1), units(0)));
    }

    #[test]
    fn a_total_takes_each_quantity_of_a_line_after_a_change_for_the_one_before() {
        let of = |[ordered, received, rejected, back_ordered, cancelled, pending, excess]: [i64; 7]| Quantities {
            ordered: Quantity::from_scaled(ordered),
            received: Quantity::from_scaled(received),
            rejected: Quantity::from_scaled(rejected),
            back_ordered: Quantity::from_scaled(back_ordered),
            cancelled: Quantity::from_scaled(cancelled),
            pending: Quantity::from_scaled(pending),
            excess: Quantity::from_scaled(excess),
        };
        let mut total = of([100; 7]);
        total.exchange(of([1, 2, 3, 4, 5, 6, 7]), of([10, 20, 30, 40, 50, 60, 70]));
        assert_eq!(total, of([109, 118, 127, 136, 145, 154, 163]));
    }

    #[test]
    fn each_state_is_found_by_its_name_alone() {
        for state in State::ALL {
            assert_eq!(State::from_name(state.name()), Some(state));
        }
        for name in ["", "draft", "OPEN"] {
            assert_eq!(State::from_name(name), None, "{name:?}");
        }
    }
}
