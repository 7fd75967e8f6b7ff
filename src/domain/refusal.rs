//! Why a call is refused by a rule: one variant per reason, each with what a caller needs to correct the
//! request.
//!
//! Reasons are stable, because clients branch on them; texts are for people and may change. `rpc` maps
//! each variant to a status in one exhaustive match, so a new variant cannot be forgotten there. Faults
//! of the transport or the service are no refusals and are not here.

mod lists;

use std::fmt;

pub use self::lists::{MAX_NAMED, TruncatedList, Violation, Violations};
use super::access::{MAX_ROLES, Permission};
use super::code::{PrincipalId, ProductId, RoleId, StoreId};
use super::decimal::grouped;
use super::inventory::lot::MAX_LOTS_TAKEN;
use super::money::Amount;
use super::order::receipt::{LOT_SIZE, MAX_ITEMS_SIZE};
use super::order::receive::delivery::{MAX_CANDIDATE_LINES, MAX_DELIVERED_LINES, MAX_ORDERS};
use super::order::{MAX_LINES, MAX_RECEIPT_ITEMS, OrderId, State};
use super::outcome::KnownReceipt;
use super::quantity::Quantity;
use super::report::{MAX_ORDERS as MAX_ORDERS_REPORTED, MAX_ROWS};
use super::working_set::NotLoaded;

/// How many stores one list is over at most. Each of them is looked into for every page.
pub const MAX_STORES: usize = 1_000;

/// Why a rule refuses a call. A call that is refused has changed nothing: rules only read, and what they
/// decide is written as a whole.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The request by itself is malformed or out of range.
    #[error("{}", violations_text(.0))]
    Invalid(Violations),
    /// The request does not fit what is stored.
    #[error("{}", violations_text(.0))]
    InvalidForStoredData(Violations),
    /// The request id was used before, for another request.
    #[error("request_id was used before for a different request; make a new id for each intention")]
    RequestIdReused,

    /// The caller holds no role in the store, or there is no such store: the answer is the same, so that
    /// nobody can find out by asking which stores there are.
    #[error("you hold no role in a store '{0}', or there is none")]
    NoStoreAccess(StoreId),
    /// The caller's roles lack a permission.
    #[error("your roles in this store lack the permission {0}")]
    PermissionMissing(Permission),
    /// The request names a cost in this field, and the caller's roles lack VIEW_COSTS.
    #[error("{0} names a cost, and your roles in this store lack the permission {permission}", permission = Permission::ViewCosts)]
    CostNamed(&'static str),
    /// The call is for platform operators, and the caller is none.
    #[error("only a platform operator may do this")]
    NotPlatformOperator,
    /// A role would give what the caller does not hold: otherwise anyone with MANAGE_ACCESS could give
    /// themselves everything.
    #[error("role '{role}' would give {permissions}, which you do not hold in this store yourself")]
    PermissionNotHeld {
        /// The role that was to be granted or changed.
        role: RoleId,
        /// What it would give and the caller does not hold.
        permissions: TruncatedList<Permission>,
    },

    /// A refusal of a call about several stores: by the first of them that refuses.
    #[error("store '{store}': {refusal}")]
    OfStore {
        /// The store that refuses.
        store: StoreId,
        /// Why it does.
        refusal: Box<Refusal>,
    },
    /// A follower's position is beyond the last event of the store: it was never there, or the database was restored
    /// from an older backup.
    #[error(
        "store '{store}' has had {last_event} events, so none can follow number {after}; its database may have been restored from a backup"
    )]
    PositionAhead {
        /// The store.
        store: StoreId,
        /// The position that was given.
        after: i64,
        /// The number of the store's last event.
        last_event: i64,
    },
    /// Events that follow a follower's position have been deleted, because their retention has passed.
    #[error(
        "store '{store}' keeps its events from number {first_event} on; some of those after number {after} are deleted"
    )]
    PositionPruned {
        /// The store whose events they were.
        store: StoreId,
        /// The position that was given.
        after: i64,
        /// The number of the first event that is still kept.
        first_event: i64,
        /// The number of the store's last event.
        last_event: i64,
    },

    /// There is no such store; only platform operators are told.
    #[error("there is no store '{0}'")]
    StoreNotFound(StoreId),
    /// No such order in the store.
    #[error("there is no such purchase order in this store")]
    OrderNotFound,
    /// The order has no such lines.
    #[error("purchase order {number} has no {}", lines_text(lines))]
    LinesNotFound {
        /// The number of the order.
        number: String,
        /// The numbers of the lines that do not exist.
        lines: TruncatedList<i32>,
    },
    /// Items name products of which nothing that can be received has a line.
    #[error("no line that can be received is of {0}")]
    ProductNotReceivable(TruncatedList<String>),
    /// The order has no such receipt.
    #[error("purchase order {number} has no receipt {receipt}")]
    ReceiptNotFound {
        /// The number of the order.
        number: String,
        /// The number of the receipt that does not exist.
        receipt: i32,
    },
    /// No such role in the store.
    #[error("this store has no role '{0}'")]
    RoleNotFound(RoleId),
    /// No order or adjustment of the store ever named the product.
    #[error("no purchase order or adjustment of this store has ever named the product '{0}'")]
    ProductNotFound(ProductId),

    /// The id of the new store is taken.
    #[error("there is a store '{0}' already")]
    StoreExists(StoreId),
    /// The id of the new role is taken in this store.
    #[error("this store has a role '{0}' already")]
    RoleExists(RoleId),
    /// Another order of the store has the external id.
    #[error("purchase order {number} has the external_id '{external_id}' already")]
    ExternalIdExists {
        /// The id that was to be given to an order.
        external_id: String,
        /// The number of the order that has it.
        number: String,
        /// The id of the order that has it.
        order: OrderId,
    },
    /// An active receipt of the supplier bears the delivery note, and the caller asked to be refused then.
    #[error(
        "delivery note '{delivery_note}' of this supplier was booked before, as receipt {} of purchase order {}",
        known.receipt, known.number
    )]
    DeliveryNoteKnown {
        /// The delivery note that was to be booked.
        delivery_note: String,
        /// The receipt that bears it.
        known: KnownReceipt,
    },

    /// The order has changed since the caller looked.
    #[error("purchase order {number} has changed: its etag is now {current}; look at it again")]
    EtagMismatch {
        /// The number of the order.
        number: String,
        /// The etag that the order has now.
        current: String,
    },

    /// The order's state does not allow it.
    #[error("purchase order {number} is {state}: {rule}")]
    WrongState {
        /// The number of the order.
        number: String,
        /// The state that the order is in.
        state: State,
        /// In which states it could be done.
        rule: &'static str,
    },
    /// What was agreed with the supplier is not changed by an update.
    #[error(
        "purchase order {number} is {state}: {fields} can be changed only while it is a DRAFT, note and supplier_reference also now"
    )]
    FieldsFixed {
        /// The number of the order.
        number: String,
        /// The state that the order is in.
        state: State,
        /// The fields that were to change.
        fields: TruncatedList<&'static str>,
    },
    /// The feature is turned on only while every order is closed.
    #[error("back orders can be turned on only while every purchase order is closed; {count} open: {0}", count = are(&.0))]
    OpenOrders(TruncatedList<String>),
    /// The order cannot be reopened, because its back order is not as the completion has made it.
    #[error(
        "purchase order {number} is not reopened: of its back order {back_order}, something was received, cancelled, added \
         or changed since"
    )]
    BackOrderTouched {
        /// The number of the order that was to be reopened.
        number: String,
        /// The number of its back order.
        back_order: String,
    },
    /// The order cannot be reopened, because goods of it went back to their supplier.
    #[error("purchase order {number} is not reopened: goods of {lines_text} were returned to the supplier", lines_text = lines_text(.lines))]
    GoodsReturned {
        /// The number of the order that was to be reopened.
        number: String,
        /// The lines of which something was returned.
        lines: TruncatedList<i32>,
    },
    /// The order cannot be reopened, because what it put on hand is not there any more.
    #[error(
        "purchase order {number} is not reopened: too little of what it put on hand is left in stock, or in its lots, of {products}"
    )]
    StockGone {
        /// The number of the order that was to be reopened.
        number: String,
        /// The products of which too little is left.
        products: TruncatedList<ProductId>,
    },
    /// The order cannot be reopened, because it has a back order and the feature is off.
    #[error(
        "purchase order {number} is not reopened: it has the back order {back_order}, and back orders are off in this store"
    )]
    ReopenNeedsBackOrders {
        /// The number of the order that was to be reopened.
        number: String,
        /// The number of its back order.
        back_order: String,
    },
    /// A quantity would go to a back order and the feature is off.
    #[error("back orders are off in this store: what is pending on {} can only be cancelled", lines_text(.0))]
    BackOrdersDisabled(TruncatedList<i32>),
    /// Quantities are pending, and the request does not say what happens to them.
    #[error("quantities are pending on {}: say in `lines` or `rest` what is back-ordered and what cancelled", lines_text(.0))]
    PendingUnsettled(TruncatedList<i32>),
    /// Nothing was accepted, so a completion would put nothing on hand.
    #[error("purchase order {0} has nothing accepted to complete; cancel it instead")]
    NothingReceived(String),
    /// A receipt brings goods that its order does not name, and the store does not allow that.
    #[error("this store does not allow unlisted items: {0} would need a line of their own")]
    UnlistedItemsNotAllowed(TruncatedList<ProductId>),
    /// An order has as many lines as it may have, and a receipt would add more.
    #[error("purchase order {number} would have {lines} lines; at most {limit} are allowed", limit = grouped(MAX_LINES as i64))]
    TooManyLines {
        /// The number of the order.
        number: String,
        /// How many lines it would have.
        lines: usize,
    },
    /// The products of a delivery are on more lines than are looked through.
    #[error("the products of this delivery are on more than {limit} lines of the supplier: name the orders", limit = grouped(MAX_CANDIDATE_LINES as i64))]
    TooManyCandidateLines,
    /// A report would be about more orders, or more lines and receipt items, than are added up for one call.
    #[error(
        "the period has more than {orders} purchase orders of store '{0}', or more than {rows} lines and receipt items: \
         name a shorter one, or one supplier",
        orders = grouped(MAX_ORDERS_REPORTED),
        rows = grouped(MAX_ROWS)
    )]
    ReportTooLarge(StoreId),
    /// A delivery would be booked on more than fits into one call.
    #[error(
        "the delivery would be booked on {lines} lines of {orders} orders; at most {} lines of {MAX_ORDERS} orders are \
         allowed: send it in parts",
        grouped(MAX_DELIVERED_LINES as i64)
    )]
    DeliveryTooLarge {
        /// How many orders it is for.
        orders: usize,
        /// How many lines it is of.
        lines: usize,
    },
    /// Nothing is pending, so there is nothing to receive.
    #[error("purchase order {0} has nothing pending")]
    NothingPending(String),
    /// Nothing of the order would be pending or accepted any more, so that it would hang open for ever.
    #[error("nothing of purchase order {0} would be left; cancel the order instead")]
    NothingLeft(String),
    /// Accepted quantities are staged: cancelling the order would lose goods that are in the building.
    #[error("purchase order {0} has accepted quantities staged; complete it, or void their receipts first")]
    AcceptedStaged(String),
    /// More would be accepted of a line than is wanted and the tolerance allows.
    #[error("more would be received than is allowed on {}: {}", lines_text(lines), first)]
    OverReceipt {
        /// The numbers of the lines with too much.
        lines: TruncatedList<i32>,
        /// The first of them or the item that finds no room on them, and by how much it is too much.
        first: String,
    },
    /// What was received of an order would be worth more than any order may be.
    #[error(
        "what was received of purchase order {number} would be worth more than {limit}",
        limit = Amount::MAX
    )]
    ReceivedValueOutOfRange {
        /// The number of the order.
        number: String,
    },
    /// The receipt is voided already, by this caller or another.
    #[error("receipt {receipt} of purchase order {number} was voided before")]
    ReceiptVoided {
        /// The number of the order.
        number: String,
        /// The number of the receipt.
        receipt: i32,
    },
    /// Lines of quantity 0 cannot be placed.
    #[error("nothing is ordered on {}: give every line a quantity before the order is placed", lines_text(.0))]
    LinesWithoutQuantity(TruncatedList<i32>),
    /// An expected date lies before the order's date.
    #[error(
        "the goods of {} are expected before the order's date, {order_date}: correct the expected dates or order_time",
        lines_text(lines)
    )]
    ExpectedDatePassed {
        /// The numbers of the lines that are expected too early.
        lines: TruncatedList<i32>,
        /// The order's date in the store's zone.
        order_date: String,
    },
    /// Nothing is ordered, or nothing was cancelled, that a copy could order.
    #[error("nothing of purchase order {0} is there to be copied")]
    NothingToCopy(String),
    /// More would be taken out of stock than is on hand.
    #[error("{on_hand} of product {product} are on hand, {missing} too few: the store does not allow negative stock")]
    InsufficientStock {
        /// The product.
        product: ProductId,
        /// What is on hand of it.
        on_hand: Quantity,
        /// By how much that falls short.
        missing: Quantity,
    },
    /// More would be taken out of a lot than is on hand of it.
    #[error("{on_hand} of lot {lot} of product {product} are on hand, {missing} too few")]
    InsufficientLot {
        /// The product.
        product: ProductId,
        /// The code of the lot that the request names.
        lot: String,
        /// What is on hand of it.
        on_hand: Quantity,
        /// By how much that falls short.
        missing: Quantity,
    },
    /// Stock would be taken out of more lots than one call may change.
    #[error(
        "so much of product {0} would be taken out of more than {limit} lots: take less, or name a lot",
        limit = grouped(MAX_LOTS_TAKEN as i64)
    )]
    TooManyLots(ProductId),
    /// A level would leave its range.
    #[error("the stock or the quantity on order of product {0} would pass its limit of {limit} units", limit = grouped(Quantity::MAX_LEVEL.whole_units()))]
    LevelOutOfRange(TruncatedList<ProductId>),
    /// What a delivery's items say is bounded, so that its answer fits into a message.
    #[error(
        "the reject notes of the delivery, and its lots at {LOT_SIZE} bytes each as they are divided over lines, would have \
         {size} bytes; at most {limit} are allowed: send it in parts",
        limit = grouped(MAX_ITEMS_SIZE as i64)
    )]
    ReceiptTooLarge {
        /// How many bytes they would have.
        size: usize,
    },
    /// The receipts of one order are bounded.
    #[error(
        "the receipts of purchase order {number} would have {items} items and lots; at most {limit} are allowed, voided ones included",
        limit = grouped(MAX_RECEIPT_ITEMS)
    )]
    TooManyReceiptItems {
        /// The number of the order.
        number: String,
        /// How many items the receipts of the order would have.
        items: i64,
    },
    /// A list over all stores of a caller reads each of them.
    #[error("you have roles in more than {limit} stores, the most that a list over stores reads: name a store", limit = grouped(MAX_STORES as i64))]
    TooManyStores,
    /// The roles of one store are bounded.
    #[error("this store has {MAX_ROLES} roles, the most that are allowed")]
    TooManyRoles,
    /// A role that some principal holds is not deleted.
    #[error("role '{role}' is held by {holders}: revoke it from them first")]
    RoleInUse {
        /// The role that was to be deleted.
        role: RoleId,
        /// The principals who hold the role.
        holders: TruncatedList<PrincipalId>,
    },
    /// No principal would hold MANAGE_ACCESS any more, and nobody in the store could repair that.
    #[error("nobody would be left who holds MANAGE_ACCESS in this store: give it to somebody else first")]
    LastAccessManager,

    /// Several orders are refused for the same reason.
    #[error("{orders}: {refusal}")]
    OfOrders {
        /// The first of them that is refused.
        refusal: Box<Refusal>,
        /// All of them, by number, or by id if there are no such orders.
        orders: TruncatedList<String>,
    },

    /// A bug: a rule found something that cannot be, such as a row that its command's needs did not name.
    /// The text is for the log and never for a caller, who gets INTERNAL.
    #[error("{0}")]
    Bug(String),
}

fn are<T>(listed: &TruncatedList<T>) -> String {
    if listed.total == 1 { "1 is".to_owned() } else { format!("{} are", listed.total) }
}

fn lines_text(lines: &TruncatedList<i32>) -> String {
    format!("line{} {lines}", if lines.total == 1 { "" } else { "s" })
}

fn violations_text(violations: &Violations) -> String {
    let named: Vec<String> = violations.first.iter().map(|v| format!("{} {}", v.field, v.rule)).collect();
    let text = named.join("; ");
    match violations.total - violations.first.len() {
        0 => text,
        more => format!("{text}; and {more} more"),
    }
}

impl Refusal {
    /// One violation of the request against what is stored.
    pub fn invalid_for_stored_data(field: impl fmt::Display, rule: impl fmt::Display) -> Self {
        Self::InvalidForStoredData(Violations::one(field, rule))
    }

    /// The stable reason that callers may branch on.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_REQUEST",
            Self::InvalidForStoredData(_) => "INVALID_FOR_STORED_DATA",
            Self::RequestIdReused => "REQUEST_ID_REUSED",
            Self::NoStoreAccess(_) => "NO_STORE_ACCESS",
            Self::PermissionMissing(_) | Self::CostNamed(_) => "PERMISSION_MISSING",
            Self::NotPlatformOperator => "NOT_PLATFORM_OPERATOR",
            Self::PermissionNotHeld { .. } => "PERMISSION_NOT_HELD",
            Self::OfStore { refusal, .. } => refusal.reason(),
            Self::PositionAhead { .. } => "POSITION_AHEAD",
            Self::PositionPruned { .. } => "POSITION_PRUNED",
            Self::StoreNotFound(_) => "STORE_NOT_FOUND",
            Self::OrderNotFound => "PURCHASE_ORDER_NOT_FOUND",
            Self::LinesNotFound { .. } => "LINE_NOT_FOUND",
            Self::ProductNotReceivable(_) => "PRODUCT_NOT_RECEIVABLE",
            Self::ReceiptNotFound { .. } => "RECEIPT_NOT_FOUND",
            Self::RoleNotFound(_) => "ROLE_NOT_FOUND",
            Self::ProductNotFound(_) => "PRODUCT_NOT_FOUND",
            Self::StoreExists(_) => "STORE_EXISTS",
            Self::RoleExists(_) => "ROLE_EXISTS",
            Self::ExternalIdExists { .. } => "EXTERNAL_ID_EXISTS",
            Self::DeliveryNoteKnown { .. } => "DELIVERY_NOTE_KNOWN",
            Self::EtagMismatch { .. } => "ETAG_MISMATCH",
            Self::WrongState { .. } => "WRONG_STATE",
            Self::FieldsFixed { .. } => "FIELDS_FIXED",
            Self::OpenOrders(_) => "OPEN_PURCHASE_ORDERS",
            Self::BackOrdersDisabled(_) | Self::ReopenNeedsBackOrders { .. } => "BACK_ORDERS_DISABLED",
            Self::BackOrderTouched { .. } => "BACK_ORDER_TOUCHED",
            Self::GoodsReturned { .. } => "GOODS_RETURNED",
            Self::StockGone { .. } => "STOCK_GONE",
            Self::PendingUnsettled(_) => "PENDING_UNSETTLED",
            Self::NothingReceived(_) => "NOTHING_RECEIVED",
            Self::UnlistedItemsNotAllowed(_) => "UNLISTED_ITEMS_NOT_ALLOWED",
            Self::TooManyLines { .. } => "TOO_MANY_LINES",
            Self::TooManyCandidateLines => "TOO_MANY_CANDIDATE_LINES",
            Self::ReportTooLarge(_) => "REPORT_TOO_LARGE",
            Self::DeliveryTooLarge { .. } => "DELIVERY_TOO_LARGE",
            Self::ReceiptTooLarge { .. } => "RECEIPT_TOO_LARGE",
            Self::NothingPending(_) => "NOTHING_PENDING",
            Self::NothingLeft(_) => "NOTHING_LEFT",
            Self::NothingToCopy(_) => "NOTHING_TO_COPY",
            Self::AcceptedStaged(_) => "ACCEPTED_STAGED",
            Self::OverReceipt { .. } => "OVER_RECEIPT",
            Self::ReceivedValueOutOfRange { .. } => "RECEIVED_VALUE_OUT_OF_RANGE",
            Self::ReceiptVoided { .. } => "RECEIPT_VOIDED",
            Self::LinesWithoutQuantity(_) => "LINES_WITHOUT_QUANTITY",
            Self::ExpectedDatePassed { .. } => "EXPECTED_DATE_PASSED",
            Self::InsufficientStock { .. } => "INSUFFICIENT_STOCK",
            Self::InsufficientLot { .. } => "INSUFFICIENT_LOT",
            Self::TooManyLots(_) => "TOO_MANY_LOTS",
            Self::LevelOutOfRange(_) => "LEVEL_OUT_OF_RANGE",
            Self::TooManyReceiptItems { .. } => "TOO_MANY_RECEIPT_ITEMS",
            Self::TooManyStores => "TOO_MANY_STORES",
            Self::TooManyRoles => "TOO_MANY_ROLES",
            Self::RoleInUse { .. } => "ROLE_IN_USE",
            Self::LastAccessManager => "LAST_ACCESS_MANAGER",
            Self::OfOrders { refusal, .. } => refusal.reason(),
            Self::Bug(_) => "INTERNAL",
        }
    }

    /// The lines of the order that it is about, if it is about lines.
    pub fn lines(&self) -> Option<&TruncatedList<i32>> {
        if let Self::LinesNotFound { lines, .. }
        | Self::ExpectedDatePassed { lines, .. }
        | Self::BackOrdersDisabled(lines)
        | Self::PendingUnsettled(lines)
        | Self::OverReceipt { lines, .. }
        | Self::LinesWithoutQuantity(lines)
        | Self::GoodsReturned { lines, .. } = self
        {
            Some(lines)
        } else {
            None
        }
    }
}

impl From<NotLoaded> for Refusal {
    fn from(bug: NotLoaded) -> Self {
        Self::Bug(bug.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_about_lines_names_them() {
        let lines = TruncatedList::of(vec![2, 5]);
        let number = "PO-000001".to_owned();
        for refusal in [
            Refusal::LinesNotFound { number: number.clone(), lines: lines.clone() },
            Refusal::ExpectedDatePassed { lines: lines.clone(), order_date: "2026-03-02".to_owned() },
            Refusal::BackOrdersDisabled(lines.clone()),
            Refusal::PendingUnsettled(lines.clone()),
            Refusal::OverReceipt { lines: lines.clone(), first: String::new() },
            Refusal::LinesWithoutQuantity(lines.clone()),
            Refusal::GoodsReturned { number: number.clone(), lines: lines.clone() },
        ] {
            assert_eq!(refusal.lines(), Some(&lines), "{}", refusal.reason());
        }
        assert_eq!(Refusal::NothingReceived(number).lines(), None);
    }
}
