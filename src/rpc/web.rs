//! Calls of browsers: gRPC-Web over HTTP/1.1, translated to gRPC in front of the guard, so that everything behind is the
//! same for both.
//!
//! A browser lets a page call a service of another origin only if that allows the page's origin (CORS). It asks first, and the
//! answer to that question, which no rpc sees, names only origins that an operator has configured. A page that has made the
//! browser take the service for its own origin (DNS rebinding) is not asked about, so a request from an origin that is not
//! configured is refused here too.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::cors::CorsLayer;

use super::counted::CountedBody;
use crate::transport::call_timeout::set_call_timeout;
use crate::transport::origin::Origin;

/// For how long a browser may remember that an origin is allowed. Browsers cut it to their own limits.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How many bytes of an answer are handed to the connection at once. HTTP/1.1 has no flow control of its own: a frame is
/// buffered as a whole, and from then on it is not charged to the call any more.
const PIECE: usize = 16 * 1024;
/// How long a connection may take to send the rest of an answer and to begin its next call.
const IDLE_TIMEOUT: Duration = Duration::from_secs(30);
/// What the content types of the text format (base64) begin with.
const TEXT_FORMAT: &[u8] = b"application/grpc-web-text";
/// What a page may send beside the message: its format, its credentials, its deadline, and its trace.
const ALLOWED_HEADERS: [HeaderName; 8] = [
    AUTHORIZATION,
    CONTENT_TYPE,
    HeaderName::from_static("x-principal"),
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-user-agent"),
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("traceparent"),
    HeaderName::from_static("tracestate"),
];
/// What a page may read beside the answer: how the call ended, which stands in the headers if there is no message.
const EXPOSED_HEADERS: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// Answers the calls of pages from some origins.
#[derive(Clone, Debug)]
pub struct BrowserCalls {
    origins: Arc<[HeaderValue]>,
    cors: CorsLayer,
}

impl BrowserCalls {
    /// Allows the pages of these origins to call.
    pub fn new(origins: &[Origin]) -> Self {
        let origins: Arc<[_]> = origins.iter().map(Origin::header).collect();
        let cors = CorsLayer::new()
            .allow_origin(origins.to_vec())
            .allow_methods([Method::POST])
            .allow_headers(ALLOWED_HEADERS)
            .expose_headers(EXPOSED_HEADERS)
            .max_age(REMEMBERED);
        Self { origins, cors }
    }

    /// Answers one request: the call in it by `answer`, a browser's question whether a page may call by itself, and
    /// anything else by an HTTP status of a client's error.
    pub async fn answer<A, F>(self, mut request: Request<Incoming>, answer: A) -> Response<BrowserBody>
    where
        A: Fn(Request<Body>) -> F,
        F: Future<Output = Response<CountedBody>>,
    {
        // Before the layer for CORS, which only adds headers: without them a browser hides the answer from the page,
        // but the call would have been carried out.
        if let Some(refused) = self.refusal(request.headers()) {
            return BrowserBody::refusal(refused);
        }
        // It could ask for the text format in the answer.
        request.headers_mut().remove(ACCEPT);
        let call = |request| {
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await) }
        };
        // CORS outside of the translation: pages may then read what the translation refuses as well, and preflight
        // requests never reach it.
        let service = ServiceBuilder::new().layer(self.cors).layer(GrpcWebLayer::new()).service_fn(call);
        let Ok(response) = service.oneshot(request).await;
        response.map(|body| BrowserBody { body, piece: Bytes::new() })
    }

    /// The status with which a request is refused for its headers. The text format of gRPC-Web is not served: it would make
    /// a copy of each answer that is larger than the answer and charged to nobody.
    fn refusal(&self, headers: &HeaderMap) -> Option<StatusCode> {
        if headers.get(ORIGIN).is_some_and(|origin| !self.origins.contains(origin)) {
            return Some(StatusCode::FORBIDDEN);
        }
        let is_text = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(TEXT_FORMAT));
        is_text.then_some(StatusCode::UNSUPPORTED_MEDIA_TYPE)
    }
}

/// The body of an answer, in pieces. When it ends, its last pieces may still wait to be sent, so the connection gets a time
/// in which to send them.
#[derive(Default)]
pub struct BrowserBody {
    body: Body,
    /// What is left of the frame that is being handed on.
    piece: Bytes,
}

impl BrowserBody {
    fn refusal(status: StatusCode) -> Response<Self> {
        let mut response = Response::<Self>::default();
        *response.status_mut() = status;
        response
    }
}

impl Drop for BrowserBody {
    fn drop(&mut self) {
        set_call_timeout(Instant::now() + IDLE_TIMEOUT);
    }
}

impl HttpBody for BrowserBody {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        while self.piece.is_empty() {
            match ready!(Pin::new(&mut self.body).poll_frame(cx)) {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.piece = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
                end => return Poll::Ready(end),
            }
        }
        let length = self.piece.len().min(PIECE);
        // A copy: a slice would keep the whole frame in memory until the last of it is sent.
        Poll::Ready(Some(Ok(Frame::data(Bytes::copy_from_slice(&self.piece.split_to(length))))))
    }

    fn is_end_stream(&self) -> bool {
        self.piece.is_empty() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        // That of the body, and what was taken from it already.
        let (hint, taken) = (self.body.size_hint(), self.piece.len() as u64);
        let mut whole = SizeHint::new();
        whole.set_lower(hint.lower() + taken);
        if let Some(upper) = hint.upper() {
            whole.set_upper(upper + taken);
        }
        whole
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Full};
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncWriteExt;

    use super::*;
    use crate::transport::call_timeout::timed;
    use crate::transport::connection::http1;

    #[tokio::test]
    async fn an_answer_is_handed_on_in_pieces_that_keep_nothing_else_in_memory() {
        // Held here too, so that a slice of it could not be taken over as its own memory.
        let whole = Bytes::from(vec![b'x'; 100_000]);
        let mut body = BrowserBody { body: Body::new(Full::new(whole.clone())), piece: Bytes::new() };
        let (mut pieces, mut bytes) = (0, 0);
        while let Some(frame) = body.frame().await {
            let piece = frame.unwrap().into_data().unwrap();
            (pieces, bytes) = (pieces + 1, bytes + piece.len());
            assert!(piece.try_into_mut().is_ok_and(|piece| piece.capacity() <= PIECE));
        }
        assert_eq!((pieces, bytes), (whole.len().div_ceil(PIECE), whole.len()));
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_take_the_last_of_an_answer_is_disconnected() {
        let start = tokio::time::Instant::now();
        let (mut peer, server) = tokio::io::duplex(1024);
        let service = service_fn(|_| async {
            let body = Body::new(Full::new(Bytes::from(vec![b'x'; 8 * 1024])));
            Ok::<_, Infallible>(Response::new(BrowserBody { body, piece: Bytes::new() }))
        });
        let serving = tokio::spawn(timed(http1().serve_connection(TokioIo::new(server), service)));
        peer.write_all(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n").await.unwrap();

        assert!(serving.await.unwrap().is_none(), "its task is ended");

        assert_eq!(start.elapsed().as_secs(), IDLE_TIMEOUT.as_secs());
    }

    #[test]
    fn requests_from_other_origins_and_in_the_text_format_are_refused() {
        let calls = BrowserCalls::new(&["https://orders.example".parse().unwrap()]);
        let refused = |headers: &[(HeaderName, &'static str)]| {
            let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value))).collect();
            calls.refusal(&headers)
        };
        assert_eq!(refused(&[]), None);
        assert_eq!(refused(&[(ORIGIN, "https://orders.example"), (CONTENT_TYPE, "application/grpc-web+proto")]), None);
        assert_eq!(refused(&[(ORIGIN, "http://orders.example")]), Some(StatusCode::FORBIDDEN));
        let text = refused(&[(CONTENT_TYPE, "application/grpc-web-text+proto")]);
        assert_eq!(text, Some(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
}
