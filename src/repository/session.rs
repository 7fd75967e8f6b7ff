//! A session: one connection to either database, and the transactions on it.
//!
//! It is the only module that begins or ends a transaction, so what is true of every transaction is seen to here: that
//! it has a name and its end is counted ([`super::transaction`]), that each wait for the database can be watched
//! ([`super::progress`]), and that a session whose transaction did not end cleanly is never used again.
//!
//! Each Diesel query is written once. The bounds of [`Session::load`] and [`Session::execute`] have the compiler check
//! it against both databases; [`super::dialect`] has what differs.

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

use super::bulk::SaveKind;
use super::dialect::{self, Purpose, TransactionMode};
use super::error::{DbError, DbErrorKind};
use super::keys::StoreScope;
use super::progress::{Progress, Stage};
use super::sqlite_commit;
use super::transaction::{Attempt, TransactionCounters, TransactionName, TransactionOutcome};
use super::url::DatabaseUrl;

/// What a statement observer is called with. Tests count statements by it, and have some of them fail.
#[derive(Clone, Copy, Debug)]
pub enum Observed<'a> {
    /// A statement is about to be sent: its text, followed by its binds after ` -- binds: `.
    Statement(&'a str),
    /// A statement was prepared and stays prepared as long as the session lives: its text.
    Prepared(&'a str),
}

/// Is called with the statements of every session that it was given to, on the thread that uses the session.
pub type Observer = Arc<dyn Fn(Observed<'_>) + Send + Sync>;

/// The driver's connection. Code that matches on it is specific to a database, and is in this folder alone.
pub(super) enum Backend {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

/// One connection, set up for one [`Purpose`], used by one thread at a time.
pub struct Session {
    pub(super) backend: Backend,
    /// Shared with the supervisor, which gives the session up when it waits for too long.
    progress: Arc<Progress>,
    /// Known for PostgreSQL only: the process to end when the session was given up.
    server_process: Option<ServerProcess>,
    /// The transaction that is open. While nothing runs, `Some` means that a panic has interrupted it.
    open_transaction: Option<TransactionName>,
    /// Set when the state of the connection is not known any more. It never goes back to `false`.
    retired: bool,
    /// Decides which SQL text is written for a set of keys, so it must not change while statements are prepared.
    scope: StoreScope,
    /// The combinations of tables for which a statement is prepared: see `Session::may_combine`.
    combinations: BTreeSet<TableCombination>,
    counters: Arc<TransactionCounters>,
}

/// The tables that one statement saves, each with what is done with its rows, in the order of saving.
pub(super) type TableCombination = Vec<(&'static str, SaveKind)>;

/// The PostgreSQL process that serves a session. The operating system uses process ids again, so the time at which it
/// was started belongs to its identity: otherwise the process of a session that works could be ended by mistake.
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

/// For how many combinations of tables a session prepares a statement. A service uses few of them, and each prepared
/// statement costs the server memory for as long as the session lives.
const MAX_COMBINATIONS: usize = 64;

/// Whether a transaction has changed anything, which decides between COMMIT and ROLLBACK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changes {
    /// It has written rows, so its callers may be answered only after the COMMIT.
    Made,
    /// It has written nothing: every answer is as good after a ROLLBACK.
    None,
}

/// How a write transaction failed. The two cases must never be confused: after the first one a caller may be told that
/// nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// Nothing was written, and nothing will be. The whole transaction may run again.
    #[error("{0}")]
    Failed(DbError),
    /// COMMIT was sent and not answered: everything may have been written, or nothing.
    #[error("while committing: {0}")]
    CommitUnknown(DbError),
}

impl From<DbError> for WriteError {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

impl Session {
    /// Connects, and sets the session up for its purpose. An observer sees the statements after that.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that connects")]
    pub fn connect(url: &DatabaseUrl, purpose: Purpose, observer: Option<&Observer>) -> Result<Self, DbError> {
        // SQLite creates a file that is missing. A command that only inspects a database must not.
        if let (DatabaseUrl::Sqlite(path), Purpose::Inspect) = (url, purpose)
            && !std::path::Path::new(path).is_file()
        {
            return Err(DbError::new(DbErrorKind::Other, format!("there is no file {path}")));
        }
        let backend = match url {
            DatabaseUrl::Sqlite(path) => Backend::Sqlite(SqliteConnection::establish(path).map_err(no_connection)?),
            DatabaseUrl::Postgres(_) => {
                Backend::Postgres(PgConnection::establish(&url.for_libpq(purpose)).map_err(no_connection)?)
            }
        };
        let mut session = Self {
            backend,
            progress: Arc::default(),
            server_process: None,
            open_transaction: None,
            retired: false,
            scope: dialect::store_scope(purpose),
            combinations: BTreeSet::new(),
            counters: Arc::default(),
        };
        // Before the observer is set: tests count what the service sends for its callers, and not how it connects.
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
        let instrumentation = StatementInstrumentation(observer);
        match &mut self.backend {
            Backend::Sqlite(connection) => connection.set_instrumentation(instrumentation),
            Backend::Postgres(connection) => connection.set_instrumentation(instrumentation),
        }
    }

    /// Has its transactions counted by `counters`, which sessions share. Before this it has counters of its own.
    pub fn count_in(&mut self, counters: &Arc<TransactionCounters>) {
        self.counters = Arc::clone(counters);
    }

    fn ask_server_process(&mut self) -> Result<Option<ServerProcess>, DbError> {
        let Backend::Postgres(connection) = &mut self.backend else { return Ok(None) };
        let query = "SELECT pid, extract(epoch FROM backend_start)::text AS started
                     FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        // Where the view has no such row, the process cannot be ended later, which is no reason not to work now.
        Ok(diesel::sql_query(query).get_result(connection).optional()?)
    }

    /// The process of the server that serves this session; `None` for SQLite, or where the server does not tell.
    pub fn server_process(&self) -> Option<&ServerProcess> {
        self.server_process.as_ref()
    }

    /// Ends the process that serves another session, so that the locks that it holds become free. Returns whether
    /// there was one to end. A process that may be executing a COMMIT is not ended: while it waits for a standby, its
    /// commit would be reported as done without being safe.
    pub fn end_process(&mut self, process: &ServerProcess) -> Result<bool, DbError> {
        let Backend::Postgres(connection) = &mut self.backend else { return Ok(false) };
        let attempt = Attempt::new(Arc::clone(&self.counters), TransactionName::EndServerProcess);
        let query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                     WHERE pid = $1 AND extract(epoch FROM backend_start)::text = $2
                       AND (state LIKE 'idle%' OR query NOT ILIKE 'commit%')";
        let query = diesel::sql_query(query).bind::<Integer, _>(process.pid).bind::<Text, _>(&process.started);
        attempt.end(self.progress.waiting(Stage::Working, || Ok(query.execute(connection)? > 0)))
    }

    /// Shared with the supervisor, which watches how long the session waits.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.progress
    }

    /// How many stores each of its statements may be about.
    pub fn store_scope(&self) -> StoreScope {
        self.scope
    }

    /// Whether one statement may save this combination of tables: a statement for it is prepared already, or there is
    /// room for one more. The first combinations keep their place, because replacing one would not free its prepared
    /// statement on the server.
    pub(super) fn may_combine(&mut self, tables: TableCombination) -> bool {
        if self.combinations.len() < MAX_COMBINATIONS {
            self.combinations.insert(tables);
            return true;
        }
        self.combinations.contains(&tables)
    }

    /// Whether it must not be used again: its connection is in an unknown state, or a panic left a transaction open.
    pub fn is_broken(&self) -> bool {
        self.open_transaction.is_some() || self.retired
    }

    /// Has the pool close it instead of keeping it for the next user.
    pub fn retire(&mut self) {
        self.retired = true;
    }

    /// Sets how long it waits for SQLite's write lock, which only another program than the service holds for more
    /// than a moment. It does nothing on PostgreSQL, whose writers wait for no lock.
    pub fn wait_for_lock(&mut self, timeout: Duration) -> Result<(), DbError> {
        match self.backend {
            Backend::Sqlite(_) => self.batch(&format!("PRAGMA busy_timeout = {}", timeout.as_millis())),
            Backend::Postgres(_) => Ok(()),
        }
    }

    /// Finds out whether the connection still works, by a statement that fails for no other reason.
    pub fn test_connection(&mut self) -> Result<(), DbError> {
        self.autocommit(TransactionName::ConnectionTest, |session| session.batch("SELECT 1"))
    }

    /// Runs statements that have neither binds nor results, separated by semicolons.
    pub fn batch(&mut self, statements: &str) -> Result<(), DbError> {
        // The connection is borrowed by itself, because `progress` is in use while the statement runs. So it is below.
        let backend = &mut self.backend;
        self.progress.waiting(Stage::Working, || {
            match backend {
                Backend::Sqlite(connection) => connection.batch_execute(statements),
                Backend::Postgres(connection) => connection.batch_execute(statements),
            }
            .map_err(DbError::from)
        })
    }

    /// Loads the rows of a query. Outside of a transaction the statement is a snapshot by itself: both databases read
    /// everything in one statement, subqueries included, from one state.
    pub fn load<'q, T, Q>(&'q mut self, query: Q) -> Result<Vec<T>, DbError>
    where
        Q: LoadQuery<'q, PgConnection, T> + LoadQuery<'q, SqliteConnection, T>,
    {
        let backend = &mut self.backend;
        self.progress.waiting(Stage::Working, || {
            // Diesel's own `load` asks for one backend in its bounds, so its two steps are written out.
            let rows: diesel::QueryResult<Vec<T>> = match backend {
                Backend::Sqlite(connection) => query.internal_load(connection).and_then(Iterator::collect),
                Backend::Postgres(connection) => query.internal_load(connection).and_then(Iterator::collect),
            };
            rows.map_err(DbError::from)
        })
    }

    /// Runs a statement, and returns how many rows it has changed.
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

    /// Runs `work` in a write transaction and commits it. The caller may run it again from the beginning after a
    /// [`WriteError::Failed`], so `work` must change nothing but the database and values of its own.
    pub fn write<T>(
        &mut self,
        name: TransactionName,
        work: impl FnOnce(&mut Self) -> Result<T, DbError>,
    ) -> Result<T, WriteError> {
        self.write_changes(name, |session| Ok((work(session)?, Changes::Made)))
    }

    /// Runs `work` in a write transaction, and commits only if it has changed something. Otherwise a ROLLBACK ends
    /// it, so that no answer depends on a COMMIT that has nothing to commit and could be left unanswered.
    pub fn write_changes<T>(
        &mut self,
        name: TransactionName,
        work: impl FnOnce(&mut Self) -> Result<(T, Changes), DbError>,
    ) -> Result<T, WriteError> {
        self.begin(name, TransactionMode::Write)?;
        match work(self) {
            Ok((result, Changes::Made)) => {
                // From here on nobody may be told that nothing was done, unless the database says so.
                self.commit()?;
                Ok(result)
            }
            Ok((result, Changes::None)) => {
                self.end_without_changes(TransactionOutcome::Committed)?;
                Ok(result)
            }
            // No COMMIT was sent, so nothing is written, even if the ROLLBACK is not answered.
            Err(error) => Err(WriteError::Failed(self.roll_back_after(error))),
        }
    }

    /// Runs `work`, which needs more than one statement, on one read-only snapshot. That costs a BEGIN and a ROLLBACK,
    /// which a single [`load`](Self::load) does without. A snapshot whose `work` fails counts as rolled back.
    pub fn snapshot<T, E: From<DbError>>(
        &mut self,
        name: TransactionName,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        self.begin(name, TransactionMode::Read)?;
        let result = work(self);
        let outcome = if result.is_ok() { TransactionOutcome::Committed } else { TransactionOutcome::RolledBack };
        let ended = self.end_without_changes(outcome);
        // An error of the work tells more than what happened to its transaction afterwards.
        let value = result?;
        ended?;
        Ok(value)
    }

    /// Runs one check of `verify` on one snapshot. `verify` may use sessions but not name transactions, so the name is
    /// given here.
    pub fn read<T, E: From<DbError>>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, E>) -> Result<T, E> {
        self.snapshot(TransactionName::VerifySnapshot, work)
    }

    /// Runs statements without BEGIN, each of which the database takes for a transaction of its own, and counts them
    /// as one attempt. Within a transaction they belong to it and are not counted.
    pub(super) fn autocommit<T, E>(
        &mut self,
        name: TransactionName,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        match self.attempt(name) {
            Some(attempt) => attempt.end(work(self)),
            None => work(self),
        }
    }

    /// The attempt as which statements without BEGIN are counted; `None` within a transaction.
    pub(super) fn attempt(&self, name: TransactionName) -> Option<Attempt> {
        self.open_transaction.is_none().then(|| Attempt::new(Arc::clone(&self.counters), name))
    }

    /// Begins a transaction. From here until its end is counted, the session counts as broken, so that one that a panic
    /// leaves in the middle of a transaction is never used again.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that begins transactions")]
    fn begin(&mut self, name: TransactionName, mode: TransactionMode) -> Result<(), DbError> {
        let backend = &mut self.backend;
        let begun = self.progress.waiting(Stage::Working, || {
            match backend {
                Backend::Sqlite(connection) => {
                    AnsiTransactionManager::begin_transaction_sql(connection, dialect::sqlite_begin(mode))
                }
                Backend::Postgres(connection) => {
                    AnsiTransactionManager::begin_transaction_sql(connection, dialect::postgres_begin(mode))
                }
            }
            .map_err(DbError::from)
        });
        let Err(error) = begun else {
            self.open_transaction = Some(name);
            return Ok(());
        };
        self.counters.count(name, TransactionOutcome::Refused);
        match self.backend {
            // SQLite's write lock may be taken, and then the session stays usable.
            Backend::Sqlite(_) => Err(error),
            // PostgreSQL refuses BEGIN for no other reason than a lost connection, whatever the driver reports.
            Backend::Postgres(_) => Err(DbError { kind: DbErrorKind::Lost, ..error }),
        }
    }

    /// Commits the open transaction. COMMIT is noted as sent before it is sent: if the supervisor gives the session up
    /// meanwhile, it must not conclude that nothing was written.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that commits transactions on PostgreSQL")]
    fn commit(&mut self) -> Result<(), WriteError> {
        let backend = &mut self.backend;
        let committed = self.progress.waiting(Stage::Committing, || match backend {
            Backend::Sqlite(connection) => sqlite_commit::commit(connection),
            Backend::Postgres(connection) => {
                let committed = AnsiTransactionManager::commit_transaction(connection);
                committed.map_err(|error| WriteError::CommitUnknown(error.into()))
            }
        });
        // SQLite's outcome is final. With PostgreSQL an error of COMMIT may come from the server, or from the connection
        // before or after the server has done it.
        let committed = match (committed, &self.backend) {
            (Err(WriteError::CommitUnknown(error)), Backend::Postgres(_)) => Err(self.ask_about_failed_commit(error)),
            (committed, _) => committed,
        };
        match &committed {
            Ok(()) => self.end(TransactionOutcome::Committed),
            Err(error) => {
                // If the supervisor gave the session up in time, COMMIT was never sent: nothing is written, but the
                // transaction is still open on this connection.
                if self.progress.is_given_up() || matches!(error, WriteError::CommitUnknown(_)) {
                    self.retired = true;
                }
                self.end(error.into());
            }
        }
        committed
    }

    /// Finds out what a PostgreSQL COMMIT that failed has done. A server that answers the ROLLBACK has answered the
    /// COMMIT before it, by an error: nothing was written. If the ROLLBACK fails too, the COMMIT may have been done.
    fn ask_about_failed_commit(&mut self, error: DbError) -> WriteError {
        match self.send_roll_back(Stage::Committing) {
            Ok(()) => WriteError::Failed(error),
            Err(_) => WriteError::CommitUnknown(error),
        }
    }

    /// Ends a transaction that has written nothing, and counts it as `outcome`.
    fn end_without_changes(&mut self, outcome: TransactionOutcome) -> Result<(), DbError> {
        match self.send_roll_back(Stage::Working) {
            Ok(()) => {
                self.end(outcome);
                Ok(())
            }
            Err(error) => {
                self.retired = true;
                self.end(TransactionOutcome::RolledBack);
                Err(DbError::new(DbErrorKind::Lost, error.to_string()))
            }
        }
    }

    /// Rolls back after `error`, and returns it. A session that cannot even do that has lost its connection, whatever
    /// kind of error the driver has reported: so the work is retried on another one.
    fn roll_back_after(&mut self, error: DbError) -> DbError {
        let rolled_back = self.send_roll_back(Stage::Working);
        self.end(TransactionOutcome::RolledBack);
        match rolled_back {
            Ok(()) => error,
            Err(_) => {
                self.retired = true;
                DbError { kind: DbErrorKind::Lost, ..error }
            }
        }
    }

    /// Counts the end of the open transaction, if there is one. It says nothing about the connection: where the end was
    /// not clean, the session must be retired as well.
    fn end(&mut self, outcome: TransactionOutcome) {
        if let Some(name) = self.open_transaction.take() {
            self.counters.count(name, outcome);
        }
    }

    /// Sends ROLLBACK. `stage` is what is not decided while it waits for the answer: after a COMMIT that failed, the
    /// COMMIT may have been done.
    #[expect(clippy::disallowed_methods, reason = "this is the one place that rolls transactions back on PostgreSQL")]
    fn send_roll_back(&mut self, stage: Stage) -> Result<(), DbError> {
        let backend = &mut self.backend;
        self.progress.waiting(stage, || {
            match backend {
                Backend::Sqlite(connection) => sqlite_commit::roll_back(connection),
                Backend::Postgres(connection) => AnsiTransactionManager::rollback_transaction(connection),
            }
            .map_err(DbError::from)
        })
    }
}

impl Drop for Session {
    /// Closing the connection rolls back what a panic has left open.
    fn drop(&mut self) {
        self.end(TransactionOutcome::RolledBack);
    }
}

/// Every failure to connect is retried on another connection: none of them can have changed anything.
fn no_connection(error: diesel::ConnectionError) -> DbError {
    DbError::new(DbErrorKind::Lost, error.to_string())
}

/// Passes on what Diesel reports about statements.
struct StatementInstrumentation(Observer);

impl Instrumentation for StatementInstrumentation {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => (self.0)(Observed::Statement(&query.to_string())),
            InstrumentationEvent::CacheQuery { sql, .. } => (self.0)(Observed::Prepared(sql)),
            _ => {}
        }
    }
}
