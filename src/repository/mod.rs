//! The database: sessions over two backends, loading what a batch needs, saving what it decided, and
//! reading for callers. No rule lives here, no clock is read here, and no Diesel error leaves.

pub mod bulk;
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
pub mod rows;
pub mod save;
pub mod schema;
pub mod session;
pub mod url;
