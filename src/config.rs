//! What a service is started with, judged before anything begins.

use std::time::Duration;

use crate::auth::credentials::CredentialConfig;
use crate::repository::dialect::{Layout, lanes_for};
use crate::repository::url::DatabaseUrl;
use crate::transport::resource_limits::Limits;
use crate::transport::tls::TlsFiles;

/// How to serve.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// Which database.
    pub database: DatabaseUrl,
    /// How the database's tables are laid out over servers.
    pub layout: Layout,
    /// How many transactions write at once; SQLite always has one.
    pub writers: usize,
    /// How many reads run at once.
    pub readers: usize,
    /// How long a session waits for one answer of the database before it is given up.
    pub database_timeout: Duration,
    /// How long a writer waits for another program that holds SQLite's write lock.
    pub lock_timeout: Duration,
    /// Whether writes are refused while this machine's clock is wrong.
    pub watch_clock: bool,
    /// How long first answers are kept to be repeated.
    pub request_retention: Duration,
    /// Whether an empty database gets the store `demo`.
    pub demo_store: bool,
    /// How callers are known.
    pub access: Authentication,
    /// What TLS is spoken with, if it is.
    pub tls: Option<TlsFiles>,
    /// What there is room for.
    pub limits: Limits,
    /// How long a call may take at most, whatever its caller says.
    pub max_deadline: Duration,
    /// The same of calls that take no credentials.
    pub max_public_deadline: Duration,
    /// How long something may be watched before whoever watches must ask again.
    pub max_watch: Duration,
    /// For how long the service goes on when it is asked to stop: its health says NOT_SERVING meanwhile,
    /// so that a load balancer sends its callers elsewhere before the listener closes.
    pub shutdown_delay: Duration,
    /// How long calls in flight have to finish after that.
    pub drain: Duration,
    /// Whether reflection needs no credentials.
    pub public_reflection: bool,
}

/// How callers are known.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// They say who they are, and are believed. For loopback alone.
    Development,
    /// They prove it.
    Credentials(CredentialConfig),
}

impl ServeConfig {
    /// The defaults for a database, in development mode.
    pub fn new(database: DatabaseUrl) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            layout: Layout::Single,
            writers: lanes_for(&database, cores),
            // One takes small reads alone, and the others have a core each.
            readers: cores + 1,
            database_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_millis(800),
            watch_clock: true,
            request_retention: Duration::from_secs(7 * 24 * 60 * 60),
            demo_store: false,
            access: Authentication::Development,
            tls: None,
            limits: Limits::default(),
            max_deadline: Duration::from_secs(30),
            max_public_deadline: Duration::from_secs(10),
            max_watch: Duration::from_secs(5 * 60),
            shutdown_delay: Duration::ZERO,
            drain: Duration::from_secs(20),
            public_reflection: true,
            database,
        }
    }
}
