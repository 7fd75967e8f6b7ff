//! What the service does, over real gRPC on both databases: stories of every feature, each rpc with every reason that it
//! documents, retries, limits, permissions, races and isolation, and the shape of the code.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails says so by a panic")]
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "the runner shows what a failed test has printed")]
#![allow(clippy::disallowed_methods, reason = "a test takes clocks, ids and the environment where it finds them")]

#[path = "../support/mod.rs"]
mod support;

mod access_log;
mod architecture;
mod browsers;
mod call;
mod chains;
mod cli;
mod configuration;
mod contract;
mod costs;
mod credentials;
mod guard;
mod harness;
mod isolation;
mod limits;
mod metrics;
mod plain_words;
mod pruning;
mod races;
mod read_statements;
mod replays;
mod same_schema;
mod sharding;
mod statements;
mod stories;
mod supplier_performance;
mod traces;
mod transactions;
mod verify_corruptions;
mod writers;
