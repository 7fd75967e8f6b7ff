//! Random commands, legal and not: which, how often and by whom is one table, [`CASES`]. They are as
//! the rpcs would hand them on: what a form refuses never gets this far.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use fastrand::Rng;
use purchase_order_service::domain::access::Permission;
use purchase_order_service::domain::access::create_role::CreateRole;
use purchase_order_service::domain::access::delete_role::DeleteRole;
use purchase_order_service::domain::access::grants::{GrantRole, RevokeRole};
use purchase_order_service::domain::access::update_role::UpdateRole;
use purchase_order_service::domain::code::{PrincipalId, ProductId, RoleId, StoreId};
use purchase_order_service::domain::command::{Command, Envelope};
use purchase_order_service::domain::idempotency::IdempotencyKey;
use purchase_order_service::domain::inventory::LevelKey;
use purchase_order_service::domain::money::{Amount, Currency, UnitCost};
use purchase_order_service::domain::order::cancel::CancelOrder;
use purchase_order_service::domain::order::complete::{CompleteOrder, Disposition, LineDisposition};
use purchase_order_service::domain::order::create::{CreateOrder, NewLine, Price};
use purchase_order_service::domain::order::place::PlaceOrder;
use purchase_order_service::domain::order::receipt::{ItemCosts, RejectReason, Rejection};
use purchase_order_service::domain::order::receive::book::DeliveryDetails;
use purchase_order_service::domain::order::receive::items::{ItemTarget, NewItem};
use purchase_order_service::domain::order::receive::{Items, Receive};
use purchase_order_service::domain::order::tolerance::Tolerance;
use purchase_order_service::domain::order::update::UpdateOrder;
use purchase_order_service::domain::order::void::VoidReceipt;
use purchase_order_service::domain::order::{Charge, Line, Order, OrderId, OrderKey, State};
use purchase_order_service::domain::pack::StatedQuantity;
use purchase_order_service::domain::principal::Principal;
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::store::Store;
use purchase_order_service::domain::store::back_orders::{DisableBackOrders, EnableBackOrders};
use purchase_order_service::domain::store::create::CreateStore;
use purchase_order_service::domain::store::update::UpdateStore;
use purchase_order_service::domain::time::{Date, TimeZone, Timestamp};
use purchase_order_service::domain::unit::Unit;
use uuid::Uuid;

use crate::rules::pure::{Orders, Pure};

const OPERATOR: &str = "operator";
const OWNER: &str = "owner";
const MANAGER: &str = "manager";
const RECEIVER: &str = "receiver";
/// Whose roles come and go.
const TEMP: &str = "temp";
const PEOPLE: [&str; 6] = [OPERATOR, OWNER, MANAGER, RECEIVER, TEMP, "stranger"];

/// A command's name; how often it is asked, while orders come in and while they run out, because back
/// orders are turned on only where every order is closed; by whom as a rule; and how it is made.
type Case = (&'static str, [u32; 2], &'static [&'static str], fn(&mut Scene<'_>) -> Arc<dyn Command>);

/// Everything that may be asked.
#[rustfmt::skip]
const CASES: &[Case] = &[
    ("CreateStore",      [ 1,  1], &[OPERATOR],                 create_store),
    ("EnableBackOrders", [ 2,  6], &[OPERATOR],                 |_| Arc::new(EnableBackOrders)),
    ("DisableBackOrders",[ 1,  1], &[OPERATOR],                 |_| Arc::new(DisableBackOrders)),
    ("UpdateStore",      [ 1,  1], &[OWNER, OPERATOR],          update_store),
    ("CreateRole",       [ 4,  4], &[OWNER, OPERATOR],          create_role),
    ("UpdateRole",       [ 4,  4], &[OWNER, OPERATOR, TEMP],    update_role),
    ("DeleteRole",       [ 3,  3], &[OWNER, OPERATOR],          delete_role),
    ("GrantRole",        [10, 10], &[OPERATOR, OWNER, TEMP],    grant_role),
    ("RevokeRole",       [ 7,  7], &[OWNER, OPERATOR],          revoke_role),
    ("CreateOrder",      [46,  0], &[OWNER, MANAGER],           create_order),
    ("UpdateOrder",      [14,  6], &[OWNER, MANAGER],           update_order),
    ("PlaceOrder",       [36,  8], &[OWNER, MANAGER],           place_order),
    ("Receive",          [60, 36], &[OWNER, MANAGER, RECEIVER], receive),
    ("VoidReceipt",      [12, 20], &[OWNER, MANAGER, RECEIVER], void_receipt),
    ("CompleteOrder",    [24, 40], &[OWNER, MANAGER],           complete_order),
    ("CancelOrder",      [ 6, 40], &[OWNER, MANAGER],           cancel_order),
];

/// As many of a whole unit as a line holds.
const MOST: Quantity = Quantity::from_scaled(9_999_999_990_000);

/// A command, and what it is called.
#[derive(Clone)]
pub struct Asked {
    pub name: &'static str,
    pub envelope: Envelope,
}

/// Makes commands.
pub struct Commands {
    rng: Rng,
    count: u64,
    stores: Vec<StoreId>,
    /// Some of them will be sent again.
    recent: VecDeque<Asked>,
}

impl Commands {
    pub fn new(rng: Rng) -> Self {
        Self { rng, count: 0, stores: Vec::new(), recent: VecDeque::new() }
    }

    /// The next command, in view of what those before it did.
    pub fn next(&mut self, pure: &Pure, now: Timestamp) -> Asked {
        // A store more now and then: whatever there is of it begins within one batch.
        if self.stores.len() as u64 <= 3 + self.count / 20_000 {
            self.stores.push(StoreId::new(format!("store-{}", self.stores.len())));
        }
        self.count += 1;
        let repeated = self.rng.choice(&self.recent).cloned();
        let asked = match (repeated, self.rng.u8(..40)) {
            (Some(asked), 0..2) => asked,
            (Some(Asked { envelope, .. }), 2) => self.same_id(pure, now, &envelope),
            _ => self.fresh(pure, now),
        };
        if asked.envelope.idempotency_key.is_some() {
            self.recent.push_back(asked.clone());
            drop(self.recent.drain(..self.recent.len().saturating_sub(64)));
        }
        asked
    }

    /// Another command under the id of one before it.
    fn same_id(&mut self, pure: &Pure, now: Timestamp, first: &Envelope) -> Asked {
        let mut asked = self.ask(pure, now, first.store.clone());
        asked.envelope.principal = first.principal.clone();
        asked.envelope.idempotency_key =
            first.idempotency_key.clone().map(|key| IdempotencyKey { fingerprint: self.fingerprint(), ..key });
        asked
    }

    fn fresh(&mut self, pure: &Pure, now: Timestamp) -> Asked {
        let store = match self.rng.u8(..40) {
            0 => StoreId::new(format!("nowhere-{}", self.count)),
            _ => old(&mut self.rng, &self.stores).clone(),
        };
        self.ask(pure, now, store)
    }

    fn ask(&mut self, pure: &Pure, now: Timestamp, store: StoreId) -> Asked {
        // Each store in its turn has two parts of flow and one of ebb.
        let place = self.stores.iter().position(|known| *known == store);
        let turn = self.count / (200 * self.stores.len() as u64) + place.unwrap_or(0) as u64;
        let is_ebb = turn % 3 == 2;
        let (name, _, askers, make) = self.case(pure, &store, is_ebb);
        let principal = match self.rng.u8(..24) {
            0..2 => PEOPLE[self.rng.usize(..PEOPLE.len())],
            2 => TEMP,
            _ => askers[self.rng.usize(..askers.len())],
        };
        let principal = Principal { id: PrincipalId::new(principal), is_operator: principal == OPERATOR };
        let (has_id, id) = (self.rng.u8(..4) > 0, Uuid::from_u128(self.rng.u128(..)));
        let idempotency_key = has_id.then(|| IdempotencyKey { id, fingerprint: self.fingerprint() });
        let now = pure.store(&store).map_or(now, |store| now.max(store.last_event_time));
        let command = make(&mut Scene { rng: &mut self.rng, pure, store: store.clone(), now, is_ebb });
        // What the requests of some commands name, which the service is told by their messages.
        let named_cost = (*name == "CreateOrder").then_some("lines.unit_cost");
        Asked { name, envelope: Envelope { store, principal, idempotency_key, named_cost, command } }
    }

    /// What is asked: half of the time whatever the store needs for its work to go on.
    fn case(&mut self, pure: &Pure, store: &StoreId, is_ebb: bool) -> &'static Case {
        let is_open = pure.open_orders(store).total > 0;
        let due = match pure.store(store) {
            None if self.stores.contains(store) => Some("CreateStore"),
            Some(store) if is_ebb && !is_open && !store.back_orders_enabled => Some("EnableBackOrders"),
            Some(_) if pure.lacking(store).is_some() => Some("GrantRole"),
            Some(_) if !is_open => Some("CreateOrder"),
            _ => None,
        };
        let due = due.filter(|_| self.rng.bool());
        let weight = |(name, weights, ..): &Case| match due {
            Some(due) => u32::from(*name == due),
            None => weights[usize::from(is_ebb && is_open)],
        };
        let drawn = self.rng.u32(..CASES.iter().map(weight).sum::<u32>());
        let mut sum = 0;
        let is_drawn = |case: &&Case| {
            sum += weight(case);
            drawn < sum
        };
        CASES.iter().find(is_drawn).expect("it is less than the sum of all")
    }

    /// Every request of its own is unlike all others.
    fn fingerprint(&self) -> String {
        format!("{:064x}", self.count)
    }
}

/// One of several: the older the likelier, so that work is about the same things for long.
fn old<'a, T>(rng: &mut Rng, of: &'a [T]) -> &'a T {
    &of[rng.usize(..of.len()).min(rng.usize(..of.len()))]
}

/// Where and when a command is made, and what there is.
struct Scene<'a> {
    rng: &'a mut Rng,
    pure: &'a Pure,
    store: StoreId,
    now: Timestamp,
    is_ebb: bool,
}

fn create_store(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let (currency, zone) =
        at.pick([("EUR", "Europe/Amsterdam"), ("JPY", "Asia/Tokyo"), ("USD", "America/Los_Angeles")]);
    Arc::new(CreateStore {
        id: at.store.clone(),
        display_name: format!("Store {}", at.store),
        currency: Currency::parse(currency).expect("it is a currency"),
        time_zone: TimeZone::parse(zone).expect("it is a zone"),
        owner: PrincipalId::new(OWNER),
    })
}

fn create_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    // One store has room for more roles than there may be; there they are small, for they are loaded
    // with each batch.
    let (names, most) = if at.store.as_str() == "store-0" { (150, 2) } else { (9, Permission::ALL.len()) };
    let role = RoleId::new(format!("role-{}", at.rng.u32(..names)));
    Arc::new(CreateRole { role, permissions: at.permissions(most) })
}

fn update_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    // Those that carry the work rarely change, and then but a little.
    let role = if at.one_in(20) { RoleId::new(at.pick(["owner", "manager", "receiver"])) } else { at.role() };
    let allowed = at.pure.working_set.roles(&at.store).ok().and_then(|roles| roles.get(&role));
    let mut permissions: BTreeSet<Permission> =
        allowed.into_iter().flat_map(|allowed| allowed.keys().copied()).collect();
    match at.rng.u8(..6) {
        0 => {}
        1 => drop(permissions.pop_last()),
        _ => permissions.extend(at.permissions(3)),
    }
    permissions.insert(at.pick(Permission::ALL));
    Arc::new(UpdateRole { role, permissions })
}

fn delete_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    Arc::new(DeleteRole { role: at.role() })
}

fn update_store(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let display_name = at.maybe("The corner shop");
    let zone = at.maybe("Europe/Amsterdam").and_then(|zone| TimeZone::parse(&zone));
    let over_receipt_tolerance = if at.one_in(2) { Some(at.tolerance()) } else { None };
    let allow_negative_stock = at.rng.bool().then(|| at.rng.bool());
    Arc::new(UpdateStore {
        display_name,
        time_zone: zone,
        over_receipt_tolerance,
        allow_negative_stock,
        allow_unlisted_items: None,
    })
}

fn grant_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    // A principal who lost the role of their name soon gets it again, so that work goes on.
    let (principal, role) = match at.pure.lacking(&at.store).filter(|_| !at.one_in(3)) {
        Some(name) => (name, RoleId::new(name)),
        None => (at.somebody(), at.role()),
    };
    Arc::new(GrantRole { principal: PrincipalId::new(principal), role })
}

fn revoke_role(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let principal = if at.one_in(5) { OWNER } else { at.somebody() };
    let role = at.rng.choice(at.pure.held_by(&at.store, principal)).unwrap_or_else(|| at.role());
    Arc::new(RevokeRole { principal: PrincipalId::new(principal), role })
}

fn create_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let lines = match at.rng.u32(..600) {
        // More than the level of a product holds, once it is placed.
        0 => vec![NewLine { quantity: MOST, price: Price::Unit(UnitCost::default()), ..at.new_line() }; 950],
        // As many as a few commands that fill a batch have together.
        1 => (0..950).map(|_| at.new_line()).collect(),
        _ => (0..at.rng.u32(1..=6)).map(|_| at.new_line()).collect(),
    };
    let currency = if at.one_in(9) { Currency::parse("EUR") } else { None };
    let expected_date = at.date();
    let (supplier_reference, note) = (at.maybe("S-1"), at.maybe("by the back transport"));
    let supplier = at.pick(["acme", "bolt"]).to_owned();
    let external_id = at.external_id();
    let charges = at.charges();
    Arc::new(CreateOrder { supplier, supplier_reference, note, external_id, charges, currency, expected_date, lines })
}

/// Mostly of a draft, whose lines may come, go and change places.
fn update_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = if at.one_in(3) { at.order(|_| true) } else { at.order(|order| order.state == State::Draft) };
    let rewrites = at.seen(order).is_none_or(|order| order.state == State::Draft) || at.one_in(5);
    let lines = (0..at.rng.u32(1..=6)).map(|_| at.new_line()).collect();
    let external_id = at.one_in(4).then(|| at.external_id());
    if external_id.is_some() && at.one_in(2) {
        // Alone it may change in every state.
        return Arc::new(UpdateOrder {
            order,
            etag: at.etag(order),
            supplier: None,
            supplier_reference: None,
            note: None,
            external_id,
            charges: None,
            expected_date: None,
            lines: None,
        });
    }
    Arc::new(UpdateOrder {
        order,
        etag: at.etag(order),
        supplier: (rewrites && at.one_in(3)).then(|| "bolt".to_owned()),
        supplier_reference: at.one_in(3).then(|| at.maybe("S-2")),
        note: at.one_in(3).then(|| at.maybe("ring the bell")),
        external_id,
        charges: (rewrites && at.one_in(4)).then(|| at.charges()),
        expected_date: (rewrites && at.one_in(3)).then(|| at.date()),
        lines: (rewrites && at.one_in(2)).then_some(lines),
    })
}

fn place_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state == State::Draft);
    let order_time = match at.rng.u8(..20) {
        0 => Some(at.later(1)),
        1..6 => Some(at.later(-3_000)),
        _ => None,
    };
    Arc::new(PlaceOrder { order, etag: at.etag(order), order_time })
}

fn receive(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let least = i32::from(!at.one_in(12));
    let order = at.order(|order| order.state.is_live() && order.counters.pending_lines >= least);
    let items = if at.one_in(6) { Items::AllPending } else { Items::Listed(items(at, order)) };
    let receive_time = match at.rng.u8(..20) {
        0 => Some(at.later(6)),
        1 => Some(at.later(5)),
        2..7 => Some(at.later(-300)),
        _ => None,
    };
    let (delivery_note, note) = (at.maybe("D-1"), at.maybe("wet"));
    let refuse_known_delivery_note = at.one_in(12);
    let etag = at.etag(order);
    let details = DeliveryDetails { receive_time, delivery_note, refuse_known_delivery_note, note };
    Arc::new(Receive { order, etag, items, details })
}

/// Parts of some lines, in any order.
fn items(at: &mut Scene<'_>, order: OrderId) -> Vec<NewItem> {
    let mut items = Vec::new();
    for line in at.some_lines(order) {
        let accepted = if at.one_in(8) { Quantity::ZERO } else { at.part_of(&line) };
        let rejects = !accepted.is_positive() || at.one_in(8);
        let rejected = if rejects { at.whole(3) } else { Quantity::ZERO };
        items.push(NewItem { costs: at.item_costs(), ..item(order, line.key.number, accepted, rejected) });
    }
    if items.is_empty() {
        items.push(item(order, 1, at.whole(3), Quantity::ZERO));
    }
    at.rng.shuffle(&mut items);
    match at.rng.u8(..50) {
        0..2 => add(&mut items[0].accepted, Quantity::from_scaled(5_000)),
        2..8 => add(&mut items[0].accepted, at.whole(50)),
        8 => items[0] = NewItem { target: items[0].target.clone(), ..item(order, 1, Quantity::ZERO, MOST) },
        9 => items.push(item(order, 99_999, at.whole(3), Quantity::ZERO)),
        _ => {}
    }
    items
}

fn item(order: OrderId, line: i32, accepted: Quantity, rejected: Quantity) -> NewItem {
    let damaged = Rejection { reason: RejectReason::Damaged, note: Some("broken".to_owned()) };
    NewItem {
        index: 0,
        target: ItemTarget::Line(order, line),
        accepted: StatedQuantity::units(accepted),
        rejected: StatedQuantity::units(rejected),
        rejection: rejected.is_positive().then_some(damaged),
        costs: ItemCosts::default(),
    }
}

fn add(stated: &mut StatedQuantity, more: Quantity) {
    stated.units = stated.units.map(|units| units + more);
}

fn void_receipt(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.counters.active_receipts > 0);
    let last = at.seen(order).map_or(0, |order| order.counters.last_receipt);
    let receipt = if at.one_in(20) { last + 1 } else { at.rng.i32(1..=last.max(1)) };
    // Of an order that the same batch makes, load does not note that its receipts were looked for, and
    // the answer would be INTERNAL. Nobody can ask so: the order's id is not known before it is saved.
    let order = if at.pure.fresh.contains(&order) && receipt > last { OrderId(Uuid::nil()) } else { order };
    Arc::new(VoidReceipt { order, receipt, etag: at.etag(order), reason: "counted again".to_owned() })
}

fn complete_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state.is_live() && order.counters.totals.received.is_positive());
    let is_on = at.pure.store(&at.store).is_some_and(|store| store.back_orders_enabled);
    // What is back-ordered while orders run out would keep the store from being done.
    let carries_on = if is_on && !at.is_ebb { !at.one_in(5) } else { at.one_in(10) };
    let rest = if carries_on { Disposition::BackOrder } else { Disposition::Cancel };
    let rest = (!at.one_in(6)).then_some(rest);
    let lines = at.some_lines(order).iter().map(|line| disposition(at, line, carries_on)).collect();
    let lines = if at.one_in(3) || rest.is_none() { lines } else { Vec::new() };
    let cancel_reason = (!at.one_in(12)).then(|| "out of season".to_owned());
    let expected_date = if at.one_in(5) { at.date() } else { None };
    Arc::new(CompleteOrder {
        order,
        etag: at.etag(order),
        lines,
        default_disposition: rest,
        cancel_reason,
        expected_date,
    })
}

fn disposition(at: &mut Scene<'_>, line: &Line, carries_on: bool) -> LineDisposition {
    let Line { key, quantities, .. } = line;
    let back_order = if carries_on { at.part_of(line) } else { Quantity::ZERO };
    let mut disposition = LineDisposition { line: key.number, back_order, cancel: quantities.pending - back_order };
    match at.rng.u8(..50) {
        0 => disposition.cancel += at.whole(5),
        1 => disposition.back_order += Quantity::from_scaled(5_000),
        2 => disposition.line += 50_000,
        _ => {}
    }
    disposition
}

fn cancel_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| !order.counters.totals.received.is_positive());
    let reason = (!at.one_in(8)).then(|| "not needed".to_owned());
    Arc::new(CancelOrder { order, etag: at.etag(order), reason })
}

/// Chance.
impl Scene<'_> {
    fn one_in(&mut self, n: u32) -> bool {
        self.rng.u32(..n) == 0
    }

    fn pick<T: Copy, const N: usize>(&mut self, of: [T; N]) -> T {
        of[self.rng.usize(..N)]
    }

    fn maybe(&mut self, text: &str) -> Option<String> {
        self.one_in(3).then(|| text.to_owned())
    }

    fn whole(&mut self, most: i64) -> Quantity {
        Quantity::from_scaled(self.rng.i64(1..=most) * 10_000)
    }

    /// Some of what is pending on a line; nothing if nothing is.
    fn part_of(&mut self, line: &Line) -> Quantity {
        let pending = line.quantities.pending.scaled();
        match self.one_in(5) {
            true => line.quantities.pending,
            false if line.unit.is_whole() => Quantity::from_scaled(self.rng.i64(0..=pending / 10_000) * 10_000),
            false => Quantity::from_scaled(self.rng.i64(0..=pending)),
        }
    }

    /// An instant up to so many minutes away.
    fn later(&mut self, minutes: i64) -> Timestamp {
        let micros = minutes * 60_000_000;
        let away = if micros < 0 { self.rng.i64(micros..0) } else { self.rng.i64(micros - 60_000_000..=micros) };
        Timestamp::from_micros(self.now.micros() + away)
    }

    /// A date that an order is expected on, rarely one that has passed.
    fn date(&mut self) -> Option<Date> {
        let days = if self.one_in(30) { self.rng.i64(-2..0) } else { self.rng.i64(1..30) };
        let zone = &self.pure.store(&self.store)?.time_zone;
        self.rng.bool().then(|| zone.date_at(self.now.plus_minutes(days * 24 * 60)))
    }

    fn permissions(&mut self, most: usize) -> BTreeSet<Permission> {
        let count = self.rng.usize(1..=most);
        self.rng.choose_multiple(Permission::ALL, count).into_iter().collect()
    }

    fn somebody(&mut self) -> &'static str {
        if self.one_in(4) { self.pick(PEOPLE) } else { TEMP }
    }

    fn role(&mut self) -> RoleId {
        let roles = self.pure.working_set.roles(&self.store).ok();
        let roles: Vec<&RoleId> = roles.into_iter().flat_map(|roles| roles.keys()).collect();
        let role = if self.one_in(12) { None } else { self.rng.choice(roles) };
        role.cloned().unwrap_or_else(|| RoleId::new("no-such-role"))
    }
}

/// Orders and their lines.
impl Scene<'_> {
    fn seen(&self, order: OrderId) -> Option<&Order> {
        let key = OrderKey { store: self.store.clone(), order };
        self.pure.working_set.order(&key).ok().flatten()
    }

    /// Mostly an open order of the store that fits, sometimes another, and rarely none of the store's.
    fn order(&mut self, fits: impl Fn(&Order) -> bool) -> OrderId {
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

    /// An order's etag, more often none, and sometimes one that it has long lost.
    fn etag(&mut self, order: OrderId) -> String {
        let now = self.seen(order).map_or_else(String::new, Order::etag);
        match self.rng.u8(..20) {
            0 => "0".to_owned(),
            1..8 => now,
            _ => String::new(),
        }
    }

    /// Some of an order's lines, most of them with something pending.
    fn some_lines(&mut self, order: OrderId) -> Vec<Line> {
        let key = OrderKey { store: self.store.clone(), order };
        let lines = self.pure.working_set.lines_of(&key).unwrap_or_default();
        let odds = |line: &Line| if line.quantities.pending.is_positive() { 3 } else { 12 };
        lines.into_iter().filter(|line| self.one_in(odds(line))).cloned().collect()
    }

    /// Few enough that orders sometimes ask for the same.
    fn external_id(&mut self) -> Option<String> {
        if self.one_in(4) { Some(format!("erp-{}", self.rng.u16(..600))) } else { None }
    }

    fn tolerance(&mut self) -> Tolerance {
        Tolerance::from_scaled(*self.rng.choice(&[0, 333_333, 100_000, 1_000_000]).unwrap())
    }

    fn item_costs(&mut self) -> ItemCosts {
        let cost = |rng: &mut fastrand::Rng| UnitCost::from_scaled(rng.i64(0..10_000_000));
        ItemCosts {
            unit_cost: if self.one_in(4) { Some(cost(self.rng)) } else { None },
            excess_unit_cost: if self.one_in(12) { Some(cost(self.rng)) } else { None },
        }
    }

    fn charges(&mut self) -> Vec<Charge> {
        let count = if self.one_in(4) { self.rng.u8(1..4) } else { 0 };
        let charge =
            |_| Charge { description: "freight".to_owned(), amount: Amount::from_scaled(self.rng.i64(0..999_999)) };
        (0..count).map(charge).collect()
    }

    fn new_line(&mut self) -> NewLine {
        let product = ProductId::new(format!("product-{}", self.rng.u8(..12)));
        let level = LevelKey { store: self.store.clone(), product: product.clone() };
        let level = self.pure.working_set.levels.get(&level).ok().flatten();
        let known = level.map(|level| level.unit).filter(|_| self.rng.u8(..60) > 0);
        let unit = known.unwrap_or_else(|| self.pick(Unit::ALL));
        let quantity = match (self.rng.u8(..200), unit.is_whole()) {
            (0, _) => Quantity::ZERO,
            (_, true) => self.whole(20),
            (_, false) => Quantity::from_scaled(self.rng.i64(1..200_000)),
        };
        let cost = UnitCost::from_scaled(self.rng.i64(0..10_000_000));
        let pack_size = if self.one_in(3) { Some(self.whole(12) + Quantity::from_scaled(10_000)) } else { None };
        let by_pack = pack_size.filter(|_| self.one_in(2)).and_then(|size| Price::by_pack(cost, size));
        let price = by_pack.unwrap_or(Price::Unit(cost));
        NewLine {
            description: format!("fresh {product}"),
            product,
            gtin: self.maybe("4006381333931"),
            supplier_product: self.maybe("M-7"),
            note: self.maybe("ripe"),
            unit,
            quantity,
            pack_size,
            price,
            tolerance: if self.one_in(4) { Some(self.tolerance()) } else { None },
            expected_date: if self.one_in(6) { self.date() } else { None },
        }
    }
}

/// What commands are made in view of.
impl Pure {
    /// A store, if it was made.
    fn store(&self, id: &StoreId) -> Option<&Store> {
        self.working_set.store(id).ok().flatten()
    }

    fn held_by(&self, store: &StoreId, principal: &str) -> Vec<RoleId> {
        let held = self.working_set.roles_of(store, &PrincipalId::new(principal));
        held.unwrap_or_default().into_keys().collect()
    }

    /// Somebody without the role of their name.
    fn lacking(&self, store: &StoreId) -> Option<&'static str> {
        let lacks = |name: &&str| !self.held_by(store, name).contains(&RoleId::new(*name));
        [OWNER, MANAGER, RECEIVER].into_iter().find(lacks)
    }
}
