//! CreateRole: a new set of permissions that nobody holds yet. It is not compared with what its creator
//! holds: a role gives nothing until it is granted, and granting is judged.

use std::collections::BTreeSet;

use crate::domain::access::{MAX_ROLES, Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::RoleId;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Creates a role. It gives nobody anything until it is granted.
#[derive(Clone, Debug)]
pub struct CreateRole {
    /// The new role's id, which must be free in the store.
    pub role: RoleId,
    /// What the role allows; at least one permission, because a role exists while it allows something.
    pub permissions: BTreeSet<Permission>,
}

impl Command for CreateRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::Roles);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        // For its refusal: the gate lets a platform operator through also where there is no store.
        changeset.store()?;
        if changeset.find_role(&self.role)?.is_some() {
            return Err(Refusal::RoleExists(self.role.clone()));
        }
        if changeset.role_count()? >= MAX_ROLES {
            return Err(Refusal::TooManyRoles);
        }
        // Recorded first: the role's permissions hold from this event on.
        let event = changeset.record(Detail::RoleCreated {
            role: self.role.to_string(),
            permissions: self.permissions.iter().copied().collect(),
        })?;
        changeset.allow(&self.role, self.permissions.clone())?;
        Ok(Outcome::access_changed(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    fn create(role: &str, permissions: &[Permission]) -> CreateRole {
        CreateRole { role: RoleId::new(role), permissions: permissions.iter().copied().collect() }
    }

    #[test]
    fn a_role_allows_what_it_is_created_with_and_nobody_holds_it() {
        let mut store = TestStore::new();
        assert_eq!(store.accept(create("buyer", &[Permission::Edit, Permission::View])), 11);
        assert_eq!(store.allowed_by("buyer"), [Permission::View, Permission::Edit]);
        assert_eq!(store.roles_of("ann"), ["owner"]);
        assert_eq!(store.event_details(), [r#"{"role":"buyer","permissions":["VIEW","EDIT"]}"#]);
        assert_eq!(store.decided.permissions[0].from_event, 11);
    }

    #[test]
    fn a_role_may_allow_more_than_its_creator_holds() {
        // Nobody gains anything before the role is granted, and granting is judged.
        let mut store = TestStore::new();
        store.call_with(&[Permission::ManageAccess]);
        store.accept(create("buyer", &[Permission::Edit]));
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        for n in 0..MAX_ROLES - 2 {
            store.role(&format!("role-{n}"), &[Permission::View]);
        }
        let command = create("role-7", &[Permission::View]);
        store.call_as("stranger");
        assert_eq!(store.refuse(command.clone()), "NO_STORE_ACCESS");
        store.call_with(&[Permission::ManageStore]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::ManageAccess]);
        assert_eq!(store.refuse(command), "ROLE_EXISTS");
        // With owner and narrow there are 100.
        assert_eq!(
            store.refusal_text(create("one-more", &[Permission::View])),
            "this store has 100 roles, the most that are allowed"
        );
    }

    #[test]
    fn an_operator_hears_that_there_is_no_store() {
        let mut store = TestStore::missing();
        assert_eq!(store.refuse(create("buyer", &[Permission::View])), "STORE_NOT_FOUND");
    }
}
