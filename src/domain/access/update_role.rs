//! UpdateRole: what a role allows changes at once for everyone who holds it.

use std::collections::BTreeSet;

use crate::domain::access::{Permission, Requirement};
use crate::domain::changeset::Changeset;
use crate::domain::code::RoleId;
use crate::domain::command::Command;
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::Refusal;

/// Replaces what a role allows. What it gains counts as given by the caller to everyone who holds the
/// role, so the caller must hold it.
#[derive(Clone, Debug)]
pub struct UpdateRole {
    /// The id of the role to change; it must exist.
    pub role: RoleId,
    /// Everything that the role allows from now on; at least one permission.
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
        // For its refusal: the gate lets a platform operator through also where there is no store.
        changeset.store()?;
        let before = changeset.role(&self.role)?;
        let added: BTreeSet<Permission> = self.permissions.difference(&before).copied().collect();
        let removed: BTreeSet<Permission> = before.difference(&self.permissions).copied().collect();
        if added.is_empty() && removed.is_empty() {
            return Ok(Outcome::access_changed(0));
        }
        // Only what is added counts: the holders of the role have the rest already.
        changeset.authorization().check_no_escalation(&self.role, &added)?;
        // Removing any other permission cannot leave the store without an access manager.
        if removed.contains(&Permission::ManageAccess) {
            changeset.check_access_manager_remains(|_, role| *role != self.role)?;
        }
        let detail =
            Detail::RoleUpdated { role: self.role.to_string(), added: listed(&added), removed: listed(&removed) };
        let event = changeset.record(detail)?;
        changeset.disallow(&self.role, &removed)?;
        changeset.allow(&self.role, added)?;
        Ok(Outcome::access_changed(event))
    }
}

fn listed(permissions: &BTreeSet<Permission>) -> Vec<Permission> {
    permissions.iter().copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::TestStore;

    fn update(role: &str, permissions: &[Permission]) -> UpdateRole {
        UpdateRole { role: RoleId::new(role), permissions: permissions.iter().copied().collect() }
    }

    #[test]
    fn a_role_allows_exactly_what_it_is_updated_to() {
        use Permission::{Edit, Place, View};
        for (permissions, detail) in [
            (&[View, Edit][..], ""),
            (&[Edit, Place], r#"{"role":"buyer","added":["PLACE"],"removed":["VIEW"]}"#),
            (&[View], r#"{"role":"buyer","added":[],"removed":["EDIT"]}"#),
            (&[View, Edit, Place], r#"{"role":"buyer","added":["PLACE"],"removed":[]}"#),
        ] {
            let mut store = TestStore::new();
            store.role("buyer", &[View, Edit]);
            let event = store.accept(update("buyer", permissions));
            assert_eq!(store.allowed_by("buyer"), permissions);
            assert_eq!(store.event_details().concat(), detail);
            assert_eq!(event != 0, !detail.is_empty());
        }
    }

    #[test]
    fn nobody_adds_to_a_role_what_they_do_not_hold() {
        use Permission::{Edit, ManageAccess, Place, View};
        for (permissions, refused) in [
            (&[View, Edit, Place][..], "role 'buyer' would give PLACE, which you do not hold in this store yourself"),
            // What the role allows already is not given by this call.
            (&[View, Edit, ManageAccess], ""),
            (&[View], ""),
        ] {
            let mut store = TestStore::new();
            store.role("buyer", &[View, Edit]);
            store.call_with(&[View, ManageAccess]);
            match store.send(update("buyer", permissions)) {
                Ok(_) => assert_eq!(refused, ""),
                Err(refusal) => assert_eq!(refusal.to_string(), refused),
            }
            store.call_as_operator();
            store.accept(update("buyer", permissions));
        }
    }

    #[test]
    fn somebody_keeps_manage_access() {
        use Permission::{ManageAccess, View};
        let mut store = TestStore::new();
        store.role("spare", &[ManageAccess]);
        assert_eq!(store.refuse(update("owner", &[View])), "LAST_ACCESS_MANAGER");
        // A role that nobody holds is nobody's permission.
        store.grant("bob", "spare");
        store.accept(update("owner", &[View]));
        store.call_as("bob");
        assert_eq!(store.refuse(update("spare", &[View])), "PERMISSION_NOT_HELD");
    }

    #[test]
    fn refusals_come_in_their_order() {
        use Permission::{ManageAccess, Place, View};
        let mut store = TestStore::missing();
        assert_eq!(store.refuse(update("owner", &[Place])), "STORE_NOT_FOUND");
        let mut store = TestStore::new();
        store.call_with(&[View]);
        assert_eq!(store.refuse(update("no-such", &[Place])), "PERMISSION_MISSING");
        store.role("owner", &[View, ManageAccess]);
        store.call_as("ann");
        assert_eq!(store.refuse(update("no-such", &[Place])), "ROLE_NOT_FOUND");
        assert_eq!(store.refuse(update("owner", &[Place])), "PERMISSION_NOT_HELD");
        assert_eq!(store.refuse(update("owner", &[View])), "LAST_ACCESS_MANAGER");
    }
}
