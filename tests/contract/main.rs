//! The contract, rpc by rpc: for each one story over real gRPC, on both databases, with as many
//! refusals as successes, held against the reasons that the contract's comments document.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a test that fails says so by a panic")]

#[path = "../support/mod.rs"]
mod support;

mod documented;
mod story;

mod completing;
mod drafting;
mod giving_up;
mod grants;
mod inventory;
mod orders;
mod receipts;
mod receiving;
mod roles;
mod stores;
mod tokens;
mod updating;
mod walk;
