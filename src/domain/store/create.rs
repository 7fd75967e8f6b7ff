//! CreateStore: a store with its three roles and its first owner. Without an owner nobody but platform
//! operators could grant roles in it.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::money::Currency;
use crate::domain::needs::{Need, Needs};
use crate::domain::order::tolerance::Tolerance;
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::time::TimeZone;

/// Creates a store with its three roles and its first owner, so that it can be used at once.
#[derive(Clone, Debug)]
pub struct CreateStore {
    /// The caller's id for the store, which must be free on the whole platform.
    pub id: StoreId,
    /// The name that people read; it need not be unique.
    pub display_name: String,
    /// The currency of everything that the store buys; never changes.
    pub currency: Currency,
    /// The zone by whose calendar the dates of the store are judged.
    pub time_zone: TimeZone,
    /// The principal who gets the role `owner` and with it every permission.
    pub owner: PrincipalId,
}

impl Command for CreateStore {
    fn requires(&self) -> Requirement {
        Requirement::Operator
    }

    fn needs(&self, needs: &mut Needs) {
        // A new store has no roles to load. The need makes this the only command of its store in its
        // transaction, because it changes who may do what there.
        needs.add(Need::Roles);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        if changeset.has_store() {
            return Err(Refusal::StoreExists(self.id.clone()));
        }
        changeset.create_store(Store {
            id: self.id.clone(),
            display_name: self.display_name.clone(),
            currency: self.currency,
            time_zone: self.time_zone.clone(),
            create_time: changeset.now(),
            back_orders_enabled: false,
            over_receipt_tolerance: Tolerance::default(),
            allow_negative_stock: false,
            allow_unlisted_items: false,
            open_orders: 0,
            last_order_number: 0,
            // Raised to 1 by the event below: no store is saved without an event.
            last_event: 0,
            last_event_time: changeset.now(),
            first_event: 1,
        });
        let event = changeset.record(Detail::StoreCreated {
            owner: self.owner.to_string(),
            currency: self.currency.code().to_owned(),
            time_zone: self.time_zone.name().to_owned(),
        })?;
        for (role, permissions) in first_roles() {
            changeset.allow(&role, permissions)?;
        }
        changeset.grant(&self.owner, &RoleId::new("owner"))?;
        Ok(Outcome::store_changed(event))
    }
}

/// The roles that every store begins with.
fn first_roles() -> [(RoleId, Vec<Permission>); 3] {
    let mut manager = Permission::ALL.to_vec();
    // A manager runs the orders and the stock. Settings and access stay with the owner.
    manager.retain(|permission| !matches!(permission, Permission::ManageStore | Permission::ManageAccess));
    [
        (RoleId::new("owner"), Permission::ALL.to_vec()),
        (RoleId::new("manager"), manager),
        (RoleId::new("receiver"), vec![Permission::View, Permission::Receive]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    fn create() -> CreateStore {
        CreateStore {
            id: StoreId::new("s1"),
            display_name: "First".to_owned(),
            currency: Currency::parse("EUR").unwrap(),
            time_zone: TimeZone::parse("Europe/Amsterdam").unwrap(),
            owner: PrincipalId::new("ann"),
        }
    }

    #[test]
    fn a_store_begins_with_three_roles_an_owner_and_back_orders_off() {
        let mut store = TestStore::missing();
        assert_eq!(store.accept(create()), 1);
        let row = store.store.clone().unwrap();
        assert_eq!((row.back_orders_enabled, row.open_orders, row.last_order_number), (false, 0, 0));
        assert_eq!((row.create_time, row.last_event_time, row.last_event), (store.now, store.now, 1));
        assert_eq!(store.allowed_by("owner"), Permission::ALL);
        assert_eq!(store.allowed_by("manager").len(), Permission::ALL.len() - 2);
        assert!(!store.allowed_by("manager").contains(&Permission::ManageStore));
        assert!(!store.allowed_by("manager").contains(&Permission::ManageAccess));
        assert_eq!(store.allowed_by("receiver"), [Permission::View, Permission::Receive]);
        assert_eq!(store.roles_of("ann"), ["owner"]);
        // The operator who created it holds no role in it.
        assert_eq!(store.roles_of("operator").len(), 0);
        assert_eq!(store.event_details(), [r#"{"owner":"ann","currency":"EUR","time_zone":"Europe/Amsterdam"}"#]);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::missing();
        store.call_as("ann");
        assert_eq!(store.refuse(create()), "NOT_PLATFORM_OPERATOR");
        let mut store = TestStore::new();
        assert_eq!(store.refuse(create()), "NOT_PLATFORM_OPERATOR");
        store.call_as_operator();
        assert_eq!(store.refuse(create()), "STORE_EXISTS");
    }

    #[test]
    fn a_creation_is_the_only_command_of_its_store_in_its_transaction() {
        // It gives roles and a grant, which change what the callers of other commands may do.
        assert!(TestStore::missing().envelope(create()).needs().are_exclusive());
    }
}
