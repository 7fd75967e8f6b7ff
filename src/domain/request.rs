//! Idempotency: what is kept of a call so that its retry gets the same answer.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::code::{PrincipalId, StoreId};
use super::order::OrderId;
use super::time::Timestamp;

/// A client's mark on one intention.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestMark {
    /// Made by the client, sent again with each retry.
    pub id: Uuid,
    /// SHA-256, in hexadecimal, of the rpc's full name and the request without its id.
    pub fingerprint: String,
}

/// Under what a first answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestKey {
    /// The store that the request is about.
    pub store: StoreId,
    /// Who sent it.
    pub principal: PrincipalId,
    /// The client's id for it.
    pub id: Uuid,
}

/// A first answer.
#[derive(Clone, Debug)]
pub struct RequestRecord {
    /// Its key.
    pub key: RequestKey,
    /// The fingerprint of the request that it answered.
    pub fingerprint: String,
    /// When.
    pub create_time: Timestamp,
    /// What the call made.
    pub made: Made,
}

/// What a mutation made: what its answer repeats exactly, however often it is asked. The rest of an
/// answer is the order's header as it stands when it is given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Made {
    /// The number of its event; 0 if nothing changed.
    pub event: i64,
    /// The order that it made or changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The receipt that it made or voided, by its number on that order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<i32>,
    /// The lines that it touched, if the answer shows them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<i32>,
    /// The back order that it made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back_order: Option<MadeBackOrder>,
}

/// The back order that a completion made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MadeBackOrder {
    /// Its id.
    pub order: OrderId,
    /// Its number.
    pub number: String,
    /// How many lines it was made with.
    pub lines: i32,
}
