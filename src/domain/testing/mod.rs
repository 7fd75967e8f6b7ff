//! One store in memory, for tests of the rules.
//!
//! A test arranges what is stored, sends a command as some caller and reads what became of it. Two
//! things are checked with every command, whatever the test is about. First, the command gets a
//! [`WorkingSet`] with exactly what its [`Needs`](super::needs::Needs) name, so that a rule which reads
//! more is refused as a bug here and not in production. Second, all counters and levels are summed up
//! anew from the rows afterwards and compared with those that the decision derived.

mod load;
mod show;
mod sums;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use uuid::Uuid;

use super::Ids;
use super::access::Permission;
use super::code::{PrincipalId, ProductId, RoleId, StoreId};
use super::command::{Command, Envelope, Reply, Verdict, decide, reply};
use super::decision::Decision;
use super::idempotency::{IdempotencyKey, StoredResponse, StoredResponseKey};
use super::inventory::lot::{Lot, LotKey};
use super::inventory::{Level, LevelKey, Movement};
use super::money::{Currency, UnitCost};
use super::needs::Need;
use super::order::cancellation::Cancellation;
use super::order::receipt::{ItemCosts, Receipt, ReceiptItem, RejectReason, Rejection};
use super::order::receive::items::{ItemTarget, NewItem};
use super::order::tolerance::Tolerance;
use super::order::{Line, LineKey, Order, OrderCounters, OrderId, OrderKey, Quantities, ReceiptKey, State};
use super::pack::StatedQuantity;
use super::principal::Principal;
use super::quantity::Quantity;
use super::refusal::Refusal;
use super::store::Store;
use super::time::{Date, TimeZone, Timestamp};
use super::unit::Unit;
use super::working_set::{RoleGrants, RolePermissions, WorkingSet};

/// The wall clock of every test that does not move it: a Monday morning.
pub const NOW: &str = "2026-03-02T09:00:00Z";

/// An instant from RFC 3339.
pub fn at(text: &str) -> Timestamp {
    Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond())
}

/// A date from `YYYY-MM-DD`.
pub fn date(text: &str) -> Date {
    Date::parse(text).unwrap()
}

/// A quantity from its decimal form.
pub fn quantity(text: &str) -> Quantity {
    Quantity::parse(text).unwrap()
}

/// A received item of a line that costs 1: how much was accepted and how much rejected.
pub fn item(line: i32, accepted: &str, rejected: &str) -> ReceiptItem {
    let new = new_item(ItemTarget::Line(NO_SUCH_ORDER, line), accepted, rejected);
    ReceiptItem {
        line,
        accepted: quantity(accepted),
        excess: Quantity::ZERO,
        rejected: quantity(rejected),
        rejection: new.rejection,
        costs: new.costs,
        lots: Vec::new(),
        value: UnitCost::from_scaled(1_000_000).times(quantity(accepted)).rounded(),
    }
}

/// An item as a caller sends it.
pub fn new_item(target: ItemTarget, accepted: &str, rejected: &str) -> NewItem {
    let (accepted, rejected) = (quantity(accepted), quantity(rejected));
    let broken = Rejection { reason: RejectReason::Damaged, note: Some("broken".to_owned()) };
    NewItem {
        index: 0,
        target,
        accepted: StatedQuantity::units(accepted),
        rejected: StatedQuantity::units(rejected),
        rejection: if rejected.is_positive() { Some(broken) } else { None },
        costs: ItemCosts::default(),
        lots: Vec::new(),
    }
}

/// Ids from 100 on, so that they differ from those of arranged orders (1, 2, 3 ...).
#[derive(Default)]
struct CountingIds(AtomicU64);

impl Ids for CountingIds {
    fn next(&self, _: &StoreId) -> Uuid {
        Uuid::from_u128(u128::from(100 + self.0.fetch_add(1, Ordering::Relaxed)))
    }
}

/// The first id that a command of a test gets.
pub const FIRST_NEW_ORDER: OrderId = OrderId(Uuid::from_u128(100));

/// An order id that no test arranges.
pub const NO_SUCH_ORDER: OrderId = OrderId(Uuid::from_u128(99));

/// A store with everything in it, as the database would hold it.
pub struct TestStore {
    /// The store's row; `None` if no store was created yet.
    pub store: Option<Store>,
    /// Who sends the next command.
    pub caller: Principal,
    /// The wall clock.
    pub now: Timestamp,
    /// The request id that the next command carries, and the fingerprint of its request.
    pub request_id: Option<IdempotencyKey>,
    /// The field by which the next commands' requests name a cost, if they do.
    pub named_cost: Option<&'static str>,
    /// What the last command decided; empty if it was replayed.
    pub decided: Decision,
    orders: BTreeMap<OrderKey, Order>,
    lines: BTreeMap<LineKey, Line>,
    receipts: BTreeMap<ReceiptKey, Receipt>,
    levels: BTreeMap<LevelKey, Level>,
    lots: BTreeMap<LotKey, Quantity>,
    roles: BTreeMap<RoleId, RolePermissions>,
    grants: BTreeMap<PrincipalId, RoleGrants>,
    responses: BTreeMap<StoredResponseKey, StoredResponse>,
    ledger: Vec<Movement>,
    cancellations: Vec<Cancellation>,
    ids: CountingIds,
}

/// Arranging.
impl TestStore {
    /// No store yet, and a platform operator who may create it.
    pub fn missing() -> Self {
        Self {
            store: None,
            caller: Principal { id: PrincipalId::new("operator"), is_operator: true },
            now: at(NOW),
            request_id: None,
            named_cost: None,
            decided: Decision::default(),
            orders: BTreeMap::new(),
            lines: BTreeMap::new(),
            receipts: BTreeMap::new(),
            levels: BTreeMap::new(),
            lots: BTreeMap::new(),
            roles: BTreeMap::new(),
            grants: BTreeMap::new(),
            responses: BTreeMap::new(),
            ledger: Vec::new(),
            cancellations: Vec::new(),
            ids: CountingIds::default(),
        }
    }

    /// A store in Amsterdam with back orders enabled; the caller is ann, whose role `owner` allows
    /// everything.
    pub fn new() -> Self {
        let mut store = Self::missing();
        store.store = Some(Store {
            id: StoreId::new("s1"),
            display_name: "First".to_owned(),
            currency: Currency::parse("EUR").unwrap(),
            time_zone: TimeZone::parse("Europe/Amsterdam").unwrap(),
            create_time: at("2026-03-01T09:00:00Z"),
            back_orders_enabled: true,
            over_receipt_tolerance: Tolerance::default(),
            allow_negative_stock: false,
            allow_unlisted_items: false,
            open_orders: 0,
            last_order_number: 0,
            last_event: 10,
            last_event_time: at("2026-03-01T09:00:00Z"),
            first_event: 1,
        });
        store.role("owner", &Permission::ALL);
        store.grant("ann", "owner");
        store.call_as("ann");
        store
    }

    /// Lets a role allow exactly these.
    pub fn role(&mut self, role: &str, permissions: &[Permission]) {
        let permissions = permissions.iter().map(|permission| (*permission, 1)).collect();
        self.roles.insert(RoleId::new(role), permissions);
    }

    /// Gives a principal a role.
    pub fn grant(&mut self, principal: &str, role: &str) {
        self.grants.entry(PrincipalId::new(principal)).or_default().insert(RoleId::new(role), 1);
    }

    /// Sends the next commands as this principal, who is no platform operator.
    pub fn call_as(&mut self, principal: &str) {
        self.caller = Principal { id: PrincipalId::new(principal), is_operator: false };
    }

    /// Sends the next commands as a platform operator who holds no role in the store.
    pub fn call_as_operator(&mut self) {
        self.caller = Principal { id: PrincipalId::new("operator"), is_operator: true };
    }

    /// Sends the next commands as somebody whose one role allows exactly these.
    pub fn call_with(&mut self, permissions: &[Permission]) {
        self.role("narrow", permissions);
        self.grant("bob", "narrow");
        self.call_as("bob");
    }

    /// Arranges a draft. Each line is `product quantity`, or `product quantity kg` for one that may be
    /// divided; its unit cost is 1.
    pub fn draft(&mut self, lines: &[&str]) -> OrderId {
        self.order(State::Draft, lines)
    }

    /// Arranges an order that was placed two days ago and of which nothing was received.
    pub fn on_order(&mut self, lines: &[&str]) -> OrderId {
        self.order(State::OnOrder, lines)
    }

    /// Arranges an order of 10 oak in a state; 4 of them were received if it is RECEIVING or COMPLETED,
    /// and the other 6 are cancelled if it is COMPLETED.
    pub fn order_in(&mut self, state: State) -> OrderId {
        let order = self.order(if state == State::Draft { state } else { State::OnOrder }, &["oak 10"]);
        if matches!(state, State::Receiving | State::Completed) {
            self.receipt(order, &[(1, "4", "0")]);
        }
        if matches!(state, State::Completed | State::Cancelled) {
            self.change_line(order, 1, |line| {
                line.quantities.cancelled = line.quantities.pending;
                line.quantities.pending = Quantity::ZERO;
            });
        }
        self.change_order(order, |order| order.state = state);
        order
    }

    /// Arranges a receipt of an order, booked now, and lets the order be RECEIVING.
    pub fn receipt(&mut self, order: OrderId, items: &[(i32, &str, &str)]) {
        let key = self.order_key(order);
        let number = self.orders[&key].counters.last_receipt + 1;
        let items: Vec<ReceiptItem> =
            items.iter().map(|(line, accepted, rejected)| item(*line, accepted, rejected)).collect();
        for item in &items {
            let time = self.now;
            self.change_line(order, item.line, |line| {
                line.quantities.received += item.accepted;
                line.quantities.rejected += item.rejected;
                line.quantities.balance();
                line.first_receive_time.get_or_insert(time);
                line.last_receive_time = Some(time);
            });
        }
        let key = ReceiptKey { order: key, number };
        let receipt = Receipt {
            key: key.clone(),
            receive_time: self.now,
            book_time: self.now,
            booked_by: self.caller.id.clone(),
            supplier: "acme".to_owned(),
            delivery_note: None,
            delivery: None,
            note: None,
            corrects: None,
            voided: None,
            items,
        };
        self.receipts.insert(key, receipt);
        self.change_order(order, |order| order.state = State::Receiving);
    }

    /// Changes the header of an arranged order.
    pub fn change_order(&mut self, order: OrderId, change: impl FnOnce(&mut Order)) {
        let key = self.order_key(order);
        change(self.orders.get_mut(&key).unwrap());
        self.sum_up();
    }

    /// Changes a line of an arranged order.
    pub fn change_line(&mut self, order: OrderId, number: i32, change: impl FnOnce(&mut Line)) {
        let key = LineKey { order: self.order_key(order), number };
        change(self.lines.get_mut(&key).unwrap());
        self.sum_up();
    }

    /// Changes a receipt of an arranged order.
    pub fn change_receipt(&mut self, order: OrderId, number: i32, change: impl FnOnce(&mut Receipt)) {
        let key = ReceiptKey { order: self.order_key(order), number };
        change(self.receipts.get_mut(&key).unwrap());
        self.sum_up();
    }

    /// Changes the level of an arranged product.
    pub fn change_level(&mut self, product: &str, change: impl FnOnce(&mut Level)) {
        let key = self.level_key(product);
        change(self.levels.get_mut(&key).unwrap());
    }

    /// Puts so much of a lot of an arranged product on hand.
    pub fn lot(&mut self, product: &str, code: &str, expiry_date: &str, on_hand: &str) {
        let expiry_date = if expiry_date.is_empty() { None } else { Some(date(expiry_date)) };
        let key = LotKey { level: self.level_key(product), lot: Lot { code: code.to_owned(), expiry_date } };
        *self.lots.entry(key).or_default() += quantity(on_hand);
        self.change_level(product, |level| level.on_hand += quantity(on_hand));
    }

    /// The store's row, to change.
    pub fn row(&mut self) -> &mut Store {
        self.store.as_mut().unwrap()
    }

    fn order(&mut self, state: State, lines: &[&str]) -> OrderId {
        let row = self.row();
        row.last_order_number += 1;
        let (n, currency) = (row.last_order_number, row.currency);
        let id = OrderId(Uuid::from_u128(n as u128));
        let key = self.order_key(id);
        let placed = if state == State::Draft { None } else { Some(at("2026-02-28T09:00:00Z")) };
        let order = Order {
            key: key.clone(),
            number: Order::number_of(n),
            parent: None,
            root: id,
            chain_position: 0,
            supplier: "acme".to_owned(),
            supplier_reference: None,
            note: None,
            external_id: None,
            charges: Vec::new(),
            currency,
            expected_date: None,
            create_time: at("2026-02-28T08:00:00Z"),
            created_by: PrincipalId::new("ann"),
            create_event: 1,
            state,
            revision: 1,
            order_time: placed,
            place_time: placed,
            placed_by: placed.map(|_| PrincipalId::new("ann")),
            original_order_time: placed,
            close_time: None,
            closed_by: None,
            cancel_reason: None,
            cancel_reason_code: None,
            child: None,
            child_is_untouched: true,
            last_back_order: 0,
            folded_back: false,
            terms_changed: false,
            counters: OrderCounters::default(),
        };
        self.orders.insert(key.clone(), order);
        for (number, line) in (1..).zip(lines) {
            self.line(LineKey { order: key.clone(), number }, line);
        }
        self.sum_up();
        id
    }

    fn line(&mut self, key: LineKey, text: &str) {
        let words: Vec<&str> = text.split(' ').collect();
        let ordered = quantity(words[1]);
        let line = Line {
            key: key.clone(),
            product: ProductId::new(words[0]),
            description: words[0].to_owned(),
            gtin: None,
            supplier_product: None,
            note: None,
            unit: if words.get(2) == Some(&"kg") { Unit::Kilogram } else { Unit::Each },
            pack_size: None,
            unit_cost: UnitCost::from_scaled(1_000_000),
            pack_cost: None,
            tolerance: None,
            lot_required: false,
            carried_over: false,
            expected_date: None,
            first_expected_date: None,
            first_ordered: ordered,
            confirmed: None,
            quantities: Quantities::ordered(ordered),
            returned: Quantity::ZERO,
            first_receive_time: None,
            last_receive_time: None,
            back_order_time: None,
            due_date: None,
        };
        let level = line.level_key();
        self.levels.entry(level.clone()).or_insert_with(|| Level::empty(level, line.unit));
        self.lines.insert(key, line);
    }
}

/// Sending commands.
impl TestStore {
    /// Decides a command and stores what it decided.
    pub fn send(&mut self, command: impl Command + 'static) -> Result<Reply, Refusal> {
        let envelope = self.envelope(command);
        let mut working_set = self.load(&envelope);
        let outcome = match decide(&working_set, &envelope, self.now, &self.ids)? {
            Verdict::Replayed(outcome) => {
                self.decided = Decision::default();
                // A replay loads what its answer shows, and not what the command needs.
                self.load_for_replay(&mut working_set, &outcome);
                outcome
            }
            Verdict::Decided(decision, outcome) => {
                self.save(&decision);
                self.decided = (*decision).clone();
                working_set.absorb(*decision);
                outcome
            }
        };
        reply(&working_set, &envelope, outcome)
    }

    /// Decides a command that must succeed; the number of its event, or 0 if nothing changed.
    pub fn accept(&mut self, command: impl Command + 'static) -> i64 {
        match self.send(command) {
            Ok(reply) => reply.outcome.event(),
            Err(refusal) => panic!("refused: {refusal}"),
        }
    }

    /// Decides a command that must be refused; the reason.
    pub fn refuse(&mut self, command: impl Command + 'static) -> &'static str {
        match self.send(command) {
            Ok(reply) => panic!("accepted: {:?}", reply.outcome),
            Err(Refusal::Bug(text)) => panic!("a bug: {text}"),
            Err(refusal) => refusal.reason(),
        }
    }

    /// Decides a command that must be refused; the text of the refusal.
    pub fn refusal_text(&mut self, command: impl Command + 'static) -> String {
        match self.send(command) {
            Ok(reply) => panic!("accepted: {:?}", reply.outcome),
            Err(refusal) => refusal.to_string(),
        }
    }

    /// The command as its caller sends it to this store.
    pub fn envelope(&self, command: impl Command + 'static) -> Envelope {
        Envelope {
            store: StoreId::new("s1"),
            principal: self.caller.clone(),
            idempotency_key: self.request_id.clone(),
            named_cost: self.named_cost,
            command: Arc::new(command),
        }
    }

    /// Loads what the gate judges of every command, and exactly what this one needs.
    pub fn load(&self, envelope: &Envelope) -> WorkingSet {
        let mut set = WorkingSet::default();
        set.stores.insert_absent(envelope.store.clone());
        if let Some(store) = &self.store {
            set.stores.insert_loaded(store.id.clone(), store.clone());
        }
        let caller = envelope.principal.id.clone();
        let held = self.grants.get(&caller).cloned().unwrap_or_default();
        let allowed = held.keys().flat_map(|role| self.roles[role].keys().copied()).collect();
        set.insert_permissions(envelope.store.clone(), caller, allowed);
        if let Some(key) = envelope.stored_response_key() {
            set.stored_responses.insert_absent(key.clone());
            if let Some(response) = self.responses.get(&key) {
                set.stored_responses.insert_loaded(key, response.clone());
            }
        }
        for target in envelope.command.targets() {
            self.load_need(&mut set, &Need::Order(target.order));
        }
        for need in envelope.needs().iter() {
            self.load_need(&mut set, need);
        }
        set
    }

    fn save(&mut self, decision: &Decision) {
        self.check_ledger(decision);
        for store in &decision.stores {
            self.store = Some(store.clone());
        }
        for key in &decision.lines_removed {
            self.lines.remove(key);
        }
        self.orders.extend(decision.orders.iter().map(|order| (order.key.clone(), order.clone())));
        self.lines.extend(decision.lines.iter().map(|line| (line.key.clone(), line.clone())));
        self.receipts.extend(decision.receipts.iter().map(|receipt| (receipt.key.clone(), receipt.clone())));
        self.levels.extend(decision.levels.iter().map(|level| (level.key.clone(), level.clone())));
        self.save_lots(decision);
        self.ledger.extend(decision.movements.iter().cloned());
        self.cancellations.retain(|row| !decision.cancellations_removed.contains(row));
        self.cancellations.extend(decision.cancellations.iter().cloned());
        self.note_touched_children();
        self.responses.extend(decision.stored_response.iter().map(|kept| (kept.key.clone(), kept.clone())));
        self.save_access(decision);
        self.check_sums();
        self.check_events(decision);
    }

    fn save_lots(&mut self, decision: &Decision) {
        for row in &decision.movements {
            let Some(lot) = &row.lot else { continue };
            let on_hand = self.lots.entry(LotKey { level: row.level.clone(), lot: lot.clone() }).or_default();
            *on_hand += row.quantity;
            assert!(*on_hand >= Quantity::ZERO, "{lot} of {} is below zero", row.level.product);
        }
    }

    fn save_access(&mut self, decision: &Decision) {
        for closed in &decision.permissions_closed {
            let allowed = self.roles.get_mut(&closed.key.role).unwrap();
            assert_eq!(allowed.remove(&closed.key.permission), Some(closed.from_event), "the period that is closed");
        }
        for given in &decision.permissions {
            let allowed = self.roles.entry(given.key.role.clone()).or_default();
            assert_eq!(allowed.insert(given.key.permission, given.from_event), None, "a permission is given once");
        }
        self.roles.retain(|_, allowed| !allowed.is_empty());
        for closed in &decision.grants_closed {
            let held = self.grants.get_mut(&closed.key.principal).unwrap();
            assert_eq!(held.remove(&closed.key.role), Some(closed.from_event), "the period that is closed");
        }
        for given in &decision.grants {
            let held = self.grants.entry(given.key.principal.clone()).or_default();
            assert_eq!(held.insert(given.key.role.clone(), given.from_event), None, "a role is given once");
        }
    }
}
