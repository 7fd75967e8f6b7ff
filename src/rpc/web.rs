//! Calls of browsers: gRPC-Web over HTTP/1.1, translated to gRPC in front of the guard, so that everything behind is the
//! same for both.
//!
//! A browser sends a page's calls only where the page's origin is allowed (CORS): it asks first, and the answer to that
//! question, which no rpc sees, names only origins that an operator has configured.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::header::{AUTHORIZATION, CONTENT_TYPE};
use http::{HeaderName, Method, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::{Bytes, Incoming};
use tonic::body::Body;
use tonic_web::GrpcWebLayer;
use tower::{ServiceBuilder, ServiceExt};
use tower_http::cors::CorsLayer;

use super::counted::CountedBody;
use crate::transport::call_timeout::clear_call_timeout;
use crate::transport::origin::Origin;

/// For how long a browser may remember that an origin is allowed. Browsers cut it to their own limits.
const REMEMBERED: Duration = Duration::from_secs(60 * 60);
/// How many bytes of an answer are handed to the connection at once. HTTP/1.1 has no flow control of its own: a frame is
/// buffered as a whole, and from then on it is not charged to the call any more.
const PIECE: usize = 16 * 1024;
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
    cors: CorsLayer,
}

impl BrowserCalls {
    /// Allows the pages of these origins to call.
    pub fn new(origins: &[Origin]) -> Self {
        let origins: Vec<_> = origins.iter().map(Origin::header).collect();
        let cors = CorsLayer::new()
            .allow_origin(origins)
            .allow_methods([Method::POST])
            .allow_headers(ALLOWED_HEADERS)
            .expose_headers(EXPOSED_HEADERS)
            .max_age(REMEMBERED);
        Self { cors }
    }

    /// Answers one request: the call in it by `answer`, a browser's question whether a page may call by itself, and
    /// anything else by an HTTP status of a client's error.
    pub async fn answer<A, F>(self, request: Request<Incoming>, answer: A) -> Response<BrowserBody>
    where
        A: Fn(Request<Body>) -> F,
        F: Future<Output = Response<CountedBody>>,
    {
        let call = |request| {
            let answered = answer(request);
            async move { Ok::<_, Infallible>(answered.await) }
        };
        let service = ServiceBuilder::new().layer(self.cors).layer(GrpcWebLayer::new()).service_fn(call);
        let Ok(response) = service.oneshot(request).await;
        response.map(|body| BrowserBody { body, piece: Bytes::new() })
    }
}

/// The body of an answer, in pieces. When it ends, the time to read it no longer ends the connection.
pub struct BrowserBody {
    body: Body,
    /// What is left of the frame that is being handed on.
    piece: Bytes,
}

impl Drop for BrowserBody {
    fn drop(&mut self) {
        clear_call_timeout();
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
        Poll::Ready(Some(Ok(Frame::data(self.piece.split_to(length)))))
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
