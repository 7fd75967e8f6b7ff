//! What a service is started with, judged before anything begins.

use std::time::Duration;

use crate::repository::dialect::lanes_for;
use crate::repository::url::DatabaseUrl;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Which database.
    pub database: DatabaseUrl,
    /// How many transactions write at once; SQLite always has one.
    pub lanes: usize,
    /// How many reads run at once.
    pub readers: usize,
    /// How long first answers are kept to be repeated.
    pub request_retention: Duration,
    /// Whether an empty database gets the store `demo`.
    pub demo_store: bool,
}

impl ServeConfig {
    /// The defaults for a database.
    pub fn new(database: DatabaseUrl) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            lanes: lanes_for(&database, cores),
            readers: cores.max(2),
            request_retention: Duration::from_secs(7 * 24 * 60 * 60),
            demo_store: false,
            database,
        }
    }
}
