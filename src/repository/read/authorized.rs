//! Reads the data of a store for a caller, and returns none before the caller's access was judged.
//!
//! One statement reads what the judgement needs together with the data. So both are of one snapshot: a permission that is
//! revoked at the same time is either still held when the data are as shown, or the data are not shown. And a read costs
//! one round trip, because a statement outside of a transaction is a snapshot by itself.
//!
//! Handlers cannot get around this. They are given a [`ReadSession`], which lends its connection to the functions of this
//! folder alone, and these take the store from the [`AccessCheck`].
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

use std::collections::{BTreeMap, BTreeSet};

use diesel::backend::Backend;
use diesel::pg::PgConnection;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::LoadQuery;
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Integer, IntoNullable, Nullable, Text};
use diesel::sqlite::SqliteConnection;

use crate::domain::access::{CallerAccess, CostVisibility, Permission, Requirement, authorize};
use crate::domain::code::StoreId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::working_set::NotLoaded;
use crate::repository::error::DbError;
use crate::repository::gate::permissions_of;
use crate::repository::rows::store::StoreRow;
use crate::repository::schema::store;
use crate::repository::session::Session;
use crate::repository::transaction::TransactionName;

/// Why a read has no result.
#[derive(Debug)]
pub enum ReadError {
    /// The caller may not read it, or it does not exist. A retry would be refused likewise.
    Refused(Refusal),
    /// The database failed. The read may be retried, because it changes nothing.
    Failed(DbError),
}

impl ReadError {
    /// The error of a read of several stores, which says which store refused.
    fn of_store(self, store: &StoreId) -> Self {
        match self {
            // These name it already.
            Self::Refused(refusal @ (Refusal::NoStoreAccess(_) | Refusal::StoreNotFound(_))) => Self::Refused(refusal),
            Self::Refused(refusal) => {
                Self::Refused(Refusal::OfStore { store: store.clone(), refusal: Box::new(refusal) })
            }
            failed @ Self::Failed(_) => failed,
        }
    }
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

/// Who wants to read in which store, and what that requires of them. Every read of a store takes one.
#[derive(Clone, Debug)]
pub struct AccessCheck {
    /// The one store whose data can be read with this check.
    pub(super) store: StoreId,
    /// The authenticated caller.
    principal: Principal,
    /// The permission, or the lack of a need for one, that the rpc's policy asks for.
    requirement: Requirement,
}

/// The proof that a caller has access, as of the snapshot that the data are read from. Only `AccessCheck::judge` makes
/// one, so a function that is given one knows that its caller has been judged.
#[derive(Clone, Debug)]
pub struct Authorized {
    store: Store,
    permissions: BTreeSet<Permission>,
}

impl Authorized {
    /// The permissions that the caller's roles give in the store. An order's `allowed_actions` follow from them.
    pub fn permissions(&self) -> &BTreeSet<Permission> {
        &self.permissions
    }

    /// Whether an answer may show the store's costs.
    pub fn costs(&self) -> CostVisibility {
        CostVisibility::of(&self.permissions)
    }

    /// The number of the store's last event in the snapshot.
    pub fn last_event(&self) -> i64 {
        self.store.last_event
    }

    /// The store, which is read anyway to judge access.
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

    /// Judges by the row of [`AccessQuery`]; `None` means that there is no such store. The rule decides in that case too:
    /// only platform operators may learn that a store does not exist.
    /// It notes as well what the judgement says about costs.
    fn judge(&self, found: Option<AccessRow>, costs: &mut JudgedCosts) -> Result<Authorized, ReadError> {
        let mut store = None;
        let mut permissions = BTreeSet::new();
        if let Some((row, names)) = found {
            store = Some(Store::try_from(row)?);
            permissions = permissions_of(names.as_deref())?;
        }
        // The rule of the domain decides, as it does for commands: reads and writes cannot differ in who may do them.
        let access = CallerAccess { store: &self.store, store_exists: store.is_some(), permissions: &permissions };
        authorize(access, &self.principal, self.requirement)?;
        costs.note(&permissions);
        // Only a platform operator gets here without a store.
        let store = store.ok_or_else(|| Refusal::StoreNotFound(self.store.clone()))?;
        Ok(Authorized { store, permissions })
    }

    /// Wraps a query so that it reads nothing for a caller who holds no role in the store and is no platform operator.
    /// Such a caller is refused afterwards anyway; this keeps them from making the service read a large store.
    fn restrict<Q>(&self, query: Q) -> RestrictedQuery<Q> {
        let AccessQuery { store, principal } = self.access_query();
        RestrictedQuery { query, store, principal, is_operator: i32::from(self.principal.is_operator) }
    }

    fn access_query(&self) -> AccessQuery {
        AccessQuery { store: self.store.as_str().to_owned(), principal: self.principal.id.as_str().to_owned() }
    }
}

/// A session for the reads of one caller. A handler can do nothing with it but give it to one of the reads of this folder.
pub struct ReadSession<'s> {
    session: &'s mut Session,
    costs: JudgedCosts,
}

/// What the judgements of a read have found about costs. A read that was not judged shows none.
#[derive(Clone, Copy, Debug, Default)]
struct JudgedCosts(Option<CostVisibility>);

impl JudgedCosts {
    /// Notes a judgement. What was judged before counts as well, so that an answer from several stores
    /// shows no cost of one where its caller may not see them.
    fn note(&mut self, permissions: &BTreeSet<Permission>) {
        let judged = CostVisibility::of(permissions);
        self.0 = Some(self.0.map_or(judged, |before| before.and(judged)));
    }
}

impl<'s> ReadSession<'s> {
    /// Reads on this session, which must be one that cannot write.
    pub fn new(session: &'s mut Session) -> Self {
        Self { session, costs: JudgedCosts::default() }
    }

    /// Whether the answer that is made of what was read may show costs.
    pub fn costs(&self) -> CostVisibility {
        self.costs.0.unwrap_or(CostVisibility::Hidden)
    }

    /// Notes that a caller with these permissions was judged by something else than an [`AccessCheck`].
    pub(super) fn note_judged(&mut self, permissions: &BTreeSet<Permission>) {
        self.costs.note(permissions);
    }

    /// The session itself, for a read that judges access by rules of its own.
    pub(super) fn session(&mut self) -> &mut Session {
        self.session
    }

    /// Loads rows without judging anything: for the functions below, and for a query that itself leaves out what the
    /// caller has no access to.
    pub(super) fn load<'q, R, Q>(&'q mut self, query: Q) -> Result<Vec<R>, DbError>
    where
        Q: LoadQuery<'q, PgConnection, R> + LoadQuery<'q, SqliteConnection, R>,
    {
        load_counted(self.session, query)
    }

    /// Judges a caller's access and reads no data but the store.
    pub(super) fn authorize(&mut self, check: &AccessCheck) -> Result<Authorized, ReadError> {
        let found: Vec<AccessRow> = self.load(check.access_query())?;
        check.judge(found.into_iter().next(), &mut self.costs)
    }

    /// Judges a caller's access to several stores by one statement. The first that refuses decides: then none of the
    /// stores is read.
    pub(super) fn authorize_each(&mut self, checks: &[&AccessCheck]) -> Result<Vec<Authorized>, ReadError> {
        let Some(first) = checks.first() else { return Ok(Vec::new()) };
        let stores = checks.iter().map(|check| check.store.as_str().to_owned()).collect();
        let principal = first.principal.id.as_str().to_owned();
        let rows: Vec<AccessRow> = self.load(AccessQueryOfStores { stores, principal })?;
        let mut found: BTreeMap<String, AccessRow> = rows.into_iter().map(|row| (row.0.id().to_owned(), row)).collect();
        let mut authorized = Vec::with_capacity(checks.len());
        for check in checks {
            let judged = check.judge(found.remove(check.store.as_str()), &mut self.costs);
            authorized.push(judged.map_err(|error| error.of_store(&check.store))?);
        }
        Ok(authorized)
    }

    /// Judges a caller's access and loads the rows of a query, in no order, by one statement.
    pub(super) fn authorize_and_load<'q, R, Q>(
        &'q mut self,
        check: &AccessCheck,
        query: Q,
    ) -> Result<(Authorized, Vec<R>), ReadError>
    where
        SelectAll<FullJoin<AccessRelation, RestrictedQuery<Q>>>: LoadQuery<'q, PgConnection, (Option<AccessRow>, Option<R>)>
            + LoadQuery<'q, SqliteConnection, (Option<AccessRow>, Option<R>)>,
    {
        let relations = AccessRelation(check.access_query()).full_join(check.restrict(query));
        let mut access = None;
        let mut rows = Vec::new();
        for (access_row, row) in load_counted(self.session, SelectAll(relations))? {
            // At most one row of the result is the access query's.
            access = access.or(access_row);
            rows.extend(row);
        }
        // Judged before anything is returned: the rows of a caller who is refused are dropped here.
        Ok((check.judge(access, &mut self.costs)?, rows))
    }

    /// Judges a caller's access and loads the rows of two queries, in no order, by one statement.
    pub(super) fn authorize_and_load_two<'q, R1, R2, Q1, Q2>(
        &'q mut self,
        check: &AccessCheck,
        queries: (Q1, Q2),
    ) -> Result<(Authorized, Vec<R1>, Vec<R2>), ReadError>
    where
        SelectAll<FullJoin<FullJoin<AccessRelation, RestrictedQuery<Q1>>, RestrictedQuery<Q2>>>: LoadQuery<'q, PgConnection, ((Option<AccessRow>, Option<R1>), Option<R2>)>
            + LoadQuery<'q, SqliteConnection, ((Option<AccessRow>, Option<R1>), Option<R2>)>,
    {
        let relations = AccessRelation(check.access_query())
            .full_join(check.restrict(queries.0))
            .full_join(check.restrict(queries.1));
        let mut access = None;
        let mut first_rows = Vec::new();
        let mut second_rows = Vec::new();
        for ((access_row, first), second) in load_counted(self.session, SelectAll(relations))? {
            access = access.or(access_row);
            first_rows.extend(first);
            second_rows.extend(second);
        }
        Ok((check.judge(access, &mut self.costs)?, first_rows, second_rows))
    }

    /// Judges a caller's access and loads the rows of three queries, in no order, by one statement.
    #[expect(clippy::type_complexity, reason = "it is the shape of the rows")]
    pub(super) fn authorize_and_load_three<'q, R1, R2, R3, Q1, Q2, Q3>(
        &'q mut self,
        check: &AccessCheck,
        queries: (Q1, Q2, Q3),
    ) -> Result<(Authorized, Vec<R1>, Vec<R2>, Vec<R3>), ReadError>
    where
        SelectAll<
            FullJoin<FullJoin<FullJoin<AccessRelation, RestrictedQuery<Q1>>, RestrictedQuery<Q2>>, RestrictedQuery<Q3>>,
        >: LoadQuery<'q, PgConnection, (((Option<AccessRow>, Option<R1>), Option<R2>), Option<R3>)>
            + LoadQuery<'q, SqliteConnection, (((Option<AccessRow>, Option<R1>), Option<R2>), Option<R3>)>,
    {
        let relations = AccessRelation(check.access_query())
            .full_join(check.restrict(queries.0))
            .full_join(check.restrict(queries.1))
            .full_join(check.restrict(queries.2));
        let mut access = None;
        let mut first_rows = Vec::new();
        let mut second_rows = Vec::new();
        let mut third_rows = Vec::new();
        for (((access_row, first), second), third) in load_counted(self.session, SelectAll(relations))? {
            access = access.or(access_row);
            first_rows.extend(first);
            second_rows.extend(second);
            third_rows.extend(third);
        }
        Ok((check.judge(access, &mut self.costs)?, first_rows, second_rows, third_rows))
    }

    /// Runs a read that needs more than one statement on one snapshot. It costs two round trips more.
    pub(super) fn snapshot<T>(
        &mut self,
        work: impl FnOnce(&mut ReadSession<'_>) -> Result<T, ReadError>,
    ) -> Result<T, ReadError> {
        let costs = &mut self.costs;
        self.session.snapshot(TransactionName::Read, |session| {
            let mut snapshot = ReadSession { session, costs: *costs };
            let read = work(&mut snapshot)?;
            *costs = snapshot.costs;
            Ok(read)
        })
    }

    /// Loads further rows of a store, in the snapshot in which the caller was found to have access to it. The query must
    /// be about that store; the type cannot tell.
    pub(super) fn load_authorized<'q, R, Q>(&'q mut self, _: &Authorized, query: Q) -> Result<Vec<R>, ReadError>
    where
        Q: LoadQuery<'q, PgConnection, R> + LoadQuery<'q, SqliteConnection, R>,
    {
        Ok(self.load(query)?)
    }
}

/// Loads rows as one attempt of the transaction that the caller's reads are counted as.
fn load_counted<'q, R, Q>(session: &'q mut Session, query: Q) -> Result<Vec<R>, DbError>
where
    Q: LoadQuery<'q, PgConnection, R> + LoadQuery<'q, SqliteConnection, R>,
{
    // Within a snapshot the statement belongs to the snapshot's attempt.
    let attempt = session.attempt(TransactionName::Read);
    let rows = session.load(query);
    match attempt {
        Some(attempt) => attempt.end(rows),
        None => rows,
    }
}

/// What the judgement needs: the store, and the permissions of the caller's roles separated by commas, if they have any.
pub(super) type AccessRow = (StoreRow, Option<String>);

/// Selects [`AccessRow`]: one row if the store exists, and none otherwise.
pub(super) struct AccessQuery {
    store: String,
    principal: String,
}

/// Writes the query up to the condition that chooses the stores.
fn walk_access<'b, DB>(principal: &'b String, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
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
    out.push_sql(") AS permissions FROM store WHERE store.store_id ");
    Ok(())
}

impl<DB> QueryFragment<DB> for AccessQuery
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
    <store::table as Table>::AllColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        walk_access(&self.principal, &mut out)?;
        out.push_sql("= ");
        out.push_bind_param::<Text, _>(&self.store)
    }
}

/// Selects an [`AccessRow`] for each of several stores that exists.
struct AccessQueryOfStores {
    stores: Vec<String>,
    principal: String,
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
        walk_access(&self.principal, &mut out)?;
        for (index, store) in self.stores.iter().enumerate() {
            out.push_sql(if index == 0 { "IN (" } else { ", " });
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
pub(super) trait Relations: Sized {
    /// The columns of all relations, nested as the joins are, each nullable.
    type SqlType;
    /// How many relations there are. Their aliases are numbered by it.
    const COUNT: usize;
}

/// The access query as the first relation.
pub(super) struct AccessRelation(AccessQuery);

/// Some relations, and a query that is joined to them so that no row matches.
pub(super) struct FullJoin<L, Q> {
    left: L,
    query: Q,
}

impl AccessRelation {
    /// Adds the first query.
    fn full_join<Q>(self, query: Q) -> FullJoin<Self, Q> {
        FullJoin { left: self, query }
    }
}

impl<L, P> FullJoin<L, P> {
    /// Adds another query.
    fn full_join<Q>(self, query: Q) -> FullJoin<Self, Q> {
        FullJoin { left: self, query }
    }
}

/// A query that finds nothing for callers without any role in the store: see `AccessCheck::restrict`.
pub(super) struct RestrictedQuery<Q> {
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
pub(super) struct SelectAll<L>(L);

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
