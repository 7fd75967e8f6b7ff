//! Reads the data of a store for a caller, and returns none before the caller's access was judged.
//!
//! One statement reads what the judgement needs together with the data. So both are of one snapshot: a permission that is
//! revoked at the same time is either still held when the data are as shown, or the data are not shown. And a read costs
//! one round trip, because a statement outside of a transaction is a snapshot by itself.
//!
//! Handlers cannot get around this. They are given a [`ReadSession`], which lends its connection to the functions of this
//! folder alone, and these take the store from the [`AccessCheck`].

mod queries;
pub mod selection;

use std::collections::{BTreeMap, BTreeSet};

use diesel::pg::PgConnection;
use diesel::query_dsl::methods::LoadQuery;
use diesel::sqlite::SqliteConnection;

use self::queries::{AccessQueryOfStores, AccessRelation, AccessRow, FullJoin, RestrictedQuery, SelectAll};
use crate::domain::access::{CallerAccess, CostVisibility, Permission, Requirement, authorize};
use crate::domain::code::StoreId;
use crate::domain::principal::Principal;
use crate::domain::refusal::Refusal;
use crate::domain::store::Store;
use crate::domain::working_set::NotLoaded;
use crate::repository::error::DbError;
use crate::repository::gate::permissions_of;
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

    /// Whether what is shown of the store may have its costs.
    pub fn costs(&self) -> CostVisibility {
        CostVisibility::of(&self.permissions)
    }

    /// The number of the store's last event in the snapshot.
    pub fn last_event(&self) -> i64 {
        self.store.last_event
    }

    /// The store, with its time zone by which dates are judged.
    pub fn store(&self) -> &Store {
        &self.store
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

    /// Judges by the row of `queries::AccessQuery`; `None` means that there is no such store. The rule decides in that case too:
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
        // All checks are of one call, and so of one caller.
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
            // Of a read that fails no answer is made, so what was judged for it need not be kept.
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
