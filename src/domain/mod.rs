//! The rules: commands, what they need to know, what they decide. Pure: no clock, no randomness, no
//! database, no transport. Time and ids are handed in, and what a rule may read is a [`WorkingSet`]
//! that somebody else has filled. So each rule runs, and is tested, without anything else running.
//!
//! [`mutation`] is the way in: `needs` before the working_set is loaded, `decide` afterwards.
//!
//! [`WorkingSet`]: working_set::WorkingSet

pub mod access;
pub mod changeset;
pub mod clock_check;
pub mod code;
pub mod command;
pub mod decimal;
pub mod decision;
pub mod event;
pub mod idempotency;
pub mod inventory;
pub mod money;
pub mod needs;
pub mod order;
pub mod outcome;
pub mod principal;
pub mod quantity;
pub mod refusal;
pub mod store;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod unit;
pub mod working_set;

use uuid::Uuid;

use self::code::StoreId;

/// Where new ids come from. Handed in, so that a decision can be repeated in a test.
pub trait Ids: Send + Sync {
    /// An id that was never given out before, for something of a store. Which store's turn comes first
    /// is not decided here, so a test that gives ids out by counting counts per store.
    fn next(&self, store: &StoreId) -> Uuid;
}
