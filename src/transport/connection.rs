//! One connection: what it may do, and how it ends.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper_util::rt::TokioTimer;
use tokio::sync::Notify;

use super::bucket::LeakyBucket;
use super::call_timeout::StreamExecutor;
use super::resource_limits::{CallPermit, Class, ConnectionPermit};
use crate::auth::certificate::Certificate;

/// Calls at once on one connection.
const MAX_STREAMS: u32 = 128;
/// Bytes of headers beyond which HTTP/2 itself refuses. Far below, calls are refused with a status.
const MAX_HEADERS: u32 = 64 * 1024;
/// StreamExecutor that were reset before they were begun.
const MAX_PENDING_RESETS: usize = 20;
/// StreamExecutor that the server reset because the peer broke the protocol on them.
const MAX_PROTOCOL_ERRORS: usize = 100;
/// What a peer may send ahead, on one stream and in all.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// When a silent peer is asked whether it is there, and how long it may take to answer.
const PING_AFTER: Duration = Duration::from_secs(20);
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How many calls a connection may give up at once, and how many a second from then on. Callers whose
/// deadline passes give up calls; who does nothing else is shut out.
const MAX_ABANDONED: f64 = 500.0;
const ABANDONED_A_SECOND: f64 = 50.0;

/// HTTP/2 with every bound set that its libraries know.
pub(super) fn http2() -> hyper::server::conn::http2::Builder<StreamExecutor> {
    let mut http = hyper::server::conn::http2::Builder::new(StreamExecutor);
    http.timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_header_list_size(MAX_HEADERS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_PROTOCOL_ERRORS)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .keep_alive_interval(PING_AFTER)
        .keep_alive_timeout(PING_TIMEOUT);
    http
}

/// A connection as its calls see it.
#[derive(Debug)]
pub struct Connection {
    certificate: Option<Certificate>,
    permit: ConnectionPermit,
    abandoned: Mutex<LeakyBucket>,
    shut_out: Notify,
}

impl Connection {
    pub(super) fn new(permit: ConnectionPermit, certificate: Option<Certificate>) -> Self {
        let abandoned = Mutex::new(LeakyBucket::new(MAX_ABANDONED, ABANDONED_A_SECOND, Instant::now()));
        Self { certificate, permit, abandoned, shut_out: Notify::new() }
    }

    /// The certificate of its client, unless there is none or it has ended meanwhile.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref().filter(|certificate| certificate.not_after > SystemTime::now())
    }

    /// Room for a call; `None` if there is none in its class.
    pub fn call(&self, class: Class) -> Option<CallPermit> {
        self.permit.call(class)
    }

    /// Notes that a call was given up before it was answered.
    pub fn abandon(&self) {
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        if !abandoned.add(Instant::now()) {
            self.shut_out.notify_one();
        }
    }

    /// Waits until it has given up too many calls.
    pub(super) async fn shut_out(&self) {
        self.shut_out.notified().await;
    }

    /// Waits until its client's certificate ends, if it has one.
    pub(super) async fn expired(&self) {
        let left = self.certificate.as_ref().map(|it| it.not_after.duration_since(SystemTime::now()));
        match left {
            None => std::future::pending().await,
            Some(left) => tokio::time::sleep(left.unwrap_or_default()).await,
        }
    }
}
