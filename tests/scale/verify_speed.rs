//! How long `verify` takes, as it grows with the orders: nearly in proportion, also on a PostgreSQL
//! database whose planner knows nothing of its tables yet, as after a restore.

use std::time::{Duration, Instant};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, STORE_TABLES, World};
use diesel::QueryableByName;
use diesel::sql_types::BigInt;
use purchase_order_service::repository::dialect::Purpose;
use purchase_order_service::repository::session::Session;
use purchase_order_service::verify::verify;
use rstest::rstest;

/// Orders at first, and how many times as many there are in the end.
const FEW: i64 = 300;
const TIMES: i64 = 4;
/// What so many times the orders may take at most, as a multiple. In proportion it would be 4, and a
/// check that goes through all orders for each order makes it 16.
const MOST: u32 = 8;
/// What it may take without statistics at most, as a multiple of what it takes with them. A check that
/// the planner leads astray goes through a table for each row of another: of these few orders 14 times
/// as long in all.
const ASTRAY: u32 = 4;

/// Completed orders of ten lines, each with all that belongs to one: four events and the stored answers
/// of their calls, a receipt with its items, and the levels and the ledger of its ten products.
const FILL: &str = "
    CREATE TEMPORARY TABLE filled AS
    WITH RECURSIVE n(k) AS (SELECT 0 UNION ALL SELECT k + 1 FROM n WHERE k + 1 < {orders})
    SELECT s.store_id, s.last_order_number + k + 1 AS n, s.last_event + 4 * k AS event,
        s.last_event_time + 4 * k AS t,
        '00000000-0000-7000-8000-' || substr(CAST(1000000000001 + s.last_order_number + k AS TEXT), 2) AS po_id
    FROM n CROSS JOIN store s WHERE s.store_id = 'north';
    CREATE TEMPORARY TABLE line AS
    WITH RECURSIVE l(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM l WHERE n < 10) SELECT n FROM l;
    CREATE TEMPORARY TABLE step AS
    SELECT 1 AS n, 'ORDER_CREATED' AS event_type, 'DRAFT' AS state
    UNION ALL SELECT 2, 'ORDER_PLACED', 'ON_ORDER' UNION ALL SELECT 3, 'RECEIPT_BOOKED', 'RECEIVING'
    UNION ALL SELECT 4, 'ORDER_COMPLETED', 'COMPLETED';
    INSERT INTO purchase_order
    SELECT store_id, po_id, 'PO-' || substr(CAST(1000000 + n AS TEXT), 2), NULL, po_id, 0, 'baker', NULL, NULL, NULL,
        '[]', 'EUR', NULL, t + 1, 'alice', event + 1, 'COMPLETED', 4, t + 2, t + 2, 'alice', t + 2, t + 4, 'alice', NULL, NULL,
        NULL, 0, 1 = 0, 1 = 0, 10, 10, 0, 1, 1, 10, 100000, 100000, 0, 0, 0, 0, 0, 1000, 0, 1000
    FROM filled;
    INSERT INTO purchase_order_line
    SELECT f.store_id, f.po_id, l.n, 'p-' || f.n || '-' || l.n, '', NULL, NULL, NULL, 'EACH', NULL, 10000, NULL,
        NULL, 1 = 0, 1 = 0, NULL, 10000, NULL, NULL, 10000, 10000, 0, 0, 0, 0, 0, 0, f.t + 3, f.t + 3, NULL, NULL
    FROM filled f CROSS JOIN line l;
    INSERT INTO receipt
    SELECT store_id, po_id, 1, t + 3, t + 3, 'alice', 'baker', NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM filled;
    INSERT INTO receipt_item
    SELECT f.store_id, f.po_id, 1, l.n, 10000, 0, 0, NULL, NULL, NULL, NULL, 100 FROM filled f CROSS JOIN line l;
    INSERT INTO inventory_level
    SELECT f.store_id, 'p-' || f.n || '-' || l.n, 'EACH', 10000, 0, 0, 0, 10000, 1 FROM filled f CROSS JOIN line l;
    INSERT INTO stock_movement
    SELECT f.store_id, 'p-' || f.n || '-' || l.n, 1, 'RECEIPT', 10000, 10000, 10000, 10000, f.t + 4, f.event + 4,
        f.po_id, l.n, 1, f.t + 3, NULL, NULL, NULL
    FROM filled f CROSS JOIN line l;
    INSERT INTO event
    SELECT f.store_id, f.event + s.n, f.t + s.n, 'alice', 1 = 0, s.event_type, f.po_id, s.n, s.state,
        ',\"lines\":10,\"pending_lines\":0,\"active_receipts\":1,\"ordered\":100000,\"received\":100000,\"rejected\":0,'
            || '\"back_ordered\":0,\"cancelled\":0,\"pending\":0,\"excess\":0,'
            || '\"ordered_cost\":1000,\"pending_cost\":0,\"received_cost\":1000}', '{}'
    FROM filled f CROSS JOIN step s;
    INSERT INTO stored_response
    SELECT f.store_id, 'alice', '00000000-0000-4000-8000-' || substr(CAST(1000000000000 + f.event + s.n AS TEXT), 2),
        '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', f.t + s.n,
        '{\"event\":' || (f.event + s.n) || ',\"order\":\"' || f.po_id || '\"}'
    FROM filled f CROSS JOIN step s;
    UPDATE store SET last_order_number = last_order_number + {orders}, last_event = last_event + 4 * {orders},
        last_event_time = last_event_time + 4 * {orders} WHERE store_id = 'north';
    DROP TABLE filled;
    DROP TABLE line;
    DROP TABLE step";

#[derive(QueryableByName)]
struct Count {
    #[diesel(sql_type = BigInt)]
    count: i64,
}

/// Adds so many orders. On PostgreSQL the tables are left as a restore leaves them: indexed, and without
/// statistics of what is in them.
fn fill(database: &Database, orders: i64) {
    let mut session = database.session();
    session.batch(&FILL.replace("{orders}", &orders.to_string())).unwrap();
    if database.engine == Sqlite {
        return;
    }
    for table in STORE_TABLES {
        session.batch(&format!("REINDEX TABLE {table}")).unwrap();
    }
    let known = "SELECT count(*) AS count FROM pg_statistic s JOIN pg_class c ON c.oid = s.starelid
        WHERE c.relnamespace = 'public'::regnamespace";
    let known: Vec<Count> = session.load(diesel::sql_query(known)).unwrap();
    assert_eq!(known[0].count, 0, "the planner knows nothing");
}

/// How long a sound database takes to be verified: the shorter of two times.
fn verified(database: &Database) -> Duration {
    let mut times = [Duration::ZERO; 2];
    for time in &mut times {
        let mut session = Session::connect(&database.url, Purpose::Inspect, None).unwrap();
        let begun = Instant::now();
        let findings = verify(&mut session, |_, _| {}).unwrap();
        *time = begun.elapsed();
        assert!(findings.is_empty(), "{}", findings[0]);
    }
    times[0].min(times[1])
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_takes_in_proportion_to_the_orders_whatever_is_known_of_them(#[values(Sqlite, Postgres)] on: Engine) {
    let _alone = crate::ALONE.lock().await;
    let Some(world) = World::on(on).await else { return };
    if on == Postgres {
        // Nobody shall find out about them meanwhile.
        for table in STORE_TABLES {
            let forget = format!("ALTER TABLE {table} SET (autovacuum_enabled = false)");
            world.database.session().batch(&forget).unwrap();
        }
    }
    fill(&world.database, FEW);
    let few = verified(&world.database);
    fill(&world.database, FEW * (TIMES - 1));
    let many = verified(&world.database);

    world.database.session().batch("ANALYZE").unwrap();
    let known = verified(&world.database);

    let orders = FEW * TIMES;
    eprintln!("verify on {on:?}: {FEW} orders {few:?}, {orders} orders {many:?}, with statistics {known:?}");
    assert!(many < few * MOST, "{TIMES} times the orders took {few:?} -> {many:?}");
    assert!(many < known * ASTRAY, "without statistics {many:?}, with them {known:?}");
    world.verify().await;
}
