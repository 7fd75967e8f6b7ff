//! What the judgement of access reads, and how it becomes one statement with the queries for the data.
//!
//! # How several queries become one statement
//!
//! ```sql
//! SELECT * FROM (access query) AS access
//!   FULL JOIN (first query) AS data1 ON FALSE
//!   FULL JOIN (second query) AS data2 ON FALSE
//! ```
//!
//! No row ever matches, so each row of the result is a row of one query, and NULL in the columns of the others. Both
//! databases can do this. Unlike UNION ALL it lets each query have its own columns with their own types, which is how
//! Diesel reads them (`FullJoin`).

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Integer, IntoNullable, Nullable, Text};

use super::AccessCheck;
use crate::repository::rows::store::StoreRow;
use crate::repository::schema::store;

/// What the judgement needs: the store, and the permissions of the caller's roles separated by commas, if they have any.
pub(in crate::repository::read) type AccessRow = (StoreRow, Option<String>);

/// Selects [`AccessRow`]: one row if the store exists, and none otherwise.
pub(in crate::repository::read) struct AccessQuery {
    store: String,
    principal: String,
}

/// Writes the columns of an [`AccessRow`], up to where the stores are named that it is selected for.
pub(super) fn walk_columns<'b, DB>(principal: &'b String, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
    <store::table as Table>::AllColumns: QueryFragment<DB>,
{
    out.push_sql("SELECT ");
    store::all_columns.walk_ast(out.reborrow())?;
    out.push_sql(
        // A subquery, so that there is one row however many permissions there are. Several roles may give the same one.
        ", (SELECT string_agg(p.permission, ',') FROM role_grant g \
         JOIN role_permission p ON p.store_id = g.store_id AND p.role_id = g.role_id AND p.to_event IS NULL \
         WHERE g.store_id = store.store_id AND g.to_event IS NULL AND g.principal = ",
    );
    out.push_bind_param::<Text, _>(principal)?;
    out.push_sql(") AS permissions FROM ");
    Ok(())
}

impl AccessCheck {
    /// Wraps a query so that it reads nothing for a caller who holds no role in the store and is no platform operator.
    /// Such a caller is refused afterwards anyway; this keeps them from making the service read a large store.
    pub(super) fn restrict<Q>(&self, query: Q) -> RestrictedQuery<Q> {
        let AccessQuery { store, principal } = self.access_query();
        RestrictedQuery { query, store, principal, is_operator: i32::from(self.principal.is_operator) }
    }

    /// The query for what this check is judged by.
    pub(super) fn access_query(&self) -> AccessQuery {
        AccessQuery { store: self.store.as_str().to_owned(), principal: self.principal.id.as_str().to_owned() }
    }
}

impl<DB> QueryFragment<DB> for AccessQuery
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
    <store::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        walk_columns(&self.principal, &mut out)?;
        out.push_sql("store WHERE store.store_id = ");
        out.push_bind_param::<Text, _>(&self.store)
    }
}

/// Selects an [`AccessRow`] for each of several stores that exists.
pub(super) struct AccessQueryOfStores {
    pub(super) stores: Vec<String>,
    pub(super) principal: String,
}

impl<DB> QueryFragment<DB> for AccessQueryOfStores
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
    <store::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // Each number of stores has a text of its own, and to prepare all of them would fill the session's memory.
        out.unsafe_to_cache_prepared();
        walk_columns(&self.principal, &mut out)?;
        for (index, store) in self.stores.iter().enumerate() {
            out.push_sql(if index == 0 { "store WHERE store.store_id IN (" } else { ", " });
            out.push_bind_param::<Text, _>(store)?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for AccessQueryOfStores {
    type QueryId = ();
    // The text depends on the number of stores.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for AccessQueryOfStores {
    type SqlType = <AccessQuery as Query>::SqlType;
}

impl<C> RunQueryDsl<C> for AccessQueryOfStores {}

impl QueryId for AccessQuery {
    type QueryId = AccessQuery;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for AccessQuery {
    type SqlType = (<<store::table as Table>::AllColumns as Expression>::SqlType, Nullable<Text>);
}

impl<C> RunQueryDsl<C> for AccessQuery {}

/// One or more relations of a FROM clause, joined by FULL JOIN. That takes time linear in the rows as long as all relations
/// but the last are small, so the query with the most rows must be the last one.
pub(in crate::repository::read) trait Relations: Sized {
    /// The columns of all relations, nested as the joins are, each nullable.
    type SqlType;
    /// How many relations there are. Their aliases are numbered by it.
    const COUNT: usize;
}

/// The access query as the first relation.
pub(in crate::repository::read) struct AccessRelation(pub(super) AccessQuery);

/// Some relations, and a query that is joined to them so that no row matches.
pub(in crate::repository::read) struct FullJoin<L, Q> {
    left: L,
    query: Q,
}

impl AccessRelation {
    /// Adds the first query.
    pub(super) fn full_join<Q>(self, query: Q) -> FullJoin<Self, Q> {
        FullJoin { left: self, query }
    }
}

impl<L, P> FullJoin<L, P> {
    /// Adds another query.
    pub(super) fn full_join<Q>(self, query: Q) -> FullJoin<Self, Q> {
        FullJoin { left: self, query }
    }
}

/// A query that finds nothing for callers without any role in the store: see `AccessCheck::restrict`.
pub(in crate::repository::read) struct RestrictedQuery<Q> {
    query: Q,
    store: String,
    principal: String,
    /// 1 for a platform operator and 0 for others. An integer, because both databases compare it with `= 1` alike.
    is_operator: i32,
}

impl<DB, Q: QueryFragment<DB>> QueryFragment<DB> for RestrictedQuery<Q>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<Integer>,
    String: ToSql<Text, DB>,
    i32: ToSql<Integer, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM (");
        self.query.walk_ast(out.reborrow())?;
        // The condition names no column of the query, so a database evaluates it once and, if it is false, reads nothing.
        out.push_sql(") AS allowed WHERE (");
        out.push_bind_param::<Integer, _>(&self.is_operator)?;
        out.push_sql(" = 1 OR EXISTS (SELECT 1 FROM role_grant WHERE role_grant.store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND role_grant.principal = ");
        out.push_bind_param::<Text, _>(&self.principal)?;
        out.push_sql(" AND role_grant.to_event IS NULL))");
        Ok(())
    }
}

impl<Q: QueryId> QueryId for RestrictedQuery<Q> {
    type QueryId = RestrictedQuery<Q::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q: Query> Query for RestrictedQuery<Q> {
    type SqlType = Q::SqlType;
}

/// Selects all columns of some relations.
pub(in crate::repository::read) struct SelectAll<L>(pub(super) L);

impl Relations for AccessRelation {
    type SqlType = Nullable<<AccessQuery as Query>::SqlType>;
    const COUNT: usize = 1;
}

impl<L: Relations, Q: Query> Relations for FullJoin<L, Q>
where
    Q::SqlType: IntoNullable,
{
    type SqlType = (L::SqlType, <Q::SqlType as IntoNullable>::Nullable);
    const COUNT: usize = L::COUNT + 1;
}

impl<DB: Backend> QueryFragment<DB> for AccessRelation
where
    AccessQuery: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS access");
        Ok(())
    }
}

impl<DB: Backend, L: Relations + QueryFragment<DB>, Q: QueryFragment<DB>> QueryFragment<DB> for FullJoin<L, Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.left.walk_ast(out.reborrow())?;
        out.push_sql(" FULL JOIN (");
        self.query.walk_ast(out.reborrow())?;
        // A relation needs an alias of its own on both databases.
        out.push_sql(&format!(") AS data{} ON FALSE", L::COUNT));
        Ok(())
    }
}

impl<DB: Backend, L: QueryFragment<DB>> QueryFragment<DB> for SelectAll<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM ");
        self.0.walk_ast(out)
    }
}

impl QueryId for AccessRelation {
    type QueryId = AccessRelation;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<L: QueryId, Q: QueryId> QueryId for FullJoin<L, Q> {
    type QueryId = FullJoin<L::QueryId, Q::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = L::HAS_STATIC_QUERY_ID && Q::HAS_STATIC_QUERY_ID;
}

impl<L: QueryId> QueryId for SelectAll<L> {
    type QueryId = SelectAll<L::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = L::HAS_STATIC_QUERY_ID;
}

impl<L: Relations> Query for SelectAll<L> {
    type SqlType = L::SqlType;
}

impl<L, C> RunQueryDsl<C> for SelectAll<L> {}
