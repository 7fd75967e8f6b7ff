//! Rows of the tables `receipt` and `receipt_item`. An entity has its items in it, which are rows of the second table.

use diesel::prelude::{Queryable, Selectable};

use super::{delivery_id, order_id};
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::money::{Amount, UnitCost};
use crate::domain::order::receipt::{ItemCosts, Receipt, ReceiptItem, RejectReason, Rejection, Voided};
use crate::domain::order::{OrderKey, ReceiptKey};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::{receipt, receipt_item};

/// A receipt as it is read, without its items, which are rows of their own.
#[derive(Queryable, Selectable)]
#[diesel(table_name = receipt)]
pub struct ReceiptRow {
    store_id: String,
    po_id: String,
    receipt_number: i32,
    receive_time: i64,
    book_time: i64,
    booked_by: String,
    supplier_id: String,
    delivery_note: Option<String>,
    delivery_id: Option<String>,
    note: Option<String>,
    corrects: Option<i32>,
    void_time: Option<i64>,
    voided_by: Option<String>,
    void_reason: Option<String>,
}

impl TryFrom<ReceiptRow> for Receipt {
    type Error = DbError;

    /// The receipt without its items, which the caller adds.
    fn try_from(row: ReceiptRow) -> Result<Self, DbError> {
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        let voided = match (row.void_time, row.voided_by, row.void_reason) {
            (Some(time), Some(by), Some(reason)) => {
                Some(Voided { time: Timestamp::from_micros(time), by: PrincipalId::new(by), reason })
            }
            (None, None, None) => None,
            // Taken for active, a receipt that was voided would be completed into stock.
            _ => return Err(DbError::unreadable("receipt", "it is voided in part")),
        };
        Ok(Self {
            key: ReceiptKey { order, number: row.receipt_number },
            receive_time: Timestamp::from_micros(row.receive_time),
            book_time: Timestamp::from_micros(row.book_time),
            booked_by: PrincipalId::new(row.booked_by),
            supplier: row.supplier_id,
            delivery_note: row.delivery_note,
            delivery: row.delivery_id.as_deref().map(delivery_id).transpose()?,
            note: row.note,
            corrects: row.corrects,
            voided,
            items: Vec::new(),
        })
    }
}

/// An item of a receipt as it is read: what one delivery brought of one line.
#[derive(Queryable, Selectable)]
#[diesel(table_name = receipt_item)]
pub struct ReceiptItemRow {
    store_id: String,
    po_id: String,
    receipt_number: i32,
    line_number: i32,
    accepted: i64,
    excess: i64,
    rejected: i64,
    reject_reason: Option<String>,
    reject_note: Option<String>,
    unit_cost: Option<i64>,
    excess_unit_cost: Option<i64>,
    value: i64,
}

/// An item as a row of its own: in the domain it is a part of its receipt and has no key.
pub struct ItemOfReceipt {
    /// The key of the receipt that it belongs to.
    pub receipt: ReceiptKey,
    /// The quantities of one line in this delivery.
    pub item: ReceiptItem,
}

fn rejection(reason: Option<String>, note: Option<String>) -> Result<Option<Rejection>, DbError> {
    let Some(name) = reason else { return Ok(None) };
    match RejectReason::from_name(&name) {
        Some(reason) => Ok(Some(Rejection { reason, note })),
        None => Err(DbError::unreadable("reject reason", name)),
    }
}

/// The costs that an item names, from the columns that hold them.
pub fn item_costs(unit_cost: Option<i64>, excess_unit_cost: Option<i64>) -> ItemCosts {
    ItemCosts {
        unit_cost: unit_cost.map(UnitCost::from_scaled),
        excess_unit_cost: excess_unit_cost.map(UnitCost::from_scaled),
    }
}

impl TryFrom<ReceiptItemRow> for ItemOfReceipt {
    type Error = DbError;

    fn try_from(row: ReceiptItemRow) -> Result<Self, DbError> {
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        let item = ReceiptItem {
            line: row.line_number,
            accepted: Quantity::from_scaled(row.accepted),
            excess: Quantity::from_scaled(row.excess),
            rejected: Quantity::from_scaled(row.rejected),
            rejection: rejection(row.reject_reason, row.reject_note)?,
            costs: item_costs(row.unit_cost, row.excess_unit_cost),
            value: Amount::from_scaled(row.value),
            // Rows of their own, which the caller adds.
            lots: Vec::new(),
        };
        Ok(Self { receipt: ReceiptKey { order, number: row.receipt_number }, item })
    }
}

impl Row for Receipt {
    const TABLE: &'static str = "receipt";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.order.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.key.order.order.to_string())),
        Column::key("receipt_number", |row| Cell::Int(row.key.number)),
        Column::fixed("receive_time", |row| Cell::big_int(row.receive_time.micros())),
        Column::fixed("book_time", |row| Cell::big_int(row.book_time.micros())),
        Column::fixed("booked_by", |row| Cell::text(row.booked_by.as_str())),
        Column::fixed("supplier_id", |row| Cell::text(&row.supplier)),
        Column::fixed("delivery_note", |row| Cell::optional_text(row.delivery_note.as_deref())),
        Column::fixed("delivery_id", |row| Cell::formatted(row.delivery)),
        Column::fixed("note", |row| Cell::optional_text(row.note.as_deref())),
        Column::fixed("corrects", |row| Cell::OptionalInt(row.corrects)),
        Column::changing("void_time", |row| Cell::BigInt(row.voided.as_ref().map(|voided| voided.time.micros()))),
        Column::changing("voided_by", |row| Cell::optional_text(row.voided.as_ref().map(|voided| voided.by.as_str()))),
        Column::changing("void_reason", |row| {
            Cell::optional_text(row.voided.as_ref().map(|voided| voided.reason.as_str()))
        }),
    ];
}

impl Row for ItemOfReceipt {
    const TABLE: &'static str = "receipt_item";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.receipt.order.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.receipt.order.order.to_string())),
        Column::key("receipt_number", |row| Cell::Int(row.receipt.number)),
        Column::key("line_number", |row| Cell::Int(row.item.line)),
        Column::fixed("accepted", |row| Cell::big_int(row.item.accepted.scaled())),
        Column::fixed("excess", |row| Cell::big_int(row.item.excess.scaled())),
        Column::fixed("rejected", |row| Cell::big_int(row.item.rejected.scaled())),
        Column::fixed("reject_reason", |row| {
            Cell::optional_text(row.item.rejection.as_ref().map(|rejection| rejection.reason.name()))
        }),
        Column::fixed("reject_note", |row| {
            Cell::optional_text(row.item.rejection.as_ref().and_then(|rejection| rejection.note.as_deref()))
        }),
        Column::fixed("unit_cost", |row| Cell::BigInt(row.item.costs.unit_cost.map(UnitCost::scaled))),
        Column::fixed("excess_unit_cost", |row| Cell::BigInt(row.item.costs.excess_unit_cost.map(UnitCost::scaled))),
        Column::fixed("value", |row| Cell::big_int(row.item.value.scaled())),
    ];
}
