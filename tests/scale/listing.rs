//! Finding orders among 100,000: whatever a list is asked for, an index leads to it, be it rare or in
//! every order, and pages follow one another.

use std::sync::{Arc, Mutex};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Database, Setup, World, at, explain, explain_prepared, split_binds};
use purchase_order_service::proto::v1::ListPurchaseOrdersRequest;
use purchase_order_service::proto::v1::PurchaseOrderState::{Cancelled, Completed, Draft, OnOrder, Receiving};
use purchase_order_service::repository::session::{Observed, Observer, Session};
use rstest::rstest;

/// Orders 1 to 100,000, a minute apart, with two lines each. Every hundredth is the back order of the
/// one before; the last hundred are on order, and all others cancelled.
const FILL: &str = "
    INSERT INTO purchase_order
    WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < 100000),
    o AS (SELECT i, i * 60000000 AS t, '00000000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2) AS id,
        '00000000-0000-7000-8000-' || substr(CAST(999999999999 + i AS TEXT), 2) AS before,
        i % 100 = 0 AS is_child, CASE WHEN i > 99900 THEN 1 ELSE 0 END AS live FROM n)
    SELECT 'north', id, 'XO-' || substr(CAST(1000000 + i AS TEXT), 2), CASE WHEN is_child THEN before END,
        CASE WHEN is_child THEN before ELSE id END, CASE WHEN is_child THEN 1 ELSE 0 END, 'supplier-' || (i % 1000),
        CASE WHEN i % 3 = 0 THEN 'ref-' || (i % 30000) END, NULL, NULL, '[]', 'EUR', NULL, t, 'alice', i,
        CASE WHEN live = 1 THEN 'ON_ORDER' ELSE 'CANCELLED' END, 3, t, t, 'alice', t, CASE WHEN live = 0 THEN t END,
        CASE WHEN live = 0 THEN 'alice' END, NULL, NULL, NULL, 1, 1 = 0, 1 = 0,
        2, 2, 2 * live, 0, 0, 0, 20000, 0, 0, 0, 20000 * (1 - live), 20000 * live, 0, 0, 0, 0
    FROM o;
    INSERT INTO purchase_order_line
    SELECT p.store_id, p.po_id, l.n,
        CASE WHEN l.n = 1 THEN 'common' ELSE 'rare-' || ((p.create_time / 60000000 - p.chain_position) % 10000 / 10) END,
        '', NULL, NULL, NULL, 'EACH', NULL, 0, NULL, NULL, 1 = 0, p.parent_id IS NOT NULL, NULL, 10000, NULL, NULL, 10000, 0, 0, 0,
        10000 - p.pending / 2, p.pending / 2, 0, 0, NULL, NULL, NULL,
        CASE WHEN p.pending > 0 THEN 'none' END
    FROM purchase_order p CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) l WHERE p.number LIKE 'XO-%'";

const EMPTY: &str = "
    DELETE FROM purchase_order_line WHERE EXISTS (SELECT 1 FROM purchase_order p
        WHERE p.store_id = purchase_order_line.store_id AND p.po_id = purchase_order_line.po_id AND p.number LIKE 'XO-%');
    DELETE FROM purchase_order WHERE number LIKE 'XO-%'";

/// What is asked for, and of which of the orders it is true.
struct Asked {
    name: &'static str,
    filter: fn(&mut ListPurchaseOrdersRequest),
    holds: fn(i64) -> bool,
}

const fn asked(name: &'static str, filter: fn(&mut ListPurchaseOrdersRequest), holds: fn(i64) -> bool) -> Asked {
    Asked { name, filter, holds }
}

/// The product of an order's second line; a back order has its parent's.
const fn rare(i: i64) -> i64 {
    (if i % 100 == 0 { i - 1 } else { i }) % 10_000 / 10
}

/// Every filter by itself, each where few orders have it, many, and none; and some together.
const ASKED: [Asked; 28] = [
    asked("nothing", |_| {}, |_| true),
    asked("a supplier", |r| r.supplier_id = "supplier-7".into(), |i| i % 1_000 == 7),
    asked("no supplier", |r| r.supplier_id = "nobody".into(), |_| false),
    asked("a reference", |r| r.supplier_reference = "ref-9".into(), |i| i % 30_000 == 9),
    asked("no reference", |r| r.supplier_reference = "ref-1".into(), |_| false),
    asked("a reference in capitals", |r| r.supplier_reference = "REF-9".into(), |i| i % 30_000 == 9),
    asked("a date", |r| r.expected_from = "2026-01-01".into(), |_| false),
    asked("what is overdue", |r| r.overdue = true, |_| false),
    asked("back orders", |r| r.back_orders_only = true, |i| i % 100 == 0),
    asked("a rare state", |r| r.states = vec![OnOrder.into()], |i| i > 99_900),
    asked("a common state", |r| r.states = vec![Cancelled.into()], |i| i <= 99_900),
    asked("no such state", |r| r.states = vec![Completed.into()], |_| false),
    asked("open", |r| r.states = vec![Draft.into(), OnOrder.into(), Receiving.into()], |i| i > 99_900),
    asked("two states", |r| r.states = vec![Cancelled.into(), OnOrder.into(), Cancelled.into()], |_| true),
    asked("neither state", |r| r.states = vec![Draft.into(), Receiving.into()], |_| false),
    asked("a rare product", |r| r.product_id = "rare-5".into(), |i| rare(i) == 5),
    asked("a common product", |r| r.product_id = "common".into(), |_| true),
    asked("no product", |r| r.product_id = "none".into(), |_| false),
    asked("a number", |r| r.number_prefix = "XO-000777".into(), |i| i == 777),
    asked("few numbers", |r| r.number_prefix = "XO-0007".into(), |i| i / 100 == 7),
    asked("all numbers", |r| r.number_prefix = "XO-".into(), |_| true),
    asked("no number", |r| r.number_prefix = "XO-9".into(), |_| false),
    asked("old ones", |r| r.create_time_before = at("1970-01-01T10:00:00Z"), |i| i < 600),
    asked("new ones", |r| r.create_time_from = at("1970-03-11T10:00:00Z"), |i| i >= 99_960),
    asked(
        "a time in between",
        |r| (r.create_time_from, r.create_time_before) = (at("1970-01-02T00:00:00Z"), at("1970-01-02T01:00:00Z")),
        |i| (1_440..1_500).contains(&i),
    ),
    asked(
        "a supplier's open ones",
        |r| (r.supplier_id, r.states) = ("supplier-950".into(), vec![OnOrder.into(), Draft.into()]),
        |i| i == 99_950,
    ),
    asked(
        "a common product of a supplier",
        |r| (r.product_id, r.supplier_id) = ("common".into(), "supplier-8".into()),
        |i| i % 1_000 == 8,
    ),
    asked(
        "cancelled back orders of a rare product",
        |r| (r.product_id, r.back_orders_only, r.states) = ("rare-9".into(), true, vec![Cancelled.into()]),
        |i| rare(i) == 9 && i % 100 == 0,
    ),
];

pub(super) type Heard = Arc<Mutex<Vec<String>>>;

pub(super) fn listener(heard: &Heard) -> Observer {
    let heard = Arc::clone(heard);
    Arc::new(move |observed| {
        if let Observed::Statement(statement) = observed
            && statement.contains("purchase_order")
        {
            heard.lock().unwrap().push(statement.to_owned());
        }
    })
}

/// The numbers of a filter's first two pages.
async fn two_pages(caller: &Caller, filter: fn(&mut ListPurchaseOrdersRequest)) -> Vec<i64> {
    let first = caller.list().with(filter).ok().await;
    let mut orders = first.purchase_orders;
    if !first.next_page_token.is_empty() {
        let second = caller.list().with(filter).with(|request| request.page_token = first.next_page_token);
        orders.extend(second.ok().await.purchase_orders);
    }
    orders.iter().map(|order| order.number.trim_start_matches("XO-").parse().unwrap()).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_index_leads_to_whatever_a_list_is_asked_for(#[values(Sqlite, Postgres)] on: Engine) {
    let _alone = crate::ALONE.lock().await;
    let Some(database) = Database::migrated(on) else { return };
    let heard = Heard::default();
    let world = World::set_up(database, Setup { observer: Some(listener(&heard)), ..Setup::default() }).await;
    let mut session = world.database.session();
    session.batch(FILL).unwrap();
    // PostgreSQL does this by itself, sooner or later.
    session.batch(if on == Postgres { "ANALYZE" } else { "" }).unwrap();

    for Asked { name, filter, holds } in ASKED {
        heard.lock().unwrap().clear();
        let found = two_pages(&world.alice(), filter).await;
        let expected: Vec<i64> = (1..=100_000).rev().filter(|i| holds(*i)).take(100).collect();
        assert_eq!(found, expected, "{name}");
        for statement in std::mem::take(&mut *heard.lock().unwrap()) {
            reads_by_index(&mut session, on, &statement).unwrap_or_else(|why| panic!("{name}: {why}\n  {statement}"));
        }
    }
    session.batch(EMPTY).unwrap();
    world.verify().await;
}

/// Whether a statement reads little of a large database; if not, its plan.
fn reads_by_index(session: &mut Session, on: Engine, statement: &str) -> Result<(), String> {
    let (text, binds) = split_binds(statement);
    match on {
        Sqlite => planned_well(session, text),
        Postgres => reads_little(session, text, binds),
    }
}

/// SQLite tells its plan: it must look up and never go through a table, and sort but what it looked up
/// by keys.
fn planned_well(session: &mut Session, text: &str) -> Result<(), String> {
    let plan = explain(session, text);
    let scans = plan.iter().any(|step| step.contains("SCAN purchase_order"));
    let sorts = plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY")) && !text.contains("json_each");
    let store_alone = plan.iter().any(|step| step.contains("SEARCH purchase_order USING PRIMARY KEY (store_id=?)"));
    if scans || sorts || store_alone { Err(format!("{plan:#?}")) } else { Ok(()) }
}

pub(super) fn reads_little(session: &mut Session, text: &str, binds: &str) -> Result<(), String> {
    reads_at_most(2_500, session, text, binds)
}

/// PostgreSQL tells how many rows each scan came by.
pub(super) fn reads_at_most(most: i64, session: &mut Session, text: &str, binds: &str) -> Result<(), String> {
    // They are written as Rust writes them, which but for this is JSON.
    let binds = binds.replace("\\u{10ffff}", "\u{10FFFF}");
    let binds: Vec<serde_json::Value> = serde_json::from_str(&binds).unwrap();
    let (types, binds): (Vec<&str>, Vec<String>) = binds.iter().map(literal).unzip();
    let plan = explain_prepared(session, text, &types, &binds, "(ANALYZE, TIMING OFF)");
    let after = |step: &str, word: &str| -> i64 {
        let rest = step.split_once(word).map_or("0", |(_, rest)| rest);
        rest.split(|c: char| !c.is_ascii_digit()).next().unwrap().parse().unwrap()
    };
    let scanned = plan.iter().filter(|step| step.contains(" Scan ") && step.contains("(actual"));
    let scanned = scanned.map(|step| after(step.split_once("(actual").unwrap().1, "rows=") * after(step, "loops="));
    let removed = plan.iter().map(|step| after(step, "Rows Removed by Filter: "));
    let read: i64 = scanned.chain(removed).sum();
    if read <= most { Ok(()) } else { Err(format!("it reads {read} rows: {plan:#?}")) }
}

/// A bind's type, and the bind as SQL.
fn literal(value: &serde_json::Value) -> (&'static str, String) {
    match value {
        serde_json::Value::Array(values) if values.first().is_some_and(serde_json::Value::is_number) => {
            let values: Vec<String> = values.iter().map(ToString::to_string).collect();
            ("integer[]", format!("'{{{}}}'", values.join(",")))
        }
        serde_json::Value::Array(values) => {
            let values: Vec<&str> = values.iter().map(|value| value.as_str().unwrap()).collect();
            ("text[]", format!("'{{\"{}\"}}'", values.join("\",\"")))
        }
        serde_json::Value::String(text) => ("text", format!("'{text}'")),
        number if number.as_i64().is_some_and(|number| i32::try_from(number).is_ok()) => {
            ("integer", number.to_string())
        }
        number => ("bigint", number.to_string()),
    }
}
