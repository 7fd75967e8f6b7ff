//! The code, metadata and details of each refusal. Every match is exhaustive, so that a new refusal
//! cannot be forgotten here.

use std::collections::HashMap;

use tonic::Code;
use tonic_types::{ErrorDetails, FieldViolation, PreconditionViolation};

use super::{MAX_TEXT, cut};
use crate::domain::access::Permission;
use crate::domain::refusal::{Refusal, TruncatedList, Violation};

/// Bytes of one violation's rule. With [`crate::domain::refusal::MAX_NAMED`] of them a status stays well
/// below the header limits of common clients.
const MAX_RULE: usize = 120;

pub(super) fn code(refusal: &Refusal) -> Code {
    use Refusal as R;
    match refusal {
        R::Invalid(_) | R::InvalidForStoredData(_) | R::RequestIdReused => Code::InvalidArgument,
        R::NoStoreAccess(_)
        | R::PermissionMissing(_)
        | R::CostNamed(_)
        | R::NotPlatformOperator
        | R::PermissionNotHeld { .. } => Code::PermissionDenied,
        R::StoreNotFound(_)
        | R::OrderNotFound
        | R::LinesNotFound { .. }
        | R::ProductNotReceivable(_)
        | R::ReceiptNotFound { .. }
        | R::RoleNotFound(_)
        | R::ProductNotFound(_) => Code::NotFound,
        R::StoreExists(_) | R::RoleExists(_) | R::ExternalIdExists { .. } | R::DeliveryNoteKnown { .. } => {
            Code::AlreadyExists
        }
        R::EtagMismatch { .. } => Code::Aborted,
        R::PositionAhead { .. } | R::PositionPruned { .. } => Code::OutOfRange,
        R::WrongState { .. }
        | R::FieldsFixed { .. }
        | R::OpenOrders(_)
        | R::BackOrdersDisabled(_)
        | R::BackOrderTouched { .. }
        | R::GoodsReturned { .. }
        | R::StockGone { .. }
        | R::ReopenNeedsBackOrders { .. }
        | R::PendingUnsettled(_)
        | R::NothingReceived(_)
        | R::UnlistedItemsNotAllowed(_)
        | R::TooManyLines { .. }
        | R::TooManyCandidateLines
        | R::ReportTooLarge(_)
        | R::DeliveryTooLarge { .. }
        | R::NothingPending(_)
        | R::NothingLeft(_)
        | R::NothingToCopy(_)
        | R::AcceptedStaged(_)
        | R::OverReceipt { .. }
        | R::ReceivedValueOutOfRange { .. }
        | R::ReceiptVoided { .. }
        | R::LinesWithoutQuantity(_)
        | R::ExpectedDatePassed { .. }
        | R::InsufficientStock { .. }
        | R::InsufficientLot { .. }
        | R::TooManyLots(_)
        | R::ReceiptTooLarge { .. }
        | R::LevelOutOfRange(_)
        | R::TooManyReceiptItems { .. }
        | R::TooManyStores
        | R::TooManyRoles
        | R::RoleInUse { .. }
        | R::LastAccessManager => Code::FailedPrecondition,
        R::OfOrders { refusal, .. } | R::OfStore { refusal, .. } => code(refusal),
        R::Bug(_) => Code::Internal,
    }
}

/// What a program needs to react to the refusal, by name.
pub(super) fn metadata(refusal: &Refusal) -> HashMap<String, String> {
    use Refusal as R;
    let entries: Vec<(&str, String)> = match refusal {
        R::Invalid(violations) | R::InvalidForStoredData(violations) => {
            vec![("violations_total", violations.total.to_string())]
        }
        R::NoStoreAccess(store) | R::StoreNotFound(store) | R::StoreExists(store) | R::ReportTooLarge(store) => {
            vec![("store_id", store.to_string())]
        }
        R::PermissionMissing(permission) => vec![("permission", permission.to_string())],
        R::CostNamed(field) => vec![("permission", Permission::ViewCosts.to_string()), ("field", (*field).to_owned())],
        R::PermissionNotHeld { role, permissions } => {
            vec![("role_id", role.to_string()), ("permissions", joined(permissions))]
        }
        R::RoleNotFound(role) | R::RoleExists(role) => vec![("role_id", role.to_string())],
        R::ProductNotFound(product) | R::TooManyLots(product) => vec![("product_id", product.to_string())],
        R::EtagMismatch { number, current } => vec![("number", number.clone()), ("etag", current.clone())],
        R::WrongState { number, state, .. } => vec![("number", number.clone()), ("state", state.to_string())],
        R::FieldsFixed { number, state, fields } => {
            vec![("number", number.clone()), ("state", state.to_string()), ("fields", joined(fields))]
        }
        R::ExternalIdExists { external_id, number, order } => vec![
            ("external_id", external_id.clone()),
            ("number", number.clone()),
            ("purchase_order_id", order.to_string()),
        ],
        R::DeliveryNoteKnown { delivery_note, known } => vec![
            ("delivery_note", delivery_note.clone()),
            ("number", known.number.clone()),
            ("purchase_order_id", known.order.to_string()),
            ("receipt_number", known.receipt.to_string()),
        ],
        R::BackOrderTouched { number, back_order } | R::ReopenNeedsBackOrders { number, back_order } => {
            vec![("number", number.clone()), ("back_order", back_order.clone())]
        }
        R::StockGone { number, products } => vec![
            ("number", number.clone()),
            // Cut, because 20 codes of 64 bytes are longer than a value may be; numbers of lines and orders never are.
            ("product_ids", cut(joined(products), MAX_TEXT)),
            ("total", products.total.to_string()),
        ],
        R::ReceivedValueOutOfRange { number } => vec![("number", number.clone())],
        R::RoleInUse { role, holders } => vec![
            ("role_id", role.to_string()),
            ("principals", cut(joined(holders), MAX_TEXT)),
            ("total", holders.total.to_string()),
        ],
        R::OpenOrders(open) => vec![("numbers", joined(open)), ("total", open.total.to_string())],
        R::InsufficientStock { product, on_hand, missing } => vec![
            ("product_id", product.to_string()),
            ("on_hand", on_hand.to_string()),
            ("missing", missing.to_string()),
        ],
        R::InsufficientLot { product, lot, on_hand, missing } => vec![
            ("product_id", product.to_string()),
            ("lot_code", lot.clone()),
            ("on_hand", on_hand.to_string()),
            ("missing", missing.to_string()),
        ],
        R::ProductNotReceivable(products) => {
            vec![("products", cut(joined(products), MAX_TEXT)), ("total", products.total.to_string())]
        }
        R::TooManyLines { number, .. } => vec![("number", number.clone())],
        R::LevelOutOfRange(products) | R::UnlistedItemsNotAllowed(products) => {
            vec![("product_ids", cut(joined(products), MAX_TEXT)), ("total", products.total.to_string())]
        }
        R::ReceiptNotFound { number, receipt } | R::ReceiptVoided { number, receipt } => {
            vec![("number", number.clone()), ("receipt_number", receipt.to_string())]
        }
        R::LinesNotFound { number, lines } | R::GoodsReturned { number, lines } => {
            [vec![("number", number.clone())], line_numbers(lines)].concat()
        }
        R::ExpectedDatePassed { lines, .. }
        | R::BackOrdersDisabled(lines)
        | R::PendingUnsettled(lines)
        | R::OverReceipt { lines, .. }
        | R::LinesWithoutQuantity(lines) => line_numbers(lines),
        R::NothingReceived(number)
        | R::NothingPending(number)
        | R::NothingLeft(number)
        | R::NothingToCopy(number)
        | R::AcceptedStaged(number) => {
            vec![("number", number.clone())]
        }
        R::OfStore { store, refusal } => {
            let mut entries = metadata(refusal);
            entries.insert("store_id".to_owned(), store.to_string());
            return entries;
        }
        R::PositionAhead { store, after, last_event } => vec![
            ("store_id", store.to_string()),
            ("after", after.to_string()),
            ("last_event_number", last_event.to_string()),
        ],
        R::PositionPruned { store, after, first_event, last_event } => vec![
            ("store_id", store.to_string()),
            ("after", after.to_string()),
            ("first_event_number", first_event.to_string()),
            ("last_event_number", last_event.to_string()),
        ],
        R::OfOrders { refusal, orders } => {
            let mut entries = metadata(refusal);
            entries.insert("purchase_orders".to_owned(), joined(orders));
            entries.insert("total".to_owned(), orders.total.to_string());
            return entries;
        }
        R::TooManyCandidateLines
        | R::DeliveryTooLarge { .. }
        | R::RequestIdReused
        | R::NotPlatformOperator
        | R::OrderNotFound
        | R::ReceiptTooLarge { .. }
        | R::TooManyReceiptItems { .. }
        | R::TooManyStores
        | R::TooManyRoles
        | R::LastAccessManager
        | R::Bug(_) => Vec::new(),
    };
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn line_numbers(lines: &TruncatedList<i32>) -> Vec<(&'static str, String)> {
    vec![("line_numbers", joined(lines)), ("total", lines.total.to_string())]
}

fn joined<T: ToString>(list: &TruncatedList<T>) -> String {
    list.first.iter().map(T::to_string).collect::<Vec<_>>().join(",")
}

pub(super) fn add_details(details: &mut ErrorDetails, refusal: &Refusal) {
    match code(refusal) {
        Code::InvalidArgument => add_violations(details, refusal),
        Code::FailedPrecondition => {
            let violation = PreconditionViolation::new(refusal.reason(), "", cut(refusal.to_string(), MAX_TEXT));
            details.set_precondition_failure(vec![violation]);
        }
        _ => {}
    }
}

fn add_violations(details: &mut ErrorDetails, refusal: &Refusal) {
    if let Refusal::Invalid(violations) | Refusal::InvalidForStoredData(violations) = refusal {
        details.set_bad_request(violations.first.iter().map(field_violation).collect::<Vec<_>>());
    } else if let Refusal::OfOrders { refusal, .. } = refusal {
        add_violations(details, refusal);
    } else {
        // What is left of this code is RequestIdReused: `OfStore` wraps refusals of access alone.
        details.add_bad_request_violation("request_id", "was used before for a different request");
    }
}

fn field_violation(violation: &Violation) -> FieldViolation {
    FieldViolation::new(violation.field.clone(), cut(violation.rule.clone(), MAX_RULE))
}
