//! The one place that makes a [`Status`]: every refusal's code, reason, metadata and details.

use std::collections::HashMap;
use std::time::Duration;

use tonic::metadata::MetadataValue;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation, StatusExt};
use uuid::Uuid;

use crate::domain::refusal::{Listed, Refusal, Violation};

/// The domain of every reason.
pub const DOMAIN: &str = "purchasing.v1";

/// Messages and details travel in HTTP/2 headers: beyond some kilobytes clients see a broken stream
/// instead of a refusal.
const MAX_MESSAGE: usize = 1_000;
const MAX_RULE: usize = 120;

/// Turns a refusal into what the caller gets. An internal error is logged here, once, and the caller
/// gets the id that the log carries, and nothing else of it.
pub fn to_status(refusal: Refusal) -> Status {
    let mut details = ErrorDetails::new();
    let mut metadata = metadata(&refusal);
    if let Refusal::Internal(error) = &refusal {
        let id = Uuid::now_v7().to_string();
        tracing::error!(id, error, "internal error");
        metadata.insert("id".to_owned(), id);
    }
    details.set_error_info(refusal.reason(), DOMAIN, metadata);
    add_details(&mut details, &refusal);
    let mut status = Status::with_error_details(code(&refusal), cut(refusal.to_string(), MAX_MESSAGE), details);
    if refusal == Refusal::CompressionUnsupported {
        // A client may send it again by itself, as the specification of compression in gRPC says.
        status.metadata_mut().insert("grpc-accept-encoding", MetadataValue::from_static("identity"));
    }
    status
}

fn code(refusal: &Refusal) -> Code {
    use Refusal as R;
    match refusal {
        R::Invalid(_) | R::InvalidForStoredData(_) | R::RequestIdReused | R::MalformedMessage => Code::InvalidArgument,
        R::NoCredentials(_) | R::InvalidCredentials(_) => Code::Unauthenticated,
        R::NoStoreAccess(_) | R::PermissionMissing(_) | R::NotPlatformOperator | R::PermissionNotHeld { .. } => {
            Code::PermissionDenied
        }
        R::StoreNotFound(_)
        | R::OrderNotFound
        | R::LinesNotFound { .. }
        | R::ReceiptNotFound { .. }
        | R::RoleNotFound(_)
        | R::ProductNotFound(_)
        | R::ServiceUnknown
        | R::SymbolUnknown => Code::NotFound,
        R::StoreExists(_) | R::RoleExists(_) => Code::AlreadyExists,
        R::EtagMismatch { .. } => Code::Aborted,
        R::WrongState { .. }
        | R::FieldsFixed { .. }
        | R::OpenOrders(_)
        | R::BackOrdersDisabled(_)
        | R::PendingUnsettled(_)
        | R::NothingReceived(_)
        | R::NothingPending(_)
        | R::AcceptedStaged(_)
        | R::OverReceipt { .. }
        | R::ReceiptVoided { .. }
        | R::LinesWithoutQuantity(_)
        | R::ExpectedDatePassed { .. }
        | R::LevelOutOfRange(_)
        | R::TooManyReceiptItems { .. }
        | R::TooManyRoles
        | R::RoleInUse { .. }
        | R::LastAccessManager => Code::FailedPrecondition,
        R::QueueFull | R::StorageFull | R::MessageTooLarge | R::MetadataTooLarge(_) => Code::ResourceExhausted,
        R::MethodUnknown | R::CompressionUnsupported => Code::Unimplemented,
        R::DatabaseUnavailable | R::ClockSkewed | R::WatchEnded | R::Stopping => Code::Unavailable,
        R::DeadlineExceeded => Code::DeadlineExceeded,
        R::OutcomeUnknown => Code::Unknown,
        R::Internal(_) => Code::Internal,
    }
}

/// What a program needs to react, by name.
fn metadata(refusal: &Refusal) -> HashMap<String, String> {
    let mut metadata = HashMap::new();
    let mut add = |name: &str, value: String| drop(metadata.insert(name.to_owned(), value));
    match refusal {
        Refusal::Invalid(violations) | Refusal::InvalidForStoredData(violations) => {
            add("violations_total", violations.total.to_string());
        }
        Refusal::NoStoreAccess(store) | Refusal::StoreNotFound(store) | Refusal::StoreExists(store) => {
            add("store_id", store.to_string());
        }
        Refusal::PermissionMissing(permission) => add("permission", permission.to_string()),
        Refusal::PermissionNotHeld { role, permissions } => {
            add("role_id", role.to_string());
            add("permissions", listed(permissions));
        }
        Refusal::RoleNotFound(role) | Refusal::RoleExists(role) => add("role_id", role.to_string()),
        Refusal::ProductNotFound(product) => add("product_id", product.to_string()),
        Refusal::EtagMismatch { number, current } => {
            add("number", number.clone());
            add("etag", current.clone());
        }
        Refusal::WrongState { number, state, .. } => {
            add("number", number.clone());
            add("state", state.to_string());
        }
        Refusal::FieldsFixed { number, state, fields } => {
            add("number", number.clone());
            add("state", state.to_string());
            add("fields", listed(fields));
        }
        Refusal::RoleInUse { role, holders } => {
            add("role_id", role.to_string());
            add("principals", cut(listed(holders), MAX_MESSAGE));
            add("total", holders.total.to_string());
        }
        Refusal::OpenOrders(open) => {
            add("numbers", listed(open));
            add("total", open.total.to_string());
        }
        Refusal::LevelOutOfRange(products) => {
            add("product_ids", cut(listed(products), MAX_MESSAGE));
            add("total", products.total.to_string());
        }
        Refusal::ReceiptNotFound { number, receipt } | Refusal::ReceiptVoided { number, receipt } => {
            add("number", number.clone());
            add("receipt_number", receipt.to_string());
        }
        Refusal::LinesNotFound { number, .. } => add("number", number.clone()),
        Refusal::NothingReceived(number) | Refusal::NothingPending(number) | Refusal::AcceptedStaged(number) => {
            add("number", number.clone());
        }
        _ => {}
    }
    if let Some(lines) = refusal.lines() {
        add("line_numbers", listed(lines));
        add("total", lines.total.to_string());
    }
    metadata
}

fn listed<T: ToString>(listed: &Listed<T>) -> String {
    listed.first.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

fn add_details(details: &mut ErrorDetails, refusal: &Refusal) {
    match refusal {
        Refusal::Invalid(violations) | Refusal::InvalidForStoredData(violations) => {
            details.set_bad_request(violations.first.iter().map(field_violation).collect::<Vec<_>>());
        }
        Refusal::RequestIdReused => {
            details.add_bad_request_violation("request_id", "was used before for a different request");
        }
        Refusal::StorageFull => {
            details.set_retry_info(Some(Duration::from_secs(30)));
        }
        Refusal::QueueFull | Refusal::DatabaseUnavailable | Refusal::ClockSkewed => {
            details.set_retry_info(Some(Duration::from_secs(1)));
        }
        _ if code(refusal) == Code::FailedPrecondition => {
            let violation = PreconditionViolation::new(refusal.reason(), "", cut(refusal.to_string(), MAX_MESSAGE));
            details.set_precondition_failure(vec![violation]);
        }
        _ => {}
    }
}

fn field_violation(violation: &Violation) -> FieldViolation {
    FieldViolation::new(violation.field.clone(), cut(violation.rule.clone(), MAX_RULE))
}

/// Cuts text to at most `max` bytes at a character.
fn cut(mut text: String, max: usize) -> String {
    if text.len() > max {
        text.truncate(text.floor_char_boundary(max - 3));
        text.push_str("...");
    }
    text
}
