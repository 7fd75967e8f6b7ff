//! Tables `role_permission` and `role_grant`.

use diesel::prelude::Queryable;

use crate::domain::access::{GrantKey, Permission, RolePermissionKey, ValidityPeriod};
use crate::domain::code::{RoleId, StoreId};
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `role_permission`.
#[derive(Queryable)]
#[allow(missing_docs, reason = "named as the columns")]
pub struct RolePermissionRow {
    pub store_id: String,
    pub role_id: String,
    pub permission: String,
    pub from_event: i64,
    pub to_event: Option<i64>,
}

impl RolePermissionRow {
    /// Which role allows what.
    pub fn key(self) -> Result<RolePermissionKey, DbError> {
        let permission = Permission::from_name(&self.permission);
        let permission = permission.ok_or_else(|| DbError::unreadable("permission", &self.permission))?;
        Ok(RolePermissionKey { store: StoreId::new(self.store_id), role: RoleId::new(self.role_id), permission })
    }
}

/// A row of `role_grant`.
#[derive(Queryable)]
#[allow(missing_docs, reason = "named as the columns")]
pub struct RoleGrantRow {
    pub store_id: String,
    pub principal: String,
    pub role_id: String,
    pub from_event: i64,
    pub to_event: Option<i64>,
}

impl Row for ValidityPeriod<RolePermissionKey> {
    const TABLE: &'static str = "role_permission";
    const COLUMNS: &'static [&'static str] = &["store_id", "role_id", "permission", "from_event", "to_event"];
    const KEY: usize = 4;
    const FIXED: usize = 4;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.key.store.as_str()),
            Cell::text(self.key.role.as_str()),
            Cell::text(self.key.permission.name()),
            Cell::big(self.from_event),
            Cell::Big(self.to_event),
        ]
    }
}

impl Row for ValidityPeriod<GrantKey> {
    const TABLE: &'static str = "role_grant";
    const COLUMNS: &'static [&'static str] = &["store_id", "principal", "role_id", "from_event", "to_event"];
    const KEY: usize = 4;
    const FIXED: usize = 4;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.key.store.as_str()),
            Cell::text(self.key.principal.as_str()),
            Cell::text(self.key.role.as_str()),
            Cell::big(self.from_event),
            Cell::Big(self.to_event),
        ]
    }
}
