//! Which requests carry a request id and which ask for a page: the build script implements the two
//! traits for every request of the contract that has the fields.

use super::idempotency::IdempotentRequest;
use super::page::Paged;
use crate::proto::v1;

include!(concat!(env!("OUT_DIR"), "/request_impls.rs"));
