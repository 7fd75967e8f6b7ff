//! Grants.

use diesel::prelude::*;

use super::filter::AllOf;
use crate::domain::code::{PrincipalId, RoleId, StoreId};
use crate::repository::error::DbError;
use crate::repository::rows::access::RoleGrantRow;
use crate::repository::schema::role_grant as grant;
use crate::repository::session::Session;

/// A place in the list of grants.
pub type GrantPosition = (String, String);

/// Who holds which role, by principal and role behind `after`; of one principal, if named.
pub fn grants(
    session: &mut Session,
    store: &StoreId,
    principal: Option<&PrincipalId>,
    after: Option<&GrantPosition>,
    limit: i64,
) -> Result<Vec<(PrincipalId, RoleId)>, DbError> {
    let behind = |(principal, role): &GrantPosition| {
        let same = grant::principal.eq(principal.clone()).and(grant::role_id.gt(role.clone()));
        grant::principal.gt(principal.clone()).or(same)
    };
    let conditions = AllOf::new(grant::store_id.eq(store.as_str().to_owned()))
        .and(Some(grant::to_event.is_null()))
        .and(principal.map(|principal| grant::principal.eq(principal.as_str().to_owned())))
        .and(after.map(behind));
    let rows: Vec<RoleGrantRow> =
        session.load(grant::table.filter(conditions).order((grant::principal, grant::role_id)).limit(limit))?;
    Ok(rows.into_iter().map(|row| (PrincipalId::new(row.principal), RoleId::new(row.role_id))).collect())
}
