//! Generates the calls: draws the next command, mostly one that makes sense in the state of the store,
//! and often enough one that does not.

use fastrand::Rng;
use purchase_order_service::proto::v1::Permission::{Edit, ManageAccess, Receive, View};
use purchase_order_service::proto::v1::PurchaseOrderState::{Draft, OnOrder, Receiving};
use purchase_order_service::proto::v1::{PendingDisposition as Rest, Unit};
use uuid::Uuid;

use crate::naive_oracle::access::OPERATOR;
use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::*;
use crate::naive_oracle::model::Model;

/// Whole units, fractions, and one whose unit the first line decides.
pub const PRODUCTS: [(Name, Unit); 4] =
    [("apples", Unit::Each), ("pears", Unit::Each), ("cheese", Unit::Kilogram), ("nuts", Unit::Kilogram)];
/// A product that no order names.
pub const NO_PRODUCT: Name = "unicorns";
pub const CALLERS: [Name; 6] = ["alice", "bob", "carol", "dora", "mallory", OPERATOR];
const ROLES: [Name; 5] = ["owner", "manager", "receiver", "keys", "pilot"];

/// A way to draw a verb for an order.
type Draw = fn(&mut Generator, &Order, Time) -> Verb;
const ANY: [Draw; 5] = [Generator::place, Generator::receive, Generator::void, Generator::complete, Generator::cancel];

pub struct Generator {
    pub rng: Rng,
    /// How many orders it would keep open: 0 closes the store's books, so that the gate may open.
    crowd: usize,
}

impl Generator {
    pub fn new(seed: u64) -> Self {
        Self { rng: Rng::with_seed(seed), crowd: 4 }
    }

    pub fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    pub fn one_of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.rng.usize(..choices.len())]
    }

    /// The next call; now and then one that was sent before, or its id for something else.
    pub fn next(&mut self, model: &Model, sent: &[Call]) -> Call {
        if self.one_in(50) {
            self.crowd = self.one_of(&[0, 2, 4, 8]);
        }
        let lately = sent.len().saturating_sub(if self.rng.bool() { 8 } else { sent.len() });
        let earlier = &sent[self.rng.usize(lately..sent.len())];
        if self.one_in(16) {
            return earlier.clone();
        }
        let call = self.fresh(model);
        if self.one_in(40) {
            return Call { command: call.command, ..earlier.clone() };
        }
        call
    }

    fn fresh(&mut self, model: &Model) -> Call {
        let command = self.command(model);
        let usual: &[Name] = match &command {
            Command::SetBackOrders(_) => &[OPERATOR],
            Command::CreateRole { .. } | Command::GrantRole { .. } | Command::RevokeRole { .. } => {
                &["alice", "dora", OPERATOR]
            }
            Command::Change { verb: Verb::Receive { .. } | Verb::Void { .. }, .. } => &["alice", "bob", "carol"],
            _ => &["alice", "carol"],
        };
        let caller = if self.one_in(8) { self.one_of(&CALLERS) } else { self.one_of(usual) };
        let id = (!self.one_in(4)).then(|| Uuid::from_u128(self.rng.u128(..)));
        Call { caller, id, command }
    }

    fn command(&mut self, model: &Model) -> Command {
        let open: Vec<usize> = (0..model.orders.len()).filter(|place| model.orders[*place].is_open()).collect();
        if !model.access.has_role("alice", "owner") && self.one_in(4) {
            return Command::GrantRole { principal: "alice", role: "owner" };
        }
        if self.one_in(16) {
            return self.about_access();
        }
        let gate_is_due = match (model.back_orders_enabled, open.len()) {
            (true, _) => 250,
            (false, 0) => 2,
            (false, _) => 25,
        };
        if self.one_in(gate_is_due) {
            return Command::SetBackOrders(!model.back_orders_enabled || self.one_in(10));
        }
        let is_idle = model.orders.is_empty() || model.back_orders_enabled && open.is_empty();
        if is_idle || open.len() < self.crowd && self.one_in(3) || self.one_in(100) {
            return self.create(day(model.now));
        }
        self.change(model, &open)
    }

    fn about_access(&mut self) -> Command {
        let principal = self.one_of(&["dora", "dora", "dora", "alice", OPERATOR]);
        // An operator who holds MANAGE_ACCESS by a role may give less than one who does not, which the
        // model does not say: nobody is both here.
        let roles = if principal == OPERATOR { &["manager", "receiver"][..] } else { &ROLES };
        let role = if self.one_in(20) { "ghost" } else { self.one_of(roles) };
        match self.rng.u32(..16) {
            0 => {
                let role = self.one_of(&ROLES);
                // Who holds the one sees no costs, and may not name them either.
                let permissions = if role == "pilot" { vec![View, Edit, Receive] } else { vec![View, ManageAccess] };
                Command::CreateRole { role, permissions }
            }
            1..10 => Command::RevokeRole { principal, role },
            _ => Command::GrantRole { principal, role },
        }
    }

    /// Mostly of an open order, hardly ever of one that nobody made.
    fn change(&mut self, model: &Model, open: &[usize]) -> Command {
        let any = self.rng.usize(..model.orders.len());
        let place = if open.is_empty() || self.one_in(16) { any } else { self.one_of(open) };
        let order = &model.orders[place];
        let usual: &[Draw] = match order.state() {
            _ if self.one_in(12) => &ANY,
            Draft => &[Self::place, Self::place, Self::place, Self::cancel],
            OnOrder => &[Self::receive, Self::receive, Self::receive, Self::receive, Self::receive, Self::cancel],
            Receiving => &[Self::receive, Self::void, Self::complete, Self::complete, Self::complete],
            _ => &ANY,
        };
        let verb = self.one_of(usual)(self, order, model.now);
        let etag = match self.rng.u32(..20) {
            0 => Some(order.revision - 1),
            1..6 => Some(order.revision),
            _ => None,
        };
        Command::Change { order: if self.one_in(80) { usize::MAX } else { place }, etag, verb }
    }
}

/// Orders and what is done to them.
impl Generator {
    /// Some days from now, or hardly ever a day too early.
    fn expected(&mut self, today: Day) -> Option<Day> {
        match self.rng.u32(..40) {
            0 => Some(today - 1),
            1..12 => Some(today + self.rng.i64(0..7)),
            _ => None,
        }
    }

    fn create(&mut self, today: Day) -> Command {
        let lines = (0..self.rng.usize(1..5)).map(|_| self.new_line(today)).collect();
        let lines = if self.one_in(80) { Vec::new() } else { lines };
        let currency = if self.one_in(60) { "USD" } else { self.one_of(&["", "EUR"]) };
        Command::Create { currency, expected: self.expected(today), lines }
    }

    fn new_line(&mut self, today: Day) -> NewLine {
        let (product, mut unit) = self.one_of(&PRODUCTS);
        if self.one_in(80) {
            unit = self.one_of(&[Unit::Each, Unit::Kilogram]);
        }
        let whole = WHOLE * self.rng.i64(1..=20);
        let quantity = match self.rng.u32(..80) {
            0 => 0,
            1 => whole + WHOLE / 2,
            _ if unit == Unit::Kilogram => whole + self.rng.i64(0..WHOLE),
            _ => whole,
        };
        NewLine { product, unit, quantity, cost: self.cost(), expected: self.expected(today) }
    }

    /// Mostly a price in cents, at times one with six places, and now and then nothing.
    fn cost(&mut self) -> Cost {
        match self.rng.u32(..10) {
            0 => 0,
            1..4 => self.rng.i64(0..20_000_000),
            _ => self.rng.i64(0..2_000) * 10_000,
        }
    }

    fn place(&mut self, _: &Order, now: Time) -> Verb {
        let order_time = match self.rng.u32(..20) {
            0 => Some(now + 1),
            1..8 => Some(now - self.rng.i64(0..3 * DAY)),
            _ => None,
        };
        Verb::Place { order_time }
    }

    fn receive(&mut self, order: &Order, now: Time) -> Verb {
        let ordered = order.ordered.unwrap_or(now);
        let time = match self.rng.u32(..40) {
            0 => Some(now + 5 * MINUTE + 1),
            1 => Some(ordered - DAY),
            2..6 => Some(now + 5 * MINUTE),
            6..10 => Some(ordered),
            10..20 => Some(now - self.rng.i64(0..DAY)),
            _ => None,
        };
        let items = (!self.one_in(8)).then(|| self.items(order));
        Verb::Receive { items, time }
    }

    /// A part of what is pending on some lines.
    fn items(&mut self, order: &Order) -> Vec<Item> {
        let mut items = Vec::new();
        for number in order.lines.keys() {
            let pending = order.pending(*number);
            if self.rng.bool() && (pending > 0 || self.one_in(20)) {
                let accepted = self.part_of(pending, order.lines[number].new.unit);
                let rejected = if self.one_in(6) { WHOLE * self.rng.i64(1..4) } else { 0 };
                items.push(Item { line: *number, accepted: if self.one_in(20) { 0 } else { accepted }, rejected });
            }
        }
        let line = *order.lines.keys().last().expect("every order has a line");
        match self.rng.u32(..100) {
            0 => items.push(Item { line: 99, accepted: WHOLE, rejected: 0 }),
            1..4 => items.iter_mut().for_each(|item| item.accepted += WHOLE / 2),
            4..8 => items.iter_mut().for_each(|item| item.accepted += 20 * WHOLE),
            8..10 => items.push(Item { line, accepted: WHOLE, rejected: 0 }),
            10..14 => items.iter_mut().for_each(|item| (item.accepted, item.rejected) = (0, WHOLE)),
            _ if items.is_empty() => items.push(Item { line, accepted: WHOLE, rejected: 0 }),
            _ => self.rng.shuffle(&mut items),
        }
        items
    }

    /// Small parts leave more to back-order.
    fn part_of(&mut self, pending: Quantity, unit: Unit) -> Quantity {
        let most = if self.rng.bool() { pending } else { pending / 3 };
        let part = self.rng.i64(0..=most.max(WHOLE));
        if unit == Unit::Kilogram { part } else { (part + WHOLE - 1) / WHOLE * WHOLE }
    }

    fn void(&mut self, order: &Order, _: Time) -> Verb {
        let known = if self.one_in(8) { order.receipts.len() + 1 } else { order.receipts.len().max(1) };
        Verb::Void { receipt: self.rng.usize(..known) }
    }

    fn complete(&mut self, order: &Order, now: Time) -> Verb {
        let rest = match self.rng.u32(..6) {
            0 => Rest::Cancel,
            1 => Rest::Unspecified,
            _ => Rest::BackOrder,
        };
        let lines = if self.one_in(3) { self.dispositions(order) } else { Vec::new() };
        let reason = if self.one_in(10) { "" } else { "never came" };
        Verb::Complete { lines, rest, reason, expected: self.expected(day(now)) }
    }

    fn dispositions(&mut self, order: &Order) -> Vec<Disposed> {
        let mut lines = Vec::new();
        for number in order.lines.keys() {
            if self.rng.bool() {
                continue;
            }
            let pending = order.pending(*number);
            let part = self.part_of(pending, order.lines[number].new.unit).min(pending);
            let (back_order, cancel) = self.one_of(&[(part, pending - part), (pending, 0), (0, pending)]);
            lines.push(Disposed { line: *number, back_order, cancel });
        }
        match self.rng.u32(..30) {
            0 => lines.push(Disposed { line: 99, back_order: WHOLE, cancel: 0 }),
            1 => lines.extend(lines.first().cloned()),
            2 => lines.iter_mut().for_each(|disposition| disposition.cancel += WHOLE),
            3 => lines.iter_mut().for_each(|disposition| disposition.back_order += WHOLE / 2),
            _ => {}
        }
        lines
    }

    fn cancel(&mut self, _: &Order, _: Time) -> Verb {
        Verb::Cancel { reason: if self.one_in(6) { "" } else { "not needed any more" } }
    }
}
