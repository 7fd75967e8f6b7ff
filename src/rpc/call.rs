//! What comes with a call beside its message: who calls, how long they wait, and the mark by which a
//! retry is known.

use std::sync::Arc;
use std::time::{Duration, Instant};

use prost::Message;
use sha2::{Digest, Sha256};
use tonic::metadata::MetadataMap;
use tonic::{Request as TonicRequest, Status};

use super::App;
use super::errors::to_status;
use super::form::{Form, parse_uuid};
use crate::domain::code::StoreId;
use crate::domain::mutation::{Mutation, Request};
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::request::RequestMark;

/// Who calls and how long they wait.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who.
    pub principal: Principal,
    /// When they stop waiting, if they said so.
    pub deadline: Option<Instant>,
}

impl Call {
    /// Judges the credentials of a call and takes its message out.
    pub fn open<T>(app: &App, request: TonicRequest<T>) -> Result<(Self, T), Status> {
        let (metadata, _, message) = request.into_parts();
        let header = |name: &str| metadata.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let principal = app.authenticator.authenticate(&header).map_err(to_status)?;
        Ok((Self { principal, deadline: deadline(&metadata) }, message))
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

    /// A command for the lanes.
    pub fn submission(
        &self,
        store: StoreId,
        marked: (Option<RequestMark>, usize),
        mutation: impl Mutation + 'static,
    ) -> Submission {
        let (mark, bytes) = marked;
        let request = Request { store, principal: self.principal.clone(), mark, mutation: Arc::new(mutation) };
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

/// `grpc-timeout`: up to 8 digits and a unit (gRPC over HTTP/2, "Requests").
fn deadline(metadata: &MetadataMap) -> Option<Instant> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
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
    Instant::now().checked_add(unit.checked_mul(count)?)
}

/// A mutating request.
pub trait Marked: Message + Clone {
    /// The rpc's full name: a part of the fingerprint.
    const RPC: &'static str;

    /// The field that holds the client's id for it.
    fn request_id(&mut self) -> &mut String;

    /// The mark by which its retry is known, and its size. No id: no mark.
    fn mark(&self, form: &mut Form) -> (Option<RequestMark>, usize) {
        let bytes = self.encoded_len();
        let mut bare = self.clone();
        let id = std::mem::take(bare.request_id());
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
        hash.update(bare.encode_to_vec());
        (Some(RequestMark { id, fingerprint: format!("{:x}", hash.finalize()) }), bytes)
    }
}
