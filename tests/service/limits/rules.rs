//! What every field of every request may hold, told a second time and independently of the service: a
//! field that no rule here is about fails the tests.

use std::collections::BTreeSet;

use prost_reflect::{Kind, Value};
use purchase_order_service::proto::v1::{
    AdjustmentKind, CancelReason, EventType, PendingDisposition, Permission, PurchaseOrderSorting, PurchaseOrderState,
    PurchaseOrderView, RejectReason, Unit,
};
use unicode_normalization::UnicodeNormalization;

use crate::support::contract::Place;

/// What a string may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Rule {
    /// One line of at most so many bytes in normal form C, and nothing that hides or reorders text.
    Text(usize),
    /// A note: lines of the same.
    Note,
    /// A note that says something, or nothing at all.
    Reason,
    /// A note that says something.
    RequiredReason,
    /// A line without blanks but single spaces inside, and without invisible characters; or nothing.
    Code(usize),
    /// The same and not empty.
    Required(usize),
    /// `[a-z0-9-]{1,63}`.
    Label,
    /// A UUID with dashes, in either case.
    Uuid,
    /// The same or nothing.
    RequestId,
    /// A decimal with so many places, up to so many of the last place.
    Decimal(u32, u64),
    /// The same above zero.
    PositiveDecimal(u32, u64),
    /// Nothing, because another field of the request contradicts it.
    Contradicted,
    /// One line of at most so many bytes that says something.
    RequiredText(usize),
    /// `YYYY-MM-DD`, or nothing.
    Date,
    /// ISO 4217; nothing where it is not required.
    Currency { required: bool },
    /// IANA.
    Zone,
    /// A trade item number, or nothing.
    Gtin,
    /// What the service gave out, or nothing.
    Token,
    /// Anything: it is compared and not kept.
    Etag,
    /// A field's name, in an update.
    MaskPath,
}

/// The rule of a string field.
pub fn rule(place: &Place) -> Rule {
    use Rule::{
        Code, Contradicted, Currency, Date, Decimal, Etag, Gtin, Label, MaskPath, Note, PositiveDecimal, Reason,
        RequestId, Required, RequiredReason, RequiredText, Text, Token, Uuid, Zone,
    };
    let message = place.field().parent_message().clone();
    match (message.name().trim_end_matches("Request"), place.field().name()) {
        // In a valid request here they stand beside a COUNT, which is of no order.
        ("AdjustInventory", "purchase_order_id" | "etag") => Token,
        ("AdjustInventory", "product_id") => Required(64),
        ("AdjustInventory", "quantity") => Decimal(4, 9_999_999_999_999),
        ("AdjustInventory", "unit_cost") => Decimal(6, 1_000_000_000_000_000),
        ("AdjustInventory", "reason") => RequiredReason,
        // In a valid request here an item names a line of its order, or an unlisted product.
        ("NewReceiptItem", "product_id" | "gtin") => Token,
        ("NewReceiptItem", "purchase_order_id") if names_line(place) => Token,
        ("UnlistedProduct", _) if names_line(place) => Contradicted,
        ("UnlistedProduct", "product_id") => Required(64),
        ("UnlistedProduct", "description") => RequiredText(200),
        ("UnlistedProduct", "gtin") => Gtin,
        ("UnlistedProduct", "pack_size") => PositiveDecimal(4, 9_999_999_999_999),
        (_, "store_id" | "role_id") => Label,
        // Without an order the list is that of the store.
        ("ListReceipts", "purchase_order_id") => RequestId,
        (_, "purchase_order_id") => Uuid,
        (_, "request_id") => RequestId,
        (_, "etag") => Etag,
        (_, "page_token") => Token,
        (_, "expected_date") => Date,
        ("CreatePurchaseOrder", "currency") => Currency { required: false },
        ("CreateStore", "currency") => Currency { required: true },
        ("CreateStore" | "UpdateStore", "time_zone") => Zone,
        ("CreateStore" | "UpdateStore", "display_name") => Text(200),
        ("CreateStore", "owner_principal") => Required(200),
        ("GrantRole" | "RevokeRole", "principal") => Required(200),
        ("ListGrants", "principal") => Code(200),
        ("FieldMask", "paths") => MaskPath,
        ("NewLine", "product_id") => Required(64),
        ("NewLine", "description") => Text(200),
        ("NewLine", "gtin") => Gtin,
        ("NewLine" | "NewReceiptItem", "unit_cost" | "excess_unit_cost") => Decimal(6, 1_000_000_000_000_000),
        ("NewLine", "quantity") => Decimal(4, 9_999_999_999_999),
        ("NewLine", "pack_size") => PositiveDecimal(4, 9_999_999_999_999),
        // The valid requests here say quantities in units and costs per unit.
        ("NewLine", "packs" | "pack_cost") => Contradicted,
        ("NewLine", "supplier_product_id") => Code(64),
        ("NewLine", "over_receipt_tolerance") | ("UpdateStore", "over_receipt_tolerance") => Decimal(4, 10_000_000),
        ("Charge", "description") => RequiredText(200),
        ("Charge", "amount") => Decimal(4, 1_000_000_000_000_000),
        ("NewReceiptItem", "accepted" | "rejected" | "accepted_packs" | "rejected_packs") => {
            Decimal(4, 9_999_999_999_999)
        }
        ("LineAmendment", "unit_cost") => Decimal(6, 1_000_000_000_000_000),
        ("LineAmendment" | "LineConfirmation", "quantity") => Decimal(4, 9_999_999_999_999),
        ("LineAmendment" | "LineConfirmation", "packs") => Decimal(4, 9_999_999_999_999),
        // The valid request here says the cost per unit.
        ("LineAmendment", "pack_cost") => Contradicted,
        ("LineAmendment", "note") => Note,
        ("LineCancellation", "quantity") => PositiveDecimal(4, 9_999_999_999_999),
        ("LineDisposition", "back_order" | "cancel") => Decimal(4, 9_999_999_999_999),
        ("NewReceiptItem", "reject_note") => Reason,
        ("NewLot" | "NamedLot", "lot_code") => Required(64),
        ("NewLot" | "NamedLot", "expiry_date") => Date,
        ("NewLot", "quantity") => Decimal(4, 9_999_999_999_999),
        ("CreatePurchaseOrder" | "UpdatePurchaseOrder", "external_id") => Code(64),
        ("CreatePurchaseOrder" | "UpdatePurchaseOrder" | "ReceiveDelivery", "supplier_id") => Required(64),
        ("CreatePurchaseOrder" | "UpdatePurchaseOrder", "supplier_reference") => Text(200),
        (
            "CreatePurchaseOrder"
            | "UpdatePurchaseOrder"
            | "ReceivePurchaseOrder"
            | "ReceiveDelivery"
            | "CorrectReceipt"
            | "NewLine",
            "note",
        ) => Note,
        // In a valid request here something else names what is looked for.
        ("GetPurchaseOrder", "external_id") | ("FindReceivable", "gtin") => Token,
        ("ListPurchaseOrders", "supplier_id" | "product_id") | ("ListInventoryLots", "product_id") => Code(64),
        ("ListInventoryLots", "expires_before") => Date,
        ("ListReceipts" | "FindReceivable" | "GetSupplierPerformance", "supplier_id") => Code(64),
        // No other day that is tried here makes a period with the one that stays.
        ("GetSupplierPerformance", "order_date_from" | "order_date_before") => Contradicted,
        ("FindReceivable", "product_id") => Required(64),
        ("ListOutstandingLines", "supplier_id" | "product_id") => Code(64),
        ("ListOutstandingLines", "due_from" | "due_before") => Date,
        ("ListOutstandingLines", "number") => Text(64),
        ("ListPurchaseOrders", "expected_from" | "expected_before") => Date,
        ("ListPurchaseOrders", "external_id") => Code(64),
        ("ListReceipts", "delivery_note") => Text(200),
        ("ListPurchaseOrders", "number_prefix") => Text(64),
        ("ListPurchaseOrders", "supplier_reference") => Text(200),
        ("ReceivePurchaseOrder" | "ReceiveDelivery" | "CorrectReceipt", "delivery_note") => Text(200),
        ("VoidReceipt" | "CorrectReceipt" | "ReopenPurchaseOrder", "reason") => RequiredReason,
        ("CancelPurchaseOrder", "reason") => Reason,
        ("CompletePurchaseOrder" | "PreviewCompletion" | "LineDisposition", "cancel_reason") => Reason,
        ("LineCancellation", "reason") => RequiredReason,
        ("GetInventoryLevel" | "ListStockMovements", "product_id") => Required(64),
        ("ListInventoryLevels", "product_ids") => Required(64),
        (message, field) => panic!("no rule is told for {message}.{field}"),
    }
}

impl Rule {
    /// How many bytes a text may have, where it is one.
    pub fn most_bytes(self) -> Option<usize> {
        match self {
            Self::Text(max) | Self::Code(max) | Self::Required(max) | Self::RequiredText(max) => Some(max),
            Self::Note | Self::Reason | Self::RequiredReason => Some(1_000),
            _ => None,
        }
    }

    /// Whether a string may stand there.
    pub fn admits(self, text: &str) -> bool {
        let in_charset = |allowed: &dyn Fn(char) -> bool| text.chars().all(allowed);
        match self {
            Self::Text(max) => fits(text, max) && in_charset(&|c| !hides(c) && !"\n\t\u{2028}\u{2029}".contains(c)),
            Self::Note => fits(text, 1_000) && in_charset(&|c| !hides(c)),
            Self::Reason => text.is_empty() || Self::RequiredReason.admits(text),
            Self::RequiredReason => !text.trim().is_empty() && text != "\u{200f}" && Self::Note.admits(text),
            Self::Code(max) => {
                let blanks = text.trim() != text || text.contains("  ") || text.contains(['\u{a0}', '\u{3000}']);
                Self::Text(max).admits(text) && !blanks && in_charset(&|c| !"\u{200d}\u{200f}".contains(c))
            }
            Self::Required(max) => !text.is_empty() && Self::Code(max).admits(text),
            Self::Label => (1..=63).contains(&text.len()) && in_charset(&|c| matches!(c, 'a'..='z' | '0'..='9' | '-')),
            Self::Uuid => {
                let dashes: Vec<usize> = text.match_indices('-').map(|(at, _)| at).collect();
                let others = in_charset(&|c| c == '-' || c.is_ascii_hexdigit());
                text.len() == 36 && dashes == [8, 13, 18, 23] && others
            }
            Self::RequestId => text.is_empty() || Self::Uuid.admits(text),
            Self::Decimal(places, max) => plain_decimal(text, places).is_some_and(|value| value <= u128::from(max)),
            Self::PositiveDecimal(places, max) => {
                plain_decimal(text, places).is_some_and(|value| (1..=u128::from(max)).contains(&value))
            }
            Self::Contradicted => false,
            Self::RequiredText(max) => {
                !text.trim().is_empty() && text != "\u{200f}" && text != "\u{200d}" && Self::Text(max).admits(text)
            }
            Self::Date => text.is_empty() || DATES.contains(&text),
            Self::Currency { required } => text == "EUR" || text == "USD" || !required && text.is_empty(),
            Self::Zone => ZONES.contains(&text),
            Self::Gtin => text.is_empty() || text == "4006381333931",
            Self::Token => text.is_empty(),
            Self::Etag => true,
            Self::MaskPath => false,
        }
    }
}

/// Dates and zones among the values tried that do exist.
const DATES: [&str; 1] = ["9999-12-31"];
const ZONES: [&str; 2] = ["UTC", "Europe/Paris"];

/// A plain decimal with at most so many places, in units of the last one.
fn plain_decimal(text: &str, most_places: u32) -> Option<u128> {
    let most_places = most_places as usize;
    let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let is_plain = whole == "0" || !whole.starts_with('0');
    let reads = digits(whole) && digits(places) && places.len() <= most_places && is_plain;
    reads.then(|| format!("{whole}{places:0<most_places$}").parse().ok()).flatten()
}

fn fits(text: &str, max: usize) -> bool {
    text.nfc().collect::<String>().len() <= max
}

/// What no text may hold; line feeds and tabs depend on the field.
fn hides(c: char) -> bool {
    let reorders = ('\u{202a}'..='\u{202e}').contains(&c) || ('\u{2066}'..='\u{2069}').contains(&c);
    let control = c < ' ' && c != '\n' && c != '\t' || ('\u{7f}'..='\u{9f}').contains(&c);
    control || reorders || c == '\u{200b}' || c == '\u{feff}'
}

/// Whether a value may stand at a place, as far as the request by itself tells.
pub fn admits(place: &Place, value: &Value) -> bool {
    let name = place.field().name();
    match value {
        Value::String(text) => rule(place).admits(text),
        _ if is_unlisted(place) && names_line(place) => false,
        // Beside an unlisted product.
        Value::I32(number) if name == "line_number" && place.request() == "ReceiveDeliveryRequest" => *number == 0,
        Value::I32(number) if name == "page_size" => *number >= 0,
        Value::I32(number) if name == "nanos" => (0..1_000_000_000).contains(number),
        // Beside a COUNT, which is of no order.
        Value::I32(number) if is_of_adjusting(place) => *number == 0,
        Value::I32(number) if name.starts_with("chain_position") => *number >= 0,
        Value::I32(number) => *number >= 1,
        Value::I64(after) if name == "after" => *after >= 0,
        // 0001-01-01 to 9999-12-31.
        Value::I64(seconds) => (-62_135_596_800..=253_402_300_799).contains(seconds),
        Value::EnumNumber(number) => known(place).contains(number),
        // `all_pending` with items is two things at once, and so is a line that is removed and changed.
        Value::Bool(set) => !(*set && (name == "all_pending" || name == "remove")),
        Value::List(elements) => admits_list(place, elements),
        other => panic!("nobody tries {other:?}"),
    }
}

/// Whether it is of an unlisted product: if it is set, an item names one.
pub fn is_unlisted(place: &Place) -> bool {
    place.field().parent_message().name() == "UnlistedProduct"
}

/// Whether the items of the valid request name a line; those of the other name an unlisted product.
pub fn names_line(place: &Place) -> bool {
    matches!(place.request().as_str(), "ReceivePurchaseOrderRequest" | "CorrectReceiptRequest")
}

fn is_of_adjusting(place: &Place) -> bool {
    place.field().parent_message().name() == "AdjustInventoryRequest"
}

fn known(place: &Place) -> Vec<i32> {
    let Kind::Enum(of) = place.field().kind() else { panic!("it is an enum") };
    match of.name() {
        "Unit" if is_of_adjusting(place) => (0..=Unit::SquareMetre.into()).collect(),
        // Those that a cost can be given for.
        "AdjustmentKind" => vec![AdjustmentKind::CustomerReturn.into(), AdjustmentKind::Count.into()],
        "Unit" => (Unit::Each.into()..=Unit::SquareMetre.into()).collect(),
        "Permission" => (Permission::View.into()..=Permission::ViewReports.into()).collect(),
        "PurchaseOrderState" => (PurchaseOrderState::Draft.into()..=PurchaseOrderState::Cancelled.into()).collect(),
        "EventType" => (EventType::StoreCreated.into()..=EventType::StockAdjusted.into()).collect(),
        "PurchaseOrderSorting" => (0..=PurchaseOrderSorting::ExpectedDate.into()).collect(),
        "PurchaseOrderView" => (0..=PurchaseOrderView::Full.into()).collect(),
        // A quantity is rejected in the valid request, so a reason must be given.
        "RejectReason" => (RejectReason::Damaged.into()..=RejectReason::Other.into()).collect(),
        "CancelReason" => (0..=CancelReason::Other.into()).collect(),
        "PendingDisposition" => (0..=PendingDisposition::Cancel.into()).collect(),
        other => panic!("no rule is told for {other}"),
    }
}

/// A list of equal elements, by how many there are.
fn admits_list(place: &Place, elements: &[Value]) -> bool {
    let bounds = match (place.field().parent_message().name(), place.field().name()) {
        // Each once.
        ("ReceivePurchaseOrderRequest" | "ReceiveDeliveryRequest" | "CorrectReceiptRequest", "items")
        | (_, "permissions" | "positions") => 1..=1,
        // Each once too; an item without any is received in none.
        (_, "etags" | "lots" | "types") => 0..=1,
        ("CompletePurchaseOrderRequest" | "PreviewCompletionRequest", "lines") => 0..=1,
        ("AmendPurchaseOrderRequest" | "ConfirmPurchaseOrderRequest", "lines") => 0..=1,
        // The draft has a line.
        ("AmendPurchaseOrderRequest", "new_lines") => 0..=4_999,
        ("CancelPurchaseOrderLinesRequest", "lines") => 1..=1,
        (_, "lines") => 1..=5_000,
        (_, "charges") => 0..=20,
        (_, "product_ids") => 0..=1_000,
        (_, "paths") => 1..=100,
        (_, "states") => 0..=100,
        (message, field) => panic!("no rule is told for {message}.{field}"),
    };
    bounds.contains(&elements.len())
}

/// What is said of a place that holds what it must not: the paths that violations may have.
pub fn blamed(place: &Place) -> BTreeSet<String> {
    let path = place.path();
    let others: &[&str] = match path.as_str() {
        // `all_pending` says that `items` must be empty.
        "all_pending" => &["items"],
        // A charge may be as large as an order, but then the lines make it too large.
        "charges[0].amount" | "charges.charges[0].amount" => &["lines"],
        // A cost per pack contradicts the one per unit, and needs a size.
        "lines[0].pack_cost" => &["lines[0].unit_cost"],
        "lines[0].pack_size" => &["lines[0].packs", "lines[0].pack_cost"],
        "new_lines[0].pack_cost" => &["new_lines[0].unit_cost"],
        "new_lines[0].pack_size" => &["new_lines[0].packs", "new_lines[0].pack_cost"],
        // An update without fields lacks the mask as a whole.
        "update_mask.paths" => &["update_mask"],
        // Goods that are taken out have no cost, and an order has lines.
        "kind" => &["unit_cost"],
        "purchase_order_id" if is_of_adjusting(place) => &["line_number"],
        // A line of which nothing is cancelled is passed over, and no other is left.
        "lines[0].quantity" if place.request() == "CancelPurchaseOrderLinesRequest" => &["lines"],
        // They are counted over all items together.
        "items[0].lots" => &["items.lots"],
        // Lots add up to what is accepted, and have not expired when they arrive.
        "items[0].accepted" | "items[0].accepted_packs" => &["items[0].lots"],
        "items[0].lots[0].quantity" | "items[0].lots[0].expiry_date" => &["items[0].lots"],
        // An item that names two things names neither.
        "items[0].line_number" | "items[0].product_id" | "items[0].gtin" => &["items[0]"],
        path if path.starts_with("items[0].unlisted.") => &["items[0]", "items[0].unlisted.unit"],
        // The two days make a period together.
        "order_date_from" => &["order_date_before"],
        "external_id" if place.request() == "GetPurchaseOrderRequest" => &["purchase_order_id"],
        "gtin" => &["product_id"],
        // The order is of another supplier then.
        "supplier_id" => &["items[0].purchase_order_id"],
        _ => &[],
    };
    others.iter().map(|other| (*other).to_owned()).chain([path]).collect()
}
