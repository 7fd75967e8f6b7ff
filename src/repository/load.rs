//! Loads what the commands of a batch need into the working set: each kind of need by one statement, however many
//! commands and rows there are.
//!
//! What the gate judges by is loaded before ([`super::gate`]), and what is here is loaded only for commands that it has
//! passed. Everything is read under the locks of the stores, in the same transaction, so it stays as it was read until
//! the COMMIT.
//!
//! The invariant of this module: whatever was looked for is noted in the working set, found or not. A rule can then tell
//! "there is none" from "nobody looked", and the second is reported as a bug instead of being taken for the first. So
//! each function here first notes its keys as absent, or a whole set as complete, and then inserts what was found.

mod completions;
mod lots;
mod receipts;

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::error::DbError;
use super::keys::{KeyValue, Lookup, LookupQuery, StoreLock};
use super::lookups;
use super::rows::access::{RoleGrantRow, RolePermissionRow};
use super::rows::level::LevelRow;
use super::rows::line::LineRow;
use super::rows::order::HeaderRow;
use super::rows::order_id;
use super::rows::store::StoreRow;
use super::schema::purchase_order;
use super::session::Session;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::gtin::Gtin;
use crate::domain::inventory::lot::{Lot, LotKey};
use crate::domain::inventory::{Level, LevelKey};
use crate::domain::needs::{Need, Needs};
use crate::domain::order::receive::items::ProductSelector;
use crate::domain::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey, State};
use crate::domain::outcome::KnownReceipt;
use crate::domain::refusal::{MAX_NAMED, TruncatedList};
use crate::domain::store::Store;
use crate::domain::working_set::{DeliveryNoteKey, OrderReference, WorkingSet};

/// Locks those of these stores that no other transaction has locked, and loads their rows. This must be the first
/// statement of a write transaction. A store that is not in the working set afterwards is locked elsewhere, or does not
/// exist: [`existing_stores`] tells which.
pub fn lock_stores(session: &mut Session, working_set: &mut WorkingSet, stores: &[StoreId]) -> Result<(), DbError> {
    let lock = StoreLock::new(session.store_scope(), stores.iter().map(StoreId::as_str))?;
    for row in session.load::<StoreRow, _>(lock)? {
        let store = Store::try_from(row)?;
        working_set.stores.insert_loaded(store.id.clone(), store);
    }
    Ok(())
}

/// Finds out which of these stores exist, whether or not another transaction has locked them. A store that was created
/// since the locks were taken counts as existing: it has no lock here, so its commands must wait for the next batch.
pub fn existing_stores(session: &mut Session, stores: &[StoreId]) -> Result<BTreeSet<StoreId>, DbError> {
    let found: Vec<Store> = entities::<lookups::Stores, StoreRow, _>(session, stores.iter().map(store_key))?;
    Ok(found.into_iter().map(|store| store.id).collect())
}

/// Loads stores without locking them, for a read: its snapshot keeps what it sees from changing.
pub fn stores_without_lock(
    session: &mut Session,
    working_set: &mut WorkingSet,
    stores: &[StoreId],
) -> Result<(), DbError> {
    let found: Vec<Store> = entities::<lookups::Stores, StoreRow, _>(session, stores.iter().map(store_key))?;
    for store in stores {
        working_set.stores.insert_absent(store.clone());
    }
    for store in found {
        working_set.stores.insert_loaded(store.id.clone(), store);
    }
    Ok(())
}

/// The needs of all commands of a batch by their kind. They are sets, because several commands may need the same row,
/// and a lookup must be given each key once.
#[derive(Debug, Default)]
struct NeedsByKind {
    orders: BTreeSet<OrderKey>,
    lines: BTreeSet<LineKey>,
    lines_of_products: BTreeSet<(OrderKey, ProductSelector)>,
    receivable_lines: BTreeMap<StoreId, BTreeSet<(String, ProductSelector)>>,
    all_lines: BTreeSet<OrderKey>,
    lines_of_receipts: BTreeSet<ReceiptKey>,
    receipts: BTreeSet<ReceiptKey>,
    staged_items: BTreeSet<OrderKey>,
    other_receive_times: BTreeSet<ReceiptKey>,
    levels: BTreeSet<LevelKey>,
    lots_in_stock: BTreeSet<LevelKey>,
    lots_with_code: BTreeSet<(LevelKey, String)>,
    named_lots: BTreeSet<LotKey>,
    external_ids: BTreeSet<(StoreId, String)>,
    delivery_notes: BTreeSet<(ReceiptKey, String)>,
    delivery_notes_of_suppliers: BTreeSet<(StoreId, String, String)>,
    roles: BTreeSet<StoreId>,
    grants: BTreeSet<StoreId>,
    grants_of_principals: BTreeSet<(StoreId, PrincipalId)>,
    open_orders: BTreeSet<StoreId>,
    back_orders_of: BTreeSet<OrderKey>,
    last_completions: BTreeSet<OrderKey>,
}

impl NeedsByKind {
    /// Adds a need of a command of this store. The match has an arm for each kind, so that a new kind of need cannot be
    /// forgotten here.
    fn add(&mut self, store: &StoreId, need: &Need) {
        match need {
            Need::Order(order) => {
                self.orders.insert(key_of_order(store, *order));
            }
            Need::Line(order, number) => {
                self.lines.insert(LineKey { order: key_of_order(store, *order), number: *number });
            }
            Need::LinesOfProduct(order, selector) => {
                self.lines_of_products.insert((key_of_order(store, *order), selector.clone()));
            }
            Need::ReceivableLines(supplier, selector) => {
                let of_store = self.receivable_lines.entry(store.clone()).or_default();
                of_store.insert((supplier.clone(), selector.clone()));
            }
            Need::AllLines(order) => {
                self.all_lines.insert(key_of_order(store, *order));
            }
            Need::LinesOfReceipt(order, number) => {
                self.lines_of_receipts.insert(key_of_receipt(store, *order, *number));
            }
            Need::Receipt(order, number) => {
                self.receipts.insert(key_of_receipt(store, *order, *number));
            }
            Need::StagedItems(order) => {
                self.staged_items.insert(key_of_order(store, *order));
            }
            Need::OtherReceiveTimes(order, number) => {
                self.other_receive_times.insert(key_of_receipt(store, *order, *number));
            }
            Need::Level(product) => {
                self.levels.insert(LevelKey { store: store.clone(), product: product.clone() });
            }
            Need::LotsInStock(product) => {
                self.lots_in_stock.insert(LevelKey { store: store.clone(), product: product.clone() });
            }
            Need::LotsWithCode(product, code, expiry_date) => {
                let level = LevelKey { store: store.clone(), product: product.clone() };
                if expiry_date.is_some() {
                    let lot = Lot { code: code.clone(), expiry_date: *expiry_date };
                    self.named_lots.insert(LotKey { level, lot });
                } else {
                    self.lots_with_code.insert((level, code.clone()));
                }
            }
            Need::ExternalId(external_id) => {
                self.external_ids.insert((store.clone(), external_id.clone()));
            }
            Need::DeliveryNote(order, delivery_note, corrected) => {
                // No receipt has the number 0.
                let corrected = key_of_receipt(store, *order, corrected.unwrap_or_default());
                self.delivery_notes.insert((corrected, delivery_note.clone()));
            }
            Need::DeliveryNoteOfSupplier(supplier, delivery_note) => {
                self.delivery_notes_of_suppliers.insert((store.clone(), supplier.clone(), delivery_note.clone()));
            }
            Need::Roles => {
                self.roles.insert(store.clone());
            }
            Need::Grants => {
                self.grants.insert(store.clone());
            }
            Need::GrantsOf(principal) => {
                self.grants_of_principals.insert((store.clone(), principal.clone()));
            }
            Need::OpenOrders => {
                self.open_orders.insert(store.clone());
            }
            Need::BackOrderOf(order) => {
                self.back_orders_of.insert(key_of_order(store, *order));
            }
            Need::LastCompletion(order) => {
                self.last_completions.insert(key_of_order(store, *order));
            }
        }
    }
}

fn key_of_order(store: &StoreId, order: OrderId) -> OrderKey {
    OrderKey { store: store.clone(), order }
}

fn key_of_receipt(store: &StoreId, order: OrderId, number: i32) -> ReceiptKey {
    ReceiptKey { order: key_of_order(store, order), number }
}

/// Loads what commands need that have passed the gate. A kind of need that none of them has costs no statement.
pub fn details<'a>(
    session: &mut Session,
    working_set: &mut WorkingSet,
    needs: impl IntoIterator<Item = (&'a StoreId, &'a Needs)>,
) -> Result<(), DbError> {
    let mut by_kind = NeedsByKind::default();
    for (store, needs) in needs {
        for need in needs.iter() {
            // The store comes from the envelope, so a command cannot need anything of another one.
            by_kind.add(store, need);
        }
    }
    orders(session, working_set, by_kind.orders)?;
    lines(session, working_set, by_kind.lines)?;
    lines_of_products(session, working_set, by_kind.lines_of_products)?;
    all_lines(session, working_set, by_kind.all_lines)?;
    lines_of_receipts(session, working_set, &by_kind.lines_of_receipts)?;
    receipts::receipts(session, working_set, by_kind.receipts)?;
    receipts::staged_items(session, working_set, by_kind.staged_items)?;
    receipts::other_receive_times(session, working_set, by_kind.other_receive_times)?;
    completions::back_orders(session, working_set, &by_kind.back_orders_of)?;
    completions::last_completions(session, working_set, by_kind.last_completions)?;
    levels(session, working_set, by_kind.levels)?;
    lots::in_stock(session, working_set, by_kind.lots_in_stock)?;
    lots::with_code(session, working_set, by_kind.lots_with_code)?;
    lots::named(session, working_set, by_kind.named_lots)?;
    external_ids(session, working_set, by_kind.external_ids)?;
    delivery_notes(session, working_set, &by_kind.delivery_notes)?;
    delivery_notes_of_suppliers(session, working_set, &by_kind.delivery_notes_of_suppliers)?;
    roles(session, working_set, by_kind.roles)?;
    grants(session, working_set, by_kind.grants)?;
    grants_of_principals(session, working_set, by_kind.grants_of_principals)?;
    // One statement per store, because each is limited to the first rows of its store. A command with one of these needs
    // is the only one of its store in the batch.
    for (store, products) in by_kind.receivable_lines {
        receivable_lines(session, working_set, &store, products)?;
    }
    for store in &by_kind.open_orders {
        open_orders(session, working_set, store)?;
    }
    Ok(())
}

/// Runs a lookup and turns its rows into entities. A row that cannot be read fails the whole transaction: leaving it out
/// would make a rule decide as if it were not there.
fn entities<L, R, E>(session: &mut Session, keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Result<Vec<E>, DbError>
where
    L: Lookup,
    E: TryFrom<R, Error = DbError>,
    LookupQuery<L>: for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::PgConnection, R>
        + for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::SqliteConnection, R>,
{
    rows::<L, R>(session, keys)?.into_iter().map(E::try_from).collect()
}

/// Runs a lookup. Its rows come in no order: PostgreSQL chooses its joins anew with each plan.
fn rows<L, R>(session: &mut Session, keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Result<Vec<R>, DbError>
where
    L: Lookup,
    LookupQuery<L>: for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::PgConnection, R>
        + for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::SqliteConnection, R>,
{
    match LookupQuery::<L>::new(session.store_scope(), keys)? {
        Some(query) => session.load(query),
        None => Ok(Vec::new()),
    }
}

// The keys of entities as the lookups take them: `k0`, `k1` and so on. The store is always first, and ids are text in the
// form in which they are stored, because a database compares them as text.

fn store_key(store: &StoreId) -> Vec<KeyValue> {
    vec![store.as_str().into()]
}

fn order_key(key: &OrderKey) -> Vec<KeyValue> {
    vec![key.store.as_str().into(), key.order.to_string().into()]
}

fn line_key(key: &LineKey) -> Vec<KeyValue> {
    vec![key.order.store.as_str().into(), key.order.order.to_string().into(), key.number.into()]
}

fn receipt_key(key: &ReceiptKey) -> Vec<KeyValue> {
    vec![key.order.store.as_str().into(), key.order.order.to_string().into(), key.number.into()]
}

fn level_key(key: &LevelKey) -> Vec<KeyValue> {
    vec![key.store.as_str().into(), key.product.as_str().into()]
}

fn grant_key((store, principal): &(StoreId, PrincipalId)) -> Vec<KeyValue> {
    vec![store.as_str().into(), principal.as_str().into()]
}

fn orders(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<OrderKey>) -> Result<(), DbError> {
    let found: Vec<Order> = entities::<lookups::Orders, HeaderRow, _>(session, keys.iter().map(order_key))?;
    for key in keys {
        working_set.orders.insert_absent(key);
    }
    for order in found {
        working_set.orders.insert_loaded(order.key.clone(), order);
    }
    Ok(())
}

fn lines(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<LineKey>) -> Result<(), DbError> {
    // A caller may name a line that does not exist: then it stays absent, and the rule refuses the command.
    let found = rows::<lookups::Lines, (LineRow, LevelRow)>(session, keys.iter().map(line_key))?;
    for key in keys {
        working_set.lines.insert_absent(key);
    }
    insert_lines(working_set, found)
}

fn lines_of_products(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<(OrderKey, ProductSelector)>,
) -> Result<(), DbError> {
    let (mut by_product, mut by_gtin) = (Vec::new(), Vec::new());
    for (order, selector) in &keys {
        let (found_by, value) = match selector {
            ProductSelector::Product(product) => (&mut by_product, product.as_str()),
            ProductSelector::Gtin(gtin) => (&mut by_gtin, gtin.as_str()),
        };
        found_by.push([order_key(order), vec![value.into()]].concat());
    }
    // Two lookups, because product and bar code have an index each.
    let mut found = rows::<lookups::LinesOfProduct, (LineRow, LevelRow)>(session, by_product)?;
    found.extend(rows::<lookups::LinesOfGtin, (LineRow, LevelRow)>(session, by_gtin)?);
    for (order, selector) in keys {
        working_set.set_complete(order.store, Need::LinesOfProduct(order.order, selector));
    }
    insert_lines(working_set, found)
}

fn receivable_lines(
    session: &mut Session,
    working_set: &mut WorkingSet,
    store: &StoreId,
    products: BTreeSet<(String, ProductSelector)>,
) -> Result<(), DbError> {
    let (mut by_product, mut by_gtin) = (Vec::new(), Vec::new());
    for (supplier, selector) in &products {
        let (found_by, value) = match selector {
            ProductSelector::Product(product) => (&mut by_product, product.as_str()),
            ProductSelector::Gtin(gtin) => (&mut by_gtin, gtin.as_str()),
        };
        found_by.push(vec![store.as_str().into(), supplier.as_str().into(), value.into()]);
    }
    let of_products = rows::<lookups::ReceivableLinesOfProduct, ReceivableRow>(session, by_product)?;
    let of_gtins = rows::<lookups::ReceivableLinesOfGtin, ReceivableRow>(session, by_gtin)?;
    let mut lines: BTreeMap<(String, ProductSelector), Vec<LineKey>> = BTreeMap::new();
    for product in products {
        // Noted also where nothing is found: the rule must not take that for a product that nobody looked for.
        lines.insert(product, Vec::new());
    }
    for row in of_products {
        let (supplier, line) = insert_receivable(working_set, row)?;
        let selector = ProductSelector::Product(line.product);
        lines.entry((supplier, selector)).or_default().push(line.key);
    }
    for row in of_gtins {
        let (supplier, line) = insert_receivable(working_set, row)?;
        // The lookup found the line by its number, so there is one.
        let selector = ProductSelector::Gtin(Gtin::of(line.gtin.as_deref().unwrap_or_default()));
        lines.entry((supplier, selector)).or_default().push(line.key);
    }
    for ((supplier, selector), lines) in lines {
        working_set.insert_receivable_lines(store.clone(), supplier, selector, lines);
    }
    Ok(())
}

/// Returns the supplier of the order and the line.
fn insert_receivable(
    working_set: &mut WorkingSet,
    (order, line, level): ReceivableRow,
) -> Result<(String, Line), DbError> {
    let order = Order::try_from(order)?;
    let supplier = order.supplier.clone();
    working_set.orders.insert_loaded(order.key.clone(), order);
    let found = Line::try_from(line)?;
    let level = Level::try_from(level)?;
    working_set.levels.insert_loaded(level.key.clone(), level);
    working_set.lines.insert_loaded(found.key.clone(), found.clone());
    Ok((supplier, found))
}

fn all_lines(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<OrderKey>) -> Result<(), DbError> {
    let found = rows::<lookups::LinesOfOrder, (LineRow, LevelRow)>(session, keys.iter().map(order_key))?;
    // Which lines there are is not known before; what is noted is that all of them are loaded.
    for key in keys {
        working_set.set_complete(key.store, Need::AllLines(key.order));
    }
    insert_lines(working_set, found)
}

/// Notes no line as absent: which lines a receipt has is in its items, and the rules look only these up.
fn lines_of_receipts(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: &BTreeSet<ReceiptKey>,
) -> Result<(), DbError> {
    let found = rows::<lookups::LinesOfReceipt, (LineRow, LevelRow)>(session, keys.iter().map(receipt_key))?;
    insert_lines(working_set, found)
}

/// The level of a product comes with each of its lines, and several kinds of needs may load the same line. They are read
/// under the store's lock, so all copies are equal.
fn insert_lines(working_set: &mut WorkingSet, rows: Vec<(LineRow, LevelRow)>) -> Result<(), DbError> {
    for (line_row, level_row) in rows {
        let line = Line::try_from(line_row)?;
        let level = Level::try_from(level_row)?;
        working_set.levels.insert_loaded(level.key.clone(), level);
        working_set.lines.insert_loaded(line.key.clone(), line);
    }
    Ok(())
}

fn levels(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<LevelKey>) -> Result<(), DbError> {
    // A product that is new to the store has no level: the rule then creates one.
    let found: Vec<Level> = entities::<lookups::Levels, LevelRow, _>(session, keys.iter().map(level_key))?;
    for key in keys {
        working_set.levels.insert_absent(key);
    }
    for level in found {
        working_set.levels.insert_loaded(level.key.clone(), level);
    }
    Ok(())
}

/// Store, external id, order and its number.
type ExternalIdRow = (String, String, String, String);

fn external_ids(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<(StoreId, String)>,
) -> Result<(), DbError> {
    let looked_up = keys.iter().map(|(store, external_id)| vec![store.as_str().into(), external_id.as_str().into()]);
    let rows = rows::<lookups::ExternalIds, ExternalIdRow>(session, looked_up)?;
    for (store, external_id) in keys {
        working_set.insert_external_id(store, external_id, None);
    }
    for (store, external_id, order, number) in rows {
        let reference = OrderReference { order: order_id(&order)?, number };
        working_set.insert_external_id(StoreId::new(store), external_id, Some(reference));
    }
    Ok(())
}

/// A line that can be received, with its order and the level of its product.
type ReceivableRow = (HeaderRow, LineRow, LevelRow);

/// Store, supplier and delivery note; then order, number of the order and number of the receipt, if there is one.
type DeliveryNoteRow = (String, String, String, Option<String>, Option<String>, Option<i32>);

fn delivery_notes(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: &BTreeSet<(ReceiptKey, String)>,
) -> Result<(), DbError> {
    let looked_up = keys.iter().map(|(corrected, note)| {
        [order_key(&corrected.order), vec![note.as_str().into(), corrected.number.into()]].concat()
    });
    // A row for each key, with nulls where no receipt bears the note: the gate has found the order already.
    let found = rows::<lookups::DeliveryNotes, DeliveryNoteRow>(session, looked_up)?;
    found.into_iter().try_for_each(|row| insert_delivery_note(working_set, row))
}

fn delivery_notes_of_suppliers(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: &BTreeSet<(StoreId, String, String)>,
) -> Result<(), DbError> {
    let mut looked_up = Vec::with_capacity(keys.len());
    for (store, supplier, delivery_note) in keys {
        looked_up.push(vec![store.as_str().into(), supplier.as_str().into(), delivery_note.as_str().into()]);
    }
    // A row for each key, with nulls where no receipt bears the note: the gate has found the store already.
    let found = rows::<lookups::DeliveryNotesOfSupplier, DeliveryNoteRow>(session, looked_up)?;
    found.into_iter().try_for_each(|row| insert_delivery_note(working_set, row))
}

fn insert_delivery_note(working_set: &mut WorkingSet, row: DeliveryNoteRow) -> Result<(), DbError> {
    let (store, supplier, delivery_note, order, number, receipt) = row;
    let known = match (order, number, receipt) {
        (Some(order), Some(number), Some(receipt)) => Some(KnownReceipt { order: order_id(&order)?, number, receipt }),
        _ => None,
    };
    let key = DeliveryNoteKey { store: StoreId::new(store), supplier, delivery_note };
    working_set.insert_delivery_note(key, known);
    Ok(())
}

fn roles(session: &mut Session, working_set: &mut WorkingSet, stores: BTreeSet<StoreId>) -> Result<(), DbError> {
    let permissions = rows::<lookups::RolesOfStore, RolePermissionRow>(session, stores.iter().map(store_key))?;
    for store in stores {
        working_set.set_complete(store, Need::Roles);
    }
    for row in permissions {
        // The event is a part of the row's primary key: ending the permission must find this row again.
        let from_event = row.from_event;
        working_set.insert_role_permission(row.key()?, from_event);
    }
    Ok(())
}

fn grants(session: &mut Session, working_set: &mut WorkingSet, stores: BTreeSet<StoreId>) -> Result<(), DbError> {
    let found = rows::<lookups::GrantsOfStore, RoleGrantRow>(session, stores.iter().map(store_key))?;
    for store in stores {
        working_set.set_complete(store, Need::Grants);
    }
    insert_grants(working_set, found);
    Ok(())
}

fn grants_of_principals(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<(StoreId, PrincipalId)>,
) -> Result<(), DbError> {
    let found = rows::<lookups::GrantsOfPrincipal, RoleGrantRow>(session, keys.iter().map(grant_key))?;
    for (store, principal) in keys {
        working_set.set_complete(store, Need::GrantsOf(principal));
    }
    insert_grants(working_set, found);
    Ok(())
}

/// A principal may hold several roles, and each grant is inserted for itself.
fn insert_grants(working_set: &mut WorkingSet, rows: Vec<RoleGrantRow>) {
    for row in rows {
        let store = StoreId::new(row.store_id);
        let principal = PrincipalId::new(row.principal);
        working_set.insert_grant(store, principal, RoleId::new(row.role_id), row.from_event);
    }
}

/// Loads the numbers of a store's first open orders, and how many are open: a refusal names them. The count is on the
/// store's row, so that it costs nothing however many orders are open; the row must have been loaded before.
fn open_orders(session: &mut Session, working_set: &mut WorkingSet, store: &StoreId) -> Result<(), DbError> {
    // A store row that was not loaded is a bug. Taken for an absent store, it would count as no open orders, and a
    // refusal because of open orders would name none.
    let row = working_set.store(store).map_err(|bug| DbError::bug(bug.to_string()))?;
    let total = match row {
        Some(row) => {
            usize::try_from(row.open_orders).map_err(|_| DbError::unreadable("open_orders", row.open_orders))?
        }
        None => 0,
    };
    let mut first: Vec<String> = Vec::new();
    if total > 0 {
        let open_states: Vec<&str> =
            State::ALL.into_iter().filter(|state| state.is_open()).map(|state| state.name()).collect();
        first = session.load(
            purchase_order::table
                .filter(purchase_order::store_id.eq(store.as_str().to_owned()))
                .filter(purchase_order::state.eq_any(open_states))
                .order(purchase_order::number)
                .limit(MAX_NAMED as i64)
                .select(purchase_order::number),
        )?;
    }
    working_set.insert_open_orders(store.clone(), TruncatedList { first, total });
    Ok(())
}
