//! SIGTERM while callers go on and peers are stuck.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use purchase_order_service::verify::verify;
use rstest::rstest;
use tokio::io::AsyncWriteExt;
use tokio::task::JoinSet;
use tonic::Request;
use tonic::transport::Endpoint;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::frames::{END_HEADERS, Flood, HEADERS, PREFACE, connect, frame, head};
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::server_process::ServerProcess;
use crate::support::{Database, reason, within_timeout};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn it_ends_in_time_and_what_was_acknowledged_is_there(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(database) = Database::migrated(on) else { return };
    let mut attacked = ServerProcess::on(&database, &["--drain-seconds", "3"]);
    let silent = connect(&attacked.address, 2).await.unwrap();
    let mut begun = connect(&attacked.address, 2).await.unwrap();
    begun.write_all(PREFACE).await.unwrap();
    // A call whose message never comes is in flight when the service stops.
    let mut stuck = Flood::begin(&attacked.address, 2).await;
    assert!(stuck.send(&frame(HEADERS, END_HEADERS, 1, &head())).await);
    let channel = Endpoint::from_shared(format!("http://{}", attacked.address)).unwrap().connect().await.unwrap();
    let mut watch = Request::new(HealthCheckRequest::default());
    watch.set_timeout(Duration::from_secs(600));
    let watched = HealthClient::new(channel).watch(watch).await.unwrap();
    let mut watched = watched.into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let acknowledged = Arc::new(Mutex::new(Vec::new()));
    let mut callers = JoinSet::new();
    for _ in 0..8 {
        let (alice, acknowledged) = (attacked.alice(), Arc::clone(&acknowledged));
        callers.spawn(async move {
            while let Ok(created) = alice.create(&[("apples", "1")]).await {
                acknowledged.lock().unwrap().push(created.purchase_order.unwrap().purchase_order_id);
            }
        });
    }
    within_timeout(async {
        while acknowledged.lock().unwrap().len() < 100 {
            tokio::task::yield_now().await;
        }
    })
    .await;

    attacked.terminate();

    let health = within_timeout(watched.message()).await.unwrap().unwrap();
    assert_eq!(health.status(), ServingStatus::NotServing, "it says so before it ends");
    let ended = within_timeout(watched.message()).await.expect_err("what is watched ends with the service");
    assert_eq!(reason(&ended), "STOPPING");
    assert!(attacked.ends_well().await);
    while let Some(ended) = callers.join_next().await {
        ended.unwrap();
    }
    drop((silent, begun, stuck));

    let ids = acknowledged.lock().unwrap().clone();
    let findings = verify(&mut database.session(), |_, _| {}).unwrap();
    assert!(findings.is_empty(), "{}", findings.len());
    let again = ServerProcess::on(&database, &[]);
    let alice = again.alice();
    for id in &ids {
        alice.seen(id).await;
    }
    eprintln!("SIGTERM under load: {} acknowledged orders are there", ids.len());
}

/// Asks a service with this delay to stop, and checks that it goes on serving although it says
/// NOT_SERVING.
async fn asked_to_stop(delay_seconds: &str) -> ServerProcess {
    let attacked = ServerProcess::alone(&["--shutdown-delay-seconds", delay_seconds]);
    let before = attacked.alice();
    before.get_store().ok().await;

    attacked.terminate();

    within_timeout(async { while attacked.health().await.unwrap() == ServingStatus::Serving {} }).await;
    // Connections that were open and new ones, reads and writes.
    for caller in [before, attacked.alice()] {
        caller.get_store().ok().await;
        caller.create(&[("apples", "1")]).ok().await;
    }
    attacked
}

#[tokio::test(flavor = "multi_thread")]
async fn health_says_not_serving_while_calls_are_still_served_until_it_is_asked_again() {
    let mut attacked = asked_to_stop("600").await;
    assert_eq!(attacked.health().await.unwrap(), ServingStatus::NotServing);

    attacked.terminate();

    assert!(attacked.ends_well().await);
    assert!(connect(&attacked.address, 2).await.is_err(), "the listener is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_delay_ends_by_itself() {
    let begun = Instant::now();
    let mut attacked = asked_to_stop("2").await;

    assert!(attacked.ends_well().await);

    assert!(begun.elapsed() >= Duration::from_secs(2), "{:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_while_calls_are_waited_for_ends_the_waiting() {
    let mut attacked = ServerProcess::alone(&["--drain-seconds", "600", "--max-deadline-seconds", "600"]);
    let mut stuck = Flood::begin(&attacked.address, 2).await;
    assert!(stuck.send(&frame(HEADERS, END_HEADERS, 1, &head())).await);
    attacked.alice().get_store().ok().await;

    attacked.terminate();
    within_timeout(async { while connect(&attacked.address, 2).await.is_ok() {} }).await;
    attacked.terminate();

    assert!(attacked.ends_well().await);
}
