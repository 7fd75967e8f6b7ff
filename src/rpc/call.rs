//! What comes with a call beside its message: who calls, how long they wait, and the mark by which a
//! retry is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderMap;
use prost::Message;
use sha2::{Digest, Sha256};
use tonic::{Request as TonicRequest, Status};

use super::errors::to_status;
use super::field_parser::{FieldParser, parse_uuid};
use crate::domain::access::Requirement;
use crate::domain::code::StoreId;
use crate::domain::command::{Command, Envelope};
use crate::domain::idempotency::IdempotencyKey;
use crate::domain::principal::Principal;
use crate::domain::refusal::{Refusal, Violations};
use crate::repository::read::authorized::AccessCheck;
use crate::workers::error::{ServiceFault, WorkerError};

/// A call that passed the guard: who calls, what a read requires of them, and how long they wait.
///
/// Only the guard makes one, so a handler that has it knows that its caller is authenticated.
#[derive(Clone, Debug)]
pub struct Call {
    /// The authenticated caller.
    pub principal: Principal,
    /// What the rpc's policy requires of its caller in the store that is read; `None` if the rpc is no
    /// read of one store.
    pub requirement: Option<Requirement>,
    /// When the caller stops waiting, or the service stops working for them.
    pub deadline: Instant,
}

impl Call {
    /// Splits a request into its call and its message. A request that did not pass the guard is refused.
    pub fn open<T>(request: TonicRequest<T>) -> Result<(Self, T), Status> {
        let (_, mut extensions, message) = request.into_parts();
        match extensions.remove::<Self>() {
            Some(call) => Ok((call, message)),
            None => Err(to_status(ServiceFault::Internal("a call did not pass the guard".to_owned()))),
        }
    }

    /// Waits for `answer` until the deadline.
    pub async fn within_deadline<T>(&self, answer: impl Future<Output = Result<T, WorkerError>>) -> Result<T, Status> {
        match tokio::time::timeout_at(self.deadline.into(), answer).await {
            Ok(answered) => answered.map_err(to_status),
            Err(_) => Err(to_status(ServiceFault::DeadlineExceeded)),
        }
    }

    /// What a read in `store` is authorized by, in the snapshot that it reads from.
    pub fn check(&self, store: StoreId) -> Result<AccessCheck, ServiceFault> {
        match self.requirement {
            Some(requirement) => Ok(AccessCheck { store, principal: self.principal.clone(), requirement }),
            None => Err(ServiceFault::Internal("this rpc's policy names no requirement for reads".to_owned())),
        }
    }

    /// A command for the writers.
    pub fn submission(
        &self,
        store: StoreId,
        idempotency: (Option<IdempotencyKey>, usize),
        command: impl Command + 'static,
    ) -> Submission {
        let (idempotency_key, bytes) = idempotency;
        let envelope =
            Envelope { store, principal: self.principal.clone(), idempotency_key, command: Arc::new(command) };
        Submission { envelope, bytes }
    }
}

/// A command for the writers and what it takes in memory.
pub struct Submission {
    /// The command.
    pub envelope: Envelope,
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
pub trait IdempotentRequest: Message + Sized {
    /// The rpc's full name: a part of the fingerprint.
    const RPC: &'static str;

    /// The field that holds the client's id for it.
    fn request_id(&mut self) -> &mut String;

    /// The mark by which its retry is known, and its size. No id: no mark. Takes the id out, so that what
    /// is left is what the fingerprint is of: a copy of the largest request would be megabytes.
    fn idempotency(&mut self, fields: &mut FieldParser) -> (Option<IdempotencyKey>, usize) {
        let bytes = self.encoded_len();
        let id = std::mem::take(self.request_id());
        if id.is_empty() {
            return (None, bytes);
        }
        let Some(id) = parse_uuid(&id) else {
            fields.violation("request_id", "must be a UUID such as 0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a");
            return (None, bytes);
        };
        let mut hash = Sha256::new();
        hash.update(Self::RPC);
        hash.update([0]);
        hash.update(self.encode_to_vec());
        (Some(IdempotencyKey { id, fingerprint: format!("{:x}", hash.finalize()) }), bytes)
    }
}
