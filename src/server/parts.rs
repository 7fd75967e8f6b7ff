//! Makes the parts of a server from its configuration: workers, pruner, authenticator, transport and routes.

use std::net::SocketAddr;
use std::sync::Arc;

use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::server::NamedService;
use tonic::service::Routes;

use super::{Parts, StartError};
use crate::auth::Authenticator;
use crate::auth::credentials::Credentials;
use crate::auth::development::Development;
use crate::config::{Authentication, ServeConfig};
use crate::domain::time::Timestamp;
use crate::metrics;
use crate::metrics::calls::CallMetrics;
use crate::metrics::listener::MetricsListener;
use crate::metrics::workers::{ReaderMetrics, WriterMetrics};
use crate::proto::DESCRIPTORS;
use crate::proto::v1::access_service_server::AccessServiceServer;
use crate::proto::v1::event_service_server::EventServiceServer;
use crate::proto::v1::inventory_service_server::InventoryServiceServer;
use crate::proto::v1::purchase_order_service_server::PurchaseOrderServiceServer;
use crate::proto::v1::report_service_server::ReportServiceServer;
use crate::proto::v1::store_service_server::StoreServiceServer;
use crate::pruner::{Pruner, PrunerParts};
use crate::repository::dialect::Purpose;
use crate::repository::migrate;
use crate::repository::pool::Pool;
use crate::repository::transaction::TransactionCounters;
use crate::rpc::counted;
use crate::rpc::health::HealthService;
use crate::rpc::page::PageKey;
use crate::rpc::unary::MAX_MESSAGE;
use crate::rpc::{App, Service};
use crate::traces::{TraceConfig, Tracer};
use crate::transport::resource_limits::ResourceLimiter;
use crate::transport::{Protocol, Transport, tls};
use crate::workers::store_changes::StoreChanges;
use crate::workers::{Availability, Prober, ReaderParts, Readers, Supervisor, WriterParts, Writers};

/// The pruner, with a connection of its own: it may take long.
pub(super) fn pruner(
    config: &ServeConfig,
    parts: &Parts,
    transactions: &Arc<TransactionCounters>,
) -> std::io::Result<Pruner> {
    Pruner::start(PrunerParts {
        pool: Pool::counted(&config.database, Purpose::Prune, 1, parts.observer.clone(), transactions),
        clock: Arc::clone(&parts.clock),
        request_retention: config.request_retention,
        event_retention: config.event_retention,
        timeout: config.database_timeout,
        counts_back_orders: config.metrics_listen.is_some(),
    })
}

/// What watches the database and the threads that use it.
pub(super) struct DatabaseWatch {
    /// Whether the database can be used now, as the last probe found. Workers that see a fault request a probe.
    pub(super) availability: Availability,
    /// Probes the database all the time, more often while it is unavailable, and the clock if that is configured.
    pub(super) prober: Arc<Prober>,
    /// Replaces threads that are stuck; it ends when this is dropped.
    _supervisor: Supervisor,
}

/// Starts the workers with one pool of connections for each purpose, so that reads and probes never wait for
/// a writer's connection. They measure if there is a registry that shows it.
pub(super) fn app(
    config: &ServeConfig,
    parts: Parts,
    page_key: PageKey,
    transactions: &Arc<TransactionCounters>,
    mut registry: Option<&mut Registry>,
) -> std::io::Result<(App, DatabaseWatch)> {
    let Parts { clock, ids, observer } = parts;
    let pool = |purpose, threads| Pool::counted(&config.database, purpose, threads, observer.clone(), transactions);
    let availability = Availability::default();
    let timeout = config.database_timeout;
    let changes = Arc::<StoreChanges>::default();
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
            changes: Arc::clone(&changes),
            metrics: registry.as_deref_mut().map(WriterMetrics::registered).unwrap_or_default(),
        },
    )?;
    let readers = Readers::start(
        config.readers,
        &ReaderParts {
            // As many sessions as threads are started: `Readers::start` starts the fewest at least.
            pool: pool(Purpose::Read, config.readers.max(Readers::FEWEST)),
            availability: availability.clone(),
            timeout,
            metrics: registry.map(ReaderMetrics::registered).unwrap_or_default(),
        },
    )?;
    // The prober comes after the workers: it refuses what waits in their queues while the database is unavailable.
    let watched = config.watch_clock.then(|| Arc::clone(&clock));
    let prober =
        Prober::start(pool(Purpose::Probe, 1), &config.database, watched, availability.clone(), &writers, &readers)?;
    let supervised = writers.supervised().chain([readers.supervised(), prober.supervised()]);
    let supervisor = Supervisor::start(supervised.collect())?;
    let watch = DatabaseWatch { availability, prober: Arc::new(prober), _supervisor: supervisor };
    let readers = Arc::new(readers);
    Ok((App { writers, readers, changes, heartbeat: config.watch_heartbeat, page_key, clock, ids }, watch))
}

type AccessServer = AccessServiceServer<Service>;
type EventServer = EventServiceServer<Service>;
type InventoryServer = InventoryServiceServer<Service>;
type OrderServer = PurchaseOrderServiceServer<Service>;
type ReportServer = ReportServiceServer<Service>;
type StoreServer = StoreServiceServer<Service>;

/// How callers are authenticated; reads the files with keys, so that a bad file stops the start.
pub(super) async fn authenticator(access: &Authentication) -> Result<Arc<dyn Authenticator>, StartError> {
    Ok(match access {
        Authentication::Development => Arc::new(Development),
        Authentication::Credentials(config) => {
            Arc::new(Credentials::open(config.clone()).await.map_err(StartError::Credentials)?)
        }
    })
}

/// The transport for connections that speak this protocol, with TLS if it is configured. All listeners share the limits.
pub(super) async fn transport(
    config: &ServeConfig,
    protocol: Protocol,
    resource_limits: &Arc<ResourceLimiter>,
    closing: watch::Receiver<bool>,
) -> Result<Transport, StartError> {
    let tls = match &config.tls {
        Some(files) => Some(tls::open(files, protocol).await.map_err(StartError::Credentials)?),
        None => None,
    };
    Ok(Transport { protocol, resource_limits: Arc::clone(resource_limits), tls, closing })
}

/// A registry with what is known at the start.
pub(super) fn registry(started: Timestamp) -> Registry {
    let mut registry = Registry::default();
    let seconds = started.micros() as f64 / 1e6;
    metrics::register_facts(&mut registry, migrate::newest_version().unwrap_or_default(), seconds);
    registry
}

/// All rpcs, whose calls are counted if there is a registry that shows it.
pub(super) fn calls(registry: Option<&mut Registry>) -> Result<CallMetrics, StartError> {
    let rpcs = counted::rpcs()?;
    Ok(match registry {
        Some(registry) => CallMetrics::registered(registry, rpcs),
        None => CallMetrics::off(rpcs),
    })
}

/// A listener beside the one of the calls, if it is configured; `purpose` names it in an error. It is bound before anything
/// else is started, so that an address that cannot be had stops the start.
pub(super) async fn bind(
    address: Option<SocketAddr>,
    purpose: &'static str,
) -> Result<Option<TcpListener>, StartError> {
    let Some(address) = address else { return Ok(None) };
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(Some(listener)),
        Err(error) => Err(StartError::Listener { purpose, address, error }),
    }
}

/// Sends the spans of calls to the collector, if one is configured.
pub(super) fn tracer(config: Option<&TraceConfig>) -> Result<Tracer, StartError> {
    let Some(config) = config else { return Ok(Tracer::default()) };
    let tracer = Tracer::start(config).map_err(StartError::Traces)?;
    tracing::info!(endpoint = %config.endpoint, ratio = config.ratio, "calls are traced");
    Ok(tracer)
}

/// Answers scrapes of this registry.
pub(super) fn serve_metrics(listener: TcpListener, registry: Registry) -> std::io::Result<MetricsListener> {
    let listener = MetricsListener::start(listener, registry)?;
    tracing::info!(address = %listener.local_addr(), "metrics are served");
    Ok(listener)
}

/// The services whose health can be checked by name.
const NAMES: [&str; 6] = [
    OrderServer::NAME,
    InventoryServer::NAME,
    StoreServer::NAME,
    AccessServer::NAME,
    EventServer::NAME,
    ReportServer::NAME,
];

/// The routes: the contract's services, health and reflection.
pub(super) fn services(app: &Arc<App>, serving: watch::Receiver<bool>) -> Result<Routes, StartError> {
    let service = || Service(Arc::clone(app));
    let reflection = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(DESCRIPTORS)
            // Without these, clients that use reflection cannot decode the details of an error.
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
        .add_service(EventServer::new(service()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(StoreServer::new(service()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(AccessServer::new(service()).max_decoding_message_size(MAX_MESSAGE))
        .add_service(ReportServer::new(service()).max_decoding_message_size(MAX_MESSAGE));
    Ok(routes.prepare())
}
