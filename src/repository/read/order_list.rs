//! Lists of orders, newest first: by when they were created, and where a clock stood still, by the events
//! that created them; ids bear wall time and are no order. Whatever is asked for, an index leads to it: one that is in the order
//! of the list, which is walked as far as the page reaches; or, for a product or a number, the one
//! that leads to the few orders that have it. Where they are many, the list is scanned, and each
//! order is looked into.

use std::collections::BTreeSet;

use diesel::backend::Backend;
use diesel::dsl::{exists, not};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Integer, Text};
use diesel::sqlite::Sqlite;

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::code::{ProductId, StoreId};
use crate::domain::order::{Order, State};
use crate::domain::time::Timestamp;
use crate::repository::keys::{ByKeys, Lookup, StoreScope};
use crate::repository::lookups;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};

#[diesel::declare_sql_function]
extern "SQL" {
    /// So many characters of a text, from one on.
    fn substr(text: Text, from: Integer, count: Integer) -> Text;
}

/// The most orders that are taken as candidates by their own index. Beyond that the list is scanned.
const FEW: usize = 1_000;
/// One more, to learn whether there are more.
const FEW_AND_ONE: i64 = FEW as i64 + 1;

/// Which orders; what is not set does not matter.
#[derive(Clone, Debug, Default)]
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
pub type OrderPosition = (i64, i64);

/// The position of an order in the list.
pub fn position(order: &Order) -> OrderPosition {
    (order.create_time.micros(), order.create_event)
}

/// Headers, newest first, behind `after`.
///
/// Where a product or a number is asked for, a statement of its own finds out whether an index leads
/// to few orders; otherwise the list is one statement.
pub fn list(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<(Authorized, Vec<Order>), ReadError> {
    let (authorized, mut rows) = match filter.number_prefix.is_some() || filter.product.is_some() {
        true => session.snapshot(|snapshot| by_candidates(snapshot, check, filter, after, limit))?,
        false => session.with::<OrderRow, _>(check, scan(&check.store, filter, after, limit))?,
    };
    rows.sort_by_key(|row| std::cmp::Reverse(row.position()));
    rows.truncate(limit as usize);
    Ok((authorized, rows.into_iter().map(Order::try_from).collect::<Result<_, _>>()?))
}

/// Reads by the index that leads to few orders, or scans the list if there is none.
fn by_candidates(
    snapshot: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<(Authorized, Vec<OrderRow>), ReadError> {
    let store = &check.store;
    let conditions = conditions(store, filter, &filter.states, after);
    let (authorized, candidates) = candidates(snapshot, check, filter)?;
    let rows = match candidates {
        Candidates::Orders(ids) => among::<lookups::Orders>(snapshot, &authorized, store, ids, conditions, limit)?,
        Candidates::Chains(ids) => {
            among::<lookups::OrdersOfChain>(snapshot, &authorized, store, ids, conditions, limit)?
        }
        Candidates::Not => snapshot.more(&authorized, scan(store, filter, after, limit))?,
    };
    Ok((authorized, rows))
}

/// The newest of the orders of each state that is asked for: an index holds each state in the list's
/// order, but not several of them.
#[diesel::dsl::auto_type]
fn newest(conditions: AllOf<po::table>, limit: i64) -> _ {
    po::table.filter(conditions).order((po::create_time.desc(), po::create_event.desc())).limit(limit)
}

/// Walks the list, once for each state asked for; the page is the newest of what they find.
fn scan(store: &StoreId, filter: &OrderFilter, after: Option<&OrderPosition>, limit: i64) -> AllRows<newest> {
    let states: BTreeSet<State> = filter.states.iter().copied().collect();
    let each = if states.is_empty() { vec![Vec::new()] } else { states.into_iter().map(|state| vec![state]).collect() };
    let walks = each.into_iter().map(|states| newest(conditions(store, filter, &states, after), limit));
    AllRows(walks.collect())
}

/// All rows of several queries of one type.
struct AllRows<Q>(Vec<Q>);

impl<DB: Backend, Q: QueryFragment<DB>> QueryFragment<DB> for AllRows<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for (index, query) in self.0.iter().enumerate() {
            out.push_sql(if index == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            query.walk_ast(out.reborrow())?;
            out.push_sql(&format!(") AS scan{index}"));
        }
        Ok(())
    }
}

impl<Q> QueryId for AllRows<Q> {
    type QueryId = ();
    // How many there are is not in the type.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for AllRows<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for AllRows<Q> {}

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
        .and(after.map(|(time, event)| po::create_time.lt(*time).or(po::create_event.lt(*event))))
}

/// The first text behind every text that begins with `prefix`, by bytes: order numbers are sorted so
/// in both databases, and the last character of one is far from the end of Unicode.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

/// Orders that an index leads to by itself.
enum Candidates {
    /// These.
    Orders(Vec<String>),
    /// Those of the chains that begin with these.
    Chains(Vec<String>),
    /// More than [`FEW`] orders: an index does not narrow the list.
    Not,
}

fn candidates(
    snapshot: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
) -> Result<(Authorized, Candidates), ReadError> {
    let store = check.store.as_str();
    let of_number = |prefix: &String| with_number(store.to_owned(), prefix.clone(), after_prefix(prefix), FEW_AND_ONE);
    let of_product = |product: &ProductId| originals_with(store.to_owned(), product.to_string(), FEW_AND_ONE);
    let (of_number, of_product) =
        (filter.number_prefix.as_ref().map(of_number), filter.product.as_ref().map(of_product));
    let found = match (of_number, of_product) {
        (None, None) => (snapshot.authorize(check)?, Candidates::Not),
        (Some(of_number), None) => {
            let (authorized, orders) = snapshot.with::<String, _>(check, of_number)?;
            (authorized, Candidates::Orders(orders).if_few())
        }
        (None, Some(of_product)) => {
            let (authorized, originals) = snapshot.with::<String, _>(check, of_product)?;
            (authorized, Candidates::Chains(originals).if_few())
        }
        (Some(of_number), Some(of_product)) => {
            let queries = (of_number, of_product);
            let (authorized, orders, originals) = snapshot.with_two::<String, String, _, _>(check, queries)?;
            let by_number = Candidates::Orders(orders).if_few();
            (
                authorized,
                if matches!(by_number, Candidates::Not) { Candidates::Chains(originals).if_few() } else { by_number },
            )
        }
    };
    Ok(found)
}

impl Candidates {
    /// These candidates, unless there are more than [`FEW`].
    fn if_few(self) -> Self {
        match &self {
            Self::Orders(ids) | Self::Chains(ids) if ids.len() > FEW => Self::Not,
            _ => self,
        }
    }
}

/// The orders whose number is `prefix` or later, and before `end`.
#[diesel::dsl::auto_type]
fn with_number(store: String, prefix: String, end: String, limit: i64) -> _ {
    po::table
        .filter(po::store_id.eq(store))
        .filter(po::number.ge(prefix))
        .filter(po::number.lt(end))
        .order(po::number)
        .limit(limit)
        .select(po::po_id)
}

/// The originals with a line of a product. A product that is on a back order is on the
/// original of its chain, and the index holds the lines of originals alone.
#[diesel::dsl::auto_type]
fn originals_with(store: String, product: String, limit: i64) -> _ {
    pol::table
        .filter(pol::store_id.eq(store))
        .filter(pol::product_id.eq(product))
        .filter(not(pol::inherited))
        .order(pol::po_id)
        .limit(limit)
        .select(pol::po_id)
        .distinct()
}

fn among<L: Lookup<Table = po::table>>(
    snapshot: &mut ReadSession<'_>,
    authorized: &Authorized,
    store: &StoreId,
    ids: Vec<String>,
    conditions: AllOf<po::table>,
    limit: i64,
) -> Result<Vec<OrderRow>, ReadError> {
    let keys = ids.into_iter().map(|id| vec![store.as_str().into(), id.into()]);
    match ByKeys::<L>::new(StoreScope::One, keys) {
        Some(keys) => snapshot.more(authorized, Among { keys, conditions, limit }),
        None => Ok(Vec::new()),
    }
}

/// The newest of the orders with these keys for which the conditions hold.
struct Among<L: Lookup> {
    keys: ByKeys<L>,
    conditions: AllOf<po::table>,
    limit: i64,
}

const NEWEST: &str = " ORDER BY purchase_order.create_time DESC, purchase_order.create_event DESC LIMIT ";

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
