//! Random commands, compared with the rules alone and with a naive model.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so by a panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner shows what a failed test has printed")]
#![allow(clippy::disallowed_methods, reason = "a test takes clocks, ids and the environment where it finds them")]

#[path = "../support/mod.rs"]
mod support;

mod naive_oracle;
mod rules;
