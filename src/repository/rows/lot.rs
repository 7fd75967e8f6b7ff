//! Rows of the tables `receipt_lot` and `inventory_lot`.

use std::collections::BTreeMap;

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::prelude::{Queryable, Selectable};
use diesel::sql_types::Bool;

use super::{optional_date, order_id};
use crate::domain::code::{ProductId, StoreId};
use crate::domain::inventory::lot::{Lot, LotKey, LotQuantity};
use crate::domain::inventory::{LevelKey, Movement};
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{OrderKey, ReceiptKey};
use crate::domain::quantity::Quantity;
use crate::domain::time::Date;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::{inventory_lot, receipt_lot};

/// What `inventory_lot` has in place of the date of goods that do not expire. A part of a key is never null, and in the
/// order of text it is behind every date.
pub const NO_EXPIRY_DATE: &str = "none";

/// Whether something is on hand of a lot. It is written as the indexes of lots in stock have it: a database would not
/// know that a parameter is zero, and so could not use them.
pub fn is_in_stock() -> SqlLiteral<Bool> {
    sql("inventory_lot.on_hand > 0")
}

/// The expiry date as it is in the key of `inventory_lot`.
pub fn expiry_key(expiry_date: Option<Date>) -> String {
    expiry_date.map_or_else(|| NO_EXPIRY_DATE.to_owned(), |date| date.to_string())
}

/// The lot that a row names, if it names one.
pub fn lot(code: Option<String>, expiry_date: Option<String>) -> Result<Option<Lot>, DbError> {
    match (code, expiry_date) {
        (Some(code), expiry_date) => Ok(Some(Lot { code, expiry_date: optional_date(expiry_date)? })),
        (None, None) => Ok(None),
        (None, Some(date)) => Err(DbError::unreadable("expiry date of no lot", date)),
    }
}

/// A lot of a receipt item as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = receipt_lot)]
pub struct ReceiptLotRow {
    store_id: String,
    po_id: String,
    receipt_number: i32,
    line_number: i32,
    lot_number: i32,
    lot_code: String,
    expiry_date: Option<String>,
    quantity: i64,
}

/// A lot of an item as a row of its own: in the domain it is a part of its item and has no key.
#[derive(Debug)]
pub struct LotOfItem {
    /// The key of the receipt that the item belongs to.
    pub receipt: ReceiptKey,
    /// The line that the item is of.
    pub line: i32,
    /// 1, 2, 3 ... in the order of the item's lots.
    pub number: i32,
    /// The lot, and how much of it was accepted.
    pub lot: LotQuantity,
}

impl LotOfItem {
    /// The lots of all items of a receipt.
    pub fn of_receipt(receipt: &Receipt) -> Vec<Self> {
        let mut lots = Vec::new();
        for item in &receipt.items {
            for (number, lot) in (1..).zip(&item.lots) {
                lots.push(Self { receipt: receipt.key.clone(), line: item.line, number, lot: lot.clone() });
            }
        }
        lots
    }
}

impl TryFrom<ReceiptLotRow> for LotOfItem {
    type Error = DbError;

    fn try_from(row: ReceiptLotRow) -> Result<Self, DbError> {
        let order = OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? };
        Ok(Self {
            receipt: ReceiptKey { order, number: row.receipt_number },
            line: row.line_number,
            number: row.lot_number,
            lot: LotQuantity {
                lot: Lot { code: row.lot_code, expiry_date: optional_date(row.expiry_date)? },
                quantity: Quantity::from_scaled(row.quantity),
            },
        })
    }
}

impl Row for LotOfItem {
    const TABLE: &'static str = "receipt_lot";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.receipt.order.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.receipt.order.order.to_string())),
        Column::key("receipt_number", |row| Cell::Int(row.receipt.number)),
        Column::key("line_number", |row| Cell::Int(row.line)),
        Column::key("lot_number", |row| Cell::Int(row.number)),
        Column::fixed("lot_code", |row| Cell::text(row.lot.lot.code.as_str())),
        Column::fixed("expiry_date", |row| Cell::formatted(row.lot.lot.expiry_date)),
        Column::fixed("quantity", |row| Cell::big_int(row.lot.quantity.scaled())),
    ];
}

/// What is on hand of a lot, as it is read.
#[derive(Queryable, Selectable)]
#[diesel(table_name = inventory_lot)]
pub struct LotRow {
    store_id: String,
    product_id: String,
    lot_code: String,
    expiry_date: String,
    on_hand: i64,
}

impl TryFrom<LotRow> for LotSum {
    type Error = DbError;

    fn try_from(row: LotRow) -> Result<Self, DbError> {
        let expiry_date = if row.expiry_date == NO_EXPIRY_DATE { None } else { Some(row.expiry_date) };
        Ok(Self {
            key: LotKey {
                level: LevelKey { store: StoreId::new(row.store_id), product: ProductId::new(row.product_id) },
                lot: Lot { code: row.lot_code, expiry_date: optional_date(expiry_date)? },
            },
            quantity: Quantity::from_scaled(row.on_hand),
        })
    }
}

/// What is on hand of a lot, or what a transaction adds to it.
#[derive(Debug)]
pub struct LotSum {
    /// The store, the product and the lot.
    pub key: LotKey,
    /// How much; below zero where it is what a transaction takes out.
    pub quantity: Quantity,
}

impl LotSum {
    /// What ledger rows add to each lot together, and what they take out of each: every lot once, in one of the two.
    pub fn of_movements(movements: &[Movement]) -> (Vec<Self>, Vec<Self>) {
        let mut sums: BTreeMap<LotKey, Quantity> = BTreeMap::new();
        for row in movements {
            if let Some(lot) = &row.lot {
                *sums.entry(LotKey { level: row.level.clone(), lot: lot.clone() }).or_default() += row.quantity;
            }
        }
        let sums = sums.into_iter().map(|(key, quantity)| Self { key, quantity });
        // Zero counts as added: a batch may have filled and emptied a lot that has no row yet.
        sums.partition(|sum| sum.quantity >= Quantity::ZERO)
    }
}

impl Row for LotSum {
    const TABLE: &'static str = "inventory_lot";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.level.store.as_str())),
        Column::key("product_id", |row| Cell::text(row.key.level.product.as_str())),
        Column::key("lot_code", |row| Cell::text(row.key.lot.code.as_str())),
        Column::key("expiry_date", |row| Cell::text(expiry_key(row.key.lot.expiry_date))),
        Column::changing("on_hand", |row| Cell::big_int(row.quantity.scaled())),
    ];
}
