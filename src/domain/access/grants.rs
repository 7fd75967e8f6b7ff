//! GrantRole and RevokeRole: who holds which role.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::{PrincipalId, RoleId};
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Gives a role to a principal.
#[derive(Clone, Debug)]
pub struct GrantRole {
    /// Who gets it.
    pub principal: PrincipalId,
    /// Which.
    pub role: RoleId,
}

impl Command for GrantRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::GrantsOf(self.principal.clone())]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        changeset.store()?;
        let permissions = changeset.role(&self.role)?;
        if changeset.holds(&self.principal, &self.role)? {
            return Ok(Outcome::access_changed(0));
        }
        changeset.authorization().check_no_escalation(&self.role, &permissions)?;
        let event = changeset
            .record(Detail::RoleGranted { principal: self.principal.to_string(), role: self.role.to_string() })?;
        changeset.grant(&self.principal, &self.role)?;
        Ok(Outcome::access_changed(event))
    }
}

/// Takes a role from a principal.
#[derive(Clone, Debug)]
pub struct RevokeRole {
    /// Who loses it.
    pub principal: PrincipalId,
    /// Which.
    pub role: RoleId,
}

impl Command for RevokeRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        changeset.store()?;
        changeset.role(&self.role)?;
        if !changeset.holds(&self.principal, &self.role)? {
            return Ok(Outcome::access_changed(0));
        }
        changeset.check_access_manager_remains(|who, role| (who, role) != (&self.principal, &self.role))?;
        let event = changeset
            .record(Detail::RoleRevoked { principal: self.principal.to_string(), role: self.role.to_string() })?;
        changeset.revoke(&self.principal, &self.role)?;
        Ok(Outcome::access_changed(event))
    }
}
