//! The rules: commands, what they need to know, what they decide. Pure: no clock, no randomness, no
//! database, no transport. Time and ids are handed in, and what a rule may read is a [`Workspace`]
//! that somebody else has filled. So each rule runs, and is tested, without anything else running.
//!
//! [`mutation`] is the way in: `needs` before the workspace is loaded, `decide` afterwards.
//!
//! [`Workspace`]: workspace::Workspace

pub mod access;
pub mod code;
pub mod decimal;
pub mod decision;
pub mod draft;
pub mod event;
pub mod inventory;
pub mod money;
pub mod mutation;
pub mod needs;
pub mod order;
pub mod principal;
pub mod quantity;
pub mod refusal;
pub mod request;
pub mod store;
pub mod text;
pub mod time;
pub mod unit;
pub mod workspace;

use uuid::Uuid;

/// Where new ids come from. Handed in, so that a decision can be repeated in a test.
pub trait Ids: Send + Sync {
    /// An id that was never given out before.
    fn next(&self) -> Uuid;
}
