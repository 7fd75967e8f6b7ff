//! The names of the transactions, and how often each ended in which way.
//!
//! A transaction of the service may run again from its beginning. It is retried after a lost connection, a
//! serialization failure or a COMMIT that was not answered, on whichever thread finds that out. This is safe because
//! of what every caller of [`Session`](super::session::Session) keeps to:
//!
//! - between BEGIN and COMMIT it changes nothing but the database and values of its own, and nobody is answered;
//! - what a write batch did is found again by the stored responses, which are written in the same transaction. So a
//!   batch whose COMMIT was not answered is retried only for requests that have an id;
//! - reads change nothing, and every other write leaves the same rows however often it is done.
//!
//! Each attempt is counted once, under the name of its transaction, when it has ended. That includes statements that
//! run without BEGIN: both databases make a transaction of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::session::WriteError;

/// What a transaction is for. Logs and counters show its [`name`](Self::name).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionName {
    /// Commands of callers: lock their stores, load, decide, save. Safe to retry by the stored responses.
    WriteBatch,
    /// A read of a caller, by one statement or on one snapshot.
    Read,
    /// One step of `verify` on one snapshot: the database as a whole, or one store.
    VerifySnapshot,
    /// Looks for stored responses and events that are too old, and counts open back orders. It takes no lock, and most
    /// of the time there is nothing to delete.
    PruneScan,
    /// Notes that the service has run on a day. A day that is noted already is left as it is.
    PruneNoteDay,
    /// Deletes a bounded number of old stored responses, or of a store's old events. What one attempt has deleted, the
    /// next does not find.
    PruneDelete,
    /// Applies all missing migrations, or none. A second attempt finds what the first one has applied.
    Migrate,
    /// Compares the applied migrations with those of this binary.
    SchemaCheck,
    /// Asks the database whether it can be read and written.
    Probe,
    /// Asks a PostgreSQL server for settings by which it may lose commits.
    ServerCheck,
    /// Reads the secret that signs page tokens.
    PageKey,
    /// Copies a SQLite database into a new file.
    Backup,
    /// Reads or writes the mark in a SQLite file that says whether a service uses it.
    FileMark,
    /// Moves SQLite's write-ahead log into the database file.
    Checkpoint,
    /// Has a PostgreSQL server end the process of a session that was given up.
    EndServerProcess,
    /// Finds out whether a connection still works.
    ConnectionTest,
}

/// How an attempt to run a transaction ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TransactionOutcome {
    /// It did what it was for. One that only reads, or has found nothing to change, ends by ROLLBACK and counts here
    /// too.
    Committed,
    /// It failed, and nothing was written.
    RolledBack,
    /// COMMIT was sent and not answered, so everything may have been written, or nothing.
    CommitUnknown,
    /// There was no connection to begin it on.
    NoConnection,
    /// The database refused BEGIN: somebody holds SQLite's write lock, or the connection is lost.
    Refused,
}

/// How often the attempts of one transaction ended in which way, since the counters were made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TransactionStats {
    /// How many attempts followed a failed attempt of the same work.
    pub retries: u64,
    /// Attempts that ended as [`TransactionOutcome::Committed`].
    pub committed: u64,
    /// Attempts that ended as [`TransactionOutcome::RolledBack`].
    pub rolled_back: u64,
    /// Attempts that ended as [`TransactionOutcome::CommitUnknown`].
    pub commit_unknown: u64,
    /// Attempts that ended as [`TransactionOutcome::NoConnection`].
    pub no_connection: u64,
    /// Attempts that ended as [`TransactionOutcome::Refused`].
    pub refused: u64,
}

impl TransactionStats {
    /// How many attempts ended in each way.
    pub const fn outcomes(&self) -> [(TransactionOutcome, u64); 5] {
        [
            (TransactionOutcome::Committed, self.committed),
            (TransactionOutcome::RolledBack, self.rolled_back),
            (TransactionOutcome::CommitUnknown, self.commit_unknown),
            (TransactionOutcome::NoConnection, self.no_connection),
            (TransactionOutcome::Refused, self.refused),
        ]
    }

    /// How many attempts have ended, in whichever way.
    pub const fn attempts(&self) -> u64 {
        self.committed + self.rolled_back + self.commit_unknown + self.no_connection + self.refused
    }
}

/// The counters of one transaction. They are independent of each other: a reader may see one updated and another not
/// yet, so that sums are exact only while nothing runs.
#[derive(Debug, Default)]
struct Counters {
    retries: AtomicU64,
    committed: AtomicU64,
    rolled_back: AtomicU64,
    commit_unknown: AtomicU64,
    no_connection: AtomicU64,
    refused: AtomicU64,
}

/// The counters of every transaction. A server has one set, which all its sessions share.
#[derive(Debug, Default)]
pub struct TransactionCounters([Counters; TransactionName::ALL.len()]);

impl TransactionName {
    /// Every name, in the order of the enum: a name's place in this list is its index in the counters.
    pub const ALL: [Self; 16] = [
        Self::WriteBatch,
        Self::Read,
        Self::VerifySnapshot,
        Self::PruneScan,
        Self::PruneNoteDay,
        Self::PruneDelete,
        Self::Migrate,
        Self::SchemaCheck,
        Self::Probe,
        Self::ServerCheck,
        Self::PageKey,
        Self::Backup,
        Self::FileMark,
        Self::Checkpoint,
        Self::EndServerProcess,
        Self::ConnectionTest,
    ];

    /// The name as logs and metrics show it. It must not change: dashboards and alerts refer to it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::WriteBatch => "write_batch",
            Self::Read => "read",
            Self::VerifySnapshot => "verify_snapshot",
            Self::PruneScan => "prune_scan",
            Self::PruneNoteDay => "prune_note_day",
            Self::PruneDelete => "prune_delete",
            Self::Migrate => "migrate",
            Self::SchemaCheck => "schema_check",
            Self::Probe => "probe",
            Self::ServerCheck => "server_check",
            Self::PageKey => "page_key",
            Self::Backup => "backup",
            Self::FileMark => "file_mark",
            Self::Checkpoint => "checkpoint",
            Self::EndServerProcess => "end_server_process",
            Self::ConnectionTest => "connection_test",
        }
    }
}

impl TransactionOutcome {
    /// The name as metrics show it. It must not change: dashboards and alerts refer to it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Committed => "committed",
            Self::RolledBack => "rolled_back",
            Self::CommitUnknown => "commit_unknown",
            Self::NoConnection => "no_connection",
            Self::Refused => "refused",
        }
    }
}

impl TransactionCounters {
    fn of(&self, name: TransactionName) -> &Counters {
        // A test holds that a name's discriminant is its place in `ALL`, so the index is never out of range.
        &self.0[name as usize]
    }

    /// Counts an attempt that has ended.
    pub(super) fn count(&self, name: TransactionName, outcome: TransactionOutcome) {
        let counters = self.of(name);
        let counter = match outcome {
            TransactionOutcome::Committed => &counters.committed,
            TransactionOutcome::RolledBack => &counters.rolled_back,
            TransactionOutcome::CommitUnknown => &counters.commit_unknown,
            TransactionOutcome::NoConnection => &counters.no_connection,
            TransactionOutcome::Refused => &counters.refused,
        };
        // Nothing else is read or written by what a counter shows, so no order between threads is needed.
        counter.fetch_add(1, Ordering::Relaxed);
    }

    /// Counts that work is attempted again after a failed attempt. The caller who retries says so: a session cannot
    /// know that it was given the same work before.
    pub fn count_retry(&self, name: TransactionName) {
        self.of(name).retries.fetch_add(1, Ordering::Relaxed);
    }

    /// What was counted for one transaction so far.
    pub fn stats(&self, name: TransactionName) -> TransactionStats {
        let counters = self.of(name);
        TransactionStats {
            retries: counters.retries.load(Ordering::Relaxed),
            committed: counters.committed.load(Ordering::Relaxed),
            rolled_back: counters.rolled_back.load(Ordering::Relaxed),
            commit_unknown: counters.commit_unknown.load(Ordering::Relaxed),
            no_connection: counters.no_connection.load(Ordering::Relaxed),
            refused: counters.refused.load(Ordering::Relaxed),
        }
    }
}

/// Counts statements that run without BEGIN as one attempt of a transaction. An attempt that is dropped before its
/// outcome was counted has panicked, and counts as rolled back.
pub(super) struct Attempt {
    counters: Arc<TransactionCounters>,
    name: TransactionName,
    outcome: TransactionOutcome,
}

impl Attempt {
    pub(super) fn new(counters: Arc<TransactionCounters>, name: TransactionName) -> Self {
        Self { counters, name, outcome: TransactionOutcome::RolledBack }
    }

    /// Counts the attempt by its result, and hands the result on.
    pub(super) fn end<T, E>(mut self, result: Result<T, E>) -> Result<T, E> {
        if result.is_ok() {
            self.outcome = TransactionOutcome::Committed;
        }
        result
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.counters.count(self.name, self.outcome);
    }
}

impl From<&WriteError> for TransactionOutcome {
    fn from(error: &WriteError) -> Self {
        match error {
            WriteError::Failed(_) => Self::RolledBack,
            WriteError::CommitUnknown(_) => Self::CommitUnknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::repository::dialect::Purpose;
    use crate::repository::error::{DbError, DbErrorKind};
    use crate::repository::pool::Pool;
    use crate::repository::session::{Changes, Session};
    use crate::repository::url::DatabaseUrl;

    const NAME: TransactionName = TransactionName::WriteBatch;

    fn in_folder(folder: &TempDir, file: &str) -> DatabaseUrl {
        DatabaseUrl::Sqlite(folder.path().join(file).display().to_string())
    }

    fn session_on(url: &DatabaseUrl, counters: &Arc<TransactionCounters>) -> Session {
        let mut session = Session::connect(url, Purpose::Operate, None).unwrap();
        session.count_in(counters);
        session.wait_for_lock(std::time::Duration::ZERO).unwrap();
        session
    }

    fn failed() -> DbError {
        DbError::new(DbErrorKind::Other, "it failed")
    }

    #[test]
    fn names_and_counters_are_in_the_order_of_the_enum() {
        for (index, name) in TransactionName::ALL.into_iter().enumerate() {
            assert_eq!(name as usize, index, "{name:?}");
        }
    }

    #[test]
    fn each_outcome_of_a_transaction_is_counted_once_under_its_name() {
        let folder = TempDir::new().unwrap();
        let url = in_folder(&folder, "test.sqlite");
        let counters = Arc::<TransactionCounters>::default();
        let mut session = session_on(&url, &counters);

        session.write(NAME, |session| session.batch("CREATE TABLE test (id INTEGER)")).unwrap();
        session.write_changes(NAME, |_| Ok(((), Changes::None))).unwrap();
        session.write(NAME, |_| Err::<(), _>(failed())).unwrap_err();
        session.snapshot(TransactionName::Read, |session| session.batch("SELECT * FROM test")).unwrap();
        session.snapshot(TransactionName::Read, |_| Err::<(), _>(failed())).unwrap_err();
        let other_counters = Arc::default();
        let mut other = session_on(&url, &other_counters);
        other
            .write(NAME, |_| {
                // The other session holds the write lock.
                session.write(NAME, |_| Ok(())).unwrap_err();
                Ok(())
            })
            .unwrap();
        counters.count_retry(NAME);

        let expected =
            TransactionStats { retries: 1, committed: 2, rolled_back: 1, refused: 1, ..TransactionStats::default() };
        assert_eq!(counters.stats(NAME), expected);
        assert_eq!(expected.attempts(), 4);
        let reads = TransactionStats { committed: 1, rolled_back: 1, ..TransactionStats::default() };
        assert_eq!(counters.stats(TransactionName::Read), reads);
        assert_eq!(counters.stats(TransactionName::Migrate), TransactionStats::default());
        assert_eq!(other_counters.stats(NAME).committed, 1);
    }

    #[test]
    fn statements_without_begin_are_counted_once_and_those_in_a_transaction_are_not() {
        let folder = TempDir::new().unwrap();
        let counters = Arc::<TransactionCounters>::default();
        let mut session = session_on(&in_folder(&folder, "test.sqlite"), &counters);

        session.autocommit(TransactionName::Probe, |session| session.batch("SELECT 1")).unwrap();
        session.autocommit(TransactionName::Probe, |session| session.batch("SELECT nothing")).unwrap_err();
        session
            .snapshot(TransactionName::Read, |session| {
                session.autocommit(TransactionName::Probe, |session| session.batch("SELECT 1"))
            })
            .unwrap();

        let probes = TransactionStats { committed: 1, rolled_back: 1, ..TransactionStats::default() };
        assert_eq!(counters.stats(TransactionName::Probe), probes);
        assert_eq!(counters.stats(TransactionName::Read).committed, 1);
    }

    #[test]
    fn a_transaction_whose_work_panics_is_counted_as_rolled_back() {
        let folder = TempDir::new().unwrap();
        let counters = Arc::<TransactionCounters>::default();
        let mut session = session_on(&in_folder(&folder, "test.sqlite"), &counters);

        let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            session.write(NAME, |_| -> Result<(), DbError> { panic!("in the middle of a transaction") })
        }));
        assert!(panicked.is_err() && session.is_broken());
        assert_eq!(counters.stats(NAME), TransactionStats::default(), "it has not ended yet");
        drop(session);

        assert_eq!(counters.stats(NAME), TransactionStats { rolled_back: 1, ..TransactionStats::default() });
    }

    #[test]
    fn an_attempt_without_a_connection_is_counted() {
        let folder = TempDir::new().unwrap();
        let counters = Arc::<TransactionCounters>::default();
        let url = in_folder(&folder, "no-such-folder/test.sqlite");
        let pool = Pool::counted(&url, Purpose::Operate, 1, None, &counters);

        assert!(pool.get(NAME).is_err());

        assert_eq!(counters.stats(NAME), TransactionStats { no_connection: 1, ..TransactionStats::default() });
    }
}
