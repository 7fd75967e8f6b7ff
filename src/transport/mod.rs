//! The transport: accepts connections within the limits, waits a short time for their handshake, serves HTTP/2
//! on them, or HTTP/1.1 for browsers, and ends them when the service stops. It deals with bytes and HTTP only; what a
//! call means is the matter of [`crate::rpc`].
//!
//! Everything that a peer can hold on to has a limit here, of number or of time: connections, streams, bytes,
//! the handshake, silence. None of these limits depends on the peer's good will.

mod bucket;
pub mod call_timeout;
pub mod connection;
pub mod counters;
mod frames;
mod handshake;
pub mod origin;
pub mod resource_limits;
pub mod tls;

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use hyper_util::server::graceful::GracefulConnection;
use rustls::ServerConfig;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use self::call_timeout::timed;
use self::connection::{Connection, http1, http2};
use self::counters::{ConnectionEnd, ConnectionRefusal, RequestRefusal};
use self::handshake::{Established, handshake};
use self::resource_limits::{ConnectionPermit, ResourceLimiter};
use crate::reload::Reloading;

/// How long to wait after a connection could not be accepted. The usual cause is that the process has no file
/// descriptor left, and without a pause the loop would use up a core until one is free.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(100);

/// What the connections of a listener speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// What gRPC clients speak.
    Http2,
    /// What browsers, and proxies in front of them, speak.
    Http1,
}

impl Protocol {
    /// Its name in TLS (RFC 7301).
    const fn alpn(self) -> &'static [u8] {
        match self {
            Self::Http2 => b"h2",
            Self::Http1 => b"http/1.1",
        }
    }
}

/// What serves the connections of one listener. Clones share the limiter.
#[derive(Clone)]
pub struct Transport {
    /// What its connections speak.
    pub protocol: Protocol,
    /// Admits connections and calls; shared by all connections.
    pub resource_limits: Arc<ResourceLimiter>,
    /// The certificates in use, read again when their files change; `None` if connections are not encrypted.
    pub tls: Option<Reloading<ServerConfig>>,
    /// Becomes true when the service stops: from then on no connection is accepted, and open ones end when
    /// their calls in flight have ended.
    pub closing: watch::Receiver<bool>,
}

impl Transport {
    /// Serves until `closing` is true and every connection has ended. It does not bound how long that takes:
    /// dropping this future ends the remaining connections with it.
    pub async fn serve<A, F, B>(self, listener: TcpListener, answer: A)
    where
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Clone + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let mut connections = JoinSet::new();
        let mut closing = self.closing.clone();
        loop {
            tokio::select! {
                () = closes(&mut closing) => break,
                // Connections that have ended are removed here; the set would grow for ever otherwise.
                Some(_) = connections.join_next() => {}
                accepted = listener.accept() => match accepted {
                    Ok((stream, from)) => {
                        // A connection beyond the limits is closed at once: its peer learns more from that
                        // than from waiting.
                        if let Some(permit) = self.resource_limits.connection(from.ip()) {
                            connections.spawn(self.clone().receive(stream, from, permit, answer.clone()));
                        }
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept a connection");
                        tokio::time::sleep(ACCEPT_BACKOFF).await;
                    }
                },
            }
        }
        // Close the listener now: a connection that waited in its backlog would never be served.
        drop(listener);
        while connections.join_next().await.is_some() {}
    }

    /// Serves one connection from its handshake to its end.
    async fn receive<A, F, B>(mut self, stream: TcpStream, from: SocketAddr, permit: ConnectionPermit, answer: A)
    where
        A: Fn(Arc<Connection>, Request<Incoming>) -> F + Send + 'static,
        F: Future<Output = Response<B>> + Send + 'static,
        B: Body + Send + Unpin + 'static,
        B::Data: Send,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        // Without TCP_NODELAY a small response waits for the peer's delayed acknowledgement: 40 ms per call. If
        // it cannot be set, the connection is served more slowly.
        let _ = stream.set_nodelay(true);
        // Before the handshake reads them: certificates that change during it are a change for this connection.
        self.tls = self.tls.map(Reloading::caught_up);
        let established = tokio::select! {
            established = handshake(stream, from, self.protocol, self.tls.as_ref()) => established,
            // Nothing was promised to this peer yet, so it need not be waited for.
            () = closes(&mut self.closing) => return,
        };
        let Established { stream, certificate } = match established {
            Ok(established) => established,
            Err(error) => {
                self.resource_limits.counters().refused.count(ConnectionRefusal::of_handshake(&error));
                return tracing::debug!(%from, %error, "the handshake of a connection failed");
            }
        };
        let connection = Arc::new(Connection::new(permit, certificate));
        let shared = Arc::clone(&connection);
        let (limits, is_web) = (Arc::clone(&self.resource_limits), self.protocol == Protocol::Http1);
        let service = service_fn(move |request| {
            let answered = answer(Arc::clone(&shared), request);
            let limits = is_web.then(|| Arc::clone(&limits));
            async move {
                let answer = answered.await;
                // Of a call the status is OK whatever comes of it.
                if let Some((limits, refusal)) = limits.zip(RequestRefusal::of_answer(answer.status())) {
                    limits.counters().requests.count(refusal);
                }
                Ok::<_, Infallible>(answer)
            }
        });
        let stream = TokioIo::new(stream);
        let limits = Arc::clone(&self.resource_limits);
        let end = match self.protocol {
            Protocol::Http2 => self.run(http2().serve_connection(stream, service), &connection, from).await,
            Protocol::Http1 => {
                let served = timed(self.run(http1().serve_connection(stream, service), &connection, from)).await;
                served.unwrap_or_else(|| {
                    tracing::debug!(%from, "a connection is closed: its peer did not take an answer in time");
                    ConnectionEnd::Idle
                })
            }
        };
        limits.counters().ended.count(end);
    }

    /// Serves the requests of one connection until it ends, and has it end when there is a reason. Returns that reason.
    async fn run<C>(self, serving: C, connection: &Connection, from: SocketAddr) -> ConnectionEnd
    where
        C: GracefulConnection<Error = hyper::Error>,
    {
        let mut closing = self.closing;
        let mut serving = pin!(serving);
        // Only a client that was authenticated by its certificate must show it again when the authorities
        // change. For others new certificates concern new connections alone.
        let mut tls = self.tls.filter(|_| connection.certificate().is_some());
        let mut draining = None;
        loop {
            let reason = tokio::select! {
                ended = serving.as_mut() => {
                    // One that was drained ends without an error as well; then what it was drained for is the cause.
                    let Err(error) = ended else { return draining.unwrap_or(ConnectionEnd::Closed) };
                    tracing::debug!(%from, %error, "a connection ended with an error");
                    if let (Protocol::Http1, Some(refusal)) = (self.protocol, RequestRefusal::of_error(&error)) {
                        self.resource_limits.counters().requests.count(refusal);
                    }
                    return ConnectionEnd::of(&error, self.protocol);
                }
                () = connection.abandoned_too_many_calls() => {
                    // Its calls in flight are dropped: to wait for them would be to serve it further.
                    tracing::warn!(%from, "a connection is closed: its peer abandoned too many calls");
                    return ConnectionEnd::AbandonedCalls;
                }
                // Once it is draining, none of the following changes anything.
                () = closes(&mut closing), if draining.is_none() => ConnectionEnd::Stopping,
                () = connection.certificate_expired(), if draining.is_none() => ConnectionEnd::Certificate,
                () = changed(&mut tls), if draining.is_none() => ConnectionEnd::Certificate,
            };
            // On HTTP/2 a GOAWAY: the client opens another connection for new calls, and those in flight are answered.
            draining = Some(reason);
            serving.as_mut().graceful_shutdown();
        }
    }
}

/// Waits until the service stops.
pub async fn closes(closing: &mut watch::Receiver<bool>) {
    // An error means that the sender is gone, and with it the server: that is the end of the service too.
    let _ = closing.wait_for(|closing| *closing).await;
}

/// Waits until the certificates change; for ever if there are none to watch.
async fn changed(tls: &mut Option<Reloading<ServerConfig>>) {
    match tls {
        Some(tls) => tls.changed().await,
        None => std::future::pending().await,
    }
}
