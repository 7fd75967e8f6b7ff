//! What the naive model knows of a store's orders, and what can be added up from it. No sum is kept:
//! each is worked out from lines and receipts when it is asked.

use std::collections::BTreeMap;

use purchase_order_service::proto::v1::{PurchaseOrderState as State, RejectReason, Unit};

use crate::naive_oracle::command::{Day, Disposed, Goods, Lot, Name, NewItem, NewLine, Time, admits};
use crate::naive_oracle::numbers::{Amount, Cost, Quantity, part_of_pack, stated};

#[derive(Clone, Default, PartialEq)]
pub struct Line {
    pub product: Name,
    pub unit: Unit,
    pub gtin: Name,
    /// Whether a receipt brought it, and no order names it.
    pub is_unlisted: bool,
    /// Whether it carries on what the order before left of it.
    pub is_carried: bool,
    pub note: Name,
    pub pack_size: Option<Quantity>,
    pub unit_cost: Cost,
    pub pack_cost: Option<Cost>,
    pub tolerance: Option<Quantity>,
    pub lot_required: bool,
    pub expected: Option<Day>,
    pub first_expected: Option<Day>,
    pub ordered: Quantity,
    /// What was ordered when it was placed or added.
    pub first_ordered: Quantity,
    /// What the supplier has said of it.
    pub confirmed: Option<Quantity>,
    pub back_ordered: Quantity,
    pub cancelled: Quantity,
    pub returned: Quantity,
}

/// One line's part of a delivery, as it was booked.
#[derive(Clone, Default, PartialEq)]
pub struct Item {
    pub line: i32,
    pub accepted: Quantity,
    pub rejected: Quantity,
    /// Of what was accepted, what went beyond what was pending then.
    pub excess: Quantity,
    pub reject_reason: RejectReason,
    pub reject_note: Name,
    pub unit_cost: Option<Cost>,
    pub excess_cost: Option<Cost>,
    /// The lots of what was accepted, as they were given; or none.
    pub lots: Vec<(Lot, Quantity)>,
    pub worth_when_voided: Option<Amount>,
}

#[derive(Clone, PartialEq)]
pub struct Receipt {
    pub items: Vec<Item>,
    pub time: Time,
    pub delivery_note: Name,
    pub booked: (Name, Time),
    pub voided: Option<(Name, Time)>,
    /// Which delivery for several orders it is a part of.
    pub delivery: Option<usize>,
    /// The place of the receipt that it corrects.
    pub corrects: Option<usize>,
}

#[derive(Clone, Default, PartialEq)]
pub struct Order {
    /// The place of its chain's original.
    pub chain: usize,
    /// Whether its chain is of a copy, which has no note and no reference.
    pub is_copy: bool,
    /// The place of the order that it follows, and how many are before it in the chain.
    pub parent: Option<usize>,
    pub sequence: usize,
    /// Whether that order was reopened, so that it is in the chain no more.
    pub folded_back: bool,
    /// Whether it was amended or confirmed since it was placed.
    pub terms_changed: bool,
    pub revision: i64,
    pub supplier: Name,
    pub external_id: Name,
    pub charges: Vec<Amount>,
    pub expected: Option<Day>,
    pub created: Time,
    pub created_by: Name,
    pub placed_by: Name,
    pub closed_by: Name,
    pub ordered: Option<Time>,
    pub placed: Option<Time>,
    pub completed: Option<Time>,
    pub cancelled: Option<Time>,
    pub cancel_reason: Name,
    pub lines: BTreeMap<i32, Line>,
    /// The lines as they were before it was completed.
    pub lines_before: BTreeMap<i32, Line>,
    pub receipts: Vec<Receipt>,
    /// The highest number that a line had which was created or amended on it; the line may be gone since.
    pub last_line: i32,
}

impl Line {
    /// The line of a draft; its form is right.
    pub fn of(new: &NewLine, order_expected: Option<Day>) -> Self {
        let ordered = stated(new.quantity, new.packs, new.pack_size).unwrap_or_default();
        let part = |pack_cost| new.pack_size.map(|size| part_of_pack(pack_cost, size));
        Self {
            product: new.product,
            unit: new.unit,
            gtin: new.gtin,
            note: new.note,
            pack_size: new.pack_size,
            unit_cost: new.unit_cost.or(new.pack_cost.and_then(part)).unwrap_or_default(),
            pack_cost: new.pack_cost,
            tolerance: new.tolerance,
            lot_required: new.lot_required,
            expected: new.expected,
            first_expected: new.expected.or(order_expected),
            ordered,
            first_ordered: ordered,
            ..Self::default()
        }
    }

    /// What of it goes on a back order.
    fn carried(&self, own: Option<Day>, of_order: Option<Day>) -> Self {
        let promised = own.or(of_order);
        Self {
            is_carried: true,
            ordered: self.back_ordered,
            first_ordered: self.back_ordered,
            confirmed: None,
            // A date for the whole back order is that of the order.
            expected: own.or(self.expected.filter(|_| promised.is_none())),
            first_expected: self.first_expected.or(promised),
            back_ordered: 0,
            cancelled: 0,
            returned: 0,
            ..self.clone()
        }
    }

    /// How much less the supplier has confirmed than is wanted.
    pub fn shortfall(&self) -> Quantity {
        self.confirmed.map_or(0, |confirmed| (self.ordered - self.cancelled - confirmed).max(0))
    }

    /// How many packs a quantity is, if they are whole.
    pub fn packs(&self, quantity: Quantity) -> Option<i64> {
        let size = self.pack_size?;
        (quantity % size == 0).then_some(quantity / size)
    }
}

impl Order {
    pub fn state(&self) -> State {
        match self {
            Self { completed: Some(_), .. } => State::Completed,
            Self { cancelled: Some(_), .. } => State::Cancelled,
            Self { placed: None, .. } => State::Draft,
            _ if self.active().next().is_some() => State::Receiving,
            _ => State::OnOrder,
        }
    }

    pub fn is_open(&self) -> bool {
        self.completed.is_none() && self.cancelled.is_none()
    }

    pub fn is_live(&self) -> bool {
        self.is_open() && self.placed.is_some()
    }

    pub fn active(&self) -> impl Iterator<Item = &Receipt> {
        self.receipts.iter().filter(|receipt| receipt.voided.is_none())
    }

    /// What the active receipts say of a line.
    pub fn arrivals(&self, line: i32) -> impl Iterator<Item = (&Receipt, &Item)> {
        let items = self.active().flat_map(|receipt| receipt.items.iter().map(move |item| (receipt, item)));
        items.filter(move |(_, item)| item.line == line)
    }

    pub fn accepted(&self, line: i32) -> Quantity {
        self.arrivals(line).map(|(_, item)| item.accepted).sum()
    }

    pub fn rejected(&self, line: i32) -> Quantity {
        self.arrivals(line).map(|(_, item)| item.rejected).sum()
    }

    /// What is settled of a line beyond what was ordered, or less than nothing.
    fn beyond(&self, line: i32) -> Quantity {
        let Line { ordered, back_ordered, cancelled, .. } = self.lines[&line];
        self.accepted(line) + back_ordered + cancelled - ordered
    }

    pub fn pending(&self, line: i32) -> Quantity {
        (-self.beyond(line)).max(0)
    }

    pub fn excess(&self, line: i32) -> Quantity {
        self.beyond(line).max(0)
    }

    pub fn admits(&self, line: i32, quantity: Quantity) -> bool {
        admits(self.lines[&line].unit, quantity)
    }

    pub fn has_accepted(&self) -> bool {
        self.lines.keys().any(|line| self.accepted(*line) > 0)
    }

    /// A delivery of everything that is pending.
    pub fn all_pending(&self) -> Vec<NewItem> {
        let pending = self.lines.keys().map(|line| (*line, self.pending(*line)));
        pending
            .filter(|(_, pending)| *pending > 0)
            .map(|(line, pending)| NewItem::of(Goods::Line(line), pending))
            .collect()
    }

    /// The back order of the order at a place, completed now, if anything was back-ordered.
    pub fn back_order(
        &self,
        place: usize,
        named: &[Disposed],
        expected: Option<Day>,
        by: Name,
        now: Time,
    ) -> Option<Self> {
        let own = |line: i32| named.iter().find(|named| named.line == line).and_then(|named| named.expected);
        let lines = self.lines.iter().filter(|(_, line)| line.back_ordered > 0);
        let lines: BTreeMap<i32, Line> =
            lines.map(|(number, line)| (*number, line.carried(own(*number), expected))).collect();
        (!lines.is_empty()).then(|| Self {
            chain: self.chain,
            is_copy: self.is_copy,
            parent: Some(place),
            sequence: self.sequence + 1,
            revision: 1,
            supplier: self.supplier,
            expected: expected.or(self.expected),
            created: now,
            created_by: by,
            placed_by: by,
            ordered: Some(now),
            placed: Some(now),
            lines,
            ..Self::default()
        })
    }
}

impl Order {
    /// A draft of its lines, or of what was cancelled of them, if there is any: without dates and charges.
    pub fn copy(&self, cancelled_only: bool, chain: usize, by: Name, now: Time) -> Option<Self> {
        let mut lines = BTreeMap::new();
        for line in self.lines.values() {
            let ordered = if cancelled_only { line.cancelled } else { line.ordered };
            let copied = Line {
                is_carried: false,
                expected: None,
                first_expected: None,
                ordered,
                first_ordered: ordered,
                confirmed: None,
                back_ordered: 0,
                cancelled: 0,
                returned: 0,
                ..line.clone()
            };
            if ordered > 0 {
                lines.insert(lines.len() as i32 + 1, copied);
            }
        }
        (!lines.is_empty()).then(|| Self {
            chain,
            is_copy: true,
            revision: 1,
            supplier: self.supplier,
            created: now,
            created_by: by,
            last_line: lines.len() as i32,
            lines,
            ..Self::default()
        })
    }
}

/// The places of a chain's orders, the original first, without those that were folded back.
pub fn chain_of(orders: &[Order], place: usize) -> Vec<usize> {
    let chain = orders[place].chain;
    (chain..orders.len()).filter(|other| orders[*other].chain == chain && !orders[*other].folded_back).collect()
}

/// The first number that no line of a chain has ever had.
pub fn next_line(orders: &[Order], place: usize) -> i32 {
    let highest = |place: usize| {
        let there = orders[place].lines.keys().copied();
        there.chain([orders[place].last_line]).max().unwrap_or_default()
    };
    chain_of(orders, place).into_iter().map(highest).max().unwrap_or_default() + 1
}

/// The place of an order's back order.
pub fn child_of(orders: &[Order], place: usize) -> Option<usize> {
    (place + 1..orders.len()).find(|other| orders[*other].parent == Some(place) && !orders[*other].folded_back)
}

/// Whether an order's back order, if it has one, is as it was made but for its texts.
pub fn child_is_untouched(orders: &[Order], place: usize) -> bool {
    let Some(child) = child_of(orders, place) else { return true };
    let is_carried = |number: &i32| orders[place].lines.contains_key(number);
    let child = &orders[child];
    child.state() == State::OnOrder
        && !child.terms_changed
        && child.lines.values().all(|line| line.cancelled == 0)
        && child.lines.keys().all(is_carried)
}

/// An order's number: originals are counted, and the back orders of each, also those that were folded back.
pub fn number_of(orders: &[Order], place: usize) -> String {
    let chain = orders[place].chain;
    let originals = (0..=chain).filter(|other| orders[*other].chain == *other).count();
    match (chain..place).filter(|other| orders[*other].chain == chain).count() {
        0 => format!("PO-{originals:06}"),
        sequence => format!("PO-{originals:06}-B{sequence}"),
    }
}
