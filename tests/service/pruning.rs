//! Stored responses are kept for their retention and no longer; deleting them looks at the stores that
//! exist, a bounded number of stores and rows at a time.

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, Proxy, Recorder, Setup, World};
use diesel::sql_types::{BigInt, Text};
use purchase_order_service::repository::session::Session;
use rstest::rstest;
use uuid::Uuid;

#[derive(diesel::QueryableByName, Debug, PartialEq, Eq)]
struct Kept {
    #[diesel(sql_type = Text)]
    store_id: String,
    #[diesel(sql_type = BigInt)]
    records: i64,
}

/// How many stored responses each store has.
fn kept(session: &mut Session) -> Vec<(String, i64)> {
    let counts = "SELECT store_id, count(*) AS records FROM stored_response GROUP BY store_id ORDER BY store_id";
    let rows: Vec<Kept> = session.load(diesel::sql_query(counts)).unwrap();
    rows.into_iter().map(|Kept { store_id, records }| (store_id, records)).collect()
}

fn of(counts: &[(&str, i64)]) -> Vec<(String, i64)> {
    counts.iter().map(|(store, records)| ((*store).to_owned(), *records)).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn stored_responses_are_deleted_after_their_retention(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let mut session = world.database.session();
    for store in ["south", "west"] {
        world.operator().at(store).create_store("alice").ok().await;
    }
    for day in 2..=8 {
        world.clock.set(&format!("2026-03-{day:02}T09:00:00Z"));
        assert_eq!(world.prune().await.unwrap(), 0);
        if ![2, 8].contains(&day) {
            continue;
        }
        for store in ["north", "south", "west"] {
            alice.at(store).create(&[("apples", "1")]).id(Uuid::now_v7()).ok().await;
        }
    }
    world.clock.set("2026-03-09T09:00:00Z");
    assert_eq!(world.prune().await.unwrap(), 0, "seven days are not over");

    world.clock.set("2026-03-10T00:00:00Z");
    assert_eq!(world.prune().await.unwrap(), 3, "the service has run on seven days since");
    assert_eq!(kept(&mut session), of(&[("north", 1), ("south", 1), ("west", 1)]));

    for day in 11..16 {
        world.clock.set(&format!("2026-03-{day:02}T09:00:00Z"));
        assert_eq!(world.prune().await.unwrap(), 0);
    }
    world.clock.set("2026-03-16T09:00:00Z");
    assert_eq!((world.prune().await.unwrap(), kept(&mut session)), (3, vec![]));
    world.verify().await;
}

/// Request ids are still known after the service ran with its clock days ahead and the clock was corrected.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_ahead_forgets_nothing_early(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(mut world) = World::on(on).await else { return };
    let id = Uuid::now_v7();
    let first = world.alice().create(&[("apples", "1")]).id(id).ok().await;
    world.prune().await.unwrap();

    for ahead in ["2026-03-10T09:00:00Z", "2027-01-01T09:00:00Z"] {
        world.clock.set(ahead);
        world.restart().await;
        world.alice().create(&[("pears", "1")]).id(Uuid::now_v7()).ok().await;
        assert_eq!(world.prune().await.unwrap(), 0);
    }
    world.clock.set("2026-03-02T10:00:00Z");
    world.restart().await;
    world.prune().await.unwrap();

    let again = world.alice().create(&[("apples", "1")]).id(id).ok().await;
    assert_eq!(again.event_number, first.event_number);
    world.verify().await;
}

/// 150 stores beside the test's own, and 10 old answers in each; 1,300 more in the last of them.
const MANY: &str = "
    INSERT INTO clock_day VALUES (10), (11), (12), (13), (14), (15), (16), (17);
    INSERT INTO store
    WITH RECURSIVE n(i) AS (SELECT 100 UNION ALL SELECT i + 1 FROM n WHERE i < 249)
    SELECT 'x-' || i, 'x', 'EUR', 'UTC', 0, TRUE, 0, FALSE, FALSE, 0, 0, 1, 0 FROM n;
    INSERT INTO stored_response
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1310)
    SELECT s.store_id, 'alice', '00000000-0000-7000-8000-' || substr(CAST(1000000000000 + i AS TEXT), 2),
        '0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef', i, '{}'
    FROM store s CROSS JOIN n WHERE s.store_id LIKE 'x-%' AND (i <= 10 OR s.store_id = 'x-249')";

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_round_goes_through_all_stores_in_bounded_steps(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let recorder = Recorder::of("pruner");
    let world = World::set_up(database, Setup { observer: Some(recorder.observer()), ..Setup::default() }).await;
    let mut session = world.database.session();
    world.alice().create(&[("apples", "1")]).id(Uuid::now_v7()).ok().await;
    session.batch(MANY).unwrap();
    recorder.take();

    assert_eq!(world.prune().await.unwrap(), 2_800);

    assert_eq!(kept(&mut session), of(&[("north", 1)]), "the young one stays");
    let statements = recorder.take();
    let deletes = statements.iter().filter(|statement| statement.text.starts_with("DELETE")).count();
    // 151 stores are three pages, with 630 and 640 records, and 1,530 in the last, in steps of 500.
    assert_eq!(deletes, 8, "{statements:#?}");
    world.prune().await.unwrap();
    let writes = recorder.take().into_iter().filter(|statement| statement.text.starts_with("BEGIN"));
    assert_eq!(writes.count(), 0, "where there is nothing to delete, nothing is locked");
    session.batch("DELETE FROM store WHERE store_id LIKE 'x-%'").unwrap();
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_a_call_names_is_never_looked_at_unless_it_exists(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let recorder = Recorder::of("pruner");
    let world = World::set_up(database, Setup { observer: Some(recorder.observer()), ..Setup::default() }).await;
    let made_up = (0..500).map(|n| world.caller("mallory").at(&format!("made-up-{n}")).create(&[("apples", "1")]));
    let refused = crate::support::together(made_up.map(|call| call.id(Uuid::now_v7()))).await;
    assert!(refused.iter().all(Result::is_err));

    let days = "INSERT INTO clock_day VALUES (10), (11), (12), (13), (14), (15), (16), (17)";
    world.database.session().batch(days).unwrap();
    world.prune().await.unwrap();

    let statements = recorder.take();
    assert!(statements.iter().any(|statement| statement.binds.contains("north")), "{statements:#?}");
    assert!(statements.iter().all(|statement| !statement.binds.contains("made-up")), "{statements:#?}");
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_away_is_pruned_when_it_is_back() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let proxy = Proxy::to(&database);
    let setup = Setup { by_way_of: Some(proxy.url.clone()), ..Setup::default() };
    let world = World::set_up(database, setup).await;
    world.alice().create(&[("apples", "1")]).id(Uuid::now_v7()).ok().await;
    assert_eq!(world.prune().await.unwrap(), 0);
    for day in 3..10 {
        world.clock.set(&format!("2026-03-{day:02}T09:00:00Z"));
        assert_eq!(world.prune().await.unwrap(), 0);
    }
    world.clock.set("2026-03-12T09:00:00Z");

    proxy.take_away();
    world.prune().await.unwrap_err();
    proxy.bring_back();

    assert_eq!(world.prune().await.unwrap(), 1);
    world.verify().await;
}
