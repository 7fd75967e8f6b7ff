//! What may be done to an order, by its state and quantities and by the permissions of the caller.
//!
//! Commands are judged by this code, and the list of allowed actions in answers is made by it too, so a
//! user interface that shows these as buttons offers none that the order's header would refuse. What takes more than the
//! header, such as stock, is judged by the call alone.

use std::collections::BTreeSet;

use super::{Order, State};
use crate::domain::access::Permission;
use crate::domain::refusal::Refusal;

/// Something that a caller may do to an order that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Change its note and reference, and everything else while it is a draft.
    Update,
    /// Change the caller's own id for it, and nothing else: possible in every state, so no list of allowed
    /// actions names it.
    UpdateExternalId,
    /// Change its lines and dates while it is open.
    Amend,
    /// Record what the supplier has confirmed of it.
    Confirm,
    /// Place the draft, which is on order from then on.
    Place,
    /// Book a delivery in as a receipt.
    Receive,
    /// Void a receipt, whose quantities are pending again.
    VoidReceipt,
    /// Void a receipt and book another in its place.
    CorrectReceipt,
    /// Complete it: post its receipts to stock and dispose of what is pending.
    Complete,
    /// Cancel it, of which nothing was accepted.
    Cancel,
    /// Cancel what is pending on single lines.
    CancelLines,
    /// Make a draft of its lines.
    Copy,
    /// Undo its completion.
    Reopen,
}

impl Action {
    /// Those that answers list.
    const LISTED: [Self; 12] = [
        Self::Update,
        Self::Place,
        Self::Receive,
        Self::VoidReceipt,
        Self::CorrectReceipt,
        Self::Complete,
        Self::Cancel,
        Self::CancelLines,
        Self::Copy,
        Self::Amend,
        Self::Confirm,
        Self::Reopen,
    ];

    /// The permission that the action takes: commands require it, and the list of allowed actions is
    /// made with it.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Update | Self::UpdateExternalId | Self::Amend | Self::Confirm | Self::Copy => Permission::Edit,
            Self::Place => Permission::Place,
            Self::Receive | Self::VoidReceipt | Self::CorrectReceipt => Permission::Receive,
            Self::Complete => Permission::CompletePurchaseOrders,
            Self::Cancel | Self::CancelLines => Permission::Cancel,
            Self::Reopen => Permission::Reopen,
        }
    }

    /// Refuses what the state or the quantities of the order do not allow, the state first.
    pub fn check(self, order: &Order) -> Result<(), Refusal> {
        self.check_state(order)?;
        self.check_quantities(order)
    }

    /// Refuses what the order's state does not allow.
    pub fn check_state(self, order: &Order) -> Result<(), Refusal> {
        let (in_state, rule) = match self {
            Self::UpdateExternalId => (true, "the external id may change in every state"),
            Self::Copy => (true, "an order is copied in every state"),
            Self::Update => (order.state.is_open(), "a closed order is not changed any more"),
            Self::Amend => (order.state.is_open(), "a closed order is not amended any more"),
            Self::Confirm => (order.state.is_live(), "an order is confirmed while it is ON_ORDER or RECEIVING"),
            Self::Place => (order.state == State::Draft, "only a DRAFT is placed"),
            Self::Receive => (order.state.is_live(), "goods are received while it is ON_ORDER or RECEIVING"),
            Self::VoidReceipt => (order.state == State::Receiving, "receipts are voided while it is RECEIVING"),
            Self::CorrectReceipt => (order.state == State::Receiving, "receipts are corrected while it is RECEIVING"),
            Self::Complete => (order.state.is_live(), "an order is completed while it is ON_ORDER or RECEIVING"),
            Self::CancelLines => (order.state.is_live(), "lines are cancelled while it is ON_ORDER or RECEIVING"),
            Self::Cancel => (order.state.is_open(), "a closed order is not cancelled any more"),
            Self::Reopen => (order.state == State::Completed, "only a COMPLETED order is reopened"),
        };
        if in_state { Ok(()) } else { Err(order.wrong_state(rule)) }
    }

    /// Refuses what the order's quantities do not allow, or what has become of its back order.
    pub fn check_quantities(self, order: &Order) -> Result<(), Refusal> {
        // A delivery of which everything was rejected leaves the order RECEIVING with nothing accepted.
        let accepted = order.counters.totals.received.is_positive();
        match self {
            Self::Complete if !accepted => Err(Refusal::NothingReceived(order.number.clone())),
            // What was cancelled still counts as ordered: with nothing ordered, nothing was cancelled either.
            Self::Copy if !order.counters.totals.ordered.is_positive() => {
                Err(Refusal::NothingToCopy(order.number.clone()))
            }
            Self::CancelLines if !order.counters.totals.pending.is_positive() => {
                Err(Refusal::NothingPending(order.number.clone()))
            }
            Self::Cancel if accepted => Err(Refusal::AcceptedStaged(order.number.clone())),
            Self::Reopen if !order.child_is_untouched => {
                // The counter includes the order's own back order, so this is the number of that one.
                let back_order = order.number_of_back_order(order.last_back_order);
                Err(Refusal::BackOrderTouched { number: order.number.clone(), back_order })
            }
            // Goods may be received also with nothing pending: the tolerance is judged line by line.
            _ => Ok(()),
        }
    }
}

/// The actions that a caller with these permissions could take on the order now, in a fixed order. User
/// interfaces show them as buttons.
pub fn allowed(order: &Order, permissions: &BTreeSet<Permission>) -> Vec<Action> {
    let mut allowed = Vec::new();
    for action in Action::LISTED {
        if permissions.contains(&action.permission()) && action.check(order).is_ok() {
            allowed.push(action);
        }
    }
    allowed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    #[test]
    fn state_and_accepted_quantities_decide_what_may_be_done() {
        use Action::{
            Amend, Cancel, CancelLines, Complete, Confirm, Copy, CorrectReceipt, Place, Receive, Reopen, Update,
            VoidReceipt,
        };
        // An order that is RECEIVING may have had everything rejected: then nothing is accepted.
        for (state, accepted, actions) in [
            (State::Draft, "0", &[Update, Place, Cancel, Copy, Amend][..]),
            (State::OnOrder, "0", &[Update, Receive, Cancel, CancelLines, Copy, Amend, Confirm]),
            (
                State::Receiving,
                "0",
                &[Update, Receive, VoidReceipt, CorrectReceipt, Cancel, CancelLines, Copy, Amend, Confirm],
            ),
            (
                State::Receiving,
                "4",
                &[Update, Receive, VoidReceipt, CorrectReceipt, Complete, CancelLines, Copy, Amend, Confirm],
            ),
            (State::Completed, "4", &[Copy, Reopen]),
            (State::Cancelled, "0", &[Copy]),
        ] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10"]);
            if state == State::Receiving || state == State::Completed {
                store.receipt(order, &[(1, accepted, "1")]);
            }
            store.change_order(order, |order| order.state = state);
            let everything = BTreeSet::from(Permission::ALL);
            assert_eq!(allowed(store.header(order), &everything), actions, "{state} with {accepted} accepted");
        }
    }

    #[test]
    fn a_completed_order_is_reopened_while_its_back_order_is_untouched() {
        let mut store = TestStore::new();
        let order = store.order_in(State::Completed);
        let reopen = BTreeSet::from([Permission::Reopen]);
        assert_eq!(allowed(store.header(order), &reopen), [Action::Reopen]);
        store.change_order(order, |order| order.child_is_untouched = false);
        assert_eq!(allowed(store.header(order), &reopen), []);
    }

    #[test]
    fn each_action_takes_its_permission() {
        for (permission, expected) in [
            (Permission::Edit, &[Action::Update, Action::Copy, Action::Amend, Action::Confirm][..]),
            (Permission::Receive, &[Action::Receive, Action::VoidReceipt, Action::CorrectReceipt]),
            (Permission::CompletePurchaseOrders, &[Action::Complete]),
            (Permission::Place, &[]),
            (Permission::Reopen, &[]),
            (Permission::View, &[]),
            (Permission::ManageAccess, &[]),
        ] {
            let mut store = TestStore::new();
            let order = store.order_in(State::Receiving);
            assert_eq!(allowed(store.header(order), &BTreeSet::from([permission])), expected, "{permission}");
        }
    }
}
