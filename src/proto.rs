//! The contract, as generated from `proto/`: messages, servers, and clients for tests, examples and
//! other Rust services.

/// Package `purchasing.v1`.
#[allow(clippy::all, clippy::pedantic, clippy::allow_attributes_without_reason, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("purchasing.v1");
}

/// The contract as a descriptor set, for reflection.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
