//! Roles and grants.

use std::collections::{BTreeMap, BTreeSet};

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::access::Permission;
use crate::domain::code::{PrincipalId, RoleId};
use crate::repository::rows::access::{RoleGrantRow, RolePermissionRow};
use crate::repository::schema::{role_grant as grant, role_permission};

/// A place in the list of grants.
pub type GrantPosition = (String, String);

/// The roles of a store and what each allows now.
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

/// Who holds which role, by principal and role behind `after`; of one principal, if named.
pub fn grants(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    principal: Option<&PrincipalId>,
    after: Option<&GrantPosition>,
    limit: i64,
) -> Result<Vec<(PrincipalId, RoleId)>, ReadError> {
    let behind = |(principal, role): &GrantPosition| {
        let same = grant::principal.eq(principal.clone()).and(grant::role_id.gt(role.clone()));
        grant::principal.gt(principal.clone()).or(same)
    };
    let conditions = AllOf::new(grant::store_id.eq(check.store.as_str().to_owned()))
        .and(Some(grant::to_event.is_null()))
        .and(principal.map(|principal| grant::principal.eq(principal.as_str().to_owned())))
        .and(after.map(behind));
    let query = grant::table.filter(conditions).order((grant::principal, grant::role_id)).limit(limit);
    let (_, rows) = session.authorize_and_load::<RoleGrantRow, _>(check, query)?;
    let found = rows.into_iter().map(|row| (PrincipalId::new(row.principal), RoleId::new(row.role_id)));
    let mut found: Vec<(PrincipalId, RoleId)> = found.collect();
    found.sort();
    Ok(found)
}
