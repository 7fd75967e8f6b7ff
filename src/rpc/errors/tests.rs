//! Every refusal and fault as its caller gets it: code, reason, metadata, details, and a bound on its size.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

use tonic_types::PreconditionViolation;
use uuid::Uuid;

use super::*;
use crate::domain::access::Permission;
use crate::domain::code::{PrincipalId, ProductId, RoleId, StoreId};
use crate::domain::order::{OrderId, State};
use crate::domain::outcome::KnownReceipt;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{TruncatedList, Violations};

/// Common clients accept 8 KiB of headers by default, and some of these are not the status.
const MAX_STATUS: usize = 7 * 1024;
/// A text that stands for a driver's message, which no caller may see.
const SECRET: &str = "relation \"po\" does not exist at 10.0.0.7:5432";

/// An error and what its caller must get: the code, the reason, the names in the metadata.
struct Expected {
    error: CallError,
    code: Code,
    reason: &'static str,
    metadata: &'static [&'static str],
}

fn refused(refusal: Refusal, code: Code, reason: &'static str, metadata: &'static [&'static str]) -> Expected {
    Expected { error: refusal.into(), code, reason, metadata }
}

fn service(fault: ServiceFault, code: Code, metadata: &'static [&'static str]) -> Expected {
    let reason = fault.reason();
    Expected { error: fault.into(), code, reason, metadata }
}

fn transport(fault: TransportFault, code: Code) -> Expected {
    let reason = fault.reason();
    Expected { error: fault.into(), code, reason, metadata: &[] }
}

/// As many items as `make` gives for large numbers: lists are cut, and each item is as long as it may be.
fn many<T>(make: impl Fn(usize) -> T) -> TruncatedList<T> {
    TruncatedList::of((0..5_000).map(make).collect())
}

fn lines() -> TruncatedList<i32> {
    TruncatedList::of((1..=5_000).collect())
}

fn violations() -> Violations {
    let mut violations = Violations::default();
    for index in 0..5_000 {
        violations.add(format_args!("lines[{index}].expected_date"), "x".repeat(500));
    }
    violations
}

/// One of each refusal, as large as it gets.
fn refusals() -> Vec<Expected> {
    use Code::{
        Aborted, AlreadyExists, FailedPrecondition, Internal, InvalidArgument, NotFound, OutOfRange, PermissionDenied,
    };
    let number = "PO-000001-B12".to_owned();
    let store = StoreId::new("s".repeat(63));
    let role = RoleId::new("r".repeat(63));
    let long = "p".repeat(200);
    let wrong_state = Refusal::WrongState { number: number.clone(), state: State::Draft, rule: "it must be placed" };
    let fields = TruncatedList::of(vec!["supplier_id", "lines"]);
    let fields_fixed = Refusal::FieldsFixed { number: number.clone(), state: State::OnOrder, fields };
    let permissions = TruncatedList::of(Permission::ALL.to_vec());
    let not_held = Refusal::PermissionNotHeld { role: role.clone(), permissions };
    let holders = many(|index| PrincipalId::new(format!("{index}{}", &long[10..])));
    let in_use = Refusal::RoleInUse { role: role.clone(), holders };
    let products = many(|index| ProductId::new(format!("{index}{}", &long[..58])));
    let not_found = Refusal::LinesNotFound { number: number.clone(), lines: lines() };
    let passed = Refusal::ExpectedDatePassed { lines: lines(), order_date: "2026-03-02".to_owned() };
    let over = Refusal::OverReceipt { lines: lines(), first: "1: 5 of 3".to_owned() };
    let voided = Refusal::ReceiptVoided { number: number.clone(), receipt: 3 };
    let no_receipt = Refusal::ReceiptNotFound { number: number.clone(), receipt: 3 };
    let etag = Refusal::EtagMismatch { number: number.clone(), current: "7".to_owned() };
    let items = Refusal::TooManyReceiptItems { number: number.clone(), items: 20_001 };
    let open = many(|index| format!("PO-{index:06}"));
    let order = OrderId(Uuid::nil());
    let external_id = Refusal::ExternalIdExists { external_id: "e".repeat(64), number: number.clone(), order };
    let known = KnownReceipt { order, number: number.clone(), receipt: 3 };
    let delivery_note = Refusal::DeliveryNoteKnown { delivery_note: "d".repeat(200), known };
    let stock = Refusal::InsufficientStock {
        product: ProductId::new("p".repeat(64)),
        on_hand: Quantity::MAX,
        missing: Quantity::MAX,
    };
    let lot = Refusal::InsufficientLot {
        product: ProductId::new("p".repeat(64)),
        lot: "l".repeat(64),
        on_hand: Quantity::MAX,
        missing: Quantity::MAX,
    };
    let lots = Refusal::TooManyLots(ProductId::new("p".repeat(64)));
    vec![
        refused(lot, FailedPrecondition, "INSUFFICIENT_LOT", &["lot_code", "missing", "on_hand", "product_id"]),
        refused(Refusal::NothingToCopy(number.clone()), FailedPrecondition, "NOTHING_TO_COPY", &["number"]),
        refused(lots, FailedPrecondition, "TOO_MANY_LOTS", &["product_id"]),
        refused(Refusal::ReceiptTooLarge { size: 500_001 }, FailedPrecondition, "RECEIPT_TOO_LARGE", &[]),
        refused(Refusal::Invalid(violations()), InvalidArgument, "INVALID_REQUEST", &["violations_total"]),
        refused(
            Refusal::InvalidForStoredData(violations()),
            InvalidArgument,
            "INVALID_FOR_STORED_DATA",
            &["violations_total"],
        ),
        refused(Refusal::RequestIdReused, InvalidArgument, "REQUEST_ID_REUSED", &[]),
        refused(Refusal::NoStoreAccess(store.clone()), PermissionDenied, "NO_STORE_ACCESS", &["store_id"]),
        refused(Refusal::PermissionMissing(Permission::View), PermissionDenied, "PERMISSION_MISSING", &["permission"]),
        refused(
            Refusal::CostNamed("lines.unit_cost"),
            PermissionDenied,
            "PERMISSION_MISSING",
            &["field", "permission"],
        ),
        refused(Refusal::NotPlatformOperator, PermissionDenied, "NOT_PLATFORM_OPERATOR", &[]),
        refused(not_held, PermissionDenied, "PERMISSION_NOT_HELD", &["permissions", "role_id"]),
        refused(
            Refusal::OfStore { store: store.clone(), refusal: Box::new(Refusal::PermissionMissing(Permission::View)) },
            PermissionDenied,
            "PERMISSION_MISSING",
            &["permission", "store_id"],
        ),
        refused(
            Refusal::PositionAhead { store: store.clone(), after: i64::MAX, last_event: 7 },
            OutOfRange,
            "POSITION_AHEAD",
            &["after", "last_event_number", "store_id"],
        ),
        refused(
            Refusal::PositionPruned { store: store.clone(), after: 3, first_event: 8, last_event: 9 },
            OutOfRange,
            "POSITION_PRUNED",
            &["after", "first_event_number", "last_event_number", "store_id"],
        ),
        refused(Refusal::StoreNotFound(store.clone()), NotFound, "STORE_NOT_FOUND", &["store_id"]),
        refused(Refusal::OrderNotFound, NotFound, "PURCHASE_ORDER_NOT_FOUND", &[]),
        refused(not_found, NotFound, "LINE_NOT_FOUND", &["line_numbers", "number", "total"]),
        refused(no_receipt, NotFound, "RECEIPT_NOT_FOUND", &["number", "receipt_number"]),
        refused(Refusal::RoleNotFound(role.clone()), NotFound, "ROLE_NOT_FOUND", &["role_id"]),
        refused(
            Refusal::ProductNotFound(ProductId::new("p".repeat(64))),
            NotFound,
            "PRODUCT_NOT_FOUND",
            &["product_id"],
        ),
        refused(Refusal::StoreExists(store.clone()), AlreadyExists, "STORE_EXISTS", &["store_id"]),
        refused(Refusal::RoleExists(role), AlreadyExists, "ROLE_EXISTS", &["role_id"]),
        refused(external_id, AlreadyExists, "EXTERNAL_ID_EXISTS", &["external_id", "number", "purchase_order_id"]),
        refused(
            delivery_note,
            AlreadyExists,
            "DELIVERY_NOTE_KNOWN",
            &["delivery_note", "number", "purchase_order_id", "receipt_number"],
        ),
        refused(
            Refusal::ReceivedValueOutOfRange { number: number.clone() },
            FailedPrecondition,
            "RECEIVED_VALUE_OUT_OF_RANGE",
            &["number"],
        ),
        refused(stock, FailedPrecondition, "INSUFFICIENT_STOCK", &["missing", "on_hand", "product_id"]),
        refused(etag, Aborted, "ETAG_MISMATCH", &["etag", "number"]),
        refused(wrong_state, FailedPrecondition, "WRONG_STATE", &["number", "state"]),
        refused(fields_fixed, FailedPrecondition, "FIELDS_FIXED", &["fields", "number", "state"]),
        refused(Refusal::OpenOrders(open), FailedPrecondition, "OPEN_PURCHASE_ORDERS", &["numbers", "total"]),
        refused(
            Refusal::BackOrdersDisabled(lines()),
            FailedPrecondition,
            "BACK_ORDERS_DISABLED",
            &["line_numbers", "total"],
        ),
        refused(
            Refusal::PendingUnsettled(lines()),
            FailedPrecondition,
            "PENDING_UNSETTLED",
            &["line_numbers", "total"],
        ),
        refused(
            Refusal::ProductNotReceivable(TruncatedList::of(vec!["product oak".to_owned()])),
            NotFound,
            "PRODUCT_NOT_RECEIVABLE",
            &["products", "total"],
        ),
        refused(
            Refusal::UnlistedItemsNotAllowed(TruncatedList::of(vec![ProductId::new("p".repeat(64))])),
            FailedPrecondition,
            "UNLISTED_ITEMS_NOT_ALLOWED",
            &["product_ids", "total"],
        ),
        refused(
            Refusal::TooManyLines { number: number.clone(), lines: 5_001 },
            FailedPrecondition,
            "TOO_MANY_LINES",
            &["number"],
        ),
        refused(Refusal::TooManyCandidateLines, FailedPrecondition, "TOO_MANY_CANDIDATE_LINES", &[]),
        refused(Refusal::ReportTooLarge(store.clone()), FailedPrecondition, "REPORT_TOO_LARGE", &["store_id"]),
        refused(Refusal::DeliveryTooLarge { orders: 51, lines: 51 }, FailedPrecondition, "DELIVERY_TOO_LARGE", &[]),
        refused(
            Refusal::OfOrders {
                refusal: Box::new(Refusal::EtagMismatch { number: number.clone(), current: "7".to_owned() }),
                orders: TruncatedList::of(vec![number.clone()]),
            },
            Aborted,
            "ETAG_MISMATCH",
            &["etag", "number", "purchase_orders", "total"],
        ),
        refused(Refusal::NothingReceived(number.clone()), FailedPrecondition, "NOTHING_RECEIVED", &["number"]),
        refused(Refusal::NothingPending(number.clone()), FailedPrecondition, "NOTHING_PENDING", &["number"]),
        refused(Refusal::NothingLeft(number.clone()), FailedPrecondition, "NOTHING_LEFT", &["number"]),
        refused(
            Refusal::BackOrderTouched { number: number.clone(), back_order: number.clone() },
            FailedPrecondition,
            "BACK_ORDER_TOUCHED",
            &["back_order", "number"],
        ),
        refused(
            Refusal::GoodsReturned { number: number.clone(), lines: lines() },
            FailedPrecondition,
            "GOODS_RETURNED",
            &["line_numbers", "number", "total"],
        ),
        refused(
            Refusal::StockGone { number: number.clone(), products: TruncatedList::of(vec![ProductId::new("oak")]) },
            FailedPrecondition,
            "STOCK_GONE",
            &["number", "product_ids", "total"],
        ),
        refused(
            Refusal::ReopenNeedsBackOrders { number: number.clone(), back_order: number.clone() },
            FailedPrecondition,
            "BACK_ORDERS_DISABLED",
            &["back_order", "number"],
        ),
        refused(Refusal::AcceptedStaged(number), FailedPrecondition, "ACCEPTED_STAGED", &["number"]),
        refused(over, FailedPrecondition, "OVER_RECEIPT", &["line_numbers", "total"]),
        refused(voided, FailedPrecondition, "RECEIPT_VOIDED", &["number", "receipt_number"]),
        refused(
            Refusal::LinesWithoutQuantity(lines()),
            FailedPrecondition,
            "LINES_WITHOUT_QUANTITY",
            &["line_numbers", "total"],
        ),
        refused(passed, FailedPrecondition, "EXPECTED_DATE_PASSED", &["line_numbers", "total"]),
        refused(
            Refusal::LevelOutOfRange(products),
            FailedPrecondition,
            "LEVEL_OUT_OF_RANGE",
            &["product_ids", "total"],
        ),
        refused(items, FailedPrecondition, "TOO_MANY_RECEIPT_ITEMS", &[]),
        refused(Refusal::TooManyRoles, FailedPrecondition, "TOO_MANY_ROLES", &[]),
        refused(Refusal::TooManyStores, FailedPrecondition, "TOO_MANY_STORES", &[]),
        refused(in_use, FailedPrecondition, "ROLE_IN_USE", &["principals", "role_id", "total"]),
        refused(Refusal::LastAccessManager, FailedPrecondition, "LAST_ACCESS_MANAGER", &[]),
        refused(Refusal::Bug(SECRET.to_owned()), Internal, "INTERNAL", &["id"]),
    ]
}

fn faults() -> Vec<Expected> {
    let no_credentials = AuthError::NoCredentials("send a bearer token".to_owned());
    let invalid = AuthError::InvalidCredentials("the token has expired".to_owned());
    let unauthenticated =
        |error: AuthError, reason| Expected { error: error.into(), code: Code::Unauthenticated, reason, metadata: &[] };
    vec![
        unauthenticated(no_credentials, "NO_CREDENTIALS"),
        unauthenticated(invalid, "INVALID_CREDENTIALS"),
        service(ServiceFault::QueueFull, Code::ResourceExhausted, &[]),
        service(ServiceFault::StorageFull, Code::ResourceExhausted, &[]),
        service(ServiceFault::ClockSkewed, Code::Unavailable, &[]),
        service(ServiceFault::DatabaseUnavailable, Code::Unavailable, &[]),
        service(ServiceFault::DeadlineExceeded, Code::DeadlineExceeded, &[]),
        service(ServiceFault::OutcomeUnknown, Code::Unknown, &[]),
        service(ServiceFault::Internal(SECRET.to_owned()), Code::Internal, &["id"]),
        transport(TransportFault::MethodUnknown, Code::Unimplemented),
        transport(TransportFault::ServiceUnknown, Code::NotFound),
        transport(TransportFault::SymbolUnknown, Code::NotFound),
        transport(TransportFault::WatchEnded, Code::Unavailable),
        transport(TransportFault::Stopping, Code::Unavailable),
        transport(TransportFault::MalformedMessage, Code::InvalidArgument),
        transport(TransportFault::CompressionUnsupported, Code::Unimplemented),
        transport(TransportFault::MessageTooLarge, Code::ResourceExhausted),
        transport(TransportFault::MetadataTooLarge(16 * 1024), Code::ResourceExhausted),
    ]
}

#[test]
fn every_error_has_its_code_reason_and_metadata() {
    for Expected { error, code, reason, metadata } in refusals().into_iter().chain(faults()) {
        let status = to_status(error);
        assert_eq!(status.code(), code, "{reason}");
        let info = status.get_details_error_info().unwrap();
        assert_eq!((info.reason.as_str(), info.domain.as_str()), (reason, DOMAIN));
        let mut names: Vec<&str> = info.metadata.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, metadata, "{reason}");
    }
}

/// The name of an error's variant.
fn variant(error: &impl Debug) -> String {
    let text = format!("{error:?}");
    text.chars().take_while(|character| character.is_alphanumeric()).collect()
}

/// The variants of an enum in a source file. They are read from there, since no list of them written here would be
/// known to be complete. In rustfmt's layout a variant begins a line at a depth of four spaces.
fn variants_in(source: &str, name: &str) -> BTreeSet<String> {
    let (_, body) = source.split_once(&format!("pub enum {name} {{\n")).unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let lines = body.lines().filter_map(|line| line.strip_prefix("    "));
    let variants = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_uppercase()));
    variants.map(|line| line.chars().take_while(|character| character.is_alphanumeric()).collect()).collect()
}

#[test]
fn every_variant_of_every_error_is_in_the_table() {
    let mut listed: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for Expected { error, .. } in refusals().into_iter().chain(faults()) {
        let (name, variant) = match &error {
            CallError::Refused(refusal) => ("Refusal", variant(refusal)),
            CallError::Unauthenticated(error) => ("AuthError", variant(error)),
            CallError::Service(fault) => ("ServiceFault", variant(fault)),
            CallError::Transport(fault) => ("TransportFault", variant(fault)),
        };
        listed.entry(name).or_default().insert(variant);
    }
    for (name, source) in [
        ("Refusal", include_str!("../../domain/refusal.rs")),
        ("AuthError", include_str!("../../auth/error.rs")),
        ("ServiceFault", include_str!("../../workers/error.rs")),
        ("TransportFault", include_str!("transport_fault.rs")),
    ] {
        assert_eq!(listed[name], variants_in(source, name), "{name}");
    }
}

/// What a worker refuses or fails with is answered as if the rpc itself had: each row of the table that a worker can
/// end with has the same status by way of [`WorkerError`].
#[test]
fn a_workers_errors_are_answered_as_what_they_hold() {
    let mut ways = BTreeSet::new();
    for Expected { error, code, reason, .. } in refusals().into_iter().chain(faults()) {
        let error = match error {
            CallError::Refused(refusal) => WorkerError::Refused(refusal),
            CallError::Service(fault) => WorkerError::Fault(fault),
            CallError::Unauthenticated(_) | CallError::Transport(_) => continue,
        };
        ways.insert(variant(&error));
        let status = to_status(CallError::from(error));
        assert_eq!((status.code(), status.get_details_error_info().unwrap().reason.as_str()), (code, reason));
    }
    assert_eq!(ways, variants_in(include_str!("../../workers/error.rs"), "WorkerError"));
}

#[test]
fn details_fit_the_code() {
    for Expected { error, code, reason, .. } in refusals() {
        let details = to_status(error).get_error_details();
        assert_eq!(details.bad_request().is_some(), code == Code::InvalidArgument, "{reason}");
        let precondition: Option<&PreconditionViolation> =
            details.precondition_failure().and_then(|failure| failure.violations.first());
        let kind = precondition.map(|violation| violation.r#type.as_str());
        assert_eq!(kind, (code == Code::FailedPrecondition).then_some(reason));
    }
    for Expected { error, reason, .. } in faults() {
        let retry = to_status(error).get_details_retry_info().and_then(|info| info.retry_delay);
        let seconds = retry.map(|delay| delay.as_secs());
        let expected = match reason {
            "STORAGE_FULL" => Some(30),
            "QUEUE_FULL" | "DATABASE_UNAVAILABLE" | "CLOCK_SKEWED" => Some(1),
            _ => None,
        };
        assert_eq!(seconds, expected, "{reason}");
    }
}

#[test]
fn internal_texts_stay_in_the_log() {
    for error in [CallError::from(Refusal::Bug(SECRET.to_owned())), ServiceFault::Internal(SECRET.to_owned()).into()] {
        let status = to_status(error);
        assert!(!status.message().contains("5432"), "{}", status.message());
        let details = String::from_utf8_lossy(status.details());
        assert!(!details.contains("5432"), "{details}");
        let id = status.get_details_error_info().unwrap().metadata.get("id").cloned().unwrap();
        assert!(Uuid::try_parse(&id).is_ok(), "{id}");
    }
}

#[test]
fn the_largest_status_fits_a_clients_headers() {
    for Expected { error, reason, .. } in refusals().into_iter().chain(faults()) {
        let response = to_status(error).into_http::<tonic::body::Body>();
        let headers = response.headers().iter();
        let bytes: usize = headers.map(|(name, value)| name.as_str().len() + value.len() + 32).sum();
        assert!(bytes <= MAX_STATUS, "{reason}: {bytes} bytes");
    }
}

#[test]
fn text_is_cut_between_characters() {
    assert_eq!(cut("short".to_owned(), 10), "short");
    assert_eq!(cut("fits".to_owned(), 4), "fits");
    assert_eq!(cut("€€€€".to_owned(), 9), "€€...");
    assert_eq!(cut("€€€€".to_owned(), 10), "€€...");
}

#[test]
fn the_refusal_of_compression_alone_tells_which_encodings_are_taken() {
    for (fault, told) in
        [(TransportFault::CompressionUnsupported, Some("identity")), (TransportFault::MessageTooLarge, None)]
    {
        let status = to_status(fault);
        assert_eq!(status.metadata().get("grpc-accept-encoding").map(|value| value.to_str().unwrap()), told);
    }
}
