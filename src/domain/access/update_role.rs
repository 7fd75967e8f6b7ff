//! UpdateRole: what a role allows, at once for all_grants who holds it.

use std::collections::BTreeSet;

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::RoleId;
use crate::domain::command::Command;
use crate::domain::event::Detail;
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

impl Command for UpdateRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        changeset.store()?;
        let before = changeset.role(&self.role)?;
        let added: BTreeSet<Permission> = self.permissions.difference(&before).copied().collect();
        let removed: BTreeSet<Permission> = before.difference(&self.permissions).copied().collect();
        if added.is_empty() && removed.is_empty() {
            return Ok(Outcome::access_changed(0));
        }
        changeset.authorization().check_no_escalation(&self.role, &added)?;
        if removed.contains(&Permission::ManageAccess) {
            changeset.check_access_manager_remains(|_, role| *role != self.role)?;
        }
        let names = |permissions: &BTreeSet<Permission>| permissions.iter().map(|p| p.name()).collect();
        let (added_names, removed_names) = (names(&added), names(&removed));
        let detail = Detail::RoleUpdated { role: self.role.to_string(), added: added_names, removed: removed_names };
        let event = changeset.record(detail)?;
        changeset.disallow(&self.role, &removed)?;
        changeset.allow(&self.role, added)?;
        Ok(Outcome::access_changed(event))
    }
}
