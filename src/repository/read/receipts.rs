//! Receipts.

use std::collections::BTreeMap;

use diesel::dsl::count_star;
use diesel::prelude::*;

use super::filter::AllOf;
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{OrderKey, ReceiptKey};
use crate::repository::error::DbError;
use crate::repository::rows::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow};
use crate::repository::schema::{receipt, receipt_item as item};
use crate::repository::session::Session;

/// A receipt with its items.
pub fn receipt(session: &mut Session, key: &ReceiptKey) -> Result<Option<Receipt>, DbError> {
    let Some(mut receipt) = list(session, &key.order, false, key.number - 1, 1)?.into_iter().next() else {
        return Ok(None);
    };
    let rows: Vec<ReceiptItemRow> = session.load(
        item::table
            .filter(item::store_id.eq(key.order.store.as_str().to_owned()))
            .filter(item::po_id.eq(key.order.order.to_string()))
            .filter(item::receipt_number.eq(key.number))
            .order(item::line_number),
    )?;
    for row in rows {
        receipt.items.push(ItemOfReceipt::try_from(row)?.item);
    }
    Ok(Some(receipt).filter(|receipt| receipt.key.number == key.number))
}

/// Receipts of an order behind a receipt number, without their items; only those that stand, if so
/// asked.
pub fn list(
    session: &mut Session,
    order: &OrderKey,
    standing_only: bool,
    after: i32,
    limit: i64,
) -> Result<Vec<Receipt>, DbError> {
    let conditions = AllOf::new(receipt::store_id.eq(order.store.as_str().to_owned()))
        .and(Some(receipt::po_id.eq(order.order.to_string())))
        .and(Some(receipt::receipt_number.gt(after)))
        .and(standing_only.then(|| receipt::void_time.is_null()));
    let rows: Vec<ReceiptRow> =
        session.load(receipt::table.filter(conditions).order(receipt::receipt_number).limit(limit))?;
    rows.into_iter().map(Receipt::try_from).collect()
}

/// How many items each of an order's receipts has, from one number to another.
pub fn item_counts(
    session: &mut Session,
    order: &OrderKey,
    first: i32,
    last: i32,
) -> Result<BTreeMap<i32, i64>, DbError> {
    let counts: Vec<(i32, i64)> = session.load(
        item::table
            .filter(item::store_id.eq(order.store.as_str().to_owned()))
            .filter(item::po_id.eq(order.order.to_string()))
            .filter(item::receipt_number.between(first, last))
            .group_by(item::receipt_number)
            .select((item::receipt_number, count_star())),
    )?;
    Ok(counts.into_iter().collect())
}
