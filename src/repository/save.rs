//! Saving what a batch decided: one statement per table on PostgreSQL, one text per table on SQLite.

use super::bulk::{delete, insert, update};
use super::error::DbError;
use super::rows::line::line_key;
use super::rows::receipt::ItemOfReceipt;
use super::session::Session;
use crate::domain::order::Line;
use crate::domain::order::receipt::Receipt;
use crate::domain::workspace::Workspace;

/// Saves everything that was put into `workspace` since it was loaded. New rows come before changes
/// of the same table, because a batch may make a row and end it. Lines that go come before them,
/// because another may take their place.
pub fn save(session: &mut Session, workspace: &Workspace) -> Result<(), DbError> {
    insert(session, &workspace.stores.new_entries())?;
    update(session, &workspace.stores.changed_entries())?;
    save_access(session, workspace)?;
    insert(session, &workspace.orders.new_entries())?;
    update(session, &workspace.orders.changed_entries())?;
    delete::<Line>(session, workspace.lines.removed_keys().into_iter().map(line_key))?;
    insert(session, &workspace.lines.new_entries())?;
    update(session, &workspace.lines.changed_entries())?;
    save_receipts(session, workspace)?;
    insert(session, &workspace.levels.new_entries())?;
    update(session, &workspace.levels.changed_entries())?;
    insert(session, &all(&workspace.appended.movements))?;
    insert(session, &all(&workspace.appended.events))?;
    insert(session, &all(&workspace.appended.requests))
}

fn save_access(session: &mut Session, workspace: &Workspace) -> Result<(), DbError> {
    insert(session, &all(&workspace.appended.permissions))?;
    update(session, &all(&workspace.appended.permissions_closed))?;
    insert(session, &all(&workspace.appended.grants))?;
    update(session, &all(&workspace.appended.grants_closed))
}

fn save_receipts(session: &mut Session, workspace: &Workspace) -> Result<(), DbError> {
    let new = workspace.receipts.new_entries();
    let items: Vec<ItemOfReceipt> = new.iter().flat_map(|receipt| items_of(receipt)).collect();
    insert(session, &new)?;
    insert(session, &all(&items))?;
    update(session, &workspace.receipts.changed_entries())
}

fn items_of(receipt: &Receipt) -> impl Iterator<Item = ItemOfReceipt> {
    receipt.items.iter().map(|item| ItemOfReceipt { receipt: receipt.key.clone(), item: item.clone() })
}

fn all<T>(rows: &[T]) -> Vec<&T> {
    rows.iter().collect()
}
