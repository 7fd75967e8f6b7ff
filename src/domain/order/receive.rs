//! ReceivePurchaseOrder: a delivery is booked in. What was accepted is staged, and goes on hand when the
//! order is completed: until then the receipt can be voided without a correction of stock.

mod allocate;
pub mod book;
pub mod delivery;
pub mod items;
mod unlisted;

use std::collections::BTreeMap;

use self::book::DeliveryDetails;
use self::items::{ItemTarget, NewItem};
use super::actions::Action;
use super::receipt::ItemCosts;
use super::{Line, Order, OrderId};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};

/// Books a delivery of one order in: a receipt is created, and what is accepted is staged.
#[derive(Clone, Debug)]
pub struct Receive {
    /// The order that was delivered; it must be ON_ORDER or RECEIVING.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// What was delivered, item by item or everything pending.
    pub items: Items,
    /// What is said of the delivery as a whole.
    pub details: DeliveryDetails,
}

/// What was delivered, as the caller says it.
#[derive(Clone, Debug)]
pub enum Items {
    /// These items of the order, each line and product at most once and each with a quantity.
    Listed(Vec<NewItem>),
    /// Everything that is pending, all of it accepted.
    AllPending,
}

impl Command for Receive {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Receive.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Receive)]
    }

    fn needs(&self, needs: &mut Needs) {
        self.items.needs(self.order, needs);
        if let Some(delivery_note) = &self.details.delivery_note {
            needs.add(Need::DeliveryNote(self.order, delivery_note.clone(), None));
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let Resolved { items, lines } = self.items.resolve(changeset, &order, |line| line)?;
        let (number, supplier) = (order.number.clone(), order.supplier.clone());
        let orders = BTreeMap::from([(self.order, order)]);
        let judged = book::judge(changeset, &orders, lines, &items, &self.details, Violations::default())?;
        // Only with `all_pending`: a list has an item with a quantity, or the request was refused before.
        if items.is_empty() {
            return Err(Refusal::NothingPending(number));
        }
        let same_delivery_note = self.details.same_delivery_note(changeset, &supplier)?;
        let mut receipts = judged.book(changeset, &self.details, None)?;
        let mut booked = receipts.pop().ok_or_else(|| Refusal::Bug("a receipt was not booked".to_owned()))?;
        booked.same_delivery_note = same_delivery_note;
        Ok(Outcome::ReceiptBooked(booked))
    }
}

/// The items of a delivery of one order, and the lines that they may be booked on.
pub(super) struct Resolved {
    pub(super) items: Vec<NewItem>,
    pub(super) lines: Vec<Line>,
}

impl Items {
    /// Adds what must be loaded to find the lines of an order that they may be booked on.
    pub(super) fn needs(&self, order: OrderId, needs: &mut Needs) {
        match self {
            Self::Listed(items) => items.iter().for_each(|item| item.target.needs(needs)),
            Self::AllPending => needs.add(Need::AllLines(order)),
        }
    }

    /// The items, and the lines that they may be booked on, each as `before` makes it of the line that is stored.
    pub(super) fn resolve(
        &self,
        changeset: &Changeset<'_>,
        order: &Order,
        before: impl Fn(Line) -> Line,
    ) -> Result<Resolved, Refusal> {
        match self {
            Self::Listed(items) => {
                let lines = book::lines_for(changeset, order, items)?;
                Ok(Resolved { items: items.clone(), lines: lines.into_iter().map(before).collect() })
            }
            Self::AllPending => {
                let mut lines: Vec<Line> = changeset.all_lines(order)?.into_iter().map(before).collect();
                lines.retain(|line| line.quantities.pending.is_positive());
                check_no_lots(&lines)?;
                Ok(Resolved { items: lines.iter().map(everything_of).collect(), lines })
            }
        }
    }
}

/// Which lots arrived only the caller can tell.
fn check_no_lots(lines: &[Line]) -> Result<(), Refusal> {
    let in_lots = lines.iter().filter(|line| line.lot_required).map(|line| line.key.number);
    match TruncatedList::of_nonempty(in_lots.collect()) {
        Some(lines) => {
            let rule = format_args!("has no lots, in which these lines are received: {lines}; list the items");
            Err(Refusal::invalid_for_stored_data("all_pending", rule))
        }
        None => Ok(()),
    }
}

fn everything_of(line: &Line) -> NewItem {
    NewItem {
        // No rule that names an item can be broken by what is pending as it is.
        index: 0,
        target: ItemTarget::Line(line.key.order.order, line.key.number),
        accepted: StatedQuantity::units(line.quantities.pending),
        rejected: StatedQuantity::units(Quantity::ZERO),
        rejection: None,
        costs: ItemCosts::default(),
        lots: Vec::new(),
    }
}

#[cfg(test)]
mod tests;
