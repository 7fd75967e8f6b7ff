//! Generates the calls: draws the next command, mostly one that makes sense in the state of the store,
//! and often enough one that does not. How each is drawn is in `draw`.

use fastrand::Rng;
use purchase_order_service::proto::v1::Permission::{AdjustInventory, Edit, ManageAccess, Receive, View};
use purchase_order_service::proto::v1::PurchaseOrderState::{Completed, Draft, OnOrder, Receiving};
use purchase_order_service::proto::v1::Unit;
use uuid::Uuid;

use crate::naive_oracle::access::OPERATOR;
use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::*;
use crate::naive_oracle::model::Model;

/// Whole units, fractions, and now and then one in the unit of another.
pub const PRODUCTS: [(Name, Unit); 5] = [
    ("apples", Unit::Each),
    ("pears", Unit::Each),
    ("cheese", Unit::Kilogram),
    ("nuts", Unit::Kilogram),
    ("salt", Unit::Kilogram),
];
/// Products that no order names; they come unlisted.
pub const GUESTS: [(Name, Unit); 2] = [("figs", Unit::Each), ("rice", Unit::Kilogram)];
/// A product that nobody names but where there is none of it.
pub const NO_PRODUCT: Name = "unicorns";
pub const CALLERS: [Name; 6] = ["alice", "bob", "carol", "dora", "mallory", OPERATOR];
const ROLES: [Name; 5] = ["owner", "manager", "receiver", "keys", "pilot"];

/// A way to draw a verb for an order.
type Draw = fn(&mut Generator, &Order, &Model) -> Verb;
const ANY: [Draw; 11] = [
    Generator::set_external_id,
    Generator::place,
    Generator::receive,
    Generator::void,
    Generator::correct,
    Generator::complete,
    Generator::cancel_lines,
    Generator::cancel,
    Generator::amend,
    Generator::confirm,
    Generator::reopen,
];

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
            Command::UpdateStore(_) => &["alice", OPERATOR],
            Command::Deliver(_)
            | Command::Change { verb: Verb::Receive(_) | Verb::Void { .. } | Verb::Correct { .. }, .. } => {
                &["alice", "bob", "carol"]
            }
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
        if self.one_in(60) {
            let (order, cancelled_only) = (self.rng.usize(..model.orders.len()), self.one_in(3));
            return Command::Copy { order: if self.one_in(20) { usize::MAX } else { order }, cancelled_only };
        }
        if self.one_in(6) {
            return self.adjust(model);
        }
        if self.one_in(40) {
            return self.update_store();
        }
        if self.one_in(6) {
            return self.deliver(model);
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
                let permissions =
                    if role == "pilot" { vec![View, Edit, Receive, AdjustInventory] } else { vec![View, ManageAccess] };
                Command::CreateRole { role, permissions }
            }
            1..10 => Command::RevokeRole { principal, role },
            _ => Command::GrantRole { principal, role },
        }
    }

    /// Mostly of an open order, hardly ever of one that nobody made.
    fn change(&mut self, model: &Model, open: &[usize]) -> Command {
        let any = self.rng.usize(..model.orders.len());
        let completed: Vec<usize> =
            (0..model.orders.len()).rev().filter(|place| model.orders[*place].completed.is_some()).take(4).collect();
        let place = match self.rng.u32(..16) {
            0 => any,
            // One of those that were made last: what they brought may still be there.
            1..3 if !completed.is_empty() => self.one_of(&completed),
            _ if open.is_empty() => any,
            _ => self.one_of(open),
        };
        let order = &model.orders[place];
        let usual: &[Draw] = match order.state() {
            _ if self.one_in(12) => &ANY,
            Draft => &[Self::place, Self::place, Self::place, Self::cancel, Self::amend],
            OnOrder => &[
                Self::receive,
                Self::receive,
                Self::receive,
                Self::receive,
                Self::receive,
                Self::receive,
                Self::receive,
                Self::cancel_lines,
                Self::cancel,
                Self::amend,
                Self::confirm,
            ],
            Receiving => &[
                Self::receive,
                Self::void,
                Self::correct,
                Self::cancel_lines,
                Self::amend,
                Self::complete,
                Self::complete,
                Self::complete,
                Self::complete,
            ],
            Completed if !self.one_in(4) => &[Self::reopen],
            _ => &ANY,
        };
        let verb = self.one_of(usual)(self, order, model);
        let etag = match self.rng.u32(..20) {
            0 => Some(order.revision - 1),
            1..6 => Some(order.revision),
            _ => None,
        };
        Command::Change { order: if self.one_in(80) { usize::MAX } else { place }, etag, verb }
    }
}
