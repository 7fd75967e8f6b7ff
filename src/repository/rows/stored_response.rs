//! Rows of the table `stored_response`: by principal and request id, what a command has done. A retried request is
//! answered from it.

use serde::{Deserialize, Serialize};

use super::json;
use crate::domain::idempotency::StoredResponse;
use crate::domain::order::OrderId;
use crate::domain::outcome::Outcome;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;

/// An outcome as it is written. Its event and order come first and are written twice, because `verify` reads them from the
/// text without knowing the outcomes.
#[derive(Serialize)]
struct Stored<'a> {
    event: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
    outcome: &'a Outcome,
}

/// An outcome as it is read: the copies of event and order are skipped.
#[derive(Deserialize)]
struct Read {
    outcome: Outcome,
}

/// Reads an outcome from its stored text. One that cannot be read is an error: the request must not be executed again.
pub fn stored_outcome(text: &str) -> Result<Outcome, DbError> {
    let read: Read = serde_json::from_str(text).map_err(|error| DbError::unreadable("outcome", error))?;
    Ok(read.outcome)
}

impl Row for StoredResponse {
    const TABLE: &'static str = "stored_response";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.store.as_str())),
        Column::key("principal", |row| Cell::text(row.key.principal.as_str())),
        Column::key("request_id", |row| Cell::text(row.key.id.to_string())),
        Column::fixed("fingerprint", |row| Cell::text(&row.fingerprint)),
        Column::fixed("create_time", |row| Cell::big_int(row.create_time.micros())),
        Column::fixed("outcome", |row| {
            Cell::text(json(&Stored {
                event: row.outcome.event(),
                order: row.outcome.orders().first().map(|of_order| of_order.order),
                outcome: &row.outcome,
            }))
        }),
    ];
}
