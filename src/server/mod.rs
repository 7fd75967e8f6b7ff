//! The composition root: makes a server of its parts, runs it, and stops it.
//!
//! It is the one place where the modules meet that do not know each other: the transport gets the guard,
//! the guard gets the routes, the routes get the workers. Clock, ids and the observer of statements are
//! passed in, so that tests can replace them.

mod collector;
mod parts;
mod shutdown;
mod startup;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::OptionFuture;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use self::collector::ServerState;
use self::parts::DatabaseWatch;
pub use self::startup::StartError;
use self::startup::{PreparedDatabase, prepare_database};
use crate::clock::{Clock, SystemClock};
use crate::config::ServeConfig;
use crate::demo;
use crate::domain::Ids;
use crate::ids::UuidV7;
use crate::metrics::calls::CallMetrics;
use crate::metrics::listener::MetricsListener;
use crate::pruner::Pruner;
use crate::repository::database_file::DatabaseInUse;
use crate::repository::error::DbError;
use crate::repository::session::Observer;
use crate::repository::transaction::{TransactionCounters, TransactionName, TransactionStats};
use crate::rpc::App;
use crate::rpc::access_log::{AccessLog, CallRecord};
use crate::rpc::bodies::BodyError;
use crate::rpc::counted::{CountedBody, CountedCall};
use crate::rpc::guard::Guard;
use crate::rpc::web::BrowserCalls;
use crate::traces::{TraceConfig, Tracer};
use crate::transport::connection::Connection;
use crate::transport::origin::Origin;
use crate::transport::resource_limits::ResourceLimiter;
use crate::transport::{Protocol, Transport};
use crate::workers::{AvailabilityState, Stats, poll_changes};

/// What a server gets from outside, so that tests can control time, ids and what they observe.
#[derive(Clone)]
pub struct Parts {
    /// The wall clock of decisions, previews and pruning.
    pub clock: Arc<dyn Clock>,
    /// Makes the ids of new orders.
    pub ids: Arc<dyn Ids>,
    /// Called with every statement, for tests that count or fail statements.
    pub observer: Option<Observer>,
}

impl Default for Parts {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(UuidV7), observer: None }
    }
}

/// A server that runs. It must be stopped with [`Server::stop`] or [`Server::run_until_asked`]; dropping it
/// leaves its tasks running.
pub struct Server {
    address: SocketAddr,
    /// Where browsers call; `None` if that is not configured.
    web_address: Option<SocketAddr>,
    app: Arc<App>,
    database: DatabaseWatch,
    pruner: Arc<Pruner>,
    /// The value that health checks report: whether calls are served.
    health: watch::Sender<bool>,
    shutdown_delay: Duration,
    drain: Duration,
    /// Counts how the transactions of all sessions end.
    transactions: Arc<TransactionCounters>,
    /// Sends spans; the last of them when the threads have ended.
    tracer: Tracer,
    /// Answers scrapes until the threads have nothing to do any more; `None` if it is not configured.
    metrics: Option<MetricsListener>,
    /// Marks a SQLite database as in use until it is closed.
    in_use: Option<DatabaseInUse>,
    /// Set once stopping closes the listener; ends what is watched.
    closing: watch::Sender<bool>,
    /// Accepts connections and serves their calls.
    serving: JoinHandle<()>,
    /// Copies the database's availability to `health`.
    probing: JoinHandle<()>,
    /// Finds out what other instances have written to stores that are watched.
    polling: JoinHandle<()>,
}

impl Server {
    /// Starts serving on a listener that is bound already.
    pub async fn start(listener: TcpListener, config: &ServeConfig, parts: Parts) -> Result<Self, StartError> {
        let metrics_listener = parts::bind(config.metrics_listen, "metrics").await?;
        let web_listener = parts::bind(config.web_listen, "browsers").await?;
        let web_address = web_listener.as_ref().map(TcpListener::local_addr).transpose()?;
        if let Some(address) = web_address {
            tracing::info!(%address, "browsers are served");
        }
        // Without a listener nobody could read what is measured, so nothing is.
        let mut registry = metrics_listener.as_ref().map(|_| parts::registry(parts.clock.now()));
        let calls = parts::calls(registry.as_mut())?;
        let transactions = Arc::new(TransactionCounters::default());
        let PreparedDatabase { page_key, in_use } = prepare_database(&config.database, &transactions).await?;
        let address = listener.local_addr()?;
        let pruner = Arc::new(parts::pruner(config, &parts, &transactions)?);
        let (app, database) = parts::app(config, parts, page_key, &transactions, registry.as_mut())?;
        let app = Arc::new(app);
        if config.demo_store {
            // Before any call is served, so that the first finds the store.
            demo::create(&app).await.map_err(StartError::Demo)?;
        }
        // SERVING until the first probe, which the prober makes at once, says otherwise.
        let (health, reported) = watch::channel(true);
        let routes = parts::services(&app, reported)?;
        let (closing, closes) = watch::channel(false);
        let guard = Guard {
            routes,
            authenticator: parts::authenticator(&config.access).await?,
            max_deadline: config.max_deadline,
            max_public_deadline: config.max_public_deadline,
            max_watch: config.max_watch,
            public_reflection: config.public_reflection,
            closing: closes.clone(),
        };
        let resource_limits = ResourceLimiter::new(config.limits);
        let transport = parts::transport(config, Protocol::Http2, &resource_limits, closes.clone()).await?;
        let web_transport = parts::transport(config, Protocol::Http1, &resource_limits, closes).await?;
        let tracer = parts::tracer(config.traces.as_ref())?;
        if let Some(registry) = &mut registry {
            let state = ServerState {
                app: Arc::downgrade(&app),
                prober: Arc::downgrade(&database.prober),
                pruner: Arc::downgrade(&pruner),
                limiter: Arc::clone(&resource_limits),
                transactions: Arc::clone(&transactions),
                availability: database.availability.follow(),
                health: health.subscribe(),
                tracer: tracer.clone(),
            };
            state.register(registry);
        }
        let metrics =
            metrics_listener.zip(registry).map(|(listener, registry)| parts::serve_metrics(listener, registry));
        let metrics = metrics.transpose()?;
        let log = Arc::new(AccessLog::new(config.access_log));
        let front = Front { calls, log, tracer: tracer.clone(), guard };
        let browsers =
            web_listener.map(|listener| front.clone().serve_browsers(web_transport, listener, &config.web_origins));
        let clients = transport.serve(listener, move |connection, request| front.clone().answer(connection, request));
        // One task for both listeners: stopping waits for it, or cuts it off, as a whole.
        let serving = tokio::spawn(async move {
            tokio::join!(clients, OptionFuture::from(browsers));
        });
        let polling = tokio::spawn(poll_changes(Arc::clone(&app.changes), Arc::clone(&app.readers)));
        let probing = tokio::spawn(follow_database(database.availability.follow(), health.clone()));
        Ok(Self {
            address,
            web_address,
            app,
            database,
            pruner,
            health,
            shutdown_delay: config.shutdown_delay,
            drain: config.drain,
            in_use: in_use.keep(),
            transactions,
            tracer,
            metrics,
            closing,
            serving,
            probing,
            polling,
        })
    }

    /// Opens the files of keys and certificates that a configuration names, and nothing else.
    pub async fn check_files(config: &ServeConfig) -> Result<(), StartError> {
        parts::authenticator(&config.access).await?;
        config.traces.as_ref().map(TraceConfig::check).transpose().map_err(StartError::Traces)?;
        let (_closing, closed) = watch::channel(false);
        parts::transport(config, Protocol::Http2, &ResourceLimiter::new(config.limits), closed).await?;
        Ok(())
    }

    /// The address that it listens on, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The address at which browsers are served, if they are.
    pub fn web_addr(&self) -> Option<SocketAddr> {
        self.web_address
    }

    /// The address at which metrics are served, if they are.
    pub fn metrics_addr(&self) -> Option<SocketAddr> {
        self.metrics.as_ref().map(MetricsListener::local_addr)
    }

    /// How many commands and batches the writers have committed so far.
    pub fn stats(&self) -> Stats {
        self.app.writers.stats()
    }

    /// How the attempts of a transaction have ended so far.
    pub fn transactions(&self, name: TransactionName) -> TransactionStats {
        self.transactions.stats(name)
    }

    /// Deletes what is older than its retention now instead of within a minute. Returns how many records
    /// were deleted.
    pub async fn prune(&self) -> Result<usize, DbError> {
        self.pruner.round().await
    }

    /// Serves until the first request on `asked`, or until serving fails by itself, and then stops. Each
    /// further request ends the stage of stopping that it finds: the delay, or the draining. Returns whether it was
    /// asked to stop.
    pub async fn run_until_asked(mut self, mut asked: mpsc::Receiver<()>) -> bool {
        let was_asked = tokio::select! {
            _ = asked.recv() => true,
            ended = &mut self.serving => {
                tracing::error!(?ended, "serving ended by itself");
                false
            }
        };
        self.stop_in_stages(asked).await;
        was_asked
    }

    /// Stops, with the full time for each stage.
    pub async fn stop(self) {
        let (_sender, asked) = mpsc::channel(1);
        self.stop_in_stages(asked).await;
    }
}

/// What every call passes first, whichever listener it comes from.
#[derive(Clone)]
struct Front {
    calls: CallMetrics,
    log: Arc<AccessLog>,
    tracer: Tracer,
    guard: Guard,
}

impl Front {
    /// Answers a call, counts it, logs it and has it traced.
    fn answer<B>(
        self,
        connection: Arc<Connection>,
        request: Request<B>,
    ) -> impl Future<Output = Response<CountedBody>> + Send
    where
        B: Body<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let record = Arc::new(CallRecord::begin(self.tracer.begin_call(request.headers())));
        let call = CountedCall::begin(&self.calls, &self.log, request.uri().path(), Arc::clone(&record));
        call.count(self.guard.answer(connection, record, request))
    }

    /// Serves the calls of pages from these origins.
    fn serve_browsers(
        self,
        transport: Transport,
        listener: TcpListener,
        origins: &[Origin],
    ) -> impl Future<Output = ()> + Send + 'static {
        let browsers = BrowserCalls::new(origins);
        transport.serve(listener, move |connection, request| {
            let front = self.clone();
            browsers.clone().answer(request, move |request| front.clone().answer(Arc::clone(&connection), request))
        })
    }
}

/// Reports NOT_SERVING while the database cannot be used for everything or the clock is wrong, so that a load
/// balancer prefers another instance.
async fn follow_database(mut usable: watch::Receiver<AvailabilityState>, health: watch::Sender<bool>) {
    loop {
        let is_serving = usable.borrow_and_update().is_serving();
        health.send_if_modified(|reported| std::mem::replace(reported, is_serving) != is_serving);
        if usable.changed().await.is_err() {
            return;
        }
    }
}
