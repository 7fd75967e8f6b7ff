//! Stores.

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::principal::Principal;
use crate::domain::store::Store;
use crate::repository::rows::store::StoreRow;
use crate::repository::schema::{role_grant, store};

/// A store.
pub fn store(session: &mut ReadSession<'_>, check: &AccessCheck) -> Result<Store, ReadError> {
    Ok(session.authorize(check)?.into_store())
}

/// The stores that somebody has a role in, or all for platform operators, by id behind `after`. The
/// query itself leaves out what the caller has no access to.
pub fn list(
    session: &mut ReadSession<'_>,
    principal: &Principal,
    after: &str,
    limit: i64,
) -> Result<Vec<Store>, ReadError> {
    let granted = |id: &str| {
        let grants = role_grant::table.filter(role_grant::principal.eq(id.to_owned()));
        store::store_id.eq_any(grants.filter(role_grant::to_event.is_null()).select(role_grant::store_id))
    };
    let conditions = AllOf::new(store::store_id.gt(after.to_owned()))
        .and((!principal.is_operator).then(|| granted(principal.id.as_str())));
    let query = store::table.filter(conditions).order(store::store_id).limit(limit);
    let rows: Vec<StoreRow> = session.load(query)?;
    Ok(rows.into_iter().map(Store::try_from).collect::<Result<_, _>>()?)
}
