//! Completions a second over gRPC: one call at a time against 64 in flight, on both databases.
//!
//! The server is the release binary in a process of its own, and a fresh one for each measurement, so that its closing log
//! line tells how that measurement's commands were batched. Figures are ratios of one run; nothing is asserted.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a benchmark that cannot run has nothing to say"
)]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a benchmark prints what it has measured")]
#![allow(clippy::disallowed_methods, reason = "a benchmark makes its own request ids")]

mod served;
#[path = "../tests/support/mod.rs"]
mod support;

use std::collections::VecDeque;

use served::{Delivery, IN_FLIGHT, LINES, Order, STORES, Served, complete_some, engines, field, median, prepare};
use support::{Database, Engine};

const ROUNDS: usize = 3;
const ALONE: usize = 300;
const TOGETHER: usize = 3_000;

#[tokio::main]
async fn main() {
    for engine in engines() {
        for delivery in [Delivery::Whole, Delivery::Partial] {
            match Database::migrated(engine) {
                Some(database) => measure(engine, delivery, &database).await,
                None => println!("{engine:?}: NOT MEASURED, there is no server to be had"),
            }
        }
    }
}

async fn measure(engine: Engine, delivery: Delivery, database: &Database) {
    let mut orders = prepare(delivery, database, ROUNDS * (ALONE + TOGETHER)).await;
    let received = if delivery == Delivery::Whole { "wholly received" } else { "every line back-ordered in part" };
    println!("\n{engine:?}: completions of {LINES}-line orders, {received}, {STORES} stores");
    println!("{:>10} {:>12} {:>14} {:>9} {:>10}", "in flight", "completed/s", "commands/batch", "largest", "peak MB");
    let (mut alone, mut together) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        alone.push(round(database, &mut orders, ALONE, 1).await);
        together.push(round(database, &mut orders, TOGETHER, IN_FLIGHT).await);
    }
    let ratio = median(&mut together) / median(&mut alone);
    println!("{IN_FLIGHT} in flight / one caller, medians of {ROUNDS} rounds: {ratio:.1}");
}

async fn round(database: &Database, orders: &mut VecDeque<Order>, count: usize, in_flight: usize) -> f64 {
    let server = Served::start(database, &[], Vec::new());
    let rate = complete_some(&server.address, orders, count, in_flight).await;
    let (peak, log) = server.end();
    let log = String::from_utf8(log).unwrap();
    let (batches, commands, largest) =
        (field(&log, "batches="), field(&log, "commands="), field(&log, "largest_batch="));
    let average = commands / batches;
    println!("{in_flight:>10} {rate:>12.0} {average:>14.1} {largest:>9.0} {peak:>10.1}");
    rate
}
