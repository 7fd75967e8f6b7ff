//! What suppliers made of the orders of a period: counted and added up by the database, in one row per supplier.
//!
//! The work is bounded before it is done: the first statement counts the orders of the period and what their headers say
//! that they hold, and stops counting where there are too many. An index has the original orders by the day on which they
//! were ordered; from there each statement goes by primary keys, so its time grows with what the period holds and not with
//! what the store has ever ordered.
//!
//! The statements that follow are of the suppliers of one page. Several small ones are planned better than one large one,
//! and a snapshot holds them together.
//!
//! # Exact sums
//!
//! Both databases add integers up here and nothing else. What cannot be added up as it is, because it does not fit into 64
//! bits or has to be divided, is first taken apart: amounts into two parts, rates into billionths of whole lines.

use std::collections::BTreeMap;
use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Nullable, Text};

use super::authorized::selection::StoreSelection;
use super::authorized::{Authorized, ReadError, ReadSession};
use crate::domain::code::StoreId;
use crate::domain::money::Amount;
use crate::domain::order::receipt::RejectReason;
use crate::domain::refusal::Refusal;
use crate::domain::report::supplier_performance::{CancelledLines, RejectedLines, SupplierPerformance};
use crate::domain::report::{LeadTime, LineRate, MAX_ORDERS, MAX_ROWS, Period};
use crate::domain::store::Store;
use crate::domain::time::{Date, Timestamp};
use crate::repository::error::DbError;
use crate::repository::rows::cancellation::cancel_reason;

/// What a report is asked about.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When the original orders were ordered.
    pub period: Period,
    /// The one supplier to report on; `None` for all.
    pub supplier: Option<String>,
    /// The time of the call: a promise for an earlier day is due.
    pub now: Timestamp,
}

/// How many stores a page looks at that has few suppliers or none.
const MAX_STORES: usize = 100;
/// How many of them it reports on: each takes several statements.
const MAX_REPORTED: usize = 20;

/// Where a page ends: the store, and its last supplier on the page. Without a supplier, none of the store was on it.
pub type PerformancePosition = (String, Option<String>);

/// A page of a report.
pub struct PerformancePage {
    /// The suppliers, each with the store whose orders these were.
    pub rows: Vec<(Authorized, SupplierPerformance)>,
    /// Stores that are left out, because each by itself would be too much.
    pub left_out: Vec<StoreId>,
    /// Where the next page begins, if there is one.
    pub next: Option<PerformancePosition>,
}

/// The suppliers of a page, store by store and by their ids in each: those after `after`, at most `size`.
///
/// The stores are reported on one after another, each by statements of its own, and what all of them together may be about
/// is what one may be about. So a page over stores costs no more than that of one store, and ends where the next store
/// would be too much.
pub fn page(
    session: &mut ReadSession<'_>,
    selection: &StoreSelection,
    asked: &Asked,
    after: Option<&PerformancePosition>,
    size: usize,
) -> Result<PerformancePage, ReadError> {
    session.snapshot(|snapshot| {
        let mut stores = snapshot.authorize_stores(selection)?;
        // They come by id.
        stores.retain(|store| after.is_none_or(|(last, _)| store.store().id.as_str() >= last.as_str()));
        let all = Size { orders: MAX_ORDERS, rows: MAX_ROWS };
        let mut left = all;
        let mut reported = 0;
        let (mut rows, mut left_out) = (Vec::new(), Vec::new());
        for (looked_at, store) in stores.into_iter().enumerate() {
            let id = &store.store().id;
            let begin = after.filter(|(last, _)| last == id.as_str()).and_then(|(_, supplier)| supplier.clone());
            // If the page ends before this store, the next one begins where this one would have.
            let next = Some((id.to_string(), begin.clone()));
            if looked_at == MAX_STORES || reported == MAX_REPORTED || rows.len() == size {
                return Ok(PerformancePage { rows, left_out, next });
            }
            let scope = Scope::of(store.store(), asked, begin);
            let found = size_of(snapshot, &store, &scope)?;
            match (left.minus(found), selection) {
                (Some(rest), _) => left = rest,
                (None, StoreSelection::One(_)) => return Err(Refusal::ReportTooLarge(id.clone()).into()),
                // It is too much for a page of its own: if this page ended here, so would each one after it.
                (None, StoreSelection::Permitted(_)) if all.minus(found).is_none() => {
                    left_out.push(id.clone());
                    continue;
                }
                (None, StoreSelection::Permitted(_)) => return Ok(PerformancePage { rows, left_out, next }),
            }
            if found.orders == 0 {
                continue;
            }
            reported += 1;
            let room = size - rows.len();
            // One more than there is room for, to find out whether the store has more.
            let mut suppliers = of_store(snapshot, &store, scope, room as i64 + 1)?;
            let is_cut = suppliers.len() > room;
            suppliers.truncate(room);
            let last = suppliers.last().map(|last| last.supplier.clone());
            let next = Some((id.to_string(), last));
            rows.extend(suppliers.into_iter().map(|supplier| (store.clone(), supplier)));
            if is_cut {
                return Ok(PerformancePage { rows, left_out, next });
            }
        }
        Ok(PerformancePage { rows, left_out, next: None })
    })
}

/// The first `limit` suppliers of one store that the scope names.
fn of_store(
    snapshot: &mut ReadSession<'_>,
    authorized: &Authorized,
    mut scope: Scope,
    limit: i64,
) -> Result<Vec<SupplierPerformance>, ReadError> {
    let mut suppliers = load_chains(snapshot, authorized, &scope, limit)?;
    if let (Some(first), Some(last)) = (suppliers.keys().next(), suppliers.keys().next_back()) {
        scope.suppliers = Suppliers::Between(first.clone(), last.clone());
        load_lines(snapshot, authorized, &scope, &mut suppliers)?;
        load_rejected(snapshot, authorized, &scope, &mut suppliers)?;
        load_cancelled(snapshot, authorized, &scope, &mut suppliers)?;
        load_price_variance(snapshot, authorized, &scope, &mut suppliers)?;
    }
    Ok(suppliers.into_values().collect())
}

/// The figures of the page so far, by supplier.
type BySupplier = BTreeMap<String, SupplierPerformance>;

/// Which chains the statements are about, and how they tell days.
struct Scope {
    store: String,
    /// The instants at which the period begins and ends.
    from: i64,
    before: i64,
    suppliers: Suppliers,
    /// The local day of the call.
    today: Date,
    /// By how much the store's zone is ahead of UTC since when, in microseconds.
    offsets: Vec<(Timestamp, i64)>,
}

/// The suppliers that a statement is about.
enum Suppliers {
    One(String),
    After(String),
    Between(String, String),
}

impl Scope {
    /// The scope of a store's report; without one supplier that is asked for, of the suppliers after `after`.
    fn of(store: &Store, asked: &Asked, after: Option<String>) -> Self {
        let (from, before) = asked.period.instants(&store.time_zone);
        // Goods arrive from the first day of the period on, and hardly after now: the store's clock may be ahead of this
        // one by what clocks differ.
        let until = asked.now.max(from).plus_minutes(24 * 60);
        Self {
            store: store.id.to_string(),
            from: from.micros(),
            before: before.micros(),
            suppliers: match &asked.supplier {
                Some(supplier) => Suppliers::One(supplier.clone()),
                None => Suppliers::After(after.unwrap_or_default()),
            },
            today: store.time_zone.date_at(asked.now),
            offsets: store.time_zone.offsets(from, until),
        }
    }

    /// An expression for the local day of an instant, in days since 1970. `instant` is an expression in microseconds.
    fn local_day(&self, instant: &str) -> String {
        let mut offset = self.offsets.first().map_or(0, |(_, micros)| *micros).to_string();
        for (since, micros) in self.offsets.iter().skip(1) {
            // The latest of them has to be asked for first, so each goes around those before it.
            offset = format!("CASE WHEN {instant} >= {} THEN {micros} ELSE {offset} END", since.micros());
        }
        // Both databases cut a division towards zero. These instants are after 1970, so that this rounds down.
        format!("(({instant} + {offset}) / 86400000000)")
    }

    /// A statement about the scope. In its text, `{store}` and `{today}` stand for parameters, and `{orders}` for a relation:
    /// all orders of the chains, each with the supplier and the time of its original.
    fn statement<T>(&self, text: &str) -> Statement<T> {
        // A range of suppliers is compared, and suppliers are told apart, by an expression and not by the column: otherwise
        // an index of suppliers may be taken for that, which leads to all orders of all time. For one supplier it may.
        let (suppliers, first, last) = match &self.suppliers {
            Suppliers::One(supplier) => ("r.supplier_id = {first}", supplier.clone(), String::new()),
            Suppliers::After(supplier) => ("r.supplier_id || '' > {first}", supplier.clone(), String::new()),
            Suppliers::Between(first, last) => {
                ("r.supplier_id || '' >= {first} AND r.supplier_id || '' <= {last}", first.clone(), last.clone())
            }
        };
        let orders = format!(
            "(SELECT r.supplier_id || '' AS supplier, r.original_order_time AS ordered_time, o.po_id, o.root_id, \
             o.chain_position, o.state, o.line_count, o.receipt_items, o.pending_cost, o.rejected, o.cancelled, \
             o.cancel_reason_code FROM purchase_order r \
             JOIN purchase_order o ON o.store_id = {{store}} AND o.root_id = r.po_id AND NOT o.folded_back \
             WHERE r.store_id = {{store}} AND r.parent_id IS NULL AND r.original_order_time IS NOT NULL \
             AND r.original_order_time >= {{from}} AND r.original_order_time < {{before}} AND {suppliers})"
        );
        Statement {
            text: text.replace("{orders}", &orders),
            store: self.store.clone(),
            from: self.from,
            before: self.before,
            first,
            last,
            today: self.today.to_string(),
            columns: PhantomData,
        }
    }
}

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Size {
    /// Purchase orders, back orders included.
    orders: i64,
    /// Lines and receipt items together.
    rows: i64,
}

impl Size {
    /// What is left of it; `None` if it is not so much.
    fn minus(self, other: Self) -> Option<Self> {
        let left = Self { orders: self.orders - other.orders, rows: self.rows - other.rows };
        (left.orders >= 0 && left.rows >= 0).then_some(left)
    }
}

/// Counts what a report of a store would be about, before it is made. Where it is too much, at most one order too many is
/// counted.
fn size_of(session: &mut ReadSession<'_>, authorized: &Authorized, scope: &Scope) -> Result<Size, ReadError> {
    let text = format!(
        "SELECT count(*), CAST(COALESCE(sum(n), 0) AS bigint) FROM \
         (SELECT o.line_count + o.receipt_items AS n FROM {{orders}} o LIMIT {}) AS counted",
        MAX_ORDERS + 1
    );
    let counted: Vec<(i64, i64)> = session.load_authorized(authorized, scope.statement::<(BigInt, BigInt)>(&text))?;
    // Without GROUP BY there is always one row.
    let (orders, rows) = counted.into_iter().next().unwrap_or_default();
    Ok(Size { orders, rows })
}

/// Finds the suppliers of the page, with what their headers say.
fn load_chains(
    session: &mut ReadSession<'_>,
    authorized: &Authorized,
    scope: &Scope,
    limit: i64,
) -> Result<BySupplier, ReadError> {
    type Columns = (Text, BigInt, BigInt, BigInt, BigInt);
    let text = format!(
        "SELECT o.supplier, count(*), CAST(sum(CASE WHEN o.chain_position > 0 THEN 1 ELSE 0 END) AS bigint), \
         CAST(sum(o.pending_cost / {part}) AS bigint), CAST(sum(o.pending_cost % {part}) AS bigint) \
         FROM {{orders}} o GROUP BY o.supplier ORDER BY o.supplier LIMIT {limit}",
        part = Amount::PART
    );
    let rows: Vec<(String, i64, i64, i64, i64)> =
        session.load_authorized(authorized, scope.statement::<Columns>(&text))?;
    let mut suppliers = BySupplier::new();
    for (supplier, orders, back_orders, hundreds, rest) in rows {
        let performance = SupplierPerformance {
            supplier: supplier.clone(),
            orders: orders - back_orders,
            back_orders,
            outstanding: Amount::from_parts(hundreds, rest),
            ..SupplierPerformance::default()
        };
        suppliers.insert(supplier, performance);
    }
    Ok(suppliers)
}

/// Days since 1970 of a date that is ISO 8601 text, written with integers alone: the two databases have no function for it
/// in common. It is the usual count of Julian days, in years that begin in March so that a leap day ends one.
fn day_of_date(date: &str) -> String {
    let year = format!("CAST(substr({date}, 1, 4) AS integer)");
    let month = format!("CAST(substr({date}, 6, 2) AS integer)");
    let day = format!("CAST(substr({date}, 9, 2) AS integer)");
    // 1 in January and February, which belong to the year before.
    let before_march = format!("((14 - {month}) / 12)");
    let year = format!("({year} + 4800 - {before_march})");
    let month = format!("({month} + 12 * {before_march} - 3)");
    format!("({day} + (153 * {month} + 2) / 5 + 365 * {year} + {year} / 4 - {year} / 100 + {year} / 400 - 2472633)")
}

/// `part` of `whole` in billionths, cut. Three digits at a time, because a quantity times a billion does not fit into 64
/// bits: so the sum of 900 of the largest does.
fn billionths(part: &str, whole: &str) -> String {
    format!(
        "({part} * 1000 / {whole} * 1000000 + {part} * 1000 % {whole} * 1000 / {whole} * 1000 \
         + {part} * 1000 % {whole} * 1000 % {whole} * 1000 / {whole})"
    )
}

/// The smaller one of two expressions.
fn least(one: &str, other: &str) -> String {
    format!("(CASE WHEN {one} < {other} THEN {one} ELSE {other} END)")
}

/// What is known of the lines of a supplier's chains: how many there are; sum and count of each of the three rates; days
/// summed up, the least, the most, and how many lines have any.
type LineColumns = (
    (Text, BigInt),
    ((Nullable<BigInt>, BigInt), (Nullable<BigInt>, BigInt), (Nullable<BigInt>, BigInt)),
    (Nullable<BigInt>, Nullable<BigInt>, Nullable<BigInt>, BigInt),
);
type LineRow = (
    (String, i64),
    ((Option<i64>, i64), (Option<i64>, i64), (Option<i64>, i64)),
    (Option<i64>, Option<i64>, Option<i64>, i64),
);

/// Adds the figures that are about lines.
fn load_lines(
    session: &mut ReadSession<'_>,
    authorized: &Authorized,
    scope: &Scope,
    suppliers: &mut BySupplier,
) -> Result<(), ReadError> {
    let rows: Vec<LineRow> = session.load_authorized(authorized, scope.statement::<LineColumns>(&lines_text(scope)))?;
    for ((supplier, lines), (first_fill, final_fill, on_time), (days, least, most, timed)) in rows {
        let performance = entry(suppliers, supplier)?;
        performance.lines = lines;
        performance.first_fill = rate(first_fill);
        performance.final_fill = rate(final_fill);
        performance.on_time = rate(on_time);
        if let (Some(days), Some(least), Some(most)) = (days, least, most) {
            performance.lead_time = Some(LeadTime { days, least, most, lines: timed });
        }
    }
    Ok(())
}

fn rate((billionths, lines): (Option<i64>, i64)) -> LineRate {
    LineRate { billionths: billionths.unwrap_or(0), lines }
}

/// From the inside: `o`, the orders, and whether an order of the chain is open; `c`, the lines of the chains, summed up over
/// their orders; `x`, the rates and days of each line; and at last their sums for each supplier.
///
/// What came on time is found by the times on the line as far as they tell. The receipts are looked at where some came
/// before the promise and some after it. A line without a promise that got one on a later order of its chain came before
/// that was given.
fn lines_text(scope: &Scope) -> String {
    let promised = day_of_date("l.first_expected_date");
    let on_time_of_receipts = format!(
        "(SELECT CAST(COALESCE(sum(i.accepted), 0) AS bigint) FROM receipt t \
         JOIN receipt_item i ON i.store_id = {{store}} AND i.po_id = t.po_id \
         AND i.receipt_number = t.receipt_number AND i.line_number = l.line_number \
         WHERE t.store_id = {{store}} AND t.po_id = l.po_id AND t.void_time IS NULL \
         AND {received} <= {promised})",
        received = scope.local_day("t.receive_time")
    );
    // What a line carries over was ordered on an order before it, so it counts by its amendments alone.
    // `first_received` is null, and the line has no first rate, where the original is not completed.
    let lines = format!(
        "SELECT o.supplier, o.root_id, l.line_number, max(o.ordered_day) AS ordered_day, max(o.open_orders) AS open_orders, \
         CAST(sum(CASE WHEN l.carried_over THEN 0 ELSE l.first_ordered END) AS bigint) AS first_ordered, \
         CAST(sum(CASE WHEN o.is_completed_original THEN l.received - l.excess END) AS bigint) AS first_received, \
         CAST(sum(CASE WHEN l.carried_over THEN l.ordered - l.first_ordered ELSE l.ordered END) AS bigint) AS ordered, \
         CAST(sum(l.received - l.excess) AS bigint) AS received, CAST(sum(l.pending) AS bigint) AS pending, \
         max(l.first_expected_date) AS promised, {last_day} AS last_day, \
         CAST(sum(CASE WHEN l.last_receive_time IS NULL THEN 0 \
         WHEN l.first_expected_date IS NULL OR {line_last_day} <= {promised} THEN l.received \
         WHEN {line_first_day} > {promised} THEN 0 ELSE {on_time_of_receipts} END) AS bigint) AS on_time \
         FROM (SELECT supplier, root_id, po_id, {ordered_day} AS ordered_day, \
         chain_position = 0 AND state = 'COMPLETED' AS is_completed_original, \
         sum(CASE WHEN state IN ('COMPLETED', 'CANCELLED') THEN 0 ELSE 1 END) OVER (PARTITION BY root_id) AS open_orders \
         FROM {{orders}} chained) o \
         JOIN purchase_order_line l ON l.store_id = {{store}} AND l.po_id = o.po_id \
         GROUP BY o.supplier, o.root_id, l.line_number",
        last_day = scope.local_day("max(l.last_receive_time)"),
        line_last_day = scope.local_day("l.last_receive_time"),
        line_first_day = scope.local_day("l.first_receive_time"),
        ordered_day = scope.local_day("ordered_time"),
    );
    let first_fill = billionths(&least("c.first_received", "c.first_ordered"), "c.first_ordered");
    let final_fill = billionths(&least("c.received", "c.first_ordered"), "c.first_ordered");
    let on_time = billionths(&least(&least("c.on_time", "c.received"), "c.ordered"), "c.ordered");
    format!(
        "SELECT x.supplier, count(*), CAST(sum(x.first_fill) AS bigint), count(x.first_fill), \
         CAST(sum(x.final_fill) AS bigint), count(x.final_fill), CAST(sum(x.on_time) AS bigint), count(x.on_time), \
         CAST(sum(x.days) AS bigint), min(x.days), max(x.days), count(x.days) \
         FROM (SELECT c.supplier, \
         CASE WHEN c.first_ordered > 0 AND c.first_received IS NOT NULL THEN {first_fill} END AS first_fill, \
         CASE WHEN c.first_ordered > 0 AND c.open_orders = 0 THEN {final_fill} END AS final_fill, \
         CASE WHEN c.ordered > 0 AND (c.promised < {{today}} OR (c.promised IS NOT NULL AND c.pending = 0)) \
         THEN {on_time} END AS on_time, \
         CASE WHEN c.last_day > c.ordered_day THEN c.last_day - c.ordered_day \
         WHEN c.last_day IS NOT NULL THEN 0 END AS days \
         FROM ({lines}) c) x GROUP BY x.supplier"
    )
}

/// Adds what was rejected. Orders on whose header nothing is rejected are passed over.
fn load_rejected(
    session: &mut ReadSession<'_>,
    authorized: &Authorized,
    scope: &Scope,
    suppliers: &mut BySupplier,
) -> Result<(), ReadError> {
    type Columns = (Text, Text, BigInt, BigInt);
    let text = "SELECT x.supplier, x.reject_reason, CAST(sum(x.items) AS bigint), count(*) \
                FROM (SELECT o.supplier, i.reject_reason, o.root_id, i.line_number, count(*) AS items FROM {orders} o \
                JOIN receipt t ON t.store_id = {store} AND t.po_id = o.po_id AND t.void_time IS NULL \
                JOIN receipt_item i ON i.store_id = {store} AND i.po_id = t.po_id \
                AND i.receipt_number = t.receipt_number AND i.rejected > 0 \
                WHERE o.rejected > 0 GROUP BY o.supplier, i.reject_reason, o.root_id, i.line_number) x \
                GROUP BY x.supplier, x.reject_reason";
    let rows: Vec<(String, String, i64, i64)> =
        session.load_authorized(authorized, scope.statement::<Columns>(text))?;
    for (supplier, reason, items, lines) in rows {
        let reason = RejectReason::from_name(&reason).ok_or_else(|| DbError::unreadable("reject reason", reason))?;
        entry(suppliers, supplier)?.rejected.push(RejectedLines { reason, items, lines });
    }
    for performance in suppliers.values_mut() {
        performance.rejected.sort_by_key(|rejected| rejected.reason);
    }
    Ok(())
}

/// Adds what was cancelled. Where a line has neither a reason nor a code of its own, the code of its order counts.
fn load_cancelled(
    session: &mut ReadSession<'_>,
    authorized: &Authorized,
    scope: &Scope,
    suppliers: &mut BySupplier,
) -> Result<(), ReadError> {
    type Columns = (Text, Nullable<Text>, BigInt);
    let text = "SELECT x.supplier, x.code, count(*) FROM (SELECT DISTINCT o.supplier, o.root_id, c.line_number, \
                COALESCE(c.reason_code, CASE WHEN c.reason IS NULL THEN o.cancel_reason_code END) AS code \
                FROM {orders} o JOIN line_cancellation c ON c.store_id = {store} AND c.po_id = o.po_id \
                WHERE o.cancelled > 0) x GROUP BY x.supplier, x.code";
    let rows: Vec<(String, Option<String>, i64)> =
        session.load_authorized(authorized, scope.statement::<Columns>(text))?;
    for (supplier, code, lines) in rows {
        let reason = cancel_reason(code)?;
        entry(suppliers, supplier)?.cancelled.push(CancelledLines { reason, lines });
    }
    for performance in suppliers.values_mut() {
        performance.cancelled.sort_by_key(|cancelled| cancelled.reason);
    }
    Ok(())
}

/// Adds by how much more was invoiced than was ordered.
///
/// An item is worth something else than its line says only where it names a cost, so no other is looked at.
fn load_price_variance(
    session: &mut ReadSession<'_>,
    authorized: &Authorized,
    scope: &Scope,
    suppliers: &mut BySupplier,
) -> Result<(), ReadError> {
    type Columns = (Text, BigInt, BigInt);
    let statement = scope.statement::<Columns>(&price_variance_text());
    let rows: Vec<(String, i64, i64)> = session.load_authorized(authorized, statement)?;
    for (supplier, hundreds, rest) in rows {
        entry(suppliers, supplier)?.price_variance = Amount::from_parts(hundreds, rest);
    }
    Ok(())
}

/// What an item would be worth at its line's cost is a product that does not fit into 64 bits. So it is taken apart, from
/// the inside: `p`, the factors: the cost as whole units `c1` and millionths `c0`, or packs and what one costs; `v`, the
/// ten-thousandths of the currency unit that are `whole`, and the `rest` of the next one in parts of `divisor`, by which it
/// is rounded half to even; `d`, the difference.
///
/// Goods that no order names are received in any number, so the product has no bound. The value of an order has one, and
/// an item counts with that at most.
fn price_variance_text() -> String {
    let (part, most) = (Amount::PART, Amount::MAX.scaled());
    let packs = "CASE WHEN l.pack_cost IS NOT NULL AND i.accepted % l.pack_size = 0 THEN i.accepted / l.pack_size END";
    // A pack's cost in millionths is divided by 100 for ten-thousandths.
    let exceeds = format!(
        "CASE WHEN {packs} IS NOT NULL THEN CASE WHEN l.pack_cost > 0 THEN {packs} > {most} * 100 / l.pack_cost \
         ELSE 1 = 0 END WHEN l.unit_cost >= 1000000 THEN i.accepted > {most} / (l.unit_cost / 1000000) ELSE 1 = 0 END"
    );
    // The quantity's whole units times the cost's millionths, and what that leaves of a ten-thousandth together with the
    // quantity's own ten-thousandths.
    let product = "(p.accepted / 10000 * p.c0)";
    let fraction = format!("({product} % 100 * 10000 + p.accepted % 10000 * p.c0)");
    format!(
        "SELECT d.supplier, CAST(sum(d.difference / {part}) AS bigint), CAST(sum(d.difference % {part}) AS bigint) \
         FROM (SELECT v.supplier, v.value - v.whole - CASE WHEN 2 * v.rest > v.divisor \
         OR (2 * v.rest = v.divisor AND v.whole % 2 = 1) THEN 1 ELSE 0 END AS difference \
         FROM (SELECT p.supplier, p.value, CASE WHEN p.exceeds THEN {most} \
         WHEN p.packs IS NULL THEN p.accepted * p.c1 + {product} / 100 + {fraction} / 1000000 \
         ELSE p.packs * p.pack_cost / 100 END AS whole, \
         CASE WHEN p.exceeds THEN 0 WHEN p.packs IS NULL THEN {fraction} % 1000000 \
         ELSE p.packs * p.pack_cost % 100 END AS rest, \
         CASE WHEN p.packs IS NULL THEN 1000000 ELSE 100 END AS divisor \
         FROM (SELECT o.supplier, i.value, i.accepted, l.unit_cost / 1000000 AS c1, l.unit_cost % 1000000 AS c0, \
         l.pack_cost, {packs} AS packs, {exceeds} AS exceeds FROM {{orders}} o \
         JOIN receipt t ON t.store_id = {{store}} AND t.po_id = o.po_id AND t.void_time IS NULL \
         JOIN receipt_item i ON i.store_id = {{store}} AND i.po_id = t.po_id \
         AND i.receipt_number = t.receipt_number AND (i.unit_cost IS NOT NULL OR i.excess_unit_cost IS NOT NULL) \
         JOIN purchase_order_line l ON l.store_id = {{store}} AND l.po_id = i.po_id AND l.line_number = i.line_number\
         ) p) v) d GROUP BY d.supplier"
    )
}

/// The figures of a supplier, which the headers of the same orders have begun.
fn entry(suppliers: &mut BySupplier, supplier: String) -> Result<&mut SupplierPerformance, DbError> {
    suppliers.get_mut(&supplier).ok_or_else(|| DbError::unreadable("supplier of a report", supplier))
}

/// A statement whose text depends on the zone and the period, so that none is prepared for later.
struct Statement<T> {
    /// SQL, in which names in braces stand for the parameters below.
    text: String,
    store: String,
    from: i64,
    before: i64,
    first: String,
    last: String,
    today: String,
    columns: PhantomData<T>,
}

impl<DB, T> QueryFragment<DB> for Statement<T>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.unsafe_to_cache_prepared();
        // Text and names take turns, because no text here has braces of its own.
        for (index, piece) in self.text.split(['{', '}']).enumerate() {
            match piece {
                text if index % 2 == 0 => out.push_sql(text),
                "store" => out.push_bind_param::<Text, _>(&self.store)?,
                "from" => out.push_bind_param::<BigInt, _>(&self.from)?,
                "before" => out.push_bind_param::<BigInt, _>(&self.before)?,
                "first" => out.push_bind_param::<Text, _>(&self.first)?,
                "last" => out.push_bind_param::<Text, _>(&self.last)?,
                "today" => out.push_bind_param::<Text, _>(&self.today)?,
                unknown => {
                    let unknown = format!("a report's statement has no parameter {unknown}");
                    return Err(diesel::result::Error::QueryBuilderError(unknown.into()));
                }
            }
        }
        Ok(())
    }
}

impl<T> QueryId for Statement<T> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T> Query for Statement<T> {
    type SqlType = T;
}

impl<C, T> RunQueryDsl<C> for Statement<T> {}
