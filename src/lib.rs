//! Purchase orders for retail stores: order, receive in parts, complete, and back-order what did not
//! come.
//!
//! # The way of a request
//!
//! A connection comes in by the [`transport`]. `CompletePurchaseOrder` arrives at [`rpc`], where the guard
//! asks [`auth`] who calls and the policy what that takes: its message is parsed into a domain command, all
//! violations at once, and submitted with its caller and deadline to the [`writers`]. The writer that the
//! store belongs to takes whatever is queued and, in one transaction, has the [`repository`] lock the
//! stores, load what the commands need into a [`WorkingSet`](domain::working_set::WorkingSet), lets the
//! [`domain`] decide each command in memory, has the decisions saved with a fixed number of
//! statements, and commits. Only then each caller is answered. A read runs on one read-only snapshot
//! in a reader's thread, which judges its caller's access by the same snapshot. The [`pruner`] deletes
//! what is older than its retention, beside all of them.
//!
//! # What must stay true of this code
//!
//! - `domain` knows nothing of the others, and no tonic, prost, Diesel, tokio, clock or randomness:
//!   time and ids are handed in.
//! - `repository` and `auth` know `domain` alone (and `auth` files that are read again); the `transport` knows
//!   certificates and connections, and nothing of what is called; `writers` and the `pruner` know `domain` and `repository`; `rpc` knows
//!   those and reads through `repository::read`; `verify` knows a session alone, and asks
//!   the dialect for one query of a catalogue.
//! - SQL lives in `repository` and `verify`. Nothing outside `repository` asks which database it is.
//! - No `Status` and no generated message goes below `rpc`.
//!
//! A test reads the imports and holds this.

pub mod auth;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod domain;
pub mod ids;
pub mod proto;
pub mod pruner;
pub mod reload;
pub mod repository;
pub mod rpc;
pub mod server;
pub mod telemetry;
pub mod transport;
pub mod verify;
pub mod workers;
