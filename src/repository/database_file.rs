//! An embedded database as a file that somebody may copy: who uses it, and whether it is whole.
//!
//! While a service runs, part of its data is in the write-ahead log beside the file, `-wal`. So the file says
//! in its header (`user_version`) that it is in use, and a clean stop moves everything into it and says that
//! it is closed. A file that says that it is in use and has no log beside it was copied without it, or was
//! closed by another program after a crash: SQLite gives no way to tell these two apart, so it is said loudly
//! and decided by a person. A log that was emptied by a checkpoint is still there, with no bytes, so a crash
//! is never taken for a missing log.
//!
//! The lock file `.lock` is held shared by every user of the database, and exclusively by a program that replaces it
//! (flock). It goes away with the process, however that ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use diesel::sql_types::Integer;

use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::Session;
use super::url::DatabaseUrl;
use super::wal;

/// `user_version` of a file that holds everything.
const CLOSED: i32 = 0;
/// `user_version` of a file that is, or was, being written by a service.
const IN_USE: i32 = 1;

/// In what condition a database was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// It was closed cleanly, is new, or is a server's.
    Closed,
    /// It is in use, or was when its service ended, and its log is there.
    InUse,
    /// It was in use, and its log is missing: what was written last may be missing too.
    WithoutLog,
}

/// Held while a process uses a database.
pub struct InUse {
    path: String,
    lock: File,
    /// Open as long as the database is used: the last session that is closed removes the log, and a process
    /// that is killed after that would leave a file that looks copied without its log. Behind a mutex only
    /// because a server is shared between threads.
    session: Mutex<Session>,
}

#[derive(diesel::QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    user_version: i32,
}

/// Begins to use a database and tells in what condition it was; `None` for a server's. From now on it says
/// that it is in use.
pub fn open(url: &DatabaseUrl) -> Result<(Option<InUse>, Found), DbError> {
    let (mut in_use, found) = look_at(url, Purpose::Operate)?;
    if let Some(in_use) = &mut in_use {
        // Before anything else is acknowledged, the file itself must say so.
        let session = in_use.session.get_mut().unwrap_or_else(PoisonError::into_inner);
        match mark(session, IN_USE).and_then(|()| wal::truncate(session)) {
            Ok(_) => {}
            Err(error) if error.is_storage() => tracing::error!(%error, "the database is not marked as in use"),
            Err(error) => return Err(error),
        }
    }
    Ok((in_use, found))
}

/// The same without a mark: for a command that only looks at a database, which must exist.
pub fn inspect(url: &DatabaseUrl) -> Result<(Option<InUse>, Found), DbError> {
    look_at(url, Purpose::Inspect)
}

fn look_at(url: &DatabaseUrl, purpose: Purpose) -> Result<(Option<InUse>, Found), DbError> {
    let DatabaseUrl::Sqlite(path) = url else { return Ok((None, Found::Closed)) };
    if purpose == Purpose::Inspect && !Path::new(path).is_file() {
        return Err(DbError::new(DbErrorKind::Other, format!("there is no file {path}")));
    }
    let lock = lock(path, false)?.ok_or_else(|| DbError::new(DbErrorKind::Busy, "it is being restored"))?;
    // Before anything opens it, which makes a log.
    let has_log = beside(path, "-wal").exists();
    let mut session = Session::connect(url, purpose, None)?;
    let found = match (version(&mut session)?, has_log) {
        (IN_USE, true) => Found::InUse,
        (IN_USE, false) => Found::WithoutLog,
        _ => Found::Closed,
    };
    Ok((Some(InUse { path: path.clone(), lock, session: Mutex::new(session) }), found))
}

impl InUse {
    /// Ends the use of a database whose sessions are closed: moves the log into the file and says that it is
    /// closed, unless another process uses it. Whether the file is whole by itself.
    pub fn close(self) -> Result<bool, DbError> {
        if self.lock.try_lock().is_err() {
            return Ok(false);
        }
        let mut session = self.session.into_inner().unwrap_or_else(PoisonError::into_inner);
        let is_whole = mark_closed(&mut session)?;
        // It is the last session, so it removes the log.
        drop(session);
        // Who waits for this lock finds that its file is gone, and makes a new one.
        let _ = std::fs::remove_file(beside(&self.path, ".lock"));
        Ok(is_whole)
    }
}

/// Moves the log into the file, and then says that the file is whole. In two steps: a checkpoint copies the
/// first page, with the mark, before the others. Nobody else may use the database.
pub(super) fn mark_closed(session: &mut Session) -> Result<bool, DbError> {
    if !wal::truncate(session)? {
        return Ok(false);
    }
    mark(session, CLOSED)?;
    wal::truncate(session)
}

fn mark(session: &mut Session, version: i32) -> Result<(), DbError> {
    session.batch(&format!("PRAGMA user_version = {version}"))
}

fn version(session: &mut Session) -> Result<i32, DbError> {
    let query = diesel::sql_query("SELECT user_version FROM pragma_user_version");
    let rows: Vec<Version> = session.load(query)?;
    Ok(rows.first().map_or(CLOSED, |row| row.user_version))
}

/// The exclusive lock for replacing a database; `None` while another program uses it.
pub(super) fn lock_to_replace(path: &str) -> Result<Option<File>, DbError> {
    lock(path, true)
}

fn lock(path: &str, exclusively: bool) -> Result<Option<File>, DbError> {
    let failed = |error: std::io::Error| DbError::new(DbErrorKind::Other, format!("{path}.lock: {error}"));
    let name = beside(path, ".lock");
    loop {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
        let locked = if exclusively { file.try_lock() } else { file.try_lock_shared() };
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        // Its holder may have removed the file meanwhile: then this lock protects nothing.
        let is_current = std::fs::metadata(&name).ok().zip(file.metadata().ok());
        if is_current.is_some_and(|(named, held)| (named.dev(), named.ino()) == (held.dev(), held.ino())) {
            return Ok(Some(file));
        }
    }
}

/// The path of a file that belongs to a database file.
pub(super) fn beside(path: &str, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{path}{suffix}"))
}
