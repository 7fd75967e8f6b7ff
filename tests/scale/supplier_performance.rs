//! GetSupplierPerformance over a year of a large store: how long it takes, and that indexes lead to what it is about.

use std::time::{Duration, Instant};

use purchase_order_service::proto::v1::GetSupplierPerformanceRequest;
use purchase_order_service::repository::session::Session;
use rstest::rstest;

use crate::listing::{Heard, listener};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Database, Setup, World, explain, explain_prepared, split_binds};

/// Chains in the year; every third has a back order.
const CHAINS: i64 = 5_000;
const LINES: i64 = 20;
const SUPPLIERS: i64 = 200;
/// Orders of the same suppliers before the year.
const BEFORE: i64 = 50_000;

/// The year's chains: of each line 8 of 10 came in two deliveries, and 2 moved to the back order or were cancelled. In each
/// receipt an item names a cost and another has a rejection. Times are microseconds from 2026-01-01.
fn fill() -> String {
    let id = |number: &str| format!("'00000000-0000-7000-8000-' || substr(CAST(1000000000000 + {number} AS TEXT), 2)");
    let numbers = |count: i64| {
        format!("WITH RECURSIVE n(k) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT k + 1 FROM n WHERE k < {count} - 1)")
    };
    let header = "store_id, po_id, number, parent_id, root_id, chain_position, supplier_id, charges, currency, create_time, \
                  created_by, create_event, order_time, place_time, placed_by, original_order_time, state, revision, \
                  close_time, closed_by, cancel_reason, cancel_reason_code, child_id, last_back_order, folded_back, \
                  terms_changed, line_count, last_line, pending_lines, active_receipts, last_receipt, receipt_items, \
                  ordered, received, rejected, back_ordered, cancelled, pending, excess, ordered_cost, pending_cost, \
                  received_cost";
    let placed =
        |time: &str| format!("{time}, 'alice', k, {time}, {time}, 'alice', {time}, 'COMPLETED', 4, {time}, 'alice'");
    let time = format!("1767225600000000 + k * {}", 365 * 86_400_000_000 / CHAINS);
    let (units, items) = (LINES * 10_000, LINES * 2);
    format!(
        "INSERT INTO purchase_order ({header}) {numbers}
         SELECT 'north', {own}, 'XO-' || k, NULL, {own}, 0, 'supplier-' || (k % {SUPPLIERS}), '[]', 'EUR', {placed},
            CASE WHEN k % 3 > 0 THEN 'late' END, CASE WHEN k % 5 = 1 AND k % 3 > 0 THEN 'LATE' END,
            CASE WHEN k % 3 = 0 THEN {child} END, 1, 1 = 0, 1 = 0, {LINES}, {LINES}, 0, 2, 2, {items},
            {units} * 10, {units} * 8, {units}, CASE WHEN k % 3 = 0 THEN {units} * 2 ELSE 0 END,
            CASE WHEN k % 3 > 0 THEN {units} * 2 ELSE 0 END, 0, 0, 0, 0, 0 FROM n;
         INSERT INTO purchase_order ({header}) {numbers}
         SELECT 'north', {child}, 'XO-' || k || '-B1', {own}, {own}, 1, 'supplier-' || (k % {SUPPLIERS}), '[]', 'EUR', {placed},
            NULL, NULL, NULL, 1, 1 = 0, 1 = 0, {LINES}, {LINES}, 0, 1, 1, {LINES}, {units} * 2, {units} * 2, 0, 0, 0, 0, 0,
            0, 0, 0 FROM n WHERE k % 3 = 0;
         INSERT INTO purchase_order_line (store_id, po_id, line_number, product_id, description, unit, unit_cost, lot_required,
            carried_over, first_expected_date, first_ordered, ordered, received, rejected, back_ordered, cancelled, pending,
            excess, returned, first_receive_time, last_receive_time) {of_lines}
         SELECT o.store_id, o.po_id, n.k + 1, 'product-' || n.k, 'a product', 'EACH', 1000000, 1 = 0, o.chain_position > 0,
            '2026-06-01', o.ordered / {LINES}, o.ordered / {LINES}, o.received / {LINES}, 0, o.back_ordered / {LINES},
            o.cancelled / {LINES}, 0, 0, 0, o.create_time + 172800000000, o.create_time + 432000000000
         FROM purchase_order o CROSS JOIN n WHERE o.number LIKE 'XO-%';
         INSERT INTO receipt (store_id, po_id, receipt_number, receive_time, book_time, booked_by, supplier_id)
         SELECT o.store_id, o.po_id, r.n, o.create_time + (r.n * 3 - 1) * 86400000000, o.create_time, 'alice', o.supplier_id
         FROM purchase_order o JOIN (SELECT 1 AS n UNION ALL SELECT 2) r ON r.n <= o.active_receipts
         WHERE o.number LIKE 'XO-%';
         INSERT INTO receipt_item (store_id, po_id, receipt_number, line_number, accepted, excess, rejected, reject_reason,
            unit_cost, value)
         SELECT l.store_id, l.po_id, r.receipt_number, l.line_number, 10000, 0, CASE WHEN l.line_number = 3 THEN 10000 ELSE 0 END,
            CASE WHEN l.line_number = 3 THEN 'DAMAGED' END, CASE WHEN l.line_number % 5 = 0 THEN 1500000 END, 15000
         FROM receipt r JOIN purchase_order o ON o.store_id = r.store_id AND o.po_id = r.po_id
         JOIN purchase_order_line l ON l.store_id = r.store_id AND l.po_id = r.po_id WHERE o.number LIKE 'XO-%';
         INSERT INTO line_cancellation (store_id, po_id, line_number, event_number, quantity)
         SELECT l.store_id, l.po_id, l.line_number, 1, l.cancelled FROM purchase_order_line l
         JOIN purchase_order o ON o.store_id = l.store_id AND o.po_id = l.po_id
         WHERE l.cancelled > 0 AND o.number LIKE 'XO-%';
         INSERT INTO purchase_order ({header}) {before}
         SELECT 'north', {old}, 'XP-' || k, NULL, {old}, 0, 'supplier-' || (k % {SUPPLIERS}), '[]', 'EUR', {placed_before},
            NULL, NULL, NULL, 0, 1 = 0, 1 = 0, {LINES}, {LINES}, 0, 0, 0, 0, 10000, 10000, 0, 0, 0, 0, 0, 0, 0, 0 FROM n",
        numbers = numbers(CHAINS),
        of_lines = numbers(LINES),
        before = numbers(BEFORE),
        own = id("k * 2"),
        child = id("k * 2 + 1"),
        old = id("1000000 + k"),
        placed = placed(&time),
        placed_before = placed("1767200000000000 - k * 60000000"),
    )
}

const EMPTY: &str = "
    DELETE FROM purchase_order_line WHERE product_id LIKE 'product-%';
    DELETE FROM line_cancellation WHERE event_number = 1;
    DELETE FROM receipt_item WHERE value = 15000;
    DELETE FROM receipt WHERE supplier_id LIKE 'supplier-%';
    DELETE FROM purchase_order WHERE number LIKE 'XO-%' OR number LIKE 'XP-%'";

/// The report of the year 2026.
fn year(world: &World) -> Call<GetSupplierPerformanceRequest> {
    world.alice().performance().with(|request| {
        request.order_date_from = "2026-01-01".to_owned();
        request.order_date_before = "2027-01-01".to_owned();
    })
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_year_of_a_store_is_reported_in_seconds(#[values(Sqlite, Postgres)] on: Engine) {
    let _alone = crate::ALONE.lock().await;
    let Some(database) = Database::migrated(on) else { return };
    let heard = Heard::default();
    let world = World::set_up(database, Setup { observer: Some(listener(&heard)), ..Setup::default() }).await;
    world.clock.set("2027-01-01T12:00:00Z");
    let mut session = world.database.session();
    session.batch(&fill()).unwrap();
    // PostgreSQL does this by itself, sooner or later.
    session.batch(if on == Postgres { "ANALYZE" } else { "" }).unwrap();

    for (name, page_size, supplier, most) in
        [("one supplier", 0, "supplier-7", 1), ("50 suppliers", 0, "", 10), ("all suppliers", 1_000, "", 30)]
    {
        let report = || year(&world).with(|r| (r.page_size, r.supplier_id) = (page_size, supplier.to_owned()));
        heard.lock().unwrap().clear();
        let began = Instant::now();
        let found = report().ok().await.suppliers;
        let took = began.elapsed();
        println!("{on:?}: {name}: {} suppliers in {took:?}", found.len());
        assert!(took < Duration::from_secs(most), "{name}: {took:?}");
        let one = found.iter().find(|found| supplier.is_empty() || found.supplier_id == supplier).unwrap();
        let rate = |rate: &Option<purchase_order_service::proto::v1::LineRate>| rate.clone().unwrap().mean;
        assert_eq!((one.order_count, one.line_count), (25, 500), "{name}");
        assert_eq!(rate(&one.first_fill_rate), "0.8", "{name}");
        // Half a euro for each item with a cost: 4 of each of 50 receipts, and of those of 8 back orders.
        assert!(supplier.is_empty() || one.price_variance() == "116", "{one:?}");
        for statement in std::mem::take(&mut *heard.lock().unwrap()) {
            if !supplier.is_empty() && statement.contains("original_order_time >=") {
                assert_no_scan(&mut session, on, &statement);
            }
        }
    }
    session.batch(EMPTY).unwrap();
    world.verify().await;
}

/// Checks that a statement goes through none of the large tables.
fn assert_no_scan(session: &mut Session, on: Engine, statement: &str) {
    let (text, binds) = split_binds(statement);
    let plan = match on {
        Sqlite => explain(session, text),
        Postgres => {
            // As the readers have it.
            session.batch("SET join_collapse_limit = 1; SET jit = off").unwrap();
            let binds: Vec<serde_json::Value> = serde_json::from_str(binds).unwrap();
            let types: Vec<&str> = binds.iter().map(|bind| if bind.is_string() { "text" } else { "bigint" }).collect();
            let binds: Vec<String> = binds.iter().map(|bind| bind.to_string().replace('"', "'")).collect();
            explain_prepared(session, text, &types, &binds, "")
        }
    };
    // SQLite calls a table by its alias. The orders that it goes through as `o` are those that it has put together from the
    // table of this name, which it must have searched.
    let scans = ["Seq Scan on ", "SCAN r", "SCAN l", "SCAN t", "SCAN i"];
    let is_scan = |step: &String| scans.iter().any(|scan| step.starts_with(scan) || step.contains("Seq Scan on "));
    let searches = |step: &String| step.contains("purchase_order_chain_position");
    assert!(!plan.iter().any(is_scan) && plan.iter().any(searches), "{plan:#?}");
}
