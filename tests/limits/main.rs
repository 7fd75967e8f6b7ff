//! Every limit of the contract just below, at and just above it, and every field of every request with
//! what does not belong there: on both databases, over real gRPC.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod accepted;
mod answers;
mod bases;
mod capped;
mod contract;
mod corrupt;
mod counts;
mod edges;
mod levels;
mod malformed;
mod rules;
mod times;
