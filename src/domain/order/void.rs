//! VoidReceipt: a receipt is taken back, and its quantities are pending again.

use super::actions::Action;
use super::receipt::{Receipt, ReceiptItem, ReceiveTimes, Voided};
use super::{Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{Outcome, ReceiptChanged};
use crate::domain::refusal::Refusal;

/// A receipt to take back.
#[derive(Clone, Debug)]
pub struct VoidReceipt {
    /// Of which order.
    pub order: OrderId,
    /// Its number there.
    pub receipt: i32,
    /// The order's etag as the caller saw it, or empty.
    pub etag: String,
    /// Why.
    pub reason: String,
}

impl Command for VoidReceipt {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::VoidReceipt.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        let order = Target::order(self.order, &self.etag, Action::VoidReceipt);
        Some(Target { receipt: Some(self.receipt), ..order })
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([
            Need::Receipt(self.order, self.receipt),
            Need::LinesOfReceipt(self.order, self.receipt),
            Need::OtherReceiveTimes(self.order, self.receipt),
        ]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let receipt = changeset.receipt(&order, self.receipt)?;
        if !receipt.is_active() {
            return Err(Refusal::ReceiptVoided { number: order.number, receipt: self.receipt });
        }
        let others = changeset.other_receive_times(&receipt.key)?;
        let lines = changeset.lines(&order, receipt.items.iter().map(|item| item.line))?;
        for (line, item) in lines.into_iter().zip(&receipt.items) {
            changeset.put_line(without_item(line, item, others.get(&item.line)));
        }
        let is_last = order.counters.active_receipts == 1;
        let state = if is_last { State::OnOrder } else { State::Receiving };
        self.book(changeset, Order { state, ..order }, receipt)
    }
}

impl VoidReceipt {
    fn book(&self, changeset: &mut Changeset<'_>, order: Order, receipt: Receipt) -> Result<Outcome, Refusal> {
        let lines = receipt.items.iter().map(|item| item.line).collect();
        let items = receipt.quantities();
        let voided = Voided { time: changeset.now(), by: changeset.caller().clone(), reason: self.reason.clone() };
        changeset.put_receipt(Receipt { voided: Some(voided), ..receipt });
        let detail = Detail::ReceiptVoided { receipt: self.receipt, reason: self.reason.clone(), items };
        let event = changeset.put_order(order, detail)?;
        Ok(Outcome::ReceiptVoided(ReceiptChanged { event, order: self.order, receipt: self.receipt, lines }))
    }
}

/// The line as if the receipt had never been: its times are those of the other active receipts.
fn without_item(mut line: Line, item: &ReceiptItem, others: Option<&ReceiveTimes>) -> Line {
    line.quantities.received -= item.accepted;
    line.quantities.rejected -= item.rejected;
    line.quantities.balance();
    line.first_receive_time = others.map(|times| times.first);
    line.last_receive_time = others.map(|times| times.last);
    line
}
