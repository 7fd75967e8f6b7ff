//! What went wrong with the database, in the few kinds that somebody reacts to differently.
//!
//! Kinds come from what the driver tells as a value, never from message text, which a PostgreSQL server
//! writes in its own language. Diesel passes on these SQLSTATEs: connection failures (class 08, and
//! whatever leaves the connection unusable), 25006 (read-only), 40001 (serialization failure) and the
//! constraint violations of class 23. Everything else arrives as `Unknown`, so the service sees to it that
//! none of the rest needs a reaction of its own:
//!
//! - 55P03 (lock not available) and 57014 (query cancelled by a timeout) cannot happen to a writer: its
//!   session sets no timeout, and clears the ones that a role or server sets. Its waits are bounded by
//!   [`super::progress`] instead.
//! - 57P01 (terminated by an administrator) and its kin end the connection: the ROLLBACK that follows fails,
//!   and that is what counts ([`super::session::Session::write`]).
//! - 40P01 (deadlock) and what nobody thought of become [`DbErrorKind::Other`]: the batch is done again
//!   command by command, and a command that fails alone is tried once more.

use diesel::result::{DatabaseErrorKind, Error};

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
    /// The connection is gone, or leads to a server that does not take writes: again, on another one.
    Lost,
    /// Somebody held a lock for too long: again, later.
    Busy,
    /// The database asks to do it again: a serialization failure.
    Retry,
    /// A constraint forbids what was to be saved: it will forbid it again.
    Constraint,
    /// Anything else.
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
        _ => kind_of_sqlite(info.message()),
    }
}

/// SQLite's own words for its result codes, which are the same everywhere.
fn kind_of_sqlite(message: &str) -> DbErrorKind {
    const TEXTS: [&str; 2] = ["database is locked", "database table is locked"];
    if TEXTS.iter().any(|text| message.contains(text)) { DbErrorKind::Busy } else { DbErrorKind::Other }
}
