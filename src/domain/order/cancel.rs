//! CancelPurchaseOrder: an open order is given up.

use super::actions::Action;
use super::{Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;

/// An order to give up.
#[derive(Clone, Debug)]
pub struct CancelOrder {
    /// Which.
    pub order: OrderId,
    /// Its etag as the caller saw it, or empty.
    pub etag: String,
    /// Why; a draft needs no reason.
    pub reason: Option<String>,
}

impl Command for CancelOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Cancel.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Cancel))
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
        for mut line in changeset.all_lines(&order)? {
            line.quantities.cancelled += line.quantities.pending;
            line.quantities.pending = Quantity::ZERO;
            changeset.put_line(line);
        }
        let cancelled = Order {
            state: State::Cancelled,
            close_time: Some(changeset.now()),
            cancel_reason: self.reason.clone(),
            ..order
        };
        let event = changeset.put_order(cancelled, Detail::OrderCancelled { reason: self.reason.clone() })?;
        Ok(Outcome::order_changed(event, self.order))
    }
}
