//! DeleteRole: a role that nobody holds is taken away.

use crate::domain::access::{Permission, Requirement};
use crate::domain::code::RoleId;
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Listed, Refusal};

/// A role to delete.
#[derive(Clone, Debug)]
pub struct DeleteRole {
    /// Its id.
    pub role: RoleId,
}

impl Mutation for DeleteRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Outcome, Refusal> {
        draft.store()?;
        let permissions = draft.role(&self.role)?;
        if let Some(holders) = Listed::some(draft.holders(&self.role)?) {
            return Err(Refusal::RoleInUse { role: self.role.clone(), holders });
        }
        let event = draft.record(Detail::RoleDeleted { role: self.role.to_string() })?;
        draft.disallow(&self.role, &permissions)?;
        Ok(Outcome::access_changed(event))
    }
}
