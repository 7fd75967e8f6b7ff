//! Loading what a batch of commands needs: each kind of need with one statement, whatever the number
//! of commands and rows. What the gate judges comes first and by [`super::gate`]; the rest only for
//! commands that pass it.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::error::{DbError, DbErrorKind};
use super::keys::{ByKeys, KeyValue, Lookup, StoreLock};
use super::lookups;
use super::rows::access::{RoleGrantRow, RolePermissionRow};
use super::rows::level::LevelRow;
use super::rows::line::LineRow;
use super::rows::order::OrderRow;
use super::rows::order_id;
use super::rows::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow};
use super::rows::store::StoreRow;
use super::schema::purchase_order;
use super::session::Session;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::inventory::{Level, LevelKey};
use crate::domain::needs::{Need, Needs};
use crate::domain::order::receipt::{Receipt, ReceiveTimes, StagedItem};
use crate::domain::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey, State};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{MAX_NAMED, TruncatedList};
use crate::domain::store::Store;
use crate::domain::time::Timestamp;
use crate::domain::working_set::WorkingSet;

/// Takes the locks of these stores that nobody else holds, and loads their rows: the first statement
/// of a write transaction. Nobody waits.
pub fn lock_stores(session: &mut Session, working_set: &mut WorkingSet, stores: &[StoreId]) -> Result<(), DbError> {
    let lock = StoreLock::of(session.store_scope(), stores.iter().map(StoreId::as_str));
    for row in session.load::<StoreRow, _>(lock)? {
        let store = Store::try_from(row)?;
        working_set.stores.insert_loaded(store.id.clone(), store);
    }
    Ok(())
}

/// Which of these stores exist, locked by somebody or not.
pub fn existing_stores(session: &mut Session, stores: &[StoreId]) -> Result<BTreeSet<StoreId>, DbError> {
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let rows: Vec<Store> = by_keys::<lookups::Stores, StoreRow, _>(session, keys)?;
    Ok(rows.into_iter().map(|store| store.id).collect())
}

/// Loads store rows without locks, for a read.
pub fn stores(session: &mut Session, working_set: &mut WorkingSet, stores: &[StoreId]) -> Result<(), DbError> {
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let rows: Vec<Store> = by_keys::<lookups::Stores, StoreRow, _>(session, keys)?;
    stores.iter().for_each(|store| working_set.stores.insert_absent(store.clone()));
    rows.into_iter().for_each(|store| working_set.stores.insert_loaded(store.id.clone(), store));
    Ok(())
}

/// The needs of a batch, united: each kind with its keys, every key once.
#[derive(Debug, Default)]
struct United {
    orders: BTreeSet<OrderKey>,
    lines: BTreeSet<(OrderKey, i32)>,
    all_lines: BTreeSet<OrderKey>,
    lines_of_receipts: BTreeSet<ReceiptKey>,
    receipts: BTreeSet<ReceiptKey>,
    staged_items: BTreeSet<OrderKey>,
    other_receive_times: BTreeSet<ReceiptKey>,
    levels: BTreeSet<LevelKey>,
    roles: BTreeSet<StoreId>,
    grants: BTreeSet<StoreId>,
    grants_of: BTreeSet<(StoreId, PrincipalId)>,
    open_orders: BTreeSet<StoreId>,
}

impl United {
    fn add(&mut self, store: &StoreId, need: &Need) {
        let order = |order: OrderId| OrderKey { store: store.clone(), order };
        let receipt = |of: OrderId, number: i32| ReceiptKey { order: order(of), number };
        match need {
            Need::Order(id) => drop(self.orders.insert(order(*id))),
            Need::Line(id, number) => drop(self.lines.insert((order(*id), *number))),
            Need::AllLines(id) => drop(self.all_lines.insert(order(*id))),
            Need::LinesOfReceipt(id, number) => drop(self.lines_of_receipts.insert(receipt(*id, *number))),
            Need::Receipt(id, number) => drop(self.receipts.insert(receipt(*id, *number))),
            Need::StagedItems(id) => drop(self.staged_items.insert(order(*id))),
            Need::OtherReceiveTimes(id, number) => drop(self.other_receive_times.insert(receipt(*id, *number))),
            Need::Level(product) => {
                self.levels.insert(LevelKey { store: store.clone(), product: product.clone() });
            }
            Need::Roles => drop(self.roles.insert(store.clone())),
            Need::Grants => drop(self.grants.insert(store.clone())),
            Need::GrantsOf(principal) => drop(self.grants_of.insert((store.clone(), principal.clone()))),
            Need::OpenOrders => drop(self.open_orders.insert(store.clone())),
        }
    }
}

/// Loads what commands need that have passed the gate. A kind of need that nobody has costs nothing.
pub fn details<'a>(
    session: &mut Session,
    working_set: &mut WorkingSet,
    needs: impl IntoIterator<Item = (&'a StoreId, &'a Needs)>,
) -> Result<(), DbError> {
    let mut united = United::default();
    for (store, needs) in needs {
        needs.iter().for_each(|need| united.add(store, need));
    }
    orders(session, working_set, united.orders)?;
    lines(session, working_set, united.lines)?;
    all_lines(session, working_set, united.all_lines)?;
    lines_of_receipts(session, working_set, &united.lines_of_receipts)?;
    receipts(session, working_set, united.receipts)?;
    staged_items(session, working_set, united.staged_items)?;
    other_receive_times(session, working_set, united.other_receive_times)?;
    levels(session, working_set, united.levels)?;
    roles(session, working_set, united.roles)?;
    grants(session, working_set, united.grants)?;
    grants_of(session, working_set, united.grants_of)?;
    united.open_orders.iter().try_for_each(|store| open_orders(session, working_set, store))
}

/// Runs a lookup and reads its rows as entities.
pub fn by_keys<L, R, E>(session: &mut Session, keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Result<Vec<E>, DbError>
where
    L: Lookup,
    E: TryFrom<R, Error = DbError>,
    ByKeys<L>: for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::PgConnection, R>
        + for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::SqliteConnection, R>,
{
    rows::<L, R>(session, keys)?.into_iter().map(E::try_from).collect()
}

fn rows<L, R>(session: &mut Session, keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Result<Vec<R>, DbError>
where
    L: Lookup,
    ByKeys<L>: for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::PgConnection, R>
        + for<'q> diesel::query_dsl::methods::LoadQuery<'q, diesel::SqliteConnection, R>,
{
    match ByKeys::<L>::new(session.store_scope(), keys) {
        Some(query) => session.load(query),
        None => Ok(Vec::new()),
    }
}

fn order_parts(key: &OrderKey) -> Vec<KeyValue> {
    vec![key.store.as_str().into(), key.order.to_string().into()]
}

fn numbered_parts(key: &OrderKey, number: i32) -> Vec<KeyValue> {
    vec![key.store.as_str().into(), key.order.to_string().into(), number.into()]
}

fn receipt_parts(key: &ReceiptKey) -> Vec<KeyValue> {
    numbered_parts(&key.order, key.number)
}

fn orders(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<OrderKey>) -> Result<(), DbError> {
    let orders: Vec<Order> = by_keys::<lookups::Orders, OrderRow, _>(session, keys.iter().map(order_parts))?;
    keys.into_iter().for_each(|key| working_set.orders.insert_absent(key));
    orders.into_iter().for_each(|order| working_set.orders.insert_loaded(order.key.clone(), order));
    Ok(())
}

fn lines(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<(OrderKey, i32)>) -> Result<(), DbError> {
    let parts = keys.iter().map(|(order, number)| numbered_parts(order, *number));
    let found = rows::<lookups::Lines, (LineRow, LevelRow)>(session, parts)?;
    keys.into_iter().for_each(|(order, number)| working_set.lines.insert_absent(LineKey { order, number }));
    insert_lines(working_set, found)
}

fn all_lines(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<OrderKey>) -> Result<(), DbError> {
    let found = rows::<lookups::LinesOfOrder, (LineRow, LevelRow)>(session, keys.iter().map(order_parts))?;
    keys.into_iter().for_each(|key| working_set.set_complete(key.store, Need::AllLines(key.order)));
    insert_lines(working_set, found)
}

fn lines_of_receipts(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: &BTreeSet<ReceiptKey>,
) -> Result<(), DbError> {
    let found = rows::<lookups::LinesOfReceipt, (LineRow, LevelRow)>(session, keys.iter().map(receipt_parts))?;
    insert_lines(working_set, found)
}

fn insert_lines(working_set: &mut WorkingSet, rows: Vec<(LineRow, LevelRow)>) -> Result<(), DbError> {
    for (line, level) in rows {
        let (line, level) = (Line::try_from(line)?, Level::try_from(level)?);
        working_set.levels.insert_loaded(level.key.clone(), level);
        working_set.lines.insert_loaded(line.key.clone(), line);
    }
    Ok(())
}

fn receipts(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<ReceiptKey>) -> Result<(), DbError> {
    let receipts: Vec<Receipt> = by_keys::<lookups::Receipts, ReceiptRow, _>(session, keys.iter().map(receipt_parts))?;
    let mut items: Vec<ItemOfReceipt> =
        by_keys::<lookups::ItemsOfReceipt, ReceiptItemRow, _>(session, keys.iter().map(receipt_parts))?;
    keys.into_iter().for_each(|key| working_set.receipts.insert_absent(key));
    items.sort_by_key(|of_receipt| of_receipt.item.line);
    let mut by_key: BTreeMap<ReceiptKey, Receipt> = receipts.into_iter().map(|it| (it.key.clone(), it)).collect();
    for ItemOfReceipt { receipt, item } in items {
        if let Some(receipt) = by_key.get_mut(&receipt) {
            receipt.items.push(item);
        }
    }
    by_key.into_iter().for_each(|(key, receipt)| working_set.receipts.insert_loaded(key, receipt));
    Ok(())
}

type StagedItemRow = (String, String, i32, i32, i64, i64);

fn staged_items(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<OrderKey>) -> Result<(), DbError> {
    let mut rows = rows::<lookups::StagedItems, StagedItemRow>(session, keys.iter().map(order_parts))?;
    // By store, order, receipt and line.
    rows.sort_unstable();
    keys.into_iter().for_each(|key| working_set.set_complete(key.store, Need::StagedItems(key.order)));
    for (store, order, receipt, line, receive_time, accepted) in rows {
        let order = OrderKey { store: StoreId::new(store), order: order_id(&order)? };
        let (receive_time, accepted) = (Timestamp::from_micros(receive_time), Quantity::from_scaled(accepted));
        working_set.insert_staged_item(order, StagedItem { receipt, line, receive_time, accepted });
    }
    Ok(())
}

type ReceiveTimeRow = (String, String, i32, i32, i64, i64);

fn other_receive_times(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<ReceiptKey>,
) -> Result<(), DbError> {
    let rows = rows::<lookups::OtherReceiveTimes, ReceiveTimeRow>(session, keys.iter().map(receipt_parts))?;
    let mut by_receipt: BTreeMap<ReceiptKey, BTreeMap<i32, ReceiveTimes>> =
        keys.into_iter().map(|key| (key, BTreeMap::new())).collect();
    for (store, order, number, line, first, last) in rows {
        let order = OrderKey { store: StoreId::new(store), order: order_id(&order)? };
        let (first, last) = (Timestamp::from_micros(first), Timestamp::from_micros(last));
        by_receipt.entry(ReceiptKey { order, number }).or_default().insert(line, ReceiveTimes { first, last });
    }
    by_receipt.into_iter().for_each(|(receipt, times)| working_set.insert_other_receive_times(receipt, times));
    Ok(())
}

fn levels(session: &mut Session, working_set: &mut WorkingSet, keys: BTreeSet<LevelKey>) -> Result<(), DbError> {
    let parts = keys.iter().map(|LevelKey { store, product }| vec![store.as_str().into(), product.as_str().into()]);
    let levels: Vec<Level> = by_keys::<lookups::Levels, LevelRow, _>(session, parts)?;
    keys.into_iter().for_each(|key| working_set.levels.insert_absent(key));
    levels.into_iter().for_each(|level| working_set.levels.insert_loaded(level.key.clone(), level));
    Ok(())
}

fn roles(session: &mut Session, working_set: &mut WorkingSet, stores: BTreeSet<StoreId>) -> Result<(), DbError> {
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let permissions = rows::<lookups::RolesOfStore, RolePermissionRow>(session, keys)?;
    stores.into_iter().for_each(|store| working_set.set_complete(store, Need::Roles));
    for row in permissions {
        let from_event = row.from_event;
        working_set.insert_role_permission(row.key()?, from_event);
    }
    Ok(())
}

fn grants(session: &mut Session, working_set: &mut WorkingSet, stores: BTreeSet<StoreId>) -> Result<(), DbError> {
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let grants = rows::<lookups::GrantsOfStore, RoleGrantRow>(session, keys)?;
    stores.into_iter().for_each(|store| working_set.set_complete(store, Need::Grants));
    insert_grants(working_set, grants);
    Ok(())
}

fn grants_of(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<(StoreId, PrincipalId)>,
) -> Result<(), DbError> {
    let parts = keys.iter().map(|(store, principal)| vec![store.as_str().into(), principal.as_str().into()]);
    let grants = rows::<lookups::GrantsOfPrincipal, RoleGrantRow>(session, parts)?;
    keys.into_iter().for_each(|(store, principal)| working_set.set_complete(store, Need::GrantsOf(principal)));
    insert_grants(working_set, grants);
    Ok(())
}

fn insert_grants(working_set: &mut WorkingSet, rows: Vec<RoleGrantRow>) {
    for row in rows {
        let (store, principal) = (StoreId::new(row.store_id), PrincipalId::new(row.principal));
        working_set.insert_grant(store, principal, RoleId::new(row.role_id), row.from_event);
    }
}

/// Loads the numbers of a store's first open orders, and how many are open: a refusal names them. The count
/// comes from the store's row, so that row must have been loaded before.
fn open_orders(session: &mut Session, working_set: &mut WorkingSet, store: &StoreId) -> Result<(), DbError> {
    // A store row that was not loaded is a bug. Taken for an absent store, it would count as no open orders.
    let row = working_set.store(store).map_err(|bug| DbError::new(DbErrorKind::Other, bug.to_string()))?;
    let total = row.map_or(0, |store| store.open_orders as usize);
    let open = State::ALL.into_iter().filter(|state| state.is_open()).map(State::name);
    let first: Vec<String> = match total {
        0 => Vec::new(),
        _ => session.load(
            purchase_order::table
                .filter(purchase_order::store_id.eq(store.as_str().to_owned()))
                .filter(purchase_order::state.eq_any(open.collect::<Vec<_>>()))
                .order(purchase_order::number)
                .limit(MAX_NAMED as i64)
                .select(purchase_order::number),
        )?,
    };
    working_set.insert_open_orders(store.clone(), TruncatedList { first, total });
    Ok(())
}
