//! Receipts of an order: one with its items, or a page of them without.

use diesel::prelude::*;

use super::authorized::{AccessCheck, ReadError, ReadSession};
use super::filter::AllOf;
use super::orders::{header, only_order};
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{Order, OrderId};
use crate::repository::error::DbError;
use crate::repository::rows::order::OrderRow;
use crate::repository::rows::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow};
use crate::repository::schema::{receipt, receipt_item as item};

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
    let items = item::table
        .filter(item::store_id.eq(store.to_owned()))
        .filter(item::po_id.eq(order.to_string()))
        .filter(item::receipt_number.eq(number));
    let queries = (header(store.to_owned(), order.to_string()), receipts, items);
    let (_, orders, receipts, items) =
        session.authorize_and_load_three::<OrderRow, ReceiptRow, ReceiptItemRow, _, _, _>(check, queries)?;
    let Some(order) = only_order(orders)? else { return Ok(None) };
    let Some(row) = receipts.into_iter().next() else { return Ok(Some((order, None))) };
    let mut receipt = Receipt::try_from(row)?;
    for row in items {
        receipt.items.push(ItemOfReceipt::try_from(row)?.item);
    }
    receipt.items.sort_by_key(|item| item.line);
    Ok(Some((order, Some(receipt))))
}

/// The receipts of an order after a receipt number, oldest first, without their items but with the number of items of
/// each. With `active_only` without those that were voided. `None` if there is no such order.
pub fn list(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    active_only: bool,
    after: i32,
    limit: i64,
) -> Result<Option<Vec<(Receipt, i32)>>, ReadError> {
    let store = check.store.as_str();
    let conditions = AllOf::new(receipt::store_id.eq(store.to_owned()))
        .and(Some(receipt::po_id.eq(order.to_string())))
        .and(Some(receipt::receipt_number.gt(after)))
        .and(active_only.then(|| receipt::void_time.is_null()));
    // A subquery, because it is evaluated for the receipts of the page alone.
    let items = item::table
        .filter(item::store_id.eq(receipt::store_id))
        .filter(item::po_id.eq(receipt::po_id))
        .filter(item::receipt_number.eq(receipt::receipt_number))
        .count()
        .single_value();
    let found = receipt::table
        .filter(conditions)
        .order(receipt::receipt_number)
        .limit(limit)
        .select((receipt::all_columns, items));
    let queries = (header(store.to_owned(), order.to_string()), found);
    let (_, orders, found) =
        session.authorize_and_load_two::<OrderRow, (ReceiptRow, Option<i64>), _, _>(check, queries)?;
    // The header is read only to tell an order without receipts from one that does not exist.
    if orders.is_empty() {
        return Ok(None);
    }
    let mut receipts = Vec::with_capacity(found.len());
    for (row, items) in found {
        // `count` always returns a number; Diesel's type has an Option because a subquery may return no row.
        let items = items.and_then(|items| i32::try_from(items).ok());
        let items = items.ok_or_else(|| DbError::bug("the items of a receipt were not counted"))?;
        receipts.push((Receipt::try_from(row)?, items));
    }
    receipts.sort_by_key(|(receipt, _)| receipt.key.number);
    Ok(Some(receipts))
}
