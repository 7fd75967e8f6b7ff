//! The one place that makes a [`Status`]: the code, reason, message, metadata and details of every
//! refusal and fault.
//!
//! Clients branch on the reason, so reasons never change. Every match over refusals and faults is
//! exhaustive: a new variant does not compile until it has a code. Nothing of a driver or of the operating
//! system reaches a caller: an internal error is logged once, here, and its caller gets the id that the log
//! line carries. Every text is cut, because a status that is larger than a client's header limit arrives as a
//! broken stream and not as an error.

mod refusal;
mod transport_fault;

use std::collections::HashMap;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};
use uuid::Uuid;

pub use self::transport_fault::TransportFault;
use crate::auth::error::AuthError;
use crate::domain::refusal::Refusal;
use crate::workers::error::{ServiceFault, WorkerError};

/// The domain of every reason, in `google.rpc.ErrorInfo`. It tells this service's reasons from those of proxies.
pub const DOMAIN: &str = "purchasing.v1";

/// Bytes of a message or of one metadata value. A status travels in HTTP/2 headers: beyond some kilobytes
/// clients see a broken stream instead of a refusal.
const MAX_TEXT: usize = 1_000;

/// Why a call fails, whichever layer found out. Every layer has an error type of its own; this enum
/// joins them at the edge.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// A rule of the domain refused the request; nothing was changed.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The caller's credentials are missing or not valid.
    #[error(transparent)]
    Unauthenticated(#[from] AuthError),
    /// The service or its database could not do it; most of these pass, and many may be retried.
    #[error(transparent)]
    Service(#[from] ServiceFault),
    /// The call does not fit the contract or exceeds a limit of the transport, or a stream has ended.
    #[error(transparent)]
    Transport(#[from] TransportFault),
}

impl From<WorkerError> for CallError {
    fn from(error: WorkerError) -> Self {
        match error {
            WorkerError::Refused(refusal) => Self::Refused(refusal),
            WorkerError::Fault(fault) => Self::Service(fault),
        }
    }
}

impl CallError {
    fn code(&self) -> Code {
        match self {
            Self::Refused(refusal) => refusal::code(refusal),
            Self::Unauthenticated(AuthError::NoCredentials(_) | AuthError::InvalidCredentials(_)) => {
                Code::Unauthenticated
            }
            Self::Service(fault) => service_code(fault),
            Self::Transport(fault) => transport_code(fault),
        }
    }

    fn reason(&self) -> &'static str {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Unauthenticated(error) => error.reason(),
            Self::Service(fault) => fault.reason(),
            Self::Transport(fault) => fault.reason(),
        }
    }

    /// The text of an internal error, which goes to the log and nowhere else.
    fn internal_text(&self) -> Option<&str> {
        match self {
            Self::Service(ServiceFault::Internal(text)) | Self::Refused(Refusal::Bug(text)) => Some(text),
            Self::Refused(_) | Self::Unauthenticated(_) | Self::Service(_) | Self::Transport(_) => None,
        }
    }

    fn metadata(&self) -> HashMap<String, String> {
        match self {
            Self::Refused(refusal) => refusal::metadata(refusal),
            Self::Unauthenticated(_) | Self::Service(_) | Self::Transport(_) => HashMap::new(),
        }
    }

    fn details(&self, metadata: HashMap<String, String>) -> ErrorDetails {
        let mut details = ErrorDetails::new();
        details.set_error_info(self.reason(), DOMAIN, metadata);
        match self {
            Self::Refused(refusal) => refusal::add_details(&mut details, refusal),
            Self::Service(fault) => {
                if let Some(delay) = retry_delay(fault) {
                    details.set_retry_info(Some(delay));
                }
            }
            Self::Unauthenticated(_) | Self::Transport(_) => {}
        }
        details
    }
}

const fn service_code(fault: &ServiceFault) -> Code {
    match fault {
        ServiceFault::QueueFull | ServiceFault::StorageFull => Code::ResourceExhausted,
        ServiceFault::DatabaseUnavailable | ServiceFault::ClockSkewed => Code::Unavailable,
        ServiceFault::DeadlineExceeded => Code::DeadlineExceeded,
        ServiceFault::OutcomeUnknown => Code::Unknown,
        ServiceFault::Internal(_) => Code::Internal,
    }
}

/// When a retry may succeed. Disk space needs an operator; the other faults often pass within a second.
const fn retry_delay(fault: &ServiceFault) -> Option<Duration> {
    match fault {
        ServiceFault::StorageFull => Some(Duration::from_secs(30)),
        ServiceFault::QueueFull | ServiceFault::DatabaseUnavailable | ServiceFault::ClockSkewed => {
            Some(Duration::from_secs(1))
        }
        ServiceFault::DeadlineExceeded | ServiceFault::OutcomeUnknown | ServiceFault::Internal(_) => None,
    }
}

const fn transport_code(fault: &TransportFault) -> Code {
    match fault {
        TransportFault::MalformedMessage => Code::InvalidArgument,
        TransportFault::ServiceUnknown | TransportFault::SymbolUnknown => Code::NotFound,
        TransportFault::MethodUnknown | TransportFault::CompressionUnsupported => Code::Unimplemented,
        TransportFault::MessageTooLarge | TransportFault::MetadataTooLarge(_) => Code::ResourceExhausted,
        TransportFault::WatchEnded | TransportFault::Stopping => Code::Unavailable,
    }
}

/// Turns an error into the status that its caller gets. An internal error is logged here, with a new id that
/// is in the status's metadata too.
pub fn to_status(error: impl Into<CallError>) -> Status {
    let error = error.into();
    let mut metadata = error.metadata();
    let mut message = cut(error.to_string(), MAX_TEXT);
    if let Some(text) = error.internal_text() {
        #[expect(clippy::disallowed_methods, reason = "the id is logged and not stored, and no test sets it")]
        let id = Uuid::now_v7().to_string();
        tracing::error!(id, error = text, "internal error");
        metadata.insert("id".to_owned(), id);
        // The same text for every internal error, a bug's too: what it says of itself is for the log alone.
        message = ServiceFault::Internal(String::new()).to_string();
    }
    let mut status = Status::with_error_details(error.code(), message, error.details(metadata));
    if error == CallError::Transport(TransportFault::CompressionUnsupported) {
        // Tells the client's library which encodings to use, as gRPC's specification of compression requires.
        status.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static("identity"));
    }
    status
}

/// Cuts text to at most `max` bytes between two characters, and shows that it was cut.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - 3));
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests;
