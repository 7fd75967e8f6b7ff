//! VoidReceipt: a receipt is taken back, and its quantities are pending again.

use super::actions::Action;
use super::receipt::{Receipt, ReceiptItem, Voided};
use super::{Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
use crate::domain::needs::{LineNeed, Needs};
use crate::domain::refusal::Refusal;
use crate::domain::request::Made;

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

impl Mutation for VoidReceipt {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::VoidReceipt.permission())
    }

    fn needs(&self, needs: &mut Needs) {
        let need = needs.order(self.order, LineNeed::OfReceipt(self.receipt));
        need.receipts.push(self.receipt);
        need.standing_receipts = true;
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Made, Refusal> {
        let order = draft.order(self.order)?;
        let receipt = draft.receipt(&order, self.receipt)?;
        order.check_etag(&self.etag)?;
        Action::VoidReceipt.check(&order)?;
        if !receipt.stands() {
            return Err(Refusal::ReceiptVoided { number: order.number, receipt: self.receipt });
        }
        let remaining = self.remaining(draft, &order)?;
        let lines = draft.lines(&order, receipt.items.iter().map(|item| item.line))?;
        for (line, item) in lines.into_iter().zip(&receipt.items) {
            draft.put_line(without_item(line, item, &remaining));
        }
        let state = if remaining.is_empty() { State::OnOrder } else { State::Receiving };
        self.book(draft, Order { state, ..order }, receipt)
    }
}

impl VoidReceipt {
    fn remaining(&self, draft: &Draft<'_>, order: &Order) -> Result<Vec<Receipt>, Refusal> {
        let standing = draft.standing_receipts(order)?;
        Ok(standing.into_iter().filter(|receipt| receipt.key.number != self.receipt).collect())
    }

    fn book(&self, draft: &mut Draft<'_>, order: Order, receipt: Receipt) -> Result<Made, Refusal> {
        let lines = receipt.items.iter().map(|item| item.line).collect();
        let items = receipt.quantities();
        let voided = Voided { time: draft.now(), by: draft.caller().clone(), reason: self.reason.clone() };
        draft.put_receipt(Receipt { voided: Some(voided), ..receipt });
        let detail = Detail::ReceiptVoided { receipt: self.receipt, reason: self.reason.clone(), items };
        let event = draft.put_order(order, detail)?;
        Ok(Made { event, order: Some(self.order), receipt: Some(self.receipt), lines, back_order: None })
    }
}

/// The line as if the receipt had never been: its times are those of the receipts that remain.
fn without_item(mut line: Line, item: &ReceiptItem, remaining: &[Receipt]) -> Line {
    line.quantities.received -= item.accepted;
    line.quantities.rejected -= item.rejected;
    line.quantities.balance();
    let with_line = |receipt: &&Receipt| receipt.items.binary_search_by_key(&item.line, |other| other.line).is_ok();
    let times: Vec<_> = remaining.iter().filter(with_line).map(|receipt| receipt.receive_time).collect();
    line.first_receive_time = times.iter().min().copied();
    line.last_receive_time = times.iter().max().copied();
    line
}
