//! Checks every call before it reaches its rpc, in this order: the size of its metadata, its policy, its
//! deadline, its credentials, the budget of its class, the size of its message.
//!
//! Credentials are checked before a call takes from a budget, so that callers without valid ones never
//! occupy what ordinary calls need. The answer is charged to the same budget, and a panic in a handler
//! becomes an INTERNAL error of that call and not the end of its connection. Methods without a policy return
//! UNIMPLEMENTED, so that a new rpc cannot be served unprotected by mistake.

pub mod call;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Bytes;
use tokio::sync::{oneshot, watch};
use tonic::Code;
use tonic::body::Body;
use tonic::service::Routes;
use tower_service::Service as _;

use self::call::{Call, deadline};
use crate::auth::Authenticator;
use crate::rpc::access_log::CallRecord;
use crate::rpc::bodies::{BodyError, MeteredBody, ResponseBody, SharedPermit, WatchEnd};
use crate::rpc::errors::{CallError, TransportFault, to_status};
use crate::rpc::policy::{self, Policy};
use crate::rpc::unary;
use crate::transport::call_timeout::set_call_timeout;
use crate::transport::connection::Connection;
use crate::transport::resource_limits::{CallClass, CallPermit};
use crate::workers::error::ServiceFault;

/// Bytes of metadata in one call. Each header counts with its name, its value and 32 bytes (RFC 9113,
/// section 6.5.2).
const MAX_METADATA: usize = 16 * 1024;
/// How long the client may take to read an answer that was made before the deadline.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// How much longer than a watch a read for it may take.
const WATCH_SLACK: Duration = Duration::from_secs(60);

/// The guard of one server. It is cloned for each call; see the module's documentation for what it does.
#[derive(Clone)]
pub struct Guard {
    /// The services that accepted calls are handed to.
    pub routes: Routes,
    /// Finds the principal of a call from its headers and its client certificate.
    pub authenticator: Arc<dyn Authenticator>,
    /// The longest time of a call, also if its caller allows more or sets no deadline.
    pub max_deadline: Duration,
    /// The same for calls without credentials: their messages are small and their answers are in memory.
    pub max_public_deadline: Duration,
    /// The longest time of a watch. A client that wants to go on watches again, so that a stream
    /// that its client has forgotten does not occupy its budget for ever.
    pub max_watch: Duration,
    /// Whether reflection takes no credentials.
    pub public_reflection: bool,
    /// Becomes true when the server closes its listener; every watch ends then.
    pub closing: watch::Receiver<bool>,
}

/// A call that passed every check that needs no message.
struct AcceptedCall {
    /// What the handler gets; `None` if the rpc takes no credentials.
    call: Option<Call>,
    deadline: Instant,
    /// The end of a watch; `None` for calls with one answer.
    watch_ends: Option<Instant>,
    /// Whether the caller may send several messages.
    streams_requests: bool,
    permit: CallPermit,
}

impl Guard {
    /// Answers one call of a connection. A call that is dropped before it has an answer was reset by its
    /// client, which the connection counts: resetting many calls is an attack.
    /// What becomes known of it is noted in `record`.
    pub async fn answer<B>(
        self,
        connection: Arc<Connection>,
        record: Arc<CallRecord>,
        request: Request<B>,
    ) -> Response<ResponseBody>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let watched = Unanswered(Some(&connection));
        let answered = match self.accept(&connection, record, &request) {
            Ok(accepted) => self.run(accepted, request).await,
            Err(refusal) => ResponseBody::refusal(to_status(refusal)),
        };
        // Not reached if this future is dropped before: that is how a call that was abandoned is noticed.
        watched.answered();
        answered
    }

    fn accept<B>(
        &self,
        connection: &Connection,
        record: Arc<CallRecord>,
        request: &Request<B>,
    ) -> Result<AcceptedCall, CallError> {
        let headers = request.headers();
        let metadata: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        // In HTTP/2 the path is sent as a header too, and is not among these.
        if metadata + request.uri().path().len() > MAX_METADATA {
            return Err(TransportFault::MetadataTooLarge(MAX_METADATA).into());
        }
        let policy = policy::of(request.uri().path(), self.public_reflection).ok_or(TransportFault::MethodUnknown)?;
        let class = policy.class();
        let now = Instant::now();
        let most = now
            + match class {
                CallClass::Ordinary => self.max_deadline,
                // An operator who lowers the limit of all calls lowers this one with it.
                CallClass::Public => self.max_deadline.min(self.max_public_deadline),
                CallClass::Watch | CallClass::EventWatch => self.max_watch,
            };
        let deadline = deadline(headers, now)?.map_or(most, |asked| asked.min(most));
        // A timeout of 0. Nothing can be answered in time, so nothing is authenticated and no budget is used for it.
        if deadline <= now {
            return Err(ServiceFault::DeadlineExceeded.into());
        }
        let is_watch = matches!(class, CallClass::Watch | CallClass::EventWatch);
        let call = match policy {
            Policy::Public | Policy::PublicStream => None,
            Policy::Authenticated
            | Policy::AuthenticatedStream
            | Policy::Read(_)
            | Policy::ReadStream(_)
            | Policy::Command => {
                let principal = self.authenticator.authenticate(headers, connection.certificate())?;
                // It is set once, here.
                let _ = record.caller.set(principal.id.clone());
                // A watch is ended from outside; until then a read for it must not be told that it is late.
                let slack = if class == CallClass::EventWatch { WATCH_SLACK } else { Duration::ZERO };
                Some(Call::new(principal, policy.read_requirement(), deadline + slack, record, is_watch))
            }
        };
        // The caller sees RESOURCE_EXHAUSTED and when to try again, whether its own share is used up or that of all.
        let permit = connection.call(class).ok_or(ServiceFault::QueueFull)?;
        let streams_requests = policy.streams_requests();
        // A watch ends with a status when the service's limit is reached. At an earlier deadline its client ends it; if
        // the client does not, the timeout that `run` sets resets the stream.
        Ok(AcceptedCall { call, deadline, watch_ends: is_watch.then_some(most), streams_requests, permit })
    }

    async fn run<B>(self, accepted: AcceptedCall, mut request: Request<B>) -> Response<ResponseBody>
    where
        B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
        B::Error: Into<BodyError>,
    {
        let AcceptedCall { call, deadline, watch_ends, streams_requests, permit } = accepted;
        if let Some(call) = call {
            request.extensions_mut().insert(call);
        }
        let permit = SharedPermit::new(permit);
        let (answering, answered) = oneshot::channel();
        let handed_on = hand_on(self.routes, request, &permit, streams_requests.then_some(answered));
        // For the answer: while the peer does not read it, nothing of this call is polled, and a timer in it would not
        // be noticed.
        set_call_timeout(deadline + READ_WITHIN);
        // What a panic leaves half done belongs to this call alone: every lock that a handler shares can be used after
        // a panic.
        let called = tokio::time::timeout_at(deadline.into(), AssertUnwindSafe(handed_on).catch_unwind()).await;
        match called {
            Err(_) => ResponseBody::refusal(to_status(ServiceFault::DeadlineExceeded)),
            Ok(Err(_)) => ResponseBody::refusal(to_status(ServiceFault::Internal("a panic in a call".to_owned()))),
            Ok(Ok(Err(refusal))) => ResponseBody::refusal(to_status(refusal)),
            Ok(Ok(Ok(response))) => {
                let response = normalize_status(response);
                let end = watch_ends.map(|at| WatchEnd { closing: self.closing, at });
                ResponseBody::begin(response, permit, answering, end)
            }
        }
    }
}

/// Passes a call to its rpc. Where the caller may send more than one message, they are decoded
/// as they arrive, until the call is `answered`. The message of every other call is read and counted first.
async fn hand_on<B>(
    mut routes: Routes,
    request: Request<B>,
    permit: &SharedPermit,
    answered: Option<oneshot::Receiver<()>>,
) -> Result<Response<Body>, CallError>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<BodyError>,
{
    // By the header, before a byte of the message is read. A compressed message without it is refused where its prefix
    // is read.
    if request.headers().get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(TransportFault::CompressionUnsupported.into());
    }
    let request = match answered {
        Some(answered) => request.map(|body| Body::new(MeteredBody::new(body, permit.clone(), answered))),
        None => unary::read(request, permit).await?,
    };
    // Without `poll_ready` before it: the router is always ready, and it never fails.
    let Ok(response) = routes.call(request).await;
    Ok(response)
}

/// Replaces a status that tonic made, such as for a message that it cannot decode, by the one that the contract
/// documents. Statuses of this service have details; tonic's have none.
fn normalize_status(response: Response<Body>) -> Response<Body> {
    let headers = response.headers();
    let ours = headers.contains_key("grpc-status-details-bin");
    let refusal = match headers.get("grpc-status").map(|status| Code::from_bytes(status.as_bytes())) {
        Some(Code::OutOfRange) if !ours => TransportFault::MessageTooLarge,
        Some(Code::Internal) if !ours => TransportFault::MalformedMessage,
        _ => return response,
    };
    to_status(refusal).into_http()
}

/// Tells the connection that a call was abandoned, unless the call was answered before this is dropped.
struct Unanswered<'c>(Option<&'c Connection>);

impl Unanswered<'_> {
    fn answered(mut self) {
        self.0 = None;
    }
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.0 {
            connection.abandon();
        }
    }
}
