//! How the service behaves with much data: plans of lists, ratios of times, the largest messages. The tests of this
//! binary run one at a time, so that they do not disturb each other.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so by a panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner shows what a failed test has printed")]
#![allow(clippy::disallowed_methods, reason = "a test takes clocks, ids and the environment where it finds them")]

#[path = "../support/mod.rs"]
mod support;

mod histories;
mod listing;
mod outstanding;
mod read_fairness;
mod supplier_performance;
mod verify_speed;
mod worst_messages;

/// Held by each test for as long as it runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
