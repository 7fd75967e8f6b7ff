//! Receipts: one with its items, or a page of those of an order or of a store without.

use std::collections::BTreeMap;

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use super::orders::{header, only_order};
use crate::domain::inventory::lot::{Lot, LotQuantity};
use crate::domain::order::receipt::{Receipt, ReceiptItem};
use crate::domain::order::{Order, OrderId};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;
use crate::repository::rows::optional_date;
use crate::repository::rows::order::HeaderRow;
use crate::repository::rows::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow};
use crate::repository::schema::{purchase_order as po, receipt, receipt_item as item, receipt_lot as lot};

/// The header of an order and one of its receipts with its items, in line order. The outer `None` means that there is no
/// such order, the inner one that it has no such receipt: callers get different errors for the two.
pub fn receipt(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    number: i32,
) -> Result<Option<(Order, Option<Receipt>)>, ReadError> {
    let store = check.store.as_str();
    let receipts = receipt::table
        .filter(receipt::store_id.eq(store.to_owned()))
        .filter(receipt::po_id.eq(order.to_string()))
        .filter(receipt::receipt_number.eq(number));
    // Each item once for each of its lots, or once without any. A further relation beside the items would cost time for
    // each pair of rows.
    let of_item = lot::store_id
        .eq(item::store_id)
        .and(lot::po_id.eq(item::po_id))
        .and(lot::receipt_number.eq(item::receipt_number))
        .and(lot::line_number.eq(item::line_number));
    let items = item::table
        .left_join(lot::table.on(of_item))
        .filter(item::store_id.eq(store.to_owned()))
        .filter(item::po_id.eq(order.to_string()))
        .filter(item::receipt_number.eq(number))
        .select((
            item::all_columns,
            (lot::lot_number, lot::lot_code, lot::expiry_date.nullable(), lot::quantity).nullable(),
        ));
    let queries = (header(store.to_owned(), order.to_string()), receipts, items);
    let (_, orders, receipts, items) =
        session.authorize_and_load_three::<HeaderRow, ReceiptRow, ItemWithLot, _, _, _>(check, queries)?;
    let Some(order) = only_order(orders)? else { return Ok(None) };
    let Some(row) = receipts.into_iter().next() else { return Ok(Some((order, None))) };
    let mut receipt = Receipt::try_from(row)?;
    receipt.items = items_with_lots(items)?;
    Ok(Some((order, Some(receipt))))
}

/// An item, and one of its lots: number, code, expiry date and quantity.
type ItemWithLot = (ReceiptItemRow, Option<(i32, String, Option<String>, i64)>);

fn items_with_lots(rows: Vec<ItemWithLot>) -> Result<Vec<ReceiptItem>, DbError> {
    let mut items: BTreeMap<i32, ReceiptItem> = BTreeMap::new();
    let mut lots: BTreeMap<(i32, i32), LotQuantity> = BTreeMap::new();
    for (row, of_item) in rows {
        let item = ItemOfReceipt::try_from(row)?.item;
        if let Some((number, code, expiry_date, quantity)) = of_item {
            let lot = Lot { code, expiry_date: optional_date(expiry_date)? };
            lots.insert((item.line, number), LotQuantity { lot, quantity: Quantity::from_scaled(quantity) });
        }
        items.entry(item.line).or_insert(item);
    }
    // By line and number of the lot, and so in the order in which the lots were given.
    for ((line, _), lot) in lots {
        items.entry(line).and_modify(|item| item.lots.push(lot));
    }
    Ok(items.into_values().collect())
}

/// Which receipts a list shows. A field that is not set excludes none; all that are set must hold.
#[derive(Clone, Debug, Default)]
pub struct ReceiptFilter {
    /// Receipts that are not voided.
    pub active_only: bool,
    /// Receipts with exactly this delivery note.
    pub delivery_note: Option<String>,
    /// Receipts of goods from this supplier.
    pub supplier: Option<String>,
    /// Goods that arrived at this time or later.
    pub receive_time_from: Option<Timestamp>,
    /// Goods that arrived before this time.
    pub receive_time_before: Option<Timestamp>,
}

impl ReceiptFilter {
    fn conditions(&self, store: &str) -> AllOf<receipt::table> {
        AllOf::new(receipt::store_id.eq(store.to_owned()))
            .and(self.active_only.then(|| receipt::void_time.is_null()))
            .and(self.delivery_note.clone().map(|note| receipt::delivery_note.assume_not_null().eq(note)))
            .and(self.supplier.clone().map(|supplier| receipt::supplier_id.eq(supplier)))
            .and(self.receive_time_from.map(|time| receipt::receive_time.ge(time.micros())))
            .and(self.receive_time_before.map(|time| receipt::receive_time.lt(time.micros())))
    }
}

/// A receipt as lists show it.
pub struct ListedReceipt {
    /// The receipt without its items.
    pub receipt: Receipt,
    /// How many items it has.
    pub items: i32,
    /// The number of its order.
    pub number: String,
}

/// A position in the list of a store's receipts, which page tokens carry: the time in microseconds, the order and the
/// number of the receipt. They never change, so no page repeats or leaves out a receipt.
pub type ReceiptPosition = (i64, String, i32);

/// The position at which the list of a store shows a receipt.
pub fn position(listed: &ListedReceipt) -> ReceiptPosition {
    let key = &listed.receipt.key;
    (listed.receipt.receive_time.micros(), key.order.order.to_string(), key.number)
}

type AllReceiptColumns = <receipt::table as Table>::AllColumns;
type ListedRow = (ReceiptRow, Option<i64>, Option<String>);

/// The columns of a listed receipt. The items are counted and the number is found by subqueries, because these are
/// evaluated for the receipts of the page alone.
#[diesel::dsl::auto_type]
fn listed(conditions: AllOf<receipt::table>) -> _ {
    let items = item::table
        .filter(item::store_id.eq(receipt::store_id))
        .filter(item::po_id.eq(receipt::po_id))
        .filter(item::receipt_number.eq(receipt::receipt_number))
        .count()
        .single_value();
    let number = po::table
        .filter(po::store_id.eq(receipt::store_id))
        .filter(po::po_id.eq(receipt::po_id))
        .select(po::number)
        .single_value();
    let receipt_columns: AllReceiptColumns = receipt::all_columns;
    receipt::table.filter(conditions).select((receipt_columns, items, number))
}

fn from_rows(rows: Vec<ListedRow>) -> Result<Vec<ListedReceipt>, DbError> {
    let mut receipts = Vec::with_capacity(rows.len());
    for (row, items, number) in rows {
        // Both subqueries always return a row; Diesel's types have an Option because one may not.
        let items = items.and_then(|items| i32::try_from(items).ok());
        let items = items.ok_or_else(|| DbError::bug("the items of a receipt were not counted"))?;
        let number = number.ok_or_else(|| DbError::unreadable("receipt", "its order does not exist"))?;
        receipts.push(ListedReceipt { receipt: Receipt::try_from(row)?, items, number });
    }
    Ok(receipts)
}

/// The receipts of an order after a receipt number, oldest first. `None` if there is no such order.
pub fn of_order(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    filter: &ReceiptFilter,
    after: i32,
    limit: i64,
) -> Result<Option<Vec<ListedReceipt>>, ReadError> {
    let store = check.store.as_str();
    let conditions = filter
        .conditions(store)
        .and(Some(receipt::po_id.eq(order.to_string())))
        .and(Some(receipt::receipt_number.gt(after)));
    let found = listed(conditions).order(receipt::receipt_number).limit(limit);
    let queries = (header(store.to_owned(), order.to_string()), found);
    let (_, orders, found) = session.authorize_and_load_two::<HeaderRow, ListedRow, _, _>(check, queries)?;
    // The header is read only to tell an order without receipts from one that does not exist.
    if orders.is_empty() {
        return Ok(None);
    }
    let mut receipts = from_rows(found)?;
    receipts.sort_by_key(|listed| listed.receipt.key.number);
    Ok(Some(receipts))
}

/// The receipts of a store after a position, those of the goods that arrived last first. An index in the order of the
/// list is walked until the page is full: that of the store, of a supplier or of a delivery note.
pub fn of_store(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    filter: &ReceiptFilter,
    after: Option<&ReceiptPosition>,
    limit: i64,
) -> Result<Vec<ListedReceipt>, ReadError> {
    let conditions = filter
        .conditions(check.store.as_str())
        // Both together mean: (time, order, number) is less than the position. The first is implied by the second, but it
        // is what an index on the time can begin at.
        .and(after.map(|(time, _, _)| receipt::receive_time.le(*time)))
        .and(after.map(|(time, order, number)| {
            let same_order = receipt::po_id.eq(order.clone()).and(receipt::receipt_number.lt(*number));
            receipt::receive_time.lt(*time).or(receipt::po_id.lt(order.clone())).or(same_order)
        }));
    let found = listed(conditions)
        .order((receipt::receive_time.desc(), receipt::po_id.desc(), receipt::receipt_number.desc()))
        .limit(limit);
    let (_, found) = session.authorize_and_load::<ListedRow, _>(check, found)?;
    let mut receipts = from_rows(found)?;
    receipts.sort_by_key(|listed| std::cmp::Reverse(position(listed)));
    Ok(receipts)
}
