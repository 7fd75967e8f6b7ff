//! The bodies of a call's request and answer. Their bytes are charged to the call's permit for as long as
//! the call lasts, so that the memory of all calls together is bounded, whatever they send or ask for.

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
use hyper::body::Bytes;
use tokio::sync::{oneshot, watch};
use tonic::body::Body;
use tonic::{Code, Status};

use super::errors::{CallError, TransportFault, to_status};
use crate::transport::closes;
use crate::transport::resource_limits::CallPermit;
use crate::workers::error::ServiceFault;

/// Why a request cannot be read any further.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// A call's share of its class's budget. Request and answer share it; it is returned when both are dropped.
#[derive(Clone)]
pub struct SharedPermit(Arc<Mutex<CallPermit>>);

impl SharedPermit {
    /// Shares the permit that the connection gave to one call.
    pub fn new(held: CallPermit) -> Self {
        Self(Arc::new(Mutex::new(held)))
    }

    fn take(&self, frame: &Frame<Bytes>) -> Result<(), ServiceFault> {
        self.grow(frame.data_ref().map_or(0, Bytes::len))
    }

    /// Charges the call with a frame, and no longer with one that was sent before it.
    fn exchange(&self, frame: &Frame<Bytes>, held: &mut [usize; 2]) -> Result<(), ServiceFault> {
        // Charged before anything is given back: if this is refused, the frames that were sent are charged as before.
        self.take(frame)?;
        let [oldest, newest] = *held;
        self.0.lock().unwrap_or_else(PoisonError::into_inner).shrink(oldest);
        *held = [newest, frame.data_ref().map_or(0, Bytes::len)];
        Ok(())
    }

    /// Charges the call with more bytes until it ends; refuses if the budget has none left.
    pub fn grow(&self, bytes: usize) -> Result<(), ServiceFault> {
        let fits = self.0.lock().unwrap_or_else(PoisonError::into_inner).grow(bytes);
        if fits { Ok(()) } else { Err(ServiceFault::QueueFull) }
    }
}

/// The body of a streamed request, which is passed on as it arrives. It ends when the answer has ended: an rpc
/// that reads its request in a task of its own, as reflection does, would otherwise keep waiting, and hold
/// the call's permit, for as long as the caller leaves the request open.
pub struct MeteredBody<B> {
    body: B,
    permit: SharedPermit,
    /// Closed once the answer has ended; `None` when that was seen.
    answered: Option<oneshot::Receiver<()>>,
}

impl<B> MeteredBody<B> {
    /// Counts what is read of `body` until the other half of `answered` is dropped.
    pub fn new(body: B, permit: SharedPermit, answered: oneshot::Receiver<()>) -> Self {
        Self { body, permit, answered: Some(answered) }
    }
}

impl<B> HttpBody for MeteredBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let Some(answered) = &mut self.answered else { return Poll::Ready(None) };
        // Before the body, so that the end of the answer wakes this task also while the caller sends nothing.
        if Pin::new(answered).poll(cx).is_ready() {
            self.answered = None;
            return Poll::Ready(None);
        }
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let frame = frame.map_err(Into::into)?;
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

/// The body of an answer. Its first frame is made before the headers are sent, so that an answer for which
/// there is no budget can still be replaced by an error.
pub struct ResponseBody {
    first: Option<Frame<Bytes>>,
    rest: Body,
    permit: Option<SharedPermit>,
    /// Of a watch: the bytes of the last two frames. A further frame is asked for only when the connection has taken those
    /// before it: the others are sent, or in its send buffer, which has a bound of its own. The first frame is not
    /// among them; it is charged until the watch ends.
    held: Option<[usize; 2]>,
    /// Ends the request when it is dropped.
    _answering: Option<oneshot::Sender<()>>,
    /// Resolves when a watch must end, with the fault that it ends with.
    end: Option<BoxFuture<'static, TransportFault>>,
    /// The fault that the watch ends with after the frame that was sent last.
    ended: Option<TransportFault>,
}

impl ResponseBody {
    /// An answer that consists of a status alone. It costs nothing of a budget.
    pub fn refusal(status: Status) -> Response<Self> {
        status.into_http().map(|rest| Self {
            first: None,
            rest,
            permit: None,
            held: None,
            _answering: None,
            end: None,
            ended: None,
        })
    }

    /// An answer that is sent until it is complete or, for a watch, until `end`.
    pub fn begin(
        response: Response<Body>,
        permit: SharedPermit,
        answering: oneshot::Sender<()>,
        end: Option<WatchEnd>,
    ) -> Response<Self> {
        let (head, mut rest) = response.into_parts();
        // The message of a unary answer is ready at once. A stream may have nothing yet: its first frame is charged
        // when it comes, and if it is refused, the status can be sent in trailers alone.
        let first = match rest.frame().now_or_never().flatten() {
            Some(Err(status)) => return Self::refusal(status),
            Some(Ok(frame)) => Some(normalize_trailers(frame)),
            None => None,
        };
        if let Some(Err(refusal)) = first.as_ref().map(|frame| permit.take(frame)) {
            return Self::refusal(to_status(refusal));
        }
        let held = end.is_some().then_some([0, 0]);
        let end = end.map(|end| end.reached().boxed());
        let (permit, _answering) = (Some(permit), Some(answering));
        Response::from_parts(head, Self { first, rest, permit, held, _answering, end, ended: None })
    }
}

/// When a watch ends, even if its client would go on.
pub struct WatchEnd {
    /// Becomes true when the server closes its listener.
    pub closing: watch::Receiver<bool>,
    /// The end of the longest time of a watch. After it the client must watch again, so that an idle client
    /// cannot hold a part of the budget for ever.
    pub at: Instant,
}

impl WatchEnd {
    /// Waits for the end and returns which of the two it was.
    async fn reached(mut self) -> TransportFault {
        tokio::select! {
            () = closes(&mut self.closing) => TransportFault::Stopping,
            () = tokio::time::sleep_until(self.at.into()) => TransportFault::WatchEnded,
        }
    }
}

impl ResponseBody {
    /// A frame as it is sent, for which the call is charged. If there is no budget for it the answer ends, with a status: an
    /// error of the body itself would reach the client as a reset stream, which says nothing.
    fn charge(&mut self, frame: Frame<Bytes>) -> Frame<Bytes> {
        let frame = normalize_trailers(frame);
        let charged = match (&self.permit, &mut self.held) {
            (Some(permit), Some(held)) => permit.exchange(&frame, held),
            (Some(permit), None) => permit.take(&frame),
            (None, _) => Ok(()),
        };
        match charged {
            Ok(()) => frame,
            Err(fault) => {
                (self.end, self.ended, self.rest) = (None, None, Body::empty());
                Frame::trailers(trailers(fault))
            }
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
        if let Some(ended) = self.ended.take() {
            return Poll::Ready(Some(Ok(Frame::trailers(trailers(ended)))));
        }
        // Both are polled each time, so that whichever of them is ready first wakes this task.
        let ended = self.end.as_mut().map_or(Poll::Pending, |end| end.as_mut().poll(cx));
        let next = Pin::new(&mut self.rest).poll_frame(cx);
        let Poll::Ready(ended) = ended else {
            return next.map(|frame| frame.map(|frame| frame.map(|frame| self.charge(frame))));
        };
        // What is ready when the watch ends is still sent, such as a last NOT_SERVING. But that is all: a watch that
        // always has something ready would not end otherwise.
        (self.end, self.rest) = (None, Body::empty());
        match next {
            Poll::Ready(Some(Ok(frame))) if frame.is_data() => {
                // Set before the frame is charged: if that is refused, the status that says so ends the answer, and
                // clears this.
                self.ended = Some(ended);
                Poll::Ready(Some(Ok(self.charge(frame))))
            }
            Poll::Ready(last) => Poll::Ready(last.map(|frame| frame.map(normalize_trailers))),
            Poll::Pending => Poll::Ready(Some(Ok(Frame::trailers(trailers(ended))))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.first.is_none() && self.ended.is_none() && self.rest.is_end_stream()
    }
}

/// The trailers of an error in an answer whose headers were sent already.
fn trailers(error: impl Into<CallError>) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    if to_status(error).add_header(&mut trailers).is_err() {
        // No text of a status is invalid in a header; if one were, UNAVAILABLE lets the client retry.
        trailers.insert("grpc-status", HeaderValue::from_static("14"));
    }
    trailers
}

/// Replaces a status that a library put into trailers by the one that the contract documents. Everything else
/// stays as it is.
fn normalize_trailers(frame: Frame<Bytes>) -> Frame<Bytes> {
    let Some(sent) = frame.trailers_ref().filter(|sent| !sent.contains_key("grpc-status-details-bin")) else {
        return frame;
    };
    let error: CallError = match sent.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes())) {
        // Reflection reports NotFound for an unknown file or symbol, InvalidArgument for an empty request.
        Some(Code::NotFound) => TransportFault::SymbolUnknown.into(),
        Some(Code::InvalidArgument) => TransportFault::MalformedMessage.into(),
        // So tonic ends an answer above the limit of its service. Rules and pages are bounded so that none is.
        Some(Code::OutOfRange) => ServiceFault::Internal("an answer is larger than any may be".to_owned()).into(),
        _ => return frame,
    };
    Frame::trailers(trailers(error))
}
