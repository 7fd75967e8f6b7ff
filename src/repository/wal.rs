//! SQLite's write-ahead log: kept short while the service runs. A reader that stays long lets it grow, and
//! SQLite writes over it from its beginning afterwards, but does not give the space back by itself.

use std::time::Duration;

use diesel::sql_types::{BigInt, Text};

use super::error::DbError;
use super::session::{Backend, Session};

/// A log larger than this is truncated. Usually it has half of this: a checkpoint begins at 8,000 pages.
const LARGE: u64 = 64 << 20;
/// How long the truncation waits for readers. Meanwhile it holds SQLite's one write lock.
const LOCK_TIMEOUT: Duration = Duration::from_millis(100);
/// How long the session waits for locks otherwise.
const USUAL_PATIENCE: Duration = Duration::from_secs(5);

/// What a checkpoint came to.
#[derive(diesel::QueryableByName)]
struct Checkpoint {
    /// 1 if somebody held it up.
    #[diesel(sql_type = BigInt)]
    busy: i64,
    /// Frames in the log.
    #[diesel(sql_type = BigInt)]
    log: i64,
    /// Frames of it that are in the database file.
    #[diesel(sql_type = BigInt)]
    checkpointed: i64,
}

#[derive(diesel::QueryableByName)]
struct File {
    #[diesel(sql_type = Text)]
    file: String,
}

/// Truncates the log if it is large and no reader needs it; whether it did. The copying is done first and
/// holds up nobody, so that the write lock is held for a moment only.
pub fn shorten(session: &mut Session) -> Result<bool, DbError> {
    if matches!(session.backend, Backend::Postgres(_)) {
        return Ok(false);
    }
    let query = diesel::sql_query("SELECT file FROM pragma_database_list WHERE name = 'main'");
    let files: Vec<File> = session.load(query)?;
    let length = |File { file }: File| std::fs::metadata(format!("{file}-wal")).map_or(0, |file| file.len());
    if files.into_iter().map(length).sum::<u64>() <= LARGE {
        return Ok(false);
    }
    let copied = checkpoint(session, "PASSIVE")?;
    if copied.busy != 0 || copied.checkpointed < copied.log {
        return Ok(false);
    }
    session.wait_for_lock(LOCK_TIMEOUT)?;
    let truncated = truncate(session);
    session.wait_for_lock(USUAL_PATIENCE)?;
    truncated
}

/// Moves all of the log into the database file and truncates it; whether it could. It waits for readers as
/// long as the session waits for locks.
pub(super) fn truncate(session: &mut Session) -> Result<bool, DbError> {
    Ok(checkpoint(session, "TRUNCATE")?.busy == 0)
}

fn checkpoint(session: &mut Session, mode: &str) -> Result<Checkpoint, DbError> {
    let query = diesel::sql_query(format!("PRAGMA wal_checkpoint({mode})"));
    let rows: Vec<Checkpoint> = session.load(query)?;
    rows.into_iter().next().ok_or_else(|| DbError::unreadable("checkpoint", "it has no row"))
}
