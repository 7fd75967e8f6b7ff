//! CreateStore: a store with its three roles and its first owner.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::money::Currency;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::time::TimeZone;

/// A store to create.
#[derive(Clone, Debug)]
pub struct CreateStore {
    /// The caller's id for it.
    pub id: StoreId,
    /// What a person reads.
    pub display_name: String,
    /// The currency of everything it buys.
    pub currency: Currency,
    /// Where its dates are judged.
    pub time_zone: TimeZone,
    /// Who gets the role owner.
    pub owner: PrincipalId,
}

impl Command for CreateStore {
    fn requires(&self) -> Requirement {
        Requirement::Operator
    }

    fn needs(&self, needs: &mut Needs) {
        // Nothing is there yet; it is the only command of its store in its transaction, because it
        // decides who may do what there.
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
            open_orders: 0,
            last_order_number: 0,
            last_event: 0,
            last_event_time: changeset.now(),
        });
        let event = changeset.record(Detail::StoreCreated {
            owner: self.owner.to_string(),
            currency: self.currency.code(),
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
    let all_but = |kept: &[Permission]| Permission::ALL.into_iter().filter(|p| !kept.contains(p)).collect();
    [
        (RoleId::new("owner"), Permission::ALL.to_vec()),
        (RoleId::new("manager"), all_but(&[Permission::ManageStore, Permission::ManageAccess])),
        (RoleId::new("receiver"), vec![Permission::View, Permission::Receive]),
    ]
}
