//! A part of the database in memory: what was loaded for a batch of commands, and what they have
//! decided so far.
//!
//! Rules read it in place of a database, so they can be run and tested without one. Each entry is not
//! loaded, absent or present, and the three are kept apart: reading what was not loaded is a bug in a
//! command's needs, and answered as such. What a decision changes is noted with how it must be saved,
//! so that a batch is saved with a fixed number of statements, whatever its commands did.

mod access;
mod lots;

use std::collections::{BTreeMap, BTreeSet};

use super::access::{GrantKey, Permission, RolePermissionKey, ValidityPeriod};
use super::code::{PrincipalId, RoleId, StoreId};
use super::decision::Decision;
use super::event::Event;
use super::gtin::Gtin;
use super::idempotency::{StoredResponse, StoredResponseKey};
use super::inventory::lot::LotStock;
use super::inventory::{Level, LevelKey, Movement};
use super::needs::Need;
use super::order::cancellation::Cancellation;
use super::order::receipt::{Receipt, ReceiveTimes, StagedItem};
use super::order::receive::items::ProductSelector;
use super::order::reopen::LastCompletion;
use super::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey};
use super::outcome::KnownReceipt;
use super::refusal::TruncatedList;
use super::store::Store;

/// A command read something that its needs did not name. This is a bug in the command, and an error and
/// not "absent": a rule that took it for absent would decide wrongly and silently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a command read {0} that its needs did not name")]
pub struct NotLoaded(pub &'static str);

/// How an entry must be saved, which depends on what the database holds and not on how often it was
/// changed in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EntryStatus {
    Unchanged,
    New,
    Changed,
    /// It is stored, and must be deleted.
    Removed,
    /// It is stored and must be deleted, and another takes its place and must be inserted.
    Replaced,
}

/// One key that was looked for, or that a decision has put.
#[derive(Clone, Debug)]
struct Entry<V> {
    value: Option<V>,
    status: EntryStatus,
}

/// Entities of one kind by key, each not loaded (its key is missing), absent or present.
#[derive(Clone, Debug)]
pub struct EntityMap<K, V> {
    what: &'static str,
    entries: BTreeMap<K, Entry<V>>,
}

impl<K: Ord, V> EntityMap<K, V> {
    fn new(what: &'static str) -> Self {
        Self { what, entries: BTreeMap::new() }
    }

    /// Notes that `key` was looked for. It is absent unless it is loaded before or afterwards.
    pub fn insert_absent(&mut self, key: K) {
        // Several needs may look for the same key, and what another one has found must stay.
        self.entries.entry(key).or_insert(Entry { value: None, status: EntryStatus::Unchanged });
    }

    /// Notes what was found under `key` in the database.
    pub fn insert_loaded(&mut self, key: K, value: V) {
        self.entries.insert(key, Entry { value: Some(value), status: EntryStatus::Unchanged });
    }

    /// What is under `key`, or `None` if it was looked for and is absent.
    pub fn get(&self, key: &K) -> Result<Option<&V>, NotLoaded> {
        self.entries.get(key).map(|entry| entry.value.as_ref()).ok_or(NotLoaded(self.what))
    }

    fn is_loaded(&self, key: &K) -> bool {
        self.entries.contains_key(key)
    }

    /// Iterates over every entry that is present, in the order of the keys.
    pub fn present(&self) -> impl Iterator<Item = &V> {
        self.entries.values().filter_map(|entry| entry.value.as_ref())
    }

    /// The keys of rows to delete. They are deleted before anything is inserted, because another row
    /// may take a key.
    pub fn removed_keys(&self) -> Vec<&K> {
        let mut removed = Vec::new();
        for (key, entry) in &self.entries {
            if matches!(entry.status, EntryStatus::Removed | EntryStatus::Replaced) {
                removed.push(key);
            }
        }
        removed
    }

    /// The entries that are not stored yet, to be inserted.
    pub fn new_entries(&self) -> Vec<&V> {
        self.with_status(&[EntryStatus::New, EntryStatus::Replaced])
    }

    /// The entries that are stored and have changed, to be updated.
    pub fn changed_entries(&self) -> Vec<&V> {
        self.with_status(&[EntryStatus::Changed])
    }

    fn with_status(&self, statuses: &[EntryStatus]) -> Vec<&V> {
        let with_status = self.entries.values().filter(|entry| statuses.contains(&entry.status));
        with_status.filter_map(|entry| entry.value.as_ref()).collect()
    }

    fn put(&mut self, key: K, value: V) {
        // What counts is whether the row is stored, and not whether this batch has put it before: one that
        // was put twice is inserted once.
        let status = match self.entries.get(&key) {
            Some(Entry { status: EntryStatus::Removed | EntryStatus::Replaced, .. }) => EntryStatus::Replaced,
            Some(Entry { value: Some(_), status: EntryStatus::Unchanged | EntryStatus::Changed }) => {
                EntryStatus::Changed
            }
            // Absent, never looked for, or put by this batch alone: there is no row yet.
            _ => EntryStatus::New,
        };
        self.entries.insert(key, Entry { value: Some(value), status });
    }

    fn remove(&mut self, key: K) {
        let Some(entry) = self.entries.get_mut(&key) else {
            // Not loaded, so it is taken for stored. If it is not, the save finds nothing to delete, and fails.
            self.entries.insert(key, Entry { value: None, status: EntryStatus::Removed });
            return;
        };
        if entry.status == EntryStatus::New {
            // Put by this batch: nothing is stored yet, so nothing is to be deleted.
            entry.status = EntryStatus::Unchanged;
        } else if entry.value.is_some() {
            entry.status = EntryStatus::Removed;
        }
        entry.value = None;
    }
}

/// Rows that are added or removed by decisions and never read again in the same batch, in the order of the
/// decisions.
#[derive(Clone, Debug, Default)]
pub struct Appended {
    /// What was cancelled of lines.
    pub cancellations: Vec<Cancellation>,
    /// What is not cancelled any more, because the completion that had done it was undone.
    pub cancellations_removed: Vec<Cancellation>,
    /// Rows of stock ledgers.
    pub movements: Vec<Movement>,
    /// Events, by which all the other changes are explained.
    pub events: Vec<Event>,
    /// Responses to keep for requests that are sent again.
    pub stored_responses: Vec<StoredResponse>,
    /// Periods of permissions that begin: roles gain them.
    pub permissions: Vec<ValidityPeriod<RolePermissionKey>>,
    /// Periods of permissions that end: roles lose them.
    pub permissions_closed: Vec<ValidityPeriod<RolePermissionKey>>,
    /// Periods of grants that begin: principals gain roles.
    pub grants: Vec<ValidityPeriod<GrantKey>>,
    /// Periods of grants that end: principals lose roles.
    pub grants_closed: Vec<ValidityPeriod<GrantKey>>,
}

/// An order that is referred to without being loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderReference {
    /// The id of the order.
    pub order: OrderId,
    /// The number that people use.
    pub number: String,
}

/// A delivery note of one supplier of one store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeliveryNoteKey {
    /// The store that was delivered to.
    pub store: StoreId,
    /// The supplier who delivered: others may use the same numbers.
    pub supplier: String,
    /// The number of the delivery note.
    pub delivery_note: String,
}

/// The roles that one principal holds, each with the event that gave it.
pub type RoleGrants = BTreeMap<RoleId, i64>;

/// What one role allows, each permission with the event that gave it.
pub type RolePermissions = BTreeMap<Permission, i64>;

/// What was loaded for a batch of commands, and what they have decided since. Each command of the batch
/// sees the decisions of those before it, as if they were saved already.
#[derive(Clone, Debug)]
pub struct WorkingSet {
    /// The stores of the batch, which are locked.
    pub stores: EntityMap<StoreId, Store>,
    /// Responses to earlier requests, by request id.
    pub stored_responses: EntityMap<StoredResponseKey, StoredResponse>,
    /// Headers of orders.
    pub orders: EntityMap<OrderKey, Order>,
    /// Lines of orders, not necessarily all of an order: see `complete`.
    pub lines: EntityMap<LineKey, Line>,
    /// Receipts, each with all its items.
    pub receipts: EntityMap<ReceiptKey, Receipt>,
    /// Levels of products.
    pub levels: EntityMap<LevelKey, Level>,
    /// Rows to append when the batch is saved.
    pub appended: Appended,
    /// What the roles of each caller allow together, as the gate loads it.
    permissions: BTreeMap<(StoreId, PrincipalId), BTreeSet<Permission>>,
    /// Lots of products, as far as `complete` says that they are loaded.
    lots: BTreeMap<LevelKey, LotStock>,
    roles: BTreeMap<StoreId, BTreeMap<RoleId, RolePermissions>>,
    grants: BTreeMap<(StoreId, PrincipalId), RoleGrants>,
    open_orders: BTreeMap<StoreId, TruncatedList<String>>,
    external_ids: BTreeMap<(StoreId, String), Option<OrderReference>>,
    delivery_notes: BTreeMap<DeliveryNoteKey, Option<KnownReceipt>>,
    receivable_lines: BTreeMap<(StoreId, String, ProductSelector), Vec<LineKey>>,
    staged_items: BTreeMap<OrderKey, Vec<StagedItem>>,
    other_receive_times: BTreeMap<ReceiptKey, BTreeMap<i32, ReceiveTimes>>,
    last_completions: BTreeMap<OrderKey, LastCompletion>,
    /// The sets of rows that are loaded completely, so that what is missing from them is absent.
    complete: BTreeSet<(StoreId, Need)>,
}

impl Default for WorkingSet {
    fn default() -> Self {
        Self {
            stores: EntityMap::new("a store"),
            stored_responses: EntityMap::new("a stored response"),
            orders: EntityMap::new("an order"),
            lines: EntityMap::new("a line"),
            receipts: EntityMap::new("a receipt"),
            levels: EntityMap::new("a level"),
            appended: Appended::default(),
            permissions: BTreeMap::new(),
            lots: BTreeMap::new(),
            roles: BTreeMap::new(),
            grants: BTreeMap::new(),
            open_orders: BTreeMap::new(),
            external_ids: BTreeMap::new(),
            delivery_notes: BTreeMap::new(),
            receivable_lines: BTreeMap::new(),
            staged_items: BTreeMap::new(),
            other_receive_times: BTreeMap::new(),
            last_completions: BTreeMap::new(),
            complete: BTreeSet::new(),
        }
    }
}

/// Reading, by the gate and by commands.
impl WorkingSet {
    /// A store, or `None` if there is none with this id.
    pub fn store(&self, store: &StoreId) -> Result<Option<&Store>, NotLoaded> {
        self.stores.get(store)
    }

    /// An order's header, or `None` if the store has no such order.
    pub fn order(&self, key: &OrderKey) -> Result<Option<&Order>, NotLoaded> {
        self.orders.get(key)
    }

    /// A line, or `None` if the order has no such line.
    pub fn line(&self, key: &LineKey) -> Result<Option<&Line>, NotLoaded> {
        // A set that was loaded completely has no entries for lines that do not exist.
        if !self.lines.is_loaded(key) && self.has_all(&key.order.store, Need::AllLines(key.order.order)) {
            return Ok(None);
        }
        self.lines.get(key)
    }

    /// Every line of an order, in line order.
    pub fn lines_of(&self, key: &OrderKey) -> Result<Vec<&Line>, NotLoaded> {
        self.check_all(&key.store, Need::AllLines(key.order), "all lines of an order")?;
        let range = LineKey::range_of(key);
        Ok(self.lines.entries.range(range).filter_map(|(_, entry)| entry.value.as_ref()).collect())
    }

    /// The lines of an order that one of these selectors is for, in line order.
    pub fn lines_of_products(
        &self,
        key: &OrderKey,
        selectors: &BTreeSet<&ProductSelector>,
    ) -> Result<Vec<&Line>, NotLoaded> {
        for selector in selectors {
            let need = Need::LinesOfProduct(key.order, (*selector).clone());
            self.check_all(&key.store, need, "the lines of a product")?;
        }
        let mut found = Vec::new();
        for (_, entry) in self.lines.entries.range(LineKey::range_of(key)) {
            // Other needs may have loaded further lines of the order, so the lines of these products are picked
            // out of them.
            let Some(line) = &entry.value else { continue };
            let by_product = ProductSelector::Product(line.product.clone());
            let by_gtin = line.gtin.as_deref().map(|gtin| ProductSelector::Gtin(Gtin::of(gtin)));
            if selectors.contains(&by_product) || by_gtin.is_some_and(|by_gtin| selectors.contains(&by_gtin)) {
                found.push(line);
            }
        }
        Ok(found)
    }

    /// The lines of a product on a supplier's orders that can be received, as they were when the batch was loaded.
    pub fn receivable_lines(
        &self,
        store: &StoreId,
        supplier: &str,
        selector: &ProductSelector,
    ) -> Result<&[LineKey], NotLoaded> {
        let key = (store.clone(), supplier.to_owned(), selector.clone());
        self.receivable_lines.get(&key).map(Vec::as_slice).ok_or(NotLoaded("the receivable lines of a product"))
    }

    /// The order of a store that has an external id; `None` if none has it.
    pub fn order_with_external_id(
        &self,
        store: &StoreId,
        external_id: &str,
    ) -> Result<Option<&OrderReference>, NotLoaded> {
        let key = (store.clone(), external_id.to_owned());
        self.external_ids.get(&key).map(Option::as_ref).ok_or(NotLoaded("an external id"))
    }

    /// The active receipt with a delivery note that arrived last, as it was when the batch was loaded; `None` if
    /// there is none.
    pub fn receipt_with_delivery_note(&self, key: &DeliveryNoteKey) -> Result<Option<&KnownReceipt>, NotLoaded> {
        self.delivery_notes.get(key).map(Option::as_ref).ok_or(NotLoaded("a delivery note"))
    }

    /// The items of an order's active receipts, by receipt and line.
    pub fn staged_items_of(&self, key: &OrderKey) -> Result<&[StagedItem], NotLoaded> {
        self.check_all(&key.store, Need::StagedItems(key.order), "the staged items of an order")?;
        // An order without active receipts is loaded completely as well, and has no entry.
        Ok(self.staged_items.get(key).map(Vec::as_slice).unwrap_or_default())
    }

    /// When each line of a receipt was received by the order's other active receipts; a line that no
    /// other has is missing.
    pub fn other_receive_times(&self, key: &ReceiptKey) -> Result<&BTreeMap<i32, ReceiveTimes>, NotLoaded> {
        self.other_receive_times.get(key).ok_or(NotLoaded("the times of other receipts"))
    }

    /// What the last completion of an order did, as it was when the batch was loaded.
    pub fn last_completion(&self, key: &OrderKey) -> Result<&LastCompletion, NotLoaded> {
        self.last_completions.get(key).ok_or(NotLoaded("the last completion of an order"))
    }

    /// The numbers of the store's open orders, as they were when the batch was loaded.
    pub fn open_orders(&self, store: &StoreId) -> Result<&TruncatedList<String>, NotLoaded> {
        self.open_orders.get(store).ok_or(NotLoaded("a store's open orders"))
    }

    fn has_all(&self, store: &StoreId, need: Need) -> bool {
        self.complete.contains(&(store.clone(), need))
    }

    fn check_all(&self, store: &StoreId, need: Need, what: &'static str) -> Result<(), NotLoaded> {
        if self.has_all(store, need) { Ok(()) } else { Err(NotLoaded(what)) }
    }
}

/// Filling, by the repository.
impl WorkingSet {
    /// Notes that a set of rows is there completely.
    pub fn set_complete(&mut self, store: StoreId, need: Need) {
        // A store without roles has no row to make the entry: one that is being created.
        if need == Need::Roles {
            self.roles.entry(store.clone()).or_default();
        }
        self.complete.insert((store, need));
    }

    /// Notes the numbers of the store's first open orders and how many there are.
    pub fn insert_open_orders(&mut self, store: StoreId, open: TruncatedList<String>) {
        self.open_orders.insert(store, open);
    }

    /// Notes which order of a store has an external id, or that none has it.
    pub fn insert_external_id(&mut self, store: StoreId, external_id: String, order: Option<OrderReference>) {
        self.external_ids.insert((store, external_id), order);
    }

    /// Notes which active receipt bears a delivery note, or that none does.
    pub fn insert_delivery_note(&mut self, key: DeliveryNoteKey, receipt: Option<KnownReceipt>) {
        self.delivery_notes.insert(key, receipt);
    }

    /// Notes the lines of a product on a supplier's orders that can be received.
    pub fn insert_receivable_lines(
        &mut self,
        store: StoreId,
        supplier: String,
        selector: ProductSelector,
        lines: Vec<LineKey>,
    ) {
        self.receivable_lines.insert((store, supplier, selector), lines);
    }

    /// Notes an item of an active receipt, in the order of receipts and lines.
    pub fn insert_staged_item(&mut self, order: OrderKey, item: StagedItem) {
        self.staged_items.entry(order).or_default().push(item);
    }

    /// Notes when the lines of a receipt were received by the order's other active receipts.
    pub fn insert_other_receive_times(&mut self, receipt: ReceiptKey, times: BTreeMap<i32, ReceiveTimes>) {
        self.other_receive_times.insert(receipt, times);
    }

    /// Notes what the last completion of an order did.
    pub fn insert_last_completion(&mut self, order: OrderKey, completion: LastCompletion) {
        self.last_completions.insert(order, completion);
    }
}

/// Absorbing decisions.
impl WorkingSet {
    /// Takes a decision in, so that the commands after it see it. It cannot fail: whatever could be
    /// wrong was refused when the command was decided.
    pub fn absorb(&mut self, decision: Decision) {
        // Asked first, because the decision is taken apart below.
        let access_changed = decision.stores_with_changed_access();
        for store in decision.stores {
            self.stores.put(store.id.clone(), store);
        }
        for order in decision.orders {
            if order.revision == 1 {
                // Created by this decision, so all its lines and receipts are here.
                self.set_complete(order.key.store.clone(), Need::AllLines(order.key.order));
                self.set_complete(order.key.store.clone(), Need::StagedItems(order.key.order));
            }
            // Both compare the order with the header before, so the order is put after them.
            self.absorb_external_id(&order);
            self.absorb_child(&order);
            self.orders.put(order.key.clone(), order);
        }
        // Removed before the new lines are put, because these may have the same keys.
        for key in decision.lines_removed {
            self.lines.remove(key);
        }
        for line in decision.lines {
            self.lines.put(line.key.clone(), line);
        }
        for receipt in decision.receipts {
            self.absorb_staged_items(&receipt);
            self.receipts.put(receipt.key.clone(), receipt);
        }
        for level in decision.levels {
            self.levels.put(level.key.clone(), level);
        }
        if let Some(response) = decision.stored_response {
            // Under its key as well: the same request id later in the batch is answered from it, and not
            // carried out again.
            self.stored_responses.put(response.key.clone(), response.clone());
            self.appended.stored_responses.push(response);
        }
        // Roles and grants before what callers may do, which is derived from them.
        self.absorb_permissions(&decision.permissions_closed, &decision.permissions);
        self.absorb_grants(&decision.grants_closed, &decision.grants);
        self.absorb_changed_access(&access_changed);
        self.absorb_lots(&decision.movements);
        self.appended.cancellations.extend(decision.cancellations);
        self.appended.cancellations_removed.extend(decision.cancellations_removed);
        self.appended.movements.extend(decision.movements);
        self.appended.events.extend(decision.events);
        self.appended.permissions.extend(decision.permissions);
        self.appended.permissions_closed.extend(decision.permissions_closed);
        self.appended.grants.extend(decision.grants);
        self.appended.grants_closed.extend(decision.grants_closed);
    }

    /// Frees the external id that the order had and takes the one that it has now, so that a later command
    /// of the batch is refused the same id.
    fn absorb_external_id(&mut self, order: &Order) {
        let store = &order.key.store;
        // A new order was never looked for, and has freed no external id.
        let before = self.orders.get(&order.key).ok().flatten().and_then(|before| before.external_id.clone());
        if let Some(before) = before {
            self.external_ids.insert((store.clone(), before), None);
        }
        if let Some(external_id) = order.external_id.clone() {
            let reference = OrderReference { order: order.key.order, number: order.number.clone() };
            self.external_ids.insert((store.clone(), external_id), Some(reference));
        }
    }

    /// Notes on the header of a back order's parent whether the back order is still untouched. The parent's row does
    /// not change by that, so it need not be saved.
    fn absorb_child(&mut self, child: &Order) {
        let Some(parent) = child.parent else { return };
        let key = OrderKey { store: child.key.store.clone(), order: parent };
        // A parent that is not loaded has no command in this batch. One that was reopened does not name this
        // back order as its child any more.
        if let Some(Entry { value: Some(parent), .. }) = self.orders.entries.get_mut(&key)
            && parent.child == Some(child.key.order)
        {
            parent.child_is_untouched = child.is_untouched_child_of(parent);
        }
    }

    fn absorb_staged_items(&mut self, receipt: &Receipt) {
        let order = &receipt.key.order;
        if self.has_all(&order.store, Need::StagedItems(order.order)) {
            let items = self.staged_items.entry(order.clone()).or_default();
            // A voided receipt has no staged items, so its earlier ones must go.
            items.retain(|item| item.receipt != receipt.key.number);
            items.extend(receipt.staged_items());
        }
    }
}

#[cfg(test)]
mod tests;
