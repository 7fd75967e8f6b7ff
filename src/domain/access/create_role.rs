//! CreateRole: a new set of permissions that nobody holds yet.

use std::collections::BTreeSet;

use crate::domain::access::{MAX_ROLES, Permission, Requirement};
use crate::domain::code::RoleId;
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
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

impl Mutation for CreateRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::Roles);
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Outcome, Refusal> {
        draft.store()?;
        if draft.find_role(&self.role)?.is_some() {
            return Err(Refusal::RoleExists(self.role.clone()));
        }
        if draft.role_count()? >= MAX_ROLES {
            return Err(Refusal::TooManyRoles);
        }
        let event = draft.record(Detail::RoleCreated {
            role: self.role.to_string(),
            permissions: self.permissions.iter().map(|p| p.name()).collect(),
        })?;
        draft.allow(&self.role, self.permissions.clone())?;
        Ok(Outcome::access_changed(event))
    }
}
