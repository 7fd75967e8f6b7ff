//! What comes with a call beside its message: who calls, how long they wait, and the mark by which a
//! retry is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request as TonicRequest, Status};

use super::errors::to_status;
use super::form::{Form, parse_uuid};
use crate::domain::access::Requirement;
use crate::domain::code::StoreId;
use crate::domain::mutation::{Mutation, Request};
use crate::domain::principal::Principal;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::request::RequestMark;
use crate::repository::read::authorized::AccessCheck;

/// Who calls, and what the rpc requires of them.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Who.
    pub principal: Principal,
    /// What they must be allowed, as its policy says; `None` if to be known is enough.
    pub requirement: Option<Requirement>,
}

/// What the guard found out about a call that it let through.
#[derive(Clone, Debug)]
pub struct Opened {
    /// Who.
    pub caller: Caller,
    /// When they stop waiting.
    pub deadline: Option<Instant>,
}

/// Who calls and how long they wait.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who.
    pub caller: Caller,
    /// When they stop waiting, if they said so.
    pub deadline: Option<Instant>,
}

impl Call {
    /// Takes the message of a call out; a call that the guard has not seen is refused.
    pub fn open<T>(request: TonicRequest<T>) -> Result<(Self, T), Status> {
        let (_, mut extensions, message) = request.into_parts();
        let unguarded = || to_status(Refusal::Internal("a call came past the guard".to_owned()));
        let Opened { caller, deadline } = extensions.remove::<Opened>().ok_or_else(unguarded)?;
        Ok((Self { caller, deadline }, message))
    }

    /// Waits for `answer` until the deadline.
    pub async fn within_deadline<T>(&self, answer: impl Future<Output = Result<T, Refusal>>) -> Result<T, Status> {
        let answered = match self.deadline {
            None => answer.await,
            Some(deadline) => {
                tokio::time::timeout_at(deadline.into(), answer).await.unwrap_or(Err(Refusal::DeadlineExceeded))
            }
        };
        answered.map_err(to_status)
    }

    /// What a read in a store is judged by.
    pub fn check(&self, store: StoreId) -> Result<AccessCheck, Refusal> {
        let unruled = || Refusal::Internal("the policy of this rpc requires nothing".to_owned());
        let requirement = self.caller.requirement.ok_or_else(unruled)?;
        Ok(AccessCheck { store, principal: self.caller.principal.clone(), requirement })
    }

    /// A command for the lanes.
    pub fn submission(
        &self,
        store: StoreId,
        marked: (Option<RequestMark>, usize),
        mutation: impl Mutation + 'static,
    ) -> Submission {
        let (mark, bytes) = marked;
        debug_assert_eq!(Some(mutation.requires()), self.caller.requirement, "the policy and the rule are one");
        let request = Request { store, principal: self.caller.principal.clone(), mark, mutation: Arc::new(mutation) };
        Submission { request, bytes }
    }
}

/// A command for the lanes and what it takes in memory.
pub struct Submission {
    /// The command.
    pub request: Request,
    /// Bytes of the message that it came in.
    pub bytes: usize,
}

/// When the caller stops waiting, by `grpc-timeout`: up to 8 digits and a unit (gRPC over HTTP/2,
/// "Requests").
pub fn deadline(headers: &HeaderMap, now: Instant) -> Result<Option<Instant>, Refusal> {
    let Some(text) = headers.get("grpc-timeout") else { return Ok(None) };
    let rule = "must be up to 8 digits and one of H, M, S, m, u, n";
    let refusal = || Refusal::Invalid(Violations::one("grpc-timeout", rule));
    let timeout = text.to_str().ok().and_then(timeout).ok_or_else(refusal)?;
    // What cannot be reckoned is so far off that it is no deadline.
    Ok(now.checked_add(timeout))
}

fn timeout(text: &str) -> Option<Duration> {
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

/// A mutating request.
pub trait Marked: Message + Sized {
    /// The rpc's full name: a part of the fingerprint.
    const RPC: &'static str;

    /// The field that holds the client's id for it.
    fn request_id(&mut self) -> &mut String;

    /// The mark by which its retry is known, and its size. No id: no mark. Takes the id out, so that what
    /// is left is what the fingerprint is of: a copy of the largest request would be megabytes.
    fn mark(&mut self, form: &mut Form) -> (Option<RequestMark>, usize) {
        let bytes = self.encoded_len();
        let id = std::mem::take(self.request_id());
        if id.is_empty() {
            return (None, bytes);
        }
        let Some(id) = parse_uuid(&id) else {
            form.violation("request_id", "must be a UUID such as 0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a");
            return (None, bytes);
        };
        let mut hash = Sha256::new();
        hash.update(Self::RPC);
        hash.update([0]);
        hash.update(self.encode_to_vec());
        (Some(RequestMark { id, fingerprint: format!("{:x}", hash.finalize()) }), bytes)
    }
}
