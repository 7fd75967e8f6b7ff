//! Receipts, their items and lots, and what is staged by them.

use std::collections::{BTreeMap, BTreeSet};

use super::{entities, key_of_order, key_of_receipt, order_key, receipt_key, rows};
use crate::domain::code::StoreId;
use crate::domain::inventory::lot::LotQuantity;
use crate::domain::needs::Need;
use crate::domain::order::receipt::{Receipt, ReceiveTimes, StagedItem};
use crate::domain::order::{OrderKey, ReceiptKey};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::domain::working_set::WorkingSet;
use crate::repository::error::DbError;
use crate::repository::lookups;
use crate::repository::rows::lot::{LotOfItem, ReceiptLotRow};
use crate::repository::rows::order_id;
use crate::repository::rows::receipt::{ItemOfReceipt, ReceiptItemRow, ReceiptRow, item_costs};
use crate::repository::session::Session;

pub(super) fn receipts(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<ReceiptKey>,
) -> Result<(), DbError> {
    let found: Vec<Receipt> = entities::<lookups::Receipts, ReceiptRow, _>(session, keys.iter().map(receipt_key))?;
    // Items have a lookup of their own: joined to the receipts, each would repeat the receipt's text.
    let mut items: Vec<ItemOfReceipt> =
        entities::<lookups::ItemsOfReceipt, ReceiptItemRow, _>(session, keys.iter().map(receipt_key))?;
    let keys_of_lots: Vec<_> = keys.iter().map(receipt_key).collect();
    for key in keys {
        working_set.receipts.insert_absent(key);
    }
    let mut by_key: BTreeMap<ReceiptKey, Receipt> = BTreeMap::new();
    for receipt in found {
        by_key.insert(receipt.key.clone(), receipt);
    }
    let lots: Vec<LotOfItem> = entities::<lookups::LotsOfReceipt, ReceiptLotRow, _>(session, keys_of_lots)?;
    let mut lots = lots_by_item(lots);
    // Rules search the items of a receipt by line.
    items.sort_by_key(|of_receipt| of_receipt.item.line);
    for ItemOfReceipt { receipt: key, mut item } in items {
        item.lots = lots.remove(&(key.clone(), item.line)).unwrap_or_default();
        // An item is never stored without its receipt. Left out, its quantities would be missing from a void.
        let receipt = by_key.get_mut(&key);
        let receipt = receipt.ok_or_else(|| DbError::unreadable("receipt item", format!("{key:?} does not exist")))?;
        receipt.items.push(item);
    }
    for (key, receipt) in by_key {
        working_set.receipts.insert_loaded(key, receipt);
    }
    Ok(())
}

/// The lots of each item, in the order in which they were given.
pub(in crate::repository) fn lots_by_item(mut lots: Vec<LotOfItem>) -> BTreeMap<(ReceiptKey, i32), Vec<LotQuantity>> {
    lots.sort_by_key(|lot| lot.number);
    let mut by_item: BTreeMap<(ReceiptKey, i32), Vec<LotQuantity>> = BTreeMap::new();
    for LotOfItem { receipt, line, lot, .. } in lots {
        by_item.entry((receipt, line)).or_default().push(lot);
    }
    by_item
}

/// Store, order, receipt number, line number, `receive_time`, accepted quantity, its excess, and the costs of either.
type StagedItemRow = (String, String, i32, i32, i64, i64, i64, Option<i64>, Option<i64>);

pub(super) fn staged_items(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<OrderKey>,
) -> Result<(), DbError> {
    let mut found = rows::<lookups::StagedItems, StagedItemRow>(session, keys.iter().map(order_key))?;
    // By store, order, receipt and line. The ledger's rows are written in this order, so it must not depend on a plan.
    found.sort_unstable();
    let lots: Vec<LotOfItem> = entities::<lookups::StagedLots, ReceiptLotRow, _>(session, keys.iter().map(order_key))?;
    let mut lots = lots_by_item(lots);
    for key in keys {
        working_set.set_complete(key.store, Need::StagedItems(key.order));
    }
    for (store, order, receipt, line, receive_time, accepted, excess, unit_cost, excess_unit_cost) in found {
        let order = key_of_order(&StoreId::new(store), order_id(&order)?);
        let key = (ReceiptKey { order: order.clone(), number: receipt }, line);
        let item = StagedItem {
            receipt,
            line,
            receive_time: Timestamp::from_micros(receive_time),
            accepted: Quantity::from_scaled(accepted),
            excess: Quantity::from_scaled(excess),
            costs: item_costs(unit_cost, excess_unit_cost),
            lots: lots.remove(&key).unwrap_or_default(),
        };
        working_set.insert_staged_item(order, item);
    }
    Ok(())
}

/// Store, order and number of the receipt, line number, first and last `receive_time`.
type ReceiveTimeRow = (String, String, i32, i32, i64, i64);

pub(super) fn other_receive_times(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<ReceiptKey>,
) -> Result<(), DbError> {
    let found = rows::<lookups::OtherReceiveTimes, ReceiveTimeRow>(session, keys.iter().map(receipt_key))?;
    let mut by_receipt: BTreeMap<ReceiptKey, BTreeMap<i32, ReceiveTimes>> = BTreeMap::new();
    // A receipt that shares no line with another has no row, and is known to have no such times.
    for key in keys {
        by_receipt.insert(key, BTreeMap::new());
    }
    for (store, order, number, line, first, last) in found {
        let receipt = key_of_receipt(&StoreId::new(store), order_id(&order)?, number);
        let times = ReceiveTimes { first: Timestamp::from_micros(first), last: Timestamp::from_micros(last) };
        by_receipt.entry(receipt).or_default().insert(line, times);
    }
    for (receipt, times) in by_receipt {
        working_set.insert_other_receive_times(receipt, times);
    }
    Ok(())
}
