//! How a SQLite transaction ends, and what a COMMIT that failed came to.
//!
//! A failed COMMIT is never visible to anybody. SQLite either keeps the transaction open (a lock, a deferred
//! constraint), and then it is rolled back here, or it has rolled back by itself; then ROLLBACK fails because
//! there is no transaction, which is as good. What remains is a crash: after it SQLite trusts every frame of
//! the write-ahead log up to the last whole commit frame, also those of a COMMIT that was answered by an
//! error.
//!
//! - `SQLITE_FULL`: a frame could not be written. The commit frame is the last one, so the log holds no whole
//!   one of this transaction, and it cannot come back.
//! - An I/O error may come after the commit frame was written: from fsync, or from growing the `-shm` file. A
//!   small transaction is committed at once in its place, because the next frame goes where the failed ones
//!   are. Each frame's checksum includes those before it, so the old commit frame is no longer valid, and
//!   it is known that nothing was done.
//! - If that fails too, nothing was done unless the process or the machine stops before anything else is
//!   committed. That is not known, and is what callers are told.

use diesel::connection::{AnsiTransactionManager, SimpleConnection, TransactionManager};
use diesel::prelude::*;
use diesel::result::Error;
use diesel::sql_types::Integer;
use diesel::sqlite::SqliteConnection;

use super::error::{DbError, DbErrorKind};
use super::session::WriteError;

/// Commits. After [`WriteError::Failed`] no transaction is open; after [`WriteError::CommitUnknown`] the
/// connection must not be used again.
pub(super) fn commit(connection: &mut SqliteConnection) -> Result<(), WriteError> {
    let Err(error) = AnsiTransactionManager::commit_transaction(connection) else { return Ok(()) };
    let error = DbError::from(error);
    if roll_back(connection).is_err() {
        return Err(WriteError::CommitUnknown(error));
    }
    let is_undone = match error.kind {
        DbErrorKind::Busy | DbErrorKind::Constraint | DbErrorKind::StorageFull => true,
        _ => overwrite(connection).is_ok(),
    };
    Err(if is_undone { WriteError::Failed(error) } else { WriteError::CommitUnknown(error) })
}

/// Rolls back, unless SQLite has done so by itself after an error.
pub(super) fn roll_back(connection: &mut SqliteConnection) -> QueryResult<()> {
    match AnsiTransactionManager::rollback_transaction(connection) {
        Ok(()) | Err(Error::NotInTransaction) => Ok(()),
        // Diesel asks SQLite after each failed statement whether a transaction is open: if not, it says so now.
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

/// Commits something that changes nothing: it writes the file's first page, as it is.
fn overwrite(connection: &mut SqliteConnection) -> QueryResult<()> {
    let query = diesel::sql_query("SELECT user_version FROM pragma_user_version");
    let Version { user_version } = query.get_result(connection)?;
    connection.batch_execute(&format!("PRAGMA user_version = {user_version}"))
}
