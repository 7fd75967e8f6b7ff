//! Ends transactions on SQLite, and finds out what a COMMIT that failed has done.
//!
//! As long as SQLite runs, nobody sees the rows of a failed COMMIT. SQLite either keeps the transaction open (a lock, a
//! deferred constraint), and then it is rolled back here, or has rolled it back by itself, and then ROLLBACK fails
//! because there is no transaction. What matters is a crash after that: SQLite then trusts every frame of the write-ahead
//! log up to the last complete commit frame, including frames of a COMMIT that was answered by an error.
//!
//! - `SQLITE_FULL`: a frame could not be written. The commit frame is the last one, so the log has no complete commit
//!   frame of this transaction, and a crash cannot bring it back.
//! - An I/O error may come after the commit frame was written: from fsync, or from growing the `-shm` file. Then a small
//!   transaction is committed at once, whose frames are written over the failed ones. Each frame's checksum includes those
//!   before it, so the old commit frame is not valid any more, and it is certain that nothing was done.
//! - If that fails too, nothing was done unless the process or the machine stops before anything else is committed. That
//!   cannot be known now, so callers are told that the outcome is unknown.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;

use super::error::{DbError, DbErrorKind};
use super::session::WriteError;

/// Commits the open transaction. After [`WriteError::Failed`] no transaction is open, and the connection can be used
/// again; after [`WriteError::CommitUnknown`] it must not be.
#[expect(clippy::disallowed_methods, reason = "this is the one place that commits transactions on SQLite")]
pub(super) fn commit(connection: &mut SqliteConnection) -> Result<(), WriteError> {
    let error = match AnsiTransactionManager::commit_transaction(connection) {
        Ok(()) => return Ok(()),
        Err(error) => DbError::from(error),
    };
    if roll_back(connection).is_err() {
        return Err(WriteError::CommitUnknown(error));
    }
    let is_undone = match error.kind {
        // No commit frame was written.
        DbErrorKind::Busy | DbErrorKind::Constraint | DbErrorKind::StorageFull => true,
        DbErrorKind::Lost | DbErrorKind::Retry | DbErrorKind::StorageFailed | DbErrorKind::Other => {
            overwrite_log(connection).is_ok()
        }
    };
    Err(if is_undone { WriteError::Failed(error) } else { WriteError::CommitUnknown(error) })
}

/// Rolls the open transaction back, unless SQLite has done so by itself after an error.
#[expect(clippy::disallowed_methods, reason = "this is the one place that rolls transactions back on SQLite")]
pub(super) fn roll_back(connection: &mut SqliteConnection) -> QueryResult<()> {
    match AnsiTransactionManager::rollback_transaction(connection) {
        Ok(()) | Err(Error::NotInTransaction) => Ok(()),
        // After a failed statement Diesel asks SQLite whether a transaction is still open. If there is none, the second
        // call reports that, and everything is as it should be.
        Err(failed) => match AnsiTransactionManager::rollback_transaction(connection) {
            Err(Error::NotInTransaction) => Ok(()),
            _ => Err(failed),
        },
    }
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = Integer)]
    user_version: i32,
}

/// Commits a transaction that changes nothing. Setting `user_version` to its own value writes the first page to the log.
fn overwrite_log(connection: &mut SqliteConnection) -> QueryResult<()> {
    let query = diesel::sql_query("SELECT user_version FROM pragma_user_version");
    let Version { user_version } = query.get_result(connection)?;
    connection.batch_execute(&format!("PRAGMA user_version = {user_version}"))
}
