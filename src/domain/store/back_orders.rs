//! EnableBackOrders and DisableBackOrders: the feature gate of a store.

use crate::domain::access::Requirement;
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
use crate::domain::needs::Needs;
use crate::domain::refusal::Refusal;
use crate::domain::request::Made;

/// Turns the feature on, if every order of the store is closed.
#[derive(Clone, Copy, Debug)]
pub struct EnableBackOrders;

impl Mutation for EnableBackOrders {
    fn requires(&self) -> Requirement {
        Requirement::Operator
    }

    fn needs(&self, needs: &mut Needs) {
        needs.open_orders = true;
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Made, Refusal> {
        let store = draft.store()?;
        if store.back_orders_enabled {
            return Ok(Made::default());
        }
        if store.open_orders > 0 {
            return Err(Refusal::OpenOrders(draft.open_orders()?));
        }
        draft.store_mut()?.back_orders_enabled = true;
        let event = draft.record(Detail::BackOrdersEnabled {})?;
        Ok(Made { event, ..Made::default() })
    }
}

/// Turns the feature off: no new back order, existing ones run their course.
#[derive(Clone, Copy, Debug)]
pub struct DisableBackOrders;

impl Mutation for DisableBackOrders {
    fn requires(&self) -> Requirement {
        Requirement::Operator
    }

    fn needs(&self, _: &mut Needs) {}

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Made, Refusal> {
        if !draft.store()?.back_orders_enabled {
            return Ok(Made::default());
        }
        draft.store_mut()?.back_orders_enabled = false;
        let event = draft.record(Detail::BackOrdersDisabled {})?;
        Ok(Made { event, ..Made::default() })
    }
}
