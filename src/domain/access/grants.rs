//! GrantRole and RevokeRole: who holds which role.

use crate::domain::access::{Permission, Requirement};
use crate::domain::code::{PrincipalId, RoleId};
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
use crate::domain::needs::Needs;
use crate::domain::refusal::Refusal;
use crate::domain::request::Made;

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
        needs.grants_of.push(self.principal.clone());
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Made, Refusal> {
        draft.store()?;
        let permissions = draft.role(&self.role)?;
        if draft.holds(&self.principal, &self.role)? {
            return Ok(Made::default());
        }
        draft.authorization().check_gift(&self.role, &permissions)?;
        let event =
            draft.record(Detail::RoleGranted { principal: self.principal.to_string(), role: self.role.to_string() })?;
        draft.grant(&self.principal, &self.role)?;
        Ok(Made { event, ..Made::default() })
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
        needs.all_grants = true;
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Made, Refusal> {
        draft.store()?;
        draft.role(&self.role)?;
        if !draft.holds(&self.principal, &self.role)? {
            return Ok(Made::default());
        }
        draft.check_access_manager(|who, role| (who, role) != (&self.principal, &self.role))?;
        let event =
            draft.record(Detail::RoleRevoked { principal: self.principal.to_string(), role: self.role.to_string() })?;
        draft.revoke(&self.principal, &self.role)?;
        Ok(Made { event, ..Made::default() })
    }
}
