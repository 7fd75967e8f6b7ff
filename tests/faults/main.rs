//! What the service does when something breaks: databases that become unavailable, failover,
//! poolers, full disks.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod failover;
mod pooler;
mod sqlite_files;
mod unavailable;
