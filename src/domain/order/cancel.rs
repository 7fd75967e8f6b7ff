//! CancelPurchaseOrder: an open order is closed without any goods. An order with accepted goods is not
//! cancelled, because they would be neither in stock nor on order.

use super::actions::Action;
use super::cancellation::{CancelReason, Cancellation};
use super::{Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Cancels an open order of which nothing was accepted; everything pending of it is cancelled.
#[derive(Clone, Debug)]
pub struct CancelOrder {
    /// The order to cancel; it must be open.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Why it is cancelled; required unless the order is a draft, which its supplier has never seen.
    pub reason: Option<String>,
    /// The kind of that reason; `None` if the caller gives none.
    pub reason_code: Option<CancelReason>,
}

impl Command for CancelOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Cancel.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Cancel)]
    }

    fn check_header(&self, order: &Order) -> Result<(), Refusal> {
        if self.reason.is_none() && order.state != State::Draft {
            return Err(Refusal::invalid_for_stored_data("reason", "is required, unless the order is a draft"));
        }
        Ok(())
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::AllLines(self.order));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        // A line that rejected everything keeps what it rejected; only what is pending changes.
        let mut cancelled = Vec::new();
        for mut line in changeset.all_lines(&order)? {
            let pending = line.quantities.pending;
            if pending.is_positive() {
                cancelled.push((line.key.clone(), pending));
                line.cancel(pending);
            }
            changeset.put_line(line);
        }
        let order = Order {
            state: State::Cancelled,
            close_time: Some(changeset.now()),
            closed_by: Some(changeset.caller().clone()),
            cancel_reason: self.reason.clone(),
            cancel_reason_code: self.reason_code,
            ..order
        };
        let detail = Detail::OrderCancelled { reason: self.reason.clone(), reason_code: self.reason_code };
        // Before the rows of what was cancelled, which name the event.
        let event = changeset.put_order(order, detail)?;
        // Without reasons: that of the order counts for all, and is stored once.
        for (line, quantity) in cancelled {
            changeset.put_cancellation(Cancellation { line, event, quantity, reason: None, reason_code: None });
        }
        Ok(Outcome::order_changed(event, self.order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, quantity};

    fn cancel(order: OrderId, reason: Option<&str>) -> CancelOrder {
        CancelOrder { order, etag: String::new(), reason: reason.map(str::to_owned), reason_code: None }
    }

    #[test]
    fn everything_pending_of_a_cancelled_order_is_cancelled() {
        for state in [State::Draft, State::OnOrder] {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            store.accept(cancel(order, Some("not needed")));
            let header = store.header(order);
            assert_eq!((header.state, header.close_time), (State::Cancelled, Some(store.now)));
            assert_eq!(header.cancel_reason.as_deref(), Some("not needed"));
            assert_eq!(store.lines_of(order), ["oak: 10 ordered, 10 cancelled"]);
            let parts = store.decided.cancellations.iter();
            let parts: Vec<_> = parts.map(|part| (part.line.number, part.quantity, part.reason.clone())).collect();
            assert_eq!(parts, [(1, quantity("10"), None)], "the reason is on the header");
            assert_eq!((store.level("oak"), store.events()), (String::new(), vec!["ORDER_CANCELLED"]));
            assert_eq!(store.row().open_orders, 0);
        }
    }

    #[test]
    fn the_kind_of_the_reason_is_kept_on_the_header() {
        for code in [None, Some(CancelReason::Late)] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10"]);
            store.accept(CancelOrder { reason_code: code, ..cancel(order, Some("not needed")) });
            assert_eq!(store.header(order).cancel_reason_code, code);
            assert_eq!(store.decided.cancellations[0].reason_code, None, "the header's counts");
        }
    }

    #[test]
    fn an_order_is_cancelled_while_nothing_is_accepted() {
        for (state, expected) in [
            (State::Receiving, "ACCEPTED_STAGED"),
            (State::Completed, "WRONG_STATE"),
            (State::Cancelled, "WRONG_STATE"),
        ] {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            assert_eq!(store.refuse(cancel(order, Some("not needed"))), expected, "{state}");
        }
        // Everything was rejected, so nothing is in the building.
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        store.receipt(order, &[(1, "0", "10")]);
        store.accept(cancel(order, Some("broken")));
        assert_eq!(store.lines_of(order), ["oak: 10 ordered, 10 rejected, 10 cancelled"]);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let order = store.order_in(State::Completed);
        let mut command = cancel(NO_SUCH_ORDER, None);
        command.etag = "9".to_owned();
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Cancel]);
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = order;
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag.clear();
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
        command.order = store.order_in(State::Receiving);
        assert_eq!(store.refuse(command.clone()), "ACCEPTED_STAGED");
        command.order = store.on_order(&["oak 10"]);
        assert_eq!(store.refusal_text(command.clone()), "reason is required, unless the order is a draft");
        // A draft was never ordered, so there is no supplier to give a reason to.
        command.order = store.draft(&["oak 10"]);
        store.accept(command);
    }
}
