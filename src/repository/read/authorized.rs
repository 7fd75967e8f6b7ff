//! Reading a store's data for a caller: none come out before the caller's access was judged.
//!
//! One statement reads what the judgement needs together with the data, so both are of one snapshot
//! and a read costs one round trip: a statement outside of a transaction is a snapshot by itself.
//! Handlers cannot go around this. They are handed a [`ReadSession`], which gives its connection to
//! the functions of this folder alone, and those take the store from the [`AccessCheck`].

use std::collections::BTreeSet;

use diesel::backend::Backend;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::LoadQuery;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Integer, IntoNullable, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use crate::domain::access::{CallerAccess, Permission, Requirement, authorize};
use crate::domain::code::StoreId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::working_set::NotLoaded;
use crate::repository::error::DbError;
use crate::repository::rows::store::StoreRow;
use crate::repository::schema::store;
use crate::repository::session::Session;

/// Why a read has no answer.
#[derive(Debug)]
pub enum ReadError {
    /// The caller may not, or there is no such thing.
    Refused(Refusal),
    /// The database failed.
    Failed(DbError),
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotLoaded> for ReadError {
    fn from(bug: NotLoaded) -> Self {
        Self::Refused(bug.into())
    }
}

impl From<DbError> for ReadError {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

/// Who wants to read in which store, and what that requires of them.
#[derive(Clone, Debug)]
pub struct AccessCheck {
    /// The one store whose data can be read with this check.
    pub(super) store: StoreId,
    /// Who asks.
    principal: Principal,
    /// What the rpc's policy requires of them.
    requirement: Requirement,
}

/// A caller who was found to have access, as of the snapshot that their data are read from. Only a
/// judgement makes one.
#[derive(Clone, Debug)]
pub struct Authorized {
    store: Store,
    permissions: BTreeSet<Permission>,
}

impl Authorized {
    /// What the caller's roles allow in the store.
    pub fn permissions(&self) -> &BTreeSet<Permission> {
        &self.permissions
    }

    /// The store.
    pub fn into_store(self) -> Store {
        self.store
    }
}

impl AccessCheck {
    /// A check for an authenticated caller. In `rpc` the guard's `Call` alone makes one, from the
    /// principal that was authenticated and the requirement of the policy.
    pub fn new(store: StoreId, principal: Principal, requirement: Requirement) -> Self {
        Self { store, principal, requirement }
    }

    /// Judges by what [`AccessQuery`] found.
    fn judge(&self, found: Option<AccessRow>) -> Result<Authorized, ReadError> {
        let (store, permissions) = match found {
            Some((store, permissions)) => (Some(Store::try_from(store)?), permissions_of(permissions.as_deref())?),
            None => (None, BTreeSet::new()),
        };
        let access = CallerAccess { store: &self.store, store_exists: store.is_some(), permissions: &permissions };
        authorize(access, &self.principal, self.requirement)?;
        let store = store.ok_or_else(|| Refusal::StoreNotFound(self.store.clone()))?;
        Ok(Authorized { store, permissions })
    }

    /// A query that finds nothing, and costs nothing, for a caller who holds no role in the store and is no
    /// platform operator: what others are answered later is not read for them.
    fn if_allowed<Q>(&self, query: Q) -> IfAllowed<Q> {
        let AccessQuery { store, principal } = self.query();
        IfAllowed { query, store, principal, is_operator: i32::from(self.principal.is_operator) }
    }

    fn query(&self) -> AccessQuery {
        AccessQuery { store: self.store.as_str().to_owned(), principal: self.principal.id.as_str().to_owned() }
    }
}

/// Reads a list of permissions. Several roles may allow the same.
fn permissions_of(names: Option<&str>) -> Result<BTreeSet<Permission>, DbError> {
    let known = |name| Permission::from_name(name).ok_or_else(|| DbError::unreadable("permission", name));
    names.map_or(Ok(BTreeSet::new()), |names| names.split(',').map(known).collect())
}

/// A connection for one read. Its functions are for this folder; what a handler can do with it is to
/// hand it to one of the folder's reads.
pub struct ReadSession<'s> {
    session: &'s mut Session,
}

impl<'s> ReadSession<'s> {
    /// Reads by this session.
    pub fn new(session: &'s mut Session) -> Self {
        Self { session }
    }

    /// The session itself, for a read that judges access by rules of its own.
    pub(super) fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Judges a caller's access, without any data but the store's.
    pub(super) fn authorize(&mut self, check: &AccessCheck) -> Result<Authorized, ReadError> {
        let found: Vec<AccessRow> = self.session.load(check.query())?;
        check.judge(found.into_iter().next())
    }

    /// The rows of a query, in no order, for a caller with access.
    pub(super) fn with<'q, R, Q>(&'q mut self, check: &AccessCheck, query: Q) -> Result<(Authorized, Vec<R>), ReadError>
    where
        Together<Apart<AccessRelation, IfAllowed<Q>>>: LoadQuery<'q, PgConnection, (Option<AccessRow>, Option<R>)>
            + LoadQuery<'q, SqliteConnection, (Option<AccessRow>, Option<R>)>,
    {
        let query = Together(AccessRelation(check.query()).and(check.if_allowed(query)));
        let (mut access, mut rows) = (None, Vec::new());
        for (of_access, row) in self.session.load(query)? {
            access = access.or(of_access);
            rows.extend(row);
        }
        Ok((check.judge(access)?, rows))
    }

    /// The rows of two queries, likewise.
    pub(super) fn with_two<'q, R1, R2, Q1, Q2>(
        &'q mut self,
        check: &AccessCheck,
        queries: (Q1, Q2),
    ) -> Result<(Authorized, Vec<R1>, Vec<R2>), ReadError>
    where
        Together<Apart<Apart<AccessRelation, IfAllowed<Q1>>, IfAllowed<Q2>>>: LoadQuery<'q, PgConnection, ((Option<AccessRow>, Option<R1>), Option<R2>)>
            + LoadQuery<'q, SqliteConnection, ((Option<AccessRow>, Option<R1>), Option<R2>)>,
    {
        let query =
            Together(AccessRelation(check.query()).and(check.if_allowed(queries.0)).and(check.if_allowed(queries.1)));
        let (mut access, mut first, mut second) = (None, Vec::new(), Vec::new());
        for ((of_access, one), two) in self.session.load(query)? {
            access = access.or(of_access);
            first.extend(one);
            second.extend(two);
        }
        Ok((check.judge(access)?, first, second))
    }

    /// The rows of three queries, likewise.
    #[expect(clippy::type_complexity, reason = "it is the shape of the rows")]
    pub(super) fn with_three<'q, R1, R2, R3, Q1, Q2, Q3>(
        &'q mut self,
        check: &AccessCheck,
        queries: (Q1, Q2, Q3),
    ) -> Result<(Authorized, Vec<R1>, Vec<R2>, Vec<R3>), ReadError>
    where
        Together<Apart<Apart<Apart<AccessRelation, IfAllowed<Q1>>, IfAllowed<Q2>>, IfAllowed<Q3>>>: LoadQuery<'q, PgConnection, (((Option<AccessRow>, Option<R1>), Option<R2>), Option<R3>)>
            + LoadQuery<'q, SqliteConnection, (((Option<AccessRow>, Option<R1>), Option<R2>), Option<R3>)>,
    {
        let query = Together(
            AccessRelation(check.query())
                .and(check.if_allowed(queries.0))
                .and(check.if_allowed(queries.1))
                .and(check.if_allowed(queries.2)),
        );
        let (mut access, mut first, mut second, mut third) = (None, Vec::new(), Vec::new(), Vec::new());
        for (((of_access, one), two), three) in self.session.load(query)? {
            access = access.or(of_access);
            first.extend(one);
            second.extend(two);
            third.extend(three);
        }
        Ok((check.judge(access)?, first, second, third))
    }

    /// Runs reads that need more than one statement on one snapshot.
    pub(super) fn snapshot<T>(
        &mut self,
        work: impl FnOnce(&mut ReadSession<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        self.session.read(|session| work(&mut ReadSession { session }))
    }

    /// More rows of a store, in the snapshot in which the caller was found to have access to it.
    pub(super) fn more<'q, R, Q>(&'q mut self, _: &Authorized, query: Q) -> Result<Vec<R>, ReadError>
    where
        Q: LoadQuery<'q, PgConnection, R> + LoadQuery<'q, SqliteConnection, R>,
    {
        Ok(self.session.load(query)?)
    }
}

/// What the judgement needs: the store, and the permissions of the caller's roles, if there are any.
pub(super) type AccessRow = (StoreRow, Option<String>);

/// Reads it: one row if there is such a store, and none otherwise.
pub(super) struct AccessQuery {
    store: String,
    principal: String,
}

impl<DB> QueryFragment<DB> for AccessQuery
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
    <store::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        store::all_columns.walk_ast(out.reborrow())?;
        out.push_sql(
            ", (SELECT string_agg(p.permission, ',') FROM role_grant g \
             JOIN role_permission p ON p.store_id = g.store_id AND p.role_id = g.role_id AND p.to_event IS NULL \
             WHERE g.store_id = store.store_id AND g.to_event IS NULL AND g.principal = ",
        );
        out.push_bind_param::<Text, _>(&self.principal)?;
        out.push_sql(") AS permissions FROM store WHERE store.store_id = ");
        out.push_bind_param::<Text, _>(&self.store)
    }
}

impl QueryId for AccessQuery {
    type QueryId = AccessQuery;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for AccessQuery {
    type SqlType = (<<store::table as Table>::AllColumns as Expression>::SqlType, Nullable<Text>);
}

impl<C> RunQueryDsl<C> for AccessQuery {}

/// Relations that stand under one another: each row of the result is a row of one of them, and null
/// in the columns of all others. `FULL JOIN ... ON FALSE` does that on both databases, in time linear
/// in the rows as long as all relations but the last are small.
pub(super) trait Relations: Sized {
    /// The columns of all of them.
    type SqlType;
    /// How many there are: their names are numbered.
    const COUNT: usize;
}

/// What the judgement needs, as the first of several relations.
pub(super) struct AccessRelation(AccessQuery);

/// Some relations and another behind them.
pub(super) struct Apart<L, Q> {
    others: L,
    query: Q,
}

impl AccessRelation {
    /// This and the rows of a query.
    fn and<Q>(self, query: Q) -> Apart<Self, Q> {
        Apart { others: self, query }
    }
}

impl<L, O> Apart<L, O> {
    /// These and the rows of another query.
    fn and<Q>(self, query: Q) -> Apart<Self, Q> {
        Apart { others: self, query }
    }
}

/// See [`AccessCheck::if_allowed`].
pub(super) struct IfAllowed<Q> {
    query: Q,
    store: String,
    principal: String,
    /// 1 for a platform operator, 0 for others.
    is_operator: i32,
}

impl<DB, Q: QueryFragment<DB>> QueryFragment<DB> for IfAllowed<Q>
where
    DB: Backend + HasSqlType<Text> + HasSqlType<Integer>,
    String: ToSql<Text, DB>,
    i32: ToSql<Integer, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM (");
        self.query.walk_ast(out.reborrow())?;
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

impl<Q: QueryId> QueryId for IfAllowed<Q> {
    type QueryId = IfAllowed<Q::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = Q::HAS_STATIC_QUERY_ID;
}

impl<Q: Query> Query for IfAllowed<Q> {
    type SqlType = Q::SqlType;
}

/// All rows of some relations.
pub(super) struct Together<L>(L);

impl Relations for AccessRelation {
    type SqlType = Nullable<<AccessQuery as Query>::SqlType>;
    const COUNT: usize = 1;
}

impl<L: Relations, Q: Query> Relations for Apart<L, Q>
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

impl<DB: Backend, L: Relations + QueryFragment<DB>, Q: QueryFragment<DB>> QueryFragment<DB> for Apart<L, Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        self.others.walk_ast(out.reborrow())?;
        out.push_sql(" FULL JOIN (");
        self.query.walk_ast(out.reborrow())?;
        out.push_sql(&format!(") AS data{} ON FALSE", L::COUNT));
        Ok(())
    }
}

impl<DB: Backend, L: QueryFragment<DB>> QueryFragment<DB> for Together<L> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM ");
        self.0.walk_ast(out)
    }
}

impl QueryId for AccessRelation {
    type QueryId = AccessRelation;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<L: QueryId, Q: QueryId> QueryId for Apart<L, Q> {
    type QueryId = Apart<L::QueryId, Q::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = L::HAS_STATIC_QUERY_ID && Q::HAS_STATIC_QUERY_ID;
}

impl<L: QueryId> QueryId for Together<L> {
    type QueryId = Together<L::QueryId>;
    const HAS_STATIC_QUERY_ID: bool = L::HAS_STATIC_QUERY_ID;
}

impl<L: Relations> Query for Together<L> {
    type SqlType = L::SqlType;
}

impl<L, C> RunQueryDsl<C> for Together<L> {}
