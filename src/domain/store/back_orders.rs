//! EnableBackOrders and DisableBackOrders: the feature gate of a store.

use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Turns the feature on, if every order of the store is closed.
#[derive(Clone, Copy, Debug)]
pub struct EnableBackOrders;

impl Command for EnableBackOrders {
    fn requires(&self) -> Requirement {
        Requirement::Operator
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::OpenOrders);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let store = changeset.store()?;
        if store.back_orders_enabled {
            return Ok(Outcome::store_changed(0));
        }
        if store.open_orders > 0 {
            return Err(Refusal::OpenOrders(changeset.open_orders()?));
        }
        changeset.store_mut()?.back_orders_enabled = true;
        let event = changeset.record(Detail::BackOrdersEnabled {})?;
        Ok(Outcome::store_changed(event))
    }
}

/// Turns the feature off: no new back order, existing ones run their course.
#[derive(Clone, Copy, Debug)]
pub struct DisableBackOrders;

impl Command for DisableBackOrders {
    fn requires(&self) -> Requirement {
        Requirement::Operator
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        if !changeset.store()?.back_orders_enabled {
            return Ok(Outcome::store_changed(0));
        }
        changeset.store_mut()?.back_orders_enabled = false;
        let event = changeset.record(Detail::BackOrdersDisabled {})?;
        Ok(Outcome::store_changed(event))
    }
}
