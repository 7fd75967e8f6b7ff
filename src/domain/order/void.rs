//! VoidReceipt: a receipt is voided, and its quantities are pending again. The receipt stays readable
//! and its items keep counting towards the limit of items: voiding corrects the books, not the history.

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

/// Voids a receipt that was booked by mistake: its quantities are pending again.
#[derive(Clone, Debug)]
pub struct VoidReceipt {
    /// The order that the receipt belongs to; it must be RECEIVING.
    pub order: OrderId,
    /// The number of the receipt on the order.
    pub receipt: i32,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Why it is voided; kept with the receipt.
    pub reason: String,
}

impl Command for VoidReceipt {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::VoidReceipt.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        let order = Target::order(self.order, &self.etag, Action::VoidReceipt);
        vec![Target { receipt: Some(self.receipt), ..order }]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(needs_of(self.order, self.receipt));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let receipt = changeset.receipt(&order, self.receipt)?;
        // The gate knows how many receipts there are, and not which of them are voided.
        if !receipt.is_active() {
            return Err(Refusal::ReceiptVoided { number: order.number, receipt: self.receipt });
        }
        let others = changeset.other_receive_times(&receipt.key)?;
        let lines = changeset.lines(&order, receipt.items.iter().map(|item| item.line))?;
        // A line has at most one item, and the lines come in the order of the items.
        for (line, item) in lines.into_iter().zip(&receipt.items) {
            changeset.put_line(without_item(line, item, others.get(&item.line)));
        }
        // The header counts this receipt still: with one active receipt, none is left.
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
        Ok(Outcome::ReceiptVoided(ReceiptChanged {
            event,
            order: self.order,
            receipt: self.receipt,
            lines,
            same_delivery_note: None,
        }))
    }
}

/// What must be loaded to take a receipt back.
pub(super) fn needs_of(order: OrderId, receipt: i32) -> [Need; 3] {
    [Need::Receipt(order, receipt), Need::LinesOfReceipt(order, receipt), Need::OtherReceiveTimes(order, receipt)]
}

/// The line as if the receipt had never been booked: its times are those of the other active receipts,
/// and none if there is no other.
pub(super) fn without_item(mut line: Line, item: &ReceiptItem, others: Option<&ReceiveTimes>) -> Line {
    line.quantities.received -= item.accepted;
    line.quantities.rejected -= item.rejected;
    line.quantities.balance();
    line.first_receive_time = others.map(|times| times.first);
    line.last_receive_time = others.map(|times| times.last);
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at};

    fn void(order: OrderId, receipt: i32) -> VoidReceipt {
        VoidReceipt { order, receipt, etag: String::new(), reason: "counted again".to_owned() }
    }

    #[test]
    fn a_voided_receipt_leaves_the_order_as_if_it_had_never_been() {
        // Three receipts of 4, 3 and 1 oak; which are voided one after the other.
        for (voided, oak, state) in [
            (&[1][..], "oak: 10 ordered, 4 received, 6 pending", State::Receiving),
            (&[2], "oak: 10 ordered, 5 received, 2 rejected, 5 pending", State::Receiving),
            (&[3, 1], "oak: 10 ordered, 3 received, 7 pending", State::Receiving),
            (&[2, 3, 1], "oak: 10 ordered, 10 pending", State::OnOrder),
        ] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10"]);
            store.receipt(order, &[(1, "4", "2")]);
            store.receipt(order, &[(1, "3", "0")]);
            store.receipt(order, &[(1, "1", "0")]);
            for receipt in voided {
                store.accept(void(order, *receipt));
                assert_eq!(store.events(), ["RECEIPT_VOIDED"]);
            }
            assert_eq!(store.lines_of(order), [oak], "{voided:?}");
            assert_eq!(store.header(order).state, state, "{voided:?}");
        }
    }

    #[test]
    fn the_times_of_a_line_are_those_of_its_other_receipts() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        let times = [at("2026-03-02T09:00:00Z"), at("2026-03-02T10:00:00Z"), at("2026-03-02T11:00:00Z")];
        for (time, items) in times.iter().zip([&[(1, "1", "0")][..], &[(1, "1", "0"), (2, "1", "0")], &[(1, "1", "0")]])
        {
            store.now = *time;
            store.receipt(order, items);
        }
        store.accept(void(order, 1));
        let oak = store.line_of(order, 1);
        assert_eq!((oak.first_receive_time, oak.last_receive_time), (Some(times[1]), Some(times[2])));
        store.accept(void(order, 2));
        let (oak, ash) = (store.line_of(order, 1), store.line_of(order, 2));
        assert_eq!((oak.first_receive_time, oak.last_receive_time), (Some(times[2]), Some(times[2])));
        assert_eq!((ash.first_receive_time, ash.last_receive_time), (None, None));
    }

    #[test]
    fn a_voided_receipt_tells_who_voided_it_and_keeps_its_items() {
        let mut store = TestStore::new();
        let order = store.order_in(State::Receiving);
        store.call_with(&[Permission::Receive]);
        store.accept(void(order, 1));
        let receipt = store.receipt_of(order, 1);
        let voided = receipt.voided.clone().unwrap();
        assert_eq!((voided.by.as_str(), voided.time), ("bob", store.now));
        assert_eq!((voided.reason.as_str(), receipt.items.len()), ("counted again", 1));
        assert_eq!(
            store.event_details(),
            [r#"{"receipt":1,"reason":"counted again","items":[{"line":1,"accepted":"4","rejected":"0"}]}"#]
        );
        assert_eq!(store.level("oak"), "10 on order");
    }

    #[test]
    fn receipts_are_voided_only_while_the_order_is_receiving() {
        let mut store = TestStore::new();
        let order = store.order_in(State::Completed);
        assert_eq!(store.refuse(void(order, 1)), "WRONG_STATE");
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let mut command = void(NO_SUCH_ORDER, 1);
        command.etag = "9".to_owned();
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_as("ann");
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = order;
        assert_eq!(store.refuse(command.clone()), "RECEIPT_NOT_FOUND");
        store.receipt(order, &[(1, "4", "0")]);
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag = "1".to_owned();
        store.change_order(order, |order| order.state = State::OnOrder);
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
        store.change_order(order, |order| order.state = State::Receiving);
        store.receipt(order, &[(1, "1", "0")]);
        store.accept(command.clone());
        command.etag.clear();
        assert_eq!(store.refusal_text(command), "receipt 1 of purchase order PO-000001 was voided before");
    }
}
