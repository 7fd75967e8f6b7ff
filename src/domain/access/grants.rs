//! GrantRole and RevokeRole: who holds which role.
//!
//! Nobody grants what they do not hold, so MANAGE_ACCESS is not worth every other permission; and some
//! principal always keeps MANAGE_ACCESS, so a store never depends on platform operators.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::{PrincipalId, RoleId};
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Grants a role to a principal; granting one that is held already changes nothing.
#[derive(Clone, Debug)]
pub struct GrantRole {
    /// The principal who receives the role; it need not have called before.
    pub principal: PrincipalId,
    /// The role to grant. The caller must hold everything that it allows, unless they act as an
    /// operator.
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
        // For its refusal: the gate lets a platform operator through also where there is no store.
        changeset.store()?;
        let permissions = changeset.role(&self.role)?;
        if changeset.holds(&self.principal, &self.role)? {
            return Ok(Outcome::access_changed(0));
        }
        // After the check whether it is held: granting again gives nothing, so it is no escalation.
        changeset.authorization().check_no_escalation(&self.role, &permissions)?;
        let event = changeset
            .record(Detail::RoleGranted { principal: self.principal.to_string(), role: self.role.to_string() })?;
        changeset.grant(&self.principal, &self.role)?;
        Ok(Outcome::access_changed(event))
    }
}

/// Revokes a role from a principal; revoking one that is not held changes nothing.
#[derive(Clone, Debug)]
pub struct RevokeRole {
    /// The principal who loses the role.
    pub principal: PrincipalId,
    /// The role to revoke. The last one that gives MANAGE_ACCESS to anyone is not revoked.
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
        // Judged first: a role that does not exist is refused, while one that is not held changes nothing.
        changeset.role(&self.role)?;
        if !changeset.holds(&self.principal, &self.role)? {
            return Ok(Outcome::access_changed(0));
        }
        // Also for a role without MANAGE_ACCESS, which always passes: some other grant gives it.
        changeset.check_access_manager_remains(|who, role| (who, role) != (&self.principal, &self.role))?;
        let event = changeset
            .record(Detail::RoleRevoked { principal: self.principal.to_string(), role: self.role.to_string() })?;
        changeset.revoke(&self.principal, &self.role)?;
        Ok(Outcome::access_changed(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    fn grant(principal: &str, role: &str) -> GrantRole {
        GrantRole { principal: PrincipalId::new(principal), role: RoleId::new(role) }
    }

    fn revoke(principal: &str, role: &str) -> RevokeRole {
        RevokeRole { principal: PrincipalId::new(principal), role: RoleId::new(role) }
    }

    #[test]
    fn a_role_is_held_from_its_grant_to_its_revocation() {
        let mut store = TestStore::new();
        store.role("buyer", &[Permission::View]);
        assert_eq!(store.accept(grant("cid", "buyer")), 11);
        assert_eq!((store.roles_of("cid"), store.events()), (vec!["buyer".to_owned()], vec!["ROLE_GRANTED"]));
        assert_eq!(store.accept(revoke("cid", "buyer")), 12);
        assert_eq!((store.roles_of("cid").len(), store.events()), (0, vec!["ROLE_REVOKED"]));
        let closed = &store.decided.grants_closed[0];
        assert_eq!((closed.from_event, closed.to_event), (11, Some(12)));
    }

    #[test]
    fn granting_again_and_revoking_again_change_nothing() {
        let mut store = TestStore::new();
        store.role("buyer", &[Permission::View]);
        store.grant("cid", "buyer");
        assert_eq!(store.accept(grant("cid", "buyer")), 0);
        assert_eq!(store.accept(revoke("dee", "buyer")), 0);
        assert!(store.decided.stores.is_empty());
    }

    #[test]
    fn nobody_grants_what_they_do_not_hold_but_operators() {
        use Permission::{Edit, ManageAccess, View};
        for (held, refused) in [
            (&[ManageAccess][..], "role 'buyer' would give VIEW, EDIT, which you do not hold in this store yourself"),
            (&[ManageAccess, View], "role 'buyer' would give EDIT, which you do not hold in this store yourself"),
        ] {
            let mut store = TestStore::new();
            store.role("buyer", &[View, Edit]);
            store.call_with(held);
            assert_eq!(store.refusal_text(grant("cid", "buyer")), refused);
            // It is no escalation to grant again what is held already.
            store.grant("dee", "buyer");
            assert_eq!(store.accept(grant("dee", "buyer")), 0);
            store.call_with(&[ManageAccess, View, Edit]);
            store.accept(grant("cid", "buyer"));
            store.call_as_operator();
            store.accept(grant("eve", "buyer"));
            assert!(store.decided.events[0].as_operator);
        }
    }

    #[test]
    fn somebody_keeps_manage_access() {
        let mut store = TestStore::new();
        store.role("buyer", &[Permission::View]);
        store.grant("cid", "buyer");
        assert_eq!(
            store.refusal_text(revoke("ann", "owner")),
            "nobody would be left who holds MANAGE_ACCESS in this store: give it to somebody else first"
        );
        // Operators come from outside the store: they do not replace its last access manager.
        store.call_as_operator();
        assert_eq!(store.refuse(revoke("ann", "owner")), "LAST_ACCESS_MANAGER");
        store.role("access", &[Permission::ManageAccess]);
        store.grant("cid", "access");
        store.accept(revoke("ann", "owner"));
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::missing();
        assert_eq!(store.refuse(grant("cid", "owner")), "STORE_NOT_FOUND");
        assert_eq!(store.refuse(revoke("cid", "owner")), "STORE_NOT_FOUND");
        let mut store = TestStore::new();
        store.call_with(&[Permission::View]);
        assert_eq!(store.refuse(grant("cid", "no-such")), "PERMISSION_MISSING");
        assert_eq!(store.refuse(revoke("cid", "no-such")), "PERMISSION_MISSING");
        store.call_with(&[Permission::ManageAccess]);
        assert_eq!(store.refuse(grant("cid", "no-such")), "ROLE_NOT_FOUND");
        assert_eq!(store.refuse(revoke("cid", "no-such")), "ROLE_NOT_FOUND");
        assert_eq!(store.refuse(grant("cid", "owner")), "PERMISSION_NOT_HELD");
    }
}
