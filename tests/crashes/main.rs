//! Clients carry out intentions while sessions are terminated, and while the program and PostgreSQL are
//! killed. The tests run one at a time: killing PostgreSQL ends every database of the cluster that the
//! tests of this process share.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod chaos;
mod kills;

/// Held by each test for as long as it runs.
static ALONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
