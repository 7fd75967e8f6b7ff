//! Table `request_record`.

use std::str::FromStr;

use diesel::prelude::Queryable;
use uuid::Uuid;

use super::json;
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::request::{RequestKey, RequestRecord};
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// A row of `request_record`.
#[derive(Queryable)]
pub struct RequestRow {
    store_id: String,
    principal: String,
    request_id: String,
    fingerprint: String,
    create_time: i64,
    outcome: String,
}

impl TryFrom<RequestRow> for RequestRecord {
    type Error = DbError;

    fn try_from(row: RequestRow) -> Result<Self, DbError> {
        let id = Uuid::from_str(&row.request_id).map_err(|_| DbError::unreadable("request id", &row.request_id))?;
        Ok(Self {
            key: RequestKey { store: StoreId::new(row.store_id), principal: PrincipalId::new(row.principal), id },
            fingerprint: row.fingerprint,
            create_time: Timestamp::from_micros(row.create_time),
            made: serde_json::from_str(&row.outcome).map_err(|error| DbError::unreadable("outcome", error))?,
        })
    }
}

impl Row for RequestRecord {
    const TABLE: &'static str = "request_record";
    const COLUMNS: &'static [&'static str] =
        &["store_id", "principal", "request_id", "fingerprint", "create_time", "outcome"];
    const KEY: usize = 3;
    const FIXED: usize = 6;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.key.store.as_str()),
            Cell::text(self.key.principal.as_str()),
            Cell::text(self.key.id.to_string()),
            Cell::text(&self.fingerprint),
            Cell::big(self.create_time.micros()),
            Cell::text(json(&self.made)),
        ]
    }
}
