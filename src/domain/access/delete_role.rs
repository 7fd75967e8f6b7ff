//! DeleteRole: a role that nobody holds is deleted. All its permission periods end, which is how a role
//! ceases to exist: it has no row of its own.

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::RoleId;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Refusal, TruncatedList};

/// Deletes a role, which must not be held by anyone: a deletion never takes a permission from a
/// principal without naming them.
#[derive(Clone, Debug)]
pub struct DeleteRole {
    /// The id of the role; it may be used again for a new role.
    pub role: RoleId,
}

impl Command for DeleteRole {
    fn requires(&self) -> Requirement {
        Requirement::PermissionOrOperator(Permission::ManageAccess)
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::Roles, Need::Grants]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        // For its refusal: the gate lets a platform operator through also where there is no store.
        changeset.store()?;
        let permissions = changeset.role(&self.role)?;
        if let Some(holders) = TruncatedList::of_nonempty(changeset.holders(&self.role)?) {
            return Err(Refusal::RoleInUse { role: self.role.clone(), holders });
        }
        let event = changeset.record(Detail::RoleDeleted { role: self.role.to_string() })?;
        changeset.disallow(&self.role, &permissions)?;
        Ok(Outcome::access_changed(event))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    fn delete(role: &str) -> DeleteRole {
        DeleteRole { role: RoleId::new(role) }
    }

    #[test]
    fn a_role_that_nobody_holds_is_deleted_with_all_it_allows() {
        let mut store = TestStore::new();
        store.role("buyer", &[Permission::View, Permission::Edit]);
        assert_eq!(store.accept(delete("buyer")), 11);
        assert_eq!(store.allowed_by("buyer"), []);
        let closed = &store.decided.permissions_closed;
        let closed: Vec<_> = closed.iter().map(|period| (period.from_event, period.to_event)).collect();
        assert_eq!(closed, [(1, Some(11)), (1, Some(11))]);
        assert_eq!(store.events(), ["ROLE_DELETED"]);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::missing();
        assert_eq!(store.refuse(delete("buyer")), "STORE_NOT_FOUND");
        let mut store = TestStore::new();
        store.call_with(&[Permission::View]);
        assert_eq!(store.refuse(delete("buyer")), "PERMISSION_MISSING");
        store.call_as("ann");
        assert_eq!(store.refuse(delete("buyer")), "ROLE_NOT_FOUND");
        store.role("buyer", &[Permission::View]);
        store.grant("cid", "buyer");
        store.grant("dee", "buyer");
        assert_eq!(store.refusal_text(delete("buyer")), "role 'buyer' is held by cid, dee: revoke it from them first");
    }
}
