//! Stored responses and events are kept for their retention and no longer; deleting them looks at the stores that
//! exist, a bounded number of stores and rows at a time.

use std::time::Duration;

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Database, Proxy, Recorder, Setup, World};
use diesel::sql_types::{BigInt, Text};
use purchase_order_service::proto::v1::PurchaseOrderState::Cancelled;
use purchase_order_service::repository::session::Session;
use rstest::rstest;
use tonic::Code::OutOfRange;
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

/// Events that are older than their retention go, all but the last of each store; who still needs them is told, and
/// orders whose events are gone go on as before.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn events_are_deleted_after_their_retention(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let retention = Some(Duration::from_secs(30 * 24 * 60 * 60));
    let world = World::set_up(database, Setup { event_retention: retention, ..Setup::default() }).await;
    let alice = world.alice();
    world.operator().at("south").create_store("alice").ok().await;
    alice.at("south").grant("bob", "receiver").ok().await;
    let quiet = alice.at("south").last_event().await;
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    let before = alice.last_event().await;
    for day in 2..=31 {
        world.clock.set(&format!("2026-03-{day:02}T09:00:00Z"));
        assert_eq!(world.prune().await.unwrap(), 0, "on day {day}");
    }
    alice.receive(&order).accept(2, "1").ok().await;
    world.clock.set("2026-04-01T08:00:00Z");
    assert_eq!(world.prune().await.unwrap(), 0, "the thirty days are not over");

    world.clock.set("2026-04-02T00:00:00Z");
    let deleted = world.prune().await.unwrap();
    assert_eq!(deleted as i64, before + quiet - 1, "all of the busy store's, and all but the last of the quiet one's");
    assert_eq!(world.prune().await.unwrap(), 0);
    for (store, first) in [("north", before + 1), ("south", quiet)] {
        let refused = alice.at(store).events(first - 2).refused(OutOfRange, "POSITION_PRUNED").await;
        assert_eq!(refused.metadata("first_event_number"), first.to_string());
        assert_eq!(refused.metadata("store_id"), store);
        alice.at(store).watch(0).refused(OutOfRange, "POSITION_PRUNED").await;
        let kept = alice.at(store).events(first - 1).ok().await;
        assert_eq!(kept.events.iter().map(|event| event.event_number).collect::<Vec<_>>(), [first]);
    }
    let history = alice.history(&order).ok().await.events;
    assert_eq!(history.iter().map(|event| event.event_number).collect::<Vec<_>>(), [before + 1]);
    world.verify().await;

    let child = alice.back_order(&order).await;
    alice.reopen(&order).ok().await;
    alice.void(&order, 1).ok().await;
    assert_eq!(alice.seen(&child.purchase_order_id).await.state, i32::from(Cancelled));
    alice.at("south").order(&[("apples", "1")]).await;
    world.verify().await;
}

/// Events are deleted a bounded number at a time.
#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn many_old_events_are_deleted_in_bounded_steps(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let recorder = Recorder::of("pruner");
    let (observer, retention) = (Some(recorder.observer()), Some(Duration::from_secs(24 * 60 * 60)));
    let world = World::set_up(database, Setup { observer, event_retention: retention, ..Setup::default() }).await;
    let alice = world.alice();
    for number in 0..510 {
        alice.update_store(&["display_name"]).with(|r| r.display_name = format!("Name {number}")).ok().await;
    }
    let last = alice.last_event().await;
    world.prune().await.unwrap();
    world.clock.set("2026-03-03T00:00:00Z");
    world.prune().await.unwrap();
    world.clock.set("2026-03-04T00:00:00Z");
    recorder.take();

    assert_eq!(world.prune().await.unwrap() as i64, last - 1);

    let deletes = recorder.take().iter().filter(|statement| statement.text.starts_with("DELETE")).count();
    assert_eq!(deletes, 2, "steps of 500");
    world.prune().await.unwrap();
    let writes = recorder.take().into_iter().filter(|statement| statement.text.starts_with("BEGIN"));
    assert_eq!(writes.count(), 0, "where there is nothing to delete, nothing is locked");
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
    SELECT 'x-' || i, 'x', 'EUR', 'UTC', 0, TRUE, 0, FALSE, FALSE, 0, 0, 1, 0, 1 FROM n;
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
