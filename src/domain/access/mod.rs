//! Access: roles hold permissions, principals hold roles, and each call declares what it requires.
//!
//! All of it is per store; nothing is inherited from one store to another. A caller without a role gets
//! the same answer for a store that exists and for one that does not, so that nobody can find out by
//! asking which stores there are.

pub mod create_role;
pub mod delete_role;
pub mod grants;
pub mod update_role;

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::code::{PrincipalId, RoleId, StoreId};
use super::principal::Principal;
use super::refusal::{Refusal, TruncatedList};

/// The most roles that a store may have, so that all of them fit into one answer and one load.
pub const MAX_ROLES: usize = 100;

/// A permission: what a role may allow its holders to do in one store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Permission {
    /// See orders, receipts, levels and the ledger of the store.
    View,
    /// See costs, amounts and values in any answer, and name costs in requests.
    ViewCosts,
    /// Create and copy orders, change drafts, amend and confirm open orders, and change their notes and references.
    Edit,
    /// Place drafts, which commits the store towards its suppliers.
    Place,
    /// Book deliveries in, and void or correct receipts.
    Receive,
    /// Complete orders, and preview what a completion would do.
    CompletePurchaseOrders,
    /// Reopen completed orders, and fold their back orders back.
    Reopen,
    /// Cancel orders of which nothing was accepted, and what is pending on single lines.
    Cancel,
    /// Adjust stock beside orders: sales, returns, counts and losses.
    AdjustInventory,
    /// Change the store's settings, except whether it makes back orders, which takes a platform operator.
    ManageStore,
    /// Change roles, and grant and revoke them; some principal of each store always keeps it.
    ManageAccess,
    /// See reports: what is outstanding and overdue, and how suppliers perform.
    ViewReports,
}

impl Permission {
    /// Every permission, in the order in which answers list them.
    pub const ALL: [Self; 12] = [
        Self::View,
        Self::ViewCosts,
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
            Self::ViewCosts => "VIEW_COSTS",
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

/// What a call requires of its caller. Each rpc declares one, and nothing but [`authorize`] judges it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requirement {
    /// The caller must be a platform operator; no role replaces that.
    Operator,
    /// The permission by a role in the store.
    Permission(Permission),
    /// The permission by a role in the store, or to be a platform operator.
    PermissionOrOperator(Permission),
    /// Any role in the store, or to be a platform operator.
    AnyRoleOrOperator,
}

/// Whether an answer may show its caller costs, amounts and values.
///
/// It is decided here and nowhere else, by the permissions of the moment at which the answer is made. A
/// role alone decides it: a platform operator without one reads no orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CostVisibility {
    /// The answer is given as it is.
    Shown,
    /// Every field that holds a cost is unset, and requests may not name one.
    Hidden,
}

impl CostVisibility {
    /// What the holder of these permissions may see.
    pub fn of(permissions: &BTreeSet<Permission>) -> Self {
        if permissions.contains(&Permission::ViewCosts) { Self::Shown } else { Self::Hidden }
    }

    /// What may be shown of an answer that two judgements contribute to: costs only if both allow it.
    pub fn and(self, other: Self) -> Self {
        if self == Self::Shown { other } else { Self::Hidden }
    }
}

/// A caller who was allowed to make the call, and as what: events record it, and escalation is judged
/// by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// Whether they act as a platform operator, by a role or not: events record it.
    pub as_operator: bool,
    /// What the caller's roles in the store allow.
    pub permissions: BTreeSet<Permission>,
}

impl Authorization {
    /// Refuses a request that names a cost, by the path of its field, if the caller may not see costs:
    /// who may not learn what goods cost does not decide it either.
    pub fn check_named_cost(&self, named_cost: Option<&'static str>) -> Result<(), Refusal> {
        match (named_cost, CostVisibility::of(&self.permissions)) {
            (Some(field), CostVisibility::Hidden) => Err(Refusal::CostNamed(field)),
            _ => Ok(()),
        }
    }

    /// Refuses to let the caller give, by `role`, what they do not hold themselves.
    pub fn check_no_escalation(&self, role: &RoleId, given: &BTreeSet<Permission>) -> Result<(), Refusal> {
        // Operators administer the access of every store, and need not hold a role in it.
        if self.as_operator {
            return Ok(());
        }
        match TruncatedList::of_nonempty(given.difference(&self.permissions).copied().collect()) {
            Some(permissions) => Err(Refusal::PermissionNotHeld { role: role.clone(), permissions }),
            None => Ok(()),
        }
    }
}

/// What is stored about a store and one caller in it: everything that [`authorize`] looks at.
#[derive(Clone, Copy, Debug)]
pub struct CallerAccess<'a> {
    /// The store that the request names.
    pub store: &'a StoreId,
    /// Whether the store exists; a caller without a role must not learn it.
    pub store_exists: bool,
    /// What the caller's roles there allow together. Every role allows something, so a caller without
    /// any permission holds no role.
    pub permissions: &'a BTreeSet<Permission>,
}

/// Judges whether `principal` may make a call that requires `requirement` in a store.
///
/// A caller without a role gets one answer whether the store exists or not, so that nobody can find out
/// by asking which stores there are.
pub fn authorize(
    access: CallerAccess<'_>,
    principal: &Principal,
    requirement: Requirement,
) -> Result<Authorization, Refusal> {
    let CallerAccess { store, store_exists, permissions } = access;
    let has_role = store_exists && !permissions.is_empty();
    let by_role = match requirement {
        Requirement::Operator => false,
        Requirement::Permission(required) | Requirement::PermissionOrOperator(required) => {
            permissions.contains(&required)
        }
        Requirement::AnyRoleOrOperator => has_role,
    };
    // An operator acts as one wherever operators may, also with a role of their own: a role must not take
    // away what they are allowed without it.
    let as_operator = principal.is_operator && !matches!(requirement, Requirement::Permission(_));
    if by_role || as_operator {
        return Ok(Authorization { as_operator, permissions: permissions.clone() });
    }
    match requirement {
        Requirement::Operator => Err(Refusal::NotPlatformOperator),
        // A caller who holds some role knows that the store exists, so they are told what they lack.
        Requirement::Permission(missing) | Requirement::PermissionOrOperator(missing) if has_role => {
            Err(Refusal::PermissionMissing(missing))
        }
        _ => Err(Refusal::NoStoreAccess(store.clone())),
    }
}

/// One period of a grant, or of a permission of a role. Its row is closed when the period ends and
/// never deleted, so that it can be told who was allowed what at any event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValidityPeriod<K> {
    /// The grant or the permission that holds during the period.
    pub key: K,
    /// The number of the event that began the period.
    pub from_event: i64,
    /// The number of the event that ended it; none while it lasts.
    pub to_event: Option<i64>,
}

/// Identifies a grant: one principal holds one role in one store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantKey {
    /// The store in which the grant counts, and nowhere else.
    pub store: StoreId,
    /// The principal who holds the role.
    pub principal: PrincipalId,
    /// The role that the principal holds.
    pub role: RoleId,
}

/// Identifies a permission of a role in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RolePermissionKey {
    /// The store that the role belongs to; roles of the same id in other stores are other roles.
    pub store: StoreId,
    /// The role that allows something.
    pub role: RoleId,
    /// The permission that every holder of the role has.
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
    fn costs_are_shown_by_view_costs_alone_and_only_if_every_judgement_shows_them() {
        use CostVisibility::{Hidden, Shown};
        for permission in Permission::ALL {
            let expected = if permission == Permission::ViewCosts { Shown } else { Hidden };
            assert_eq!(CostVisibility::of(&BTreeSet::from([permission])), expected, "{permission}");
        }
        assert_eq!(CostVisibility::of(&BTreeSet::new()), Hidden);
        let together = [(Shown, Shown), (Shown, Hidden), (Hidden, Shown), (Hidden, Hidden)];
        assert_eq!(together.map(|(one, other)| one.and(other)), [Shown, Hidden, Hidden, Hidden]);
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

    #[test]
    fn each_permission_is_found_by_its_name_alone() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(permission));
        }
        for name in ["", "view", "OWN"] {
            assert_eq!(Permission::from_name(name), None, "{name:?}");
        }
    }
}
