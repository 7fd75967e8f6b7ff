//! The bytes of a call, in both directions, counted as long as they are held.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::sync::watch;
use tonic::Status;
use tonic::body::Body;

use super::errors::to_status;
use crate::domain::refusal::Refusal;
use crate::door::closes;
use crate::door::occupancy::Held;

/// The room that a call has, held until both its request and its answer are done with.
#[derive(Clone)]
pub struct Share(Arc<Mutex<Held>>);

impl Share {
    /// The room of one call.
    pub fn new(held: Held) -> Self {
        Self(Arc::new(Mutex::new(held)))
    }

    fn take(&self, frame: &Frame<Bytes>) -> Result<(), Refusal> {
        self.grow(frame.data_ref().map_or(0, Bytes::len))
    }

    /// Takes room for more bytes, for as long as the call lasts.
    pub fn grow(&self, bytes: usize) -> Result<(), Refusal> {
        let fits = self.0.lock().unwrap_or_else(PoisonError::into_inner).grow(bytes);
        if fits { Ok(()) } else { Err(Refusal::QueueFull) }
    }
}

/// The bytes of a request that is not read as a whole before it is handed on: one of a stream.
pub struct Counted {
    body: Incoming,
    share: Share,
}

impl Counted {
    /// Counts what is read of `body`.
    pub fn new(body: Incoming, share: Share) -> Self {
        Self { body, share }
    }
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame?;
            self.share.take(&frame).map_err(to_status)?;
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's bytes. The first of them are made before its head is sent, so that it is known in time
/// whether there is room for them.
pub struct Answer {
    first: Option<Frame<Bytes>>,
    rest: Body,
    share: Option<Share>,
    /// Ends what is watched when the service stops.
    closing: Option<BoxFuture<'static, ()>>,
}

impl Answer {
    /// An answer that says no.
    pub fn refusal(status: Status) -> Response<Self> {
        status.into_http().map(|rest| Self { first: None, rest, share: None, closing: None })
    }

    /// An answer that is sent as long as it lasts, or until `closing`.
    pub fn begin(response: Response<Body>, share: Share, closing: Option<watch::Receiver<bool>>) -> Response<Self> {
        let (head, mut rest) = response.into_parts();
        let first = match rest.frame().now_or_never().flatten() {
            Some(Err(status)) => return Self::refusal(status),
            Some(Ok(frame)) => Some(frame),
            None => None,
        };
        if let Some(Err(refusal)) = first.as_ref().map(|frame| share.take(frame)) {
            return Self::refusal(to_status(refusal));
        }
        let closing = closing.map(|mut closing| async move { closes(&mut closing).await }.boxed());
        Response::from_parts(head, Self { first, rest, share: Some(share), closing })
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.rest).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| {
                let frame = frame?;
                if let Some(share) = &self.share {
                    share.take(&frame).map_err(to_status)?;
                }
                Ok(frame)
            }));
        }
        // What was there to be told was told, such as NOT_SERVING.
        ready!(self.closing.as_mut().map_or(Poll::Pending, |closing| closing.as_mut().poll(cx)));
        (self.closing, self.rest) = (None, Body::empty());
        Poll::Ready(Some(Ok(Frame::trailers(stopping()))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

/// The end of what is watched while the service stops: UNAVAILABLE, so that its client looks elsewhere.
fn stopping() -> HeaderMap {
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", HeaderValue::from_static("14"));
    trailers.insert("grpc-message", HeaderValue::from_static("the service stops"));
    trailers
}
