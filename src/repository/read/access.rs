//! Reads the roles of a store and who holds them: what holds now, and not what held before.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::access::Permission;
use crate::domain::code::{PrincipalId, RoleId};
use crate::repository::rows::access::{RoleGrantRow, RolePermissionRow};
use crate::repository::schema::{role_grant as grant, role_permission};

/// A position in the list of grants, which page tokens carry: principal and role.
pub type GrantPosition = (String, String);

/// The roles of a store, each with the permissions that it gives now. There are few of them, so there are no pages.
pub fn roles(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
) -> Result<BTreeMap<RoleId, BTreeSet<Permission>>, ReadError> {
    let query = role_permission::table
        .filter(role_permission::store_id.eq(check.store.as_str().to_owned()))
        .filter(role_permission::to_event.is_null());
    let (_, rows) = session.authorize_and_load::<RolePermissionRow, _>(check, query)?;
    let mut roles: BTreeMap<RoleId, BTreeSet<Permission>> = BTreeMap::new();
    for row in rows {
        let key = row.key()?;
        roles.entry(key.role).or_default().insert(key.permission);
    }
    Ok(roles)
}

/// A page of the grants that hold now, sorted by principal and role, after the position `after`; with `principal` only
/// those of one principal.
pub fn grants(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    principal: Option<&PrincipalId>,
    after: Option<&GrantPosition>,
    limit: i64,
) -> Result<Vec<(PrincipalId, RoleId)>, ReadError> {
    let conditions = AllOf::new(grant::store_id.eq(check.store.as_str().to_owned()))
        .and(Some(grant::to_event.is_null()))
        .and(principal.map(|principal| grant::principal.eq(principal.as_str().to_owned())))
        // Row comparison, (principal, role) > after, written out: Diesel cannot write it for both databases.
        .and(after.map(|(principal, role)| {
            let same_principal = grant::principal.eq(principal.clone()).and(grant::role_id.gt(role.clone()));
            grant::principal.gt(principal.clone()).or(same_principal)
        }));
    let query = grant::table.filter(conditions).order((grant::principal, grant::role_id)).limit(limit);
    let (_, rows) = session.authorize_and_load::<RoleGrantRow, _>(check, query)?;
    let mut grants: Vec<(PrincipalId, RoleId)> =
        rows.into_iter().map(|row| (PrincipalId::new(row.principal), RoleId::new(row.role_id))).collect();
    grants.sort();
    Ok(grants)
}
