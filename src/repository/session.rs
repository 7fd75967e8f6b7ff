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
use diesel::sql_types::{Integer, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};
use diesel::{OptionalExtension as _, QueryableByName, RunQueryDsl as _};

use super::bulk::VerbName;
use super::dialect::{self, Purpose, TransactionMode};
use super::error::{DbError, DbErrorKind};
use super::keys::StoreScope;
use super::progress::{Progress, Stage};
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
    progress: Arc<Progress>,
    server_process: Option<ServerProcess>,
    in_transaction: bool,
    retired: bool,
    scope: StoreScope,
    /// Which combinations of tables were saved by one statement so far.
    combinations: BTreeSet<Vec<(&'static str, VerbName)>>,
}

/// The PostgreSQL process that serves a session. A process id alone may name another one later.
#[derive(Clone, Debug, PartialEq, Eq, QueryableByName)]
pub struct ServerProcess {
    #[diesel(sql_type = Integer)]
    pid: i32,
    #[diesel(sql_type = Text)]
    started: String,
}

impl std::fmt::Display for ServerProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.pid)
    }
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
    CommitUnknown(DbError),
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
            DatabaseUrl::Postgres(_) => {
                Backend::Postgres(PgConnection::establish(&url.for_libpq(purpose)).map_err(lost)?)
            }
        };
        let scope = dialect::store_scope(purpose);
        let combinations = BTreeSet::new();
        let progress = Arc::default();
        let mut session = Self {
            backend,
            progress,
            server_process: None,
            in_transaction: false,
            retired: false,
            scope,
            combinations,
        };
        for statement in dialect::set_up(url, purpose) {
            session.batch(statement)?;
        }
        session.server_process = session.ask_server_process()?;
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

    /// Which process of the server serves it; SQLite has no server.
    fn ask_server_process(&mut self) -> Result<Option<ServerProcess>, DbError> {
        let Backend::Postgres(connection) = &mut self.backend else { return Ok(None) };
        let query = "SELECT pid, extract(epoch FROM backend_start)::text AS started
                     FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        Ok(diesel::sql_query(query).get_result(connection).optional()?)
    }

    /// Which process of the server serves it, as far as that is known.
    pub fn server_process(&self) -> Option<&ServerProcess> {
        self.server_process.as_ref()
    }

    /// Ends the server's process of another session, so that the locks that it holds are free; whether
    /// there was one to end. A process that may be doing a COMMIT is left alone: a commit that waits for
    /// a standby and is ended would look done without being safe.
    pub fn end_process(&mut self, process: &ServerProcess) -> Result<bool, DbError> {
        let Backend::Postgres(connection) = &mut self.backend else { return Ok(false) };
        let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2
                       AND (state LIKE 'idle%' OR query NOT ILIKE 'commit%')";
        let query = diesel::sql_query(query).bind::<Integer, _>(process.pid).bind::<Text, _>(&process.started);
        self.progress.waiting(Stage::Working, || Ok(query.execute(connection)? > 0))
    }

    /// Shared with the supervisor, which watches how long the session waits.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
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
    pub fn wait_for_lock(&mut self, timeout: Duration) -> Result<(), DbError> {
        match self.backend {
            Backend::Sqlite(_) => self.batch(&format!("PRAGMA busy_timeout = {}", timeout.as_millis())),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Runs statements without binds or results.
    pub fn batch(&mut self, statements: &str) -> Result<(), DbError> {
        let backend = &mut self.backend;
        self.progress.waiting(Stage::Working, || {
            match backend {
                Backend::Sqlite(connection) => connection.batch_execute(statements),
                Backend::Postgres(connection) => connection.batch_execute(statements),
            }
            .map_err(DbError::from)
        })
    }

    /// Loads rows. Outside of a transaction the statement is a snapshot by itself: both databases read
    /// all of one statement, subqueries included, from one state.
    pub fn load<'q, T, Q>(&'q mut self, query: Q) -> Result<Vec<T>, DbError>
    where
        Q: LoadQuery<'q, PgConnection, T> + LoadQuery<'q, SqliteConnection, T>,
    {
        let backend = &mut self.backend;
        self.progress.waiting(Stage::Working, || {
            let rows: diesel::QueryResult<Vec<T>> = match backend {
                Backend::Sqlite(connection) => query.internal_load(connection).and_then(Iterator::collect),
                Backend::Postgres(connection) => query.internal_load(connection).and_then(Iterator::collect),
            };
            rows.map_err(DbError::from)
        })
    }

    /// Runs a statement; how many rows it changed.
    pub fn execute<Q>(&mut self, query: Q) -> Result<usize, DbError>
    where
        Q: ExecuteDsl<PgConnection, Pg> + ExecuteDsl<SqliteConnection, Sqlite>,
    {
        let backend = &mut self.backend;
        self.progress.waiting(Stage::Working, || {
            match backend {
                Backend::Sqlite(connection) => ExecuteDsl::<SqliteConnection, Sqlite>::execute(query, connection),
                Backend::Postgres(connection) => ExecuteDsl::<PgConnection, Pg>::execute(query, connection),
            }
            .map_err(DbError::from)
        })
    }

    /// Runs `work` in one write transaction. Can be run again from the beginning after any
    /// [`WriteError::Failed`].
    pub fn write<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, DbError>) -> Result<T, WriteError> {
        self.begin(TransactionMode::Write)?;
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
        self.begin(TransactionMode::Write)?;
        match work(self) {
            Ok((done, Changes::Made)) => self.commit().map(|()| done),
            Ok((done, Changes::None)) => Ok(self.end_read().map(|()| done)?),
            Err(error) => Err(self.roll_back(error).into()),
        }
    }

    /// Runs `work`, which needs more than one statement, on one read-only snapshot. It costs a BEGIN and
    /// a ROLLBACK that a single [`load`](Self::load) does without.
    pub fn read<T, E: From<DbError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.begin(TransactionMode::Read)?;
        let result = work(self);
        let ended = self.end_read();
        let read = result?;
        ended?;
        Ok(read)
    }

    fn begin(&mut self, access: TransactionMode) -> Result<(), DbError> {
        let backend = &mut self.backend;
        let begun = self.progress.waiting(Stage::Working, || {
            match backend {
                Backend::Sqlite(connection) => {
                    AnsiTransactionManager::begin_transaction_sql(connection, dialect::sqlite_begin(access))
                }
                Backend::Postgres(connection) => {
                    AnsiTransactionManager::begin_transaction_sql(connection, dialect::postgres_begin(access))
                }
            }
            .map_err(DbError::from)
        });
        match (begun, &self.backend) {
            (Ok(()), _) => {
                self.in_transaction = true;
                Ok(())
            }
            (Err(error), Backend::Sqlite(_)) => Err(error),
            // PostgreSQL refuses a BEGIN only with the connection.
            (Err(error), Backend::Postgres(_)) => Err(DbError { kind: DbErrorKind::Lost, ..error }),
        }
    }

    fn commit(&mut self) -> Result<(), WriteError> {
        let backend = &mut self.backend;
        let committed = self.progress.waiting(Stage::Committing, || match backend {
            Backend::Sqlite(connection) => sqlite_commit::commit(connection),
            Backend::Postgres(connection) => {
                let committed = AnsiTransactionManager::commit_transaction(connection);
                committed.map_err(|error| WriteError::CommitUnknown(error.into()))
            }
        });
        match (committed, &self.backend) {
            (Err(WriteError::CommitUnknown(error)), Backend::Postgres(_)) => self.failed_postgres_commit(error),
            (committed, _) => {
                self.in_transaction = matches!(committed, Err(WriteError::CommitUnknown(_)));
                committed
            }
        }
    }

    /// A server that answers the ROLLBACK has answered the COMMIT before it, by an error: nothing was
    /// written. One that does not may have done it.
    fn failed_postgres_commit(&mut self, error: DbError) -> Result<(), WriteError> {
        match self.raw_roll_back(Stage::Committing) {
            Ok(()) => Err(WriteError::Failed(error)),
            Err(_) => Err(WriteError::CommitUnknown(error)),
        }
    }

    fn end_read(&mut self) -> Result<(), DbError> {
        match self.raw_roll_back(Stage::Working) {
            Ok(()) => Ok(()),
            Err(error) => Err(DbError::new(DbErrorKind::Lost, error.to_string())),
        }
    }

    /// Rolls back after `error`. A session that cannot even do that has lost its connection.
    fn roll_back(&mut self, error: DbError) -> DbError {
        match self.raw_roll_back(Stage::Working) {
            Ok(()) => error,
            Err(_) => DbError { kind: DbErrorKind::Lost, ..error },
        }
    }

    /// `stage` is what is still open while it waits: after a COMMIT that failed, that may have been done.
    fn raw_roll_back(&mut self, stage: Stage) -> Result<(), DbError> {
        let backend = &mut self.backend;
        self.progress.waiting(stage, || {
            match backend {
                Backend::Sqlite(connection) => sqlite_commit::roll_back(connection),
                Backend::Postgres(connection) => AnsiTransactionManager::rollback_transaction(connection),
            }
            .map_err(DbError::from)
        })?;
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
