//! What a handler knows of a call beside its message: who calls, how long they wait, and the proof with
//! which a store's data can be read for them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use tonic::{Request, Status};

use crate::domain::access::Requirement;
use crate::domain::code::StoreId;
use crate::domain::command::{Command, Envelope};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Refusal, Violations};
use crate::repository::read::authorized::AccessCheck;
use crate::repository::read::authorized::selection::{PermittedStores, StoreSelection};
use crate::rpc::access_log::CallRecord;
use crate::rpc::errors::to_status;
use crate::rpc::idempotency::Idempotency;
use crate::traces::TracedCall;
use crate::workers::Requester;
use crate::workers::error::{ServiceFault, WorkerError};

/// A call that passed the guard: who calls, what a read requires of them, and how long they wait.
///
/// The guard alone can make one (`Call::new` is visible to it only), and a handler gets it out of the
/// request's extensions. So a handler that holds a `Call` knows that its caller is authenticated, and it
/// cannot act for another principal or with a weaker requirement than the policy's: what the readers and
/// writers need is made here from fields that nobody else can set. `tests/service/architecture.rs` checks that no
/// other file of `rpc` makes an [`AccessCheck`], an [`Envelope`] or a [`Principal`].
#[derive(Clone, Debug)]
pub struct Call {
    principal: Principal,
    /// The policy's requirement; `None` if the rpc is not a read of one store.
    requirement: Option<Requirement>,
    deadline: Instant,
    /// Where the store and the request id are noted for the access log.
    record: Arc<CallRecord>,
    /// Whether it is a watch, which goes on for minutes and reads again and again.
    is_watch: bool,
}

impl Call {
    /// An accepted call. Its principal was authenticated, and its requirement is that of the rpc's policy.
    pub(super) fn new(
        principal: Principal,
        requirement: Option<Requirement>,
        deadline: Instant,
        record: Arc<CallRecord>,
        is_watch: bool,
    ) -> Self {
        Self { principal, requirement, deadline, record, is_watch }
    }

    /// Notes the store that the request names for the access log. A watch names several, of which the first is kept.
    fn names(&self, store: &StoreId) {
        let _ = self.record.store.set(store.clone());
    }

    /// Splits a request into its call and its message. A request that did not pass the guard has no call
    /// and is refused: a route that is served without the guard fails closed.
    pub fn open<T>(request: Request<T>) -> Result<(Self, T), Status> {
        let (_, mut extensions, message) = request.into_parts();
        match extensions.remove::<Self>() {
            Some(call) => Ok((call, message)),
            None => Err(to_status(ServiceFault::Internal("a call did not pass the guard".to_owned()))),
        }
    }

    /// In whose trace workers record what they do for the call, if it is sampled. A watch has a span for itself alone:
    /// each of its reads would be one more.
    pub fn traced(&self) -> Option<TracedCall> {
        if self.is_watch { None } else { self.record.trace.traced().cloned() }
    }

    /// For whom a reader reads.
    pub fn requester(&self) -> Requester {
        Requester { caller: Some(self.principal.id.clone()), deadline: Some(self.deadline), traced: self.traced() }
    }

    /// The authenticated caller, for reads that are not about one store.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// When the caller stops waiting, or the service stops working for them, whichever comes first.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Waits for `answer` until the deadline.
    pub async fn within_deadline<T>(&self, answer: impl Future<Output = Result<T, WorkerError>>) -> Result<T, Status> {
        match tokio::time::timeout_at(self.deadline.into(), answer).await {
            Ok(answered) => answered.map_err(to_status),
            // `answer` is dropped: what still waits in a queue is given up, and what has begun ends without a listener.
            Err(_) => Err(to_status(ServiceFault::DeadlineExceeded)),
        }
    }

    /// The proof that a read of `store` takes. It is judged in the snapshot that the data come from, so
    /// a role that was revoked before the snapshot no longer counts.
    pub fn check(&self, store: StoreId) -> Result<AccessCheck, ServiceFault> {
        self.names(&store);
        match self.requirement {
            Some(requirement) => Ok(AccessCheck::new(store, self.principal.clone(), requirement)),
            None => Err(ServiceFault::Internal("this rpc's policy names no requirement for reads".to_owned())),
        }
    }

    /// The same for a list over stores: the proof for `store`, or for every store in which the caller meets the
    /// requirement if there is none.
    pub fn selection(&self, store: Option<StoreId>) -> Result<StoreSelection, ServiceFault> {
        match (store, self.requirement) {
            (Some(store), _) => Ok(StoreSelection::One(self.check(store)?)),
            (None, Some(requirement)) => {
                Ok(StoreSelection::Permitted(PermittedStores::new(self.principal.clone(), requirement)))
            }
            (None, None) => Err(ServiceFault::Internal("this rpc's policy names no requirement for reads".to_owned())),
        }
    }

    /// A command as the writers take it, with this caller as its principal.
    pub fn submission(&self, store: StoreId, idempotency: Idempotency, command: impl Command + 'static) -> Submission {
        self.names(&store);
        let Idempotency { key, named_cost, bytes } = idempotency;
        if let Some(key) = &key {
            let _ = self.record.request_id.set(key.id);
        }
        let principal = self.principal.clone();
        let command = Arc::new(command);
        let envelope = Envelope { store, principal, idempotency_key: key, named_cost, command };
        Submission { envelope, bytes }
    }

    /// A command to be decided without being saved, for a preview. It has no request id because nothing
    /// is stored that a retry could repeat, and names no cost, because a preview's request has no field
    /// for one.
    pub fn envelope(&self, store: StoreId, command: impl Command + 'static) -> Envelope {
        self.names(&store);
        let (principal, command) = (self.principal.clone(), Arc::new(command));
        Envelope { store, principal, idempotency_key: None, named_cost: None, command }
    }
}

/// A command for the writers, and the memory that it holds while it waits there.
pub struct Submission {
    /// The command with its store, its caller and its request id.
    pub envelope: Envelope,
    /// The size of the request message: the queues are bounded by bytes as well as by commands.
    pub bytes: usize,
}

/// When the caller stops waiting, according to the header `grpc-timeout`: up to 8 digits and a unit (gRPC
/// over HTTP/2, "Requests"). `None` if there is no such header, or if the time is too far off to be
/// represented, which means the same.
pub(super) fn deadline(headers: &HeaderMap, now: Instant) -> Result<Option<Instant>, Refusal> {
    let Some(header) = headers.get("grpc-timeout") else { return Ok(None) };
    match header.to_str().ok().and_then(parse_timeout) {
        Some(timeout) => Ok(now.checked_add(timeout)),
        None => {
            let rule = "must be up to 8 digits and one of H, M, S, m, u, n";
            Err(Refusal::Invalid(Violations::one("grpc-timeout", rule)))
        }
    }
}

fn parse_timeout(text: &str) -> Option<Duration> {
    // A last character of several bytes cannot be split off like this, and is no unit.
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=8).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u32 = digits.parse().ok()?;
    let unit = match unit {
        "H" => Duration::from_secs(3_600),
        "M" => Duration::from_secs(60),
        "S" => Duration::from_secs(1),
        "m" => Duration::from_millis(1),
        "u" => Duration::from_micros(1),
        "n" => Duration::from_nanos(1),
        _ => return None,
    };
    unit.checked_mul(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_is_up_to_eight_digits_and_a_unit() {
        for (text, expected) in [
            ("1H", Some(Duration::from_secs(3_600))),
            ("2M", Some(Duration::from_secs(120))),
            ("99999999n", Some(Duration::from_nanos(99_999_999))),
            ("0m", Some(Duration::ZERO)),
            ("", None),
            ("S", None),
            ("1", None),
            ("123456789S", None),
            ("-1S", None),
            ("1s", None),
            ("1.5S", None),
            ("1é", None),
        ] {
            assert_eq!(parse_timeout(text), expected, "{text:?}");
        }
    }
}
