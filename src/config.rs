//! The configuration of a server, complete and typed: the command line checks every value before it gets here,
//! and nothing below reads options or the environment.

use std::net::SocketAddr;
use std::time::Duration;

use crate::auth::credentials::CredentialConfig;
use crate::repository::dialect::{Layout, writers_for};
use crate::repository::url::DatabaseUrl;
use crate::traces::TraceConfig;
use crate::transport::origin::Origin;
use crate::transport::resource_limits::Limits;
use crate::transport::tls::TlsFiles;

/// What a server is started with. The commands `serve` and `develop` fill it from their options.
#[derive(Clone, Debug)]
pub struct ServeConfig {
    /// The database to serve.
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
    /// How long the first answer to each request id is kept, so that a retry gets it again.
    pub request_retention: Duration,
    /// How long events are kept; `None`: for ever.
    pub event_retention: Option<Duration>,
    /// Whether an empty database gets the store `demo`.
    pub demo_store: bool,
    /// How callers are authenticated.
    pub access: Authentication,
    /// The certificate and key for TLS; `None` serves plain text.
    pub tls: Option<TlsFiles>,
    /// The bounds on connections, calls and memory.
    pub limits: Limits,
    /// The longest time of a call, even if its caller allows more.
    pub max_deadline: Duration,
    /// The same for calls that take no credentials.
    pub max_public_deadline: Duration,
    /// The longest time of a watch; after it the client must watch again.
    pub max_watch: Duration,
    /// After how long without a message a watch of events gets an empty one.
    pub watch_heartbeat: Duration,
    /// How long the service still serves after it is asked to stop: its health reports NOT_SERVING meanwhile,
    /// so that a load balancer sends its callers elsewhere before the listener closes.
    pub shutdown_delay: Duration,
    /// How long calls in flight have to finish after that.
    pub drain: Duration,
    /// Whether reflection needs no credentials.
    pub public_reflection: bool,
    /// Where Prometheus can scrape; `None`: nowhere.
    pub metrics_listen: Option<SocketAddr>,
    /// Of how many calls one has a line in the log; 0: none has.
    pub access_log: u32,
    /// Where spans are sent; `None`: nowhere.
    pub traces: Option<TraceConfig>,
    /// Where browsers can call, by gRPC-Web; `None`: nowhere.
    pub web_listen: Option<SocketAddr>,
    /// The origins of the web pages that may call there.
    pub web_origins: Vec<Origin>,
}

/// How callers are authenticated.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// Callers give a name and are not authenticated. Only for loopback, which the command line checks.
    Development,
    /// Callers have a token or a client certificate, by this configuration.
    Credentials(CredentialConfig),
}

impl ServeConfig {
    /// The defaults for a database, in development mode.
    pub fn new(database: DatabaseUrl) -> Self {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Self {
            layout: Layout::Single,
            writers: writers_for(&database, cores),
            // One reader takes small reads only, so the other readers have a core each.
            readers: cores + 1,
            database_timeout: Duration::from_secs(5),
            lock_timeout: Duration::from_millis(800),
            watch_clock: true,
            request_retention: Duration::from_secs(7 * 24 * 60 * 60),
            event_retention: None,
            demo_store: false,
            access: Authentication::Development,
            tls: None,
            limits: Limits::default(),
            max_deadline: Duration::from_secs(30),
            max_public_deadline: Duration::from_secs(10),
            max_watch: Duration::from_secs(5 * 60),
            watch_heartbeat: Duration::from_secs(15),
            shutdown_delay: Duration::ZERO,
            drain: Duration::from_secs(20),
            public_reflection: true,
            metrics_listen: None,
            access_log: 0,
            traces: None,
            web_listen: None,
            web_origins: Vec::new(),
            database,
        }
    }
}
