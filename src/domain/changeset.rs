//! A decision in the making: what one command has read and put so far, on top of a working_set that it
//! cannot change. Everything that follows from the rows it puts is worked out here and nowhere else:
//! header counters, levels, the store's counters, event numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::Ids;
use super::access::{Authorization, GrantKey, Permission, RolePermissionKey, ValidityPeriod};
use super::code::{PrincipalId, ProductId, RoleId};
use super::command::Envelope;
use super::decision::Decision;
use super::event::{Detail, Event, OrderRevision};
use super::idempotency::StoredResponse;
use super::inventory::{InboundStock, Level, LevelKey, Movement};
use super::order::receipt::{Receipt, ReceiveTimes, StagedItem};
use super::order::{Line, LineKey, Order, OrderCounters, OrderId, OrderKey, ReceiptKey};
use super::outcome::Outcome;
use super::refusal::{Refusal, TruncatedList};
use super::store::Store;
use super::time::Timestamp;
use super::unit::Unit;
use super::working_set::{NotLoaded, WorkingSet};

/// See the module.
pub struct Changeset<'a> {
    working_set: &'a WorkingSet,
    envelope: &'a Envelope,
    authorization: Authorization,
    now: Timestamp,
    ids: &'a dyn Ids,
    store: Option<Store>,
    orders: BTreeMap<OrderKey, Order>,
    lines: BTreeMap<LineKey, Line>,
    receipts: BTreeMap<ReceiptKey, Receipt>,
    levels: BTreeMap<LevelKey, Level>,
    decision: Decision,
}

impl<'a> Changeset<'a> {
    /// An empty draft for an admitted caller. The store's clock is `wall_clock`, or the store's last
    /// event if that is later.
    pub fn new(
        working_set: &'a WorkingSet,
        envelope: &'a Envelope,
        authorization: Authorization,
        wall_clock: Timestamp,
        ids: &'a dyn Ids,
    ) -> Result<Self, NotLoaded> {
        let store = working_set.store(&envelope.store)?.cloned();
        let now = store.as_ref().map_or(wall_clock, |store| wall_clock.max(store.last_event_time));
        Ok(Self {
            working_set,
            envelope,
            authorization,
            now,
            ids,
            store,
            orders: BTreeMap::new(),
            lines: BTreeMap::new(),
            receipts: BTreeMap::new(),
            levels: BTreeMap::new(),
            decision: Decision::default(),
        })
    }

    /// The time by the store's clock.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// How the caller came in.
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// Who calls.
    pub fn caller(&self) -> &PrincipalId {
        &self.envelope.principal.id
    }

    /// A new order id.
    pub fn new_order_id(&self) -> OrderId {
        OrderId(self.ids.next(&self.envelope.store))
    }

    /// The full key of an order of this store.
    pub fn order_key(&self, order: OrderId) -> OrderKey {
        self.envelope.order_key(order)
    }
}

/// The store.
impl Changeset<'_> {
    /// Whether the store exists.
    pub fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// The store as this draft leaves it.
    pub fn store(&self) -> Result<&Store, Refusal> {
        self.store.as_ref().ok_or_else(|| Refusal::StoreNotFound(self.envelope.store.clone()))
    }

    /// The store, to change.
    pub fn store_mut(&mut self) -> Result<&mut Store, Refusal> {
        self.store.as_mut().ok_or_else(|| Refusal::StoreNotFound(self.envelope.store.clone()))
    }

    /// Makes the store.
    pub fn create_store(&mut self, store: Store) {
        self.store = Some(store);
    }

    /// The store's open orders.
    pub fn open_orders(&self) -> Result<TruncatedList<String>, Refusal> {
        Ok(self.working_set.open_orders(&self.envelope.store)?.clone())
    }

    /// Records what happened, if not to an order; its number.
    pub fn record(&mut self, detail: Detail) -> Result<i64, Refusal> {
        self.record_event(None, detail)
    }

    fn record_event(&mut self, order: Option<OrderRevision>, detail: Detail) -> Result<i64, Refusal> {
        let (store, time) = (self.envelope.store.clone(), self.now);
        let last = self.store_mut()?;
        last.last_event += 1;
        last.last_event_time = time;
        let number = last.last_event;
        let (actor, as_operator) = (self.caller().clone(), self.authorization.as_operator);
        self.decision.events.push(Event { store, number, time, actor, as_operator, order, detail });
        Ok(number)
    }
}

/// Roles and grants. Each call follows the event that it belongs to.
impl Changeset<'_> {
    /// What a role allows; `None` if there is no such role.
    pub fn find_role(&self, role: &RoleId) -> Result<Option<BTreeSet<Permission>>, Refusal> {
        let roles = self.working_set.roles(&self.envelope.store)?;
        Ok(roles.get(role).map(|allowed| allowed.keys().copied().collect()))
    }

    /// What a role that must be there allows.
    pub fn role(&self, role: &RoleId) -> Result<BTreeSet<Permission>, Refusal> {
        self.find_role(role)?.ok_or_else(|| Refusal::RoleNotFound(role.clone()))
    }

    /// How many roles the store has.
    pub fn role_count(&self) -> Result<usize, Refusal> {
        Ok(self.working_set.roles(&self.envelope.store)?.len())
    }

    /// Whether a principal holds a role.
    pub fn holds(&self, principal: &PrincipalId, role: &RoleId) -> Result<bool, Refusal> {
        Ok(self.working_set.roles_of(&self.envelope.store, principal)?.contains_key(role))
    }

    /// Who holds a role.
    pub fn holders(&self, role: &RoleId) -> Result<Vec<PrincipalId>, Refusal> {
        let all_grants = self.working_set.all_grants(&self.envelope.store)?;
        Ok(all_grants.into_iter().filter(|(_, held)| held.contains_key(role)).map(|(who, _)| who.clone()).collect())
    }

    /// Refuses unless somebody would hold MANAGE_ACCESS if only those grants counted that `counts`.
    pub fn check_access_manager_remains(&self, counts: impl Fn(&PrincipalId, &RoleId) -> bool) -> Result<(), Refusal> {
        let roles = self.working_set.roles(&self.envelope.store)?;
        let manages = |role: &RoleId| roles.get(role).is_some_and(|may| may.contains_key(&Permission::ManageAccess));
        let all_grants = self.working_set.all_grants(&self.envelope.store)?;
        let mut grants = all_grants.into_iter().flat_map(|(who, held)| held.keys().map(move |role| (who, role)));
        let is_left = grants.any(|(who, role)| manages(role) && counts(who, role));
        if is_left { Ok(()) } else { Err(Refusal::LastAccessManager) }
    }

    /// Lets a role allow more; makes it if it allowed nothing.
    pub fn allow(&mut self, role: &RoleId, permissions: impl IntoIterator<Item = Permission>) -> Result<(), Refusal> {
        let from_event = self.store()?.last_event;
        for permission in permissions {
            let key = self.role_permission_key(role, permission);
            self.decision.permissions.push(ValidityPeriod { key, from_event, to_event: None });
        }
        Ok(())
    }

    /// Lets a role allow no more of these; one that then allows nothing is gone.
    pub fn disallow(&mut self, role: &RoleId, permissions: &BTreeSet<Permission>) -> Result<(), Refusal> {
        let to_event = Some(self.store()?.last_event);
        let allowed = self.working_set.roles(&self.envelope.store)?.get(role);
        for (permission, from_event) in allowed.into_iter().flatten() {
            if permissions.contains(permission) {
                let key = self.role_permission_key(role, *permission);
                self.decision.permissions_closed.push(ValidityPeriod { key, from_event: *from_event, to_event });
            }
        }
        Ok(())
    }

    fn role_permission_key(&self, role: &RoleId, permission: Permission) -> RolePermissionKey {
        RolePermissionKey { store: self.envelope.store.clone(), role: role.clone(), permission }
    }

    /// Gives a role.
    pub fn grant(&mut self, principal: &PrincipalId, role: &RoleId) -> Result<(), Refusal> {
        let from_event = self.store()?.last_event;
        let key = self.grant_key(principal, role);
        self.decision.grants.push(ValidityPeriod { key, from_event, to_event: None });
        Ok(())
    }

    /// Takes a role away.
    pub fn revoke(&mut self, principal: &PrincipalId, role: &RoleId) -> Result<(), Refusal> {
        let to_event = Some(self.store()?.last_event);
        let held = self.working_set.roles_of(&self.envelope.store, principal)?;
        if let Some(from_event) = held.get(role).copied() {
            let key = self.grant_key(principal, role);
            self.decision.grants_closed.push(ValidityPeriod { key, from_event, to_event });
        }
        Ok(())
    }

    fn grant_key(&self, principal: &PrincipalId, role: &RoleId) -> GrantKey {
        GrantKey { store: self.envelope.store.clone(), principal: principal.clone(), role: role.clone() }
    }
}

/// Orders, lines and receipts.
impl Changeset<'_> {
    /// An order's header as it stood before this draft.
    pub fn order(&self, order: OrderId) -> Result<Order, Refusal> {
        self.working_set.order(&self.order_key(order))?.cloned().ok_or(Refusal::OrderNotFound)
    }

    /// The lines with these numbers, in this order; all that do not exist are refused together.
    pub fn lines(&self, order: &Order, numbers: impl IntoIterator<Item = i32>) -> Result<Vec<Line>, Refusal> {
        let (mut found, mut missing) = (Vec::new(), Vec::new());
        for number in numbers {
            let key = LineKey { order: order.key.clone(), number };
            match self.working_set.line(&key)? {
                Some(line) => found.push(line.clone()),
                None => missing.push(number),
            }
        }
        match TruncatedList::of_nonempty(missing) {
            Some(lines) => Err(Refusal::LinesNotFound { number: order.number.clone(), lines }),
            None => Ok(found),
        }
    }

    /// Every line of an order.
    pub fn all_lines(&self, order: &Order) -> Result<Vec<Line>, Refusal> {
        let lines: Vec<Line> = self.working_set.lines_of(&order.key)?.into_iter().cloned().collect();
        // Lines are loaded together with levels: one without a level would be missing here, and must not
        // be forgotten silently.
        if lines.len() != order.counters.lines as usize {
            let found = lines.len();
            return Err(Refusal::Bug(format!("{found} lines of {} found: {:?}", order.number, order.counters)));
        }
        Ok(lines)
    }

    /// A receipt of an order.
    pub fn receipt(&self, order: &Order, number: i32) -> Result<Receipt, Refusal> {
        let key = ReceiptKey { order: order.key.clone(), number };
        let not_found = || Refusal::ReceiptNotFound { number: order.number.clone(), receipt: number };
        self.working_set.receipts.get(&key)?.cloned().ok_or_else(not_found)
    }

    /// The items of an order's active receipts, by receipt and line.
    pub fn staged_items(&self, order: &Order) -> Result<Vec<StagedItem>, Refusal> {
        Ok(self.working_set.staged_items_of(&order.key)?.to_vec())
    }

    /// When the lines of a receipt were received by the order's other active receipts.
    pub fn other_receive_times(&self, receipt: &ReceiptKey) -> Result<BTreeMap<i32, ReceiveTimes>, Refusal> {
        Ok(self.working_set.other_receive_times(receipt)?.clone())
    }

    /// Puts a line. A line whose order changes state is put even if it stays as it is: what it adds
    /// to its product's level changes.
    pub fn put_line(&mut self, line: Line) {
        self.lines.insert(line.key.clone(), line);
    }

    /// Puts all lines of a draft instead of those it has. Lines of a draft add nothing to levels, so
    /// those that go leave nothing behind.
    pub fn replace_lines(&mut self, draft: &Order, lines: Vec<Line>) -> Result<(), Refusal> {
        lines.into_iter().for_each(|line| self.put_line(line));
        let before = self.working_set.lines_of(&draft.key)?;
        let gone = before.into_iter().filter(|line| self.lines.get(&line.key) != Some(*line));
        self.decision.lines_removed = gone.map(|line| line.key.clone()).collect();
        Ok(())
    }

    /// Puts a receipt.
    pub fn put_receipt(&mut self, receipt: Receipt) {
        self.receipts.insert(receipt.key.clone(), receipt);
    }

    /// Puts an order with the one event that tells what happened to it; the event's number. Its
    /// counters follow from the lines and receipts put, before or afterwards.
    pub fn put_order(&mut self, mut order: Order, detail: Detail) -> Result<i64, Refusal> {
        order.revision += 1;
        let revision = OrderRevision { order: order.key.order, revision: order.revision, state: order.state };
        let number = self.record_event(Some(revision), detail)?;
        if order.revision == 1 {
            order.create_event = number;
        }
        self.orders.insert(order.key.clone(), order);
        Ok(number)
    }
}

/// Levels.
impl Changeset<'_> {
    /// The level of a product as this draft leaves it; `None` if no order named it before.
    pub fn level(&self, product: &ProductId) -> Result<Option<Level>, Refusal> {
        let key = self.level_key(product);
        Ok(match self.levels.get(&key) {
            Some(level) => Some(level.clone()),
            None => self.working_set.levels.get(&key)?.cloned(),
        })
    }

    /// Makes the level of a product that no order named before.
    pub fn create_level(&mut self, product: &ProductId, unit: Unit) {
        let key = self.level_key(product);
        self.levels.insert(key.clone(), Level::empty(key, unit));
    }

    /// Puts a quantity on hand: a ledger row, numbered and balanced here.
    pub fn post(&mut self, movement: Movement) -> Result<(), Refusal> {
        let level = self.level_to_change(&movement.level)?;
        level.on_hand += movement.quantity;
        level.last_movement += 1;
        let (number, balance_after) = (level.last_movement, level.on_hand);
        self.decision.movements.push(Movement { number, balance_after, ..movement });
        Ok(())
    }

    fn level_key(&self, product: &ProductId) -> LevelKey {
        LevelKey { store: self.envelope.store.clone(), product: product.clone() }
    }

    fn level_to_change(&mut self, key: &LevelKey) -> Result<&mut Level, Refusal> {
        if !self.levels.contains_key(key) {
            let level = self.working_set.levels.get(key)?.cloned().ok_or(NotLoaded("the level of a line's product"))?;
            self.levels.insert(key.clone(), level);
        }
        self.levels.get_mut(key).ok_or_else(|| NotLoaded("a level").into())
    }
}

/// Finishing.
impl Changeset<'_> {
    /// The decision: everything put, and everything that follows from it.
    pub fn finish(mut self, outcome: &Outcome) -> Result<Decision, Refusal> {
        self.derive_levels()?;
        self.derive_counters()?;
        self.derive_open_orders()?;
        self.check_levels()?;
        let stored_response = self.envelope.idempotency_key.as_ref().map(|key| StoredResponse {
            key: self.envelope.stored_response_key_of(key),
            fingerprint: key.fingerprint.clone(),
            create_time: self.now,
            outcome: outcome.clone(),
        });
        let lines = self.changed_lines()?;
        let store_before = self.working_set.store(&self.envelope.store)?;
        Ok(Decision {
            stores: self.store.into_iter().filter(|store| store_before != Some(store)).collect(),
            orders: self.orders.into_values().collect(),
            lines,
            receipts: self.receipts.into_values().collect(),
            levels: self.levels.into_values().collect(),
            stored_response,
            ..self.decision
        })
    }

    /// The lines that were put and are not as they were.
    fn changed_lines(&self) -> Result<Vec<Line>, NotLoaded> {
        let mut changed = Vec::new();
        for line in self.lines.values() {
            if self.line_before(&line.key)? != Some(line) {
                changed.push(line.clone());
            }
        }
        Ok(changed)
    }

    /// A line as it stood before this draft; none of an order that the draft creates.
    fn line_before(&self, key: &LineKey) -> Result<Option<&Line>, NotLoaded> {
        match self.creates(&key.order) {
            true => Ok(None),
            false => self.working_set.line(key),
        }
    }

    /// An order as it stood before this draft; none that the draft creates.
    fn order_before(&self, key: &OrderKey) -> Result<Option<&Order>, NotLoaded> {
        match self.creates(key) {
            true => Ok(None),
            false => self.working_set.order(key),
        }
    }

    /// A new order's id is not looked for: nobody else can have it.
    fn creates(&self, key: &OrderKey) -> bool {
        self.orders.get(key).is_some_and(|order| order.revision == 1)
    }

    /// What each line put adds to its product's level, instead of what it added before.
    fn derive_levels(&mut self) -> Result<(), Refusal> {
        let mut exchanges = Vec::new();
        for line in self.lines.values() {
            let before = match (self.order_before(&line.key.order)?, self.line_before(&line.key)?) {
                (Some(order), Some(line)) => InboundStock::of(order, line),
                _ => InboundStock::default(),
            };
            let after = InboundStock::of(self.order_after(&line.key.order)?, line);
            if before != after {
                exchanges.push((line.level_key(), before, after));
            }
        }
        for (key, before, after) in exchanges {
            self.level_to_change(&key)?.inbound.exchange(before, after);
        }
        Ok(())
    }

    fn order_after(&self, key: &OrderKey) -> Result<&Order, Refusal> {
        self.orders.get(key).ok_or_else(|| Refusal::Bug("a line was put without its order".to_owned()))
    }

    /// The counters that headers keep over their lines and receipts.
    fn derive_counters(&mut self) -> Result<(), Refusal> {
        let mut counters: BTreeMap<OrderKey, OrderCounters> = BTreeMap::new();
        for (key, order) in &self.orders {
            counters.insert(key.clone(), order.counters);
        }
        for line in self.lines.values() {
            let before = self.line_before(&line.key)?;
            if let Some(counters) = counters.get_mut(&line.key.order) {
                counters.count_line(before, Some(line));
            }
        }
        for key in self.decision.lines_removed.iter().filter(|key| !self.lines.contains_key(key)) {
            let before = self.line_before(key)?;
            if let Some(counters) = counters.get_mut(&key.order) {
                counters.count_line(before, None);
            }
        }
        for receipt in self.receipts.values() {
            // A new receipt's number is the next one: it is not looked for.
            let before = match self.working_set.receipts.get(&receipt.key) {
                Err(NotLoaded(_)) if receipt.is_active() => None,
                found => found?,
            };
            if let Some(counters) = counters.get_mut(&receipt.key.order) {
                counters.count_receipt(before, receipt);
            }
        }
        for (key, counters) in counters {
            if let Some(order) = self.orders.get_mut(&key) {
                order.counters = counters;
            }
        }
        Ok(())
    }

    fn derive_open_orders(&mut self) -> Result<(), Refusal> {
        let mut change = 0;
        for order in self.orders.values() {
            let was_open = self.order_before(&order.key)?.is_some_and(|before| before.state.is_open());
            change += i64::from(order.state.is_open()) - i64::from(was_open);
        }
        if change != 0 {
            self.store_mut()?.open_orders += change;
        }
        Ok(())
    }

    fn check_levels(&self) -> Result<(), Refusal> {
        let beyond = self.levels.values().filter(|level| !level.is_within_range());
        let beyond = beyond.map(|level| level.key.product.clone()).collect();
        TruncatedList::of_nonempty(beyond).map_or(Ok(()), |products| Err(Refusal::LevelOutOfRange(products)))
    }
}
