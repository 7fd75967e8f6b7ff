//! Lists of orders, newest first: by the time of creation, and where two have the same, by the event that created them.
//! The ids are no order, because they contain wall time, which may jump.
//!
//! The time a page takes is bounded by an index, whatever is asked for:
//!
//! - Without a product or a number, an index that is in the order of the list is walked until the page is full.
//! - With a product or a number, the index of products or numbers leads to the orders that have it. Where these are more
//!   than `MAX_CANDIDATES`, the filter is of little use to the database, and the list is walked instead: then many of
//!   its orders fit, so that a page is soon full.

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
use crate::repository::keys::{Lookup, LookupQuery, StoreScope};
use crate::repository::lookups;
use crate::repository::rows::order::{Header, HeaderRow};
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};

#[diesel::declare_sql_function]
extern "SQL" {
    /// `count` characters of a text, beginning with the one at `from`, which counts from 1.
    fn substr(text: Text, from: Integer, count: Integer) -> Text;
}

/// How many orders an index of products or numbers may lead to. Beyond that the list is scanned.
const MAX_CANDIDATES: usize = 1_000;
/// How many candidates are loaded: one more, to find out whether there are too many.
const CANDIDATE_LIMIT: i64 = MAX_CANDIDATES as i64 + 1;

/// Which orders a list shows. A field that is not set excludes none; all that are set must hold.
#[derive(Clone, Debug, Default)]
pub struct OrderFilter {
    /// Orders in one of these states; empty for any state.
    pub states: Vec<State>,
    /// Orders from this supplier.
    pub supplier: Option<String>,
    /// Orders that have a line of this product.
    pub product: Option<ProductId>,
    /// Orders whose number begins with this text, upper and lower case being different.
    pub number_prefix: Option<String>,
    /// Orders with exactly this reference of the supplier.
    pub supplier_reference: Option<String>,
    /// Back orders, and not the originals.
    pub back_orders_only: bool,
    /// Orders created at this time or later.
    pub create_time_from: Option<Timestamp>,
    /// Orders created before this time.
    pub create_time_before: Option<Timestamp>,
}

/// A position in the list of orders, which page tokens carry: the time of creation in microseconds and the number of the
/// event. No two orders of a store have the same, and an order keeps its own, so no page repeats or leaves out an order.
pub type OrderPosition = (i64, i64);

/// The position at which a list shows an order.
pub fn position(order: &Order) -> OrderPosition {
    (order.create_time.micros(), order.create_event)
}

/// The headers of a page, newest first: those after the position `after`, at most `limit`.
///
/// Where a product or a number is asked for, a statement of its own loads the candidates, so that the read takes a
/// snapshot; otherwise it is one statement.
pub fn list(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<(Authorized, Vec<Order>), ReadError> {
    let (authorized, mut rows) = if filter.number_prefix.is_some() || filter.product.is_some() {
        session.snapshot(|snapshot| by_candidates(snapshot, check, filter, after, limit))?
    } else {
        session.authorize_and_load::<HeaderRow, _>(check, scan(&check.store, filter, after, limit))?
    };
    // A scan of several states finds a page of each.
    rows.sort_by_key(|(row, _)| std::cmp::Reverse(row.position()));
    rows.truncate(limit as usize);
    Ok((authorized, rows.into_iter().map(Order::try_from).collect::<Result<_, _>>()?))
}

/// Loads a page by the index that leads to few orders, or by a scan of the list if none does.
fn by_candidates(
    snapshot: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<(Authorized, Vec<HeaderRow>), ReadError> {
    let store = &check.store;
    let conditions = conditions_of(store, filter, &filter.states, after);
    let (authorized, candidates) = find_candidates(snapshot, check, filter)?;
    let rows = match candidates {
        Candidates::Orders(ids) => {
            load_candidates::<lookups::Orders>(snapshot, &authorized, store, ids, conditions, limit)?
        }
        Candidates::Chains(ids) => {
            load_candidates::<lookups::OrdersOfChain>(snapshot, &authorized, store, ids, conditions, limit)?
        }
        Candidates::TooMany => snapshot.load_authorized(&authorized, scan(store, filter, after, limit))?,
    };
    Ok((authorized, rows))
}

/// The newest orders for which the conditions hold.
#[diesel::dsl::auto_type]
fn newest(header: Header, conditions: AllOf<po::table>, limit: i64) -> _ {
    po::table.select(header).filter(conditions).order((po::create_time.desc(), po::create_event.desc())).limit(limit)
}

/// Walks the list once for each state that is asked for. An index has the orders of one state in the order of the list,
/// but not those of several states: one query for all would have to sort everything that it finds.
fn scan(store: &StoreId, filter: &OrderFilter, after: Option<&OrderPosition>, limit: i64) -> UnionAll<newest> {
    // Each state once, because a state that is named twice would return its orders twice.
    let states: BTreeSet<State> = filter.states.iter().copied().collect();
    let mut queries = Vec::new();
    for state in &states {
        let conditions = conditions_of(store, filter, std::slice::from_ref(state), after);
        queries.push(newest(Header::of_store(store.as_str()), conditions, limit));
    }
    if queries.is_empty() {
        queries.push(newest(Header::of_store(store.as_str()), conditions_of(store, filter, &[], after), limit));
    }
    UnionAll(queries)
}

/// All rows of one or more queries of the same type.
struct UnionAll<Q>(Vec<Q>);

impl<DB: Backend, Q: QueryFragment<DB>> QueryFragment<DB> for UnionAll<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for (index, query) in self.0.iter().enumerate() {
            out.push_sql(if index == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            query.walk_ast(out.reborrow())?;
            out.push_sql(&format!(") AS scan{index}"));
        }
        Ok(())
    }
}

impl<Q> QueryId for UnionAll<Q> {
    type QueryId = ();
    // The text depends on how many queries there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for UnionAll<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for UnionAll<Q> {}

/// The conditions of a filter on an order's header, with those of a page. `states` are given apart from the filter,
/// because a scan has a query for each.
fn conditions_of(
    store: &StoreId,
    filter: &OrderFilter,
    states: &[State],
    after: Option<&OrderPosition>,
) -> AllOf<po::table> {
    let store = store.as_str().to_owned();
    let states: Vec<&'static str> = states.iter().map(|state| state.name()).collect();
    AllOf::new(po::store_id.eq(store.clone()))
        .and((!states.is_empty()).then(|| po::state.eq_any(states)))
        .and(filter.supplier.clone().map(|supplier| po::supplier_id.eq(supplier)))
        .and(filter.product.as_ref().map(|product| {
            let lines = pol::table.filter(pol::store_id.eq(store)).filter(pol::po_id.eq(po::po_id));
            exists(lines.filter(pol::product_id.eq(product.as_str().to_owned())))
        }))
        // No index serves `substr`, and none is needed: where an index leads to the numbers, it has chosen the candidates
        // already. LIKE would need the prefix escaped, and ignores case on SQLite.
        .and(filter.number_prefix.clone().map(|prefix| {
            let length = prefix.chars().count() as i32;
            substr(po::number, 1, length).eq(prefix)
        }))
        .and(filter.supplier_reference.clone().map(|reference| po::supplier_reference.assume_not_null().eq(reference)))
        .and(filter.back_orders_only.then(|| po::parent_id.is_not_null()))
        .and(filter.create_time_from.map(|time| po::create_time.ge(time.micros())))
        .and(filter.create_time_before.map(|time| po::create_time.lt(time.micros())))
        // Both together mean: (time, event) is less than the position. The first is implied by the second, but it is what
        // an index on the time can begin at.
        .and(after.map(|(time, _)| po::create_time.le(*time)))
        .and(after.map(|(time, event)| po::create_time.lt(*time).or(po::create_event.lt(*event))))
}

/// A text that sorts after every order number that begins with `prefix`. Both databases sort numbers by bytes, and no
/// order number contains the last character of Unicode.
fn end_of_prefix(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

/// The orders to which an index of products or numbers leads. The filter's other conditions are not applied yet.
enum Candidates {
    /// The orders with these ids.
    Orders(Vec<String>),
    /// All orders of the chains whose originals have these ids.
    Chains(Vec<String>),
    /// No index leads to `MAX_CANDIDATES` orders or fewer.
    TooMany,
}

/// Judges the caller's access and loads the candidates. By number first: a prefix usually leads to fewer orders than a
/// product does.
fn find_candidates(
    snapshot: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
) -> Result<(Authorized, Candidates), ReadError> {
    let store = check.store.as_str();
    let of_number = filter
        .number_prefix
        .as_ref()
        .map(|prefix| with_number(store.to_owned(), prefix.clone(), end_of_prefix(prefix), CANDIDATE_LIMIT));
    let of_product =
        filter.product.as_ref().map(|product| originals_with(store.to_owned(), product.to_string(), CANDIDATE_LIMIT));
    match (of_number, of_product) {
        (None, None) => Ok((snapshot.authorize(check)?, Candidates::TooMany)),
        (Some(of_number), None) => {
            let (authorized, orders) = snapshot.authorize_and_load::<String, _>(check, of_number)?;
            Ok((authorized, Candidates::Orders(orders).or_too_many()))
        }
        (None, Some(of_product)) => {
            let (authorized, originals) = snapshot.authorize_and_load::<String, _>(check, of_product)?;
            Ok((authorized, Candidates::Chains(originals).or_too_many()))
        }
        (Some(of_number), Some(of_product)) => {
            let queries = (of_number, of_product);
            let (authorized, orders, originals) =
                snapshot.authorize_and_load_two::<String, String, _, _>(check, queries)?;
            let mut candidates = Candidates::Orders(orders).or_too_many();
            if matches!(candidates, Candidates::TooMany) {
                candidates = Candidates::Chains(originals).or_too_many();
            }
            Ok((authorized, candidates))
        }
    }
}

impl Candidates {
    /// These candidates, each once, or [`Candidates::TooMany`] if the limit was reached: then some are missing.
    fn or_too_many(self) -> Self {
        match self {
            Self::Orders(ids) | Self::Chains(ids) if ids.len() > MAX_CANDIDATES => Self::TooMany,
            Self::Chains(ids) => {
                let distinct: BTreeSet<String> = ids.into_iter().collect();
                Self::Chains(distinct.into_iter().collect())
            }
            other => other,
        }
    }
}

/// The ids of orders whose number is `prefix` or later, and before `end`: a range of the index of numbers.
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

/// The ids of the originals of chains that have a line of a product; one comes again for each line of the product. Lines that a back order carries over need not be
/// searched: they come from an order before it, and the index has only lines that are not carried over.
#[diesel::dsl::auto_type]
fn originals_with(store: String, product: String, limit: i64) -> _ {
    pol::table
        .inner_join(po::table.on(po::store_id.eq(pol::store_id).and(po::po_id.eq(pol::po_id))))
        .filter(pol::store_id.eq(store))
        .filter(pol::product_id.eq(product))
        .filter(not(pol::carried_over))
        .order(pol::po_id)
        .limit(limit)
        .select(po::root_id)
}

/// Loads the newest candidates for which the conditions hold.
fn load_candidates<L: Lookup<Columns = Header>>(
    snapshot: &mut ReadSession<'_>,
    authorized: &Authorized,
    store: &StoreId,
    ids: Vec<String>,
    conditions: AllOf<po::table>,
    limit: i64,
) -> Result<Vec<HeaderRow>, ReadError> {
    let keys = ids.into_iter().map(|id| vec![store.as_str().into(), id.into()]);
    match LookupQuery::<L>::new(StoreScope::One, keys)? {
        Some(lookup) => snapshot.load_authorized(authorized, CandidateQuery { lookup, conditions, limit }),
        // No order has the product or the number.
        None => Ok(Vec::new()),
    }
}

/// The newest of the orders that a lookup finds, as far as the conditions hold for them. A lookup has no WHERE of its own,
/// so one can follow it.
struct CandidateQuery<L: Lookup> {
    lookup: LookupQuery<L>,
    conditions: AllOf<po::table>,
    limit: i64,
}

/// The order and the limit of a page of candidates; the limit follows as a parameter.
const NEWEST: &str = " ORDER BY purchase_order.create_time DESC, purchase_order.create_event DESC LIMIT ";

impl<L: Lookup<Columns = Header>> QueryFragment<Pg> for CandidateQuery<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        QueryFragment::<Pg>::walk_ast(&self.lookup, out.reborrow())?;
        out.push_sql(" WHERE ");
        QueryFragment::<Pg>::walk_ast(&self.conditions, out.reborrow())?;
        out.push_sql(NEWEST);
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<L: Lookup<Columns = Header>> QueryFragment<Sqlite> for CandidateQuery<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        QueryFragment::<Sqlite>::walk_ast(&self.lookup, out.reborrow())?;
        out.push_sql(" WHERE ");
        QueryFragment::<Sqlite>::walk_ast(&self.conditions, out.reborrow())?;
        out.push_sql(NEWEST);
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<L: Lookup> QueryId for CandidateQuery<L> {
    type QueryId = ();
    // The text depends on which conditions there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<L: Lookup> Query for CandidateQuery<L> {
    type SqlType = <LookupQuery<L> as Query>::SqlType;
}

impl<L: Lookup, C> RunQueryDsl<C> for CandidateQuery<L> {}
