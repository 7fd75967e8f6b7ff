//! Reads one store, or the list of stores that a caller has access to.

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::principal::Principal;
use crate::domain::store::Store;
use crate::repository::rows::store::StoreRow;
use crate::repository::schema::{role_grant, store};

/// One store, for a caller who has access to it.
pub fn store(session: &mut ReadSession<'_>, check: &AccessCheck) -> Result<Store, ReadError> {
    Ok(session.authorize(check)?.into_store())
}

/// A page of the stores in which the caller has a role, or of all stores for a platform operator, sorted by id, after
/// `after`. There is no store to judge access to, so the query itself leaves out what the caller has no access to. It is
/// the only query that does not begin with a store: an index of grants by principal serves it.
pub fn list(
    session: &mut ReadSession<'_>,
    principal: &Principal,
    after: &str,
    limit: i64,
) -> Result<Vec<Store>, ReadError> {
    let stores_with_role = role_grant::table
        .filter(role_grant::principal.eq(principal.id.as_str().to_owned()))
        .filter(role_grant::to_event.is_null())
        .select(role_grant::store_id);
    let conditions = AllOf::new(store::store_id.gt(after.to_owned()))
        .and((!principal.is_operator).then(|| store::store_id.eq_any(stores_with_role)));
    let query = store::table.filter(conditions).order(store::store_id).limit(limit);
    let rows: Vec<StoreRow> = session.load(query)?;
    Ok(rows.into_iter().map(Store::try_from).collect::<Result<_, _>>()?)
}
