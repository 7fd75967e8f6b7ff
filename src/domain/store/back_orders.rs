//! EnableBackOrders and DisableBackOrders: whether completions of a store may create back orders.
//!
//! Enabling is judged by the count of open orders on the store's row, which is locked: no order can be
//! opened at the same time.

use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Allows completions to create back orders. Refused while any order of the store is open, with the
/// numbers of the first open orders.
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
        // The count decides; the list is only loaded to name the orders in the refusal.
        if store.open_orders > 0 {
            return Err(Refusal::OpenOrders(changeset.open_orders()?));
        }
        changeset.store_mut()?.back_orders_enabled = true;
        let event = changeset.record(Detail::BackOrdersEnabled {})?;
        Ok(Outcome::store_changed(event))
    }
}

/// Forbids completions to create back orders. Back orders that exist stay, and are received and
/// completed like any order.
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
        // Orders may be open: their back orders run their course, and none is made any more.
        changeset.store_mut()?.back_orders_enabled = false;
        let event = changeset.record(Detail::BackOrdersDisabled {})?;
        Ok(Outcome::store_changed(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::order::State;
    use crate::domain::testing::TestStore;

    #[test]
    fn back_orders_are_enabled_while_every_order_is_closed() {
        for (state, refused) in [
            (State::Draft, true),
            (State::OnOrder, true),
            (State::Receiving, true),
            (State::Completed, false),
            (State::Cancelled, false),
        ] {
            let mut store = TestStore::new();
            store.row().back_orders_enabled = false;
            store.order_in(state);
            store.call_as_operator();
            match store.send(EnableBackOrders) {
                Ok(_) => assert!(!refused && store.row().back_orders_enabled, "{state}"),
                Err(refusal) => {
                    let text = "back orders can be turned on only while every purchase order is closed; \
                                1 is open: PO-000001";
                    assert!(refused && !store.row().back_orders_enabled, "{state}");
                    assert_eq!(refusal.to_string(), text);
                }
            }
        }
    }

    #[test]
    fn the_refusal_names_the_first_twenty_open_orders() {
        let mut store = TestStore::new();
        store.row().back_orders_enabled = false;
        for _ in 0..22 {
            store.draft(&["oak 1"]);
        }
        store.call_as_operator();
        let text = store.refusal_text(EnableBackOrders);
        assert!(text.contains("22 are open: PO-000001, PO-000002"), "{text}");
        assert!(text.ends_with("PO-000020 and 2 more"), "{text}");
    }

    #[test]
    fn back_orders_are_disabled_at_any_time() {
        let mut store = TestStore::new();
        store.order_in(State::Receiving);
        store.call_as_operator();
        assert_eq!(store.accept(DisableBackOrders), 11);
        assert_eq!((store.row().back_orders_enabled, store.events()), (false, vec!["BACK_ORDERS_DISABLED"]));
    }

    #[test]
    fn what_is_so_already_stays_without_an_event() {
        let mut store = TestStore::new();
        // Nothing changes, so open orders do not matter.
        store.draft(&["oak 1"]);
        store.call_as_operator();
        assert_eq!(store.accept(EnableBackOrders), 0);
        store.row().back_orders_enabled = false;
        assert_eq!(store.accept(DisableBackOrders), 0);
    }

    #[test]
    fn only_an_operator_turns_back_orders_on_or_off() {
        let mut store = TestStore::new();
        assert_eq!(store.refuse(EnableBackOrders), "NOT_PLATFORM_OPERATOR");
        assert_eq!(store.refuse(DisableBackOrders), "NOT_PLATFORM_OPERATOR");
        let mut store = TestStore::missing();
        assert_eq!(store.refuse(EnableBackOrders), "STORE_NOT_FOUND");
        assert_eq!(store.refuse(DisableBackOrders), "STORE_NOT_FOUND");
    }
}
