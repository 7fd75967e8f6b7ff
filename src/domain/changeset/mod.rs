//! What one command reads and changes while it decides.
//!
//! A changeset lies over a [`WorkingSet`] that it cannot change: a command that is refused half-way, or
//! that panics, leaves nothing behind. The command puts rows into it, and [`Changeset::finish`] turns
//! them into a [`Decision`]. Everything that follows from those rows (header counters, levels, the
//! store's counters) is derived in [`derived`] and nowhere else, so that no command can forget it; event
//! numbers are given here, so that a store's events have no gaps.

mod access;
mod derived;
mod levels;
mod orders;

use std::collections::BTreeMap;

use super::Ids;
use super::access::Authorization;
use super::code::PrincipalId;
use super::command::Envelope;
use super::decision::Decision;
use super::event::{Detail, Event, OrderSummary};
use super::idempotency::StoredResponse;
use super::inventory::{Level, LevelKey};
use super::order::receipt::{DeliveryId, Receipt};
use super::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey};
use super::outcome::Outcome;
use super::refusal::{Refusal, TruncatedList};
use super::store::Store;
use super::time::Timestamp;
use super::working_set::{NotLoaded, WorkingSet};

/// The rows that one command has put so far, over what was loaded.
///
/// Reading an order, line or receipt gives it as it was loaded, before this changeset: a command knows
/// what it has put itself. The store and levels are read as the changeset leaves them, because several
/// of its parts change the same row.
pub struct Changeset<'a> {
    working_set: &'a WorkingSet,
    envelope: &'a Envelope,
    authorization: Authorization,
    /// The store's clock, read once: everything that one command writes bears the same time.
    now: Timestamp,
    ids: &'a dyn Ids,
    /// The store's row with this changeset's event numbers and counters; `None` until it is created.
    store: Option<Store>,
    orders: BTreeMap<OrderKey, Order>,
    lines: BTreeMap<LineKey, Line>,
    receipts: BTreeMap<ReceiptKey, Receipt>,
    levels: BTreeMap<LevelKey, Level>,
    /// The rows that are only appended or closed: events, ledger rows, periods of roles and grants.
    decision: Decision,
}

impl<'a> Changeset<'a> {
    /// An empty changeset for a caller who passed the gate. The store's clock is `wall_clock`, or the time
    /// of the store's last event if that is later: a store's events never go back in time, even when
    /// the clocks of two instances differ.
    pub fn new(
        working_set: &'a WorkingSet,
        envelope: &'a Envelope,
        authorization: Authorization,
        wall_clock: Timestamp,
        ids: &'a dyn Ids,
    ) -> Result<Self, NotLoaded> {
        let store = working_set.store(&envelope.store)?.cloned();
        let now = match &store {
            Some(store) => wall_clock.max(store.last_event_time),
            None => wall_clock,
        };
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

    /// The time by the store's clock: the same for everything that the command writes.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// As what the caller passed the gate: as an operator or by their roles' permissions.
    pub fn authorization(&self) -> &Authorization {
        &self.authorization
    }

    /// The principal whom events and receipts name as the one who did it.
    pub fn caller(&self) -> &PrincipalId {
        &self.envelope.principal.id
    }

    /// An id for an order that the command creates.
    pub fn new_order_id(&self) -> OrderId {
        OrderId(self.ids.next(&self.envelope.store))
    }

    /// An id for a delivery that the command books for several orders.
    pub fn new_delivery_id(&self) -> DeliveryId {
        DeliveryId(self.ids.next(&self.envelope.store))
    }

    /// The full key of an order of the command's store.
    pub fn order_key(&self, order: OrderId) -> OrderKey {
        self.envelope.order_key(order)
    }
}

/// The store and its events.
impl Changeset<'_> {
    /// Whether the store exists; only its creation asks.
    pub fn has_store(&self) -> bool {
        self.store.is_some()
    }

    /// The store as this changeset leaves it. Refuses if there is none, which only a platform operator
    /// can get to see: everybody else was refused by the gate.
    pub fn store(&self) -> Result<&Store, Refusal> {
        self.store.as_ref().ok_or_else(|| Refusal::StoreNotFound(self.envelope.store.clone()))
    }

    /// The store, to change its settings or to take its next order number.
    pub fn store_mut(&mut self) -> Result<&mut Store, Refusal> {
        self.store.as_mut().ok_or_else(|| Refusal::StoreNotFound(self.envelope.store.clone()))
    }

    /// Creates the store; its first event follows.
    pub fn create_store(&mut self, store: Store) {
        self.store = Some(store);
    }

    /// The numbers of the store's open orders, the first of them by name.
    pub fn open_orders(&self) -> Result<TruncatedList<String>, Refusal> {
        Ok(self.working_set.open_orders(&self.envelope.store)?.clone())
    }

    /// Records an event that is not about an order, and returns its number. Events about an order are
    /// recorded by [`Changeset::put_order`].
    pub fn record(&mut self, detail: Detail) -> Result<i64, Refusal> {
        self.record_event(None, detail)
    }

    fn record_event(&mut self, order: Option<OrderSummary>, detail: Detail) -> Result<i64, Refusal> {
        let now = self.now;
        let store = self.store_mut()?;
        store.last_event += 1;
        store.last_event_time = now;
        let number = store.last_event;
        self.decision.events.push(Event {
            store: self.envelope.store.clone(),
            number,
            time: now,
            actor: self.caller().clone(),
            as_operator: self.authorization.as_operator,
            order,
            detail,
        });
        Ok(number)
    }
}

/// Finishing.
impl Changeset<'_> {
    /// The decision: the rows that were put, what follows from them, and the response to store for the
    /// request id. Refuses what only shows when everything is put: a level that would pass its limit.
    pub fn finish(mut self, outcome: &Outcome) -> Result<Decision, Refusal> {
        // In this order: due dates may put further lines, which levels and counters have to see; summaries show
        // the counters; and levels are judged with everything that was posted and derived.
        self.derive_due_dates()?;
        self.derive_levels()?;
        self.derive_counters()?;
        self.derive_open_orders()?;
        self.derive_summaries();
        self.check_levels()?;
        Ok(Decision {
            stored_response: self.stored_response(outcome),
            lines: self.changed_lines()?,
            stores: self.changed_store()?.into_iter().collect(),
            orders: self.orders.into_values().collect(),
            receipts: self.receipts.into_values().collect(),
            levels: self.levels.into_values().collect(),
            ..self.decision
        })
    }

    fn stored_response(&self, outcome: &Outcome) -> Option<StoredResponse> {
        let key = self.envelope.idempotency_key.as_ref()?;
        Some(StoredResponse {
            key: self.envelope.stored_response_key_of(key),
            fingerprint: key.fingerprint.clone(),
            create_time: self.now,
            outcome: outcome.clone(),
        })
    }

    fn changed_store(&self) -> Result<Option<Store>, NotLoaded> {
        if self.working_set.store(&self.envelope.store)? == self.store.as_ref() {
            return Ok(None);
        }
        Ok(self.store.clone())
    }

    /// The lines that differ from what was loaded: placing or completing puts every line of an order, and
    /// those that stay the same need no statement.
    fn changed_lines(&self) -> Result<Vec<Line>, NotLoaded> {
        let mut changed = Vec::new();
        for line in self.lines.values() {
            if self.line_before(&line.key)? != Some(line) {
                changed.push(line.clone());
            }
        }
        Ok(changed)
    }
}
