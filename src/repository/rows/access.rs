//! Rows of the tables `role_permission` and `role_grant`. A row is a validity period, from one event to another: nothing is
//! deleted when a permission or a grant ends, so who could do what at any time in the past can be answered.

use diesel::prelude::{Queryable, Selectable};

use crate::domain::access::{GrantKey, Permission, RolePermissionKey, ValidityPeriod};
use crate::domain::code::{RoleId, StoreId};
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::schema::{role_grant, role_permission};

/// A permission of a role during one validity period; `to_event` is NULL while it holds.
#[derive(Queryable, Selectable)]
#[diesel(table_name = role_permission)]
pub struct RolePermissionRow {
    pub store_id: String,
    pub role_id: String,
    pub permission: String,
    pub from_event: i64,
    pub to_event: Option<i64>,
}

impl RolePermissionRow {
    /// Which permission it gives to which role. A permission that this version does not know is an error: ignored, it would
    /// be lost when the role is saved again.
    pub fn key(self) -> Result<RolePermissionKey, DbError> {
        let permission = Permission::from_name(&self.permission);
        let permission = permission.ok_or_else(|| DbError::unreadable("permission", &self.permission))?;
        Ok(RolePermissionKey { store: StoreId::new(self.store_id), role: RoleId::new(self.role_id), permission })
    }
}

/// A role of a principal during one validity period; `to_event` is NULL while it holds.
#[derive(Queryable, Selectable)]
#[diesel(table_name = role_grant)]
pub struct RoleGrantRow {
    pub store_id: String,
    pub principal: String,
    pub role_id: String,
    pub from_event: i64,
    pub to_event: Option<i64>,
}

impl Row for ValidityPeriod<RolePermissionKey> {
    const TABLE: &'static str = "role_permission";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.store.as_str())),
        Column::key("role_id", |row| Cell::text(row.key.role.as_str())),
        Column::key("permission", |row| Cell::text(row.key.permission.name())),
        Column::key("from_event", |row| Cell::big_int(row.from_event)),
        Column::changing("to_event", |row| Cell::BigInt(row.to_event)),
    ];
}

impl Row for ValidityPeriod<GrantKey> {
    const TABLE: &'static str = "role_grant";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.store.as_str())),
        Column::key("principal", |row| Cell::text(row.key.principal.as_str())),
        Column::key("role_id", |row| Cell::text(row.key.role.as_str())),
        Column::key("from_event", |row| Cell::big_int(row.from_event)),
        Column::changing("to_event", |row| Cell::BigInt(row.to_event)),
    ];
}
