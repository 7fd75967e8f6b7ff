//! The way in: what a command is, and the order in which every command is judged.

use std::fmt::Debug;
use std::sync::Arc;

use super::Ids;
use super::access::{Authorization, Requirement};
use super::changeset::Changeset;
use super::code::StoreId;
use super::decision::Decision;
use super::idempotency::{IdempotencyKey, StoredResponseKey};
use super::needs::Needs;
use super::order::actions::{Action, allowed};
use super::order::receipt::Receipt;
use super::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey};
use super::outcome::Outcome;
use super::principal::Principal;
use super::refusal::Refusal;
use super::store::Store;
use super::time::Timestamp;
use super::working_set::WorkingSet;

/// A command: one per mutating rpc.
///
/// It is judged in two stages. The gate looks at what is loaded for every command in one statement:
/// store, permissions, stored response, header. Only a command that passes it has its needs loaded and
/// decides, so a caller who may not, or who is late, costs no more than a header.
pub trait Command: Debug + Send + Sync {
    /// What it requires of its caller.
    fn requires(&self) -> Requirement;

    /// The order that it is about; the gate judges its existence, etag and state.
    fn target(&self) -> Option<Target<'_>> {
        None
    }

    /// Judges what the target's header alone decides, after its state.
    fn check_header(&self, _order: &Order) -> Result<(), Refusal> {
        Ok(())
    }

    /// Adds what it must know before it can decide.
    fn needs(&self, needs: &mut Needs);

    /// Decides, behind the gate. Existence of lines is judged first, then the rules; the first stage
    /// that fails answers with all its violations, the first 20 and their total.
    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal>;
}

/// The order that a command is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// Which.
    pub order: OrderId,
    /// The receipt of it that the command names, if it names one.
    pub receipt: Option<i32>,
    /// Its etag as the caller saw it, or empty.
    pub etag: &'a str,
    /// What is to be done to it.
    pub action: Action,
}

impl<'a> Target<'a> {
    /// An order, as a whole.
    pub const fn order(order: OrderId, etag: &'a str, action: Action) -> Self {
        Self { order, receipt: None, etag, action }
    }

    /// Refuses unless the order, and the receipt that is named, exist and the etag is the order's or
    /// empty.
    pub fn check_existence_and_etag(&self, order: Option<&Order>) -> Result<(), Refusal> {
        let order = order.ok_or(Refusal::OrderNotFound)?;
        // Receipts are numbered without a gap and never deleted.
        if let Some(receipt) = self.receipt.filter(|receipt| *receipt > order.counters.last_receipt) {
            return Err(Refusal::ReceiptNotFound { number: order.number.clone(), receipt });
        }
        order.check_etag(self.etag)
    }
}

/// A command with the store it is about and who sent it.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The store.
    pub store: StoreId,
    /// The caller.
    pub principal: Principal,
    /// The client's request id, if it made one.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The command.
    pub command: Arc<dyn Command>,
}

impl Envelope {
    /// Where the first answer to `mark` is kept.
    pub fn stored_response_key_of(&self, key: &IdempotencyKey) -> StoredResponseKey {
        StoredResponseKey { store: self.store.clone(), principal: self.principal.id.clone(), id: key.id }
    }

    /// Where the first answer to this request is kept, if it carries an id.
    pub fn stored_response_key(&self) -> Option<StoredResponseKey> {
        self.idempotency_key.as_ref().map(|key| self.stored_response_key_of(key))
    }

    /// The full key of an order of its store.
    pub fn order_key(&self, order: OrderId) -> OrderKey {
        OrderKey { store: self.store.clone(), order }
    }

    /// The needs of its command.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        self.command.needs(&mut needs);
        needs
    }
}

/// A request that passed the gate.
#[derive(Clone, Debug)]
pub enum Passed {
    /// Its command is to be decided.
    ToDecide(Authorization),
    /// It was answered before, with this outcome.
    Replay(Outcome),
}

/// The first stage of judging a request: store access and permission, stored response, and then the
/// target's existence, etag and state.
pub fn gate(working_set: &WorkingSet, envelope: &Envelope) -> Result<Passed, Refusal> {
    let command = &envelope.command;
    let authorization = working_set.authorize(&envelope.store, &envelope.principal, command.requires())?;
    if let Some(outcome) = stored_outcome(working_set, envelope)? {
        return Ok(Passed::Replay(outcome));
    }
    if let Some(target) = command.target() {
        let order = working_set.order(&envelope.order_key(target.order))?;
        target.check_existence_and_etag(order)?;
        let order = order.ok_or(Refusal::OrderNotFound)?;
        target.action.check(order)?;
        command.check_header(order)?;
    }
    Ok(Passed::ToDecide(authorization))
}

/// What judging a request came to.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// It changes something, or is the first to ask.
    Decided(Box<Decision>, Outcome),
    /// It was answered before.
    Replayed(Outcome),
}

/// Judges a request: the gate once more, because the commands before it in its transaction may have
/// changed what it judges, and then the command itself.
pub fn decide(
    working_set: &WorkingSet,
    envelope: &Envelope,
    wall_clock: Timestamp,
    ids: &dyn Ids,
) -> Result<Verdict, Refusal> {
    let authorization = match gate(working_set, envelope)? {
        Passed::Replay(outcome) => return Ok(Verdict::Replayed(outcome)),
        Passed::ToDecide(authorization) => authorization,
    };
    let mut changeset = Changeset::new(working_set, envelope, authorization, wall_clock, ids)?;
    let outcome = envelope.command.decide(&mut changeset)?;
    Ok(Verdict::Decided(Box::new(changeset.finish(&outcome)?), outcome))
}

fn stored_outcome(working_set: &WorkingSet, envelope: &Envelope) -> Result<Option<Outcome>, Refusal> {
    let Some(key) = &envelope.idempotency_key else { return Ok(None) };
    match working_set.stored_responses.get(&envelope.stored_response_key_of(key))? {
        None => Ok(None),
        Some(record) if record.fingerprint == key.fingerprint => Ok(Some(record.outcome.clone())),
        Some(_) => Err(Refusal::RequestIdReused),
    }
}

/// An order's header as one caller may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The header.
    pub order: Order,
    /// What the caller may do with it now.
    pub allowed_actions: Vec<Action>,
}

/// What a caller is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the command came to: the same on each replay.
    pub outcome: Outcome,
    /// The store as it stands.
    pub store: Store,
    /// The order as it stands.
    pub order: Option<OrderView>,
    /// The receipt that the command booked or voided.
    pub receipt: Option<Receipt>,
    /// The lines that it touched, as they stand.
    pub lines: Vec<Line>,
}

/// Answers a request from the working_set that its decision was absorbed into.
pub fn reply(working_set: &WorkingSet, envelope: &Envelope, outcome: Outcome) -> Result<Reply, Refusal> {
    let store = working_set.store(&envelope.store)?.cloned();
    let store = store.ok_or_else(|| Refusal::StoreNotFound(envelope.store.clone()))?;
    let Some(id) = outcome.order() else {
        return Ok(Reply { outcome, store, order: None, receipt: None, lines: Vec::new() });
    };
    let key = envelope.order_key(id);
    let order = working_set.order(&key)?.cloned().ok_or(Refusal::OrderNotFound)?;
    let permissions = working_set.permissions_of(&envelope.store, &envelope.principal.id)?;
    let allowed_actions = allowed(&order, permissions);
    let mut lines = Vec::with_capacity(outcome.lines().len());
    for number in outcome.lines() {
        lines.extend(working_set.line(&LineKey { order: key.clone(), number: *number })?.cloned());
    }
    let receipt = match outcome.receipt() {
        Some(number) => working_set.receipts.get(&ReceiptKey { order: key, number })?.cloned(),
        None => None,
    };
    Ok(Reply { outcome, store, order: Some(OrderView { order, allowed_actions }), receipt, lines })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::order::State;
    use crate::domain::order::complete::{CompleteOrder, Disposition};
    use crate::domain::order::place::PlaceOrder;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore};

    fn request_id(fingerprint: &str) -> Option<IdempotencyKey> {
        Some(IdempotencyKey { id: Uuid::from_u128(7), fingerprint: fingerprint.to_owned() })
    }

    fn place(order: OrderId) -> PlaceOrder {
        PlaceOrder { order, etag: "1".to_owned(), order_time: None }
    }

    #[test]
    fn a_request_that_was_answered_is_answered_again_and_changes_nothing() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        store.request_id = request_id("place");
        let first = store.send(place(order)).unwrap();
        assert!(store.decided.stored_response.is_some());
        // The order is no draft any more and its etag is another: the stored response comes first.
        let again = store.send(place(order)).unwrap();
        assert_eq!(first, again);
        assert_eq!(store.events(), [""; 0]);
    }

    #[test]
    fn a_replay_shows_the_order_as_it_is_now() {
        let mut store = TestStore::new();
        let order = store.order_in(State::Receiving);
        store.request_id = request_id("complete");
        let command = CompleteOrder {
            order,
            etag: String::new(),
            lines: Vec::new(),
            default_disposition: Some(Disposition::BackOrder),
            cancel_reason: None,
            expected_date: None,
        };
        let first = store.send(command.clone()).unwrap();
        store.change_order(order, |order| order.note = Some("afterwards".to_owned()));
        let again = store.send(command).unwrap();
        assert_eq!(first.outcome, again.outcome);
        assert_eq!(again.order.unwrap().order.note.as_deref(), Some("afterwards"));
    }

    #[test]
    fn a_request_id_is_not_used_for_another_request() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        store.request_id = request_id("place");
        store.accept(place(order));
        store.request_id = request_id("another");
        assert_eq!(store.refuse(place(NO_SUCH_ORDER)), "REQUEST_ID_REUSED");
        // The permission is judged first: who lost it learns nothing of what was answered.
        store.role("owner", &[Permission::View]);
        assert_eq!(store.refuse(place(NO_SUCH_ORDER)), "PERMISSION_MISSING");
        // Request ids are the caller's own.
        store.call_with(&[Permission::Place]);
        assert_eq!(store.refuse(place(NO_SUCH_ORDER)), "PURCHASE_ORDER_NOT_FOUND");
    }

    #[test]
    fn what_a_command_reads_beyond_its_needs_is_a_bug() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        let envelope = store.envelope(place(order));
        let mut working_set = WorkingSet::default();
        let all = store.load(&envelope);
        working_set.stores = all.stores.clone();
        working_set.insert_permissions(envelope.store.clone(), envelope.principal.id.clone(), Permission::ALL.into());
        working_set.orders = all.orders.clone();

        struct NoIds;
        impl Ids for NoIds {
            fn next(&self, _: &StoreId) -> Uuid {
                panic!("no id is needed")
            }
        }
        let refusal = decide(&working_set, &envelope, store.now, &NoIds).unwrap_err();
        assert_eq!(refusal.to_string(), "a command read all lines of an order that its needs did not name");
        assert_eq!(refusal.reason(), "INTERNAL");
    }
}
