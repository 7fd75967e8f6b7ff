//! How the service behaves with much data: plans of lists, ratios of times, the largest messages. The tests of this
//! binary run one at a time, so that they do not disturb each other.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod listing;
mod read_fairness;
mod verify_speed;
mod worst_messages;

/// Held by each test for as long as it runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
