//! CreateRole: a new set of permissions that nobody holds yet.

use std::collections::BTreeSet;

use crate::domain::access::{MAX_ROLES, Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::RoleId;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// A role to create. It gives nobody anything until it is granted, and granting is what is judged.
#[derive(Clone, Debug)]
pub struct CreateRole {
    /// Its id.
    pub role: RoleId,
    /// What it allows; at least one.
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
        changeset.store()?;
        if changeset.find_role(&self.role)?.is_some() {
            return Err(Refusal::RoleExists(self.role.clone()));
        }
        if changeset.role_count()? >= MAX_ROLES {
            return Err(Refusal::TooManyRoles);
        }
        let event = changeset.record(Detail::RoleCreated {
            role: self.role.to_string(),
            permissions: self.permissions.iter().map(|p| p.name()).collect(),
        })?;
        changeset.allow(&self.role, self.permissions.clone())?;
        Ok(Outcome::access_changed(event))
    }
}
