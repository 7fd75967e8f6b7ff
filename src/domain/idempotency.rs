//! Idempotency: what is kept of a request so that a retry gets the same answer and changes nothing. A
//! client that got no answer cannot know whether its request was carried out; with a request id it can
//! simply send it again.

use uuid::Uuid;

use super::code::{PrincipalId, StoreId};
use super::outcome::Outcome;
use super::time::Timestamp;

/// What a client sends so that a retry is recognized and not carried out a second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyKey {
    /// The request id, made by the client and sent again with each retry.
    pub id: Uuid,
    /// SHA-256, in hexadecimal, of the rpc's full name and the request without its id: the same id with
    /// another fingerprint is a client's mistake.
    pub fingerprint: String,
}

/// The key of a stored response. It holds the principal, so that no caller can ask for the answer to
/// another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredResponseKey {
    /// The store that the request is about.
    pub store: StoreId,
    /// The caller who sent the request.
    pub principal: PrincipalId,
    /// The request id that the client made.
    pub id: Uuid,
}

/// The response to a request, stored in the transaction that carried it out: there is one if and only
/// if the request was carried out.
#[derive(Clone, Debug)]
pub struct StoredResponse {
    /// Under which store, principal and request id it is looked for.
    pub key: StoredResponseKey,
    /// The fingerprint of the request; a retry must have the same.
    pub fingerprint: String,
    /// When it was stored, by the store's clock; old ones are pruned.
    pub create_time: Timestamp,
    /// What the command did, from which the answer is built again.
    pub outcome: Outcome,
}
