//! What callers may do: roles, what they allow, and who holds them.

use std::collections::{BTreeMap, BTreeSet};

use super::{NotLoaded, RoleGrants, RolePermissions, WorkingSet};
use crate::domain::access::{
    Authorization, CallerAccess, GrantKey, Permission, Requirement, RolePermissionKey, ValidityPeriod, authorize,
};
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::domain::needs::Need;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;

/// Reading, by the gate and by commands.
impl WorkingSet {
    /// What a principal's roles allow together; nothing if they hold none.
    pub fn permissions_of(&self, store: &StoreId, principal: &PrincipalId) -> Result<&BTreeSet<Permission>, NotLoaded> {
        self.permissions.get(&(store.clone(), principal.clone())).ok_or(NotLoaded("a caller's permissions"))
    }

    /// Judges whether a principal may do what requires `requirement`.
    pub fn authorize(
        &self,
        store: &StoreId,
        principal: &Principal,
        requirement: Requirement,
    ) -> Result<Authorization, Refusal> {
        let store_exists = self.store(store)?.is_some();
        let permissions = self.permissions_of(store, &principal.id)?;
        authorize(CallerAccess { store, store_exists, permissions }, principal, requirement)
    }

    /// The roles that a principal holds in a store, each with the event that gave it.
    pub fn roles_of(&self, store: &StoreId, principal: &PrincipalId) -> Result<RoleGrants, NotLoaded> {
        // With all grants of the store loaded, no need for this principal by itself is noted.
        if !self.has_all(store, Need::Grants) {
            self.check_all(store, Need::GrantsOf(principal.clone()), "a principal's roles")?;
        }
        Ok(self.grants.get(&(store.clone(), principal.clone())).cloned().unwrap_or_default())
    }

    /// Every principal who holds a role in the store, with the roles they hold.
    pub fn all_grants(&self, store: &StoreId) -> Result<Vec<(&PrincipalId, &RoleGrants)>, NotLoaded> {
        self.check_all(store, Need::Grants, "everybody's roles")?;
        Ok(self.grants.iter().filter(|((s, _), _)| s == store).map(|((_, p), held)| (p, held)).collect())
    }

    /// Every role of a store and what it allows.
    pub fn roles(&self, store: &StoreId) -> Result<&BTreeMap<RoleId, RolePermissions>, NotLoaded> {
        // One role may be there without the others, where a decision was absorbed.
        self.check_all(store, Need::Roles, "a store's roles")?;
        self.roles.get(store).ok_or(NotLoaded("a store's roles"))
    }
}

/// Filling, by the repository.
impl WorkingSet {
    /// Notes what a principal's roles allow together.
    pub fn insert_permissions(&mut self, store: StoreId, principal: PrincipalId, permissions: BTreeSet<Permission>) {
        self.permissions.insert((store, principal), permissions);
    }

    /// Notes that a role has a permission since an event.
    pub fn insert_role_permission(&mut self, key: RolePermissionKey, from_event: i64) {
        let roles = self.roles.entry(key.store).or_default();
        roles.entry(key.role).or_default().insert(key.permission, from_event);
    }

    /// Notes that a principal holds a role since an event.
    pub fn insert_grant(&mut self, store: StoreId, principal: PrincipalId, role: RoleId, from_event: i64) {
        self.grants.entry((store, principal)).or_default().insert(role, from_event);
    }

    /// Works out what a principal's roles allow together, from roles and grants that are loaded.
    pub fn derive_permissions(&mut self, store: &StoreId, principal: &PrincipalId) -> Result<(), NotLoaded> {
        let held = self.roles_of(store, principal)?;
        let roles = self.roles(store)?;
        let mut allowed = BTreeSet::new();
        for role in held.keys() {
            allowed.extend(roles.get(role).into_iter().flat_map(|permissions| permissions.keys().copied()));
        }
        self.permissions.insert((store.clone(), principal.clone()), allowed);
        Ok(())
    }
}

/// Absorbing decisions.
impl WorkingSet {
    pub(super) fn absorb_permissions(
        &mut self,
        closed: &[ValidityPeriod<RolePermissionKey>],
        given: &[ValidityPeriod<RolePermissionKey>],
    ) {
        for ValidityPeriod { key, .. } in closed {
            let roles = self.roles.entry(key.store.clone()).or_default();
            roles.entry(key.role.clone()).or_default().remove(&key.permission);
        }
        for ValidityPeriod { key, from_event, .. } in given {
            self.insert_role_permission(key.clone(), *from_event);
        }
        for ValidityPeriod { key, .. } in closed {
            // A role exists while it allows something. This comes last, because a role may be given other
            // permissions in place of all that it had.
            self.roles.entry(key.store.clone()).or_default().retain(|_, allowed| !allowed.is_empty());
        }
    }

    pub(super) fn absorb_grants(&mut self, closed: &[ValidityPeriod<GrantKey>], given: &[ValidityPeriod<GrantKey>]) {
        // Closed before given, so that a period that begins anew is not ended at once.
        for ValidityPeriod { key, .. } in closed {
            if let Some(held) = self.grants.get_mut(&(key.store.clone(), key.principal.clone())) {
                held.remove(&key.role);
            }
        }
        for ValidityPeriod { key, from_event, .. } in given {
            let holder = (key.store.clone(), key.principal.clone());
            self.grants.entry(holder).or_default().insert(key.role.clone(), *from_event);
        }
    }

    /// What callers may do follows from roles and grants, so it is worked out anew where these change.
    /// Where not all roles and grants are loaded it cannot be, and is forgotten: a later read is answered
    /// [`NotLoaded`] and not what was true before. Nobody does: a command that changes access is the only
    /// one of its store in its transaction ([`Needs::are_exclusive`](crate::domain::needs::Needs::are_exclusive)).
    pub(super) fn absorb_changed_access(&mut self, stores: &BTreeSet<StoreId>) {
        for store in stores {
            let mut callers = Vec::new();
            for (of_store, caller) in self.permissions.keys() {
                if of_store == store {
                    callers.push(caller.clone());
                }
            }
            for caller in callers {
                if self.derive_permissions(store, &caller).is_err() {
                    self.permissions.remove(&(store.clone(), caller));
                }
            }
        }
    }
}
