//! The errors of the database, in the few kinds that somebody reacts to differently.
//!
//! A kind comes from what the driver reports as a value, never from message text, which a PostgreSQL server writes in
//! its own language. Diesel passes on these SQLSTATEs: connection failures (class 08, and whatever leaves the
//! connection unusable), 25006 (read-only), 40001 (serialization failure) and the constraint violations of class 23.
//! Everything else arrives as `Unknown`, so the service makes sure that none of the rest needs a reaction of its own:
//!
//! - 55P03 (lock not available) and 57014 (query cancelled by a timeout) cannot happen to a writer: its session sets no
//!   timeout, and clears the ones that a role or server sets. [`super::progress`] bounds its waits instead.
//! - 57P01 (terminated by an administrator) and 57P02 (crash shutdown) end the connection: the ROLLBACK that follows
//!   fails, and that is what makes the error [`DbErrorKind::Lost`] (see [`super::session::Session::write`]).
//! - 40P01 (deadlock) and every other code become [`DbErrorKind::Other`]: the batch is repeated command by command, and
//!   a command that fails alone is retried once.
//!
//! No error of Diesel leaves this folder, so its text cannot reach a caller by accident.

use diesel::result::{DatabaseErrorKind, Error};

use super::sqlite_errors;

/// A statement or connection that failed, with the reaction that it asks for.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct DbError {
    /// Decides what the workers do: retry, refuse, or isolate the faulty command.
    pub kind: DbErrorKind,
    /// The driver's text. It goes into the log, and never to a caller: it may contain data of other stores.
    pub detail: String,
}

/// The kinds of [`DbError`], each with its reaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbErrorKind {
    /// The connection is gone, or leads to a server that takes no writes. Retried on another connection.
    Lost,
    /// Another program held SQLite's lock for longer than the session waits. The caller may retry later.
    Busy,
    /// A serialization failure, after which the database itself asks for a retry.
    Retry,
    /// A constraint forbids what was to be saved. A retry would fail likewise, unless another instance caused it.
    Constraint,
    /// The storage is full, and nothing was written. Writes are refused until a probe finds room.
    StorageFull,
    /// The storage failed to read or to write.
    StorageFailed,
    /// Anything else, bugs of this service included: callers get INTERNAL.
    Other,
}

impl DbError {
    /// An error with a text for the log.
    pub fn new(kind: DbErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Stored data that this version cannot read: it was written by a later version, or changed by hand.
    pub fn unreadable(what: &str, value: impl std::fmt::Display) -> Self {
        Self::new(DbErrorKind::Other, format!("stored {what} is unreadable: {value}"))
    }

    /// A state that this code rules out. It must be reported and not be replaced by a default: a wrong number would be
    /// saved or shown as if it were true.
    pub fn bug(detail: impl Into<String>) -> Self {
        Self::new(DbErrorKind::Other, detail)
    }

    /// Whether the whole transaction may succeed if it runs again from the beginning.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, DbErrorKind::Lost | DbErrorKind::Busy | DbErrorKind::Retry)
    }

    /// Whether the storage takes no more writes, because it is full or fails.
    pub fn is_storage(&self) -> bool {
        matches!(self.kind, DbErrorKind::StorageFull | DbErrorKind::StorageFailed)
    }
}

impl From<Error> for DbError {
    fn from(error: Error) -> Self {
        Self::new(kind_of(&error), error.to_string())
    }
}

fn kind_of(error: &Error) -> DbErrorKind {
    let Error::DatabaseError(kind, info) = error else {
        return match error {
            // Diesel could not roll back, so nobody knows what state the connection is in.
            Error::BrokenTransactionManager => DbErrorKind::Lost,
            _ => DbErrorKind::Other,
        };
    };
    match kind {
        DatabaseErrorKind::ClosedConnection
        | DatabaseErrorKind::UnableToSendCommand
        // The server has become a standby, or the address leads to one now.
        | DatabaseErrorKind::ReadOnlyTransaction => DbErrorKind::Lost,
        DatabaseErrorKind::SerializationFailure => DbErrorKind::Retry,
        DatabaseErrorKind::UniqueViolation
        | DatabaseErrorKind::ForeignKeyViolation
        | DatabaseErrorKind::NotNullViolation
        | DatabaseErrorKind::CheckViolation
        | DatabaseErrorKind::RestrictViolation
        | DatabaseErrorKind::ExclusionViolation => DbErrorKind::Constraint,
        // PostgreSQL never gets a kind here: none of its messages is one of SQLite's texts.
        _ => sqlite_errors::kind_of(info.message()).unwrap_or(DbErrorKind::Other),
    }
}
