//! The rules: commands, what they need to know, and what they decide.
//!
//! Rules are pure: they use no clock, randomness, database or transport. Time and ids are passed in,
//! and what a rule may read is a [`WorkingSet`] that the repository has filled. So a command can be
//! judged again after a failed transaction with the same result, and each rule is tested in its own
//! file with a store in memory (`testing`), without anything else running.
//!
//! A command is judged in this order: [`Command::needs`](command::Command::needs) before the working set
//! is loaded, [`command::gate`] on what is loaded for every command, [`command::decide`] when its needs
//! are loaded. The result is a [`Decision`](decision::Decision), which the working set absorbs and the
//! repository saves; or a [`Refusal`](refusal::Refusal), after which nothing has changed.
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
pub mod gtin;
pub mod idempotency;
pub mod inventory;
pub mod money;
pub mod needs;
pub mod order;
pub mod outcome;
pub mod pack;
pub mod principal;
pub mod quantity;
pub mod refusal;
pub mod report;
pub mod store;
#[cfg(test)]
mod testing;
pub mod text;
pub mod time;
pub mod unit;
pub mod working_set;

use uuid::Uuid;

use self::code::StoreId;

/// Where new ids come from. It is passed in, so that a test can tell which ids a decision gets.
pub trait Ids: Send + Sync {
    /// An id that was never given out before, for a new entity of a store. The commands of different
    /// stores are decided in no fixed order, so a test that counts ids counts them per store.
    fn next(&self, store: &StoreId) -> Uuid;
}
