//! Keeps SQLite's write-ahead log short while the service runs. SQLite reuses the log from its beginning once every
//! reader has left it, but does not give back space: after a read that takes long the file would stay as large as it has
//! grown.

use std::time::Duration;

use diesel::sql_types::{BigInt, Text};

use super::error::DbError;
use super::session::{Backend, Session};
use super::transaction::TransactionName;

/// A log larger than this is truncated. It usually has half of this, because a checkpoint begins at 8,000 pages.
const MAX_LENGTH: u64 = 64 << 20;
/// How long the truncation waits for readers. Meanwhile it holds SQLite's one write lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long the session waits for locks otherwise, as it was set up.
const USUAL_LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// The result of a checkpoint, in the columns of SQLite.
#[derive(diesel::QueryableByName)]
struct Checkpoint {
    /// 1 if a reader or a writer kept it from completing.
    #[diesel(sql_type = BigInt)]
    busy: i64,
    /// How many frames (pages with a header) the log has.
    #[diesel(sql_type = BigInt)]
    log: i64,
    /// How many of these are in the database file by now.
    #[diesel(sql_type = BigInt)]
    checkpointed: i64,
}

#[derive(diesel::QueryableByName)]
struct File {
    #[diesel(sql_type = Text)]
    file: String,
}

/// Truncates the log if it is large and no reader needs it, and returns whether it did. The frames are copied first, by a
/// checkpoint that waits for nobody and takes no write lock, so that the truncation itself holds the lock for a moment.
pub fn shorten(session: &mut Session) -> Result<bool, DbError> {
    if matches!(session.backend, Backend::Postgres(_)) {
        return Ok(false);
    }
    let query = diesel::sql_query("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let files: Vec<File> = session.load(query)?;
    let mut length = 0;
    for File { file } in files {
        // A log that is missing has no length: nothing was written since the database was opened.
        length += std::fs::metadata(format!("{file}-wal")).map_or(0, |log| log.len());
    }
    if length <= MAX_LENGTH {
        return Ok(false);
    }
    // PASSIVE copies what it can without waiting. If a reader still needs a frame, the next round tries again.
    let copied = checkpoint(session, "PASSIVE")?;
    if copied.busy != 0 || copied.checkpointed < copied.log {
        return Ok(false);
    }
    session.wait_for_lock(LOCK_TIMEOUT)?;
    let truncated = truncate(session);
    // Also after an error, because the session is used again.
    session.wait_for_lock(USUAL_LOCK_TIMEOUT)?;
    truncated
}

/// Moves all of the log into the database file and truncates it, and returns whether it could. It waits for readers for
/// as long as the session waits for locks.
pub(super) fn truncate(session: &mut Session) -> Result<bool, DbError> {
    Ok(checkpoint(session, "TRUNCATE")?.busy == 0)
}

/// Runs a checkpoint in one of SQLite's modes. It must not be in a transaction.
fn checkpoint(session: &mut Session, mode: &str) -> Result<Checkpoint, DbError> {
    let query = diesel::sql_query(format!("PRAGMA wal_checkpoint({mode})"));
    let rows: Vec<Checkpoint> = session.autocommit(TransactionName::Checkpoint, |session| session.load(query))?;
    rows.into_iter().next().ok_or_else(|| DbError::unreadable("checkpoint", "it has no row"))
}
