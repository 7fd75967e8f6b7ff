//! GrantRole and RevokeRole: who holds which role.

use crate::domain::access::{Permission, Requirement};
use crate::domain::code::{PrincipalId, RoleId};
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
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

impl Mutation for GrantRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::GrantsOf(self.principal.clone())]);
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Outcome, Refusal> {
        draft.store()?;
        let permissions = draft.role(&self.role)?;
        if draft.holds(&self.principal, &self.role)? {
            return Ok(Outcome::access_changed(0));
        }
        draft.authorization().check_gift(&self.role, &permissions)?;
        let event =
            draft.record(Detail::RoleGranted { principal: self.principal.to_string(), role: self.role.to_string() })?;
        draft.grant(&self.principal, &self.role)?;
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

impl Mutation for RevokeRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Outcome, Refusal> {
        draft.store()?;
        draft.role(&self.role)?;
        if !draft.holds(&self.principal, &self.role)? {
            return Ok(Outcome::access_changed(0));
        }
        draft.check_access_manager(|who, role| (who, role) != (&self.principal, &self.role))?;
        let event =
            draft.record(Detail::RoleRevoked { principal: self.principal.to_string(), role: self.role.to_string() })?;
        draft.revoke(&self.principal, &self.role)?;
        Ok(Outcome::access_changed(event))
    }
}
