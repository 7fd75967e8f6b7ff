//! What a server answers when it refuses a call, in words: the status with its details decoded.

use std::collections::BTreeMap;
use std::fmt::Write;

use tonic::Status;
use tonic_types::StatusExt;

use crate::rpc::code_name::code_name;

/// The stable reason of the service; `None` if somebody else says it, such as a proxy or this side.
pub fn reason(status: &Status) -> Option<String> {
    status.get_error_details().error_info().map(|info| info.reason.clone())
}

/// The code, the reason and the message on one line.
pub fn headline(status: &Status) -> String {
    format!("{}: {}", code_and_reason(status), status.message())
}

fn code_and_reason(status: &Status) -> String {
    let reason = reason(status).map(|reason| format!(", {reason}")).unwrap_or_default();
    format!("{}{reason}", code_name(status.code()))
}

/// All of it: violations, metadata and the delay stand on lines of their own.
pub fn text(status: &Status) -> String {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|request| &*request.field_violations).unwrap_or_default();
    let sum: Vec<String> = violations.iter().map(|it| format!("{} {}", it.field, it.description)).collect();
    // A message that is the sum of the violations says nothing more than they do.
    let mut text = match sum.join("; ") == status.message() {
        true => code_and_reason(status),
        false => headline(status),
    };
    for violation in violations {
        let _ = write!(text, "\n  {}: {}", violation.field, violation.description);
    }
    let metadata: BTreeMap<_, _> = details.error_info().into_iter().flat_map(|info| &info.metadata).collect();
    for (key, value) in metadata {
        let _ = write!(text, "\n  {key} = {value}");
    }
    if let Some(delay) = details.retry_info().and_then(|info| info.retry_delay) {
        let _ = write!(text, "\n  may be sent again after {delay:?}");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::{Code, Status};
    use tonic_types::{ErrorDetails, StatusExt};

    use super::text;

    #[test]
    fn a_refusal_is_shown_with_all_of_its_details() {
        let mut details = ErrorDetails::new();
        let metadata = [("violations_total", "2"), ("a_key", "b")].map(|(key, value)| (key.into(), value.into()));
        details.set_error_info("FIELDS_INVALID", "purchasing.v1", metadata);
        details.add_bad_request_violation("lines[0].quantity", "must be above 0");
        details.add_bad_request_violation("store_id", "is required");
        details.set_retry_info(Some(Duration::from_millis(1500)));
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are invalid", details);
        assert_eq!(
            text(&status),
            "INVALID_ARGUMENT, FIELDS_INVALID: 2 fields are invalid
  lines[0].quantity: must be above 0
  store_id: is required
  a_key = b
  violations_total = 2
  may be sent again after 1.5s"
        );
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation("store_id", "is required");
        details.add_bad_request_violation("lines", "must not be empty");
        let sum = "store_id is required; lines must not be empty";
        let status = Status::with_error_details(Code::InvalidArgument, sum, details);
        assert_eq!(text(&status), "INVALID_ARGUMENT\n  store_id: is required\n  lines: must not be empty");
        assert_eq!(text(&Status::unavailable("the connection broke")), "UNAVAILABLE: the connection broke");
    }
}
