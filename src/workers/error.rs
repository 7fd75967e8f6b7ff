//! Why a worker has no result for a call: a rule refused it, or the service could not do it.
//!
//! The two are told apart because callers must treat them differently: a refusal is repeated until the
//! request or the store changes, while most faults pass by themselves and may be retried.

use crate::domain::refusal::Refusal;

/// A fault of the service or of its database, which says nothing about the request itself.
///
/// [`ServiceFault::DeadlineExceeded`] and [`ServiceFault::OutcomeUnknown`] do not say whether anything was
/// changed, nor does [`ServiceFault::Internal`] where a panic came after the commit, while the answer was made.
/// Every other variant promises that nothing was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServiceFault {
    /// The queue that the call would wait in is full, or its peer has reached a limit of the transport.
    #[error("too many calls are waiting; nothing was done, try again in a moment")]
    QueueFull,
    /// The database has no room left on its disk, or the disk fails.
    #[error("the database's storage is full or failing; nothing was done, try again when there is room")]
    StorageFull,
    /// This instance's clock is wrong, so that what it writes would have wrong times.
    #[error("the clock of this instance is wrong, so it changes nothing until that is put right; nothing was done")]
    ClockSkewed,
    /// The database cannot be reached, or does not answer; or the instance is stopping and takes no more commands.
    #[error("the database is not reachable; nothing was done, try again in a moment")]
    DatabaseUnavailable,
    /// The caller's deadline passed before there was an answer. A writer may still commit the change.
    #[error(
        "the deadline passed first; a change may have been made all the same: send it again with the same request_id"
    )]
    DeadlineExceeded,
    /// The connection was lost while committing, and no request id tells whether the commit succeeded.
    /// Never reported as UNAVAILABLE, which clients retry by themselves.
    #[error("the outcome is unknown: the database connection was lost while committing; look before sending it again")]
    OutcomeUnknown,
    /// A bug, or an error of the database that none of the others describes. The text is for the log; callers
    /// never see it.
    #[error("a fault of this service; its log tells more under the id in this error's metadata")]
    Internal(String),
}

impl ServiceFault {
    /// The stable reason that callers may branch on.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::QueueFull => "QUEUE_FULL",
            Self::StorageFull => "STORAGE_FULL",
            Self::ClockSkewed => "CLOCK_SKEWED",
            Self::DatabaseUnavailable => "DATABASE_UNAVAILABLE",
            Self::DeadlineExceeded => "DEADLINE_EXCEEDED",
            Self::OutcomeUnknown => "OUTCOME_UNKNOWN",
            Self::Internal(_) => "INTERNAL",
        }
    }
}

/// Why a writer or reader has no result for a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WorkerError {
    /// A rule refused the call; nothing was changed, and sending it again changes nothing either.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The service could not execute it, for a reason that has nothing to do with the request.
    #[error(transparent)]
    Fault(#[from] ServiceFault),
}
