//! What was cancelled of lines, and why.
//!
//! A line keeps how much of it was cancelled in all. Each part has a row of its own besides, with the event that
//! cancelled it: one part may be given up because it is sold out, and another when the order is completed. A reason that
//! is about the order as a whole is kept once, on its header: copied to each of 5,000 lines, a request of one kilobyte
//! would write five megabytes.

use serde::{Deserialize, Serialize};

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
    /// The kind of the reason, if one was given for the line. Where the line has no reason of its own either, that of
    /// the header counts.
    pub reason_code: Option<CancelReason>,
}

/// Why a quantity is cancelled, as a kind that reports can count. The text beside it is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum CancelReason {
    /// The supplier has none and cannot say when it will.
    OutOfStock,
    /// It is not made or not sold any more.
    Discontinued,
    /// It would come too late.
    Late,
    /// It costs more than was agreed, or can be had for less.
    Price,
    /// The store does not want it any more.
    NoLongerNeeded,
    /// It was ordered twice.
    Duplicate,
    /// It should not have been ordered, or not so much of it.
    OrderedByMistake,
    /// Something else, which the text says.
    Other,
}

impl CancelReason {
    /// Every reason, in the order of the contract.
    pub const ALL: [Self; 8] = [
        Self::OutOfStock,
        Self::Discontinued,
        Self::Late,
        Self::Price,
        Self::NoLongerNeeded,
        Self::Duplicate,
        Self::OrderedByMistake,
        Self::Other,
    ];

    /// The name it is stored by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OutOfStock => "OUT_OF_STOCK",
            Self::Discontinued => "DISCONTINUED",
            Self::Late => "LATE",
            Self::Price => "PRICE",
            Self::NoLongerNeeded => "NO_LONGER_NEEDED",
            Self::Duplicate => "DUPLICATE",
            Self::OrderedByMistake => "ORDERED_BY_MISTAKE",
            Self::Other => "OTHER",
        }
    }

    /// The reason stored by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

impl Line {
    /// Moves so much of what is pending to what is cancelled.
    pub(super) fn cancel(&mut self, quantity: Quantity) {
        self.quantities.cancelled += quantity;
        self.quantities.balance();
    }
}
