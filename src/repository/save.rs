//! Saving what a batch decided.

use super::bulk::Saving;
use super::error::DbError;
use super::rows::line::line_key;
use super::rows::receipt::ItemOfReceipt;
use super::session::{Changes, Session};
use crate::domain::order::Line;
use crate::domain::order::receipt::Receipt;
use crate::domain::working_set::WorkingSet;

/// Saves everything that was put into `working_set` since it was loaded. Lines that go come first, because
/// others may take their place. Besides that no row is changed twice: what a batch makes and then
/// changes is one new row.
pub fn save(session: &mut Session, working_set: &WorkingSet) -> Result<Changes, DbError> {
    let receipts = working_set.receipts.new_entries();
    let items: Vec<ItemOfReceipt> = receipts.iter().flat_map(|receipt| items_of(receipt)).collect();
    let appended = &working_set.appended;
    let mut saving = Saving::new(session);
    saving.delete::<Line>(working_set.lines.removed_keys().into_iter().map(line_key))?;
    saving.insert(&working_set.stores.new_entries())?;
    saving.update(&working_set.stores.changed_entries())?;
    saving.insert(&all(&appended.permissions))?;
    saving.update(&all(&appended.permissions_closed))?;
    saving.insert(&all(&appended.grants))?;
    saving.update(&all(&appended.grants_closed))?;
    saving.insert(&working_set.orders.new_entries())?;
    saving.update(&working_set.orders.changed_entries())?;
    saving.insert(&working_set.lines.new_entries())?;
    saving.update(&working_set.lines.changed_entries())?;
    saving.insert(&receipts)?;
    saving.insert(&all(&items))?;
    saving.update(&working_set.receipts.changed_entries())?;
    saving.insert(&working_set.levels.new_entries())?;
    saving.update(&working_set.levels.changed_entries())?;
    saving.insert(&all(&appended.movements))?;
    saving.insert(&all(&appended.events))?;
    saving.insert(&all(&appended.stored_responses))?;
    saving.finish()
}

fn items_of(receipt: &Receipt) -> impl Iterator<Item = ItemOfReceipt> {
    receipt.items.iter().map(|item| ItemOfReceipt { receipt: receipt.key.clone(), item: item.clone() })
}

fn all<T>(rows: &[T]) -> Vec<&T> {
    rows.iter().collect()
}
