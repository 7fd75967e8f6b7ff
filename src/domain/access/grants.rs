//! GrantRole and RevokeRole: who holds which role.

use crate::domain::access::{Permission, Requirement};
use crate::domain::code::{PrincipalId, RoleId};
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::Mutation;
use crate::domain::needs::Needs;
use crate::domain::refusal::{Listed, Refusal};
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
        let Some(permissions) = draft.role(&self.role)? else {
            return Err(Refusal::RoleNotFound(self.role.clone()));
        };
        let held = &draft.admission().permissions;
        let not_held = permissions.into_iter().filter(|p| !held.contains(p)).collect();
        if let (false, Some(permissions)) = (draft.admission().as_operator, Listed::some(not_held)) {
            return Err(Refusal::PermissionNotHeld { role: self.role.clone(), permissions });
        }
        if draft.holds(&self.principal, &self.role)? {
            return Ok(Made::default());
        }
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
        if draft.role(&self.role)?.is_none() {
            return Err(Refusal::RoleNotFound(self.role.clone()));
        }
        if !draft.holds(&self.principal, &self.role)? {
            return Ok(Made::default());
        }
        if !draft.somebody_manages_access_without(&self.principal, &self.role)? {
            return Err(Refusal::LastAccessManager);
        }
        let event =
            draft.record(Detail::RoleRevoked { principal: self.principal.to_string(), role: self.role.to_string() })?;
        draft.revoke(&self.principal, &self.role)?;
        Ok(Made { event, ..Made::default() })
    }
}
