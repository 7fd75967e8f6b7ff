//! Long chains of back orders: read page by page they come to what their rows add up to, each page
//! reads by index, and no page is too large to send.

use std::sync::{Arc, Mutex};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, Setup, World, explain, explain_prepared, split_binds};
use prost::Message;
use purchase_order_service::proto::v1::{ChainLine, GetBackOrderChainResponse, PurchaseOrder};
use purchase_order_service::repository::session::{Observed, Observer, Session};
use rstest::rstest;

/// Clients take no larger message unless they are told to.
const MAX_MESSAGE: usize = 4 * 1024 * 1024;

/// A chain to be made, with texts of these lengths.
struct Chain {
    orders: i64,
    lines: i64,
    text: usize,
}

impl Chain {
    /// Whether the order at a place of the chain has a line. The original has all of them.
    fn has(&self, place: i64, line: i64) -> bool {
        place == 0 || (place + line) % 3 == 0
    }

    /// The orders of the chain and their lines, and 20,000 other orders of one line.
    fn fill(&self) -> String {
        let Self { orders, lines, text } = self;
        let (code, description, note) =
            ("c".repeat((*text).min(50)), "d".repeat((*text).min(190)), "n".repeat((*text).min(1_000)));
        format!(
            "INSERT INTO purchase_order
             WITH RECURSIVE n(k) AS (SELECT CAST(0 AS BIGINT) UNION ALL SELECT k + 1 FROM n WHERE k < {orders} + 19999),
             o AS (SELECT k, '00000000-0000-7000-8000-' || substr(CAST(1000000000000 + k AS TEXT), 2) AS id,
                '00000000-0000-7000-8000-' || substr(CAST(999999999999 + k AS TEXT), 2) AS before,
                k < {orders} AS chained FROM n)
             SELECT 'north', id, 'XC-' || k, CASE WHEN chained AND k > 0 THEN before END,
                CASE WHEN chained THEN '00000000-0000-7000-8000-000000000000' ELSE id END,
                CASE WHEN chained THEN k ELSE 0 END, '{code}', '{description}', '{note}', NULL, '[]', 'EUR', '2026-03-10', k,
                'alice', k,
                CASE WHEN k < {orders} - 1 THEN 'COMPLETED' ELSE 'ON_ORDER' END, 3, k, k, 'alice', k,
                CASE WHEN k < {orders} - 1 THEN k END, CASE WHEN k < {orders} - 1 THEN 'alice' END, CASE WHEN k < {orders} - 1 THEN '{note}' END, NULL,
                CASE WHEN k < {orders} - 1 THEN id END, CASE WHEN chained THEN k + 1 ELSE 0 END, 1 = 0, 1 = 0, {lines}, {lines}, 0, 0, 0, 0, 9999999999999,
                CASE WHEN k < {orders} - 1 THEN 9999999999999 ELSE 0 END, 0,
                CASE WHEN k < {orders} - 1 THEN 9999999999999 ELSE 0 END, 0,
                CASE WHEN k < {orders} - 1 THEN 0 ELSE 9999999999999 END,
                CASE WHEN k < {orders} - 1 THEN 9999999999999 ELSE 0 END, 0, 0, 0
             FROM o;
             INSERT INTO purchase_order_line
             WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {lines}),
             l AS (SELECT o.store_id, o.po_id, o.create_time AS k, n.i FROM purchase_order o CROSS JOIN n
                WHERE o.number LIKE 'XC-%' AND CASE WHEN o.create_time >= {orders} THEN n.i = 1
                    ELSE o.create_time = 0 OR (o.create_time + n.i) % 3 = 0 END)
             SELECT store_id, po_id, i, '{code}-' || i, '{description}-' || k, NULL, NULL, NULL, 'EACH', NULL, 0, NULL, NULL, 1 = 0, k > 0, NULL,
                3 + k * 31 % 1000 + i + k % 5 - k % 2, NULL, NULL, 3 + k * 31 % 1000 + i + k % 5, k * 31 % 1000 + i, k % 3, 2,
                k % 5, 1, 0, k % 2,
                CASE WHEN i % 4 > 0 THEN 1000 * k + i END, CASE WHEN i % 4 > 0 THEN 2000 * k + i END, NULL,
                CASE WHEN k = {orders} - 1 THEN 'none' END
             FROM l"
        )
    }

    /// What a line comes to, added up order by order.
    fn rolled_up(&self, line: i64) -> ChainLine {
        let on = || (0..self.orders).filter(|place| self.has(*place, line));
        let received = |place: i64| place * 31 % 1_000 + line;
        let units = |scaled: i64| {
            let text = format!("{}.{:04}", scaled / 10_000, scaled % 10_000);
            text.trim_end_matches('0').trim_end_matches('.').to_owned()
        };
        let time = |micros: i64| prost_types::Timestamp {
            seconds: micros / 1_000_000,
            nanos: (micros % 1_000_000 * 1_000) as i32,
        };
        let came = line % 4 > 0;
        ChainLine {
            line_number: line as i32,
            product_id: format!("{}-{line}", "c".repeat(self.text.min(50))),
            description: format!("{}-0", "d".repeat(self.text.min(190))),
            unit: 1,
            ordered: units(3 + line + on().map(|place| place % 2).sum::<i64>()),
            first_ordered: units(3 + line),
            amended: units(on().map(|place| place % 2).sum()),
            rejected: units(on().map(|place| place % 3).sum()),
            received: units(on().map(received).sum()),
            on_hand: units(on().filter(|place| *place < self.orders - 1).map(received).sum()),
            excess: "0".to_owned(),
            returned: units(on().map(|place| place % 2).sum()),
            cancelled: units(on().map(|place| place % 5).sum()),
            pending: units(on().count() as i64),
            first_receive_time: came.then(|| time(line)),
            last_receive_time: came.then(|| time(2_000 * on().max().unwrap() + line)),
            days_to_last_receipt: came.then_some(0),
        }
    }
}

const EMPTY: &str = "
    DELETE FROM purchase_order_line WHERE po_id LIKE '00000000-0000-7000-8000-%';
    DELETE FROM purchase_order WHERE number LIKE 'XC-%'";

/// The order at a place of the chain.
fn at_place(place: i64) -> PurchaseOrder {
    PurchaseOrder { purchase_order_id: format!("00000000-0000-7000-8000-{place:012}"), ..PurchaseOrder::default() }
}

/// Reads a chain by any of its orders to the end.
async fn pages(world: &World, named: &PurchaseOrder, page_size: i32) -> Vec<GetBackOrderChainResponse> {
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let page = world.alice().chain(named).with(|r| (r.page_size, r.page_token) = (page_size, token)).ok().await;
        token = page.next_page_token.clone();
        pages.push(page);
        if token.is_empty() {
            return pages;
        }
    }
}

type Heard = Arc<Mutex<Vec<String>>>;

fn listener(heard: &Heard) -> Observer {
    let heard = Arc::clone(heard);
    Arc::new(move |observed| {
        if let Observed::Statement(statement) = observed
            && statement.contains("first_position")
        {
            heard.lock().unwrap().push(statement.to_owned());
        }
    })
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_long_chain_is_read_page_by_page(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let heard = Heard::default();
    let world = World::set_up(database, Setup { observer: Some(listener(&heard)), ..Setup::default() }).await;
    let mut session = world.database.session();
    let chain = Chain { orders: 300, lines: 120, text: 8 };
    session.batch(&chain.fill()).unwrap();
    session.batch(if on == Postgres { "ANALYZE" } else { "" }).unwrap();

    let pages = pages(&world, &at_place(150), 50).await;

    let sizes: Vec<_> = pages.iter().map(|page| (page.purchase_orders.len(), page.lines.len())).collect();
    assert_eq!(sizes, [(50, 50), (50, 50), (50, 20), (50, 0), (50, 0), (50, 0)]);
    let places = pages.iter().flat_map(|page| &page.purchase_orders).map(|order| i64::from(order.back_order_sequence));
    assert!(places.eq(0..300));
    let lines: Vec<ChainLine> = pages.into_iter().flat_map(|page| page.lines).collect();
    assert_eq!(lines, (1..=120).map(|line| chain.rolled_up(line)).collect::<Vec<_>>());
    // More lines than headers: the same token leads on.
    let few = Chain { orders: 2, ..chain };
    session.batch(EMPTY).unwrap();
    session.batch(&few.fill()).unwrap();
    let sizes: Vec<_> =
        self::pages(&world, &at_place(1), 50).await.iter().map(|p| (p.purchase_orders.len(), p.lines.len())).collect();
    assert_eq!(sizes, [(2, 50), (0, 50), (0, 20)]);
    let heard = heard.lock().unwrap().clone();
    heard.iter().for_each(|statement| assert_no_scan(&mut session, on, statement));
    session.batch(EMPTY).unwrap();
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_largest_page_of_a_chain_fits(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let mut session = world.database.session();
    session.batch(&Chain { orders: 1_001, lines: 1_001, text: 1_000 }.fill()).unwrap();

    let page = world.alice().chain(&at_place(0)).with(|request| request.page_size = 1_000).ok().await;

    let bytes = page.encoded_len();
    println!(
        "{on:?}: a page of {} headers and {} lines has {bytes} bytes",
        page.purchase_orders.len(),
        page.lines.len()
    );
    assert_eq!((page.purchase_orders.len(), page.lines.len(), page.next_page_token.is_empty()), (1_000, 1_000, false));
    assert!(bytes <= MAX_MESSAGE, "{bytes} bytes");
    session.batch(EMPTY).unwrap();
    world.verify().await;
}

/// Checks that a statement looks orders and lines up by an index and scans neither table.
fn assert_no_scan(session: &mut Session, on: Engine, statement: &str) {
    let (text, binds) = split_binds(statement);
    let plan = match on {
        Sqlite => explain(session, text),
        Postgres => {
            let binds: Vec<serde_json::Value> = serde_json::from_str(binds).unwrap();
            let binds: Vec<String> = binds.iter().map(|bind| bind.to_string().replace('"', "'")).collect();
            explain_prepared(session, text, &[], &binds, "")
        }
    };
    // SQLite calls a table by its alias.
    let scans = ["Seq Scan on purchase_order", "SCAN o", "SCAN l", "SCAN p", "SCAN f", "SCAN purchase_order"];
    let is_scan = |step: &String| scans.iter().any(|scan| step.contains(scan));
    assert!(!plan.iter().any(is_scan), "{plan:#?}");
}
