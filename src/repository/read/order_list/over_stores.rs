//! Lists of orders over all stores of a caller.
//!
//! Each store is scanned in the order of the list, by the index that one part of the filter leads to ([`Lead`]), and what
//! is found is merged: see [`crate::repository::read::merge`]. All other parts of the filter are judged order by
//! order.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Bool, HasSqlType, Integer, Nullable, Text};

use super::{OrderFilter, OrderPosition, Sorting, end_of_prefix, expected_key, of_filter, states_of};
use crate::domain::order::due_date::DueDate;
use crate::domain::order::{Order, State};
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;
use crate::repository::keys::{KeyTable, KeyType, KeyValue, KeysBackend, LookupQuery, StoreScope};
use crate::repository::lookups::outstanding::OrdersOfStores;
use crate::repository::read::authorized::selection::StoreSelection;
use crate::repository::read::authorized::{Authorized, ReadError, ReadSession};
use crate::repository::read::filter::AllOf;
use crate::repository::read::merge::{self, Merged, Position, Scanned, Start};
use crate::repository::rows::order::HeaderRow;
use crate::repository::schema::purchase_order as po;

/// A text behind every expected date, [`DueDate::UNDATED`] included.
const AFTER_ALL_DATES: &str = "o";
/// A text behind every id of an order.
const AFTER_ALL_ORDERS: &str = "~";
/// How long the number of an original order is at least, `PO-000001`. A prefix of this length has few orders.
const NUMBER_LENGTH: usize = 9;

/// A page of orders of several stores.
pub struct OrdersOverStores {
    /// The stores of the list, by id.
    pub stores: Vec<Authorized>,
    /// The headers of the page.
    pub orders: Vec<Order>,
    /// Where the next page begins, if there is one.
    pub next: Option<OrderPosition>,
}

/// At most `size` headers of all stores of a caller, after a position. `now` tells what is overdue.
pub fn list_over_stores(
    session: &mut ReadSession<'_>,
    selection: &StoreSelection,
    filter: &OrderFilter,
    sorting: Sorting,
    now: Timestamp,
    after: Option<&OrderPosition>,
    size: usize,
) -> Result<OrdersOverStores, ReadError> {
    session.snapshot(|snapshot| {
        let stores = snapshot.authorize_stores(selection)?;
        // The proof of one store stands for all: each of them was judged, and only theirs are scanned.
        let Some(proof) = stores.first().cloned() else {
            return Ok(OrdersOverStores { stores, orders: Vec::new(), next: None });
        };
        let list = List { filter, sorting, lead: Lead::of(filter, sorting) };
        let found = match (sorting, after) {
            (Sorting::Newest, Some(OrderPosition::Newest(after))) => {
                list.page::<ByTime>(snapshot, &proof, &stores, now, Some(after), size)?
            }
            (Sorting::ExpectedDate, Some(OrderPosition::ExpectedDate(after))) => {
                list.page::<ByDate>(snapshot, &proof, &stores, now, Some(after), size)?
            }
            // A position of the other order is in no token for this one: the request is a part of the signature.
            (Sorting::Newest, _) => list.page::<ByTime>(snapshot, &proof, &stores, now, None, size)?,
            (Sorting::ExpectedDate, _) => list.page::<ByDate>(snapshot, &proof, &stores, now, None, size)?,
        };
        let (orders, next) = found;
        Ok(OrdersOverStores { stores, orders, next })
    })
}

/// The part of a filter that leads a scan to its orders, by an index. There is one, so that the index is in the order of
/// the list or has few orders.
enum Lead {
    /// The one order with this id of the caller's own.
    ExternalId(String),
    /// The orders whose number begins with at least a whole number of an original.
    Number(String),
    /// The orders with this reference of the supplier, which is in lower case.
    Reference(String),
    /// The orders from this supplier.
    Supplier(String),
    /// The orders in a state, of which each has a scan of its own.
    States(Vec<State>),
    /// All orders.
    All,
}

impl Lead {
    fn of(filter: &OrderFilter, sorting: Sorting) -> Self {
        let states: Vec<State> = states_of(filter).into_iter().collect();
        let is_newest = sorting == Sorting::Newest;
        if let Some(id) = &filter.external_id {
            return Self::ExternalId(id.clone());
        }
        if let Some(prefix) = filter.number_prefix.as_ref().filter(|prefix| prefix.len() >= NUMBER_LENGTH) {
            return Self::Number(prefix.clone());
        }
        match (&filter.supplier_reference, &filter.supplier) {
            (Some(reference), _) if is_newest => Self::Reference(reference.clone()),
            (None, Some(supplier)) if is_newest => Self::Supplier(supplier.clone()),
            // No index has the orders of all states by their dates.
            _ if states.is_empty() && !is_newest => Self::States(State::ALL.into()),
            _ if states.is_empty() => Self::All,
            _ => Self::States(states),
        }
    }

    /// The states of which each has a scan of its own; an empty name where one scan is for all.
    fn states(&self) -> Vec<&'static str> {
        match self {
            Self::States(states) => states.iter().map(|state| state.name()).collect(),
            _ => vec![""],
        }
    }

    /// Whether the index has few orders in no order of the list, so that they have to be sorted.
    const fn is_sorted(&self) -> bool {
        matches!(self, Self::ExternalId(_) | Self::Number(_))
    }

    fn walk<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: KeysBackend + HasSqlType<Text>,
        String: ToSql<Text, DB>,
        str: ToSql<Text, DB>,
    {
        let (condition, value) = match self {
            Self::ExternalId(id) => (" AND purchase_order.external_id = ", id),
            Self::Number(prefix) => (" AND purchase_order.number >= ", prefix),
            Self::Reference(reference) => (
                " AND purchase_order.supplier_reference IS NOT NULL AND lower(purchase_order.supplier_reference) = ",
                reference,
            ),
            Self::Supplier(supplier) => (" AND purchase_order.supplier_id = ", supplier),
            Self::States(_) => {
                out.push_sql(" AND purchase_order.state = k.k2");
                return Ok(());
            }
            Self::All => return Ok(()),
        };
        out.push_sql(condition);
        out.push_bind_param::<Text, _>(value)
    }
}

/// What is listed, and how.
struct List<'a> {
    filter: &'a OrderFilter,
    sorting: Sorting,
    lead: Lead,
}

/// One of the two orders of the list: what of a row is its key, and what tells it from others with the same key.
trait Place {
    type Key: Ord + Clone;
    type Row: Ord + Clone;
    /// The key and the row, as they are written in SQL; `None` if they are not such.
    fn parse(key: &str, row: &str) -> Option<(Self::Key, Self::Row)>;
    /// The place behind which a scan begins, as the parts of a key.
    fn begin(start: &Start<Self::Key, Self::Row>) -> (String, String);
    fn position(position: Position<Self::Key, Self::Row>) -> OrderPosition;
}

struct ByTime;
impl Place for ByTime {
    type Key = Reverse<i64>;
    type Row = Reverse<i64>;

    fn parse(key: &str, row: &str) -> Option<(Self::Key, Self::Row)> {
        Some((Reverse(key.parse().ok()?), Reverse(row.parse().ok()?)))
    }

    fn begin(start: &Start<Self::Key, Self::Row>) -> (String, String) {
        let (time, event) = match start {
            Start::Beginning => (i64::MAX, i64::MAX),
            Start::At(Reverse(time)) => (*time, i64::MAX),
            // Events are numbered from 1, so no order of that time is behind this place.
            Start::AfterKey(Reverse(time)) => (*time, 0),
            Start::After(Reverse(time), Reverse(event)) => (*time, *event),
        };
        (time.to_string(), event.to_string())
    }

    fn position(position: Position<Self::Key, Self::Row>) -> OrderPosition {
        OrderPosition::Newest(position)
    }
}

struct ByDate;
impl Place for ByDate {
    type Key = String;
    type Row = String;

    fn parse(key: &str, row: &str) -> Option<(Self::Key, Self::Row)> {
        Some((key.to_owned(), row.to_owned()))
    }

    fn begin(start: &Start<Self::Key, Self::Row>) -> (String, String) {
        match start {
            Start::Beginning => (String::new(), String::new()),
            Start::At(date) => (date.clone(), String::new()),
            // All orders of that date are passed over, because none of their ids is behind this text.
            Start::AfterKey(date) => (date.clone(), AFTER_ALL_ORDERS.to_owned()),
            Start::After(date, order) => (date.clone(), order.clone()),
        }
    }

    fn position(position: Position<Self::Key, Self::Row>) -> OrderPosition {
        OrderPosition::ExpectedDate(position)
    }
}

/// One scan: its store, its state if it has one, and the date before which its orders are expected.
struct ScanOf {
    store: String,
    state: &'static str,
    before: String,
}

/// The number of a scan, and the orders that it came by, as [`OrderScans`] writes them.
type ScanRow = (i32, Option<String>);

impl List<'_> {
    fn page<P: Place>(
        &self,
        snapshot: &mut ReadSession<'_>,
        proof: &Authorized,
        stores: &[Authorized],
        now: Timestamp,
        after: Option<&Position<P::Key, P::Row>>,
        size: usize,
    ) -> Result<(Vec<Order>, Option<OrderPosition>), ReadError> {
        let mut scans = Vec::new();
        let mut starts = Vec::new();
        for store in stores {
            let store = store.store();
            let today = self.filter.overdue.then(|| store.time_zone.date_at(now));
            let before = self.filter.expected_before.into_iter().chain(today).min();
            // Orders without a date have the key `none`, behind all dates. A range from a date on ends before it.
            let is_dated = self.filter.expected_from.is_some().then(|| DueDate::UNDATED.to_owned());
            let before = before.map(|date| date.to_string()).or(is_dated);
            let before = before.unwrap_or_else(|| AFTER_ALL_DATES.to_owned());
            for state in self.lead.states() {
                starts.push(Start::in_store(store.id.as_str(), after));
                scans.push(ScanOf { store: store.id.to_string(), state, before: before.clone() });
            }
        }
        // The ids of the orders that were come by, by their places.
        let mut ids: BTreeMap<(String, P::Row), String> = BTreeMap::new();
        let merged = merge::page(starts, size, self.passes_over(), |going, each| {
            let keys = going.iter().map(|(scan, start)| key::<P>(&scans[*scan], *scan, start));
            let Some(keys) = KeyTable::new(StoreScope::Many, &OrderScans::KEY_TYPES, keys)? else {
                return Ok(Vec::new());
            };
            let found: Vec<ScanRow> = snapshot.load_authorized(proof, OrderScans::new(keys, self, each))?;
            scanned_orders::<P>(&scans, found, &mut ids)
        });
        let Merged { rows, next } = merged?;
        let mut keys = Vec::with_capacity(rows.len());
        let mut places: BTreeMap<(String, String), usize> = BTreeMap::new();
        for (place, (_, store, row)) in rows.into_iter().enumerate() {
            // The place in the list is kept, because the headers are loaded in no order.
            if let Some(id) = ids.get(&(store.clone(), row)) {
                keys.push(vec![store.as_str().into(), id.as_str().into()]);
                places.insert((store, id.clone()), place);
            }
        }
        let rows: Vec<HeaderRow> = match LookupQuery::<OrdersOfStores>::new(StoreScope::Many, keys)? {
            Some(lookup) => snapshot.load_authorized(proof, lookup)?,
            None => Vec::new(),
        };
        let mut orders = rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
        orders.sort_by_cached_key(|order| {
            places.get(&(order.key.store.to_string(), order.key.order.to_string())).copied()
        });
        Ok((orders, next.map(P::position)))
    }

    /// Whether a scan may come by orders that do not match: its lead is not all that is asked for.
    fn passes_over(&self) -> bool {
        let OrderFilter {
            states,
            supplier,
            product,
            number_prefix,
            supplier_reference,
            back_orders_only,
            create_time_from,
            create_time_before,
            expected_from,
            expected_before,
            overdue,
            external_id,
        } = self.filter;
        // Whether something is asked for that the scan is not led by.
        let is_lead = |is_lead: bool, is_asked: bool| is_asked && !is_lead;
        is_lead(matches!(self.lead, Lead::States(_)), !states.is_empty())
            || is_lead(matches!(self.lead, Lead::Supplier(_)), supplier.is_some())
            || is_lead(matches!(self.lead, Lead::Number(_)), number_prefix.is_some())
            || is_lead(matches!(self.lead, Lead::Reference(_)), supplier_reference.is_some())
            || is_lead(matches!(self.lead, Lead::ExternalId(_)), external_id.is_some())
            || is_lead(self.sorting == Sorting::ExpectedDate, expected_from.is_some() || expected_before.is_some())
            || is_lead(self.sorting == Sorting::Newest, create_time_from.is_some() || create_time_before.is_some())
            || product.is_some()
            || *back_orders_only
            || *overdue
    }
}

fn key<P: Place>(of: &ScanOf, scan: usize, start: &Start<P::Key, P::Row>) -> Vec<KeyValue> {
    let (key, row) = P::begin(start);
    let ScanOf { store, state, before } = of;
    vec![store.as_str().into(), (scan as i32).into(), (*state).into(), key.into(), row.into(), before.as_str().into()]
}

/// An order that a scan has come by.
type ScannedOrder<P> = Scanned<<P as Place>::Key, <P as Place>::Row>;

fn scanned_orders<P: Place>(
    scans: &[ScanOf],
    found: Vec<ScanRow>,
    ids: &mut BTreeMap<(String, P::Row), String>,
) -> Result<Vec<ScannedOrder<P>>, ReadError> {
    let mut scanned = Vec::new();
    for (scan, places) in found {
        let scan = scan as usize;
        // A scan that came by nothing has no text.
        for place in places.as_deref().unwrap_or_default().split(',').filter(|place| !place.is_empty()) {
            let unreadable = || DbError::unreadable("place of an order", place.to_owned());
            let mut parts = place.split('|');
            let mut part = || parts.next().ok_or_else(unreadable);
            let (key, row, id, matches) = (part()?, part()?, part()?, part()?);
            let (key, row) = P::parse(key, row).ok_or_else(unreadable)?;
            let store = scans.get(scan).ok_or_else(unreadable)?.store.clone();
            ids.insert((store.clone(), row.clone()), id.to_owned());
            scanned.push(Scanned { scan, key, store, row, matches: matches == "1" });
        }
    }
    Ok(scanned)
}

/// Selects, for each scan, the places of at most `limit` orders in the order of the list, each with its id and whether it
/// matches. The places of a scan are one text, as those of lines are: see the scans of
/// [`outstanding`](crate::repository::read::outstanding).
struct OrderScans<'a> {
    keys: KeyTable,
    list: &'a List<'a>,
    matching: AllOf<po::table>,
    /// The end of the numbers, if they lead.
    end: String,
    from: String,
    limit: i64,
}

impl<'a> OrderScans<'a> {
    /// The store, the number of the scan, its state, after which place it begins, and the date before which its orders are
    /// expected.
    const KEY_TYPES: [KeyType; 6] =
        [KeyType::Text, KeyType::Int, KeyType::Text, KeyType::Text, KeyType::Text, KeyType::Text];

    fn new(keys: KeyTable, list: &'a List<'a>, limit: usize) -> Self {
        let filter = list.filter;
        let states: Vec<&'static str> = states_of(filter).iter().map(|state| state.name()).collect();
        let has_range = filter.overdue || filter.expected_before.is_some() || filter.expected_from.is_some();
        let matching = of_filter(AllOf::new(sql::<Bool>("purchase_order.store_id = k.k0")), filter, None)
            .and((!states.is_empty()).then(|| po::state.eq_any(states)))
            .and(filter.expected_from.map(|date| expected_key().ge(date.to_string())))
            .and(has_range.then(|| sql::<Bool>("COALESCE(purchase_order.expected_date, 'none') < k.k5")));
        let end = match &list.lead {
            Lead::Number(prefix) => end_of_prefix(prefix),
            _ => String::new(),
        };
        let from = filter.expected_from.map(|date| date.to_string()).unwrap_or_default();
        Self { keys, list, matching, end, from, limit: limit as i64 }
    }
}

impl<'a, DB> QueryFragment<DB> for OrderScans<'a>
where
    DB: KeysBackend + HasSqlType<Text> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    str: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    AllOf<po::table>: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT k.k1, (SELECT string_agg(s.place, ',') FROM (SELECT ");
        out.push_sql(match self.list.sorting {
            Sorting::Newest => "purchase_order.create_time || '|' || purchase_order.create_event",
            Sorting::ExpectedDate => "COALESCE(purchase_order.expected_date, 'none') || '|' || purchase_order.po_id",
        });
        out.push_sql(" || '|' || purchase_order.po_id || '|' || CASE WHEN ");
        self.matching.walk_ast(out.reborrow())?;
        out.push_sql(" THEN 1 ELSE 0 END AS place FROM purchase_order WHERE purchase_order.store_id = k.k0");
        self.list.lead.walk(&mut out)?;
        if let Lead::Number(_) = self.list.lead {
            out.push_sql(" AND purchase_order.number < ");
            out.push_bind_param::<Text, _>(&self.end)?;
        }
        match self.list.sorting {
            Sorting::Newest => out.push_sql(
                " AND (purchase_order.create_time, purchase_order.create_event) \
                 < (CAST(k.k3 AS bigint), CAST(k.k4 AS bigint))",
            ),
            Sorting::ExpectedDate => {
                out.push_sql(
                    " AND (COALESCE(purchase_order.expected_date, 'none'), purchase_order.po_id) > (k.k3, k.k4) \
                     AND COALESCE(purchase_order.expected_date, 'none') < k.k5 \
                     AND COALESCE(purchase_order.expected_date, 'none') >= ",
                );
                out.push_bind_param::<Text, _>(&self.from)?;
            }
        }
        // What has to be sorted must not look like the order of an index, by which all orders would be walked through.
        out.push_sql(match (self.list.sorting, self.list.lead.is_sorted()) {
            (Sorting::Newest, false) => " ORDER BY purchase_order.create_time DESC, purchase_order.create_event DESC",
            (Sorting::Newest, true) => {
                " ORDER BY purchase_order.create_time + 0 DESC, purchase_order.create_event + 0 DESC"
            }
            (Sorting::ExpectedDate, false) => {
                " ORDER BY COALESCE(purchase_order.expected_date, 'none'), purchase_order.po_id"
            }
            (Sorting::ExpectedDate, true) => {
                " ORDER BY COALESCE(purchase_order.expected_date, 'none') || '', purchase_order.po_id || ''"
            }
        });
        out.push_sql(" LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS s) FROM ");
        DB::write_keys(&self.keys, &mut out)
    }
}

impl QueryId for OrderScans<'_> {
    type QueryId = ();
    // The text depends on which conditions there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for OrderScans<'_> {
    type SqlType = (Integer, Nullable<Text>);
}

impl<C> RunQueryDsl<C> for OrderScans<'_> {}
