//! DeleteRole: a role that nobody holds is taken away.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::RoleId;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Refusal, TruncatedList};

/// A role to delete.
#[derive(Clone, Debug)]
pub struct DeleteRole {
    /// Its id.
    pub role: RoleId,
}

impl Command for DeleteRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        changeset.store()?;
        let permissions = changeset.role(&self.role)?;
        if let Some(holders) = TruncatedList::of_nonempty(changeset.holders(&self.role)?) {
            return Err(Refusal::RoleInUse { role: self.role.clone(), holders });
        }
        let event = changeset.record(Detail::RoleDeleted { role: self.role.to_string() })?;
        changeset.disallow(&self.role, &permissions)?;
        Ok(Outcome::access_changed(event))
    }
}
