//! Lists of orders, newest first. Whatever is asked for, an index leads to it: one that is in the order
//! of the list, which is walked as far as the page reaches; or, for a product or a number, the one
//! that leads to the few orders that have it. Where they are not few, the list is walked, and each
//! order is looked into.

use std::collections::BTreeSet;

use diesel::dsl::{exists, not};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::sqlite::Sqlite;

use super::filter::AllOf;
use crate::domain::code::{ProductId, StoreId};
use crate::domain::order::{Order, State};
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;
use crate::repository::keys::{ByKeys, Lookup};
use crate::repository::lookups;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};
use crate::repository::session::Session;

#[diesel::declare_sql_function]
extern "SQL" {
    /// So many characters of a text, from one on.
    fn substr(text: Text, from: Integer, count: Integer) -> Text;
}

/// How many orders are few.
const FEW: usize = 1_000;

/// Which orders; what is not set does not matter.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "named as in the contract")]
pub struct OrderFilter {
    pub states: Vec<State>,
    pub supplier: Option<String>,
    pub product: Option<ProductId>,
    pub number_prefix: Option<String>,
    pub supplier_reference: Option<String>,
    pub back_orders_only: bool,
    pub create_time_from: Option<Timestamp>,
    pub create_time_before: Option<Timestamp>,
}

/// A place in the list of orders: what it is sorted by.
pub type OrderPosition = (i64, String);

/// The position of an order in the list.
pub fn position(order: &Order) -> OrderPosition {
    (order.create_time.micros(), order.key.order.to_string())
}

/// Headers, newest first, behind `after`.
pub fn list(
    session: &mut Session,
    store: &StoreId,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<Vec<Order>, DbError> {
    let all = || conditions(store, filter, &filter.states, after);
    let rows = match few(session, store, filter)? {
        Few::Orders(ids) => among::<lookups::Orders>(session, store, ids, all(), limit)?,
        Few::Chains(ids) => among::<lookups::OrdersOfChain>(session, store, ids, all(), limit)?,
        Few::Not => walk(session, store, filter, after, limit)?,
    };
    rows.into_iter().map(Order::try_from).collect()
}

/// Walks the list, once for each state asked for: an index holds each state in the list's order, but
/// not several of them.
fn walk(
    session: &mut Session,
    store: &StoreId,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<Vec<OrderRow>, DbError> {
    let states: BTreeSet<State> = filter.states.iter().copied().collect();
    let each = if states.is_empty() { vec![Vec::new()] } else { states.into_iter().map(|state| vec![state]).collect() };
    let mut rows: Vec<OrderRow> = Vec::new();
    for states in each {
        let orders = po::table.filter(conditions(store, filter, &states, after));
        let newest = orders.order((po::create_time.desc(), po::po_id.desc())).limit(limit);
        rows.extend(session.load::<OrderRow, _>(newest)?);
    }
    rows.sort_by(|a, b| b.position().cmp(&a.position()));
    rows.truncate(limit as usize);
    Ok(rows)
}

fn conditions(
    store: &StoreId,
    filter: &OrderFilter,
    states: &[State],
    after: Option<&OrderPosition>,
) -> AllOf<po::table> {
    let store = store.as_str().to_owned();
    let states: Vec<&'static str> = states.iter().map(|state| state.name()).collect();
    let has_product = |product: &ProductId| {
        let lines = pol::table.filter(pol::store_id.eq(store.clone())).filter(pol::po_id.eq(po::po_id));
        exists(lines.filter(pol::product_id.eq(product.as_str().to_owned())))
    };
    // By no index: where one leads to the number, it has done so already.
    let has_prefix = |prefix: String| substr(po::number, 1, prefix.chars().count() as i32).eq(prefix);
    AllOf::new(po::store_id.eq(store.clone()))
        .and((!states.is_empty()).then(|| po::state.eq_any(states)))
        .and(filter.supplier.clone().map(|supplier| po::supplier_id.eq(supplier)))
        .and(filter.product.as_ref().map(has_product))
        .and(filter.number_prefix.clone().map(has_prefix))
        .and(filter.supplier_reference.clone().map(|reference| po::supplier_reference.assume_not_null().eq(reference)))
        .and(filter.back_orders_only.then(|| po::parent_id.is_not_null()))
        .and(filter.create_time_from.map(|time| po::create_time.ge(time.micros())))
        .and(filter.create_time_before.map(|time| po::create_time.lt(time.micros())))
        .and(after.map(|(time, _)| po::create_time.le(*time)))
        .and(after.map(|(time, id)| po::create_time.lt(*time).or(po::po_id.lt(id.clone()))))
}

/// The first text behind every text that begins with `prefix`, by bytes: order numbers are sorted so
/// in both databases, and the last character of one is far from the end of Unicode.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

/// Orders that an index leads to by itself.
enum Few {
    /// These.
    Orders(Vec<String>),
    /// Those of the chains that begin with these.
    Chains(Vec<String>),
    /// They are not few.
    Not,
}

fn few(session: &mut Session, store: &StoreId, filter: &OrderFilter) -> Result<Few, DbError> {
    if let Some(prefix) = &filter.number_prefix {
        let orders = with_number(session, store, prefix)?;
        if orders.len() <= FEW {
            return Ok(Few::Orders(orders));
        }
    }
    if let Some(product) = &filter.product {
        let originals = originals_with(session, store, product)?;
        if originals.len() <= FEW {
            return Ok(Few::Chains(originals));
        }
    }
    Ok(Few::Not)
}

/// The orders whose number begins with `prefix`; if they are not few, one more than that.
fn with_number(session: &mut Session, store: &StoreId, prefix: &str) -> Result<Vec<String>, DbError> {
    session.load(
        po::table
            .filter(po::store_id.eq(store.as_str().to_owned()))
            .filter(po::number.ge(prefix.to_owned()))
            .filter(po::number.lt(after_prefix(prefix)))
            .order(po::number)
            .limit(FEW as i64 + 1)
            .select(po::po_id),
    )
}

/// The originals with a line of a product, likewise. A product that is on a back order is on the
/// original of its chain, and the index holds the lines of originals alone.
fn originals_with(session: &mut Session, store: &StoreId, product: &ProductId) -> Result<Vec<String>, DbError> {
    session.load(
        pol::table
            .filter(pol::store_id.eq(store.as_str().to_owned()))
            .filter(pol::product_id.eq(product.as_str().to_owned()))
            .filter(not(pol::inherited))
            .order(pol::po_id)
            .limit(FEW as i64 + 1)
            .select(pol::po_id)
            .distinct(),
    )
}

fn among<L: Lookup<Table = po::table>>(
    session: &mut Session,
    store: &StoreId,
    ids: Vec<String>,
    conditions: AllOf<po::table>,
    limit: i64,
) -> Result<Vec<OrderRow>, DbError> {
    let keys = ids.into_iter().map(|id| vec![store.as_str().into(), id.into()]);
    match ByKeys::<L>::new(session.store_scope(), keys) {
        Some(keys) => session.load(Among { keys, conditions, limit }),
        None => Ok(Vec::new()),
    }
}

/// The newest of the orders with these keys for which the conditions hold.
struct Among<L: Lookup> {
    keys: ByKeys<L>,
    conditions: AllOf<po::table>,
    limit: i64,
}

const NEWEST: &str = " ORDER BY purchase_order.create_time DESC, purchase_order.po_id DESC LIMIT ";

impl<L: Lookup<Table = po::table>> QueryFragment<Pg> for Among<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        QueryFragment::<Pg>::walk_ast(&self.keys, out.reborrow())?;
        out.push_sql(" WHERE ");
        QueryFragment::<Pg>::walk_ast(&self.conditions, out.reborrow())?;
        out.push_sql(NEWEST);
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<L: Lookup<Table = po::table>> QueryFragment<Sqlite> for Among<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        QueryFragment::<Sqlite>::walk_ast(&self.keys, out.reborrow())?;
        out.push_sql(" WHERE ");
        QueryFragment::<Sqlite>::walk_ast(&self.conditions, out.reborrow())?;
        out.push_sql(NEWEST);
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<L: Lookup> QueryId for Among<L> {
    type QueryId = ();
    // One type for the many texts of its conditions.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<L: Lookup> Query for Among<L> {
    type SqlType = <ByKeys<L> as Query>::SqlType;
}

impl<L: Lookup, C> RunQueryDsl<C> for Among<L> {}
