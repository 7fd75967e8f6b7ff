//! Who may do what: roles hold permissions, principals hold roles, and each call declares what it
//! requires. The same code judges a call and makes the list of actions that a caller is offered.

pub mod create_role;
pub mod delete_role;
pub mod grants;
pub mod update_role;

use std::collections::BTreeSet;
use std::fmt;

use super::code::{PrincipalId, RoleId, StoreId};
use super::principal::Principal;
use super::refusal::{Refusal, TruncatedList};

/// How many roles a store has at most.
pub const MAX_ROLES: usize = 100;

/// What a role may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    /// See orders, levels and the ledger.
    View,
    /// Create and change orders.
    Edit,
    /// Set orders on order.
    Place,
    /// Book deliveries in, and void them.
    Receive,
    /// Complete orders, and preview that.
    CompletePurchaseOrders,
    /// Reopen completed orders.
    Reopen,
    /// Cancel orders.
    Cancel,
    /// Adjust stock by hand.
    AdjustInventory,
    /// Change the store's settings.
    ManageStore,
    /// Change roles and who holds them.
    ManageAccess,
    /// See reports.
    ViewReports,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Self; 11] = [
        Self::View,
        Self::Edit,
        Self::Place,
        Self::Receive,
        Self::CompletePurchaseOrders,
        Self::Reopen,
        Self::Cancel,
        Self::AdjustInventory,
        Self::ManageStore,
        Self::ManageAccess,
        Self::ViewReports,
    ];

    /// The name it is stored by and known to callers by.
    pub const fn name(self) -> &'static str {
        match self {
            Self::View => "VIEW",
            Self::Edit => "EDIT",
            Self::Place => "PLACE",
            Self::Receive => "RECEIVE",
            Self::CompletePurchaseOrders => "COMPLETE_PURCHASE_ORDERS",
            Self::Reopen => "REOPEN",
            Self::Cancel => "CANCEL",
            Self::AdjustInventory => "ADJUST_INVENTORY",
            Self::ManageStore => "MANAGE_STORE",
            Self::ManageAccess => "MANAGE_ACCESS",
            Self::ViewReports => "VIEW_REPORTS",
        }
    }

    /// The permission stored by a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.name() == name)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a call requires of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// To be a platform operator.
    Operator,
    /// The permission by a role in the store.
    Permission(Permission),
    /// The permission by a role in the store, or to be a platform operator.
    PermissionOrOperator(Permission),
    /// Any role in the store, or to be a platform operator.
    AnyRoleOrOperator,
}

/// A caller who may: what was found out on the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Whether they act as a platform operator, by a role or not: events record it.
    pub as_operator: bool,
    /// What the caller's roles in the store allow.
    pub permissions: BTreeSet<Permission>,
}

impl Authorization {
    /// Refuses to let the caller give, by `role`, what they do not hold themselves.
    pub fn check_no_escalation(&self, role: &RoleId, given: &BTreeSet<Permission>) -> Result<(), Refusal> {
        let not_held = TruncatedList::of_nonempty(given.difference(&self.permissions).copied().collect());
        match not_held {
            Some(permissions) if !self.as_operator => {
                Err(Refusal::PermissionNotHeld { role: role.clone(), permissions })
            }
            _ => Ok(()),
        }
    }
}

/// What is known of a store and of one caller's roles in it: all that authorization looks at.
#[derive(Clone, Copy, Debug)]
pub struct CallerAccess<'a> {
    /// The store that the request names.
    pub store: &'a StoreId,
    /// Whether there is such a store.
    pub store_exists: bool,
    /// What the caller's roles there allow together. Every role allows something, so a caller without
    /// any permission holds no role.
    pub permissions: &'a BTreeSet<Permission>,
}

/// Judges whether `principal` may do in a store what requires `requirement`.
///
/// Somebody without a role gets one answer whether the store exists or not, so that nobody learns by
/// asking which stores there are.
pub fn authorize(
    access: CallerAccess<'_>,
    principal: &Principal,
    requirement: Requirement,
) -> Result<Authorization, Refusal> {
    let CallerAccess { store, store_exists, permissions } = access;
    let has_role = store_exists && !permissions.is_empty();
    let (by_role, by_operator, missing) = match requirement {
        Requirement::Operator => (false, true, Refusal::NotPlatformOperator),
        Requirement::Permission(p) => (permissions.contains(&p), false, Refusal::PermissionMissing(p)),
        Requirement::PermissionOrOperator(p) => (permissions.contains(&p), true, Refusal::PermissionMissing(p)),
        Requirement::AnyRoleOrOperator => (has_role, true, Refusal::NoStoreAccess(store.clone())),
    };
    // A role of their own takes nothing from what operators may.
    let as_operator = by_operator && principal.is_operator;
    if by_role || as_operator {
        return Ok(Authorization { as_operator, permissions: permissions.clone() });
    }
    let told = has_role || requirement == Requirement::Operator;
    Err(if told { missing } else { Refusal::NoStoreAccess(store.clone()) })
}

/// A role given to a principal, or a permission to a role, from one event on; its row is closed and
/// not deleted when it ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidityPeriod<K> {
    /// Who holds what.
    pub key: K,
    /// The event that began it.
    pub from_event: i64,
    /// The event that ended it.
    pub to_event: Option<i64>,
}

/// A principal's role in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantKey {
    /// Where.
    pub store: StoreId,
    /// Who.
    pub principal: PrincipalId,
    /// Which role.
    pub role: RoleId,
}

/// A role's permission in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePermissionKey {
    /// Where.
    pub store: StoreId,
    /// Which role.
    pub role: RoleId,
    /// What it allows.
    pub permission: Permission,
}

#[cfg(test)]
mod tests {
    use super::*;

    const STORE_EXISTS: bool = true;

    fn judged(
        store_exists: bool,
        permissions: &[Permission],
        is_operator: bool,
        requirement: Requirement,
    ) -> Result<bool, &'static str> {
        let store = StoreId::new("s1");
        let permissions = permissions.iter().copied().collect();
        let access = CallerAccess { store: &store, store_exists, permissions: &permissions };
        let principal = Principal { id: PrincipalId::new("ann"), is_operator };
        let judged = authorize(access, &principal, requirement);
        judged.map(|authorization| authorization.as_operator).map_err(|refusal| refusal.reason())
    }

    /// For each kind of caller: what a call that requires EDIT, EDIT or an operator, an operator, or
    /// any role or an operator answers. `Ok(true)` is allowed as an operator.
    #[test]
    fn roles_and_operators_may_what_the_call_requires() {
        let requirements = [
            Requirement::Permission(Permission::Edit),
            Requirement::PermissionOrOperator(Permission::Edit),
            Requirement::Operator,
            Requirement::AnyRoleOrOperator,
        ];
        let (no_access, missing) = (Err("NO_STORE_ACCESS"), Err("PERMISSION_MISSING"));
        let no_operator = Err("NOT_PLATFORM_OPERATOR");
        for (caller, permissions, is_operator, expected) in [
            ("without a role", &[][..], false, [no_access, no_access, no_operator, no_access]),
            ("with another permission", &[Permission::View], false, [missing, missing, no_operator, Ok(false)]),
            ("with the permission", &[Permission::Edit], false, [Ok(false), Ok(false), no_operator, Ok(false)]),
            ("an operator", &[], true, [no_access, Ok(true), Ok(true), Ok(true)]),
            ("an operator with another", &[Permission::View], true, [missing, Ok(true), Ok(true), Ok(true)]),
            ("an operator with it", &[Permission::Edit], true, [Ok(false), Ok(true), Ok(true), Ok(true)]),
        ] {
            let answers = requirements.map(|requirement| judged(STORE_EXISTS, permissions, is_operator, requirement));
            assert_eq!(answers, expected, "{caller}");
        }
    }

    #[test]
    fn without_a_role_a_store_that_is_there_and_one_that_is_not_look_the_same() {
        for permission in Permission::ALL {
            for requirement in [
                Requirement::Permission(permission),
                Requirement::PermissionOrOperator(permission),
                Requirement::AnyRoleOrOperator,
                Requirement::Operator,
            ] {
                let there = judged(STORE_EXISTS, &[], false, requirement);
                assert_eq!(there, judged(!STORE_EXISTS, &[], false, requirement), "{requirement:?}");
            }
        }
    }

    #[test]
    fn only_operators_give_what_they_do_not_hold() {
        let role = RoleId::new("buyer");
        let given = BTreeSet::from([Permission::View, Permission::Edit]);
        for (as_operator, held, refused) in [
            (false, &[Permission::View, Permission::Edit, Permission::Place][..], false),
            (false, &[Permission::View], true),
            (false, &[], true),
            (true, &[], false),
        ] {
            let authorization = Authorization { as_operator, permissions: held.iter().copied().collect() };
            assert_eq!(authorization.check_no_escalation(&role, &given).is_err(), refused, "{held:?}");
        }
    }
}
