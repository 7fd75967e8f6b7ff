//! The listener that Prometheus scrapes: HTTP/1.1 with one page, `/metrics`, apart from the listener of the calls.
//!
//! It is for the operators' network and asks for no credentials, and what it tells names no store and no caller. Everything
//! that a peer can hold on to is bounded: few connections, one request on each, and a time after which a connection ends
//! whatever it is doing. Answering reads counters in memory and waits for nothing, so it works while the database is away.

use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::registry::Registry;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::{JoinHandle, JoinSet};

/// How many connections may be open; further ones are closed at once. A few scrapers and an operator need no more.
const MAX_CONNECTIONS: usize = 8;
/// How long a peer may take to send its request.
const REQUEST_TIME: Duration = Duration::from_secs(5);
/// How long a connection may last, with the time that the peer takes to read the answer.
const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// How many bytes of a request are read at most before it is complete.
const MAX_REQUEST: usize = 16 * 1024;
/// How long to wait after a connection could not be accepted, so that the loop does not use up a core meanwhile.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);
/// How long stopping may take. Connections are dropped and not drained.
const STOP_TIME: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text";
const OPEN_METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A listener that answers scrapes. It must be stopped; dropping it leaves its task running.
pub struct MetricsListener {
    address: SocketAddr,
    /// Has the task end; also when it is dropped.
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl MetricsListener {
    /// Answers from now on what the registry holds.
    pub fn start(listener: TcpListener, registry: Registry) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel();
        let serving = tokio::spawn(serve(listener, Arc::new(registry), stopped));
        Ok(Self { address, stop, serving })
    }

    /// The address that it listens on, with the port that the system chose for port 0.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Closes the listener and its connections. Afterwards nothing holds the registry any more.
    pub async fn stop(self) {
        // An error means that the task has ended already.
        let _ = self.stop.send(());
        if tokio::time::timeout(STOP_TIME, self.serving).await.is_err() {
            tracing::warn!("the listener for metrics did not end in time");
        }
    }
}

async fn serve(listener: TcpListener, registry: Arc<Registry>, mut stopped: oneshot::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    // Those that have ended take no place.
                    while connections.try_join_next().is_some() {}
                    if connections.len() < MAX_CONNECTIONS {
                        connections.spawn(answer(stream, Arc::clone(&registry)));
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept a connection for metrics");
                    tokio::time::sleep(ACCEPT_BACKOFF).await;
                }
            },
        }
    }
    connections.shutdown().await;
}

/// Answers one request, and ends the connection.
async fn answer(stream: TcpStream, registry: Arc<Registry>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let response = respond(&registry, &request);
        async move { Ok::<_, Infallible>(response) }
    });
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(REQUEST_TIME).keep_alive(false).max_buf_size(MAX_REQUEST);
    let serving = http.serve_connection(TokioIo::new(stream), service);
    match tokio::time::timeout(CONNECTION_TIME, serving).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "a connection for metrics ended with an error"),
        Err(_) => tracing::debug!("a connection for metrics took too long"),
    }
}

fn respond<B>(registry: &Registry, request: &Request<B>) -> Response<Full<Bytes>> {
    if request.uri().path() != "/metrics" {
        return refusal(StatusCode::NOT_FOUND, "not found; metrics are at /metrics\n");
    }
    if request.method() != Method::GET {
        let mut response = refusal(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET"));
        return response;
    }
    match encoded(registry, request.headers()) {
        Ok((text, content_type)) => response(StatusCode::OK, text.into(), content_type),
        Err(error) => {
            tracing::error!(%error, "metrics cannot be encoded");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be encoded\n")
        }
    }
}

/// The metrics as OpenMetrics if the scraper accepts that, as Prometheus does, and else in the older text format.
fn encoded(registry: &Registry, headers: &HeaderMap) -> Result<(String, &'static str), fmt::Error> {
    let mut accepted = headers.get_all(ACCEPT).iter().filter_map(|accepted| accepted.to_str().ok());
    let mut encoded = String::new();
    if accepted.any(|accepted| accepted.contains(OPEN_METRICS)) {
        text::encode(&mut encoded, registry)?;
        Ok((encoded, OPEN_METRICS_TYPE))
    } else {
        prometheus_text::encode(&mut encoded, registry)?;
        Ok((encoded, prometheus_text::CONTENT_TYPE))
    }
}

fn refusal(status: StatusCode, why: &'static str) -> Response<Full<Bytes>> {
    response(status, Bytes::from_static(why.as_bytes()), "text/plain; charset=utf-8")
}

fn response(status: StatusCode, body: Bytes, content_type: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn listening() -> (MetricsListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let started = MetricsListener::start(listener, Registry::default()).unwrap();
        let address = started.local_addr();
        (started, address)
    }

    /// What is answered to this, until the connection is closed.
    async fn answered(address: SocketAddr, sent: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(sent.as_bytes()).await.unwrap();
        let mut answered = String::new();
        stream.read_to_string(&mut answered).await.unwrap();
        answered
    }

    #[tokio::test]
    async fn it_has_one_page_and_answers_one_request_on_each_connection() {
        let (listener, address) = listening().await;
        let page = "GET /metrics HTTP/1.1\r\nhost: a\r\n";
        for (request, status, content_type) in [
            (format!("{page}\r\n"), "200", "text/plain; version=0.0.4"),
            (format!("{page}accept: {OPEN_METRICS};q=0.5,*/*\r\n\r\n"), "200", OPEN_METRICS_TYPE),
            (format!("{page}\r\n{page}\r\n"), "200", "text/plain; version=0.0.4"),
            ("GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "404", "text/plain"),
            ("GET /metrics/x HTTP/1.1\r\nhost: a\r\n\r\n".to_owned(), "404", "text/plain"),
            ("POST /metrics HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n".to_owned(), "405", "text/plain"),
        ] {
            let answered = answered(address, &request).await;
            assert!(answered.starts_with(&format!("HTTP/1.1 {status} ")), "{request}\n{answered}");
            assert!(answered.contains(&format!("content-type: {content_type}")), "{request}\n{answered}");
            assert_eq!(answered.matches("HTTP/1.1").count(), 1, "{answered}");
        }
        listener.stop().await;
        assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }

    #[tokio::test]
    async fn connections_beyond_the_limit_are_closed_at_once() {
        let (listener, address) = listening().await;
        let mut open = Vec::new();
        for _ in 0..MAX_CONNECTIONS {
            open.push(TcpStream::connect(address).await.unwrap());
        }
        let mut refused = TcpStream::connect(address).await.unwrap();
        assert_eq!(refused.read(&mut [0; 1]).await.unwrap(), 0, "closed without an answer");
        listener.stop().await;
    }
}
