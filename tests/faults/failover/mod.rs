//! A failover: the primary is gone, and the address leads to its standby, which takes no writes before it
//! is promoted.

mod pair;

use std::time::Instant;

use self::pair::Pair;
use crate::support::{Database, Proxy, Setup, World, together, within_timeout};
use purchase_order_service::repository::dialect::Purpose;
use purchase_order_service::repository::session::Session;
use tonic::Code::Unavailable;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

async fn health_becomes(world: &World, expected: ServingStatus) {
    let mut client = HealthClient::new(world.connect());
    let mut watched = client.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let until = async { while watched.message().await.unwrap().unwrap().status() != expected {} };
    within_timeout(until).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn writes_go_on_where_the_new_primary_is_and_nothing_is_lost() {
    let Some(mut pair) = Pair::start() else { return };
    let url = |dir: &std::path::Path, name: &str| format!("postgres:///{name}?host={}&user=tester", dir.display());
    let postgres = url(&pair.primary(), "postgres").parse().unwrap();
    Session::connect(&postgres, Purpose::Operate, None).unwrap().batch("CREATE DATABASE orders").unwrap();
    let database = Database::somewhere(&url(&pair.primary(), "orders"));
    let proxy = Proxy::to(&database);
    // Each commit waits for the standby.
    let mut session = database.session();
    session.batch("ALTER DATABASE orders SET synchronous_commit = on").unwrap();
    let setup = Setup { by_way_of: Some(proxy.url.clone()), ..Setup::default() };
    let mut world = World::set_up(database, setup).await;
    let alice = world.alice();
    let before: Vec<_> = (0..20).map(|_| alice.create(&[("apples", "1")]).id(Uuid::now_v7())).collect();
    let acknowledged = together(before.clone()).await;

    pair.kill_primary();
    proxy.lead_to(&pair.standby());
    health_becomes(&world, ServingStatus::NotServing).await;
    for _ in 0..5 {
        alice.create(&[("apples", "1")]).refused(Unavailable, "DATABASE_UNAVAILABLE").await;
        alice.list().refused(Unavailable, "DATABASE_UNAVAILABLE").await;
    }

    pair.promote_standby();
    let promoted = Instant::now();
    within_timeout(async { while alice.create(&[("pears", "1")]).await.is_err() {} }).await;
    println!("writes were back {:?} after the standby was promoted", promoted.elapsed());
    health_becomes(&world, ServingStatus::Serving).await;

    for (call, answer) in before.into_iter().zip(acknowledged) {
        assert_eq!(call.ok().await, answer.unwrap());
    }
    world.database = Database::somewhere(&url(&pair.standby(), "orders"));
    world.verify().await;
}
