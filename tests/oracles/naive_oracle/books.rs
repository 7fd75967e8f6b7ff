//! What the naive model knows of a store's orders, and what can be added up from it. No sum is kept:
//! each is worked out from lines and receipts when it is asked.

use std::collections::BTreeMap;

use purchase_order_service::proto::v1::PurchaseOrderState as State;

use crate::naive_oracle::command::{Cost, Day, Item, Name, NewLine, Quantity, Time, admits};

#[derive(Clone, Default)]
pub struct Line {
    pub new: NewLine,
    pub first_expected: Option<Day>,
    pub back_ordered: Quantity,
    pub cancelled: Quantity,
}

#[derive(Clone)]
pub struct Receipt {
    pub items: Vec<Item>,
    pub time: Time,
    pub booked: (Name, Time),
    pub voided: Option<(Name, Time)>,
}

#[derive(Clone, Default)]
pub struct Order {
    /// The place of its chain's original.
    pub chain: usize,
    pub revision: i64,
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
    pub receipts: Vec<Receipt>,
}

/// A row of a product's ledger.
#[derive(Clone, Copy)]
pub struct Posted {
    pub product: Name,
    pub quantity: Quantity,
    pub cost: Cost,
}

/// What a product stands at.
#[derive(Default)]
pub struct Level {
    pub on_hand: Quantity,
    pub average: Cost,
    pub staged: Quantity,
    pub on_order: Quantity,
    pub back_ordered: Quantity,
    /// How many rows its ledger has.
    pub movements: usize,
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

    pub fn pending(&self, line: i32) -> Quantity {
        let Line { new, back_ordered, cancelled, .. } = &self.lines[&line];
        new.quantity - self.accepted(line) - back_ordered - cancelled
    }

    pub fn admits(&self, line: i32, quantities: [Quantity; 2]) -> bool {
        quantities.iter().all(|quantity| admits(self.lines[&line].new.unit, *quantity))
    }

    pub fn has_accepted(&self) -> bool {
        self.lines.keys().any(|line| self.accepted(*line) > 0)
    }
}

/// What follows from an order.
impl Order {
    /// A delivery of everything that is pending.
    pub fn all_pending(&self) -> Vec<Item> {
        let item = |line: &i32| Item { line: *line, accepted: self.pending(*line), rejected: 0 };
        self.lines.keys().map(item).filter(|item| item.accepted > 0).collect()
    }

    /// What its completion puts on hand: by receipt and line.
    pub fn postings(&self) -> Vec<Posted> {
        let items = self.active().flat_map(|receipt| &receipt.items).filter(|item| item.accepted > 0);
        let posted = items.map(|Item { line, accepted, .. }| {
            let NewLine { product, cost, .. } = self.lines[line].new;
            Posted { product, quantity: *accepted, cost }
        });
        posted.collect()
    }

    /// The back order of an order completed now, if anything was back-ordered.
    pub fn back_order(&self, expected: Option<Day>, by: Name, now: Time) -> Option<Self> {
        let carried = |line: &Line| Line {
            new: NewLine { quantity: line.back_ordered, expected: expected.or(line.new.expected), ..line.new },
            first_expected: line.first_expected.or(expected),
            ..Line::default()
        };
        let lines = self.lines.iter().filter(|(_, line)| line.back_ordered > 0);
        let lines: BTreeMap<i32, Line> = lines.map(|(number, line)| (*number, carried(line))).collect();
        (!lines.is_empty()).then(|| Self {
            chain: self.chain,
            revision: 1,
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

/// Adds up what the ledger and every order say of a product.
pub fn level(ledger: &[Posted], orders: &[Order], product: Name) -> Level {
    let mut level = Level::default();
    for Posted { quantity, cost, .. } in ledger.iter().filter(|posted| posted.product == product) {
        if *quantity > 0 {
            level.average = mixed((level.on_hand, level.average), (*quantity, *cost));
        }
        level.on_hand += quantity;
        level.movements += 1;
    }
    for (place, order) in orders.iter().enumerate() {
        for number in order.lines.iter().filter(|(_, line)| line.new.product == product).map(|(number, _)| *number) {
            let (accepted, pending) = (order.accepted(number), order.pending(number));
            if order.is_live() {
                level.staged += accepted;
                level.on_order += pending;
                level.back_ordered += if order.chain == place { 0 } else { pending };
            }
        }
    }
    level
}

/// The average cost of what is there and what comes, to the nearest millionth and the even one of two.
fn mixed(there: (Quantity, Cost), comes: (Quantity, Cost)) -> Cost {
    if there.0 <= 0 {
        return comes.1;
    }
    let value = |(quantity, cost): (Quantity, Cost)| i128::from(quantity) * i128::from(cost);
    let (value, units) = (value(there) + value(comes), i128::from(there.0 + comes.0));
    let below = value / units;
    let (to_below, to_above) = (value - below * units, (below + 1) * units - value);
    let up = to_above < to_below || to_above == to_below && below % 2 == 1;
    (below + i128::from(up)) as Cost
}
