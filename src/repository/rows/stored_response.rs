//! Table `stored_response`.

use serde::{Deserialize, Serialize};

use super::json;
use crate::domain::idempotency::StoredResponse;
use crate::domain::order::OrderId;
use crate::domain::outcome::Outcome;
use crate::repository::bulk::{Cell, Row};
use crate::repository::error::DbError;

/// An outcome as it is stored: behind its event and order, which `verify` reads as text.
#[derive(Serialize)]
struct Stored<'a> {
    event: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    order: Option<OrderId>,
    outcome: &'a Outcome,
}

#[derive(Deserialize)]
struct Read {
    outcome: Outcome,
}

/// Reads an outcome from its stored text.
pub fn stored_outcome(text: &str) -> Result<Outcome, DbError> {
    let read: Read = serde_json::from_str(text).map_err(|error| DbError::unreadable("outcome", error))?;
    Ok(read.outcome)
}

impl Row for StoredResponse {
    const TABLE: &'static str = "stored_response";
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
            Cell::text(json(&Stored {
                event: self.outcome.event(),
                order: self.outcome.order(),
                outcome: &self.outcome,
            })),
        ]
    }
}
