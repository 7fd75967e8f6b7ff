//! One connection: the bounds that the HTTP library enforces, and the reasons for which the service
//! ends the connection by itself.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use hyper_util::rt::TokioTimer;
use tokio::sync::Notify;

use super::bucket::LeakyBucket;
use super::call_timeout::StreamExecutor;
use super::resource_limits::{CallClass, CallPermit, ConnectionPermit};
use crate::auth::certificate::Certificate;

/// The most streams, and so calls, that may be open at once on one connection. Beyond it the library answers
/// REFUSED_STREAM, which clients may retry.
const MAX_STREAMS: u32 = 128;
/// The size of a header list beyond which the library refuses the stream. Calls are refused with a proper
/// status long before, see `rpc::guard`.
const MAX_HEADERS: u32 = 64 * 1024;
/// How many streams may be reset by the peer before the service has accepted them (CVE-2023-44487, rapid
/// reset); the library ends the connection beyond that.
const MAX_PENDING_RESETS: usize = 20;
/// How many streams the library may reset because the peer violated the protocol on them, before it ends the
/// connection.
const MAX_PROTOCOL_ERRORS: usize = 100;
/// How many bytes a peer may send on one stream before the service has read them.
const STREAM_WINDOW: u32 = 256 * 1024;
/// How many bytes a peer may send on all streams together before the service has read them.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// After how long without a frame from the peer a PING is sent. Without it, a connection whose peer vanished
/// without a word would keep its permit for ever.
const PING_AFTER: Duration = Duration::from_secs(20);
/// How long the peer may take to acknowledge that PING before the connection is ended.
const PING_TIMEOUT: Duration = Duration::from_secs(10);
/// How many calls a connection may abandon in a burst. Honest callers abandon calls too, when their deadline
/// passes; a peer that does little else makes the service work for nothing.
const MAX_ABANDONED: f64 = 500.0;
/// How many calls a connection may abandon per second after the burst.
const ABANDONED_PER_SECOND: f64 = 50.0;

/// The HTTP/2 server with each bound set that its libraries offer.
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

/// How long a peer may take to send the head of an HTTP/1.1 request, and how long its connection may be idle
/// between two of them.
const HTTP1_HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// How many bytes of HTTP/1.1 are read or buffered at once; a request's head must fit into it.
const HTTP1_BUFFER: usize = 64 * 1024;

/// The HTTP/1.1 server with each bound set that its library offers. The bodies of calls are bounded by their deadlines
/// and budgets.
pub fn http1() -> hyper::server::conn::http1::Builder {
    let mut http = hyper::server::conn::http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HTTP1_HEAD_TIMEOUT).max_buf_size(HTTP1_BUFFER);
    http
}

/// What the calls of one connection share. The connection is ended when its peer abandons too many calls or
/// when the certificate that it was opened with expires.
#[derive(Debug)]
pub struct Connection {
    /// The client certificate that TLS verified; `None` if the client presented none that can be used.
    certificate: Option<Certificate>,
    /// Counts the connection against its limits until it is closed; admits its calls.
    permit: ConnectionPermit,
    /// Counts the calls that were abandoned recently.
    abandoned: Mutex<LeakyBucket>,
    /// Wakes the task that serves the connection once too many calls were abandoned.
    disconnect: Notify,
}

impl Connection {
    pub(super) fn new(permit: ConnectionPermit, certificate: Option<Certificate>) -> Self {
        let abandoned = Mutex::new(LeakyBucket::new(MAX_ABANDONED, ABANDONED_PER_SECOND, Instant::now()));
        Self { certificate, permit, abandoned, disconnect: Notify::new() }
    }

    /// The certificate of the client; `None` if it has none, or if it has expired since the handshake.
    #[expect(clippy::disallowed_methods, reason = "the TLS library compares certificates with the machine's clock too")]
    pub fn certificate(&self) -> Option<&Certificate> {
        // The connection is about to end then, but its calls must not be accepted until it does.
        self.certificate.as_ref().filter(|certificate| certificate.not_after > SystemTime::now())
    }

    /// Admits a call; `None` if the budget of its class is used up.
    pub fn call(&self, class: CallClass) -> Option<CallPermit> {
        self.permit.call(class)
    }

    /// Notes that the peer abandoned a call before it was answered, and ends the connection if it does so too
    /// often: each such call costs the service work and its peer next to nothing.
    pub fn abandon(&self) {
        let mut abandoned = self.abandoned.lock().unwrap_or_else(PoisonError::into_inner);
        if !abandoned.add(Instant::now()) {
            // Is remembered until the serving task looks, if that does not wait for it at this moment.
            self.disconnect.notify_one();
        }
    }

    /// Waits until the peer has abandoned too many calls.
    pub(super) async fn abandoned_too_many_calls(&self) {
        self.disconnect.notified().await;
    }

    /// Waits until the client's certificate expires; for ever if it has none.
    #[expect(clippy::disallowed_methods, reason = "the TLS library compares certificates with the machine's clock too")]
    pub(super) async fn certificate_expired(&self) {
        let Some(certificate) = &self.certificate else { return std::future::pending().await };
        let left = certificate.not_after.duration_since(SystemTime::now());
        // An error means that it has expired already.
        tokio::time::sleep(left.unwrap_or_default()).await;
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::net::{IpAddr, Ipv4Addr};

    use futures_util::FutureExt;
    use http::Response;
    use http_body_util::{Empty, Full};
    use hyper::body::Bytes;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

    use super::*;
    use crate::domain::code::PrincipalId;
    use crate::transport::call_timeout::{set_call_timeout, timed};
    use crate::transport::handshake::{FRAME_HEADER, PREFACE};
    use crate::transport::resource_limits::{Limits, ResourceLimiter};

    const HEADERS: u8 = 1;
    const RST_STREAM: u8 = 3;
    const SETTINGS: u8 = 4;
    const PING: u8 = 6;
    const WINDOW_UPDATE: u8 = 8;
    const ACK: u8 = 1;
    const END_HEADERS: u8 = 4;
    const REFUSED_STREAM: [u8; 4] = [0, 0, 0, 7];

    fn connection(certificate: Option<Certificate>) -> Connection {
        let limiter = ResourceLimiter::new(Limits::default());
        Connection::new(limiter.connection(IpAddr::V4(Ipv4Addr::LOCALHOST)).unwrap(), certificate)
    }

    /// A frame that the service sent.
    struct Frame {
        kind: u8,
        flags: u8,
        stream: u32,
        payload: Vec<u8>,
    }

    /// The client's side of an HTTP/2 connection in memory, frame by frame. Calls are never answered.
    struct Peer(DuplexStream);

    impl Peer {
        async fn connect() -> Self {
            let (client, server) = tokio::io::duplex(1024 * 1024);
            let service = service_fn(|_| std::future::pending::<Result<Response<Empty<Bytes>>, Infallible>>());
            tokio::spawn(http2().serve_connection(TokioIo::new(server), service));
            let mut peer = Self(client);
            peer.0.write_all(PREFACE).await.unwrap();
            peer.send(SETTINGS, 0, 0, &[]).await;
            peer
        }

        async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
            let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
            let header = [&length[1..], &[kind, flags], &stream.to_be_bytes()].concat();
            self.0.write_all(&[&header, payload].concat()).await.unwrap();
        }

        /// The next frame of this kind; `None` once the connection is closed.
        async fn next(&mut self, wanted: u8) -> Option<Frame> {
            loop {
                let mut header = [0; FRAME_HEADER];
                self.0.read_exact(&mut header).await.ok()?;
                let [a, b, c, kind, flags, stream @ ..] = header;
                let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
                self.0.read_exact(&mut payload).await.ok()?;
                if kind == wanted {
                    return Some(Frame { kind, flags, stream: u32::from_be_bytes(stream), payload });
                }
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_that_does_not_answer_a_ping_is_disconnected() {
        let start = tokio::time::Instant::now();
        let mut peer = Peer::connect().await;

        let ping = peer.next(PING).await.expect("a PING comes before the connection ends");
        assert_eq!((ping.kind, ping.flags), (PING, 0));
        assert_eq!(start.elapsed().as_secs(), 20);

        assert!(peer.next(PING).await.is_none(), "no further PING comes, and the connection ends");
        assert_eq!(start.elapsed().as_secs(), 30);
    }

    #[tokio::test(start_paused = true)]
    async fn a_silent_peer_that_answers_each_ping_stays_connected() {
        let start = tokio::time::Instant::now();
        let mut peer = Peer::connect().await;
        for _ in 0..10 {
            let ping = peer.next(PING).await.expect("the connection is open");
            peer.send(PING, ACK, 0, &ping.payload).await;
        }
        assert!(start.elapsed().as_secs() >= 200);
    }

    #[tokio::test(start_paused = true)]
    async fn streams_beyond_the_limit_are_refused_and_the_others_stay_open() {
        let mut peer = Peer::connect().await;
        // Indexed header fields (RFC 7541, appendix A): POST, http, /.
        let head = [0x83, 0x86, 0x84];
        for number in 0..=128 {
            peer.send(HEADERS, END_HEADERS, 2 * number + 1, &head).await;
        }

        let reset = peer.next(RST_STREAM).await.expect("the connection is open");

        assert_eq!((reset.stream, reset.payload.as_slice()), (257, &REFUSED_STREAM[..]), "the 129th");
        // What was reset before would have come before this.
        peer.send(PING, 0, 0, b"12345678").await;
        loop {
            let frame = peer.next(PING).await.expect("the connection is open");
            if frame.flags == ACK {
                break;
            }
        }
    }

    #[tokio::test]
    async fn a_peer_that_abandons_too_many_calls_is_disconnected() {
        let connection = connection(None);
        for _ in 0..500 {
            connection.abandon();
        }
        assert!(connection.abandoned_too_many_calls().now_or_never().is_none(), "a burst is allowed");

        // Some of the burst may have leaked meanwhile, but not half of it in a moment.
        for _ in 0..250 {
            connection.abandon();
        }

        assert!(connection.abandoned_too_many_calls().now_or_never().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_lasts_until_its_certificate_expires() {
        let expires_in = |seconds| {
            #[expect(clippy::disallowed_methods, reason = "the connection compares with the machine's clock")]
            let not_after = SystemTime::now() + Duration::from_secs(seconds);
            connection(Some(Certificate { principal: PrincipalId::new("uri:spiffe://till"), not_after }))
        };
        let start = tokio::time::Instant::now();

        let valid = expires_in(3_600);
        assert!(valid.certificate().is_some());
        valid.certificate_expired().await;
        assert!(start.elapsed().as_secs() >= 3_598, "{:?}", start.elapsed());

        let expired = expires_in(0);
        assert!(expired.certificate().is_none());
        assert!(expired.certificate_expired().now_or_never().is_some());

        assert!(connection(None).certificate_expired().now_or_never().is_none(), "without one it never ends so");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_is_told_the_bounds_of_its_connection() {
        let mut peer = Peer::connect().await;
        let settings = peer.next(SETTINGS).await.unwrap().payload;
        // Each setting has 2 bytes of its number and 4 of its value.
        let told = |number: u16| {
            let setting = settings.chunks_exact(6).find(|setting| setting[..2] == number.to_be_bytes());
            setting.map(|setting| u32::from_be_bytes(setting[2..].try_into().unwrap()))
        };
        let (streams, window, headers) = (told(3), told(4), told(6));
        assert_eq!((streams, window, headers), (Some(MAX_STREAMS), Some(262_144), Some(65_536)));
        // The window of the whole connection begins at 65,535 bytes and is then raised.
        let raised = peer.next(WINDOW_UPDATE).await.unwrap();
        assert_eq!((raised.stream, raised.payload), (0, (1_048_576_u32 - 65_535).to_be_bytes().to_vec()));
    }

    /// Serves HTTP/1.1 on a connection in memory whose answers have a megabyte and must be read within 5 s; returns the
    /// peer's side, and a task that ends with the connection.
    fn http1_peer() -> (DuplexStream, tokio::task::JoinHandle<()>) {
        let (client, server) = tokio::io::duplex(1024);
        let service = service_fn(|_| async {
            set_call_timeout((tokio::time::Instant::now() + Duration::from_secs(5)).into_std());
            Ok::<_, Infallible>(Response::new(Full::new(Bytes::from(vec![b'x'; 1024 * 1024]))))
        });
        let serving = timed(http1().serve_connection(TokioIo::new(server), service));
        (client, tokio::spawn(async { drop(serving.await) }))
    }

    #[tokio::test(start_paused = true)]
    async fn an_http1_peer_that_sends_no_whole_request_is_disconnected() {
        for sent in [&b""[..], b"POST / HTTP/1.1\r\nHost: a\r\n"] {
            let start = tokio::time::Instant::now();
            let (mut peer, ended) = http1_peer();
            peer.write_all(sent).await.unwrap();
            ended.await.unwrap();
            assert_eq!(start.elapsed(), HTTP1_HEAD_TIMEOUT, "{sent:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_http1_peer_that_does_not_read_its_answer_is_disconnected_at_the_end_of_its_call() {
        let start = tokio::time::Instant::now();
        let (mut peer, ended) = http1_peer();
        peer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();
        ended.await.unwrap();
        assert_eq!(start.elapsed(), Duration::from_secs(5));
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 200 OK") && answer.len() <= 1024, "{}", answer.len());
    }

    #[tokio::test(start_paused = true)]
    async fn the_head_of_an_http1_request_is_bounded() {
        let (mut peer, ended) = http1_peer();
        let head = format!("POST / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(HTTP1_BUFFER));
        // It is cut off while it sends.
        let _ = peer.write_all(head.as_bytes()).await;
        let mut answer = Vec::new();
        peer.read_to_end(&mut answer).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 431"), "{}", String::from_utf8_lossy(&answer));
        ended.await.unwrap();
    }
}
