//! One store's work does not stop another's: queues are per store and served in turn, and a command
//! costs what it touches. What is asserted is who was answered before whom; times are printed.

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, Database, Recorder, STORE, Setup, Statement, World, reason, writer_of};
use purchase_order_service::proto::v1::PendingDisposition::BackOrder;
use rstest::rstest;
use tonic::Code::{Aborted, FailedPrecondition, NotFound, PermissionDenied};

/// How many calls one store is flooded with: more than a tenth of what a writer's queue holds.
const FLOOD: usize = 1_500;
/// How many calls one connection may have in flight.
const STREAMS: usize = 128;

/// A store of the same writer as the world's own.
async fn neighbour(world: &World) -> Caller {
    let name = (0..).map(|n| format!("store-{n}")).find(|name| writer_of(name) == writer_of(STORE)).unwrap();
    Caller::of(world.channel(), "operator", &name).create_store("dora").ok().await;
    Caller::of(world.channel(), "dora", &name)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_flooded_store_delays_its_neighbour_by_a_turn_and_not_by_the_flood(#[values(Sqlite, Postgres)] on: Engine) {
    let recorder = Recorder::default();
    let Some(database) = Database::migrated(on) else { return };
    let world = World::set_up(database, Setup { observer: Some(recorder.observer()), ..Setup::default() }).await;
    let neighbour = neighbour(&world).await;

    // The writer waits for the lock with the first command until everything else is queued behind it.
    let held = world.database.hold_all_stores();
    const TAKEN: &str = "purchase_order_service_writer_queue_wait_seconds_count";
    let taken = world.scrape().await.count(TAKEN);
    let decoy = world.alice().create(&[("apples", "1")]).start();
    world.shows(TAKEN, taken + 1.0).await;
    let waiting = |count: usize| world.shows("purchase_order_service_writer_queue_length", count as f64);
    let mut flood = Vec::new();
    for _ in 0..FLOOD.div_ceil(STREAMS) {
        let stranger = Caller::of(world.connect(), "stranger", STORE);
        flood.extend((0..STREAMS).map(|_| stranger.create(&[("apples", "1")]).start()));
    }
    waiting(flood.len()).await;
    let honest = neighbour.create(&[("pears", "1")]).start();
    waiting(flood.len() + 1).await;
    let queued = recorder.statements().len();
    held.release();

    honest.await.unwrap().unwrap();
    for call in flood {
        assert_eq!(reason(&call.await.unwrap().unwrap_err()), "NO_STORE_ACCESS");
    }
    decoy.await.unwrap().unwrap();
    // What the writer did, not when its answers were seen: that depends on how busy the machine is.
    let statements = &recorder.statements()[queued..];
    let saved = statements.iter().position(|statement| statement.binds.contains("pears")).unwrap();
    let begun = |statements: &[Statement]| statements.iter().filter(|it| it.text.starts_with("BEGIN")).count();
    let (before_it, all) = (begun(&statements[..saved]), begun(statements));
    println!("{on:?}: the neighbour was served by transaction {before_it} of {all}");
    assert!(all >= 12, "the flood takes a dozen transactions or more: {all}");
    // That of the command that held the lock up, and one turn of the flooded store.
    assert!(before_it <= 3, "it was served by transaction {before_it} of {all}");
    world.verify().await;
}

/// What a refused command may load: its store's row, and one row for the gate.
fn assert_headers_alone(recorder: &Recorder, what: &str) {
    let transaction = recorder.last_transaction();
    let texts: Vec<&String> = transaction.loads.iter().map(|Statement { text, .. }| text).collect();
    assert_eq!(texts.len(), 2, "{what}: {texts:#?}");
    assert!(texts[1].contains("LEFT JOIN purchase_order ON"), "{what}: {texts:#?}");
    assert_eq!(transaction.saves, [], "{what}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_is_refused_by_headers_loads_no_lines(#[values(Sqlite, Postgres)] on: Engine) {
    let recorder = Recorder::default();
    let Some(database) = Database::migrated(on) else { return };
    let world = World::set_up(database, Setup { observer: Some(recorder.observer()), ..Setup::default() }).await;
    let (alice, stranger) = (world.alice(), world.caller("stranger"));
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "4")]).await;
    let draft = alice.draft(&[("apples", "10")]).await;

    stranger.complete(&order).rest(BackOrder).refused(PermissionDenied, "NO_STORE_ACCESS").await;
    assert_headers_alone(&recorder, "without a role");
    world.bob().complete(&order).rest(BackOrder).refused(PermissionDenied, "PERMISSION_MISSING").await;
    assert_headers_alone(&recorder, "without the permission");
    let elsewhere = order_like(&order, "00000000-0000-7000-8000-000000000000");
    alice.complete(&elsewhere).rest(BackOrder).refused(NotFound, "PURCHASE_ORDER_NOT_FOUND").await;
    assert_headers_alone(&recorder, "no such order");
    alice.complete(&order).with(|r| r.etag = "1".to_owned()).rest(BackOrder).refused(Aborted, "ETAG_MISMATCH").await;
    assert_headers_alone(&recorder, "a wrong etag");
    alice.complete(&draft).rest(BackOrder).refused(FailedPrecondition, "WRONG_STATE").await;
    assert_headers_alone(&recorder, "a wrong state");
    alice.void(&order, 2).refused(NotFound, "RECEIPT_NOT_FOUND").await;
    assert_headers_alone(&recorder, "no such receipt");
    world.verify().await;
}

fn order_like(
    order: &purchase_order_service::proto::v1::PurchaseOrder,
    id: &str,
) -> purchase_order_service::proto::v1::PurchaseOrder {
    purchase_order_service::proto::v1::PurchaseOrder { purchase_order_id: id.to_owned(), ..order.clone() }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_void_loads_its_receipt_and_no_other(#[values(Sqlite, Postgres)] on: Engine) {
    let recorder = Recorder::default();
    let Some(database) = Database::migrated(on) else { return };
    let world = World::set_up(database, Setup { observer: Some(recorder.observer()), ..Setup::default() }).await;
    let alice = world.alice();
    let order = alice.received(&[("apples", "10"), ("pears", "5")], &[(1, "1"), (2, "1")]).await;
    for _ in 0..3 {
        alice.receive(&order).accept(1, "1").ok().await;
    }

    alice.void(&order, 1).ok().await;

    for statement in recorder.last_transaction().loads.iter().filter(|it| it.text.contains("JOIN receipt_item ")) {
        let is_of_receipt = statement.text.contains("receipt_item.receipt_number = k.k2");
        let is_summary = statement.text.contains("GROUP BY");
        assert!(is_of_receipt || is_summary, "{statement:?}");
    }
    world.verify().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn receipts_count_towards_the_size_of_a_transaction(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let alice = world.alice();
    let names: Vec<String> = (1..=200).map(|n| format!("product-{n}")).collect();
    let lines: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "100")).collect();
    let mut orders = Vec::new();
    for receipts in [1, 1, 8, 8] {
        let order = alice.order(&lines).await;
        for _ in 0..receipts {
            (1..=200).fold(alice.receive(&order), |call, line| call.accept(line, "1")).ok().await;
        }
        orders.push(order);
    }
    let mut shared = Vec::new();
    for pair in orders.chunks(2) {
        let before = world.stats();
        let completions = pair.iter().map(|order| alice.complete(order).rest(BackOrder)).collect();
        assert!(world.queued_up(completions).await.iter().all(Result::is_ok));
        let after = world.stats();
        shared.push((after.commands - before.commands) - (after.batches - before.batches));
    }

    // 200 lines and 200 items each fit into one transaction, 200 lines and 1,600 items do not.
    assert_eq!(shared, [1, 0], "completions that shared a transaction with another");
    world.verify().await;
}
