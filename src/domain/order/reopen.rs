//! ReopenPurchaseOrder: a completion is undone. The order is RECEIVING again with its receipts as they were, what the
//! completion put on hand is taken out, and what it back-ordered or cancelled is pending.
//!
//! A completion that was wrong is put right in the open: the order is reopened, its receipts are corrected and it is
//! completed again. Every unit stays where the rest of the books have it. So the back order is folded back in the
//! same decision, and an order is refused of which a later step has used something: its back order was touched, goods
//! were returned, or the stock is gone.
//!
//! The ledger is only appended to, so its rows are reversed by new ones, the last first. Where no row of a product came
//! in between, its average cost becomes exactly what it was; otherwise the goods leave at their own cost.

use std::collections::{BTreeMap, BTreeSet};

use super::actions::Action;
use super::cancellation::Cancellation;
use super::{Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::code::ProductId;
use crate::domain::command::{Command, Target};
use crate::domain::event::{Detail, LineQuantity, UnsettledLine};
use crate::domain::inventory::lot::Lot;
use crate::domain::inventory::{Movement, MovementKind};
use crate::domain::money::UnitCost;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{FoldedBackOrder, OrderReopened, Outcome};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList};

/// Undoes the completion of an order.
#[derive(Clone, Debug)]
pub struct ReopenOrder {
    /// The order to reopen; it must be COMPLETED.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Why it is reopened; the history of the order has it, and the back order is cancelled for it.
    pub reason: String,
}

/// What the last completion of an order did, as far as it must be known to undo it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastCompletion {
    /// The ledger rows that it wrote, by product and number; at least one.
    pub rows: Vec<PostedRow>,
    /// What it cancelled of lines.
    pub cancellations: Vec<Cancellation>,
    /// What is on hand in lots of each product of which the order may have received something in no lot.
    pub on_hand_in_lots: BTreeMap<ProductId, Quantity>,
}

/// A ledger row that a completion wrote, with what must be known to reverse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PostedRow {
    /// The row.
    pub movement: Movement,
    /// The average cost of the product before the row: that of the row in front of it, 0 if there is none.
    pub average_before: UnitCost,
    /// What is on hand of its lot now; 0 of a row of no lot.
    pub on_hand_of_lot: Quantity,
}

impl Command for ReopenOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Reopen.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Reopen)]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::AllLines(self.order), Need::BackOrderOf(self.order), Need::LastCompletion(self.order)]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let lines = changeset.all_lines(&order)?;
        let completion = changeset.last_completion(&order)?;
        let back_order = changeset.back_order_of(&order)?;
        check_nothing_returned(&order, &lines)?;
        check_stock(changeset, &order, &completion)?;
        // With the feature off, what is on the back order could not go to one again.
        if let Some((back_order, _)) = &back_order
            && !changeset.store()?.back_orders_enabled
        {
            let (number, back_order) = (order.number, back_order.number.clone());
            return Err(Refusal::ReopenNeedsBackOrders { number, back_order });
        }
        let event = self.reopen(changeset, &order, lines, completion, back_order.as_ref().map(|(header, _)| header))?;
        let folded_back = match back_order {
            Some((header, lines)) => Some(self.fold_back(changeset, header, lines)?),
            None => None,
        };
        Ok(Outcome::OrderReopened(OrderReopened { event, order: self.order, folded_back }))
    }
}

/// Judging, after the gate has judged that the back order is untouched.
fn check_nothing_returned(order: &Order, lines: &[Line]) -> Result<(), Refusal> {
    let returned = lines.iter().filter(|line| line.returned.is_positive());
    match TruncatedList::of_nonempty(returned.map(|line| line.key.number).collect()) {
        Some(lines) => Err(Refusal::GoodsReturned { number: order.number.clone(), lines }),
        None => Ok(()),
    }
}

/// Refuses unless everything that the completion put on hand is still there: of each product, of each of its lots, and
/// of what is in no lot. The store's setting for negative stock does not count: it lets a till sell goods that are there
/// and not booked yet, and these were booked.
fn check_stock(changeset: &Changeset<'_>, order: &Order, completion: &LastCompletion) -> Result<(), Refusal> {
    // By product too: where a store allows negative stock, a product may have less than one of its lots.
    let mut by_product: BTreeMap<&ProductId, Quantity> = BTreeMap::new();
    let mut by_lot: BTreeMap<(&ProductId, Option<&Lot>), (Quantity, Quantity)> = BTreeMap::new();
    for PostedRow { movement, on_hand_of_lot, .. } in &completion.rows {
        let product = &movement.level.product;
        *by_product.entry(product).or_default() += movement.quantity;
        let (needed, on_hand) = by_lot.entry((product, movement.lot.as_ref())).or_default();
        *needed += movement.quantity;
        // Every row of a lot has the same, which is what is there now.
        *on_hand = *on_hand_of_lot;
    }
    let mut short: BTreeSet<ProductId> = BTreeSet::new();
    for (product, needed) in by_product {
        if on_hand(changeset, product)? < needed {
            short.insert(product.clone());
        }
    }
    for ((product, lot), (needed, on_hand_of_lot)) in by_lot {
        let on_hand = match lot {
            Some(_) => on_hand_of_lot,
            None => {
                let in_lots = completion.on_hand_in_lots.get(product).copied().unwrap_or_default();
                // Below zero where more was taken out than was there: that is missing from what is in no lot.
                on_hand(changeset, product)? - in_lots
            }
        };
        if on_hand < needed {
            short.insert(product.clone());
        }
    }
    match TruncatedList::of_nonempty(short.into_iter().collect()) {
        Some(products) => Err(Refusal::StockGone { number: order.number.clone(), products }),
        None => Ok(()),
    }
}

fn on_hand(changeset: &Changeset<'_>, product: &ProductId) -> Result<Quantity, Refusal> {
    let level = changeset.level(product)?;
    level.map(|level| level.on_hand).ok_or_else(|| Refusal::Bug(format!("there is no level of {product}")))
}

/// Carrying it out.
impl ReopenOrder {
    fn reopen(
        &self,
        changeset: &mut Changeset<'_>,
        order: &Order,
        lines: Vec<Line>,
        completion: LastCompletion,
        back_order: Option<&Order>,
    ) -> Result<i64, Refusal> {
        let LastCompletion { rows, cancellations, .. } = completion;
        let mut cancelled: BTreeMap<i32, Quantity> = BTreeMap::new();
        for cancellation in &cancellations {
            *cancelled.entry(cancellation.line.number).or_default() += cancellation.quantity;
        }
        let mut unsettled = Vec::new();
        for line in lines {
            let cancelled = cancelled.get(&line.key.number).copied().unwrap_or_default();
            let back_ordered = line.quantities.back_ordered;
            if cancelled.is_positive() || back_ordered.is_positive() {
                unsettled.push(UnsettledLine {
                    line: line.key.number,
                    back_ordered: back_ordered.to_string(),
                    cancelled: cancelled.to_string(),
                });
            }
            changeset.put_line(unsettle(line, cancelled));
        }
        changeset.remove_cancellations(cancellations);
        let reopened = Order {
            // A completed order has something accepted, and so an active receipt.
            state: State::Receiving,
            close_time: None,
            closed_by: None,
            // Only what the completion cancelled has it: what was cancelled before has reasons of its own.
            cancel_reason: None,
            cancel_reason_code: None,
            child: None,
            child_is_untouched: true,
            // The back order may have had back orders of its own, which were folded back into it.
            last_back_order: back_order.map_or(order.last_back_order, |back_order| back_order.last_back_order),
            ..order.clone()
        };
        let folded_back = order.child;
        let detail = Detail::OrderReopened { reason: self.reason.clone(), folded_back, lines: unsettled };
        // Before the rows that reverse the ledger, which name the event.
        let event = changeset.put_order(reopened, detail)?;
        reverse(changeset, rows, event)?;
        Ok(event)
    }

    /// Takes the back order out of its chain. What was pending on it is pending on its parent again, so here it is
    /// cancelled, for the same reason.
    fn fold_back(
        &self,
        changeset: &mut Changeset<'_>,
        order: Order,
        lines: Vec<Line>,
    ) -> Result<FoldedBackOrder, Refusal> {
        let mut cancelled = Vec::new();
        let mut quantities = Vec::new();
        for mut line in lines {
            let pending = line.quantities.pending;
            if pending.is_positive() {
                quantities.push(LineQuantity { line: line.key.number, quantity: pending.to_string() });
                cancelled.push((line.key.clone(), pending));
                line.cancel(pending);
            }
            // Also a line of which nothing was pending: the order is closed.
            changeset.put_line(line);
        }
        let folded_back = FoldedBackOrder { order: order.key.order, number: order.number.clone() };
        let order = Order {
            state: State::Cancelled,
            close_time: Some(changeset.now()),
            closed_by: Some(changeset.caller().clone()),
            cancel_reason: Some(self.reason.clone()),
            folded_back: true,
            ..order
        };
        let detail = Detail::BackOrderFolded { parent: self.order, reason: self.reason.clone(), lines: quantities };
        let event = changeset.put_order(order, detail)?;
        for (line, quantity) in cancelled {
            changeset.put_cancellation(Cancellation { line, event, quantity, reason: None, reason_code: None });
        }
        Ok(folded_back)
    }
}

/// The line as it was before the completion, which cancelled so much of it.
fn unsettle(mut line: Line, cancelled: Quantity) -> Line {
    line.quantities.back_ordered = Quantity::ZERO;
    // What was cancelled before the completion stays cancelled.
    line.quantities.cancelled -= cancelled;
    line.quantities.balance();
    line.back_order_time = None;
    line
}

/// Reverses the ledger rows of the completion, the last of each product first.
fn reverse(changeset: &mut Changeset<'_>, rows: Vec<PostedRow>, event: i64) -> Result<(), Refusal> {
    let mut last_rows: BTreeMap<ProductId, i64> = BTreeMap::new();
    for PostedRow { movement, .. } in &rows {
        // The rows come by number, so that the last one of each product stays.
        last_rows.insert(movement.level.product.clone(), movement.number);
    }
    // Judged before the first reversal, which moves the ledger itself.
    let mut unmoved: BTreeSet<ProductId> = BTreeSet::new();
    for (product, last_row) in last_rows {
        if changeset.level(&product)?.is_some_and(|level| level.last_movement == last_row) {
            unmoved.insert(product);
        }
    }
    for PostedRow { movement, average_before, .. } in rows.into_iter().rev() {
        let average_before = unmoved.contains(&movement.level.product).then_some(average_before);
        let reversal = Movement {
            kind: MovementKind::ReceiptReversal,
            quantity: -movement.quantity,
            create_time: changeset.now(),
            event,
            ..movement
        };
        changeset.reverse(reversal, average_before)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
