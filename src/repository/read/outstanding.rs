//! Outstanding lines, of a store or of all stores of a caller, in the order in which they are due.
//!
//! Each store is scanned by an index of outstanding lines in the order of the list, and what is found is merged: see
//! [`super::merge`]. What the index does not know of (the supplier, the position in the chain, what is confirmed) is
//! judged row by row. One more statement loads the rows of the page by their keys.
//!
//! All statements are of the snapshot in which the caller's access was judged.

use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Integer, Nullable, Text};

use super::authorized::selection::StoreSelection;
use super::authorized::{Authorized, ReadError, ReadSession};
use super::merge::{self, Merged, Position, Scanned, Start};
use crate::domain::code::ProductId;
use crate::domain::order::due_date::DueDate;
use crate::domain::order::{Line, Order};
use crate::domain::time::{Date, Timestamp};
use crate::repository::error::DbError;
use crate::repository::keys::{KeyTable, KeyType, KeyValue, KeysBackend, LookupQuery, StoreScope};
use crate::repository::lookups::outstanding::LinesWithHeaders;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::HeaderRow;

/// A text behind every due date, [`DueDate::UNDATED`] included.
const AFTER_ALL_DATES: &str = "o";
/// A text behind every id of an order.
const AFTER_ALL_ORDERS: &str = "~";

/// Which outstanding lines a list shows. A field that is not set excludes none; all that are set must hold.
#[derive(Clone, Debug, Default)]
pub struct OutstandingFilter {
    /// Lines of orders from this supplier.
    pub supplier: Option<String>,
    /// Lines of this product.
    pub product: Option<ProductId>,
    /// Lines that are due on this day or later.
    pub due_from: Option<Date>,
    /// Lines that are due before this day.
    pub due_before: Option<Date>,
    /// Lines that are due before the day that it is now in their store.
    pub overdue: bool,
    /// Lines of orders at this position in their chain or behind it.
    pub chain_position_from: i32,
    /// Lines of orders at this position in their chain or before it.
    pub chain_position_to: Option<i32>,
    /// Lines of the order with this number.
    pub number: Option<String>,
    /// Lines of which less is confirmed than is wanted.
    pub shortfall_only: bool,
}

impl OutstandingFilter {
    /// Whether a scan may come by rows that do not match: the indexes know of the other conditions.
    pub fn passes_over_rows(&self) -> bool {
        self.supplier.is_some()
            || self.chain_position_from > 0
            || self.chain_position_to.is_some()
            || self.shortfall_only
    }
}

/// The place of a line within its store and due date: the id of the order and the number of the line.
pub type LineOfOrder = (String, i32);
/// A position in the list: when it is due, the store, and the line.
pub type OutstandingPosition = Position<String, LineOfOrder>;

/// A page of outstanding lines.
pub struct OutstandingPage {
    /// The stores of the list, by id.
    pub stores: Vec<Authorized>,
    /// The lines, each with its order.
    pub lines: Vec<(Order, Line)>,
    /// Where the next page begins, if there is one.
    pub next: Option<OutstandingPosition>,
}

/// At most `size` outstanding lines after a position. `now` tells what is overdue.
pub fn lines(
    session: &mut ReadSession<'_>,
    selection: &StoreSelection,
    filter: &OutstandingFilter,
    now: Timestamp,
    after: Option<&OutstandingPosition>,
    size: usize,
) -> Result<OutstandingPage, ReadError> {
    session.snapshot(|snapshot| {
        let stores = snapshot.authorize_stores(selection)?;
        // The proof of one store stands for all: each of them was judged, and only theirs are scanned.
        let Some(proof) = stores.first().cloned() else {
            return Ok(OutstandingPage { stores, lines: Vec::new(), next: None });
        };
        let mut starts = Vec::with_capacity(stores.len());
        let mut ranges = Vec::with_capacity(stores.len());
        for store in &stores {
            starts.push(Start::in_store(store.store().id.as_str(), after));
            ranges.push(Range::of(store, filter, now));
        }
        let scope = if stores.len() == 1 { StoreScope::One } else { StoreScope::Many };
        let merged = merge::page(starts, size, filter.passes_over_rows(), |scans, each| {
            let keys = scans.iter().map(|(scan, start)| ranges[*scan].key(*scan, start));
            let Some(keys) = KeyTable::new(scope, &LineScans::KEY_TYPES, keys)? else { return Ok(Vec::new()) };
            let found = snapshot.load_authorized(&proof, LineScans::new(keys, filter, each))?;
            scanned_lines(&ranges, found)
        });
        let Merged { rows, next } = merged?;
        let lines = load(snapshot, &proof, rows)?;
        Ok(OutstandingPage { stores, lines, next })
    })
}

/// The lines of one store that may be in the list: those from a due date on, and before another.
#[derive(Clone, Debug)]
struct Range {
    store: String,
    from: String,
    before: String,
}

impl Range {
    fn of(store: &Authorized, filter: &OutstandingFilter, now: Timestamp) -> Self {
        let store = store.store();
        let today = filter.overdue.then(|| store.time_zone.date_at(now));
        let before = filter.due_before.into_iter().chain(today).min();
        // Lines without a date have the due date `none`, behind all dates. A range from a date on ends before it.
        let is_dated = filter.due_from.is_some().then(|| DueDate::UNDATED.to_owned());
        Self {
            store: store.id.to_string(),
            from: filter.due_from.map(|date| date.to_string()).unwrap_or_default(),
            before: before.map(|date| date.to_string()).or(is_dated).unwrap_or_else(|| AFTER_ALL_DATES.to_owned()),
        }
    }

    /// The key of a scan: after which due date, order and line it begins, and before which due date it ends.
    fn key(&self, scan: usize, start: &Start<String, LineOfOrder>) -> Vec<KeyValue> {
        let start = match start.clone() {
            Start::Beginning => (String::new(), String::new(), 0),
            Start::At(due) => (due, String::new(), 0),
            Start::AfterKey(due) => (due, AFTER_ALL_ORDERS.to_owned(), 0),
            Start::After(due, (order, line)) => (due, order, line),
        };
        // A scan begins behind its place. No id is empty, so this place is in front of all lines of the first day.
        let (due, order, line) = start.max((self.from.clone(), String::new(), 0));
        let store = self.store.as_str().into();
        vec![store, (scan as i32).into(), due.into(), order.into(), line.into(), self.before.as_str().into()]
    }
}

/// The number of a scan, and the lines that it came by, as [`LineScans`] writes them.
type ScanRow = (i32, Option<String>);

fn scanned_lines(ranges: &[Range], found: Vec<ScanRow>) -> Result<Vec<Scanned<String, LineOfOrder>>, ReadError> {
    let mut scanned = Vec::new();
    for (scan, places) in found {
        let scan = scan as usize;
        // A scan that came by nothing has no text.
        for place in places.as_deref().unwrap_or_default().split(',').filter(|place| !place.is_empty()) {
            let unreadable = || DbError::unreadable("place of a line", place.to_owned());
            let mut parts = place.split('|');
            let mut part = || parts.next().ok_or_else(unreadable);
            let (due, order, line, matches) = (part()?, part()?, part()?, part()?);
            let line = line.parse().map_err(|_| unreadable())?;
            let store = ranges.get(scan).ok_or_else(unreadable)?.store.clone();
            let row = (order.to_owned(), line);
            scanned.push(Scanned { scan, key: due.to_owned(), store, row, matches: matches == "1" });
        }
    }
    Ok(scanned)
}

/// Loads the lines of a page with their orders, in the order of their places.
fn load(
    snapshot: &mut ReadSession<'_>,
    proof: &Authorized,
    rows: Vec<(String, String, LineOfOrder)>,
) -> Result<Vec<(Order, Line)>, ReadError> {
    let mut keys: Vec<Vec<KeyValue>> = Vec::with_capacity(rows.len());
    for (_, store, (order, line)) in &rows {
        keys.push(vec![store.as_str().into(), order.as_str().into(), (*line).into()]);
    }
    let found: Vec<(HeaderRow, LineRow)> = match LookupQuery::<LinesWithHeaders>::new(StoreScope::Many, keys)? {
        Some(lookup) => snapshot.load_authorized(proof, lookup)?,
        None => Vec::new(),
    };
    let mut lines = Vec::with_capacity(found.len());
    for (order, line) in found {
        lines.push((Order::try_from(order)?, Line::try_from(line)?));
    }
    lines.sort_by_cached_key(|(_, line)| {
        let due = line.due_date.map(|due| due.to_string());
        (due, line.key.order.store.clone(), line.key.order.order.to_string(), line.key.number)
    });
    Ok(lines)
}

/// Selects, for each scan, the places of at most `limit` lines in the order of the list, each with whether it matches.
///
/// What is asked of the order, or of a column that the index does not have, is a scalar subquery around the scan, so that
/// it is a lookup by the primary key for each line that the scan comes by, and for no other. The places of a scan are one
/// text, because neither database has another way to return the first rows of each key that both understand.
struct LineScans {
    keys: KeyTable,
    filter: OutstandingFilter,
    /// The filter's product as it is stored.
    product: Option<String>,
    limit: i64,
}

impl LineScans {
    /// The store, the number of the scan, after which due date, order and line it begins, before which due date it ends.
    const KEY_TYPES: [KeyType; 6] =
        [KeyType::Text, KeyType::Int, KeyType::Text, KeyType::Text, KeyType::Int, KeyType::Text];

    fn new(keys: KeyTable, filter: &OutstandingFilter, limit: usize) -> Self {
        let product = filter.product.as_ref().map(ToString::to_string);
        Self { keys, filter: filter.clone(), product, limit: limit as i64 }
    }
}

impl<DB> QueryFragment<DB> for LineScans
where
    DB: KeysBackend + HasSqlType<Text> + HasSqlType<Integer> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    i32: ToSql<Integer, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "SELECT k.k1, (SELECT string_agg(s.place, ',') FROM \
             (SELECT l.due_date || '|' || l.po_id || '|' || l.line_number || '|' || ",
        );
        self.write_matches(&mut out)?;
        out.push_sql(" AS place FROM (SELECT l.due_date, l.po_id, l.line_number FROM purchase_order_line l ");
        self.keys.push_sql("WHERE l.due_date IS NOT NULL AND l.store_id = k.k0", &mut out)?;
        if let Some(number) = &self.filter.number {
            out.push_sql(" AND l.po_id = (SELECT named.po_id FROM purchase_order named ");
            self.keys.push_sql("WHERE named.store_id = k.k0 AND named.number = ", &mut out)?;
            out.push_bind_param::<Text, _>(number)?;
            out.push_sql(")");
        }
        if let Some(product) = &self.product {
            out.push_sql(" AND l.product_id = ");
            out.push_bind_param::<Text, _>(product)?;
        }
        out.push_sql(
            " AND (l.due_date, l.po_id, l.line_number) > (k.k2, k.k3, k.k4) AND l.due_date < k.k5 \
             ORDER BY l.due_date, l.po_id, l.line_number LIMIT ",
        );
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS l) AS s) FROM ");
        DB::write_keys(&self.keys, &mut out)
    }
}

impl LineScans {
    /// Writes 1 for a line that matches what the index does not know of, and 0 for another.
    fn write_matches<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: KeysBackend + HasSqlType<Text> + HasSqlType<Integer>,
        String: ToSql<Text, DB>,
        i32: ToSql<Integer, DB>,
    {
        if !self.filter.passes_over_rows() {
            out.push_sql("1");
            return Ok(());
        }
        out.push_sql("CASE WHEN ");
        // Null where the supplier has confirmed nothing, which is no shortfall.
        if self.filter.shortfall_only {
            out.push_sql("(SELECT COALESCE(c.confirmed < c.ordered - c.cancelled, 1 = 0) FROM purchase_order_line c ");
            self.keys.push_sql("WHERE c.store_id = k.k0", out)?;
            out.push_sql(" AND c.po_id = l.po_id AND c.line_number = l.line_number) AND ");
        }
        // Also where no position is asked for, which is 0: then it is true of every order.
        out.push_sql("(SELECT o.chain_position >= ");
        out.push_bind_param::<Integer, _>(&self.filter.chain_position_from)?;
        if let Some(to) = &self.filter.chain_position_to {
            out.push_sql(" AND o.chain_position <= ");
            out.push_bind_param::<Integer, _>(to)?;
        }
        if let Some(supplier) = &self.filter.supplier {
            out.push_sql(" AND o.supplier_id = ");
            out.push_bind_param::<Text, _>(supplier)?;
        }
        self.keys.push_sql(" FROM purchase_order o WHERE o.store_id = k.k0", out)?;
        out.push_sql(" AND o.po_id = l.po_id) THEN 1 ELSE 0 END");
        Ok(())
    }
}

impl QueryId for LineScans {
    type QueryId = ();
    // The text depends on which conditions there are, and on the scope, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for LineScans {
    type SqlType = (Integer, Nullable<Text>);
}

impl<C> RunQueryDsl<C> for LineScans {}
