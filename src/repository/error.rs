//! What went wrong with the database, in the few kinds that somebody reacts to differently.

use diesel::result::{DatabaseErrorKind, Error};

use super::sqlite_errors;

/// A failed statement or connection.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{detail}")]
pub struct DbError {
    /// How to react.
    pub kind: DbErrorKind,
    /// What the driver said: for the log, never for a caller.
    pub detail: String,
}

/// How to react to a [`DbError`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DbErrorKind {
    /// The connection is gone: again, on another one.
    Lost,
    /// Somebody held a lock for too long: again, later.
    Busy,
    /// The database asks to do it again: deadlock or serialization failure.
    Retry,
    /// A constraint forbids what was to be saved: it will forbid it again.
    Constraint,
    /// The storage is full; nothing was written.
    StorageFull,
    /// The storage failed to read or write.
    StorageFailed,
    /// Anything else; it would happen again.
    Other,
}

impl DbError {
    /// An error of a kind.
    pub fn new(kind: DbErrorKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into() }
    }

    /// Stored data that this version cannot read.
    pub fn unreadable(what: &str, value: impl std::fmt::Display) -> Self {
        Self::new(DbErrorKind::Other, format!("stored {what} is unreadable: {value}"))
    }

    /// Whether doing it again, from the beginning, may help.
    pub fn is_transient(&self) -> bool {
        matches!(self.kind, DbErrorKind::Lost | DbErrorKind::Busy | DbErrorKind::Retry)
    }
}

impl DbError {
    /// Whether the storage takes no more: full or failing.
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
            Error::BrokenTransactionManager => DbErrorKind::Lost,
            _ => DbErrorKind::Other,
        };
    };
    match kind {
        DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => DbErrorKind::Lost,
        DatabaseErrorKind::SerializationFailure => DbErrorKind::Retry,
        DatabaseErrorKind::UniqueViolation
        | DatabaseErrorKind::ForeignKeyViolation
        | DatabaseErrorKind::NotNullViolation
        | DatabaseErrorKind::CheckViolation
        | DatabaseErrorKind::ExclusionViolation => DbErrorKind::Constraint,
        // Deadlocks, lock timeouts and SQLITE_BUSY all arrive as unknown: their text tells them
        // apart. What it does not tell, the session finds out by rolling back.
        _ => sqlite_errors::kind_of(info.message()).unwrap_or_else(|| kind_of_text(info.message())),
    }
}

fn kind_of_text(message: &str) -> DbErrorKind {
    const TEXTS: [(&str, DbErrorKind); 8] = [
        ("deadlock detected", DbErrorKind::Retry),
        ("lock timeout", DbErrorKind::Busy),
        ("database is locked", DbErrorKind::Busy),
        ("database table is locked", DbErrorKind::Busy),
        ("terminating connection", DbErrorKind::Lost),
        ("server closed the connection", DbErrorKind::Lost),
        ("could not receive data", DbErrorKind::Lost),
        ("could not send data", DbErrorKind::Lost),
    ];
    TEXTS.iter().find(|(text, _)| message.contains(text)).map_or(DbErrorKind::Other, |(_, kind)| *kind)
}
