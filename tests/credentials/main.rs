//! Who calls: tokens and certificates, good and bad, and their turning over while the service runs.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod discovery;
mod issuer;
mod leaks;
mod matrix;
mod rotation;
mod secured;
mod tokens;
