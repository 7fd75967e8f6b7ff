//! Idempotency: what is kept of a call so that its retry gets the same answer.

use uuid::Uuid;

use super::code::{PrincipalId, StoreId};
use super::outcome::Outcome;
use super::time::Timestamp;

/// A client's mark on one intention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// Made by the client, sent again with each retry.
    pub id: Uuid,
    /// SHA-256, in hexadecimal, of the rpc's full name and the request without its id.
    pub fingerprint: String,
}

/// Under what a first answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredResponseKey {
    /// The store that the request is about.
    pub store: StoreId,
    /// Who sent it.
    pub principal: PrincipalId,
    /// The client's id for it.
    pub id: Uuid,
}

/// A first answer.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// Its key.
    pub key: StoredResponseKey,
    /// The fingerprint of the request that it answered.
    pub fingerprint: String,
    /// When.
    pub create_time: Timestamp,
    /// What the call came to.
    pub outcome: Outcome,
}
