//! What became of an original order's lines over its whole chain of back orders.

use crate::domain::code::ProductId;
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::domain::unit::Unit;

/// One line, rolled up over all orders of its chain. `ordered = received + cancelled + pending`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLine {
    /// The line's number, the same on every order of the chain.
    pub number: i32,
    /// The product.
    pub product: ProductId,
    /// What a person reads, as on the first order that has the line.
    pub description: String,
    /// What its quantities count.
    pub unit: Unit,
    /// Ordered on the first order that has the line.
    pub ordered: Quantity,
    /// Received over the chain.
    pub received: Quantity,
    /// The part of it whose order is completed.
    pub on_hand: Quantity,
    /// Cancelled over the chain.
    pub cancelled: Quantity,
    /// Still to come on the chain's last order.
    pub pending: Quantity,
    /// The first receipt over the chain.
    pub first_receive_time: Option<Timestamp>,
    /// The last.
    pub last_receive_time: Option<Timestamp>,
}
