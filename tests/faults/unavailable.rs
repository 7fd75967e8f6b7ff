//! What callers and health are told while the database does not answer or takes no writes, and how the
//! service goes on by itself. PostgreSQL alone where it says so: SQLite has no connection that could fail.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Call, Cut, Database, Proxy, Setup, World, reason, together, within_timeout};
use purchase_order_service::proto::v1::CreatePurchaseOrderRequest;
use purchase_order_service::repository::dialect::{Layout, Purpose};
use purchase_order_service::repository::session::{Observed, Session};
use rstest::rstest;
use tonic::Code::{Internal, Unavailable, Unknown};
use tonic::Streaming;
use tonic::transport::Channel;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use uuid::Uuid;

/// How long the service waits for an answer in these tests.
const TIMEOUT: Duration = Duration::from_secs(1);

fn create(world: &World, product: &str) -> Call<CreatePurchaseOrderRequest> {
    world.alice().create(&[(product, "1")])
}

async fn count_orders(world: &World) -> usize {
    world.alice().list().ok().await.purchase_orders.len()
}

/// A world whose service reaches its database by a way that can fall silent.
async fn by_a_proxy() -> Option<(World, Proxy)> {
    let database = Database::migrated(Postgres)?;
    let proxy = Proxy::to(&database);
    let setup = Setup { by_way_of: Some(proxy.url.clone()), database_timeout: Some(TIMEOUT), ..Setup::default() };
    Some((World::set_up(database, setup).await, proxy))
}

/// What health says, change by change.
struct Health(HealthClient<Channel>, Streaming<HealthCheckResponse>);

impl Health {
    async fn of(world: &World) -> Self {
        let mut client = HealthClient::new(world.channel());
        let watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        let mut health = Self(client, watched);
        health.becomes(ServingStatus::Serving).await;
        health
    }

    async fn becomes(&mut self, status: ServingStatus) {
        assert_eq!(within_timeout(self.1.message()).await.unwrap().unwrap().status(), status);
    }

    async fn is(&mut self) -> ServingStatus {
        self.0.check(HealthCheckRequest::default()).await.unwrap().into_inner().status()
    }
}

#[rstest]
#[case::in_the_transaction(Cut::InTransaction)]
#[case::before_commit(Cut::BeforeCommit)]
#[case::after_commit(Cut::AfterCommit)]
#[tokio::test(flavor = "multi_thread")]
async fn a_write_whose_connection_falls_silent_is_done_once_on_another(#[case] stage: Cut) {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    let call = create(&world, "apples").id(Uuid::now_v7());
    proxy.fall_silent(stage);
    let begun = Instant::now();

    let created = within_timeout(call.clone().into_future()).await.unwrap();

    println!("{stage:?}: answered after {:?}", begun.elapsed());
    assert!(proxy.has_cut());
    assert_eq!(call.ok().await, created);
    assert_eq!(count_orders(&world).await, 1);
    world.verify().await;
}

#[rstest]
#[case::in_the_transaction(Cut::InTransaction, None, 1)]
#[case::before_commit(Cut::BeforeCommit, Some("OUTCOME_UNKNOWN"), 0)]
#[case::after_commit(Cut::AfterCommit, Some("OUTCOME_UNKNOWN"), 1)]
#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_an_id_is_unknown_only_once_its_commit_was_sent(
    #[case] stage: Cut,
    #[case] expected: Option<&str>,
    #[case] done: usize,
) {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    proxy.fall_silent(stage);

    let answer = within_timeout(create(&world, "apples").into_future()).await;

    assert!(proxy.has_cut());
    match answer {
        Ok(_) => assert_eq!(expected, None),
        Err(status) => assert_eq!((status.code(), Some(&*reason(&status))), (Unknown, expected)),
    }
    assert_eq!(count_orders(&world).await, done);
    // The process that held the store's lock is gone, and its writer works.
    create(&world, "pears").ok().await;
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_whose_connections_fall_silent_are_replaced() {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    // More often than there are readers.
    for round in 0..5 {
        proxy.fall_silent(Cut::InRead);
        let refused = world.alice().list().refused(Unavailable, "DATABASE_UNAVAILABLE").await;
        assert!(refused.may_be_retried());
        assert!(proxy.has_cut(), "in round {round}");
        world.alice().list().ok().await;
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_falls_silent_while_it_is_made_holds_up_no_other() {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    // More often than the pool has threads to connect with.
    for _ in 0..5 {
        proxy.fall_silent(Cut::InSetUp);
        proxy.take_away();
        proxy.bring_back();
        let until_done = async { while create(&world, "apples").await.is_err() {} };
        within_timeout(until_done).await;
        assert!(proxy.has_cut());
    }
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_silent_everywhere_is_unavailable_until_it_speaks() {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    let mut health = Health::of(&world).await;
    let order = create(&world, "apples").ok().await.purchase_order.unwrap();

    proxy.fall_silent_everywhere();
    let waiting = together((0..16).map(|_| create(&world, "apples"))).await;
    health.becomes(ServingStatus::NotServing).await;
    let refused = world.alice().get(&order.purchase_order_id).refused(Unavailable, "DATABASE_UNAVAILABLE").await;
    assert!(refused.may_be_retried());
    proxy.speak_again();
    health.becomes(ServingStatus::Serving).await;

    let done = waiting.iter().filter(|answer| answer.is_ok()).count();
    let refused = waiting.iter().filter_map(|answer| answer.as_ref().err()).map(reason);
    for reason in refused {
        assert!(["DATABASE_UNAVAILABLE", "OUTCOME_UNKNOWN"].contains(&&*reason), "{reason}");
    }
    assert!(count_orders(&world).await > done, "the first one, and each that was answered");
    create(&world, "apples").ok().await;
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_it_is_known_to_be_unavailable_no_call_waits() {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    let mut health = Health::of(&world).await;
    proxy.take_away();
    create(&world, "apples").refused(Unavailable, "DATABASE_UNAVAILABLE").await;
    health.becomes(ServingStatus::NotServing).await;

    let short = Duration::from_secs(2);
    let writes = (0..64).map(|_| create(&world, "apples").within(short));
    let reads = (0..64).map(|_| world.alice().list().within(short));
    let (writes, reads) = tokio::join!(together(writes), together(reads));

    let reasons = writes.into_iter().map(Result::unwrap_err).chain(reads.into_iter().map(Result::unwrap_err));
    assert!(reasons.map(|status| reason(&status).to_string()).all(|reason| reason == "DATABASE_UNAVAILABLE"));
    proxy.bring_back();
    health.becomes(ServingStatus::Serving).await;
    create(&world, "apples").ok().await;
    world.verify().await;
}

/// The server process ends without telling the service.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_process_that_is_ended_in_a_transaction_is_replaced_unseen() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let world = World::set_up(database, Setup::default()).await;
    let held = world.database.hold(crate::support::STORE);
    let waits = create(&world, "apples").start();
    world.catch_up().await;
    world
        .database
        .session()
        .batch("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND application_name = 'purchase-order-service' AND state <> 'active' AND query NOT LIKE '%FOR UPDATE%'")
        .unwrap();
    held.release();

    waits.await.unwrap().unwrap();
    assert_eq!(count_orders(&world).await, 1);
    world.verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_takes_no_writes_is_not_served_from() {
    let Some((world, proxy)) = by_a_proxy().await else { return };
    let mut health = Health::of(&world).await;
    let name = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = ";

    world.database.session().batch(&format!("{name}on', current_database()); END $$")).unwrap();
    // Who is connected already does not notice.
    proxy.take_away();
    proxy.bring_back();
    health.becomes(ServingStatus::NotServing).await;
    create(&world, "apples").refused(Unavailable, "DATABASE_UNAVAILABLE").await;

    let mut session = world.database.session_that_writes();
    session.batch(&format!("{name}off', current_database()); END $$")).unwrap();
    health.becomes(ServingStatus::Serving).await;
    create(&world, "apples").ok().await;
    world.verify().await;
}

/// What a role sets by default would cut a commit, or have it acknowledged before it is on disk.
#[tokio::test(flavor = "multi_thread")]
async fn settings_of_the_server_that_would_lose_or_cut_commits_are_overridden() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let mut session = database.session();
    for (name, value) in [("synchronous_commit", "off"), ("statement_timeout", "100ms"), ("lock_timeout", "100ms")] {
        let set = format!("EXECUTE format('ALTER DATABASE %I SET {name} = ''{value}'' ', current_database())");
        session.batch(&format!("DO $$ BEGIN {set}; END $$")).unwrap();
    }

    let mut writer = Session::connect(&database.url, Purpose::Write(Layout::Single), None).unwrap();

    for (name, expected) in [("synchronous_commit", "on"), ("statement_timeout", "0"), ("lock_timeout", "0")] {
        let query = format!("SELECT current_setting('{name}') AS value");
        let found: Vec<Value> = writer.load(diesel::sql_query(query)).unwrap();
        assert_eq!(found[0].value, expected, "{name}");
    }
}

#[derive(diesel::QueryableByName)]
struct Value {
    #[diesel(sql_type = diesel::sql_types::Text)]
    value: String,
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_reads_of_others_do_not_make_the_instance_look_unhealthy() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let world = World::set_up(database, Setup::default()).await;
    let mut health = Health::of(&world).await;
    let mut locker = world.database.session();
    locker.batch("BEGIN; LOCK TABLE purchase_order IN ACCESS EXCLUSIVE MODE").unwrap();
    let slow: Vec<_> = (0..8).map(|_| world.alice().list().start()).collect();

    // Longer than health waits for an answer, and shorter than the service waits for one.
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(3) {
        assert_eq!(health.is().await, ServingStatus::Serving);
    }
    assert!(slow.iter().all(|read| !read.is_finished()), "they were slow");
    locker.batch("ROLLBACK").unwrap();

    for read in slow {
        read.await.unwrap().unwrap();
    }
    world.verify().await;
}

#[rstest]
#[case::while_loading("SELECT", "guilty")]
#[case::while_saving("INSERT", "guilty")]
#[tokio::test(flavor = "multi_thread")]
async fn a_panic_at_the_database_costs_the_guilty_command_alone(
    #[case] verb: &'static str,
    #[case] word: &'static str,
    #[values(Sqlite, Postgres)] on: Engine,
) {
    let Some(database) = Database::migrated(on) else { return };
    let armed = Arc::new(AtomicBool::new(false));
    let is_armed = Arc::clone(&armed);
    let observer = Arc::new(move |observed: Observed<'_>| {
        if let Observed::Statement(text) = observed
            && is_armed.load(Ordering::SeqCst)
            && text.contains(word)
            && text.contains(verb)
            && std::thread::current().name().is_some_and(|name| name.starts_with("writer"))
        {
            panic!("a fault, on purpose");
        }
    });
    let world = World::set_up(database, Setup { observer: Some(observer), ..Setup::default() }).await;
    let guilty = world.alice().draft(&[("guilty", "1")]).await;
    armed.store(true, Ordering::SeqCst);
    let mut calls: Vec<_> = (0..5).map(|n| create(&world, &format!("product-{n}"))).collect();
    calls.insert(2, create(&world, "guilty"));

    let answers = world.queued_up(calls).await;

    let refused: Vec<usize> = (0..6).filter(|index| answers[*index].is_err()).collect();
    assert_eq!(refused, [2], "{answers:?}");
    let status = answers[2].as_ref().unwrap_err();
    assert_eq!((status.code(), &*reason(status)), (Internal, "INTERNAL"));
    armed.store(false, Ordering::SeqCst);
    world.alice().place(&guilty).ok().await;
    assert_eq!(count_orders(&world).await, 6);
    world.verify().await;
}

/// The present, as a test's clock takes it, so many seconds from now.
fn seconds_from_now(seconds: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
    prost_types::Timestamp { seconds: now + seconds, nanos: 0 }.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_whose_clock_is_off_its_servers_changes_nothing() {
    let Some(database) = Database::migrated(Postgres) else { return };
    let mut world = World::set_up(database, Setup::default()).await;
    world.clock.set(&seconds_from_now(0));
    world.watch_clock().await;
    let mut health = Health::of(&world).await;
    create(&world, "apples").ok().await;

    for wrong in [-90, 90, 10 * 365 * 24 * 60 * 60] {
        world.clock.set(&seconds_from_now(wrong));
        health.becomes(ServingStatus::NotServing).await;
        let refused = create(&world, "apples").refused(Unavailable, "CLOCK_SKEWED").await;
        assert!(refused.may_be_retried());
        assert_eq!(count_orders(&world).await, 1, "reads go on");
        world.clock.set(&seconds_from_now(0));
        health.becomes(ServingStatus::Serving).await;
    }
    world.clock.set(&seconds_from_now(30));
    create(&world, "apples").ok().await;
    world.verify().await;
}

/// SQLite alone: a server has a clock of its own to compare with.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_jumps_while_the_service_runs_stops_writes_until_it_is_confirmed_by_a_restart() {
    let Some(database) = Database::migrated(Sqlite) else { return };
    let mut world = World::set_up(database, Setup::default()).await;
    world.watch_clock().await;
    let mut health = Health::of(&world).await;

    world.clock.set("2026-03-04T09:00:00Z");
    health.becomes(ServingStatus::NotServing).await;
    create(&world, "apples").refused(Unavailable, "CLOCK_SKEWED").await;
    world.clock.set("2026-03-02T10:00:00Z");
    health.becomes(ServingStatus::Serving).await;
    create(&world, "apples").ok().await;

    world.clock.set("2026-03-04T09:00:00Z");
    health.becomes(ServingStatus::NotServing).await;
    world.restart().await;
    create(&world, "apples").ok().await;
    world.verify().await;
}
