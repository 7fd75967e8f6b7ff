//! Saves what the commands of a batch have decided: the rows of the working set that are new, changed or removed.
//!
//! The order of the tables is fixed, whatever the commands were, so the text of the statement depends only on which
//! tables have rows.

use super::bulk::Saving;
use super::error::DbError;
use super::rows::cancellation::cancellation_key;
use super::rows::line::line_key;
use super::rows::lot::{LotOfItem, LotSum};
use super::rows::receipt::ItemOfReceipt;
use super::session::{Changes, Session};
use crate::domain::order::Line;
use crate::domain::order::cancellation::Cancellation;
use crate::domain::order::receipt::Receipt;
use crate::domain::working_set::WorkingSet;

/// Saves everything that was put into `working_set` since it was loaded, and returns whether that was anything. No row is
/// written twice: what a batch creates and then changes is one new row with its last values. The exception are lines
/// that are replaced, by an update of a draft, an amendment or a confirmation: the removed ones are deleted first,
/// because new ones may have their numbers.
pub fn save(session: &mut Session, working_set: &WorkingSet) -> Result<Changes, DbError> {
    let receipts = working_set.receipts.new_entries();
    // Items are never changed: a void changes the receipt and leaves what was counted.
    let items: Vec<ItemOfReceipt> = receipts.iter().flat_map(|receipt| items_of(receipt)).collect();
    let lots: Vec<LotOfItem> = receipts.iter().flat_map(|receipt| LotOfItem::of_receipt(receipt)).collect();
    let appended = &working_set.appended;
    let (lots_added, lots_taken) = LotSum::of_movements(&appended.movements);
    let mut saving = Saving::new(session);
    saving.delete::<Line>(working_set.lines.removed_keys().into_iter().map(line_key))?;
    saving.delete::<Cancellation>(appended.cancellations_removed.iter().map(cancellation_key))?;
    saving.insert(&working_set.stores.new_entries())?;
    saving.update(&working_set.stores.changed_entries())?;
    // A period never begins and ends in one batch, see `Needs::are_exclusive`. So no row is inserted and updated
    // here, which one statement could not do.
    saving.insert(&references(&appended.permissions))?;
    saving.update(&references(&appended.permissions_closed))?;
    saving.insert(&references(&appended.grants))?;
    saving.update(&references(&appended.grants_closed))?;
    saving.insert(&working_set.orders.new_entries())?;
    saving.update(&working_set.orders.changed_entries())?;
    saving.insert(&working_set.lines.new_entries())?;
    saving.update(&working_set.lines.changed_entries())?;
    saving.insert(&references(&appended.cancellations))?;
    saving.insert(&receipts)?;
    saving.insert(&references(&items))?;
    saving.insert(&references(&lots))?;
    saving.update(&working_set.receipts.changed_entries())?;
    saving.insert(&working_set.levels.new_entries())?;
    saving.update(&working_set.levels.changed_entries())?;
    // Added up in the database, because a completion does not load what is on hand of its lots.
    saving.add_or_insert(&references(&lots_added))?;
    saving.add(&references(&lots_taken))?;
    saving.insert(&references(&appended.movements))?;
    saving.insert(&references(&appended.events))?;
    saving.insert(&references(&appended.stored_responses))?;
    saving.finish()
}

fn items_of(receipt: &Receipt) -> impl Iterator<Item = ItemOfReceipt> {
    receipt.items.iter().map(|item| ItemOfReceipt { receipt: receipt.key.clone(), item: item.clone() })
}

fn references<T>(rows: &[T]) -> Vec<&T> {
    rows.iter().collect()
}
