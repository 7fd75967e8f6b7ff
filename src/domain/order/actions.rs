//! What may be done to an order: by its state and quantities, and by the caller's permissions. The
//! commands are judged by this code, and so is the list that tells a user interface which buttons to
//! show.

use std::collections::BTreeSet;

use super::{Order, State};
use crate::domain::access::Permission;
use crate::domain::refusal::Refusal;

/// Something that may be done to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Change what it says.
    Update,
    /// Set it on order.
    Place,
    /// Book a delivery in.
    Receive,
    /// Take a receipt back.
    VoidReceipt,
    /// Complete it.
    Complete,
    /// Give it up.
    Cancel,
}

impl Action {
    const ALL: [Self; 6] = [Self::Update, Self::Place, Self::Receive, Self::VoidReceipt, Self::Complete, Self::Cancel];

    /// The permission that it takes.
    pub const fn permission(self) -> Permission {
        match self {
            Self::Update => Permission::Edit,
            Self::Place => Permission::Place,
            Self::Receive | Self::VoidReceipt => Permission::Receive,
            Self::Complete => Permission::CompletePurchaseOrders,
            Self::Cancel => Permission::Cancel,
        }
    }

    /// Refuses what the order's state and quantities do not allow.
    pub fn check(self, order: &Order) -> Result<(), Refusal> {
        self.check_state(order)?;
        self.check_quantities(order)
    }

    /// Refuses what the order's state does not allow.
    pub fn check_state(self, order: &Order) -> Result<(), Refusal> {
        let (in_state, rule) = match self {
            Self::Update => (order.state.is_open(), "a closed order is not changed any more"),
            Self::Place => (order.state == State::Draft, "only a DRAFT is placed"),
            Self::Receive => (order.state.is_live(), "goods are received while it is ON_ORDER or RECEIVING"),
            Self::VoidReceipt => (order.state == State::Receiving, "receipts are voided while it is RECEIVING"),
            Self::Complete => (order.state.is_live(), "an order is completed while it is ON_ORDER or RECEIVING"),
            Self::Cancel => (order.state.is_open(), "a closed order is not cancelled any more"),
        };
        if in_state { Ok(()) } else { Err(order.wrong_state(rule)) }
    }

    /// Refuses what the order's quantities do not allow.
    pub fn check_quantities(self, order: &Order) -> Result<(), Refusal> {
        let accepted = order.counters.totals.received.is_positive();
        match self {
            Self::Complete if !accepted => Err(Refusal::NothingReceived(order.number.clone())),
            Self::Cancel if accepted => Err(Refusal::AcceptedStaged(order.number.clone())),
            _ => Ok(()),
        }
    }
}

/// What a caller who holds `permissions` may do with an order now.
pub fn allowed(order: &Order, permissions: &BTreeSet<Permission>) -> Vec<Action> {
    let may = |action: &Action| permissions.contains(&action.permission()) && action.check(order).is_ok();
    Action::ALL.into_iter().filter(may).collect()
}
