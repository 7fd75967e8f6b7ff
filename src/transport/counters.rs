//! Counts what becomes of connections, and of the HTTP/1.1 requests that are refused before they are calls, by cause.

use std::error::Error;
use std::io;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use http::StatusCode;

use super::Protocol;

/// A fixed set of causes by which something is counted.
pub trait Cause: Copy + PartialEq + 'static {
    /// Every cause, in the order in which it is shown.
    const ALL: &'static [Self];

    /// The name as metrics show it. It must not change: dashboards and alerts refer to it.
    fn name(self) -> &'static str;
}

/// How often something happened, by cause.
#[derive(Debug)]
pub struct Counts<C> {
    /// In the order of the causes.
    counts: Box<[AtomicU64]>,
    causes: PhantomData<C>,
}

impl<C: Cause> Default for Counts<C> {
    fn default() -> Self {
        Self { counts: C::ALL.iter().map(|_| AtomicU64::new(0)).collect(), causes: PhantomData }
    }
}

impl<C: Cause> Counts<C> {
    pub(super) fn count(&self, cause: C) {
        for (counted, count) in C::ALL.iter().zip(&self.counts) {
            if *counted == cause {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// How often it has happened so far, by the name of each cause.
    pub fn by_name(&self) -> impl Iterator<Item = (&'static str, u64)> {
        C::ALL.iter().zip(&self.counts).map(|(cause, count)| (cause.name(), count.load(Ordering::Relaxed)))
    }
}

/// What the transport of a server counts.
#[derive(Debug, Default)]
pub struct TransportCounters {
    /// Connections that were closed before any call on them was served.
    pub refused: Counts<ConnectionRefusal>,
    /// Connections that were served and have ended.
    pub ended: Counts<ConnectionEnd>,
    /// Requests of browsers that were refused before they were calls.
    pub requests: Counts<RequestRefusal>,
}

/// Why a connection was closed before any call was served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionRefusal {
    /// As many connections were open as may be.
    Limit,
    /// Its peer had as many connections as it may have.
    PeerLimit,
    /// Its TLS or HTTP/2 handshake failed.
    Handshake,
    /// Its handshake took too long.
    HandshakeTimeout,
}

impl Cause for ConnectionRefusal {
    const ALL: &'static [Self] = &[Self::Limit, Self::PeerLimit, Self::Handshake, Self::HandshakeTimeout];

    fn name(self) -> &'static str {
        match self {
            Self::Limit => "limit",
            Self::PeerLimit => "peer_limit",
            Self::Handshake => "handshake",
            Self::HandshakeTimeout => "handshake_timeout",
        }
    }
}

impl ConnectionRefusal {
    /// That of a handshake that ended with this error.
    pub(super) fn of_handshake(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::TimedOut => Self::HandshakeTimeout,
            _ => Self::Handshake,
        }
    }
}

/// Why a connection that was served has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConnectionEnd {
    /// Its peer closed it, as peers should.
    Closed,
    /// The service stops, and the connection had no call any more.
    Stopping,
    /// The client's certificate expired, or the authorities that clients are verified by changed.
    Certificate,
    /// It was cut off.
    Lost,
    /// HTTP/1.1: no whole request came in time, or an answer was not taken in time.
    Idle,
    /// HTTP/2: a PING was not acknowledged.
    PingTimeout,
    /// The peer did not keep to the protocol.
    ProtocolError,
    /// The peer sent too many resets, or too much else that costs the service work and the peer nothing.
    Flood,
    /// The peer abandoned too many calls.
    AbandonedCalls,
    /// HTTP/1.1: an answer could not be completed.
    AnswerFailed,
}

impl Cause for ConnectionEnd {
    const ALL: &'static [Self] = &[
        Self::Closed,
        Self::Stopping,
        Self::Certificate,
        Self::Lost,
        Self::Idle,
        Self::PingTimeout,
        Self::ProtocolError,
        Self::Flood,
        Self::AbandonedCalls,
        Self::AnswerFailed,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::Stopping => "stopping",
            Self::Certificate => "certificate",
            Self::Lost => "lost",
            Self::Idle => "idle",
            Self::PingTimeout => "ping_timeout",
            Self::ProtocolError => "protocol_error",
            Self::Flood => "flood",
            Self::AbandonedCalls => "abandoned_calls",
            Self::AnswerFailed => "answer_failed",
        }
    }
}

impl ConnectionEnd {
    /// That of a connection whose library reports this error.
    pub(super) fn of(error: &hyper::Error, protocol: Protocol) -> Self {
        if error.is_timeout() {
            return match protocol {
                Protocol::Http2 => Self::PingTimeout,
                Protocol::Http1 => Self::Idle,
            };
        }
        if error.is_parse() {
            return Self::ProtocolError;
        }
        if error.is_user() {
            return Self::AnswerFailed;
        }
        let Some(source) = error.source() else { return Self::Lost };
        if let Some(error) = source.downcast_ref::<h2::Error>() {
            // What a peer gives as the reason for which it ends the connection is its own matter.
            return match error.reason() {
                _ if error.is_remote() => Self::Closed,
                Some(h2::Reason::ENHANCE_YOUR_CALM) => Self::Flood,
                _ => Self::ProtocolError,
            };
        }
        match source.downcast_ref::<io::Error>().map(io::Error::kind) {
            // That of `FrameReader`.
            Some(io::ErrorKind::QuotaExceeded) => Self::Flood,
            // That of the TLS library.
            Some(io::ErrorKind::InvalidData) => Self::ProtocolError,
            _ => Self::Lost,
        }
    }
}

/// Why an HTTP/1.1 request was answered without being a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequestRefusal {
    /// Its head could not be understood.
    Malformed,
    /// Its head was too large.
    HeadTooLarge,
    /// It came from a page that may not call.
    Origin,
    /// It had the method of no call.
    Method,
    /// It had the text format of gRPC-Web.
    TextFormat,
    /// It was no gRPC-Web.
    NotGrpcWeb,
}

impl Cause for RequestRefusal {
    const ALL: &'static [Self] =
        &[Self::Malformed, Self::HeadTooLarge, Self::Origin, Self::Method, Self::TextFormat, Self::NotGrpcWeb];

    fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::HeadTooLarge => "head_too_large",
            Self::Origin => "origin",
            Self::Method => "method",
            Self::TextFormat => "text_format",
            Self::NotGrpcWeb => "not_grpc_web",
        }
    }
}

impl RequestRefusal {
    /// That of a request which was answered with this status; `None` if it was not refused.
    pub(super) fn of_answer(status: StatusCode) -> Option<Self> {
        match status {
            StatusCode::FORBIDDEN => Some(Self::Origin),
            StatusCode::METHOD_NOT_ALLOWED => Some(Self::Method),
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Self::TextFormat),
            StatusCode::BAD_REQUEST => Some(Self::NotGrpcWeb),
            _ => None,
        }
    }

    /// That of a request which the library refused by itself; `None` if this error is about something else.
    pub(super) fn of_error(error: &hyper::Error) -> Option<Self> {
        if error.is_parse_too_large() {
            return Some(Self::HeadTooLarge);
        }
        error.is_parse().then_some(Self::Malformed)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use http::Response;
    use http_body_util::Empty;
    use hyper::body::Bytes;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::transport::connection::{http1, http2};
    use crate::transport::handshake::PREFACE;

    const SETTINGS: [u8; 9] = [0, 0, 0, 4, 0, 0, 0, 0, 0];

    /// The error with which the library ends a connection after its peer has sent this and is then silent.
    async fn error_after(protocol: Protocol, sent: &[u8]) -> hyper::Error {
        let (mut peer, server) = tokio::io::duplex(1024 * 1024);
        peer.write_all(sent).await.unwrap();
        let server = TokioIo::new(server);
        let service = service_fn(|_| async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) });
        let ended = match protocol {
            Protocol::Http2 => http2().serve_connection(server, service).await,
            Protocol::Http1 => http1().serve_connection(server, service).await,
        };
        ended.unwrap_err()
    }

    #[tokio::test(start_paused = true)]
    async fn what_ends_a_connection_is_told_by_the_error() {
        // HEADERS of POST http / (RFC 7541, appendix A), and RST_STREAM with CANCEL.
        let reset_at_once = |stream: u8| {
            let headers = [0, 0, 3, 1, 4, 0, 0, 0, stream, 0x83, 0x86, 0x84];
            [&headers[..], &[0, 0, 4, 3, 0, 0, 0, 0, stream, 0, 0, 0, 8]].concat()
        };
        let resets = (0..60).map(|number| reset_at_once(2 * number + 1)).collect::<Vec<_>>().concat();
        let data_on_no_stream = vec![0, 0, 1, 0, 0, 0, 0, 0, 0, 7];
        for (sent, end) in [
            (Vec::new(), ConnectionEnd::PingTimeout),
            (data_on_no_stream, ConnectionEnd::ProtocolError),
            (resets, ConnectionEnd::Flood),
        ] {
            let error = error_after(Protocol::Http2, &[&PREFACE[..], &SETTINGS, &sent].concat()).await;
            assert_eq!(ConnectionEnd::of(&error, Protocol::Http2), end, "{error:?}");
        }
        let large = format!("POST / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(300_000));
        for (sent, end, refusal) in [
            ("", ConnectionEnd::Idle, None),
            ("POST / HTTP/1.1\r\nHost: a\r\n", ConnectionEnd::Idle, None),
            ("what?\r\n\r\n", ConnectionEnd::ProtocolError, Some(RequestRefusal::Malformed)),
            (&large, ConnectionEnd::ProtocolError, Some(RequestRefusal::HeadTooLarge)),
        ] {
            let error = error_after(Protocol::Http1, sent.as_bytes()).await;
            assert_eq!(ConnectionEnd::of(&error, Protocol::Http1), end, "{error:?}");
            assert_eq!(RequestRefusal::of_error(&error), refusal, "{error:?}");
        }
    }

    #[test]
    fn a_handshake_that_takes_too_long_is_told_from_one_that_fails() {
        for (kind, refusal) in [
            (io::ErrorKind::TimedOut, ConnectionRefusal::HandshakeTimeout),
            (io::ErrorKind::InvalidData, ConnectionRefusal::Handshake),
            (io::ErrorKind::UnexpectedEof, ConnectionRefusal::Handshake),
        ] {
            assert_eq!(ConnectionRefusal::of_handshake(&kind.into()), refusal);
        }
    }

    fn names<C: Cause>() -> Vec<&'static str> {
        C::ALL.iter().map(|cause| cause.name()).collect()
    }

    #[test]
    fn each_cause_has_a_name_and_a_count_of_its_own() {
        for names in [names::<ConnectionRefusal>(), names::<ConnectionEnd>(), names::<RequestRefusal>()] {
            let mut distinct = names.clone();
            distinct.sort_unstable();
            distinct.dedup();
            assert_eq!(distinct.len(), names.len(), "{names:?}");
        }
        let ended = Counts::<ConnectionEnd>::default();
        ended.count(ConnectionEnd::Flood);
        ended.count(ConnectionEnd::Flood);
        ended.count(ConnectionEnd::Lost);
        let counted: Vec<_> = ended.by_name().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("lost", 1), ("flood", 2)]);
    }
}
