//! Random commands, legal and not: which, how often and by whom is one table, [`CASES`]. They are as
//! the rpcs would hand them on: what a form refuses never gets this far.

mod lots;
mod orders;
mod receiving;
mod scene;
mod stock;
mod stores;

use std::collections::VecDeque;
use std::sync::Arc;

use fastrand::Rng;
use purchase_order_service::domain::code::{PrincipalId, StoreId};
use purchase_order_service::domain::command::{Command, Envelope};
use purchase_order_service::domain::idempotency::IdempotencyKey;
use purchase_order_service::domain::principal::Principal;
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::store::back_orders::{DisableBackOrders, EnableBackOrders};
use purchase_order_service::domain::time::Timestamp;
use uuid::Uuid;

use self::orders::{
    amend_order, cancel_lines, cancel_order, complete_order, confirm_order, copy_order, create_order, place_order,
    reopen_order, update_order,
};
use self::receiving::{correct_receipt, deliver, receive, void_receipt};
use self::scene::{Scene, old};
use self::stock::adjust_inventory;
use self::stores::{create_role, create_store, delete_role, grant_role, revoke_role, update_role, update_store};
use crate::rules::pure::Pure;

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
    ("UpdateStore",      [ 3,  3], &[OWNER, OPERATOR],          update_store),
    ("CreateRole",       [ 7,  7], &[OWNER, OPERATOR],          create_role),
    ("UpdateRole",       [ 4,  4], &[OWNER, OPERATOR, TEMP],    update_role),
    ("DeleteRole",       [ 3,  3], &[OWNER, OPERATOR],          delete_role),
    ("GrantRole",        [10, 10], &[OPERATOR, OWNER, TEMP],    grant_role),
    ("RevokeRole",       [ 7,  7], &[OWNER, OPERATOR],          revoke_role),
    ("CreateOrder",      [46,  0], &[OWNER, MANAGER],           create_order),
    ("UpdateOrder",      [14,  6], &[OWNER, MANAGER],           update_order),
    ("CopyOrder",        [ 3,  0], &[OWNER, MANAGER],           copy_order),
    ("PlaceOrder",       [36,  8], &[OWNER, MANAGER],           place_order),
    ("Receive",          [60, 36], &[OWNER, MANAGER, RECEIVER], receive),
    ("ReceiveDelivery",  [ 8,  6], &[OWNER, MANAGER, RECEIVER], deliver),
    ("VoidReceipt",      [12, 20], &[OWNER, MANAGER, RECEIVER], void_receipt),
    ("CorrectReceipt",   [ 8,  8], &[OWNER, MANAGER, RECEIVER], correct_receipt),
    ("CompleteOrder",    [24, 40], &[OWNER, MANAGER],           complete_order),
    ("AmendOrder",       [14, 10], &[OWNER, MANAGER],           amend_order),
    ("ConfirmOrder",     [ 8,  6], &[OWNER, MANAGER],           confirm_order),
    ("CancelLines",      [10, 10], &[OWNER, MANAGER],           cancel_lines),
    ("CancelOrder",      [ 6, 40], &[OWNER, MANAGER],           cancel_order),
    ("ReopenOrder",      [ 9,  9], &[OWNER, MANAGER],           reopen_order),
    ("AdjustInventory",  [30, 30], &[OWNER, MANAGER],           adjust_inventory),
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
        let mut scene = Scene { rng: &mut self.rng, pure, store: store.clone(), now, is_ebb, named_cost: None };
        let command = make(&mut scene);
        let named_cost = scene.named_cost;
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
