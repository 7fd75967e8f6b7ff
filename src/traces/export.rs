//! Sends spans to the collector, from a bounded queue and on a thread of its own.

use std::error::Error;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentelemetry::trace::{SpanContext, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{RetryPolicy, SpanExporter as OtlpExporter, WithExportConfig, WithTonicConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{
    BatchConfigBuilder, BatchSpanProcessor, IdGenerator, RandomIdGenerator, Sampler, SamplingDecision, ShouldSample,
    SpanData, SpanExporter, SpanProcessor,
};
use tokio::runtime::Handle;
use tonic::transport::{Certificate, ClientTlsConfig, Endpoint as Remote};
use url::Url;
use uuid::Uuid;

use super::TraceConfig;

/// How many spans may wait for the collector, of up to a few kilobytes each; those that callers asked for fill half of it.
pub const MAX_WAITING: usize = 4_096;
/// How many spans are sent at once.
const MAX_AT_ONCE: usize = 512;
/// How long spans wait for more at most before they are sent.
const DELAY: Duration = Duration::from_secs(1);
/// How long the collector may take to accept spans. What it has not accepted by then is given up.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The address of a collector: `http://HOST:PORT` or `https://HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint(String);

/// Why a text is no address of a collector.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be http://HOST:PORT or https://HOST:PORT, where a collector takes OTLP over gRPC (usually port 4317)")]
pub struct EndpointError;

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let url: Url = text.parse().map_err(|_| EndpointError)?;
        let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
        let is_bare = is_bare && url.fragment().is_none() && matches!(url.path(), "" | "/");
        let has_host = url.host_str().is_some_and(|host| !host.is_empty());
        if !is_bare || !has_host || !matches!(url.scheme(), "http" | "https") {
            return Err(EndpointError);
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why spans cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The certificates of the authorities cannot be read.
    #[error("{}: {error}", path.display())]
    Unreadable {
        /// The file that should hold them.
        path: PathBuf,
        /// Why it cannot be read.
        error: std::io::Error,
    },
    /// The address or the certificates of the authorities cannot be used.
    #[error("the collector {endpoint}: {}", innermost(error))]
    Unusable {
        /// The collector's address.
        endpoint: Endpoint,
        /// Why it cannot be used.
        error: tonic::transport::Error,
    },
    /// A variable of OpenTelemetry (`OTEL_EXPORTER_OTLP_...`) has a value that cannot be used.
    #[error("exporting traces: {0}")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
}

/// The innermost cause of an error: tonic's own text is "transport error".
fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    error.source().map_or(error, innermost)
}

/// What became of spans.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SpanCounts {
    /// The collector has taken them.
    pub exported: u64,
    /// They were sent, and the collector did not take them.
    pub failed: u64,
    /// The queue had no room for them.
    pub dropped: u64,
}

/// Counts spans on their way. The exporter and the recorder share it.
#[derive(Debug, Default)]
struct Progress {
    waiting: AtomicUsize,
    exported: AtomicU64,
    failed: AtomicU64,
    dropped: AtomicU64,
}

/// Makes the ids of spans, and queues those that have ended.
#[derive(Debug)]
pub(super) struct SpanRecorder {
    queue: BatchSpanProcessor,
    progress: Arc<Progress>,
    ids: RandomIdGenerator,
    sampler: Sampler,
    scope: InstrumentationScope,
}

impl SpanRecorder {
    pub(super) fn start(config: &TraceConfig) -> Result<Self, StartError> {
        let collector = Collector { remote: remote(config)?, runtime: Handle::current(), resource: resource() };
        let progress = Arc::<Progress>::default();
        let connection = Mutex::new(Arc::new(collector.connect()?));
        let exporter = CountingExporter { collector, connection, progress: Arc::clone(&progress) };
        let limits = BatchConfigBuilder::default()
            .with_max_queue_size(MAX_WAITING)
            .with_max_export_batch_size(MAX_AT_ONCE)
            .with_scheduled_delay(DELAY)
            .build();
        Ok(Self {
            queue: BatchSpanProcessor::builder(exporter).with_batch_config(limits).build(),
            progress,
            ids: RandomIdGenerator::default(),
            sampler: Sampler::TraceIdRatioBased(config.ratio),
            scope: InstrumentationScope::builder(env!("CARGO_PKG_NAME"))
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        })
    }

    /// The id of a new trace, if chance wants that it is recorded.
    pub(super) fn sampled_trace(&self) -> Option<TraceId> {
        let trace = self.new_trace();
        // The ratio is judged by the id alone, whatever the other arguments are.
        let sampled = self.sampler.should_sample(None, trace, "", &opentelemetry::trace::SpanKind::Server, &[], &[]);
        (sampled.decision == SamplingDecision::RecordAndSample).then_some(trace)
    }

    /// The id of a new trace.
    pub(super) fn new_trace(&self) -> TraceId {
        self.ids.new_trace_id()
    }

    /// The identity of a new span in this trace.
    pub(super) fn new_span(&self, trace: TraceId, state: TraceState) -> SpanContext {
        SpanContext::new(trace, self.ids.new_span_id(), TraceFlags::SAMPLED, false, state)
    }

    pub(super) fn scope(&self) -> InstrumentationScope {
        self.scope.clone()
    }

    /// Queues a span that has ended, or drops it where there is no room. `asked_for`: a caller caused it.
    pub(super) fn record(&self, span: SpanData, asked_for: bool) {
        let room = if asked_for { MAX_WAITING / 2 } else { MAX_WAITING };
        // Counted before it is queued, so that the exporter never takes more than were counted.
        if self.progress.waiting.fetch_add(1, Ordering::Relaxed) >= room {
            self.progress.waiting.fetch_sub(1, Ordering::Relaxed);
            self.progress.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        // The queue has room for all that are counted, those being sent included, so it drops none by itself.
        self.queue.on_end(span);
    }

    pub(super) fn counts(&self) -> SpanCounts {
        let Progress { exported, failed, dropped, .. } = &*self.progress;
        let [exported, failed, dropped] = [exported, failed, dropped].map(|count| count.load(Ordering::Relaxed));
        SpanCounts { exported, failed, dropped }
    }

    pub(super) fn stop(&self, within: Duration) {
        if let Err(error) = self.queue.shutdown_with_timeout(within) {
            tracing::warn!(%error, "the last spans were not sent");
        }
        let SpanCounts { exported, failed, dropped } = self.counts();
        let unsent = self.progress.waiting.load(Ordering::Relaxed);
        tracing::info!(exported, failed, dropped, unsent, "spans since the start");
    }
}

/// How the collector is connected to.
pub(super) fn remote(config: &TraceConfig) -> Result<Remote, StartError> {
    let endpoint = &config.endpoint;
    let unusable = |error| StartError::Unusable { endpoint: endpoint.clone(), error };
    let remote = Remote::from_shared(endpoint.0.clone()).map_err(unusable)?.timeout(TIMEOUT).connect_timeout(TIMEOUT);
    if !endpoint.0.starts_with("https:") {
        return Ok(remote);
    }
    let tls = match &config.authorities {
        Some(path) => {
            let pem = std::fs::read(path).map_err(|error| StartError::Unreadable { path: path.clone(), error })?;
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem))
        }
        None => ClientTlsConfig::new().with_native_roots(),
    };
    remote.tls_config(tls).map_err(unusable)
}

/// Who the spans are from. `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` take precedence.
fn resource() -> Resource {
    // The library reads these variables, and names a service "unknown_service" that has no name by then.
    let configured = Resource::builder().build();
    let name = configured.iter().find(|(key, _)| key.as_str() == "service.name").map(|(_, name)| name.to_string());
    let name = name.filter(|name| !name.starts_with("unknown_service"));
    let random = RandomIdGenerator::default().new_trace_id().to_bytes();
    Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", Uuid::from_bytes(random).to_string()),
        ])
        .with_attributes(configured.iter().map(|(key, value)| KeyValue::new(key.clone(), value.clone())))
        .with_service_name(name.unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()))
        .build()
}

/// How to connect to the collector, again and again.
#[derive(Debug)]
struct Collector {
    remote: Remote,
    /// The runtime of the server, in which connections are made; spans are sent on a thread of their own.
    runtime: Handle,
    /// Who the spans are from.
    resource: Resource,
}

impl Collector {
    /// A new connection, which is made when the first spans are sent.
    fn connect(&self) -> Result<OtlpExporter, opentelemetry_otlp::ExporterBuildError> {
        let _entered = self.runtime.enter();
        let mut exporter = OtlpExporter::builder()
            .with_tonic()
            .with_channel(self.remote.connect_lazy())
            .with_timeout(TIMEOUT)
            // Spans that failed are counted. A retry would keep those behind them waiting.
            .with_retry_policy(RetryPolicy::disabled())
            .build()?;
        exporter.set_resource(&self.resource);
        Ok(exporter)
    }
}

/// Counts what is sent, logs what cannot be, and replaces a connection on which something could not: its peer may be gone
/// without a word, which only a missing answer tells. Pings would tell it too, but gRPC servers may end the connections of
/// those who ping often, and some take more than once in five minutes for that.
#[derive(Debug)]
struct CountingExporter {
    collector: Collector,
    connection: Mutex<Arc<OtlpExporter>>,
    progress: Arc<Progress>,
}

impl CountingExporter {
    fn connection(&self) -> MutexGuard<'_, Arc<OtlpExporter>> {
        // Nothing panics while holding it.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SpanExporter for CountingExporter {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        let connection = Arc::clone(&self.connection());
        let exported = connection.export(batch).await;
        self.progress.waiting.fetch_sub(count, Ordering::Relaxed);
        let counter = if exported.is_ok() { &self.progress.exported } else { &self.progress.failed };
        counter.fetch_add(count as u64, Ordering::Relaxed);
        if let Err(error) = &exported {
            tracing::warn!(%error, spans = count, "the collector did not take spans");
            // Otherwise the old connection stays, and is replaced when the next spans fail.
            if let Ok(new) = self.collector.connect() {
                *self.connection() = Arc::new(new);
            }
        }
        exported
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_scheme_a_host_and_a_port() {
        for good in
            ["http://localhost:4317", "https://collector.example:4317/", "http://[::1]:4317", "https://collector"]
        {
            assert_eq!(good.parse::<Endpoint>().unwrap().to_string(), good.trim_end_matches('/'));
        }
        for bad in [
            "",
            "localhost:4317",
            "grpc://localhost:4317",
            "http://",
            "http://localhost:99999",
            "http://user@localhost:4317",
            "http://user:secret@localhost:4317",
            "http://localhost:4317/v1/traces",
            "http://localhost:4317?a=b",
            "http://localhost:4317#a",
        ] {
            assert_eq!(bad.parse::<Endpoint>(), Err(EndpointError), "{bad}");
        }
    }
}
