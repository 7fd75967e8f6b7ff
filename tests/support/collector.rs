//! A collector of traces: takes spans by OTLP and shows them to a test.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{TraceService, TraceServiceServer};
use opentelemetry_proto::tonic::collector::trace::v1::{ExportTraceServiceRequest, ExportTraceServiceResponse};
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span as SentSpan;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tonic::codegen::tokio_stream::wrappers::TcpListenerStream;
use tonic::transport::{Identity, Server, ServerTlsConfig};
use tonic::{Request, Response, Status};

use super::authority::Pair;
use super::timeout::within_timeout;

/// A collector that listens on a port of its own until it is dropped.
pub struct Collector {
    address: SocketAddr,
    scheme: &'static str,
    spans: watch::Receiver<Vec<Span>>,
    serving: JoinHandle<()>,
}

/// A span as it arrived.
#[derive(Clone, Debug, PartialEq)]
pub struct Span {
    pub name: String,
    pub trace: String,
    pub id: String,
    /// Empty if it begins a trace.
    pub parent: String,
    pub is_of_server: bool,
    pub from: u64,
    pub to: u64,
    pub attributes: BTreeMap<String, String>,
    /// The spans that it has links to, by their ids.
    pub links: Vec<String>,
    pub has_failed: bool,
    /// Who sent it.
    pub resource: BTreeMap<String, String>,
}

impl Collector {
    /// A collector in plain text.
    pub async fn start() -> Self {
        Self::serve(None).await
    }

    /// A collector with this certificate, at `localhost`.
    pub async fn with_tls(pair: &Pair) -> Self {
        Self::serve(Some(Identity::from_pem(&pair.certificate, &pair.key))).await
    }

    async fn serve(identity: Option<Identity>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let scheme = if identity.is_some() { "https" } else { "http" };
        let (taken, spans) = watch::channel(Vec::new());
        let mut server = Server::builder();
        if let Some(identity) = identity {
            server = server.tls_config(ServerTlsConfig::new().identity(identity)).expect("it is a certificate");
        }
        let serving = server
            .add_service(TraceServiceServer::new(Taker(Arc::new(taken))))
            .serve_with_incoming(TcpListenerStream::new(listener));
        let serving = tokio::spawn(async move { serving.await.expect("it serves until it is dropped") });
        Self { address, scheme, spans, serving }
    }

    /// The address that it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it takes spans.
    pub fn endpoint(&self) -> String {
        format!("{}://localhost:{}", self.scheme, self.address.port())
    }

    /// The spans of a trace, once there are as many.
    pub async fn trace(&self, trace: &str, count: usize) -> Vec<Span> {
        self.until(count, |span| span.trace == trace).await
    }

    /// The spans of a trace, once that of its call is among them. What a writer did for the call was sent before.
    pub async fn call(&self, trace: &str) -> Vec<Span> {
        self.until(1, |span| span.trace == trace && span.is_of_server).await;
        self.trace(trace, 1).await
    }

    /// The spans with a name, once there are as many.
    pub async fn named(&self, name: &str, count: usize) -> Vec<Span> {
        self.until(count, |span| span.name == name).await
    }

    async fn until(&self, count: usize, is_wanted: impl Fn(&Span) -> bool) -> Vec<Span> {
        let mut spans = self.spans.clone();
        let enough = spans.wait_for(|spans| spans.iter().filter(|span| is_wanted(span)).count() >= count);
        within_timeout(enough).await.expect("the collector goes on");
        self.spans().into_iter().filter(is_wanted).collect()
    }

    /// All spans that have arrived.
    pub fn spans(&self) -> Vec<Span> {
        self.spans.borrow().clone()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

struct Taker(Arc<watch::Sender<Vec<Span>>>);

#[tonic::async_trait]
impl TraceService for Taker {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut arrived = Vec::new();
        for of_resource in request.into_inner().resource_spans {
            let resource = texts(&of_resource.resource.unwrap_or_default().attributes);
            for span in of_resource.scope_spans.into_iter().flat_map(|of_scope| of_scope.spans) {
                arrived.push(Span::from(span, resource.clone()));
            }
        }
        self.0.send_modify(|spans| spans.extend(arrived));
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Span {
    fn from(sent: SentSpan, resource: BTreeMap<String, String>) -> Self {
        use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
        use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
        Self {
            is_of_server: sent.kind() == SpanKind::Server,
            has_failed: sent.status.as_ref().is_some_and(|status| status.code() == StatusCode::Error),
            attributes: texts(&sent.attributes),
            links: sent.links.iter().map(|link| hex(&link.span_id)).collect(),
            name: sent.name,
            trace: hex(&sent.trace_id),
            id: hex(&sent.span_id),
            parent: hex(&sent.parent_span_id),
            from: sent.start_time_unix_nano,
            to: sent.end_time_unix_nano,
            resource,
        }
    }

    /// An attribute's text; empty if it has none.
    pub fn attribute(&self, key: &str) -> &str {
        self.attributes.get(key).map_or("", String::as_str)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn texts(attributes: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |attribute: &KeyValue| match attribute.value.clone().and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    attributes.iter().map(|attribute| (attribute.key.clone(), text(attribute))).collect()
}
