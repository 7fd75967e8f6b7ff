//! CorrectReceipt: a receipt that was booked wrongly is voided, and another is booked in its place.
//!
//! Both happen in one decision and under one event. Voiding first and booking afterwards would leave a moment in
//! which the goods are pending again: the order could be completed without them, or they could be booked twice.

use super::actions::Action;
use super::receipt::{Receipt, Voided};
use super::receive::book::{self, DeliveryDetails};
use super::receive::{Items, Resolved};
use super::void::{needs_of, without_item};
use super::{Line, Order, OrderCounters, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{Outcome, ReceiptChanged};
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::Timestamp;

/// Replaces a receipt that was booked wrongly.
#[derive(Clone, Debug)]
pub struct CorrectReceipt {
    /// The order that the receipt belongs to; it must be RECEIVING.
    pub order: OrderId,
    /// The number of the receipt on the order.
    pub receipt: i32,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Why it is corrected; kept with the receipt, which is voided.
    pub reason: String,
    /// What was delivered instead: all of it and not only what differs.
    pub items: Items,
    /// When the goods arrived, if it is not what the receipt says.
    pub receive_time: Option<Timestamp>,
    /// The number of the delivery note, if it is not what the receipt says; an inner `None` removes it.
    pub delivery_note: Option<Option<String>>,
    /// Refuses the correction if another active receipt of the supplier bears the delivery note that it names.
    pub refuse_known_delivery_note: bool,
    /// Text for people, if it is not what the receipt says; an inner `None` removes it.
    pub note: Option<Option<String>>,
}

impl Command for CorrectReceipt {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::CorrectReceipt.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        let order = Target::order(self.order, &self.etag, Action::CorrectReceipt);
        vec![Target { receipt: Some(self.receipt), ..order }]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(needs_of(self.order, self.receipt));
        self.items.needs(self.order, needs);
        if let Some(Some(delivery_note)) = &self.delivery_note {
            needs.add(Need::DeliveryNote(self.order, delivery_note.clone(), Some(self.receipt)));
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let corrected = changeset.receipt(&order, self.receipt)?;
        // The gate knows how many receipts there are, and not which of them are voided.
        if !corrected.is_active() {
            return Err(Refusal::ReceiptVoided { number: order.number, receipt: self.receipt });
        }
        let others = changeset.other_receive_times(&corrected.key)?;
        // What is pending and what the tolerance allows is judged as if the receipt had never been booked.
        let before = |line: Line| match corrected.item_of(line.key.number) {
            Some(item) => without_item(line, item, others.get(&item.line)),
            None => line,
        };
        let Resolved { items, lines } = self.items.resolve(changeset, &order, before)?;
        let orders = [(self.order, without_receipt(&order, &corrected))].into();
        let details = self.details(&corrected);
        let judged = book::judge(changeset, &orders, lines, &items, &details, Violations::default())?;
        if items.is_empty() {
            return Err(Refusal::NothingPending(order.number));
        }
        let same_delivery_note = match self.delivery_note {
            Some(_) => details.same_delivery_note(changeset, &order.supplier)?,
            // It was told when the receipt was booked.
            None => None,
        };
        // First without the corrected receipt; the new one puts those lines again that it has items of.
        for line in changeset.lines(&order, corrected.items.iter().map(|item| item.line))? {
            changeset.put_line(before(line));
        }
        let booked = judged.put_correction(changeset, &details, &corrected)?;
        let mut lines: Vec<i32> = corrected.items.iter().map(|item| item.line).chain(booked.lines).collect();
        lines.sort_unstable();
        lines.dedup();
        let detail = Detail::ReceiptCorrected {
            receipt: self.receipt,
            reason: self.reason.clone(),
            items_before: corrected.quantities(),
            replacement: booked.number,
            receive_time: booked.receive_time.micros(),
            lines_added: booked.lines_added,
            items: booked.items,
        };
        let voided = Voided { time: changeset.now(), by: changeset.caller().clone(), reason: self.reason.clone() };
        changeset.put_receipt(Receipt { voided: Some(voided), ..corrected });
        // With the counters as they are stored: the changeset derives them from both receipts.
        let event = changeset.put_order(Order { state: State::Receiving, ..order }, detail)?;
        Ok(Outcome::ReceiptCorrected(ReceiptChanged {
            event,
            order: self.order,
            receipt: booked.number,
            lines,
            same_delivery_note,
        }))
    }
}

impl CorrectReceipt {
    fn details(&self, corrected: &Receipt) -> DeliveryDetails {
        DeliveryDetails {
            receive_time: self.receive_time.or(Some(corrected.receive_time)),
            delivery_note: self.delivery_note.clone().unwrap_or_else(|| corrected.delivery_note.clone()),
            refuse_known_delivery_note: self.refuse_known_delivery_note,
            note: self.note.clone().unwrap_or_else(|| corrected.note.clone()),
        }
    }
}

/// The header as far as a delivery is judged by it, as if the receipt had never been booked. Its number and its
/// items stay taken.
fn without_receipt(order: &Order, receipt: &Receipt) -> Order {
    let received_cost = order.counters.received_cost - receipt.value();
    Order { counters: OrderCounters { received_cost, ..order.counters }, ..order.clone() }
}

#[cfg(test)]
mod tests;
