//! A SQLite database as a file that somebody may copy: who uses it, and whether it holds everything.
//!
//! While a service runs, part of its data is only in the write-ahead log beside the file, `-wal`. So a mark in the file's
//! header (`user_version`) says that the file is in use. A clean stop moves everything into the file, and then sets the
//! mark to closed. A file that is marked as in use and has no log beside it was copied without its log, or was closed by
//! another program after a crash. SQLite gives no way to tell these two apart, so it is reported and a person decides.
//! A log that a checkpoint has emptied still exists with no bytes, so a crash is never taken for a missing log.
//!
//! Every process that uses a database holds a shared lock on the file `.lock` beside it (flock), and a program that
//! replaces the database an exclusive one. The operating system frees a lock when its process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use diesel::sql_types::Integer;

use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::Session;
use super::transaction::{TransactionCounters, TransactionName};
use super::url::DatabaseUrl;
use super::wal;

/// The mark of a file that holds everything. It is also what SQLite gives a new file.
const CLOSED: i32 = 0;
/// The mark of a file that a service uses, or used when it crashed.
const IN_USE: i32 = 1;

/// What was found before a database was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileState {
    /// The file is new or was closed cleanly, or the database is on a server.
    Closed,
    /// The file is in use, or was when its service crashed. Its log exists, so nothing is missing.
    InUse,
    /// The file was in use, and its log is missing: the latest changes may be missing with it.
    LogMissing,
}

/// Held while a process uses a SQLite database. It keeps others from replacing the file.
pub struct DatabaseInUse {
    path: String,
    /// The shared lock on the lock file.
    lock: File,
    /// Open for as long as the database is used. SQLite removes the log when the last session closes: if the process
    /// were killed after that, it would leave a file that is marked as in use and has no log. Behind a mutex only
    /// because a server is shared between threads.
    session: Mutex<Session>,
}

#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    user_version: i32,
}

/// Begins to use a database, marks its file as in use, and returns what state the file was in. For a database on a
/// server there is nothing to hold.
pub fn open(
    url: &DatabaseUrl,
    counters: &Arc<TransactionCounters>,
) -> Result<(Option<DatabaseInUse>, FileState), DbError> {
    let (mut in_use, state) = lock_and_read_mark(url, Purpose::Operate, counters)?;
    if let Some(in_use) = &mut in_use {
        // The mark must be in the file itself, and not only in the log, before anything is committed: a copy without
        // the log must show it.
        let session = in_use.session.get_mut().unwrap_or_else(PoisonError::into_inner);
        match set_mark(session, IN_USE).and_then(|()| wal::truncate(session)) {
            Ok(_) => {}
            // Reads still work on a full disk, so the service starts all the same.
            Err(error) if error.is_storage() => tracing::error!(%error, "the database is not marked as in use"),
            Err(error) => return Err(error),
        }
    }
    Ok((in_use, state))
}

/// Begins to use a database that must exist, for a command that only inspects it: the file is not marked.
pub fn inspect(url: &DatabaseUrl) -> Result<(Option<DatabaseInUse>, FileState), DbError> {
    lock_and_read_mark(url, Purpose::Inspect, &Arc::default())
}

/// Locks a database for use and reads the mark of its file, in the order in which that is safe: the lock first, so that
/// nobody replaces the file, then whether it has a log, and then the mark, which only a session can read.
fn lock_and_read_mark(
    url: &DatabaseUrl,
    purpose: Purpose,
    counters: &Arc<TransactionCounters>,
) -> Result<(Option<DatabaseInUse>, FileState), DbError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok((None, FileState::Closed)) };
    if purpose == Purpose::Inspect && !Path::new(path).is_file() {
        return Err(DbError::new(DbErrorKind::Other, format!("there is no file {path}")));
    }
    let lock = lock(path, LockMode::Shared)?;
    let lock = lock.ok_or_else(|| DbError::new(DbErrorKind::Busy, "it is being restored"))?;
    // This must come before the first session is opened, which creates a log.
    let has_log = beside(path, "-wal").exists();
    let mut session = Session::connect(url, purpose, None)?;
    session.count_in(counters);
    let state = match (read_mark(&mut session)?, has_log) {
        (IN_USE, true) => FileState::InUse,
        (IN_USE, false) => FileState::LogMissing,
        _ => FileState::Closed,
    };
    Ok((Some(DatabaseInUse { path: path.clone(), lock, session: Mutex::new(session) }), state))
}

impl DatabaseInUse {
    /// Ends the use of a database whose other sessions are closed. Unless another process uses it too, the log is moved
    /// into the file, and the file is marked as closed. Returns whether the file now holds everything by itself.
    pub fn close(self) -> Result<bool, DbError> {
        // The exclusive lock is refused while another process holds the shared one; that process closes the file later.
        if self.lock.try_lock().is_err() {
            return Ok(false);
        }
        let mut session = self.session.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_complete = mark_closed(&mut session)?;
        // SQLite removes the log with the last session.
        drop(session);
        // While the lock is still held. A process that gets it afterwards finds that its file is gone, and makes a new one.
        let _ = std::fs::remove_file(beside(&self.path, ".lock"));
        Ok(is_complete)
    }
}

/// Moves the log into the file, and then marks the file as closed. These are two steps, because a checkpoint copies the
/// first page, which has the mark, before the others: interrupted in one step, it could leave a file that is marked as
/// closed and lacks pages. Nobody else may use the database. Returns `false` if somebody does.
pub(super) fn mark_closed(session: &mut Session) -> Result<bool, DbError> {
    if !wal::truncate(session)? {
        return Ok(false);
    }
    set_mark(session, CLOSED)?;
    wal::truncate(session)
}

fn set_mark(session: &mut Session, mark: i32) -> Result<(), DbError> {
    session.autocommit(TransactionName::FileMark, |session| session.batch(&format!("PRAGMA user_version = {mark}")))
}

fn read_mark(session: &mut Session) -> Result<i32, DbError> {
    let query = diesel::sql_query("SELECT user_version FROM pragma_user_version");
    let rows: Vec<Version> = session.autocommit(TransactionName::FileMark, |session| session.load(query))?;
    // Taken for closed by default, a file without its log would pass for a complete one.
    let row = rows.first().ok_or_else(|| DbError::unreadable("user_version", "it has no row"))?;
    Ok(row.user_version)
}

/// Takes the exclusive lock for replacing a database; `None` while another program uses it.
pub(super) fn lock_to_replace(path: &str) -> Result<Option<File>, DbError> {
    lock(path, LockMode::Exclusive)
}

/// How the lock file is locked.
#[derive(Clone, Copy)]
enum LockMode {
    /// By each process that uses the database.
    Shared,
    /// By the one program that replaces it.
    Exclusive,
}

/// Locks the lock file of a database without waiting, and creates the file if there is none. `None` if another process
/// holds a lock that excludes this one.
fn lock(path: &str, mode: LockMode) -> Result<Option<File>, DbError> {
    let lock_path = beside(path, ".lock");
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&lock_path);
        let file = file.map_err(|error| lock_error(path, &error))?;
        let locked = match mode {
            LockMode::Shared => file.try_lock_shared(),
            LockMode::Exclusive => file.try_lock(),
        };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(lock_error(path, &error)),
        }
        // Between open and lock the last holder may have removed the file. Then this lock is on a file that nobody else
        // can find, and protects nothing: try again with the file that has the name now.
        let named = std::fs::metadata(&lock_path);
        let held = file.metadata();
        if let (Ok(named), Ok(held)) = (named, held)
            && (named.dev(), named.ino()) == (held.dev(), held.ino())
        {
            return Ok(Some(file));
        }
    }
}

fn lock_error(path: &str, error: &std::io::Error) -> DbError {
    DbError::new(DbErrorKind::Other, format!("{path}.lock: {error}"))
}

/// The path of a file that belongs to a database file, as SQLite names them: the suffix follows the whole name.
pub(super) fn beside(path: &str, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{path}{suffix}"))
}
