//! What a command is, and the order in which every command is judged.
//!
//! The order is the same for all commands and is kept here, so that no command can forget a step:
//! permission, stored response, existence, etag, state, and then the rules of the command itself.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::sync::Arc;

use super::Ids;
use super::access::{Authorization, CostVisibility, Permission, Requirement};
use super::changeset::Changeset;
use super::code::{ProductId, StoreId};
use super::decision::Decision;
use super::idempotency::{IdempotencyKey, StoredResponseKey};
use super::inventory::{Level, LevelKey};
use super::needs::Needs;
use super::order::actions::{Action, allowed};
use super::order::receipt::Receipt;
use super::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey};
use super::outcome::{Outcome, OutcomeOfOrder};
use super::principal::Principal;
use super::refusal::{Refusal, TruncatedList};
use super::store::Store;
use super::time::Timestamp;
use super::working_set::WorkingSet;

/// A command: one type per mutating rpc, with everything that the request says.
///
/// It is judged in two stages. The gate judges what is loaded for every command of a batch by one
/// statement: store, permissions, stored response and header. Only a command that passes it has its
/// needs loaded and decides, so a caller who is not allowed to, or who acts on an outdated order, costs
/// no more than a header.
pub trait Command: Debug + Send + Sync {
    /// What it requires of its caller, by permission or as an operator.
    fn requires(&self) -> Requirement;

    /// The orders that it is about, of those that exist already; the gate judges their existence, etags and
    /// states.
    fn targets(&self) -> Vec<Target<'_>> {
        Vec::new()
    }

    /// Whether a refusal because of a target names the orders that it is true of. A request about one order
    /// need not be told which.
    fn names_refused_orders(&self) -> bool {
        false
    }

    /// Judges what can be judged by a target's header alone, after its state was judged.
    fn check_header(&self, _order: &Order) -> Result<(), Refusal> {
        Ok(())
    }

    /// Adds what must be loaded before it can decide, besides what the gate has loaded.
    fn needs(&self, needs: &mut Needs);

    /// Decides, after the gate. The existence of lines is judged first, then the rules; the first stage
    /// that fails refuses with all its violations, of which 20 are named.
    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal>;
}

/// The order that a command is about, and what the gate must know of the request to judge it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target<'a> {
    /// The id of the order, in the store of the request.
    pub order: OrderId,
    /// The receipt of the order that the command names, if it names one; its existence is judged too.
    pub receipt: Option<i32>,
    /// The etag of the order as the caller last saw it; empty if the caller does not care.
    pub etag: &'a str,
    /// What is to be done, by which state and quantities are judged; none for a command that is no action on
    /// the order and judges the state by [`Command::check_header`].
    pub action: Option<Action>,
}

impl<'a> Target<'a> {
    /// A target without a receipt.
    pub const fn order(order: OrderId, etag: &'a str, action: Action) -> Self {
        Self { order, receipt: None, etag, action: Some(action) }
    }

    /// Refuses unless the order, and the receipt that is named, exist.
    pub fn check_existence(&self, order: Option<&Order>) -> Result<(), Refusal> {
        let order = existing(order)?;
        // Receipts are numbered without a gap and never deleted.
        if let Some(receipt) = self.receipt.filter(|receipt| *receipt > order.counters.last_receipt) {
            return Err(Refusal::ReceiptNotFound { number: order.number.clone(), receipt });
        }
        Ok(())
    }
}

/// A command as it was sent: for which store, by whom and under which request id.
#[derive(Clone, Debug)]
pub struct Envelope {
    /// The store that the command is about; a command never touches another.
    pub store: StoreId,
    /// The authenticated caller.
    pub principal: Principal,
    /// The client's request id and the fingerprint of the request, if the client sent an id.
    pub idempotency_key: Option<IdempotencyKey>,
    /// The first field of the request that names a cost, if one does: it requires VIEW_COSTS, beside what
    /// the command requires.
    pub named_cost: Option<&'static str>,
    /// The command itself; shared, so that an envelope can be cloned for a reader or a writer.
    pub command: Arc<dyn Command>,
}

impl Envelope {
    /// Under which key the response to `key` is stored for this caller.
    pub fn stored_response_key_of(&self, key: &IdempotencyKey) -> StoredResponseKey {
        StoredResponseKey { store: self.store.clone(), principal: self.principal.id.clone(), id: key.id }
    }

    /// Under which key the response to this request is stored, if it carries a request id.
    pub fn stored_response_key(&self) -> Option<StoredResponseKey> {
        self.idempotency_key.as_ref().map(|key| self.stored_response_key_of(key))
    }

    /// Judges whether the caller may send the command, and with the costs that the request names. What the
    /// command requires is judged first, so that a caller who may do nothing is told that.
    pub fn authorize(&self, working_set: &WorkingSet) -> Result<Authorization, Refusal> {
        let authorization = working_set.authorize(&self.store, &self.principal, self.command.requires())?;
        authorization.check_named_cost(self.named_cost)?;
        Ok(authorization)
    }

    /// The full key of an order of the command's store.
    pub fn order_key(&self, order: OrderId) -> OrderKey {
        OrderKey { store: self.store.clone(), order }
    }

    /// The full key of the level of a product in the command's store.
    pub fn level_key(&self, product: ProductId) -> LevelKey {
        LevelKey { store: self.store.clone(), product }
    }

    /// What its command needs, collected once per submission or batch.
    pub fn needs(&self) -> Needs {
        let mut needs = Needs::default();
        self.command.needs(&mut needs);
        needs
    }
}

/// What the gate found about a request that it did not refuse.
#[derive(Clone, Debug)]
pub enum Passed {
    /// The request is new: its needs are to be loaded, and its command decides.
    ToDecide(Authorization),
    /// The request was carried out before, with this outcome, and is answered again.
    Replay(Outcome),
}

/// The first stage of judging a request, on what is loaded for every command: permission, stored
/// response, and then the existence, etag and state of the target. Permission comes first, so that
/// nobody learns about a store without a role in it; the stored response comes before the etag, because
/// the first answer has changed the etag itself.
pub fn gate(working_set: &WorkingSet, envelope: &Envelope) -> Result<Passed, Refusal> {
    let command = &envelope.command;
    // Before anything else, so that a refusal never tells a caller without access what there is.
    let authorization = envelope.authorize(working_set)?;
    // Before the target: what the first request did may be the very reason to refuse a second.
    if let Some(outcome) = stored_outcome(working_set, envelope)? {
        return Ok(Passed::Replay(outcome));
    }
    let targets = command.targets();
    // Stage by stage, so that a caller learns of all orders that do not exist before hearing of a state.
    check_each(working_set, envelope, &targets, |target, order| target.check_existence(order))?;
    check_each(working_set, envelope, &targets, |target, order| existing(order)?.check_etag(target.etag))?;
    check_each(working_set, envelope, &targets, |target, order| {
        let order = existing(order)?;
        target.action.map_or(Ok(()), |action| action.check(order))?;
        command.check_header(order)
    })?;
    Ok(Passed::ToDecide(authorization))
}

fn existing(order: Option<&Order>) -> Result<&Order, Refusal> {
    order.ok_or(Refusal::OrderNotFound)
}

/// Judges each target. A command about one order is refused with what is wrong with it; one about several
/// with what is wrong with the first, and the names of all of which the same is true.
fn check_each(
    working_set: &WorkingSet,
    envelope: &Envelope,
    targets: &[Target<'_>],
    check: impl Fn(&Target<'_>, Option<&Order>) -> Result<(), Refusal>,
) -> Result<(), Refusal> {
    let mut refused: Option<Refusal> = None;
    let mut orders = Vec::new();
    for target in targets {
        let order = working_set.order(&envelope.order_key(target.order))?;
        let Err(refusal) = check(target, order) else { continue };
        // The first refusal is the one that answers. An order is named with it only if its refusal has the same
        // reason, because one text must be true of all that are named.
        let first = refused.get_or_insert_with(|| refusal.clone());
        if first.reason() == refusal.reason() {
            // An order that does not exist has no number.
            orders.push(order.map_or_else(|| target.order.to_string(), |order| order.number.clone()));
        }
    }
    match refused {
        None => Ok(()),
        Some(refusal) if !envelope.command.names_refused_orders() => Err(refusal),
        Some(refusal) => Err(Refusal::OfOrders { refusal: Box::new(refusal), orders: TruncatedList::of(orders) }),
    }
}

/// The result of judging a request that was not refused.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// The request was carried out: what is to be written, and the outcome. The decision may be empty,
    /// if everything was as asked for.
    Decided(Box<Decision>, Outcome),
    /// The request was carried out before: there is nothing to write.
    Replayed(Outcome),
}

/// Judges a request: the gate again, because commands before it in its transaction may have changed
/// what the gate judged, and then the command itself. It changes nothing; the caller absorbs the
/// decision.
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
    // What follows from the rows is derived at the end, and a level beyond its limit refuses the command too.
    Ok(Verdict::Decided(Box::new(changeset.finish(&outcome)?), outcome))
}

fn stored_outcome(working_set: &WorkingSet, envelope: &Envelope) -> Result<Option<Outcome>, Refusal> {
    let Some(key) = &envelope.idempotency_key else { return Ok(None) };
    match working_set.stored_responses.get(&envelope.stored_response_key_of(key))? {
        None => Ok(None),
        Some(record) if record.fingerprint == key.fingerprint => Ok(Some(record.outcome.clone())),
        // Answering with the other request's outcome would tell the client that this one was carried out.
        Some(_) => Err(Refusal::RequestIdReused),
    }
}

/// An order's header with what one caller may do with the order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// The header of the order.
    pub order: Order,
    /// The actions that the caller could now take, by state, quantities and permissions.
    pub allowed_actions: Vec<Action>,
}

/// What a caller is answered of one order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReply {
    /// The order as it is now.
    pub view: OrderView,
    /// The receipt that the command booked or voided, if it did.
    pub receipt: Option<Receipt>,
    /// The lines that the command was about, as they are now: those that the receipt has items of, that goods were
    /// returned of, or that were amended, confirmed or cancelled.
    pub lines: Vec<Line>,
}

/// What a caller is answered. The outcome is what the command did; the rest is shown as it is when the
/// answer is given, which for a replay may be later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What the command did: the same on each replay.
    pub outcome: Outcome,
    /// Whether the caller may see the costs of the rest, by the permissions of this moment: for a replay
    /// they may be others than at first.
    pub costs: CostVisibility,
    /// The store as it is now.
    pub store: Store,
    /// The orders that the command was about.
    pub orders: Vec<OrderReply>,
    /// The level of the product that was adjusted as it is now; none if nothing was adjusted, or if the
    /// product is still new to the store.
    pub level: Option<Level>,
}

/// Builds the answer from the working set that the decision was absorbed into.
pub fn reply(working_set: &WorkingSet, envelope: &Envelope, outcome: Outcome) -> Result<Reply, Refusal> {
    let store = working_set.store(&envelope.store)?.cloned();
    let store = store.ok_or_else(|| Refusal::StoreNotFound(envelope.store.clone()))?;
    let level = match outcome.product() {
        Some(product) => working_set.levels.get(&envelope.level_key(product))?.cloned(),
        None => None,
    };
    let of_orders = outcome.orders();
    // Stores, roles and grants have no costs. Their permissions are not asked for, because a change of roles
    // or grants may have left them unknown.
    if of_orders.is_empty() && level.is_none() {
        return Ok(Reply { outcome, costs: CostVisibility::Hidden, store, orders: Vec::new(), level });
    }
    // By the permissions as they are now, which for a replay may be others than at first.
    let permissions = working_set.permissions_of(&envelope.store, &envelope.principal.id)?;
    let mut orders = Vec::with_capacity(of_orders.len());
    for of_order in of_orders {
        orders.push(order_reply(working_set, envelope, permissions, of_order)?);
    }
    Ok(Reply { outcome, costs: CostVisibility::of(permissions), store, orders, level })
}

fn order_reply(
    working_set: &WorkingSet,
    envelope: &Envelope,
    permissions: &BTreeSet<Permission>,
    of_order: OutcomeOfOrder<'_>,
) -> Result<OrderReply, Refusal> {
    let key = envelope.order_key(of_order.order);
    // Orders are never deleted, so a stored outcome finds its order also when it is replayed later.
    let order = working_set.order(&key)?.cloned().ok_or(Refusal::OrderNotFound)?;
    let mut lines = Vec::with_capacity(of_order.lines.len());
    for number in of_order.lines {
        // A replay may be later than an update by which a draft lost the line. Then the line is left out.
        lines.extend(working_set.line(&LineKey { order: key.clone(), number: *number })?.cloned());
    }
    let receipt = match of_order.receipt {
        Some(number) => working_set.receipts.get(&ReceiptKey { order: key, number })?.cloned(),
        None => None,
    };
    let allowed_actions = allowed(&order, permissions);
    Ok(OrderReply { view: OrderView { order, allowed_actions }, receipt, lines })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
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
            cancel_reason_code: None,
            expected_date: None,
        };
        let first = store.send(command.clone()).unwrap();
        store.change_order(order, |order| order.note = Some("afterwards".to_owned()));
        let again = store.send(command).unwrap();
        assert_eq!(first.outcome, again.outcome);
        assert_eq!(again.orders[0].view.order.note.as_deref(), Some("afterwards"));
    }

    #[test]
    fn a_reply_tells_whether_costs_are_shown_by_the_permissions_of_its_own_moment() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        store.request_id = request_id("place");
        assert_eq!(store.send(place(order)).unwrap().costs, CostVisibility::Shown);
        store.role("owner", &[Permission::View, Permission::Place]);
        assert_eq!(store.send(place(order)).unwrap().costs, CostVisibility::Hidden, "a replay");
        store.role("owner", &[Permission::ViewCosts, Permission::Place]);
        assert_eq!(store.send(place(order)).unwrap().costs, CostVisibility::Shown, "a later replay");
    }

    #[test]
    fn a_request_that_names_a_cost_requires_view_costs_beside_its_permission() {
        let mut store = TestStore::new();
        store.named_cost = Some("lines.unit_cost");
        // Each is judged before the existence of the order, and the command's own permission before the cost.
        for (permissions, refused) in [
            (
                &[Permission::View, Permission::Place][..],
                "lines.unit_cost names a cost, and your roles in this store lack the permission VIEW_COSTS",
            ),
            (&[Permission::ViewCosts], "your roles in this store lack the permission PLACE"),
            (&[Permission::View], "your roles in this store lack the permission PLACE"),
            (&[Permission::Place, Permission::ViewCosts], "there is no such purchase order in this store"),
        ] {
            store.call_with(permissions);
            assert_eq!(store.refusal_text(place(NO_SUCH_ORDER)), refused);
        }
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
