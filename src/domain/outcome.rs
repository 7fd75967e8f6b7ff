//! What commands come to: for each shape of outcome a type that holds what the answer repeats exactly,
//! however often the call is sent again. The rest of an answer is the order's header as it stands when
//! the answer is given. Outcomes are stored as JSON beside the request id that they answer.

use serde::{Deserialize, Serialize};

use super::order::OrderId;

/// What a command came to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A store was created, or its settings were changed.
    StoreChanged(StoreChanged),
    /// Roles or grants were changed.
    AccessChanged(AccessChanged),
    /// An order was created, or changed without a receipt or a back order being made.
    OrderChanged(OrderChanged),
    /// A delivery was booked.
    ReceiptBooked(ReceiptChanged),
    /// A receipt was voided.
    ReceiptVoided(ReceiptChanged),
    /// An order was completed.
    OrderCompleted(OrderCompleted),
}

/// See [`Outcome::StoreChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreChanged {
    /// The number of the event that tells of it; 0 if everything was as asked for already.
    pub event: i64,
}

/// See [`Outcome::AccessChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChanged {
    /// The number of the event that tells of it; 0 if everything was as asked for already.
    pub event: i64,
}

/// See [`Outcome::OrderChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChanged {
    /// The number of the event that tells of it; 0 if everything was as asked for already.
    pub event: i64,
    /// The order that was created or changed.
    pub order: OrderId,
}

/// See [`Outcome::ReceiptBooked`] and [`Outcome::ReceiptVoided`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptChanged {
    /// The number of the event that tells of it.
    pub event: i64,
    /// The order that the receipt belongs to.
    pub order: OrderId,
    /// The receipt's number on that order.
    pub receipt: i32,
    /// The lines that the receipt has items of; the answer shows them.
    pub lines: Vec<i32>,
}

/// See [`Outcome::OrderCompleted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCompleted {
    /// The number of the event that tells of it.
    pub event: i64,
    /// The order that was completed.
    pub order: OrderId,
    /// The back order that was created with it, if anything was back-ordered.
    pub back_order: Option<CreatedBackOrder>,
}

/// The back order that a completion created.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedBackOrder {
    /// Its id.
    pub order: OrderId,
    /// Its number.
    pub number: String,
    /// How many lines it was created with.
    pub lines: i32,
}

impl Outcome {
    /// A change of a store; `event` is 0 if nothing changed.
    pub const fn store_changed(event: i64) -> Self {
        Self::StoreChanged(StoreChanged { event })
    }

    /// A change of roles or grants; `event` is 0 if nothing changed.
    pub const fn access_changed(event: i64) -> Self {
        Self::AccessChanged(AccessChanged { event })
    }

    /// A change of an order; `event` is 0 if nothing changed.
    pub const fn order_changed(event: i64, order: OrderId) -> Self {
        Self::OrderChanged(OrderChanged { event, order })
    }

    /// The number of its event; 0 if nothing changed.
    pub const fn event(&self) -> i64 {
        match self {
            Self::StoreChanged(StoreChanged { event })
            | Self::AccessChanged(AccessChanged { event })
            | Self::OrderChanged(OrderChanged { event, .. })
            | Self::ReceiptBooked(ReceiptChanged { event, .. })
            | Self::ReceiptVoided(ReceiptChanged { event, .. })
            | Self::OrderCompleted(OrderCompleted { event, .. }) => *event,
        }
    }

    /// The order whose header the answer shows.
    pub const fn order(&self) -> Option<OrderId> {
        match self {
            Self::StoreChanged(_) | Self::AccessChanged(_) => None,
            Self::OrderChanged(OrderChanged { order, .. })
            | Self::ReceiptBooked(ReceiptChanged { order, .. })
            | Self::ReceiptVoided(ReceiptChanged { order, .. })
            | Self::OrderCompleted(OrderCompleted { order, .. }) => Some(*order),
        }
    }

    /// The receipt that the answer shows, by its number on that order.
    pub const fn receipt(&self) -> Option<i32> {
        match self {
            Self::ReceiptBooked(changed) | Self::ReceiptVoided(changed) => Some(changed.receipt),
            _ => None,
        }
    }

    /// The lines that the answer shows, by their numbers on that order.
    pub fn lines(&self) -> &[i32] {
        match self {
            Self::ReceiptBooked(changed) | Self::ReceiptVoided(changed) => &changed.lines,
            _ => &[],
        }
    }
}
