//! What every call passes on its way to its rpc, in this order: the bound on its metadata, its policy,
//! its deadline, its credentials, room for it, the bounds on its message. Credentials come before room,
//! so that nobody without them ever holds what ordinary calls need. What comes back is bounded too, and
//! a panic on the way becomes an answer.

pub mod call;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use http::{Request, Response};
use hyper::body::Incoming;
use tokio::sync::{oneshot, watch};
use tonic::Code;
use tonic::body::Body;
use tonic::service::Routes;
use tower_service::Service as _;

use self::call::{Call, deadline};
use crate::auth::Authenticator;
use crate::rpc::bodies::{MeteredBody, ResponseBody, SharedPermit, WatchEnd};
use crate::rpc::errors::{CallError, TransportFault, to_status};
use crate::rpc::policy::{self, Policy};
use crate::rpc::unary;
use crate::transport::call_timeout::set_call_timeout;
use crate::transport::connection::Connection;
use crate::transport::resource_limits::{CallClass, CallPermit};
use crate::workers::error::ServiceFault;

/// Bytes of metadata, names and values and 32 for each (RFC 9113, section 6.5.2).
const MAX_METADATA: usize = 16 * 1024;
/// How long an answer that was made in time may take to be read.
const READ_WITHIN: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Clone)]
pub struct Guard {
    /// The rpcs.
    pub routes: Routes,
    /// Who calls.
    pub authenticator: Arc<dyn Authenticator>,
    /// How long a call may take at most, whatever its caller says.
    pub max_deadline: Duration,
    /// The same of calls that take no credentials: their messages are small and their answers at hand.
    pub max_public_deadline: Duration,
    /// How long something may be watched; whoever wants to know more watches again.
    pub max_watch: Duration,
    /// Whether anybody may ask what the contract is.
    pub public_reflection: bool,
    /// True from the moment on when what is watched ends.
    pub closing: watch::Receiver<bool>,
}

/// A call that may go on.
struct AcceptedCall {
    /// For the rpc's handler; `None` if it takes no credentials.
    call: Option<Call>,
    deadline: Instant,
    /// When it ends if something is watched.
    watch_ends: Option<Instant>,
    permit: CallPermit,
}

impl Guard {
    /// Answers one call.
    pub async fn answer(self, connection: Arc<Connection>, request: Request<Incoming>) -> Response<ResponseBody> {
        let watched = Unanswered(Some(&connection));
        let answered = match self.accept(&connection, &request) {
            Ok(accepted) => self.run(accepted, request).await,
            Err(refusal) => ResponseBody::refusal(to_status(refusal)),
        };
        watched.answered();
        answered
    }

    fn accept(&self, connection: &Connection, request: &Request<Incoming>) -> Result<AcceptedCall, CallError> {
        let headers = request.headers();
        let metadata: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        if metadata + request.uri().path().len() > MAX_METADATA {
            return Err(TransportFault::MetadataTooLarge(MAX_METADATA).into());
        }
        let policy = policy::of(request.uri().path(), self.public_reflection).ok_or(TransportFault::MethodUnknown)?;
        let class = policy.class();
        let now = Instant::now();
        let most = now
            + match class {
                CallClass::Ordinary => self.max_deadline,
                CallClass::Public => self.max_deadline.min(self.max_public_deadline),
                CallClass::Watch => self.max_watch,
            };
        let deadline = deadline(headers, now)?.map_or(most, |asked| asked.min(most));
        if deadline <= now {
            return Err(ServiceFault::DeadlineExceeded.into());
        }
        let call = match policy {
            Policy::Public | Policy::PublicStream => None,
            Policy::Authenticated | Policy::AuthenticatedStream | Policy::Read(_) | Policy::Command => {
                let principal = self.authenticator.authenticate(headers, connection.certificate())?;
                Some(Call::new(principal, policy.read_requirement(), deadline))
            }
        };
        let permit = connection.call(class).ok_or(ServiceFault::QueueFull)?;
        Ok(AcceptedCall { call, deadline, watch_ends: (class == CallClass::Watch).then_some(most), permit })
    }

    async fn run(self, accepted: AcceptedCall, mut request: Request<Incoming>) -> Response<ResponseBody> {
        let AcceptedCall { call, deadline, watch_ends, permit } = accepted;
        if let Some(call) = call {
            request.extensions_mut().insert(call);
        }
        let permit = SharedPermit::new(permit);
        let (answering, answered) = oneshot::channel();
        let handed_on = hand_on(self.routes, request, &permit, watch_ends.map(|_| answered));
        set_call_timeout(deadline + READ_WITHIN);
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

/// Hands a call on to its rpc. Only what is watched may send more than one message, and is decoded as it
/// comes, until it is `answered`; of everything else the message is read and counted first.
async fn hand_on(
    mut routes: Routes,
    request: Request<Incoming>,
    permit: &SharedPermit,
    answered: Option<oneshot::Receiver<()>>,
) -> Result<Response<Body>, CallError> {
    if request.headers().get("grpc-encoding").is_some_and(|encoding| encoding != "identity") {
        return Err(TransportFault::CompressionUnsupported.into());
    }
    let request = match answered {
        Some(answered) => request.map(|body| Body::new(MeteredBody::new(body, permit.clone(), answered))),
        None => unary::read(request, permit).await?,
    };
    let Ok(response) = routes.call(request).await;
    Ok(response)
}

/// What tonic refuses by itself, with the codes and details that callers are told of.
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

/// A call whose caller may go before it is answered.
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
