//! What was cancelled of lines, and why.
//!
//! A line keeps how much of it was cancelled in all. Each part has a row of its own besides, with the event that
//! cancelled it: one part may be given up because it is sold out, and another when the order is completed. A reason that
//! is about the order as a whole is kept once, on its header: copied to each of 5,000 lines, a request of one kilobyte
//! would write five megabytes.

use super::{Line, LineKey};
use crate::domain::quantity::Quantity;

/// Bytes of the reasons that one request gives for its lines together, so that an event with them stays small enough to
/// be read with others.
pub const MAX_REASONS_SIZE: usize = 500_000;

/// A quantity of a line that one event cancelled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancellation {
    /// The line that it was cancelled of.
    pub line: LineKey,
    /// The number of the event that cancelled it; an event cancels a quantity of a line once.
    pub event: i64,
    /// How much; above zero.
    pub quantity: Quantity,
    /// Why, if the line has a reason of its own; otherwise that of the header counts.
    pub reason: Option<String>,
}

impl Line {
    /// Moves so much of what is pending to what is cancelled.
    pub(super) fn cancel(&mut self, quantity: Quantity) {
        self.quantities.cancelled += quantity;
        self.quantities.balance();
    }
}
