//! One connection to either database. Each query is written once and checked by the compiler against
//! both backends; see [`super::dialect`] for the few things that truly differ.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use diesel::connection::{
    AnsiTransactionManager, Connection as _, Instrumentation, InstrumentationEvent, SimpleConnection,
    TransactionManager,
};
use diesel::pg::{Pg, PgConnection};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::bulk::VerbName;
use super::dialect::{self, Access, Purpose};
use super::error::{DbError, DbErrorKind};
use super::keys::StoreScope;
use super::sqlite_commit;
use super::url::DatabaseUrl;

/// What a statement observer is told.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// A statement is sent; its text, with binds behind ` -- binds: `.
    Statement(&'a str),
    /// A statement was prepared and is kept; its text.
    Prepared(&'a str),
}

/// Watches the statements of every session that it is handed to.
pub type Observer = Arc<dyn Fn(Observed<'_>) + Send + Sync>;

pub(super) enum Backend {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// One connection.
pub struct Session {
    pub(super) backend: Backend,
    in_transaction: bool,
    retired: bool,
    scope: StoreScope,
    /// Which combinations of tables were saved by one statement so far.
    combinations: BTreeSet<Vec<(&'static str, VerbName)>>,
}

/// How many combinations of tables a session prepares a statement for. Most transactions are of a few
/// kinds; each statement that is prepared costs the server memory for as long as the session lives.
const MAX_COMBINATIONS: usize = 64;

/// Whether a transaction has changed anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It has.
    Made,
    /// It has only looked.
    None,
}

/// A write that failed.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nothing was written.
    #[error("{0}")]
    Failed(DbError),
    /// COMMIT was sent and not answered: it may have been written.
    #[error("while committing: {0}")]
    Unclear(DbError),
}

impl From<DbError> for WriteError {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl Session {
    /// Connects, and sets the session up for what it is to do.
    pub fn connect(url: &DatabaseUrl, purpose: Purpose, observer: Option<&Observer>) -> Result<Self, DbError> {
        if let (DatabaseUrl::Sqlite(path), Purpose::Inspect) = (url, purpose)
            && !std::path::Path::new(path).is_file()
        {
            return Err(DbError::new(DbErrorKind::Other, format!("there is no file {path}")));
        }
        let lost = |error: diesel::ConnectionError| DbError::new(DbErrorKind::Lost, error.to_string());
        let backend = match url {
            DatabaseUrl::Sqlite(path) => Backend::Sqlite(SqliteConnection::establish(path).map_err(lost)?),
            DatabaseUrl::Postgres(url) => Backend::Postgres(PgConnection::establish(url).map_err(lost)?),
        };
        let scope = dialect::store_scope(purpose);
        let combinations = BTreeSet::new();
        let mut session = Self { backend, in_transaction: false, retired: false, scope, combinations };
        for statement in dialect::set_up(url, purpose) {
            session.batch(statement)?;
        }
        if let Some(observer) = observer {
            session.observe(Arc::clone(observer));
        }
        Ok(session)
    }

    fn observe(&mut self, observer: Observer) {
        let watcher = Watcher(observer);
        match &mut self.backend {
            Backend::Sqlite(connection) => connection.set_instrumentation(watcher),
            Backend::Postgres(connection) => connection.set_instrumentation(watcher),
        }
    }

    /// How many stores its statements are about.
    pub fn store_scope(&self) -> StoreScope {
        self.scope
    }

    /// Whether these tables may be saved by one statement: it is prepared already, or there is room for
    /// another.
    pub(super) fn may_combine(&mut self, tables: Vec<(&'static str, VerbName)>) -> bool {
        if self.combinations.len() < MAX_COMBINATIONS {
            self.combinations.insert(tables);
            return true;
        }
        self.combinations.contains(&tables)
    }

    /// Whether it must not be used again: its connection is gone, or a panic left a transaction open.
    pub fn is_broken(&self) -> bool {
        self.in_transaction || self.retired
    }

    /// Marks its connection as gone.
    pub fn retire(&mut self) {
        self.retired = true;
    }

    /// Waits so long for SQLite's write lock, which only a program beside the service holds for more than a
    /// moment. PostgreSQL's writers wait for no lock.
    pub fn wait_for_lock(&mut self, patience: Duration) -> Result<(), DbError> {
        match self.backend {
            Backend::Sqlite(_) => self.batch(&format!("PRAGMA busy_timeout = {}", patience.as_millis())),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Runs statements without binds or results.
    pub fn batch(&mut self, statements: &str) -> Result<(), DbError> {
        let done = match &mut self.backend {
            Backend::Sqlite(connection) => connection.batch_execute(statements),
            Backend::Postgres(connection) => connection.batch_execute(statements),
        };
        Ok(done?)
    }

    /// Loads rows. Outside of a transaction the statement is a snapshot by itself: both databases read
    /// all of one statement, subqueries included, from one state.
    pub fn load<'q, T, Q>(&'q mut self, query: Q) -> Result<Vec<T>, DbError>
    where
        Q: LoadQuery<'q, PgConnection, T> + LoadQuery<'q, SqliteConnection, T>,
    {
        let rows: diesel::QueryResult<Vec<T>> = match &mut self.backend {
            Backend::Sqlite(connection) => query.internal_load(connection).and_then(Iterator::collect),
            Backend::Postgres(connection) => query.internal_load(connection).and_then(Iterator::collect),
        };
        Ok(rows?)
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute<Q>(&mut self, query: Q) -> Result<usize, DbError>
    where
        Q: ExecuteDsl<PgConnection, Pg> + ExecuteDsl<SqliteConnection, Sqlite>,
    {
        Ok(match &mut self.backend {
            Backend::Sqlite(connection) => ExecuteDsl::<SqliteConnection, Sqlite>::execute(query, connection)?,
            Backend::Postgres(connection) => ExecuteDsl::<PgConnection, Pg>::execute(query, connection)?,
        })
    }

    /// Runs `work` in one write transaction. Can be run again from the beginning after any
    /// [`WriteError::Failed`].
    pub fn write<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, DbError>) -> Result<T, WriteError> {
        self.begin(Access::Write)?;
        match work(self) {
            Ok(done) => self.commit().map(|()| done),
            Err(error) => Err(self.roll_back(error).into()),
        }
    }

    /// Runs `work` likewise, and commits only if it has changed something: what only looked is rolled
    /// back, so that no answer depends on a commit that has nothing to commit.
    pub fn write_changes<T>(
        &mut self,
        work: impl FnOnce(&mut Self) -> Result<(T, Changes), DbError>,
    ) -> Result<T, WriteError> {
        self.begin(Access::Write)?;
        match work(self) {
            Ok((done, Changes::Made)) => self.commit().map(|()| done),
            Ok((done, Changes::None)) => Ok(self.end_read().map(|()| done)?),
            Err(error) => Err(self.roll_back(error).into()),
        }
    }

    /// Runs `work`, which needs more than one statement, on one read-only snapshot. It costs a BEGIN and
    /// a ROLLBACK that a single [`load`](Self::load) does without.
    pub fn read<T, E: From<DbError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.begin(Access::Read)?;
        let result = work(self);
        self.end_read().map_err(E::from).and(result)
    }

    fn begin(&mut self, access: Access) -> Result<(), DbError> {
        match &mut self.backend {
            Backend::Sqlite(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, dialect::sqlite_begin(access))?;
            }
            Backend::Postgres(connection) => {
                AnsiTransactionManager::begin_transaction_sql(connection, dialect::postgres_begin(access))?;
            }
        }
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), WriteError> {
        let committed = match &mut self.backend {
            Backend::Sqlite(connection) => {
                let committed = sqlite_commit::commit(connection);
                self.in_transaction = matches!(committed, Err(WriteError::Unclear(_)));
                return committed;
            }
            Backend::Postgres(connection) => AnsiTransactionManager::commit_transaction(connection),
        };
        match committed.map_err(DbError::from) {
            Ok(()) => {
                self.in_transaction = false;
                Ok(())
            }
            // A deferred constraint, or a lock that SQLite did not get in time: answered, so clear.
            Err(error) if error.kind != DbErrorKind::Lost && error.kind != DbErrorKind::Other => {
                Err(self.roll_back(error).into())
            }
            Err(error) => Err(WriteError::Unclear(error)),
        }
    }

    fn end_read(&mut self) -> Result<(), DbError> {
        match self.raw_roll_back() {
            Ok(()) => Ok(()),
            Err(error) => Err(DbError::new(DbErrorKind::Lost, error.to_string())),
        }
    }

    /// Rolls back after `error`. A session that cannot even do that has lost its connection.
    fn roll_back(&mut self, error: DbError) -> DbError {
        match self.raw_roll_back() {
            Ok(()) => error,
            Err(_) => DbError { kind: DbErrorKind::Lost, ..error },
        }
    }

    fn raw_roll_back(&mut self) -> diesel::QueryResult<()> {
        match &mut self.backend {
            Backend::Sqlite(connection) => sqlite_commit::roll_back(connection)?,
            Backend::Postgres(connection) => AnsiTransactionManager::rollback_transaction(connection)?,
        }
        self.in_transaction = false;
        Ok(())
    }
}

struct Watcher(Observer);

impl Instrumentation for Watcher {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => (self.0)(Observed::Statement(&query.to_string())),
            InstrumentationEvent::CacheQuery { sql, .. } => (self.0)(Observed::Prepared(sql)),
            _ => {}
        }
    }
}
