//! Fairness between callers of reads: a caller that asks for much waits for it, and the others do not.

use std::time::{Duration, Instant};

use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{Caller, World};
use purchase_order_service::proto::v1::{GetPurchaseOrderRequest, PurchaseOrderView};
use rstest::rstest;

/// How many large reads the greedy caller sends at once.
const LARGE: usize = 200;
/// How many small reads the honest caller sends, each after the answer to the one before.
const SMALL: usize = 20;

fn full(request: &mut GetPurchaseOrderRequest) {
    request.view = PurchaseOrderView::Full.into();
}

/// The 95th percentile of some durations.
fn p95(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() * 95 / 100]
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn small_reads_do_not_wait_for_the_large_ones_of_others(#[values(Sqlite, Postgres)] on: Engine) {
    let _alone = crate::ALONE.lock().await;
    let Some(world) = World::on(on).await else { return };
    // So large that a read takes several times what it takes to send and to take one in: what is counted are reads, and
    // not how busy the runtime is that the callers share with the service.
    let products: Vec<String> = (0..1_000).map(|n| format!("product-{n}")).collect();
    let lines: Vec<(&str, &str)> = products.iter().map(|product| (product.as_str(), "1")).collect();
    let order = world.alice().order(&lines).await;
    // Connections of their own: what is asked here is who waits for the readers, not for a socket.
    let greedy = Caller::of(world.connect(), "alice", crate::support::STORE);
    let honest = Caller::of(world.connect(), "carol", crate::support::STORE);
    honest.get(&order.purchase_order_id).ok().await;

    let begun = Instant::now();
    let large: Vec<_> = (0..LARGE).map(|_| greedy.get(&order.purchase_order_id).with(full).start()).collect();
    // One of them was answered: the others wait for the readers.
    while !large.iter().any(|call| call.is_finished()) {
        tokio::task::yield_now().await;
    }
    let mut times = Vec::new();
    for _ in 0..SMALL {
        let asked = Instant::now();
        honest.get(&order.purchase_order_id).ok().await;
        times.push(asked.elapsed());
    }
    let answered = large.iter().filter(|call| call.is_finished()).count();
    let elapsed = begun.elapsed();
    println!("{on:?}: {answered} of {LARGE} large reads were answered before {SMALL} small ones, in {elapsed:?}");
    println!("{on:?}: p95 of the small ones {:?}", p95(times));
    assert!(answered < LARGE / 2, "the small reads waited for {answered} of {LARGE} large ones");

    // Their caller gives them up, which closes the connection: they are not read any more, and the
    // caller's next large read does not wait behind them.
    large.iter().for_each(tokio::task::JoinHandle::abort);
    let again = Caller::of(world.connect(), "alice", crate::support::STORE);
    again.get(&order.purchase_order_id).with(full).ok().await;
    world.verify().await;
}
