//! Tables `receipt` and `receipt_item`.

use diesel::prelude::Queryable;

use super::order_id;
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::order::receipt::{Receipt, ReceiptItem, Voided};
use crate::domain::order::{OrderKey, ReceiptKey};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `receipt`.
#[derive(Queryable)]
pub struct ReceiptRow {
    store_id: String,
    po_id: String,
    receipt_number: i32,
    receive_time: i64,
    book_time: i64,
    booked_by: String,
    delivery_note: Option<String>,
    note: Option<String>,
    void_time: Option<i64>,
    voided_by: Option<String>,
    void_reason: Option<String>,
}

impl TryFrom<ReceiptRow> for Receipt {
    type Error = DbError;

    /// The receipt without its items.
    fn try_from(row: ReceiptRow) -> Result<Self, DbError> {
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        let voided = match (row.void_time, row.voided_by, row.void_reason) {
            (Some(time), Some(by), Some(reason)) => {
                Some(Voided { time: Timestamp::from_micros(time), by: PrincipalId::new(by), reason })
            }
            _ => None,
        };
        Ok(Self {
            key: ReceiptKey { order, number: row.receipt_number },
            receive_time: Timestamp::from_micros(row.receive_time),
            book_time: Timestamp::from_micros(row.book_time),
            booked_by: PrincipalId::new(row.booked_by),
            delivery_note: row.delivery_note,
            note: row.note,
            voided,
            items: Vec::new(),
        })
    }
}

/// A row of `receipt_item`.
#[derive(Queryable)]
pub struct ReceiptItemRow {
    store_id: String,
    po_id: String,
    receipt_number: i32,
    line_number: i32,
    accepted: i64,
    rejected: i64,
    reject_reason: Option<String>,
}

/// An item with the receipt that it belongs to.
pub struct ItemOfReceipt {
    /// The receipt.
    pub receipt: ReceiptKey,
    /// The item.
    pub item: ReceiptItem,
}

impl TryFrom<ReceiptItemRow> for ItemOfReceipt {
    type Error = DbError;

    fn try_from(row: ReceiptItemRow) -> Result<Self, DbError> {
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        let item = ReceiptItem {
            line: row.line_number,
            accepted: Quantity::from_scaled(row.accepted),
            rejected: Quantity::from_scaled(row.rejected),
            reject_reason: row.reject_reason,
        };
        Ok(Self { receipt: ReceiptKey { order, number: row.receipt_number }, item })
    }
}

impl Row for Receipt {
    const TABLE: &'static str = "receipt";
    const COLUMNS: &'static [&'static str] = &[
        "store_id",
        "po_id",
        "receipt_number",
        "receive_time",
        "book_time",
        "booked_by",
        "delivery_note",
        "note",
        "void_time",
        "voided_by",
        "void_reason",
    ];
    const KEY: usize = 3;
    const FIXED: usize = 8;

    fn cells(&self) -> Vec<Cell<'_>> {
        let voided = self.voided.as_ref();
        vec![
            Cell::text(self.key.order.store.as_str()),
            Cell::text(self.key.order.order.to_string()),
            Cell::Int(self.key.number),
            Cell::big(self.receive_time.micros()),
            Cell::big(self.book_time.micros()),
            Cell::text(self.booked_by.as_str()),
            Cell::maybe(self.delivery_note.as_deref()),
            Cell::maybe(self.note.as_deref()),
            Cell::Big(voided.map(|voided| voided.time.micros())),
            Cell::maybe(voided.map(|voided| voided.by.as_str())),
            Cell::maybe(voided.map(|voided| voided.reason.as_str())),
        ]
    }
}

impl Row for ItemOfReceipt {
    const TABLE: &'static str = "receipt_item";
    const COLUMNS: &'static [&'static str] =
        &["store_id", "po_id", "receipt_number", "line_number", "accepted", "rejected", "reject_reason"];
    const KEY: usize = 4;
    const FIXED: usize = 7;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.receipt.order.store.as_str()),
            Cell::text(self.receipt.order.order.to_string()),
            Cell::Int(self.receipt.number),
            Cell::Int(self.item.line),
            Cell::big(self.item.accepted.scaled()),
            Cell::big(self.item.rejected.scaled()),
            Cell::maybe(self.item.reject_reason.as_deref()),
        ]
    }
}
