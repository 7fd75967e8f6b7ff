//! Loading what a batch of commands needs, in three waves of a fixed number of statements each:
//! headers; lines and receipts; levels. How many commands and lines there are changes the keys that
//! the statements carry, never their number.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::error::{DbError, DbErrorKind};
use super::keys::{ByKeys, KeyValue, Lookup, StoreLock};
use super::lookups;
use super::rows::access::{RoleGrantRow, RolePermissionRow};
use super::rows::level::LevelRow;
use super::rows::line::LineRow;
use super::rows::order::OrderRow;
use super::rows::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow};
use super::rows::request::RequestRow;
use super::rows::store::StoreRow;
use super::schema::purchase_order;
use super::session::Session;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::inventory::{Level, LevelKey};
use crate::domain::mutation::Request;
use crate::domain::needs::{LineNeed, Needs, OrderNeed};
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{Line, LineKey, Order, OrderKey, ReceiptKey, State};
use crate::domain::refusal::{Listed, MAX_NAMED};
use crate::domain::request::RequestRecord;
use crate::domain::store::Store;
use crate::domain::workspace::Workspace;

/// A request, and what its command needs.
pub struct Wanted<'a> {
    /// The request.
    pub request: &'a Request,
    needs: Needs,
}

impl<'a> Wanted<'a> {
    /// Asks the request's command what it needs.
    pub fn by(request: &'a Request) -> Self {
        Self { request, needs: request.needs() }
    }

    /// How many lines it makes or loads, once its order's header is loaded.
    pub fn line_count(&self, workspace: &Workspace) -> usize {
        let of_order = |need: &OrderNeed| match &need.lines {
            LineNeed::Numbers(numbers) => numbers.len(),
            LineNeed::All | LineNeed::OfReceipt(_) => {
                let header = workspace.order(&self.key(need)).ok().flatten();
                header.map_or(0, |order| order.counters.lines as usize)
            }
        };
        self.needs.products.len() + self.needs.orders.iter().map(of_order).sum::<usize>()
    }

    fn key(&self, need: &OrderNeed) -> OrderKey {
        OrderKey { store: self.request.store.clone(), order: need.order }
    }
}

/// Takes the locks of these stores that nobody else holds, and loads their rows: the first statement
/// of a write transaction.
pub fn lock_stores(session: &mut Session, workspace: &mut Workspace, stores: &[StoreId]) -> Result<(), DbError> {
    let rows = session.load::<StoreRow, _>(StoreLock::<false>::of(stores.iter().map(StoreId::as_str)))?;
    found_stores(workspace, rows)
}

/// Waits for one store's lock and loads its row. Nothing else is held meanwhile.
pub fn await_store(session: &mut Session, workspace: &mut Workspace, store: &StoreId) -> Result<(), DbError> {
    let rows = session.load::<StoreRow, _>(StoreLock::<true>::of([store.as_str()]))?;
    found_stores(workspace, rows)
}

/// Which of these stores exist, locked by somebody or not.
pub fn existing_stores(session: &mut Session, stores: &[StoreId]) -> Result<BTreeSet<StoreId>, DbError> {
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let rows: Vec<Store> = by_keys::<lookups::Stores, StoreRow, _>(session, keys)?;
    Ok(rows.into_iter().map(|store| store.id).collect())
}

/// Loads store rows without locks, for a read.
pub fn stores(session: &mut Session, workspace: &mut Workspace, stores: &[StoreId]) -> Result<(), DbError> {
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let rows: Vec<Store> = by_keys::<lookups::Stores, StoreRow, _>(session, keys)?;
    stores.iter().for_each(|store| workspace.stores.sought(store.clone()));
    rows.into_iter().for_each(|store| workspace.stores.found(store.id.clone(), store));
    Ok(())
}

fn found_stores(workspace: &mut Workspace, rows: Vec<StoreRow>) -> Result<(), DbError> {
    for row in rows {
        let store = Store::try_from(row)?;
        workspace.stores.found(store.id.clone(), store);
    }
    Ok(())
}

/// The first wave: headers, roles, first answers.
pub fn headers(session: &mut Session, workspace: &mut Workspace, wanted: &[Wanted<'_>]) -> Result<(), DbError> {
    request_records(session, workspace, wanted)?;
    let callers = wanted.iter().flat_map(|w| {
        let others = w.needs.grants_of.iter().chain([&w.request.principal.id]);
        others.map(|principal| (w.request.store.clone(), principal.clone()))
    });
    access(session, workspace, callers.collect())?;
    let all_grants = wanted.iter().filter(|w| w.needs.all_grants).map(|w| w.request.store.clone());
    everybody(session, workspace, all_grants.collect())?;
    orders(session, workspace, wanted.iter().flat_map(|w| w.needs.orders.iter().map(|need| w.key(need))).collect())?;
    for w in wanted.iter().filter(|w| w.needs.open_orders) {
        open_orders(session, workspace, &w.request.store)?;
    }
    Ok(())
}

/// The second and third wave: lines and receipts, then the levels of their products. Requests that
/// were answered before load what repeating their answer needs.
pub fn details(session: &mut Session, workspace: &mut Workspace, wanted: &[Wanted<'_>]) -> Result<(), DbError> {
    let replays: Vec<Wanted<'_>> = wanted.iter().filter_map(|w| replay(workspace, w.request)).collect();
    let headers = replays.iter().flat_map(|w| w.needs.orders.iter().map(|need| w.key(need)));
    orders(session, workspace, headers.filter(|key| workspace.order(key).is_err()).collect())?;
    let orders = wanted.iter().chain(&replays).flat_map(|w| w.needs.orders.iter().map(|need| (w.key(need), need)));
    let present = orders.filter(|(key, _)| workspace.order(key).is_ok_and(|order| order.is_some()));
    let present: Vec<(OrderKey, &OrderNeed)> = present.collect();
    lines(session, workspace, &present)?;
    receipts(session, workspace, &present)?;
    let products = wanted.iter().flat_map(|w| w.needs.products.iter().map(|p| (w.request.store.clone(), p.clone())));
    let products = workspace.products_named(products);
    levels(session, workspace, products)
}

fn replay<'a>(workspace: &Workspace, request: &'a Request) -> Option<Wanted<'a>> {
    let record = workspace.requests.get(&request.key()?).ok().flatten()?;
    Some(Wanted { request, needs: Needs::of_replay(&record.made) })
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
    match ByKeys::<L>::new(keys) {
        Some(query) => session.load(query),
        None => Ok(Vec::new()),
    }
}

fn request_records(session: &mut Session, workspace: &mut Workspace, wanted: &[Wanted<'_>]) -> Result<(), DbError> {
    let keys: BTreeSet<_> = wanted.iter().filter_map(|w| w.request.key()).collect();
    let parts = keys
        .iter()
        .map(|key| vec![key.store.as_str().into(), key.principal.as_str().into(), key.id.to_string().into()]);
    let records: Vec<RequestRecord> = by_keys::<lookups::Requests, RequestRow, _>(session, parts)?;
    // A store that was not there to be locked was made since, by this very request at another instance.
    if records.iter().any(|record| matches!(workspace.store(&record.key.store), Ok(None))) {
        return Err(DbError::new(DbErrorKind::Retry, "a store was made while it was looked for"));
    }
    keys.into_iter().for_each(|key| workspace.requests.sought(key));
    records.into_iter().for_each(|record| workspace.requests.found(record.key.clone(), record));
    Ok(())
}

/// Loads the roles of stores, and which of them principals hold.
pub fn access(
    session: &mut Session,
    workspace: &mut Workspace,
    callers: BTreeSet<(StoreId, PrincipalId)>,
) -> Result<(), DbError> {
    let stores: BTreeSet<StoreId> = callers.iter().map(|(store, _)| store.clone()).collect();
    let keys = stores.iter().map(|store| vec![store.as_str().into()]);
    let permissions: Vec<RolePermissionRow> = rows::<lookups::RolesOfStore, _>(session, keys)?;
    stores.into_iter().for_each(|store| workspace.roles_sought(store));
    for row in permissions {
        let from_event = row.from_event;
        workspace.permission_found(row.key()?, from_event);
    }
    let keys = callers.iter().map(|(store, principal)| vec![store.as_str().into(), principal.as_str().into()]);
    let grants: Vec<RoleGrantRow> = rows::<lookups::GrantsOfPrincipal, _>(session, keys)?;
    callers.into_iter().for_each(|(store, principal)| workspace.grants_sought(store, principal));
    found_grants(workspace, grants);
    Ok(())
}

fn everybody(session: &mut Session, workspace: &mut Workspace, stores: BTreeSet<StoreId>) -> Result<(), DbError> {
    let grants: Vec<RoleGrantRow> =
        rows::<lookups::GrantsOfStore, _>(session, stores.iter().map(|store| vec![store.as_str().into()]))?;
    stores.into_iter().for_each(|store| workspace.all_grants_sought(store));
    found_grants(workspace, grants);
    Ok(())
}

fn found_grants(workspace: &mut Workspace, rows: Vec<RoleGrantRow>) {
    for row in rows {
        let (store, principal) = (StoreId::new(row.store_id), PrincipalId::new(row.principal));
        workspace.grant_found(store, principal, RoleId::new(row.role_id), row.from_event);
    }
}

fn order_parts(key: &OrderKey) -> Vec<KeyValue> {
    vec![key.store.as_str().into(), key.order.to_string().into()]
}

fn numbered_parts(key: &OrderKey, number: i32) -> Vec<KeyValue> {
    vec![key.store.as_str().into(), key.order.to_string().into(), number.into()]
}

/// Loads headers.
pub fn orders(session: &mut Session, workspace: &mut Workspace, keys: BTreeSet<OrderKey>) -> Result<(), DbError> {
    let orders: Vec<Order> = by_keys::<lookups::Orders, OrderRow, _>(session, keys.iter().map(order_parts))?;
    keys.into_iter().for_each(|key| workspace.orders.sought(key));
    orders.into_iter().for_each(|order| workspace.orders.found(order.key.clone(), order));
    Ok(())
}

fn open_orders(session: &mut Session, workspace: &mut Workspace, store: &StoreId) -> Result<(), DbError> {
    let Some(total) = workspace.store(store).ok().flatten().map(|store| store.open_orders as usize) else {
        return Ok(());
    };
    let open = State::ALL.into_iter().filter(|state| state.is_open()).map(State::name);
    let first: Vec<String> = session.load(
        purchase_order::table
            .filter(purchase_order::store_id.eq(store.as_str().to_owned()))
            .filter(purchase_order::state.eq_any(open.collect::<Vec<_>>()))
            .order(purchase_order::number)
            .limit(MAX_NAMED as i64)
            .select(purchase_order::number),
    )?;
    workspace.open_orders_found(store.clone(), Listed { first, total });
    Ok(())
}

fn lines(session: &mut Session, workspace: &mut Workspace, needs: &[(OrderKey, &OrderNeed)]) -> Result<(), DbError> {
    let (mut all, mut numbered, mut of_receipt) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for (key, need) in needs {
        match &need.lines {
            LineNeed::All => drop(all.insert(key.clone())),
            LineNeed::Numbers(numbers) => numbered.extend(numbers.iter().map(|number| (key.clone(), *number))),
            LineNeed::OfReceipt(number) => drop(of_receipt.insert((key.clone(), *number))),
        }
    }
    let parts =
        |keys: &BTreeSet<(OrderKey, i32)>| -> Vec<_> { keys.iter().map(|(key, n)| numbered_parts(key, *n)).collect() };
    let mut found: Vec<Line> = by_keys::<lookups::LinesOfOrder, LineRow, _>(session, all.iter().map(order_parts))?;
    found.extend(by_keys::<lookups::Lines, LineRow, Line>(session, parts(&numbered))?);
    found.extend(by_keys::<lookups::LinesOfReceipt, LineRow, Line>(session, parts(&of_receipt))?);
    all.into_iter().for_each(|key| workspace.all_lines_sought(key));
    numbered.into_iter().for_each(|(order, number)| workspace.lines.sought(LineKey { order, number }));
    found.into_iter().for_each(|line| workspace.lines.found(line.key.clone(), line));
    Ok(())
}

fn receipts(session: &mut Session, workspace: &mut Workspace, needs: &[(OrderKey, &OrderNeed)]) -> Result<(), DbError> {
    let standing: BTreeSet<_> = needs.iter().filter(|(_, need)| need.standing_receipts).map(|(key, _)| key).collect();
    let numbered = needs.iter().flat_map(|(key, need)| need.receipts.iter().map(|number| (key.clone(), *number)));
    let numbered: BTreeSet<(OrderKey, i32)> = numbered.collect();
    let by_order = || standing.iter().map(|key| order_parts(key));
    let by_number = || numbered.iter().map(|(key, number)| numbered_parts(key, *number));
    let mut found: Vec<Receipt> = by_keys::<lookups::StandingReceipts, ReceiptRow, _>(session, by_order())?;
    found.extend(by_keys::<lookups::Receipts, ReceiptRow, Receipt>(session, by_number())?);
    let mut items: Vec<ItemOfReceipt> = by_keys::<lookups::StandingItems, ReceiptItemRow, _>(session, by_order())?;
    items.extend(by_keys::<lookups::ItemsOfReceipt, ReceiptItemRow, ItemOfReceipt>(session, by_number())?);
    for receipt in with_items(found, items) {
        workspace.receipts.found(receipt.key.clone(), receipt);
    }
    for (order, number) in numbered {
        workspace.receipts.sought(ReceiptKey { order, number });
    }
    standing.into_iter().for_each(|key| workspace.standing_receipts_sought(key.clone()));
    Ok(())
}

/// Receipts with their items in line order. A receipt may have been found in two ways.
fn with_items(receipts: Vec<Receipt>, items: Vec<ItemOfReceipt>) -> impl Iterator<Item = Receipt> {
    let mut by_key: BTreeMap<ReceiptKey, Receipt> = receipts.into_iter().map(|r| (r.key.clone(), r)).collect();
    for ItemOfReceipt { receipt, item } in items {
        if let Some(receipt) = by_key.get_mut(&receipt) {
            receipt.items.push(item);
        }
    }
    by_key.into_values().map(|mut receipt| {
        receipt.items.sort_by_key(|item| item.line);
        receipt.items.dedup_by_key(|item| item.line);
        receipt
    })
}

/// Loads levels.
pub fn levels(session: &mut Session, workspace: &mut Workspace, keys: BTreeSet<LevelKey>) -> Result<(), DbError> {
    let parts = keys.iter().map(|key| vec![key.store.as_str().into(), key.product.as_str().into()]);
    let levels: Vec<Level> = by_keys::<lookups::Levels, LevelRow, _>(session, parts)?;
    keys.into_iter().for_each(|key| workspace.levels.sought(key));
    levels.into_iter().for_each(|level| workspace.levels.found(level.key.clone(), level));
    Ok(())
}
