//! How a retry of a mutation is recognized: by the client's request id and a fingerprint of the request.
//!
//! The fingerprint covers everything but the id itself. A request id that comes again with another
//! fingerprint is a client's mistake and is refused; with the same fingerprint it is a retry, which gets
//! the stored response again.

use prost::Message;
use sha2::{Digest, Sha256};

use super::costs::NamesCost;
use super::field_parser::{FieldParser, parse_uuid};
use crate::domain::idempotency::IdempotencyKey;

/// What the writers need of a request to recognize its retry and to bound what waits.
pub struct Idempotency {
    /// `None` if the client sent no request id: then nothing is stored, and sending it twice does it twice.
    pub key: Option<IdempotencyKey>,
    /// The first field of the request that names a cost, if one does.
    pub named_cost: Option<&'static str>,
    /// The encoded size of the whole request.
    pub bytes: usize,
}

/// A request of a mutating rpc. The build script implements it for every request with a `request_id`.
pub trait IdempotentRequest: Message + NamesCost + Sized {
    /// The rpc's full name. It is a part of the fingerprint, so that one id cannot serve two rpcs whose
    /// requests have the same bytes.
    const RPC: &'static str;

    /// The field with the client's id.
    fn request_id(&mut self) -> &mut String;

    /// Takes the request id out of the request and computes the fingerprint of what is left. The id is
    /// taken out because hashing a copy without it would copy the largest request, which is megabytes.
    fn idempotency(&mut self, fields: &mut FieldParser) -> Idempotency {
        // Of the whole request, so before the id is taken out.
        let bytes = self.encoded_len();
        let named_cost = self.names_cost();
        let id = std::mem::take(self.request_id());
        if id.is_empty() {
            return Idempotency { key: None, named_cost, bytes };
        }
        let Some(id) = parse_uuid(&id) else {
            fields.violation("request_id", "must be a UUID such as 0191e0c8-0b5e-7c11-9f3a-2f6c1d8e4b7a");
            return Idempotency { key: None, named_cost, bytes };
        };
        // Of the message encoded again and not of the bytes that came: fields in another order, or numbers written
        // longer than they need be, are the same request.
        let mut hash = Sha256::new();
        hash.update(Self::RPC);
        // No name of an rpc has a zero byte, so name and request cannot run into each other.
        hash.update([0]);
        hash.update(self.encode_to_vec());
        let fingerprint = format!("{:x}", hash.finalize());
        Idempotency { key: Some(IdempotencyKey { id, fingerprint }), named_cost, bytes }
    }
}
