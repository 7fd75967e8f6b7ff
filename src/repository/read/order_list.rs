//! Lists of orders. Newest first: by the time of creation, and where two have the same, by the event that created them;
//! the ids are no order, because they contain wall time, which may jump. Or by the order's own expected date, and where two
//! have the same, by the id.
//!
//! The time a page takes is bounded by an index, whatever is asked for:
//!
//! - An index that is in the order of the list is walked until the page is full.
//! - With something that no such index has (a product, a number, a date in the list of the newest, a supplier in that by
//!   date), another index leads to the orders that have it. Where these are more than `MAX_CANDIDATES`, the filter is of
//!   little use to the database, and the list is walked instead: then many of its orders fit, so that a page is soon full.

pub mod over_stores;

use std::cmp::Reverse;
use std::collections::BTreeSet;

use diesel::backend::Backend;
use diesel::dsl::{exists, not, sql};
use diesel::expression::SqlLiteral;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Integer, Text};
use diesel::sqlite::Sqlite;
use serde::{Deserialize, Serialize};

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use super::filter::{AllOf, UnionAll};
use super::merge::Position;
use crate::domain::code::{ProductId, StoreId};
use crate::domain::order::due_date::DueDate;
use crate::domain::order::{Order, State};
use crate::domain::time::{Date, Timestamp};
use crate::repository::keys::{Lookup, LookupQuery, StoreScope};
use crate::repository::lookups;
use crate::repository::rows::order::{Header, HeaderRow};
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};

#[diesel::declare_sql_function]
extern "SQL" {
    /// `count` characters of a text, beginning with the one at `from`, which counts from 1.
    fn substr(text: Text, from: Integer, count: Integer) -> Text;
    /// A text with its upper case letters of ASCII in lower case.
    fn lower(text: Text) -> Text;
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
    /// Orders whose number begins with this text. Numbers are in upper case.
    pub number_prefix: Option<String>,
    /// Orders with this reference of the supplier, which is given in lower case and found in either.
    pub supplier_reference: Option<String>,
    /// Back orders, and not the originals.
    pub back_orders_only: bool,
    /// Orders created at this time or later.
    pub create_time_from: Option<Timestamp>,
    /// Orders created before this time.
    pub create_time_before: Option<Timestamp>,
    /// Orders whose own expected date is this day or later.
    pub expected_from: Option<Date>,
    /// Orders whose own expected date is before this day.
    pub expected_before: Option<Date>,
    /// Live orders with something pending whose own expected date is before the day that it is now in their store.
    pub overdue: bool,
    /// The order with this id of the caller's own.
    pub external_id: Option<String>,
}

/// In which order a list shows orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sorting {
    /// By the time of creation, the last first.
    Newest,
    /// By the order's own expected date, those without one last.
    ExpectedDate,
}

/// A position in the list of orders, which page tokens carry. No two orders of a store have the same, and an order keeps
/// its own, so no page repeats or leaves out an order; only one whose expected date is changed moves in that list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderPosition {
    /// The time of creation in microseconds, the store, and the number of the event.
    Newest(Position<Reverse<i64>, Reverse<i64>>),
    /// The expected date as [`expected_key`] has it, the store, and the id of the order.
    ExpectedDate(Position<String, String>),
}

impl OrderPosition {
    /// The position at which a list shows an order.
    pub fn of(sorting: Sorting, order: &Order) -> Self {
        let store = order.key.store.to_string();
        match sorting {
            Sorting::Newest => {
                Self::Newest((Reverse(order.create_time.micros()), store, Some(Reverse(order.create_event))))
            }
            Sorting::ExpectedDate => {
                let date = order.expected_date.map_or_else(|| DueDate::UNDATED.to_owned(), |date| date.to_string());
                Self::ExpectedDate((date, store, Some(order.key.order.to_string())))
            }
        }
    }
}

/// The orders of one store that are on a page: which, in which order and after which position.
#[derive(Clone)]
struct Asked<'a> {
    store: &'a StoreId,
    filter: &'a OrderFilter,
    sorting: Sorting,
    after: Option<&'a OrderPosition>,
    /// The day before which an order is overdue, if only such are asked for.
    today: Option<Date>,
    limit: i64,
}

/// The headers of a page: those after the position `after`, at most `limit`. `now` tells what is overdue.
///
/// Where an index leads to few orders, a statement of its own loads the candidates, so that the read takes a snapshot;
/// otherwise it is one statement.
pub fn list(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &OrderFilter,
    sorting: Sorting,
    now: Timestamp,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<(Authorized, Vec<Order>), ReadError> {
    let mut asked = Asked { store: &check.store, filter, sorting, after, today: None, limit };
    let sources = sources(filter, sorting);
    let (authorized, rows) = if filter.overdue || !sources.is_empty() {
        session.snapshot(|snapshot| {
            let authorized = snapshot.authorize(check)?;
            asked.today = filter.overdue.then(|| authorized.store().time_zone.date_at(now));
            let rows = by_candidates(snapshot, &authorized, &asked, &sources)?;
            Ok((authorized, rows))
        })?
    } else {
        session.authorize_and_load::<HeaderRow, _>(check, scan(&asked))?
    };
    let mut orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    // A scan of several states finds a page of each.
    match sorting {
        Sorting::Newest => orders.sort_by_key(|order| Reverse((order.create_time, order.create_event))),
        Sorting::ExpectedDate => {
            orders.sort_by_cached_key(|order| (order.expected_date.is_none(), order.expected_date, order.key.order))
        }
    }
    orders.truncate(limit as usize);
    Ok((authorized, orders))
}

/// Loads a page by the first of the indexes that leads to few orders, or by a scan of the list if none does.
fn by_candidates(
    snapshot: &mut ReadSession<'_>,
    authorized: &Authorized,
    asked: &Asked<'_>,
    sources: &[Source],
) -> Result<Vec<HeaderRow>, ReadError> {
    for source in sources {
        let ids: Vec<String> = snapshot.load_authorized(authorized, source.ids(asked))?;
        // Too many to be worth loading. The next index may lead to fewer.
        if ids.len() > MAX_CANDIDATES {
            continue;
        }
        // A chain comes once for each of its lines of the product.
        let ids: BTreeSet<String> = ids.into_iter().collect();
        return match source {
            Source::Product(_) => load_candidates::<lookups::OrdersOfChain>(snapshot, authorized, asked, ids),
            _ => load_candidates::<lookups::Orders>(snapshot, authorized, asked, ids),
        };
    }
    snapshot.load_authorized(authorized, scan(asked))
}

/// The expected date by which orders are sorted and found, as the index has it.
fn expected_key() -> SqlLiteral<Text> {
    sql("COALESCE(purchase_order.expected_date, 'none')")
}

/// The states that can match, each once: a state that is named twice would return its orders twice. Empty for any state.
fn states_of(filter: &OrderFilter) -> BTreeSet<State> {
    let named: BTreeSet<State> = filter.states.iter().copied().collect();
    match filter.overdue {
        true if named.is_empty() => BTreeSet::from([State::OnOrder, State::Receiving]),
        _ => named,
    }
}

/// Walks the list once for each state that is asked for. An index has the orders of one state in the order of the list,
/// but not those of several states: one query for all would have to sort everything that it finds.
fn scan(asked: &Asked<'_>) -> UnionAll<SortedOrders> {
    let mut states = states_of(asked.filter);
    if states.is_empty() && asked.sorting == Sorting::ExpectedDate {
        // The index by date begins with the state, so all orders are those of each state.
        states = State::ALL.into();
    }
    let mut queries = Vec::new();
    for state in &states {
        queries.push(SortedOrders::of(asked, std::slice::from_ref(state)));
    }
    if queries.is_empty() {
        queries.push(SortedOrders::of(asked, &[]));
    }
    UnionAll(queries)
}

/// The headers for which the conditions hold, in the order of the list, at most `limit`.
struct SortedOrders {
    header: Header,
    conditions: AllOf<po::table>,
    sorting: Sorting,
    limit: i64,
}

impl SortedOrders {
    fn of(asked: &Asked<'_>, states: &[State]) -> Self {
        Self {
            header: Header::of_store(asked.store.as_str()),
            conditions: conditions_of(asked, states),
            sorting: asked.sorting,
            limit: asked.limit,
        }
    }
}

/// What follows the conditions: the order, and a LIMIT whose parameter follows.
const fn ending(sorting: Sorting) -> &'static str {
    match sorting {
        Sorting::Newest => " ORDER BY purchase_order.create_time DESC, purchase_order.create_event DESC LIMIT ",
        Sorting::ExpectedDate => {
            " ORDER BY COALESCE(purchase_order.expected_date, 'none'), purchase_order.po_id LIMIT "
        }
    }
}

impl<DB> QueryFragment<DB> for SortedOrders
where
    DB: Backend + HasSqlType<BigInt>,
    i64: ToSql<BigInt, DB>,
    Header: QueryFragment<DB>,
    AllOf<po::table>: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.header.walk_ast(out.reborrow())?;
        out.push_sql(" FROM purchase_order WHERE ");
        self.conditions.walk_ast(out.reborrow())?;
        out.push_sql(ending(self.sorting));
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl QueryId for SortedOrders {
    type QueryId = ();
    // The text depends on which conditions there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for SortedOrders {
    type SqlType = <Header as Expression>::SqlType;
}

/// The conditions of a filter on an order's header, with those of a page. `states` are given apart from the filter,
/// because a scan has a query for each.
fn conditions_of(asked: &Asked<'_>, states: &[State]) -> AllOf<po::table> {
    let Asked { filter, .. } = asked;
    let store = asked.store.as_str().to_owned();
    // One state is compared by itself: PostgreSQL does not take the order of an index where a column is one of several.
    let (one, several) = match states {
        [one] => (Some(one.name()), None),
        [] => (None, None),
        several => (None, Some(several.iter().map(|state| state.name()).collect::<Vec<_>>())),
    };
    let conditions = AllOf::new(po::store_id.eq(store.clone()))
        .and(one.map(|state| po::state.eq(state)))
        .and(several.map(|states| po::state.eq_any(states)));
    after_position(asked, expected_range(asked, of_filter(conditions, filter, Some(store))))
}

/// Adds what a filter asks of an order, but for its state and the days on which it is expected. `store` is the one store
/// that the statement is about; without it, each order's own.
fn of_filter(conditions: AllOf<po::table>, filter: &OrderFilter, store: Option<String>) -> AllOf<po::table> {
    let product = filter.product.as_ref().map(ToString::to_string);
    let (of_one, of_each) = match store {
        Some(store) => (product.map(|product| (store, product)), None),
        None => (None, product),
    };
    conditions
        .and(filter.supplier.clone().map(|supplier| po::supplier_id.eq(supplier)))
        .and(of_one.map(|(store, product)| {
            let lines = pol::table.filter(pol::store_id.eq(store)).filter(pol::po_id.eq(po::po_id));
            exists(lines.filter(pol::product_id.eq(product)))
        }))
        .and(of_each.map(has_line_of))
        // No index serves `substr`, and none is needed: where an index leads to the numbers, it has chosen the candidates
        // already. LIKE would need the prefix escaped.
        .and(filter.number_prefix.clone().map(|prefix| {
            let length = prefix.chars().count() as i32;
            substr(po::number, 1, length).eq(prefix)
        }))
        .and(filter.supplier_reference.clone().map(has_reference))
        .and(filter.external_id.clone().map(|id| po::external_id.assume_not_null().eq(id)))
        .and(filter.back_orders_only.then(|| po::parent_id.is_not_null()))
        .and(filter.create_time_from.map(|time| po::create_time.ge(time.micros())))
        .and(filter.create_time_before.map(|time| po::create_time.lt(time.micros())))
        .and(filter.overdue.then(|| po::pending.gt(0)))
        // The states may be given by name as well, and then both must hold.
        .and(filter.overdue.then(|| po::state.eq_any(["ON_ORDER", "RECEIVING"])))
}

/// Whether the order, of whichever store, has a line of a product. It is not an EXISTS: where the store is no parameter,
/// PostgreSQL may answer that by reading the lines of the product in all stores.
fn has_line_of(product: String) -> impl RowCondition {
    sql::<Bool>(
        "(SELECT 1 FROM purchase_order_line l WHERE l.store_id = purchase_order.store_id \
         AND l.po_id = purchase_order.po_id AND l.product_id = ",
    )
    .bind::<Text, _>(product)
    .sql(" LIMIT 1) IS NOT NULL")
}

/// Whether the order has a reference of the supplier, which is given in lower case. The index has those that are not null,
/// folded by the database, which folds nothing but ASCII: SQLite always, PostgreSQL because of the column's collation.
#[diesel::dsl::auto_type]
fn has_reference(reference: String) -> _ {
    po::supplier_reference.is_not_null().and(lower(po::supplier_reference.assume_not_null()).eq(reference))
}

/// Adds between which days the order is expected.
fn expected_range(asked: &Asked<'_>, conditions: AllOf<po::table>) -> AllOf<po::table> {
    let Asked { filter, today, .. } = asked;
    let before = filter.expected_before.into_iter().chain(*today).min();
    // Orders without a date have the key `none`, behind all dates. A range from a date on ends before it.
    let is_dated = filter.expected_from.is_some() && before.is_none();
    let before = before.map(|date| date.to_string()).or(is_dated.then(|| DueDate::UNDATED.to_owned()));
    conditions
        .and(filter.expected_from.map(|date| expected_key().ge(date.to_string())))
        .and(before.map(|before| expected_key().lt(before)))
}

/// Adds that the order is behind the last one of the page before. A list of one store has no position but an order of it.
fn after_position(asked: &Asked<'_>, conditions: AllOf<po::table>) -> AllOf<po::table> {
    match asked.after.cloned() {
        // Both together mean: (time, event) is less than the position. The first is implied by the second, but it is what
        // an index on the time can begin at.
        Some(OrderPosition::Newest((Reverse(time), _, Some(Reverse(event))))) => conditions
            .and(Some(po::create_time.le(time)))
            .and(Some(po::create_time.lt(time).or(po::create_event.lt(event)))),
        Some(OrderPosition::ExpectedDate((date, _, Some(order)))) => conditions.and(Some(is_behind(date, order))),
        Some(OrderPosition::Newest(_) | OrderPosition::ExpectedDate(_)) | None => conditions,
    }
}

/// Whether the order is behind this date and id. They are compared as a row: an index begins at such a place by itself,
/// where `date >= ? AND (date > ? OR id > ?)` would have it walk through all orders of the date.
fn is_behind(date: String, order: String) -> impl RowCondition {
    sql::<Bool>("(COALESCE(purchase_order.expected_date, 'none'), purchase_order.po_id) > (")
        .bind::<Text, _>(date)
        .sql(", ")
        .bind::<Text, _>(order)
        .sql(")")
}

/// A condition on the table of orders that both databases can be sent.
trait RowCondition:
    QueryFragment<Pg> + QueryFragment<Sqlite> + AppearsOnTable<po::table> + Expression<SqlType = Bool> + 'static
{
}
impl<E> RowCondition for E where
    E: QueryFragment<Pg> + QueryFragment<Sqlite> + AppearsOnTable<po::table> + Expression<SqlType = Bool> + 'static
{
}

/// A text that sorts after every order number that begins with `prefix`. Both databases sort numbers by bytes, and no
/// order number contains the last character of Unicode.
fn end_of_prefix(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
}

/// An index that is not in the order of the list, and leads to the orders that one part of the filter is true of.
enum Source {
    /// The index of the callers' own ids, of which each has one order.
    ExternalId(String),
    /// The index of numbers, from a number on.
    Number(String),
    /// The index of products, which leads to the originals of chains.
    Product(ProductId),
    /// The index of suppliers' references.
    Reference(String),
    /// The index of suppliers.
    Supplier(String),
    /// The index of expected dates.
    ExpectedDate,
}

/// The indexes that may lead to few orders, those that usually lead to the fewest first. One that is in the order of the
/// list is not among them: it is walked.
fn sources(filter: &OrderFilter, sorting: Sorting) -> Vec<Source> {
    let by_date = sorting == Sorting::ExpectedDate;
    let has_dates = filter.overdue || filter.expected_from.is_some() || filter.expected_before.is_some();
    let mut sources = Vec::new();
    sources.extend(filter.external_id.clone().map(Source::ExternalId));
    sources.extend(filter.number_prefix.clone().map(Source::Number));
    sources.extend(filter.product.clone().map(Source::Product));
    sources.extend(filter.supplier_reference.clone().filter(|_| by_date).map(Source::Reference));
    sources.extend(filter.supplier.clone().filter(|_| by_date).map(Source::Supplier));
    sources.extend((has_dates && !by_date).then_some(Source::ExpectedDate));
    sources
}

impl Source {
    /// The ids to which the index leads: of orders, or of the originals of chains. One more than there may be, to find
    /// out whether there are too many. The filter's other conditions are not applied yet.
    fn ids(&self, asked: &Asked<'_>) -> Ids {
        let store = asked.store.as_str().to_owned();
        match self {
            Self::Number(prefix) => Ids::of(with_number(store, prefix.clone(), end_of_prefix(prefix), CANDIDATE_LIMIT)),
            Self::Product(product) => Ids::of(originals_with(store, product.to_string(), CANDIDATE_LIMIT)),
            Self::ExternalId(id) => Ids::with(
                AllOf::new(po::store_id.eq(store)).and(Some(po::external_id.assume_not_null().eq(id.clone()))),
            ),
            Self::Reference(reference) => {
                Ids::with(AllOf::new(po::store_id.eq(store)).and(Some(has_reference(reference.clone()))))
            }
            Self::Supplier(supplier) => {
                Ids::with(AllOf::new(po::store_id.eq(store)).and(Some(po::supplier_id.eq(supplier.clone()))))
            }
            Self::ExpectedDate => {
                let mut states = states_of(asked.filter);
                if states.is_empty() {
                    states = State::ALL.into();
                }
                let states: Vec<&'static str> = states.iter().map(|state| state.name()).collect();
                let conditions = AllOf::new(po::store_id.eq(store)).and(Some(po::state.eq_any(states)));
                Ids::with(expected_range(asked, conditions))
            }
        }
    }
}

/// A query that can be written for both databases.
trait AnyQuery: QueryFragment<Pg> + QueryFragment<Sqlite> {}
impl<Q: QueryFragment<Pg> + QueryFragment<Sqlite>> AnyQuery for Q {}

/// Any query for ids.
struct Ids(Box<dyn AnyQuery>);

impl Ids {
    fn of<Q>(query: Q) -> Self
    where
        Q: QueryFragment<Pg> + QueryFragment<Sqlite> + 'static,
    {
        Self(Box::new(query))
    }

    /// Of the orders for which the conditions hold.
    fn with(conditions: AllOf<po::table>) -> Self {
        // In no order: the ids are used only if they are all that there are.
        Self::of(po::table.filter(conditions).limit(CANDIDATE_LIMIT).select(po::po_id))
    }
}

impl QueryFragment<Pg> for Ids {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        QueryFragment::<Pg>::walk_ast(&*self.0, out)
    }
}

impl QueryFragment<Sqlite> for Ids {
    fn walk_ast<'b>(&'b self, out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        QueryFragment::<Sqlite>::walk_ast(&*self.0, out)
    }
}

impl QueryId for Ids {
    type QueryId = ();
    // The text depends on the query inside, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for Ids {
    type SqlType = Text;
}

impl<C> RunQueryDsl<C> for Ids {}

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

/// The ids of the originals of chains that have a line of a product; one comes again for each line of the product. Lines
/// that a back order carries over need not be searched: they come from an order before it, and the index has only lines
/// that are not carried over.
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

/// Loads the candidates for which the conditions hold, in the order of the list.
fn load_candidates<L: Lookup<Columns = Header>>(
    snapshot: &mut ReadSession<'_>,
    authorized: &Authorized,
    asked: &Asked<'_>,
    ids: BTreeSet<String>,
) -> Result<Vec<HeaderRow>, ReadError> {
    let states: Vec<State> = states_of(asked.filter).into_iter().collect();
    let conditions = conditions_of(asked, &states);
    let keys = ids.into_iter().map(|id| vec![asked.store.as_str().into(), id.into()]);
    match LookupQuery::<L>::new(StoreScope::One, keys)? {
        Some(lookup) => {
            let query = CandidateQuery { lookup, conditions, sorting: asked.sorting, limit: asked.limit };
            snapshot.load_authorized(authorized, query)
        }
        // No order has what is asked for.
        None => Ok(Vec::new()),
    }
}

/// Those of the orders that a lookup finds for which the conditions hold, in the order of the list. A lookup has no WHERE
/// of its own, so one can follow it.
struct CandidateQuery<L: Lookup> {
    lookup: LookupQuery<L>,
    conditions: AllOf<po::table>,
    sorting: Sorting,
    limit: i64,
}

impl<L: Lookup<Columns = Header>> QueryFragment<Pg> for CandidateQuery<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        QueryFragment::<Pg>::walk_ast(&self.lookup, out.reborrow())?;
        out.push_sql(" WHERE ");
        QueryFragment::<Pg>::walk_ast(&self.conditions, out.reborrow())?;
        out.push_sql(ending(self.sorting));
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<L: Lookup<Columns = Header>> QueryFragment<Sqlite> for CandidateQuery<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        QueryFragment::<Sqlite>::walk_ast(&self.lookup, out.reborrow())?;
        out.push_sql(" WHERE ");
        QueryFragment::<Sqlite>::walk_ast(&self.conditions, out.reborrow())?;
        out.push_sql(ending(self.sorting));
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
