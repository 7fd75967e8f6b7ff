//! Purchase orders for retail stores: order, receive in parts, complete, and back-order what did not
//! come.
//!
//! # How a request flows
//!
//! The [`transport`] accepts a connection and its calls. A `CompletePurchaseOrder` arrives at [`rpc`], where the
//! guard looks up the rpc's policy and has [`auth`] authenticate the caller. The handler parses the message into
//! a domain command, collecting all violations, and submits it with its caller and deadline to the [`workers`].
//! The writer that the store belongs to takes what is queued, as far as it fits into one transaction. In it the
//! [`repository`] locks the stores and loads what the commands need into a
//! [`WorkingSet`](domain::working_set::WorkingSet); the [`domain`] decides each command in memory; the repository
//! saves all decisions together, and commits. Only then are the callers answered.
//!
//! A read runs in a reader's thread, on one read-only snapshot in which its caller's access is judged too.
//! The [`pruner`] deletes, independently of all calls, what is older than its retention.
//!
//! # Modules
//!
//! - [`cli`]: the commands; [`config`]: what `serve` and `develop` are started with; [`demo`]: the demo store.
//! - [`server`]: makes a server of the parts, and stops it.
//! - [`transport`]: connections, TLS, limits and budgets. [`auth`]: tokens and certificates to a principal.
//! - [`rpc`]: guard, policies, handlers, statuses. [`proto`]: the code generated from the contract.
//! - [`workers`]: the threads that run commands in batches, and reads.
//! - [`metrics`]: what is measured, and the listener for Prometheus. [`traces`]: spans of calls for a collector.
//! - [`domain`]: the rules. [`repository`]: all SQL of the service. [`verify`]: the invariants in SQL of their own.
//! - [`pruner`], [`reload`] (files that are read again when they change), [`telemetry`], [`clock`], [`ids`].
//!
//! # What must stay true of this code
//!
//! - `domain` knows nothing of the others, and no tonic, prost, Diesel, tokio, clock or randomness:
//!   time and ids are handed in.
//! - `repository` knows `domain` alone; `auth` knows `domain` and `reload`; `transport` knows `auth`, `domain`
//!   and `reload`, and nothing of rpcs; `workers` and `pruner` know `domain`, `repository` and `clock`; `rpc`
//!   knows `auth`, `domain`, `transport`, `workers` and, of the repository, `repository::read` alone; `verify`
//!   knows a session, and asks the dialect for one query of a catalogue. `metrics` and `traces` know none of them; `rpc` and
//!   `workers` know both. `rpc` knows of `telemetry` the target of the access log.
//! - SQL lives in `repository` and `verify`. Nothing outside `repository` asks which database it is.
//! - Only `repository::session` begins or ends a transaction. Each has a name, may run again from its beginning, and is
//!   counted by [`repository::transaction`]; `clippy.toml` bans the raw calls.
//! - No `Status` and no generated message goes below `rpc`.
//! - In `rpc` only the guard's `Call` makes what gives access to a store.
//!
//! `tests/service/architecture.rs` reads the sources and checks this.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod ids;
pub mod metrics;
pub mod proto;
pub mod pruner;
pub mod reload;
pub mod repository;
pub mod rpc;
pub mod server;
pub mod telemetry;
pub mod traces;
pub mod transport;
pub mod verify;
pub mod workers;
