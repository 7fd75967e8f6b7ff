//! The naive model of who may do what: roles hold permissions, principals hold roles.

use std::collections::{BTreeSet, HashMap};

use purchase_order_service::proto::v1::{Permission, PurchaseOrderAction as Action};

use crate::naive_oracle::command::{Command, Name};
use crate::naive_oracle::refused::{Refused, ensure};

/// The principal who operates the platform.
pub const OPERATOR: Name = "operator";

/// What each role allows, and who holds which.
pub struct Access {
    roles: HashMap<Name, Vec<Permission>>,
    grants: BTreeSet<(Name, Name)>,
}

/// The permission that a command needs; none: it is for platform operators.
pub fn needed(command: &Command) -> Option<Permission> {
    match command {
        Command::Create(_) | Command::Copy { .. } => Some(Permission::Edit),
        Command::Adjust(_) => Some(Permission::AdjustInventory),
        Command::Deliver(_) => Some(Permission::Receive),
        Command::UpdateStore(_) => Some(Permission::ManageStore),
        Command::Change { verb, .. } => Some(needed_for(verb.action())),
        Command::CreateRole { .. } | Command::GrantRole { .. } | Command::RevokeRole { .. } => {
            Some(Permission::ManageAccess)
        }
        Command::SetBackOrders(_) => None,
    }
}

pub fn needed_for(action: Action) -> Permission {
    match action {
        Action::Update | Action::Copy | Action::Amend | Action::Confirm => Permission::Edit,
        Action::Place => Permission::Place,
        Action::Receive | Action::VoidReceipt | Action::CorrectReceipt => Permission::Receive,
        Action::Complete => Permission::CompletePurchaseOrders,
        Action::Cancel | Action::CancelLines => Permission::Cancel,
        Action::Reopen => Permission::Reopen,
        Action::Unspecified => unreachable!("nobody asks for it"),
    }
}

/// Of a new store: three roles and one owner.
impl Default for Access {
    fn default() -> Self {
        let all: Vec<Permission> = (1..=12).map(|wire| Permission::try_from(wire).unwrap()).collect();
        let not_managers = [Permission::ManageStore, Permission::ManageAccess];
        let manager = all.iter().copied().filter(|permission| !not_managers.contains(permission)).collect();
        let receiver = vec![Permission::View, Permission::Receive];
        let roles = HashMap::from([("owner", all), ("manager", manager), ("receiver", receiver)]);
        Self { roles, grants: BTreeSet::from([("alice", "owner")]) }
    }
}

impl Access {
    pub fn has_role(&self, who: Name, role: Name) -> bool {
        self.grants.contains(&(who, role))
    }

    pub fn has_any_role(&self, who: Name) -> bool {
        self.grants.iter().any(|(holder, _)| *holder == who)
    }

    pub fn holds(&self, who: Name, permission: Permission) -> bool {
        self.grants.iter().any(|(holder, role)| *holder == who && self.roles[role].contains(&permission))
    }

    /// Platform operators manage access and settings everywhere; whatever else they do takes a role.
    pub fn admit(&self, caller: Name, needed: Option<Permission>) -> Result<(), Refused> {
        let Some(needed) = needed else { return ensure(caller == OPERATOR, "NOT_PLATFORM_OPERATOR") };
        let operates = caller == OPERATOR && [Permission::ManageAccess, Permission::ManageStore].contains(&needed);
        ensure(operates || self.has_any_role(caller), "NO_STORE_ACCESS")?;
        ensure(operates || self.holds(caller, needed), "PERMISSION_MISSING")
    }

    /// A caller who names costs must be allowed to see them.
    pub fn admit_costs(&self, caller: Name, command: &Command) -> Result<(), Refused> {
        ensure(!command.names_costs() || self.holds(caller, Permission::ViewCosts), "PERMISSION_MISSING")
    }

    /// Does a command about roles; whether it changes anything.
    pub fn change(&mut self, caller: Name, command: &Command) -> Result<bool, Refused> {
        match command {
            Command::CreateRole { role, permissions } => {
                ensure(!self.roles.contains_key(role), "ROLE_EXISTS")?;
                self.roles.insert(role, permissions.clone());
                Ok(true)
            }
            Command::GrantRole { principal, role } => {
                let given = self.roles.get(role).ok_or("ROLE_NOT_FOUND")?;
                let may_give = caller == OPERATOR || given.iter().all(|permission| self.holds(caller, *permission));
                ensure(may_give || self.has_role(principal, role), "PERMISSION_NOT_HELD")?;
                Ok(self.grants.insert((principal, role)))
            }
            Command::RevokeRole { principal, role } => {
                ensure(self.roles.contains_key(role), "ROLE_NOT_FOUND")?;
                let mut left = self.grants.iter().filter(|grant| **grant != (*principal, *role));
                let manages = |role: &Name| self.roles[role].contains(&Permission::ManageAccess);
                ensure(left.any(|(_, role)| manages(role)), "LAST_ACCESS_MANAGER")?;
                Ok(self.grants.remove(&(*principal, *role)))
            }
            other => unreachable!("{other:?} is about no role"),
        }
    }
}
