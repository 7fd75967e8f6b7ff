//! A decision: the rows that a command wants to write, before anything is written.
//!
//! It is plain data, so the same decision can be absorbed by the working set, saved by the repository
//! and read by a test.

use std::collections::BTreeSet;

use super::access::{GrantKey, RolePermissionKey, ValidityPeriod};
use super::code::StoreId;
use super::event::Event;
use super::idempotency::StoredResponse;
use super::inventory::{Level, Movement};
use super::order::cancellation::Cancellation;
use super::order::receipt::Receipt;
use super::order::{Line, LineKey, Order};
use super::store::Store;

/// The rows that one command creates or changes, each as a whole. Nothing is written yet: the writer
/// absorbs the decisions of a batch into the working set and saves them together.
#[derive(Clone, Debug, Default)]
pub struct Decision {
    /// The row of the store, if the command changes it: at most one.
    pub stores: Vec<Store>,
    /// Headers, new or changed.
    pub orders: Vec<Order>,
    /// Lines to delete, before those of `lines` are inserted: a line that is replaced is in both.
    pub lines_removed: Vec<LineKey>,
    /// Lines, new or changed; those that were put and stay as they are need no statement.
    pub lines: Vec<Line>,
    /// What an event cancelled of lines, to be appended.
    pub cancellations: Vec<Cancellation>,
    /// What is not cancelled any more, because a completion was undone: to be deleted.
    pub cancellations_removed: Vec<Cancellation>,
    /// Receipts, new with their items or voided; the items of one that is voided stay.
    pub receipts: Vec<Receipt>,
    /// Levels, new or changed.
    pub levels: Vec<Level>,
    /// Ledger rows to append, in the order in which they were posted.
    pub movements: Vec<Movement>,
    /// Events to append, numbered on from the store's last one.
    pub events: Vec<Event>,
    /// Permissions of roles that hold from now on.
    pub permissions: Vec<ValidityPeriod<RolePermissionKey>>,
    /// Permissions of roles that do not hold any more, each with the event that had begun its period.
    pub permissions_closed: Vec<ValidityPeriod<RolePermissionKey>>,
    /// Grants that hold from now on.
    pub grants: Vec<ValidityPeriod<GrantKey>>,
    /// Grants that do not hold any more, each with the event that had begun its period.
    pub grants_closed: Vec<ValidityPeriod<GrantKey>>,
    /// What a retry is answered from; none if the request has no id.
    pub stored_response: Option<StoredResponse>,
}

impl Decision {
    /// The stores in which it begins or ends a grant or a permission: what their callers may do must be
    /// worked out anew.
    pub fn stores_with_changed_access(&self) -> BTreeSet<StoreId> {
        let permissions = self.permissions.iter().chain(&self.permissions_closed).map(|row| &row.key.store);
        let grants = self.grants.iter().chain(&self.grants_closed).map(|row| &row.key.store);
        permissions.chain(grants).cloned().collect()
    }
}
