//! What reopening an order must know: its back order, and what its last completion did.

use std::collections::{BTreeMap, BTreeSet};

use super::{entities, insert_lines, key_of_order, order_key, rows};
use crate::domain::code::{ProductId, StoreId};
use crate::domain::inventory::Movement;
use crate::domain::money::UnitCost;
use crate::domain::needs::Need;
use crate::domain::order::cancellation::Cancellation;
use crate::domain::order::reopen::{LastCompletion, PostedRow};
use crate::domain::order::{Order, OrderKey};
use crate::domain::quantity::Quantity;
use crate::domain::working_set::WorkingSet;
use crate::repository::error::DbError;
use crate::repository::lookups::completions as lookups;
use crate::repository::rows::cancellation::CancellationRow;
use crate::repository::rows::level::{LevelRow, MovementRow};
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::HeaderRow;
use crate::repository::rows::order_id;
use crate::repository::session::Session;

/// Loads the back orders of these orders, as far as they have one, with all their lines.
pub(super) fn back_orders(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: &BTreeSet<OrderKey>,
) -> Result<(), DbError> {
    let found: Vec<Order> = entities::<lookups::BackOrders, HeaderRow, _>(session, keys.iter().map(order_key))?;
    let lines = rows::<lookups::LinesOfBackOrder, (LineRow, LevelRow)>(session, keys.iter().map(order_key))?;
    for order in found {
        working_set.set_complete(order.key.store.clone(), Need::AllLines(order.key.order));
        working_set.orders.insert_loaded(order.key.clone(), order);
    }
    insert_lines(working_set, lines)
}

/// A ledger row, the average cost before it, and what is on hand of its lot.
type PostedRowRow = (MovementRow, Option<i64>, Option<i64>);

/// Store, order, product, and what is on hand of it in lots.
type InLotsRow = (String, String, String, i64);

/// Loads what the last completions of these orders did. An order that was never completed has one that did nothing; its
/// state refuses the command before it is looked at.
pub(super) fn last_completions(
    session: &mut Session,
    working_set: &mut WorkingSet,
    keys: BTreeSet<OrderKey>,
) -> Result<(), DbError> {
    let posted = rows::<lookups::RowsOfLastCompletion, PostedRowRow>(session, keys.iter().map(order_key))?;
    let cancelled: Vec<Cancellation> =
        entities::<lookups::CancellationsOfLastCompletion, CancellationRow, _>(session, keys.iter().map(order_key))?;
    let in_lots = rows::<lookups::OnHandInLots, InLotsRow>(session, keys.iter().map(order_key))?;
    let mut completions: BTreeMap<OrderKey, LastCompletion> = BTreeMap::new();
    for key in keys {
        completions.insert(key, LastCompletion::default());
    }
    for (row, average_before, on_hand_of_lot) in posted {
        let movement = Movement::try_from(row)?;
        // The lookup finds the rows by their order, so each has one.
        let Some(order) = movement.order else { continue };
        let order = key_of_order(&movement.level.store, order);
        completions.entry(order).or_default().rows.push(PostedRow {
            movement,
            average_before: UnitCost::from_scaled(average_before.unwrap_or_default()),
            on_hand_of_lot: Quantity::from_scaled(on_hand_of_lot.unwrap_or_default()),
        });
    }
    for cancellation in cancelled {
        completions.entry(cancellation.line.order.clone()).or_default().cancellations.push(cancellation);
    }
    for (store, order, product, on_hand) in in_lots {
        let order = key_of_order(&StoreId::new(store), order_id(&order)?);
        let of_order = &mut completions.entry(order).or_default().on_hand_in_lots;
        of_order.insert(ProductId::new(product), Quantity::from_scaled(on_hand));
    }
    for (order, mut completion) in completions {
        // The reversals are written in this order backwards, so it must not depend on a plan.
        completion.rows.sort_by_key(|row| (row.movement.level.clone(), row.movement.number));
        completion.cancellations.sort_by_key(|row| row.line.number);
        working_set.insert_last_completion(order, completion);
    }
    Ok(())
}
