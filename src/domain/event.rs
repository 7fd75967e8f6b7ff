//! What happened: one event per thing that a command changed, numbered per store without a gap.

use serde::Serialize;

use super::code::{PrincipalId, StoreId};
use super::order::{OrderId, State};
use super::time::Timestamp;

/// One thing that happened in a store.
#[derive(Clone, Debug)]
pub struct Event {
    /// Where.
    pub store: StoreId,
    /// 1, 2, 3 ... in the store.
    pub number: i64,
    /// When, by the store's clock.
    pub time: Timestamp,
    /// Who did it.
    pub actor: PrincipalId,
    /// Whether as a platform operator.
    pub as_operator: bool,
    /// The order that it happened to.
    pub order: Option<OrderRevision>,
    /// What.
    pub detail: Detail,
}

/// An order as an event left it.
#[derive(Clone, Copy, Debug)]
pub struct OrderRevision {
    /// Which.
    pub order: OrderId,
    /// Its revision afterwards.
    pub revision: i64,
    /// Its state afterwards.
    pub state: State,
}

/// What changed. Quantities are decimals, as on the wire; stored as JSON with a version beside it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
#[allow(missing_docs, reason = "each field is named as in the contract")]
pub enum Detail {
    StoreCreated { owner: String, currency: &'static str, time_zone: String },
    StoreUpdated { display_name: Option<String>, time_zone: Option<String> },
    BackOrdersEnabled {},
    BackOrdersDisabled {},
    RoleCreated { role: String, permissions: Vec<&'static str> },
    RoleUpdated { role: String, added: Vec<&'static str>, removed: Vec<&'static str> },
    RoleDeleted { role: String },
    RoleGranted { principal: String, role: String },
    RoleRevoked { principal: String, role: String },
    OrderCreated { number: String, lines: Vec<LineQuantity> },
    OrderUpdated(OrderChanges),
    OrderPlaced { order_time: i64 },
    ReceiptBooked { receipt: i32, receive_time: i64, items: Vec<ItemQuantities> },
    ReceiptVoided { receipt: i32, reason: String, items: Vec<ItemQuantities> },
    OrderCompleted { settled: Vec<SettledLine>, back_order: Option<OrderId>, cancel_reason: Option<String> },
    BackOrderCreated { number: String, parent: OrderId, lines: Vec<LineQuantity> },
    OrderCancelled { reason: Option<String> },
}

/// What was changed of an order: fields that were not are left out, and those that were emptied are
/// null.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in the contract")]
pub struct OrderChanges {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub supplier_reference: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected_date: Option<Option<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<Vec<LineQuantity>>,
}

/// A line and how many it is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[allow(missing_docs, reason = "named as in the contract")]
pub struct LineQuantity {
    pub line: i32,
    pub quantity: String,
}

/// A receipt item.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "named as in the contract")]
pub struct ItemQuantities {
    pub line: i32,
    pub accepted: String,
    pub rejected: String,
}

/// A line whose pending quantity was settled by a completion.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs, reason = "named as in the contract")]
pub struct SettledLine {
    pub line: i32,
    pub back_ordered: String,
    pub cancelled: String,
}

impl Detail {
    /// The version of the JSON that details are stored as.
    pub const VERSION: i32 = 1;

    /// The type it is stored by.
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
            Self::OrderPlaced { .. } => "ORDER_PLACED",
            Self::ReceiptBooked { .. } => "RECEIPT_BOOKED",
            Self::ReceiptVoided { .. } => "RECEIPT_VOIDED",
            Self::OrderCompleted { .. } => "ORDER_COMPLETED",
            Self::BackOrderCreated { .. } => "BACK_ORDER_CREATED",
            Self::OrderCancelled { .. } => "ORDER_CANCELLED",
        }
    }
}
