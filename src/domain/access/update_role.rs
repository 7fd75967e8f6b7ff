//! UpdateRole: what a role allows, at once for everybody who holds it.

use std::collections::BTreeSet;

use crate::domain::access::{Permission, Requirement};
use crate::domain::code::RoleId;
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Changes to a role. What it gains is judged as if it were granted, whoever holds it.
#[derive(Clone, Debug)]
pub struct UpdateRole {
    /// Its id.
    pub role: RoleId,
    /// All that it is to allow; at least one.
    pub permissions: BTreeSet<Permission>,
}

impl Mutation for UpdateRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Outcome, Refusal> {
        draft.store()?;
        let before = draft.role(&self.role)?;
        let added: BTreeSet<Permission> = self.permissions.difference(&before).copied().collect();
        let removed: BTreeSet<Permission> = before.difference(&self.permissions).copied().collect();
        if added.is_empty() && removed.is_empty() {
            return Ok(Outcome::access_changed(0));
        }
        draft.authorization().check_gift(&self.role, &added)?;
        if removed.contains(&Permission::ManageAccess) {
            draft.check_access_manager(|_, role| *role != self.role)?;
        }
        let names = |permissions: &BTreeSet<Permission>| permissions.iter().map(|p| p.name()).collect();
        let (added_names, removed_names) = (names(&added), names(&removed));
        let detail = Detail::RoleUpdated { role: self.role.to_string(), added: added_names, removed: removed_names };
        let event = draft.record(detail)?;
        draft.disallow(&self.role, &removed)?;
        draft.allow(&self.role, added)?;
        Ok(Outcome::access_changed(event))
    }
}
