//! Attacks against the running program: what a peer can do to it by bytes alone. Asserted is what is
//! refused and how much memory it costs, and that an honest caller is served meanwhile; how long an
//! honest call takes is printed.
//!
//! Most attacks run on SQLite alone: what they attack, the transport and the guard, refuses them before the
//! database is asked, and neither knows which database there is. Those that end in the database, stopping under
//! load and stopping while it is stuck, run on both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so by a panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner shows what a failed test has printed")]
#![allow(clippy::disallowed_methods, reason = "a test takes clocks, ids and the environment where it finds them")]

#[path = "../support/mod.rs"]
mod support;

mod bodies;
mod floods;
mod frames;
mod limits;
mod logs;
mod silence;
mod stopping;
mod stuck;
mod watches;
