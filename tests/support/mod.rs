//! The harness: databases of either engine, the service in this process, callers, and a database
//! connection that breaks on purpose.

#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

mod authority;
mod caller;
mod cluster;
mod collector;
pub mod contract;
mod database;
mod events;
mod every_rpc;
mod fakes;
mod plans;
mod proxy;
mod refused;
mod rpc;
mod scrape;
pub mod server_process;
mod statements;
mod timeout;
mod world;

pub use self::authority::{Authority, Pair, dns, uri};
pub use self::caller::{Caller, chain_line_text, item_of_product, line, line_text, lot_text, unlisted_item};
pub use self::cluster::{Cluster, cluster, find_programs, start_encrypted};
pub use self::collector::{Collector, Span};
pub use self::database::{Database, Engine, STORE_TABLES, StoreHeld};
pub use self::events::{Watching, order_of, position};
pub use self::every_rpc::{Entry, Needs, every_rpc};
pub use self::fakes::{MONDAY, TestClock, TestIds, at};
pub use self::plans::{explain, explain_prepared, split_binds};
pub use self::proxy::{Cut, Proxy};
pub use self::refused::{Refused, reason};
pub use self::rpc::{Call, Mutation, Rpc, call_unknown, together};
pub use self::scrape::{Scrape, http_get};
pub use self::statements::{Recorder, Statement, Transaction};
pub use self::timeout::within_timeout;
pub use self::world::{Instance, ORIGIN, STORE, Setup, World, writer_of};
