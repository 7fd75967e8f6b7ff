//! The database: sessions over two backends, loading what a batch needs, saving what it decided, and
//! reading for callers. No rule lives here, no clock is read here, and no Diesel error leaves.

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
pub mod url;
pub mod wal;
