//! The composition root: database, writers, readers, services, health, and how they end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tonic::server::NamedService;
use tonic::service::Routes;

use crate::auth::Authenticator;
use crate::auth::credentials::Credentials;
use crate::auth::development::Development;
use crate::clock::{Clock, SystemClock};
use crate::config::{Authentication, ServeConfig};
use crate::demo;
use crate::domain::Ids;
use crate::ids::UuidV7;
use crate::proto::DESCRIPTORS;
use crate::proto::v1::access_service_server::AccessServiceServer;
use crate::proto::v1::inventory_service_server::InventoryServiceServer;
use crate::proto::v1::purchase_order_service_server::PurchaseOrderServiceServer;
use crate::proto::v1::store_service_server::StoreServiceServer;
use crate::pruner::{Pruner, PrunerParts};
use crate::repository::database_file::{self, Found, InUse};
use crate::repository::dialect::Purpose;
use crate::repository::error::DbError;
use crate::repository::migrate::{SchemaState, prepare};
use crate::repository::page_key;
use crate::repository::pool::Pool;
use crate::repository::server_check;
use crate::repository::session::Observer;
use crate::repository::url::DatabaseUrl;
use crate::rpc::guard::Guard;
use crate::rpc::health::HealthService;
use crate::rpc::page::PageKey;
use crate::rpc::unary::MAX_MESSAGE;
use crate::rpc::{App, Service};
use crate::transport::resource_limits::ResourceLimiter;
use crate::transport::{Transport, tls};
use crate::workers::error::WorkerError;
use crate::workers::{
    Availability, AvailabilityState, Prober, ReaderParts, Readers, Stats, Supervisor, WriterParts, Writers,
};

/// How long the probe of the database has to end when the server stops.
const PROBING_END: Duration = Duration::from_secs(1);
/// How long the writers have to end their last transactions when the server stops.
const LANES_END: Duration = Duration::from_secs(5);
/// How much longer the pruner has to end its step.
const PRUNER_END: Duration = Duration::from_secs(1);

/// How long an embedded database has to be closed.
const DATABASE_END: Duration = Duration::from_secs(10);

/// What a server is handed instead of reaching for it.
#[derive(Clone)]
pub struct Parts {
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// New ids.
    pub ids: Arc<dyn Ids>,
    /// Watches every statement, if anybody does.
    pub observer: Option<Observer>,
}

impl Default for Parts {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), ids: Arc::new(UuidV7), observer: None }
    }
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The database cannot be used.
    #[error("the database {url} cannot be used: {error}")]
    Database {
        /// Which.
        url: DatabaseUrl,
        /// What it said.
        error: DbError,
    },
    /// The database's schema is older than this binary's.
    #[error(
        "the schema of {0} is older than this binary's; bring it up to date with: purchase-order-service migrate --database-url {0}"
    )]
    SchemaOlder(DatabaseUrl),
    /// The database's schema is newer than this binary's.
    #[error(
        "the schema of {0} is newer than this binary's: it was migrated by a later version; \
         run that version, here and with: purchase-order-service migrate"
    )]
    SchemaNewer(DatabaseUrl),
    /// Sessions keep their settings, prepared statements and transactions nowhere.
    #[error(
        "{0} leads to a connection pooler in transaction or statement mode, which lends one server process to several \
         sessions; the service needs sessions of its own: use the pooler's session mode, or connect directly"
    )]
    SharedSessions(DatabaseUrl),
    /// The machine did not give what it takes.
    #[error("cannot start: {0}")]
    Io(#[from] std::io::Error),
    /// A file with keys or certificates cannot be used.
    #[error("{0}")]
    Credentials(String),
    /// The reflection service refused the contract.
    #[error("the contract cannot be served by reflection: {0}")]
    Reflection(#[from] tonic_reflection::server::Error),
    /// The demo store could not be made.
    #[error("the demo store cannot be made: {0}")]
    Demo(WorkerError),
}

/// A server that runs.
pub struct Server {
    address: SocketAddr,
    app: Arc<App>,
    database: DatabaseWatch,
    pruner: Arc<Pruner>,
    /// What health tells: whether calls are served.
    health: watch::Sender<bool>,
    shutdown_delay: Duration,
    drain: Duration,
    in_use: Option<InUse>,
    closing: watch::Sender<bool>,
    serving: JoinHandle<()>,
    probing: JoinHandle<()>,
}

impl Server {
    /// Starts serving on a listener that is bound already.
    pub async fn start(listener: TcpListener, config: &ServeConfig, parts: Parts) -> Result<Self, StartError> {
        let (page_key, in_use) = prepare_database(&config.database).await?;
        let address = listener.local_addr()?;
        let pruner = Arc::new(pruner(config, &parts)?);
        let (app, database) = app(config, parts, page_key)?;
        let app = Arc::new(app);
        if config.demo_store {
            demo::create(&app).await.map_err(StartError::Demo)?;
        }
        let (health, told) = watch::channel(true);
        let routes = services(&app, told)?;
        let (closing, closes) = watch::channel(false);
        let guard = Guard {
            routes,
            authenticator: authenticator(&config.access).await?,
            max_deadline: config.max_deadline,
            max_public_deadline: config.max_public_deadline,
            max_watch: config.max_watch,
            public_reflection: config.public_reflection,
            closing: closes.clone(),
        };
        let transport = transport(config, closes).await?;
        let answer = move |connection, request| guard.clone().answer(connection, request);
        let serving = tokio::spawn(transport.serve(listener, answer));
        let probing = tokio::spawn(follow_database(database.availability.follow(), health.clone()));
        let (shutdown_delay, drain) = (config.shutdown_delay, config.drain);
        Ok(Self { address, app, database, pruner, health, shutdown_delay, drain, in_use, closing, serving, probing })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// How its commands were batched so far.
    pub fn stats(&self) -> Stats {
        self.app.writers.stats()
    }

    /// Deletes what is older than its retention now instead of within a minute; how many records that
    /// were.
    pub async fn prune(&self) -> Result<usize, DbError> {
        self.pruner.round().await
    }

    /// Serves until it is asked to stop, or until serving fails by itself, and stops. Each further request
    /// ends the stage of stopping that it finds: the delay, or the draining.
    pub async fn run_until_asked(mut self, mut asked: mpsc::Receiver<()>) {
        tokio::select! {
            _ = asked.recv() => {}
            ended = &mut self.serving => tracing::error!(?ended, "serving ended by itself"),
        }
        self.stop_in_stages(asked).await;
    }

    /// Stops without anybody who could hurry it.
    pub async fn stop(self) {
        let (_nobody, asked) = mpsc::channel(1);
        self.stop_in_stages(asked).await;
    }

    /// Says NOT_SERVING and goes on serving for the configured delay; then closes the listener and lets
    /// the calls in flight finish within their time; then ends its threads. Each stage is bounded, so
    /// neither a stuck peer nor a stuck database keeps anything from ending.
    async fn stop_in_stages(mut self, mut asked: mpsc::Receiver<()>) {
        // It must have ended before, or it could say SERVING afterwards.
        self.probing.abort();
        let _ = tokio::time::timeout(PROBING_END, &mut self.probing).await;
        self.health.send_replace(false);
        tracing::info!(delay = ?self.shutdown_delay, "asked to stop; health says NOT_SERVING from now on");
        serving_ends(&mut self.serving, self.shutdown_delay, &mut asked).await;
        self.closing.send_replace(true);
        if !serving_ends(&mut self.serving, self.drain, &mut asked).await {
            tracing::warn!("some calls did not end in time");
            self.serving.abort();
        }
        self.end_threads().await;
    }

    /// Lets the writers and the pruner end what they are at. A thread that waits for a stuck database is
    /// left behind; it ends with the process.
    async fn end_threads(self) {
        let app = self.app;
        let Stats { batches, commands, largest_batch } = app.writers.stats();
        tracing::info!(batches, commands, largest_batch, "stopped");
        let pruner = self.pruner;
        let database = self.database;
        let ending = tokio::task::spawn_blocking(move || {
            app.writers.stop();
            app.readers.stop();
            database.prober.stop();
        });
        // By its side: it may be waiting for a database that is away.
        let pruning = tokio::task::spawn_blocking(move || pruner.stop());
        if !matches!(tokio::time::timeout(LANES_END, ending).await, Ok(Ok(()))) {
            tracing::error!("the writers did not end well");
        }
        if !matches!(tokio::time::timeout(PRUNER_END, pruning).await, Ok(Ok(()))) {
            tracing::warn!("the pruner did not end in time");
        }
        if let Some(in_use) = self.in_use {
            close_database(in_use).await;
        }
    }
}

/// Waits until serving has ended, at most for `time`, or until somebody asks again; whether it has ended.
async fn serving_ends(serving: &mut JoinHandle<()>, time: Duration, asked: &mut mpsc::Receiver<()>) -> bool {
    if serving.is_finished() {
        return true;
    }
    let asked_again = async {
        // Where nobody is left who could ask, nobody does.
        if asked.recv().await.is_none() {
            std::future::pending().await
        }
    };
    tokio::select! {
        _ = serving => true,
        () = tokio::time::sleep(time) => false,
        () = asked_again => false,
    }
}

/// Sees to it that the schema is this binary's; what its page tokens are signed with.
async fn prepare_database(url: &DatabaseUrl) -> Result<(PageKey, Option<InUse>), StartError> {
    let url = url.clone();
    let prepared = tokio::task::spawn_blocking(move || {
        let failed = |error| StartError::Database { url: url.clone(), error };
        let (in_use, found) = database_file::open(&url).map_err(failed)?;
        if found == Found::WithoutLog {
            tracing::error!(
                database = %url,
                "the database was in use when it was last written, and its write-ahead log (-wal) is missing: what was \
                 written last may be lost. If this file was copied from a running service, stop, and restore a copy \
                 made by `purchase-order-service backup`"
            );
        }
        let checked = server_check::check(&url).map_err(failed)?;
        if checked.shares_processes {
            return Err(StartError::SharedSessions(url));
        }
        for setting in checked.unsafe_settings {
            tracing::warn!(setting, "the database server may lose what it has acknowledged when its machine fails");
        }
        match prepare(&url).map_err(failed)? {
            SchemaState::Current => Ok((PageKey::new(&page_key::load(&url).map_err(failed)?), in_use)),
            SchemaState::Older(_) => Err(StartError::SchemaOlder(url)),
            SchemaState::Newer(_) => Err(StartError::SchemaNewer(url)),
        }
    });
    prepared.await.map_err(std::io::Error::other)?
}

/// Leaves one file that is whole, if the database is an embedded one.
async fn close_database(in_use: InUse) {
    let closing = tokio::task::spawn_blocking(move || in_use.close());
    match tokio::time::timeout(DATABASE_END, closing).await {
        Ok(Ok(Ok(true))) => tracing::info!("the database file is closed and whole"),
        Ok(Ok(Ok(false))) => tracing::warn!("somebody else uses the database: copy its -wal with it"),
        Ok(Ok(Err(error))) => tracing::error!(%error, "the database was not closed: copy its -wal with it"),
        _ => tracing::error!("the database was not closed in time: copy its -wal with it"),
    }
}

fn pruner(config: &ServeConfig, parts: &Parts) -> std::io::Result<Pruner> {
    Pruner::start(PrunerParts {
        pool: Pool::new(&config.database, Purpose::Prune, 1, parts.observer.clone()),
        clock: Arc::clone(&parts.clock),
        request_retention: config.request_retention,
        timeout: config.database_timeout,
    })
}

/// Who looks after the threads that wait for the database; they end when this is dropped.
struct DatabaseWatch {
    availability: Availability,
    prober: Prober,
    _supervisor: Supervisor,
}

fn app(config: &ServeConfig, parts: Parts, page_key: PageKey) -> std::io::Result<(App, DatabaseWatch)> {
    let Parts { clock, ids, observer } = parts;
    let pool = |purpose, threads| Pool::new(&config.database, purpose, threads, observer.clone());
    let (availability, timeout) = (Availability::default(), config.database_timeout);
    let writers = Writers::start(
        config.writers,
        &WriterParts {
            pool: pool(Purpose::Write(config.layout), config.writers),
            clock: Arc::clone(&clock),
            ids: Arc::clone(&ids),
            layout: config.layout,
            availability: availability.clone(),
            timeout,
            lock_timeout: config.lock_timeout,
        },
    )?;
    let readers = Readers::start(
        config.readers,
        &ReaderParts {
            pool: pool(Purpose::Read, config.readers.max(Readers::FEWEST)),
            availability: availability.clone(),
            timeout,
        },
    )?;
    let watched = config.watch_clock.then(|| Arc::clone(&clock));
    let prober =
        Prober::start(pool(Purpose::Probe, 1), &config.database, watched, availability.clone(), &writers, &readers)?;
    let supervised = writers.supervised().chain([readers.supervised(), prober.supervised()]);
    let supervisor = Supervisor::start(supervised.collect())?;
    let watch = DatabaseWatch { availability, prober, _supervisor: supervisor };
    Ok((App { writers, readers, page_key, clock, ids }, watch))
}

type AccessServer = AccessServiceServer<Service>;
type InventoryServer = InventoryServiceServer<Service>;
type OrderServer = PurchaseOrderServiceServer<Service>;
type StoreServer = StoreServiceServer<Service>;

async fn authenticator(access: &Authentication) -> Result<Arc<dyn Authenticator>, StartError> {
    Ok(match access {
        Authentication::Development => Arc::new(Development),
        Authentication::Credentials(config) => {
            Arc::new(Credentials::open(config.clone()).await.map_err(StartError::Credentials)?)
        }
    })
}

async fn transport(config: &ServeConfig, closing: watch::Receiver<bool>) -> Result<Transport, StartError> {
    let tls = match &config.tls {
        Some(files) => Some(tls::open(files).await.map_err(StartError::Credentials)?),
        None => None,
    };
    Ok(Transport { resource_limits: ResourceLimiter::new(config.limits), tls, closing })
}

/// The services whose health can be asked for by name.
const NAMES: [&str; 4] = [OrderServer::NAME, InventoryServer::NAME, StoreServer::NAME, AccessServer::NAME];

fn services(app: &Arc<App>, serving: watch::Receiver<bool>) -> Result<Routes, StartError> {
    let service = || Service(Arc::clone(app));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            // Without these, clients that go by reflection cannot read the details of a refusal.
            .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let routes = Routes::new(HealthService::server(serving, &NAMES))
        .add_service(reflection().build_v1()?)
        .add_service(reflection().build_v1alpha()?)
        .add_service(
            OrderServer::new(service()).max_decoding_message_size(MAX_MESSAGE).max_encoding_message_size(MAX_MESSAGE),
        )
        .add_service(InventoryServer::new(service()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(StoreServer::new(service()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(AccessServer::new(service()).max_decoding_message_size(MAX_MESSAGE));
    Ok(routes.prepare())
}

/// Tells NOT_SERVING while the database cannot be used for everything.
async fn follow_database(mut usable: watch::Receiver<AvailabilityState>, health: watch::Sender<bool>) {
    loop {
        let is_serving = usable.borrow_and_update().is_serving();
        health.send_if_modified(|told| std::mem::replace(told, is_serving) != is_serving);
        if usable.changed().await.is_err() {
            return;
        }
    }
}
