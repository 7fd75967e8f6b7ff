//! What the service does, told as stories over real gRPC: each runs on both databases and ends with
//! the invariants of the whole database checked.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod access;
mod back_orders;
mod cancelling;
mod completing;
mod discovery;
mod gate;
mod grid;
mod ordering;
mod previewing;
mod reading;
mod receiving;
mod replaying;
