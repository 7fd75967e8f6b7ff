//! The service held against a naive model: random commands, legal and not, over real gRPC on both
//! databases. What the service answers and what it shows must be what the model says, call by call.
//!
//! `ORACLE_COMMANDS=100000 cargo test --test oracles naive_oracle:: -- --nocapture` plays longer and prints what
//! occurred; `ORACLE_SEED` plays another game.

mod access;
mod amending;
mod answer;
mod books;
mod closing;
mod command;
mod delivering;
mod draw;
mod form;
mod generator;
mod looks;
mod lots;
mod model;
mod notable;
mod numbers;
mod pages;
mod play;
mod receiving;
mod refused;
mod reopening;
mod shown;
mod spread;
mod stock;
mod wire;
mod worth;

use std::collections::{BTreeMap, BTreeSet};
use std::panic::resume_unwind;
use std::time::Instant;
use std::{env, future::Future};

use rstest::rstest;
use tokio::task::JoinSet;

use self::command::Time;
use self::notable::NOTABLE;
use self::play::{Counts, DONE, Play, REPLAYED};
use self::refused::Reason;
use crate::support::Engine::{self, Postgres, Sqlite};
use crate::support::{World, at};

/// Stores that play side by side, so that the service has batches to make.
const STORES: u64 = 16;
/// The service's clock, which moves when every store has played its part of a day.
const CLOCK: [&str; 6] = [
    "2026-03-02T09:00:00Z",
    "2026-03-02T22:59:59.999999Z",
    "2026-03-02T23:00:00Z",
    "2026-03-04T12:00:00Z",
    "2026-03-05T23:30:00Z",
    "2026-03-07T08:00:00Z",
];
/// A game of at least so many commands must meet everything that may occur.
const LONG: u64 = 20_000;
const EXPECTED: [Reason; 39] = [
    DONE,
    REPLAYED,
    "ACCEPTED_STAGED",
    "BACK_ORDERS_DISABLED",
    "BACK_ORDER_TOUCHED",
    "DELIVERY_NOTE_KNOWN",
    "ETAG_MISMATCH",
    "EXPECTED_DATE_PASSED",
    "EXTERNAL_ID_EXISTS",
    "GOODS_RETURNED",
    "INSUFFICIENT_LOT",
    "INSUFFICIENT_STOCK",
    "INVALID_FOR_STORED_DATA",
    "INVALID_REQUEST",
    "LAST_ACCESS_MANAGER",
    "LINES_WITHOUT_QUANTITY",
    "LINE_NOT_FOUND",
    "NOTHING_LEFT",
    "NOTHING_PENDING",
    "NOTHING_RECEIVED",
    "NOTHING_TO_COPY",
    "NOT_PLATFORM_OPERATOR",
    "NO_STORE_ACCESS",
    "OPEN_PURCHASE_ORDERS",
    "OVER_RECEIPT",
    "PENDING_UNSETTLED",
    "PERMISSION_MISSING",
    "PERMISSION_NOT_HELD",
    "PURCHASE_ORDER_NOT_FOUND",
    "PRODUCT_NOT_RECEIVABLE",
    "RECEIPT_NOT_FOUND",
    "RECEIPT_VOIDED",
    "RECEIVED_VALUE_OUT_OF_RANGE",
    "REQUEST_ID_REUSED",
    "ROLE_EXISTS",
    "ROLE_NOT_FOUND",
    "STOCK_GONE",
    "UNLISTED_ITEMS_NOT_ALLOWED",
    "WRONG_STATE",
];

fn number_from(variable: &str, default: u64) -> u64 {
    env::var(variable).map_or(default, |value| value.parse().expect("it is a number"))
}

fn micros(time: &str) -> Time {
    let instant = at(time).unwrap();
    instant.seconds * 1_000_000 + i64::from(instant.nanos / 1_000)
}

/// Lets every store do its part at once; the first that fails ends the game.
async fn side_by_side<T: Send + 'static>(
    parts: impl IntoIterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    let mut parts: JoinSet<T> = parts.into_iter().collect();
    let mut done = Vec::new();
    while let Some(part) = parts.join_next().await {
        done.push(part.unwrap_or_else(|failed| resume_unwind(failed.into_panic())));
    }
    done
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_service_answers_as_the_model_says(#[values(Sqlite, Postgres)] on: Engine) {
    let Some(world) = World::on(on).await else { return };
    let (commands, seed) = (number_from("ORACLE_COMMANDS", 2_000), number_from("ORACLE_SEED", 1));
    let begun = Instant::now();

    let begin = |number| Play::begin(world.channel(), seed, number, micros(CLOCK[0]));
    let mut plays = side_by_side((0..STORES).map(begin)).await;
    for time in CLOCK {
        world.clock.set(time);
        let calls = commands / STORES / CLOCK.len() as u64 + 1;
        plays = side_by_side(plays.into_iter().map(|play| play.play(calls, micros(time)))).await;
    }
    let ends = side_by_side(plays.into_iter().map(Play::end)).await;
    let seconds = begun.elapsed().as_secs_f64();
    world.verify().await;

    let longest = ends.iter().map(|(_, longest)| *longest).max().unwrap();
    let counts = ends.into_iter().flat_map(|(counts, _)| counts).fold(Counts::new(), |mut sum, (what, count)| {
        *sum.entry(what).or_default() += count;
        sum
    });
    println!("{on:?}, seed {seed}: {seconds:.1} s and then verify; the longest chain has {longest} orders");
    print_table(&counts);
    if commands >= LONG {
        let occurred: BTreeSet<Reason> = counts.keys().map(|(reason, _)| *reason).collect();
        assert_eq!(occurred, EXPECTED.into_iter().chain(NOTABLE).collect());
        assert!(longest >= 5, "no chain of four back orders");
    }
}

fn print_table(counts: &Counts) {
    let mut rows: BTreeMap<Reason, (u64, String)> = BTreeMap::new();
    for ((reason, kind), count) in counts {
        let (total, kinds) = rows.entry(reason).or_default();
        *total += count;
        kinds.push_str(&format!("  {kind} {count}"));
    }
    for (reason, (total, kinds)) in rows {
        println!("{total:8} {reason:26}{kinds}");
    }
}
