//! What the service does when something breaks: databases that become unavailable, failover,
//! poolers, full disks, certificates that are wrong.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so by a panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner shows what a failed test has printed")]
#![allow(clippy::disallowed_methods, reason = "a test takes clocks, ids and the environment where it finds them")]

#[path = "../support/mod.rs"]
mod support;

mod database_tls;
mod failover;
mod pooler;
mod sqlite_files;
mod unavailable;
