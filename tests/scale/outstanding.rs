//! Lists over stores and by date among 200,000 outstanding lines, in one store and in the 1,000 that a list is over: what a page reads does not
//! depend on how many there are.

use std::time::Instant;

use purchase_order_service::proto::v1::ListPurchaseOrdersRequest;
use purchase_order_service::proto::v1::PurchaseOrderSorting::ExpectedDate;
use purchase_order_service::proto::v1::PurchaseOrderState::{OnOrder, Receiving};
use rstest::rstest;

use crate::listing::{Heard, listener, reads_at_most};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, Setup, World, explain, split_binds};

/// So many stores that alice may see, with so many orders of two lines each, which are on order.
fn fill(stores: usize, orders: usize) -> String {
    format!(
        "INSERT INTO store
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {stores})
         SELECT 'x-' || substr(CAST(10000 + i AS TEXT), 2), '', 'EUR', 'UTC', 1, 1 = 0, 0, 1 = 0, 1 = 0, 0, 0, 1, 1, 1 FROM n;
         INSERT INTO role_grant SELECT store_id, 'alice', 'owner', 1, NULL FROM store WHERE store_id LIKE 'x-%';
         INSERT INTO role_permission
         SELECT store_id, 'owner', p.name, 1, NULL FROM store
            CROSS JOIN (SELECT 'VIEW' AS name UNION ALL SELECT 'VIEW_REPORTS') p WHERE store_id LIKE 'x-%';
         INSERT INTO purchase_order
         WITH RECURSIVE n(i) AS (SELECT CAST(1 AS BIGINT) UNION ALL SELECT i + 1 FROM n WHERE i < {orders}),
         o AS (SELECT s.store_id, i, i * 60000000 AS t,
            '00000000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2) AS id,
            CASE WHEN i % 10 > 0 THEN '2026-' || substr(CAST(101 + i % 12 AS TEXT), 2) || '-'
                || substr(CAST(110 + i % 18 AS TEXT), 2) END AS day
            FROM n CROSS JOIN store s WHERE s.store_id LIKE 'x-%')
         SELECT store_id, id, 'XO-' || i, NULL, id, 0, 'supplier-' || (i % 1000), NULL, NULL, NULL, '[]', 'EUR', day, t,
            'alice', i, 'ON_ORDER', 3, t, t, 'alice', t, NULL, NULL, NULL, NULL, NULL, 1, 1 = 0, 1 = 0, 2, 2, 2, 0, 0, 0, 20000,
            0, 0, 0, 0, 20000, 0, 0, 0, 0
         FROM o;
         INSERT INTO purchase_order_line
         SELECT p.store_id, p.po_id, l.n, CASE WHEN l.n = 1 THEN 'common' ELSE 'rare-' || (p.create_event % 1000) END,
            '', NULL, NULL, NULL, 'EACH', NULL, 0, NULL, NULL, 1 = 0, 1 = 0, NULL, 10000, NULL, NULL, 10000, 0, 0, 0, 0,
            10000, 0, 0, NULL, NULL, NULL, COALESCE(p.expected_date, 'none')
         FROM purchase_order p CROSS JOIN (SELECT 1 AS n UNION ALL SELECT 2) l WHERE p.number LIKE 'XO-%'"
    )
}

const EMPTY: &str = "
    DELETE FROM purchase_order_line WHERE store_id LIKE 'x-%';
    DELETE FROM purchase_order WHERE store_id LIKE 'x-%';
    DELETE FROM role_permission WHERE store_id LIKE 'x-%';
    DELETE FROM role_grant WHERE store_id LIKE 'x-%';
    DELETE FROM store WHERE store_id LIKE 'x-%'";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_page_over_stores_reads_little(
    #[values(Sqlite, Postgres)] on: Engine,
    #[values((1, 100_000), (999, 100))] size: (usize, usize),
) {
    let (stores, orders) = size;
    let _alone = crate::ALONE.lock().await;
    let Some(database) = Database::migrated(on) else { return };
    let heard = Heard::default();
    let world = World::set_up(database, Setup { observer: Some(listener(&heard)), ..Setup::default() }).await;
    let mut session = world.database.session();
    session.batch(&fill(stores, orders)).unwrap();
    session.batch(if on == Postgres { "ANALYZE" } else { "" }).unwrap();

    for place in ["-", "x-0001"] {
        let alice = world.alice().at(place);
        let lines = || alice.outstanding().with(|request| request.page_size = 20);
        heard.lock().unwrap().clear();
        let begun = Instant::now();
        let first = lines().ok().await;
        println!("{on:?}, {stores} stores, {place}: 20 lines in {:?}", begun.elapsed());
        assert_eq!(first.lines.len(), 20);
        let second = lines().with(|request| request.page_token = first.next_page_token).ok().await;
        assert_eq!(second.lines.len(), 20);
        lines().with(|request| request.overdue = true).ok().await;
        lines().with(|request| request.product_id = "rare-7".to_owned()).ok().await;
        lines().with(|request| request.number = "XO-77".to_owned()).ok().await;
        let begun = Instant::now();
        lines().with(|request| request.confirmed_shortfall_only = true).ok().await;
        println!(
            "{on:?}, {stores} stores, {place}: a page of shortfalls, of which there are none, in {:?}",
            begun.elapsed()
        );
        // A filter that nothing matches comes to its end in few pages.
        let (mut pages, mut token) = (0, String::new());
        while pages == 0 || !token.is_empty() {
            let page = lines().with(|request| {
                (request.supplier_id, request.page_token) = ("nobody".to_owned(), token.clone());
            });
            let page = page.ok().await;
            assert!(page.lines.is_empty());
            token = page.next_page_token;
            pages += 1;
        }
        println!("{on:?}, {stores} stores, {place}: no line of a supplier in {pages} pages");
        assert!(pages <= 30, "{pages} pages to find nothing");
        let orders = || alice.list().with(|request| request.page_size = 20);
        let by_date = || orders().with(|request| request.order_by = ExpectedDate.into());
        let begun = Instant::now();
        let first = by_date().ok().await;
        println!("{on:?}, {stores} stores, {place}: 20 orders by date in {:?}", begun.elapsed());
        assert_eq!(first.purchase_orders.len(), 20);
        let next = by_date().with(|request| request.page_token = first.next_page_token).ok().await;
        assert_eq!(next.purchase_orders.len(), 20);
        let begun = Instant::now();
        assert_eq!(orders().ok().await.purchase_orders.len(), 20);
        println!("{on:?}, {stores} stores, {place}: 20 orders, the newest first, in {:?}", begun.elapsed());
        for filter in [
            (|r| r.supplier_id = "supplier-7".to_owned()) as fn(&mut ListPurchaseOrdersRequest),
            |r| r.number_prefix = "XO-0000077".to_owned(),
            |r| r.supplier_reference = "none".to_owned(),
            |r| r.external_id = "none".to_owned(),
            |r| r.product_id = "rare-7".to_owned(),
            |r| r.states = vec![OnOrder.into(), Receiving.into()],
            |r| r.overdue = true,
        ] {
            orders().with(filter).ok().await;
            by_date().with(filter).ok().await;
        }
        let statements = std::mem::take(&mut *heard.lock().unwrap());
        for statement in statements {
            let (text, binds) = split_binds(&statement);
            match on {
                Sqlite => {
                    let plan = explain(&mut session, text);
                    assert!(!plan.iter().any(|step| step.contains("SCAN purchase_order")), "{text}: {plan:#?}");
                }
                // 5,000 rows in a round, each once for the scan, for what is asked of its order, and for its text.
                Postgres => {
                    reads_at_most(40_000, &mut session, text, binds).unwrap_or_else(|why| panic!("{why}\n {text}"))
                }
            }
        }
    }
    session.batch(EMPTY).unwrap();
    world.verify().await;
}
