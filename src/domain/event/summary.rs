//! An order as an event left it: what a follower needs to know of the header without asking for it.

use crate::domain::money::Amount;
use crate::domain::order::{Order, OrderCounters, OrderId, Quantities, State};
use crate::domain::time::Date;

/// The header of an order after an event, so that a history can be read without replaying it. It holds no texts and
/// nothing that depends on who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderSummary {
    /// The id of the order, in the store of the event.
    pub order: OrderId,
    /// How many events the order has had with this one; its etag afterwards.
    pub revision: i64,
    /// The state of the order after the event.
    pub state: State,
    /// The number that people use.
    pub number: String,
    /// The caller's id for the supplier.
    pub supplier: String,
    /// The caller's own id for the order.
    pub external_id: Option<String>,
    /// When the goods are expected.
    pub expected_date: Option<Date>,
    /// The original order of the chain; an original's own id.
    pub root: OrderId,
    /// The order whose pending quantities this back order carries.
    pub parent: Option<OrderId>,
    /// The back order that carries what this order left pending.
    pub child: Option<OrderId>,
    /// 0 for the original, 1 for its first back order, and so on.
    pub chain_position: i32,
    /// How many lines it has.
    pub lines: i32,
    /// How many of them have a pending quantity.
    pub pending_lines: i32,
    /// How many of its receipts are not voided.
    pub active_receipts: i32,
    /// The quantities of all its lines added up, whatever their units.
    pub totals: Quantities,
    /// What is ordered.
    pub ordered_cost: Amount,
    /// What was accepted.
    pub received_cost: Amount,
    /// What is pending.
    pub pending_cost: Amount,
    /// What is paid besides the lines.
    pub charges_cost: Amount,
}

impl OrderSummary {
    /// The summary of an order whose counters are right already.
    pub fn of(order: &Order) -> Self {
        // Named one by one, so that a new counter is either told here or left out on purpose.
        let OrderCounters {
            lines,
            last_line: _,
            pending_lines,
            active_receipts,
            last_receipt: _,
            receipt_items: _,
            totals,
            ordered_cost,
            pending_cost,
            received_cost,
        } = order.counters;
        Self {
            order: order.key.order,
            revision: order.revision,
            state: order.state,
            number: order.number.clone(),
            supplier: order.supplier.clone(),
            external_id: order.external_id.clone(),
            expected_date: order.expected_date,
            root: order.root,
            parent: order.parent,
            child: order.child,
            chain_position: order.chain_position,
            lines,
            pending_lines,
            active_receipts,
            totals,
            ordered_cost,
            received_cost,
            pending_cost,
            charges_cost: order.charges_cost(),
        }
    }
}
