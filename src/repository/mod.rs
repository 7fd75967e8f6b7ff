//! The database: sessions on SQLite and PostgreSQL, loading what a batch needs, saving what it decided, reading for
//! callers, and taking care of the database itself.
//!
//! What stays true of this folder: it holds all SQL of the service except `verify`'s. No rule is decided here, no clock
//! is read and no id is made, so a transaction may run again from its beginning and do the same. No error of Diesel
//! leaves it.
//!
//! - A write batch: [`session`] and [`transaction`], then [`gate`], [`load`] (with [`keys`] and [`lookups`]), [`save`]
//!   and [`bulk`]. [`rows`] turns rows into entities and back, [`schema`] has the tables.
//! - A read: [`read`], which judges its caller in the same snapshot.
//! - Connections: [`pool`], [`url`], [`dialect`] (how sessions differ by database and purpose), [`progress`] (waits that
//!   take too long), [`error`].
//! - Care of the database: [`migrate`], [`server_check`], [`page_key`], [`probe`] and [`room`], [`prune`], [`wal`],
//!   [`database_file`], [`backup`].

pub mod backup;
pub mod bulk;
pub mod database_file;
pub mod dialect;
pub mod error;
pub mod gate;
pub mod keys;
pub mod load;
pub mod lookups;
pub mod migrate;
pub mod page_key;
pub mod pool;
pub mod probe;
pub mod progress;
pub mod prune;
pub mod read;
pub mod room;
pub mod rows;
pub mod save;
pub mod schema;
pub mod server_check;
pub mod session;
mod sqlite_commit;
mod sqlite_errors;
pub mod transaction;
pub mod url;
pub mod wal;
