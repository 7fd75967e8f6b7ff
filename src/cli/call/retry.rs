//! When a call is sent again by itself: only if that cannot do anything twice, and only if the failure may pass.

use std::time::Duration;

use prost_reflect::{DynamicMessage, Kind, MethodDescriptor, ReflectMessage, Value};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use super::refusal;
use crate::cli::client::is_transport_failure;

/// How often a call is sent at most.
pub const ATTEMPTS: u32 = 5;
/// The delay before the second attempt; it doubles with each.
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// The field with which the service knows that it has done a request already.
const REQUEST_ID: &str = "request_id";
/// What the names of methods begin with that change nothing. Each other method of the contract has a request id.
const READS: [&str; 6] = ["Check", "Find", "Get", "List", "Preview", "Watch"];

/// What it means to send a request a second time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It changes nothing.
    Read,
    /// It is done once for this id.
    OncePerId(String),
    /// Nobody knows: a method of somebody else's.
    Unknown,
}

impl Effect {
    /// What a request of a method has. A request id that the caller has not set is set to `new_id`.
    pub fn of(method: &MethodDescriptor, request: &mut DynamicMessage, new_id: impl FnOnce() -> String) -> Self {
        let field = request.descriptor().get_field_by_name(REQUEST_ID).filter(|field| field.kind() == Kind::String);
        let Some(field) = field.filter(|field| !field.is_list()) else {
            let is_ours = ["purchasing.v1", "grpc.health.v1"].contains(&method.parent_service().package_name());
            let is_read = is_ours && READS.iter().any(|verb| method.name().starts_with(verb));
            return if is_read { Self::Read } else { Self::Unknown };
        };
        if request.get_field(&field).as_str().is_none_or(str::is_empty) {
            request.set_field(&field, Value::String(new_id()));
        }
        Self::OncePerId(request.get_field(&field).as_str().unwrap_or_default().to_owned())
    }

    /// The id with which the request may be sent again by hand, if it has one.
    pub fn id(&self) -> Option<&str> {
        match self {
            Self::OncePerId(id) => Some(id),
            Self::Read | Self::Unknown => None,
        }
    }

    /// How long to wait after an attempt that has failed, the first being 1; `None` if the call is given up.
    pub fn delay(&self, attempt: u32, failure: &Status) -> Option<Duration> {
        let may_pass = match failure.code() {
            Code::Unavailable => true,
            // Without a delay what is exhausted is the message's size, or the storage.
            Code::ResourceExhausted => asked_delay(failure).is_some(),
            Code::Unknown => refusal::reason(failure).is_some_and(|reason| reason == "OUTCOME_UNKNOWN"),
            _ => false,
        };
        let is_repeatable = *self != Self::Unknown && attempt < ATTEMPTS;
        let backoff = FIRST_DELAY * 2_u32.pow(attempt.saturating_sub(1).min(ATTEMPTS));
        let delay = asked_delay(failure).map_or(backoff, |asked| asked.max(backoff));
        (is_repeatable && (may_pass || is_broken_connection(failure))).then_some(delay)
    }
}

/// Whether nobody knows what an attempt has done, given whether that was so before it.
pub fn is_outcome_unknown(before: bool, failure: &Status) -> bool {
    match failure.code() {
        Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::Internal | Code::DataLoss => true,
        _ if is_transport_failure(failure) => true,
        // From the service itself both say that this attempt did nothing; from a proxy they say nothing.
        Code::Unavailable | Code::ResourceExhausted => before || refusal::reason(failure).is_none(),
        // These are said before the service looks whether the request was done before.
        Code::Unauthenticated | Code::PermissionDenied | Code::Unimplemented => before,
        // The service has judged the request: had it been done before, it would have repeated its answer.
        _ => false,
    }
}

fn is_broken_connection(failure: &Status) -> bool {
    is_transport_failure(failure) && failure.code() != Code::DeadlineExceeded
}

fn asked_delay(failure: &Status) -> Option<Duration> {
    failure.get_error_details().retry_info().and_then(|info| info.retry_delay)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::time::Duration;

    use prost_reflect::DynamicMessage;
    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::{ATTEMPTS, Effect, is_outcome_unknown};
    use crate::cli::call::methods::{all, built_in, find, shown};

    fn said(code: Code, reason: &str, delay: Option<u64>) -> Status {
        let mut details = ErrorDetails::new();
        details.set_error_info(reason, "purchasing.v1", [] as [(String, String); 0]);
        if let Some(delay) = delay {
            details.set_retry_info(Some(Duration::from_millis(delay)));
        }
        Status::with_error_details(code, "no", details)
    }

    fn broken() -> Status {
        Status::from_error(Box::new(io::Error::from(io::ErrorKind::BrokenPipe)))
    }

    fn once() -> Effect {
        Effect::OncePerId("id".to_owned())
    }

    #[test]
    fn every_method_of_the_contract_has_a_request_id_or_is_a_read() {
        for method in all(&built_in().unwrap()) {
            let mut request = DynamicMessage::new(method.input());
            let effect = Effect::of(&method, &mut request, || "new".to_owned());
            assert_ne!(effect, Effect::Unknown, "{}", shown(&method));
        }
    }

    #[test]
    fn a_request_id_is_made_where_the_caller_gave_none() {
        let method = find(&built_in().unwrap(), "StoreService/UpdateStore").unwrap();
        let mut request = DynamicMessage::new(method.input());
        let mut effect = |id: &str| Effect::of(&method, &mut request, || id.to_owned());
        assert_eq!(effect("first"), Effect::OncePerId("first".to_owned()));
        assert_eq!(effect("second"), Effect::OncePerId("first".to_owned()));
        assert_eq!(request.get_field_by_name("request_id").unwrap().as_str(), Some("first"));
    }

    #[test]
    fn only_what_may_pass_is_sent_again() {
        for (failure, expected) in [
            (said(Code::Unavailable, "DATABASE_UNAVAILABLE", Some(1000)), Some(1000)),
            (said(Code::Unavailable, "DATABASE_UNAVAILABLE", Some(1)), Some(100)),
            (said(Code::Unavailable, "STOPPING", None), Some(100)),
            (said(Code::ResourceExhausted, "QUEUE_FULL", Some(250)), Some(250)),
            (said(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", None), None),
            (said(Code::Unknown, "OUTCOME_UNKNOWN", None), Some(100)),
            (Status::unknown("who knows"), None),
            (broken(), Some(100)),
            (said(Code::InvalidArgument, "FIELDS_INVALID", None), None),
            (said(Code::Aborted, "ETAG_MISMATCH", None), None),
            (said(Code::Internal, "INTERNAL", None), None),
            (Status::deadline_exceeded("late"), None),
        ] {
            let expected = expected.map(Duration::from_millis);
            assert_eq!(once().delay(1, &failure), expected, "{failure:?}");
            assert_eq!(Effect::Read.delay(1, &failure), expected, "{failure:?}");
            assert_eq!(Effect::Unknown.delay(1, &failure), None, "{failure:?}");
            assert_eq!(once().delay(ATTEMPTS, &failure), None, "{failure:?}");
        }
        let delays: Vec<_> =
            (1..ATTEMPTS).map(|attempt| once().delay(attempt, &broken()).unwrap().as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800]);
    }

    #[test]
    fn the_outcome_is_unknown_until_the_service_judges_the_request() {
        for (before, failure, after) in [
            (false, broken(), true),
            (false, Status::deadline_exceeded("late"), true),
            (false, said(Code::Unknown, "OUTCOME_UNKNOWN", None), true),
            (false, Status::unavailable("a proxy says so"), true),
            (false, said(Code::Unavailable, "DATABASE_UNAVAILABLE", None), false),
            (true, said(Code::Unavailable, "DATABASE_UNAVAILABLE", None), true),
            (true, said(Code::ResourceExhausted, "QUEUE_FULL", None), true),
            (true, said(Code::FailedPrecondition, "WRONG_STATE", None), false),
            (true, said(Code::Unauthenticated, "INVALID_CREDENTIALS", None), true),
            (false, said(Code::Unauthenticated, "INVALID_CREDENTIALS", None), false),
            (false, said(Code::Internal, "INTERNAL", None), true),
        ] {
            assert_eq!(is_outcome_unknown(before, &failure), after, "{failure:?}");
        }
    }
}
