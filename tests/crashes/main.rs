//! Clients carry out intentions while sessions are terminated, and while the program and PostgreSQL are
//! killed. The tests run one at a time: killing PostgreSQL ends every database of the cluster that the
//! tests of this process share.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so by a panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner shows what a failed test has printed")]
#![allow(clippy::disallowed_methods, reason = "a test takes clocks, ids and the environment where it finds them")]

#[path = "../support/mod.rs"]
mod support;

mod chaos;
mod kills;

/// Held by each test for as long as it runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
