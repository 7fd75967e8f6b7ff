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
    pub stores: Vec<Store>,
    pub orders: Vec<Order>,
    pub lines_removed: Vec<LineKey>,
    pub lines: Vec<Line>,
    pub cancellations: Vec<Cancellation>,
    pub cancellations_removed: Vec<Cancellation>,
    pub receipts: Vec<Receipt>,
    pub levels: Vec<Level>,
    pub movements: Vec<Movement>,
    pub events: Vec<Event>,
    pub permissions: Vec<ValidityPeriod<RolePermissionKey>>,
    pub permissions_closed: Vec<ValidityPeriod<RolePermissionKey>>,
    pub grants: Vec<ValidityPeriod<GrantKey>>,
    pub grants_closed: Vec<ValidityPeriod<GrantKey>>,
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
