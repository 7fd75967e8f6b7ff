//! What it costs to observe the service: completions a second with 64 in flight while its metrics are scraped, while it logs
//! every call, and while its calls are traced, each against a server that does none of it, on both databases.
//!
//! The rounds of the variants take turns, so that whatever else the machine does, and the growth of the database, concern all
//! of them alike. Each round has a fresh server, the release binary in a process of its own. Beside the rate stands the
//! server's CPU time for each completion, which depends less on what else the machine does. Figures are ratios of one run;
//! nothing is asserted.

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
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use served::{Delivery, IN_FLIGHT, LINES, Order, STORES, Served, complete_some, engines, median, prepare};
use support::{Collector, Database, Engine, http_get};

/// A multiple of twice the number of variants.
const ROUNDS: usize = 24;
const ORDERS: usize = 1_000;
const SCRAPE_INTERVAL: Duration = Duration::from_secs(1);

/// What is on in a round.
struct Variant {
    name: &'static str,
    options: &'static [&'static str],
    /// Whether metrics are served, and scraped once a second.
    scraped: bool,
    /// The share of calls whose spans are sent to a collector. It runs in this process and costs time of this machine too.
    trace_ratio: Option<&'static str>,
}

/// What is compared with the first, which has nothing on.
const VARIANTS: [Variant; 6] = [
    Variant { name: "nothing", options: &[], scraped: false, trace_ratio: None },
    Variant { name: "metrics, scraped every second", options: &[], scraped: true, trace_ratio: None },
    Variant { name: "access log of every call", options: &["--access-log", "1"], scraped: false, trace_ratio: None },
    Variant { name: "metrics and access log", options: &["--access-log", "1"], scraped: true, trace_ratio: None },
    Variant { name: "traces of 1 call of 100", options: &[], scraped: false, trace_ratio: Some("0.01") },
    Variant { name: "traces of every call", options: &[], scraped: false, trace_ratio: Some("1") },
];

#[tokio::main]
async fn main() {
    for engine in engines() {
        match Database::migrated(engine) {
            Some(database) => measure(engine, &database).await,
            None => println!("{engine:?}: NOT MEASURED, there is no server to be had"),
        }
    }
}

async fn measure(engine: Engine, database: &Database) {
    let mut orders = prepare(Delivery::Whole, database, ROUNDS * VARIANTS.len() * ORDERS).await;
    println!(
        "\n{engine:?}: completions of {LINES}-line orders, wholly received, {STORES} stores, {IN_FLIGHT} in flight"
    );
    let mut rounds: [Vec<Round>; VARIANTS.len()] = Default::default();
    for number in 0..ROUNDS {
        // Each variant comes first and last as often as any other, and every second round goes backwards, so that none
        // always follows the same one.
        for place in 0..VARIANTS.len() {
            let step = if number % 2 == 0 { place } else { VARIANTS.len() - 1 - place };
            let variant = (number / 2 + step) % VARIANTS.len();
            rounds[variant].push(round(database, &mut orders, &VARIANTS[variant]).await);
        }
    }
    print_table("completed/s", &rounds, |round| round.rate);
    print_table("CPU us each", &rounds, |round| round.cpu_microseconds);
}

/// The median of each variant, and of its ratios: each against the server with nothing on of the same round.
fn print_table(unit: &str, rounds: &[Vec<Round>], figure: impl Fn(&Round) -> f64) {
    println!("{:<32} {unit:>12} {:>8} {:>8} {:>8} {:>7}", "on", "on/off", "25 %", "75 %", "rounds");
    let off: Vec<f64> = rounds[0].iter().map(&figure).collect();
    for (variant, rounds) in VARIANTS.iter().zip(rounds) {
        let mut on: Vec<f64> = rounds.iter().map(&figure).collect();
        let mut ratios: Vec<f64> = on.iter().zip(&off).map(|(on, off)| on / off).collect();
        let (figure, ratio) = (median(&mut on), median(&mut ratios));
        let (low, high) = (ratios[ROUNDS / 4], ratios[ROUNDS - 1 - ROUNDS / 4]);
        println!("{:<32} {figure:>12.0} {ratio:>8.3} {low:>8.3} {high:>8.3} {ROUNDS:>7}", variant.name);
    }
}

/// What a round showed.
struct Round {
    /// Completions a second.
    rate: f64,
    /// The server's CPU time for each completion, with its share of the scrapes.
    cpu_microseconds: f64,
}

/// What the server logs is read and thrown away.
async fn round(database: &Database, orders: &mut VecDeque<Order>, variant: &Variant) -> Round {
    let metrics = variant.scraped.then(free_address);
    let listen = metrics.map(|address| address.to_string());
    let mut options = variant.options.to_vec();
    options.extend(listen.iter().flat_map(|address| ["--metrics-listen", address]));
    let collector = Collector::start().await;
    let endpoint = collector.endpoint();
    options.extend(variant.trace_ratio.iter().flat_map(|ratio| ["--otlp-endpoint", &endpoint, "--trace-ratio", ratio]));
    let server = Served::start(database, &options, std::io::sink());
    let scraping = metrics.map(|address| tokio::spawn(scrape(address)));
    let before = server.cpu_time();
    let rate = complete_some(&server.address, orders, ORDERS, IN_FLIGHT).await;
    let cpu = server.cpu_time().saturating_sub(before);
    if let Some(scraping) = scraping {
        assert!(!scraping.is_finished(), "a scrape has failed");
        scraping.abort();
    }
    server.end();
    Round { rate, cpu_microseconds: cpu.as_secs_f64() * 1e6 / ORDERS as f64 }
}

/// Scrapes until it is aborted; ends if that fails.
async fn scrape(address: SocketAddr) {
    let mut interval = tokio::time::interval(SCRAPE_INTERVAL);
    loop {
        interval.tick().await;
        let answer = http_get(address, "/metrics").await.unwrap_or_default();
        if !answer.starts_with("HTTP/1.1 200 ") {
            return;
        }
    }
}

/// An address with a port that is free now.
fn free_address() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}
