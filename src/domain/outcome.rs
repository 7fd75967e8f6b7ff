//! Outcomes: what a command did, as far as its answer repeats it exactly however often the request is
//! sent again. The rest of an answer is read when it is given.
//!
//! An outcome is stored as JSON with the request id, in the transaction that carried the request out.
//! It is small, because it refers to entities and does not copy them; its shape must stay readable for
//! as long as stored responses are kept.

use serde::{Deserialize, Serialize};

use super::code::ProductId;
use super::order::OrderId;
use super::order::receipt::DeliveryId;

/// What a command did: the part of its answer that is the same each time the request is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// A store was created, or its settings were changed, or back orders were enabled or disabled.
    StoreChanged(StoreChanged),
    /// Roles were created, changed or deleted, or a grant began or ended.
    AccessChanged(AccessChanged),
    /// An order was created, or changed without a receipt or a back order being made.
    OrderChanged(OrderChanged),
    /// Lines of an order were changed without a receipt.
    LinesChanged(LinesChanged),
    /// A delivery was booked in as a receipt of an order.
    ReceiptBooked(ReceiptChanged),
    /// A delivery over several orders was booked in, with a receipt for each.
    DeliveryBooked(DeliveryBooked),
    /// A receipt was voided, and its quantities are pending again.
    ReceiptVoided(ReceiptChanged),
    /// A receipt was voided and another, which is the one of the outcome, was booked in its place.
    ReceiptCorrected(ReceiptChanged),
    /// An order was completed, with a back order or without one.
    OrderCompleted(OrderCompleted),
    /// A completion was undone, and the back order that it had created was folded back into its order.
    OrderReopened(OrderReopened),
    /// The stock of a product was adjusted, or was as it should be.
    StockAdjusted(StockAdjusted),
}

/// The outcome of a command about a store; see [`Outcome::StoreChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreChanged {
    /// The number of the event; 0 if nothing had to be changed, so that there is none.
    pub event: i64,
}

/// The outcome of a command about roles or grants; see [`Outcome::AccessChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccessChanged {
    /// The number of the event; 0 if nothing had to be changed, so that there is none.
    pub event: i64,
}

/// The outcome of a command about an order that makes no receipt or back order; see
/// [`Outcome::OrderChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderChanged {
    /// The number of the event; 0 if nothing had to be changed, so that there is none.
    pub event: i64,
    /// The order that was created or changed.
    pub order: OrderId,
}

/// The outcome of a command about lines of an order; see [`Outcome::LinesChanged`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinesChanged {
    /// The number of the event; 0 if nothing had to be changed, so that there is none.
    pub event: i64,
    /// The order that the lines are of.
    pub order: OrderId,
    /// The numbers of the lines, in their order; the answer shows them.
    pub lines: Vec<i32>,
}

/// The outcome of a command about a receipt; see [`Outcome::ReceiptBooked`],
/// [`Outcome::ReceiptVoided`] and [`Outcome::ReceiptCorrected`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptChanged {
    /// The number of the event; there always is one.
    pub event: i64,
    /// The order that the receipt belongs to.
    pub order: OrderId,
    /// The receipt's number on that order.
    pub receipt: i32,
    /// The lines that the receipt has items of, and a receipt that it corrects; the answer shows them.
    pub lines: Vec<i32>,
    /// The receipt that bore the same delivery note when this one was booked, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_delivery_note: Option<KnownReceipt>,
}

/// The outcome of a delivery over several orders; see [`Outcome::DeliveryBooked`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryBooked {
    /// The id that its receipts share.
    pub delivery: DeliveryId,
    /// Its receipts, one for each order, the order that was ordered first before the others.
    pub receipts: Vec<ReceiptChanged>,
    /// A receipt of another delivery that bore the same delivery note, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_delivery_note: Option<KnownReceipt>,
}

/// A receipt that a caller is told of, by its order. It is kept here because the order may have changed when
/// the answer is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownReceipt {
    /// The id of the order that it belongs to.
    pub order: OrderId,
    /// The number of that order.
    pub number: String,
    /// The receipt's number on that order.
    pub receipt: i32,
}

/// The outcome of a completion; see [`Outcome::OrderCompleted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderCompleted {
    /// The number of the event of the completed order; that of the back order is the next.
    pub event: i64,
    /// The order that was completed, and not the back order.
    pub order: OrderId,
    /// The back order that was created with it, if anything was back-ordered.
    pub back_order: Option<CreatedBackOrder>,
}

/// The back order that a completion created. It is kept here because it may have changed when the
/// answer is repeated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreatedBackOrder {
    /// The id of the back order.
    pub order: OrderId,
    /// The number of the back order, such as `PO-000001-B1`.
    pub number: String,
    /// How many lines it was created with.
    pub lines: i32,
}

/// The outcome of a reopening; see [`Outcome::OrderReopened`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderReopened {
    /// The number of the event of the reopened order; that of the back order is the next.
    pub event: i64,
    /// The order that was reopened, and not the back order.
    pub order: OrderId,
    /// The back order that was folded back, if there was one.
    pub folded_back: Option<FoldedBackOrder>,
}

/// The back order that a reopening has folded back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FoldedBackOrder {
    /// The id of the back order.
    pub order: OrderId,
    /// The number of the back order, which is never given again.
    pub number: String,
}

/// The outcome of an adjustment; see [`Outcome::StockAdjusted`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockAdjusted {
    /// The number of the event; 0 if what was counted is what was on hand.
    pub event: i64,
    /// The product, whose level the answer shows.
    pub product: String,
    /// The number of the first ledger row of that product; 0 if there is none.
    pub movement: i64,
    /// How many ledger rows there are, one for each lot.
    pub movement_count: i32,
    /// What was added to what is on hand, in ten-thousandths of a unit; below zero if it was taken out.
    pub quantity: i64,
    /// The order of which goods were returned, if the request named one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub order: Option<OrderId>,
    /// The line of that order; the answer shows it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<i32>,
    /// What each lot changed by, in the order of the ledger rows; a row of goods in no lot has none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lots: Vec<AdjustedLot>,
}

/// A lot that an adjustment put goods into or took them out of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AdjustedLot {
    /// The code of the lot.
    pub code: String,
    /// Its expiry date as ISO 8601 text, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_date: Option<String>,
    /// What was added to it, in ten-thousandths of a unit; below zero if it was taken out.
    pub quantity: i64,
}

impl Outcome {
    /// The outcome of a command about a store; `event` is 0 if nothing had to be changed.
    pub const fn store_changed(event: i64) -> Self {
        Self::StoreChanged(StoreChanged { event })
    }

    /// The outcome of a command about roles or grants; `event` is 0 if nothing had to be changed.
    pub const fn access_changed(event: i64) -> Self {
        Self::AccessChanged(AccessChanged { event })
    }

    /// The outcome of a command about an order; `event` is 0 if nothing had to be changed.
    pub const fn order_changed(event: i64, order: OrderId) -> Self {
        Self::OrderChanged(OrderChanged { event, order })
    }

    /// The number of the event that the command recorded first; 0 if nothing had to be changed.
    pub fn event(&self) -> i64 {
        match self {
            Self::StoreChanged(StoreChanged { event })
            | Self::AccessChanged(AccessChanged { event })
            | Self::OrderChanged(OrderChanged { event, .. })
            | Self::LinesChanged(LinesChanged { event, .. })
            | Self::ReceiptBooked(ReceiptChanged { event, .. })
            | Self::ReceiptVoided(ReceiptChanged { event, .. })
            | Self::ReceiptCorrected(ReceiptChanged { event, .. })
            | Self::OrderCompleted(OrderCompleted { event, .. })
            | Self::OrderReopened(OrderReopened { event, .. })
            | Self::StockAdjusted(StockAdjusted { event, .. }) => *event,
            // The receipts of a delivery are recorded one after another, so this is the first of its events.
            Self::DeliveryBooked(booked) => booked.receipts.first().map_or(0, |receipt| receipt.event),
        }
    }

    /// The orders that the answer shows, each with what it shows of the order.
    pub fn orders(&self) -> Vec<OutcomeOfOrder<'_>> {
        match self {
            Self::StoreChanged(_) | Self::AccessChanged(_) => Vec::new(),
            Self::OrderChanged(OrderChanged { order, .. })
            | Self::OrderCompleted(OrderCompleted { order, .. })
            | Self::OrderReopened(OrderReopened { order, .. }) => {
                vec![OutcomeOfOrder { order: *order, receipt: None, lines: &[] }]
            }
            Self::ReceiptBooked(changed) | Self::ReceiptVoided(changed) | Self::ReceiptCorrected(changed) => {
                vec![changed.of_order()]
            }
            Self::LinesChanged(LinesChanged { order, lines, .. }) => {
                vec![OutcomeOfOrder { order: *order, receipt: None, lines }]
            }
            Self::DeliveryBooked(booked) => booked.receipts.iter().map(ReceiptChanged::of_order).collect(),
            Self::StockAdjusted(StockAdjusted { order, lines, .. }) => {
                order.iter().map(|order| OutcomeOfOrder { order: *order, receipt: None, lines }).collect()
            }
        }
    }

    /// The product whose level the answer shows.
    pub fn product(&self) -> Option<ProductId> {
        match self {
            Self::StockAdjusted(adjusted) => Some(ProductId::new(adjusted.product.as_str())),
            _ => None,
        }
    }
}

/// What an answer shows of one order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutcomeOfOrder<'a> {
    /// The order, whose header the answer shows.
    pub order: OrderId,
    /// The number of the receipt that the answer shows, if it shows one.
    pub receipt: Option<i32>,
    /// The numbers of the lines that the answer shows.
    pub lines: &'a [i32],
}

impl ReceiptChanged {
    fn of_order(&self) -> OutcomeOfOrder<'_> {
        OutcomeOfOrder { order: self.order, receipt: Some(self.receipt), lines: &self.lines }
    }
}
