//! Which stores a list is about: the one that the request names, or every store in which the caller holds the permission
//! that the list requires.
//!
//! The stores of a caller are found with their permissions by one statement, in the snapshot that the rows are read from
//! afterwards, and each is judged by the same rule as a store that is named. So a role that is revoked between two pages
//! takes its store out of the next page.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Text};

use super::queries::{AccessQuery, AccessRow, walk_columns};
use super::{AccessCheck, Authorized, JudgedCosts, ReadError, ReadSession};
use crate::domain::access::Requirement;
use crate::domain::code::StoreId;
use crate::domain::principal::Principal;
use crate::domain::refusal::{MAX_STORES, Refusal};
use crate::repository::schema::store;

/// Whose rows a list shows. In `rpc` the guard's `Call` alone makes one, as it does an [`AccessCheck`].
#[derive(Clone, Debug)]
pub enum StoreSelection {
    /// Those of the store that is named. A caller who may not read it is refused.
    One(AccessCheck),
    /// Those of every store in which the caller meets the requirement; the others are left out.
    Permitted(PermittedStores),
}

/// A caller who asks for all stores in which they meet a requirement.
#[derive(Clone, Debug)]
pub struct PermittedStores {
    principal: Principal,
    requirement: Requirement,
}

impl PermittedStores {
    /// The stores of an authenticated caller.
    pub fn new(principal: Principal, requirement: Requirement) -> Self {
        Self { principal, requirement }
    }
}

impl ReadSession<'_> {
    /// Judges a caller's access to the stores of a list, and returns those that they may read, by id. It must be called
    /// in the snapshot from which the rows are read.
    ///
    /// What is shown of a row follows from what was judged of its own store: see [`Authorized::costs`].
    pub(in crate::repository::read) fn authorize_stores(
        &mut self,
        selection: &StoreSelection,
    ) -> Result<Vec<Authorized>, ReadError> {
        let permitted = match selection {
            StoreSelection::One(check) => return Ok(vec![self.authorize(check)?]),
            StoreSelection::Permitted(permitted) => permitted,
        };
        let principal = permitted.principal.id.as_str().to_owned();
        // One more than a list is over, to find out whether there are too many.
        let found: Vec<AccessRow> = self.load(StoresOfPrincipal { principal, limit: MAX_STORES as i64 + 1 })?;
        if found.len() > MAX_STORES {
            return Err(Refusal::TooManyStores.into());
        }
        let mut stores = Vec::with_capacity(found.len());
        for row in found {
            stores.extend(permitted.judge(row)?);
        }
        stores.sort_by(|one, other| one.store.id.cmp(&other.store.id));
        Ok(stores)
    }
}

impl PermittedStores {
    /// The proof for one of the caller's stores; `None` if they lack the permission there.
    fn judge(&self, row: AccessRow) -> Result<Option<Authorized>, ReadError> {
        let store = StoreId::new(row.0.id());
        let check = AccessCheck::new(store, self.principal.clone(), self.requirement);
        // What it says about costs counts for the rows of this store alone.
        match check.judge(Some(row), &mut JudgedCosts::default()) {
            Ok(authorized) => Ok(Some(authorized)),
            Err(ReadError::Refused(Refusal::PermissionMissing(_) | Refusal::NoStoreAccess(_))) => Ok(None),
            Err(other) => Err(other),
        }
    }
}

/// Selects an [`AccessRow`] for each store in which a principal holds a role. The index of grants by principal leads to
/// them; no other query but the list of stores begins at it.
struct StoresOfPrincipal {
    principal: String,
    limit: i64,
}

impl<DB> QueryFragment<DB> for StoresOfPrincipal
where
    DB: Backend + HasSqlType<Text> + HasSqlType<BigInt>,
    String: ToSql<Text, DB>,
    i64: ToSql<BigInt, DB>,
    <store::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        walk_columns(&self.principal, &mut out)?;
        out.push_sql(
            "(SELECT DISTINCT role_grant.store_id FROM role_grant \
             WHERE role_grant.to_event IS NULL AND role_grant.principal = ",
        );
        out.push_bind_param::<Text, _>(&self.principal)?;
        out.push_sql(" ORDER BY role_grant.store_id LIMIT ");
        out.push_bind_param::<BigInt, _>(&self.limit)?;
        out.push_sql(") AS held JOIN store ON store.store_id = held.store_id");
        Ok(())
    }
}

impl QueryId for StoresOfPrincipal {
    type QueryId = StoresOfPrincipal;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for StoresOfPrincipal {
    type SqlType = <AccessQuery as Query>::SqlType;
}

impl<C> RunQueryDsl<C> for StoresOfPrincipal {}
