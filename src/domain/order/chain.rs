//! What became of the lines of an original order over its whole chain of back orders. A read computes it
//! from the orders of the chain; no command needs it.

use crate::domain::code::ProductId;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::domain::unit::Unit;

/// One line, summed up over all orders of its chain. `first_ordered + amended + excess =
/// received + cancelled + pending`: what was back-ordered is counted on the order that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLine {
    /// The number of the line, the same on every order of the chain.
    pub number: i32,
    /// The product of the line, the same on every order of the chain.
    pub product: ProductId,
    /// The description that people read, as on the first order that has the line.
    pub description: String,
    /// The unit that its quantities count.
    pub unit: Unit,
    /// What was ordered on the first order that has the line, when that was placed.
    pub first_ordered: Quantity,
    /// By how much amendments have changed that on all orders of the chain together; may be below zero.
    pub amended: Quantity,
    /// What was accepted on all orders of the chain together.
    pub received: Quantity,
    /// What was rejected on all orders of the chain together; no part of the equation.
    pub rejected: Quantity,
    /// The part of `received` whose orders are completed, so that it is in stock.
    pub on_hand: Quantity,
    /// What went back to the supplier on all orders of the chain together; `received` still counts it.
    pub returned: Quantity,
    /// What was received beyond what was wanted, on all orders of the chain together.
    pub excess: Quantity,
    /// What was cancelled on all orders of the chain together.
    pub cancelled: Quantity,
    /// What is still to be delivered on the last order of the chain.
    pub pending: Quantity,
    /// The earliest time at which any order of the chain received it.
    pub first_receive_time: Option<Timestamp>,
    /// The latest time at which any order of the chain received it.
    pub last_receive_time: Option<Timestamp>,
}
