//! The bytes of a call, in both directions, counted as long as they are held.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use tokio::sync::{oneshot, watch};
use tonic::body::Body;
use tonic::{Code, Status};

use super::errors::{CallError, TransportFault, to_status};
use crate::transport::closes;
use crate::transport::resource_limits::CallPermit;
use crate::workers::error::ServiceFault;

/// The room that a call has, held until both its request and its answer are done with.
#[derive(Clone)]
pub struct SharedPermit(Arc<Mutex<CallPermit>>);

impl SharedPermit {
    /// The room of one call.
    pub fn new(held: CallPermit) -> Self {
        Self(Arc::new(Mutex::new(held)))
    }

    fn take(&self, frame: &Frame<Bytes>) -> Result<(), ServiceFault> {
        self.grow(frame.data_ref().map_or(0, Bytes::len))
    }

    /// Takes room for more bytes, for as long as the call lasts.
    pub fn grow(&self, bytes: usize) -> Result<(), ServiceFault> {
        let fits = self.0.lock().unwrap_or_else(PoisonError::into_inner).grow(bytes);
        if fits { Ok(()) } else { Err(ServiceFault::QueueFull) }
    }
}

/// The bytes of a request that is not read as a whole before it is handed on: one of a stream. They end
/// with the answer: an rpc that reads its request in a task of its own, as reflection does, would
/// otherwise wait there, with the room of its call, for as long as the caller leaves the request open.
pub struct MeteredBody {
    body: Incoming,
    permit: SharedPermit,
    /// Closed once the answer has ended; `None` when that was seen.
    answered: Option<oneshot::Receiver<()>>,
}

impl MeteredBody {
    /// Counts what is read of `body` until the other half of `answered` is dropped.
    pub fn new(body: Incoming, permit: SharedPermit, answered: oneshot::Receiver<()>) -> Self {
        Self { body, permit, answered: Some(answered) }
    }
}

impl HttpBody for MeteredBody {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(answered) = &mut self.answered else { return Poll::Ready(None) };
        if Pin::new(answered).poll(cx).is_ready() {
            self.answered = None;
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame?;
            self.permit.take(&frame).map_err(to_status)?;
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
pub struct ResponseBody {
    first: Option<Frame<Bytes>>,
    rest: Body,
    permit: Option<SharedPermit>,
    /// Ends the request when it is dropped.
    _answering: Option<oneshot::Sender<()>>,
    /// Ends what is watched, for the reason that it comes to.
    end: Option<BoxFuture<'static, TransportFault>>,
}

impl ResponseBody {
    /// An answer that says no.
    pub fn refusal(status: Status) -> Response<Self> {
        status.into_http().map(|rest| Self { first: None, rest, permit: None, _answering: None, end: None })
    }

    /// An answer that is sent as long as it lasts, or until `end`.
    pub fn begin(
        response: Response<Body>,
        permit: SharedPermit,
        answering: oneshot::Sender<()>,
        end: Option<WatchEnd>,
    ) -> Response<Self> {
        let (head, mut rest) = response.into_parts();
        let first = match rest.frame().now_or_never().flatten() {
            Some(Err(status)) => return Self::refusal(status),
            Some(Ok(frame)) => Some(normalize_trailers(frame)),
            None => None,
        };
        if let Some(Err(refusal)) = first.as_ref().map(|frame| permit.take(frame)) {
            return Self::refusal(to_status(refusal));
        }
        let end = end.map(|end| end.reached().boxed());
        Response::from_parts(head, Self { first, rest, permit: Some(permit), _answering: Some(answering), end })
    }
}

/// When what is watched ends, whoever watches it.
pub struct WatchEnd {
    /// True from the moment on when the service stops.
    pub closing: watch::Receiver<bool>,
    /// When it has been watched for long enough: what a peer holds without doing anything it must ask for
    /// again.
    pub at: Instant,
}

impl WatchEnd {
    /// Waits for the end; why it came.
    async fn reached(mut self) -> TransportFault {
        tokio::select! {
            () = closes(&mut self.closing) => TransportFault::Stopping,
            () = tokio::time::sleep_until(self.at.into()) => TransportFault::WatchEnded,
        }
    }
}

impl HttpBody for ResponseBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if let Some(first) = self.first.take() {
            return Poll::Ready(Some(Ok(first)));
        }
        if let Poll::Ready(frame) = Pin::new(&mut self.rest).poll_frame(cx) {
            return Poll::Ready(frame.map(|frame| {
                let frame = normalize_trailers(frame?);
                if let Some(permit) = &self.permit {
                    permit.take(&frame).map_err(to_status)?;
                }
                Ok(frame)
            }));
        }
        // What was there to be told was told, such as NOT_SERVING.
        let refusal = ready!(self.end.as_mut().map_or(Poll::Pending, |end| end.as_mut().poll(cx)));
        (self.end, self.rest) = (None, Body::empty());
        Poll::Ready(Some(Ok(Frame::trailers(trailers(refusal)))))
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.rest.is_end_stream()
    }
}

/// How an answer that has begun ends with a refusal.
fn trailers(error: impl Into<CallError>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if to_status(error).add_header(&mut trailers).is_err() {
        // Nothing that a refusal holds is unfit for a header; UNAVAILABLE lets its client ask again.
        trailers.insert("grpc-status", HeaderValue::from_static("14"));
    }
    trailers
}

/// What the libraries refuse within an answer that has begun, with the codes and details that callers
/// are told of. Everything else stays as it is.
fn normalize_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    let Some(told) = frame.trailers_ref().filter(|told| !told.contains_key("grpc-status-details-bin")) else {
        return frame;
    };
    let error: CallError = match told.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes())) {
        // By reflection: there is no such file or symbol; nothing was asked for.
        Some(Code::NotFound) => TransportFault::SymbolUnknown.into(),
        Some(Code::InvalidArgument) => TransportFault::MalformedMessage.into(),
        Some(Code::OutOfRange) => ServiceFault::Internal("an answer is larger than any may be".to_owned()).into(),
        _ => return frame,
    };
    Frame::trailers(trailers(error))
}
