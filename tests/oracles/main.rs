//! Random commands, compared with the rules alone and with a naive model.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod naive_oracle;
mod rules;
