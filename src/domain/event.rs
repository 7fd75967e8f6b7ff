//! Events: what happened in a store, numbered per store without a gap.
//!
//! A command that changes something records one event for each order that it changes: two where a completion
//! makes a back order or a reopening folds one back, and up to 50 for a delivery. A command that changes no order
//! records one. The history of an order and the periods of roles and grants refer to these numbers; a gap would
//! mean that something was changed without a record.

pub mod history;
mod stored;
mod summary;

use serde::{Deserialize, Deserializer, Serialize};

pub use self::stored::UnreadableDetail;
pub use self::summary::OrderSummary;
use super::access::Permission;
use super::code::{PrincipalId, StoreId};
use super::inventory::MovementKind;
use super::order::cancellation::CancelReason;
use super::order::receipt::DeliveryId;
use super::order::{Charge, OrderId};
use super::time::Timestamp;

/// One thing that happened in a store. Events are appended in the transaction of the change, so none is
/// missing and none is about a change that was rolled back.
#[derive(Clone, Debug)]
pub struct Event {
    /// The store in which it happened.
    pub store: StoreId,
    /// 1, 2, 3 ... in the store, without a gap; roles and grants are valid from and to such numbers.
    pub number: i64,
    /// When it happened, by the store's clock, which never runs back.
    pub time: Timestamp,
    /// The principal who called.
    pub actor: PrincipalId,
    /// Whether the call was allowed because the actor is a platform operator.
    pub as_operator: bool,
    /// The order that it happened to, as it was afterwards; none for events of stores, roles and
    /// grants.
    pub order: Option<OrderSummary>,
    /// What happened, with the values that changed.
    pub detail: Detail,
}

/// What changed, by the type of the event. It is stored as JSON with [`Detail::VERSION`] in it, because
/// events outlive the code that wrote them: see [`Detail::to_stored`] and [`Detail::from_stored`].
/// Quantities are decimals, as in the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Detail {
    StoreCreated {
        owner: String,
        currency: String,
        time_zone: String,
    },
    /// Settings were changed. Those that were not are null or missing.
    StoreUpdated {
        display_name: Option<String>,
        time_zone: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        over_receipt_tolerance: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        allow_negative_stock: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        allow_unlisted_items: Option<bool>,
    },
    BackOrdersEnabled {},
    BackOrdersDisabled {},
    RoleCreated {
        role: String,
        permissions: Vec<Permission>,
    },
    RoleUpdated {
        role: String,
        added: Vec<Permission>,
        removed: Vec<Permission>,
    },
    RoleDeleted {
        role: String,
    },
    RoleGranted {
        principal: String,
        role: String,
    },
    RoleRevoked {
        principal: String,
        role: String,
    },
    OrderCreated {
        number: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        copied_from: Option<OrderId>,
        lines: Vec<LineQuantity>,
    },
    OrderUpdated(OrderChanges),
    OrderAmended(Amendment),
    OrderConfirmed {
        lines: Vec<ConfirmedLine>,
    },
    /// A draft was placed, as ordered at this time, in microseconds since 1970.
    OrderPlaced {
        order_time: i64,
    },
    /// A delivery was booked in, which had arrived at this time, in microseconds since 1970. `lines_added` are the
    /// lines that the order did not have before.
    ReceiptBooked {
        receipt: i32,
        receive_time: i64,
        #[serde(skip_serializing_if = "Option::is_none")]
        delivery: Option<DeliveryId>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines_added: Vec<i32>,
        items: Vec<ItemQuantities>,
    },
    ReceiptVoided {
        receipt: i32,
        reason: String,
        items: Vec<ItemQuantities>,
    },
    /// A receipt was voided, and `replacement` was booked in its place. The items before are those of the first, and
    /// the time and the items those of the second.
    ReceiptCorrected {
        receipt: i32,
        reason: String,
        items_before: Vec<ItemQuantities>,
        replacement: i32,
        receive_time: i64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        lines_added: Vec<i32>,
        items: Vec<ItemQuantities>,
    },
    /// An order was completed. `settled` has the lines of which something was pending.
    OrderCompleted {
        settled: Vec<SettledLine>,
        back_order: Option<OrderId>,
        cancel_reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cancel_reason_code: Option<CancelReason>,
    },
    /// A completion made this order of what another left pending; `lines` says how much of each line.
    BackOrderCreated {
        number: String,
        parent: OrderId,
        lines: Vec<LineQuantity>,
    },
    LinesCancelled {
        lines: Vec<CancelledLine>,
    },
    OrderCancelled {
        reason: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason_code: Option<CancelReason>,
    },
    /// A completion was undone. `lines` says what is pending again, by what had become of it.
    OrderReopened {
        reason: String,
        folded_back: Option<OrderId>,
        lines: Vec<UnsettledLine>,
    },
    /// This back order was cancelled, because its parent was reopened; `lines` says what was pending of it.
    BackOrderFolded {
        parent: OrderId,
        reason: String,
        lines: Vec<LineQuantity>,
    },
    /// Stock moved beside orders. `line` is the line of the event's order by which returned goods had come.
    StockAdjusted {
        product: String,
        kind: MovementKind,
        quantity: String,
        unit_cost: String,
        on_hand: String,
        #[serde(skip_serializing_if = "Option::is_none")]
        line: Option<i32>,
        reason: String,
    },
}

/// What was changed of an order: fields that were not are left out, and those that were emptied are
/// null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChanges {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    #[serde(default, deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub supplier_reference: Option<Option<String>>,
    #[serde(default, deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub note: Option<Option<String>>,
    #[serde(default, deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub external_id: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charges: Option<Vec<ChargeDetail>>,
    #[serde(default, deserialize_with = "named", skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineQuantity>>,
}

/// Reads a field that is there: null means that it was emptied, and not that it is left out.
fn named<'de, D: Deserializer<'de>>(field: D) -> Result<Option<Option<String>>, D::Error> {
    Option::deserialize(field).map(Some)
}

/// What an amendment changed: the header's fields that it left alone are missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<ValueChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub charges: Option<Vec<ChargeDetail>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<AmendedLine>,
}

/// A line of which an amendment changed something that was agreed. What stayed is missing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AmendedLine {
    pub line: i32,
    /// Whether it was not on the order before.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_added: bool,
    /// Whether it is not on the order any more.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_removed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ordered: Option<ValueChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<ValueChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unit_cost: Option<ValueChange>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_cost: Option<ValueChange>,
    /// Whether its text changed, which is not told.
    #[serde(default, skip_serializing_if = "is_false")]
    pub is_note_changed: bool,
}

/// A value before and after; none where there was none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValueChange {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

impl ValueChange {
    /// The change from one value to another; `None` if they are the same.
    pub fn between(from: Option<String>, to: Option<String>) -> Option<Self> {
        if from == to { None } else { Some(Self { from, to }) }
    }
}

/// A line of which the supplier has confirmed a quantity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfirmedLine {
    pub line: i32,
    pub confirmed: String,
    /// The line's new expected date, if the confirmation changed it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// A charge as an update left it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChargeDetail {
    pub description: String,
    pub amount: String,
}

impl From<&Charge> for ChargeDetail {
    fn from(charge: &Charge) -> Self {
        Self { description: charge.description.clone(), amount: charge.amount.to_string() }
    }
}

/// A line and the quantity that the event is about: ordered, or carried over to a back order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineQuantity {
    pub line: i32,
    pub quantity: String,
}

/// A receipt item: what of a line was accepted and what was rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ItemQuantities {
    pub line: i32,
    pub accepted: String,
    pub rejected: String,
}

/// A line of which a pending quantity was cancelled while the order went on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CancelledLine {
    pub line: i32,
    pub quantity: String,
    pub reason: String,
    /// The kind of that reason, if one was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<CancelReason>,
}

/// A line whose pending quantity was settled by a completion.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SettledLine {
    pub line: i32,
    pub back_ordered: String,
    pub cancelled: String,
    /// Why it was cancelled, where that is not the reason of the whole completion.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The kind of that reason, if one was given for the line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_code: Option<CancelReason>,
    /// When the back order expects it, where the completion said so of the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<String>,
}

/// A line of which something is pending again, because the completion that had settled it was undone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnsettledLine {
    pub line: i32,
    pub back_ordered: String,
    pub cancelled: String,
}

impl Detail {
    /// The version of the JSON that details are stored as; to be raised when a field changes its meaning.
    pub const VERSION: i32 = 1;

    /// The name of the type, under which the event is stored; the JSON of the details does not repeat
    /// it.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::StoreCreated { .. } => "STORE_CREATED",
            Self::StoreUpdated { .. } => "STORE_UPDATED",
            Self::BackOrdersEnabled {} => "BACK_ORDERS_ENABLED",
            Self::BackOrdersDisabled {} => "BACK_ORDERS_DISABLED",
            Self::RoleCreated { .. } => "ROLE_CREATED",
            Self::RoleUpdated { .. } => "ROLE_UPDATED",
            Self::RoleDeleted { .. } => "ROLE_DELETED",
            Self::RoleGranted { .. } => "ROLE_GRANTED",
            Self::RoleRevoked { .. } => "ROLE_REVOKED",
            Self::OrderCreated { .. } => "ORDER_CREATED",
            Self::OrderUpdated(_) => "ORDER_UPDATED",
            Self::OrderAmended(_) => "ORDER_AMENDED",
            Self::OrderConfirmed { .. } => "ORDER_CONFIRMED",
            Self::OrderPlaced { .. } => "ORDER_PLACED",
            Self::ReceiptBooked { .. } => "RECEIPT_BOOKED",
            Self::ReceiptVoided { .. } => "RECEIPT_VOIDED",
            Self::ReceiptCorrected { .. } => "RECEIPT_CORRECTED",
            Self::OrderCompleted { .. } => "ORDER_COMPLETED",
            Self::BackOrderCreated { .. } => "BACK_ORDER_CREATED",
            Self::LinesCancelled { .. } => "LINES_CANCELLED",
            Self::OrderCancelled { .. } => "ORDER_CANCELLED",
            Self::OrderReopened { .. } => "ORDER_REOPENED",
            Self::BackOrderFolded { .. } => "BACK_ORDER_FOLDED",
            Self::StockAdjusted { .. } => "STOCK_ADJUSTED",
        }
    }
}
