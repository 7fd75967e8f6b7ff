//! What a supplier made of the orders of a period. The contract says how each figure is defined.

use super::{LeadTime, LineRate};
use crate::domain::money::Amount;
use crate::domain::order::cancellation::CancelReason;
use crate::domain::order::receipt::RejectReason;

/// The figures of one supplier.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SupplierPerformance {
    /// The supplier.
    pub supplier: String,
    /// How many original orders, each of which is a chain.
    pub orders: i64,
    /// How many back orders are in their chains.
    pub back_orders: i64,
    /// How many lines the chains have, however many orders carry one.
    pub lines: i64,
    /// How much had come when the original order was completed.
    pub first_fill: LineRate,
    /// How much has come of the chains that are closed.
    pub final_fill: LineRate,
    /// How much came up to the first promise.
    pub on_time: LineRate,
    /// How long lines took; `None` if nothing came.
    pub lead_time: Option<LeadTime>,
    /// What was rejected, by reason.
    pub rejected: Vec<RejectedLines>,
    /// What was cancelled, by reason.
    pub cancelled: Vec<CancelledLines>,
    /// How much more was invoiced than was ordered; may be below zero.
    pub price_variance: Amount,
    /// What the pending quantities are worth.
    pub outstanding: Amount,
}

/// What was rejected for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RejectedLines {
    /// The reason.
    pub reason: RejectReason,
    /// How many receipt items have a quantity rejected for it.
    pub items: i64,
    /// Of how many lines.
    pub lines: i64,
}

/// What was cancelled for one reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CancelledLines {
    /// The reason; `None` where no code was given.
    pub reason: Option<CancelReason>,
    /// Of how many lines a quantity was cancelled for it.
    pub lines: i64,
}
