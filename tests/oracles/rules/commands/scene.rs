//! Where and when a command is made, what it is made in view of, and chance.

use std::collections::BTreeSet;

use fastrand::Rng;
use purchase_order_service::domain::access::Permission;
use purchase_order_service::domain::code::{PrincipalId, RoleId, StoreId};
use purchase_order_service::domain::money::UnitCost;
use purchase_order_service::domain::order::tolerance::Tolerance;
use purchase_order_service::domain::order::{Line, Order, OrderId, OrderKey, State};
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::store::Store;
use purchase_order_service::domain::time::{Date, Timestamp};
use uuid::Uuid;

use crate::rules::commands::{MANAGER, OWNER, PEOPLE, RECEIVER, TEMP};
use crate::rules::pure::{Orders, Pure};

/// One of several: the older the likelier, so that work is about the same things for long.
pub fn old<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len()).min(rng.usize(..of.len()))]
}

/// Where and when a command is made, and what there is.
pub struct Scene<'a> {
    pub rng: &'a mut Rng,
    pub pure: &'a Pure,
    pub store: StoreId,
    pub now: Timestamp,
    pub is_ebb: bool,
    /// Which cost its request names, if it names one.
    pub named_cost: Option<&'static str>,
}

/// Chance.
impl Scene<'_> {
    pub(super) fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    pub(super) fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.rng.usize(..N)]
    }

    pub(super) fn maybe(&mut self, text: &str) -> Option<String> {
        self.one_in(3).then(|| text.to_owned())
    }

    pub(super) fn whole(&mut self, most: i64) -> Quantity {
        Quantity::from_scaled(self.rng.i64(1..=most) * 10_000)
    }

    /// Some of what is pending on a line; nothing if nothing is.
    pub(super) fn part_of(&mut self, line: &Line) -> Quantity {
        let pending = line.quantities.pending.scaled();
        match self.one_in(5) {
            true => line.quantities.pending,
            false if line.unit.is_whole() => Quantity::from_scaled(self.rng.i64(0..=pending / 10_000) * 10_000),
            false => Quantity::from_scaled(self.rng.i64(0..=pending)),
        }
    }

    /// An instant up to so many minutes away.
    pub(super) fn later(&mut self, minutes: i64) -> Timestamp {
        let micros = minutes * 60_000_000;
        let away = if micros < 0 { self.rng.i64(micros..0) } else { self.rng.i64(micros - 60_000_000..=micros) };
        Timestamp::from_micros(self.now.micros() + away)
    }

    /// A date that an order is expected on, rarely one that has passed.
    pub(super) fn date(&mut self) -> Option<Date> {
        let days = if self.one_in(30) { self.rng.i64(-2..0) } else { self.rng.i64(1..30) };
        let zone = &self.pure.store(&self.store)?.time_zone;
        self.rng.bool().then(|| zone.date_at(self.now.plus_minutes(days * 24 * 60)))
    }

    pub(super) fn permissions(&mut self, most: usize) -> BTreeSet<Permission> {
        let count = self.rng.usize(1..=most);
        self.rng.choose_multiple(Permission::ALL, count).into_iter().collect()
    }

    pub(super) fn somebody(&mut self) -> &'static str {
        if self.one_in(4) { self.pick(PEOPLE) } else { TEMP }
    }

    pub(super) fn role(&mut self) -> RoleId {
        let roles = self.pure.working_set.roles(&self.store).ok();
        let roles: Vec<&RoleId> = roles.into_iter().flat_map(|roles| roles.keys()).collect();
        let role = if self.one_in(12) { None } else { self.rng.choice(roles) };
        role.cloned().unwrap_or_else(|| RoleId::new("no-such-role"))
    }

    pub(super) fn tolerance(&mut self) -> Tolerance {
        Tolerance::from_scaled(*self.rng.choice(&[0, 333_333, 100_000, 1_000_000]).unwrap())
    }

    pub(super) fn cost(&mut self) -> UnitCost {
        UnitCost::from_scaled(self.rng.i64(0..10_000_000))
    }
}

/// Orders and their lines.
impl Scene<'_> {
    pub(super) fn seen(&self, order: OrderId) -> Option<&Order> {
        let key = OrderKey { store: self.store.clone(), order };
        self.pure.working_set.order(&key).ok().flatten()
    }

    /// Mostly an open order of the store that fits, sometimes another, and rarely none of the store's.
    pub(super) fn order(&mut self, fits: impl Fn(&Order) -> bool) -> OrderId {
        let unknown = OrderId(Uuid::from_u128(self.rng.u128(..)));
        let nothing = Orders::default();
        let Orders { all, open } = self.pure.orders.get(&self.store).unwrap_or(&nothing);
        let fitting = open.values().filter(|key| self.seen(key.order).is_some_and(&fits)).collect::<Vec<_>>();
        let chosen = match self.rng.u8(..50) {
            0 => return unknown,
            1 => self.rng.choice(self.pure.orders.values()).and_then(|orders| self.rng.choice(&orders.all)),
            2..4 => self.rng.choice(all),
            4..8 => self.rng.choice(open.values()),
            _ if !fitting.is_empty() => Some(*old(self.rng, &fitting)),
            _ => self.rng.choice(open.values()),
        };
        chosen.map_or(unknown, |key| key.order)
    }

    /// Any order of the store.
    pub(super) fn any_order(&mut self) -> OrderId {
        let all = self.pure.orders.get(&self.store).map_or(&[][..], |orders| &orders.all);
        self.rng.choice(all).map_or(OrderId(Uuid::nil()), |key| key.order)
    }

    /// An order's etag, more often none, and sometimes one that it has long lost.
    /// One of the orders that were completed last, or one that is in whatever state.
    pub(super) fn completed_order(&mut self) -> OrderId {
        let all = self.pure.orders.get(&self.store).map(|orders| orders.all.as_slice()).unwrap_or_default();
        let is_completed = |key: &&OrderKey| self.seen(key.order).is_some_and(|order| order.state == State::Completed);
        let completed: Vec<&OrderKey> = all.iter().rev().filter(is_completed).take(6).collect();
        if completed.is_empty() || self.one_in(10) {
            return self.order(|_| true);
        }
        completed[self.rng.usize(..completed.len())].order
    }

    pub(super) fn etag(&mut self, order: OrderId) -> String {
        let now = self.seen(order).map_or_else(String::new, Order::etag);
        match self.rng.u8(..20) {
            0 => "0".to_owned(),
            1..8 => now,
            _ => String::new(),
        }
    }

    /// Some of an order's lines, most of them with something pending.
    pub(super) fn some_lines(&mut self, order: OrderId) -> Vec<Line> {
        let key = OrderKey { store: self.store.clone(), order };
        let lines = self.pure.working_set.lines_of(&key).unwrap_or_default();
        let odds = |line: &Line| if line.quantities.pending.is_positive() { 3 } else { 12 };
        lines.into_iter().filter(|line| self.one_in(odds(line))).cloned().collect()
    }
}

/// What commands are made in view of.
impl Pure {
    /// A store, if it was made.
    pub(super) fn store(&self, id: &StoreId) -> Option<&Store> {
        self.working_set.store(id).ok().flatten()
    }

    pub(super) fn held_by(&self, store: &StoreId, principal: &str) -> Vec<RoleId> {
        let held = self.working_set.roles_of(store, &PrincipalId::new(principal));
        held.unwrap_or_default().into_keys().collect()
    }

    /// Somebody without the role of their name.
    pub(super) fn lacking(&self, store: &StoreId) -> Option<&'static str> {
        let lacks = |name: &&str| !self.held_by(store, name).contains(&RoleId::new(*name));
        [OWNER, MANAGER, RECEIVER].into_iter().find(lacks)
    }
}
