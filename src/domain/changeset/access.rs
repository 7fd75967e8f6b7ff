//! Reading and changing roles and grants. A period begins and ends with the event that changed it, so
//! each change is made after its event was recorded.

use std::collections::BTreeSet;

use super::Changeset;
use crate::domain::access::{GrantKey, Permission, RolePermissionKey, ValidityPeriod};
use crate::domain::code::{PrincipalId, RoleId};
use crate::domain::refusal::Refusal;

impl Changeset<'_> {
    /// What a role allows, or `None` if the store has no such role.
    pub fn find_role(&self, role: &RoleId) -> Result<Option<BTreeSet<Permission>>, Refusal> {
        let roles = self.working_set.roles(&self.envelope.store)?;
        Ok(roles.get(role).map(|allowed| allowed.keys().copied().collect()))
    }

    /// What a role allows. Refuses if the store has no such role.
    pub fn role(&self, role: &RoleId) -> Result<BTreeSet<Permission>, Refusal> {
        self.find_role(role)?.ok_or_else(|| Refusal::RoleNotFound(role.clone()))
    }

    /// How many roles the store has, to be held against [`MAX_ROLES`](crate::domain::access::MAX_ROLES).
    pub fn role_count(&self) -> Result<usize, Refusal> {
        Ok(self.working_set.roles(&self.envelope.store)?.len())
    }

    /// Whether a principal holds a role now.
    pub fn holds(&self, principal: &PrincipalId, role: &RoleId) -> Result<bool, Refusal> {
        Ok(self.working_set.roles_of(&self.envelope.store, principal)?.contains_key(role))
    }

    /// The principals who hold a role now, in the order of their names.
    pub fn holders(&self, role: &RoleId) -> Result<Vec<PrincipalId>, Refusal> {
        let mut holders = Vec::new();
        for (principal, held) in self.working_set.all_grants(&self.envelope.store)? {
            if held.contains_key(role) {
                holders.push(principal.clone());
            }
        }
        Ok(holders)
    }

    /// Refuses unless some principal holds MANAGE_ACCESS by a grant that `remains`: without one, only a
    /// platform operator could ever change the store's access again.
    pub fn check_access_manager_remains(&self, remains: impl Fn(&PrincipalId, &RoleId) -> bool) -> Result<(), Refusal> {
        let roles = self.working_set.roles(&self.envelope.store)?;
        for (principal, held) in self.working_set.all_grants(&self.envelope.store)? {
            for role in held.keys() {
                let manages = roles.get(role).is_some_and(|allowed| allowed.contains_key(&Permission::ManageAccess));
                if manages && remains(principal, role) {
                    return Ok(());
                }
            }
        }
        Err(Refusal::LastAccessManager)
    }

    /// Lets a role allow these from the last event on. A role exists while it allows something, so this
    /// also creates it.
    pub fn allow(&mut self, role: &RoleId, permissions: impl IntoIterator<Item = Permission>) -> Result<(), Refusal> {
        let from_event = self.store()?.last_event;
        for permission in permissions {
            let key = self.role_permission_key(role, permission);
            self.decision.permissions.push(ValidityPeriod { key, from_event, to_event: None });
        }
        Ok(())
    }

    /// Ends these permissions of a role with the last event. A role that then allows nothing does not
    /// exist any more.
    pub fn disallow(&mut self, role: &RoleId, permissions: &BTreeSet<Permission>) -> Result<(), Refusal> {
        let to_event = Some(self.store()?.last_event);
        let allowed = self.working_set.roles(&self.envelope.store)?.get(role);
        for (permission, from_event) in allowed.into_iter().flatten() {
            if permissions.contains(permission) {
                let key = self.role_permission_key(role, *permission);
                self.decision.permissions_closed.push(ValidityPeriod { key, from_event: *from_event, to_event });
            }
        }
        Ok(())
    }

    /// Grants a role from the last event on.
    pub fn grant(&mut self, principal: &PrincipalId, role: &RoleId) -> Result<(), Refusal> {
        let from_event = self.store()?.last_event;
        let key = self.grant_key(principal, role);
        self.decision.grants.push(ValidityPeriod { key, from_event, to_event: None });
        Ok(())
    }

    /// Ends a grant with the last event; does nothing if the principal does not hold the role.
    pub fn revoke(&mut self, principal: &PrincipalId, role: &RoleId) -> Result<(), Refusal> {
        let to_event = Some(self.store()?.last_event);
        let held = self.working_set.roles_of(&self.envelope.store, principal)?;
        if let Some(from_event) = held.get(role).copied() {
            let key = self.grant_key(principal, role);
            self.decision.grants_closed.push(ValidityPeriod { key, from_event, to_event });
        }
        Ok(())
    }

    fn role_permission_key(&self, role: &RoleId, permission: Permission) -> RolePermissionKey {
        RolePermissionKey { store: self.envelope.store.clone(), role: role.clone(), permission }
    }

    fn grant_key(&self, principal: &PrincipalId, role: &RoleId) -> GrantKey {
        GrantKey { store: self.envelope.store.clone(), principal: principal.clone(), role: role.clone() }
    }
}
