//! What the service does when something breaks: databases that become unavailable, processes that are killed, full disks,
//! sessions that are terminated.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod chaos;
mod failover;
mod kills;
mod pooler;
mod sqlite_files;
mod unavailable;
