//! Rows and the entities they hold: one file per group of tables. An entity is read by a `Queryable`
//! struct in column order and saved by its [`Row`](super::bulk::Row).

pub mod access;
pub mod chain;
pub mod event;
pub mod level;
pub mod line;
pub mod order;
pub mod receipt;
pub mod store;
pub mod stored_response;

use std::str::FromStr;

use serde::Serialize;
use uuid::Uuid;

use super::error::DbError;
use crate::domain::money::Currency;
use crate::domain::order::OrderId;
use crate::domain::time::Date;

pub(super) fn order_id(text: &str) -> Result<OrderId, DbError> {
    Uuid::from_str(text).map(OrderId).map_err(|_| DbError::unreadable("order id", text))
}

fn maybe_order_id(text: Option<String>) -> Result<Option<OrderId>, DbError> {
    text.as_deref().map(order_id).transpose()
}

fn currency(text: &str) -> Result<Currency, DbError> {
    Currency::parse(text).ok_or_else(|| DbError::unreadable("currency", text))
}

fn maybe_date(text: Option<String>) -> Result<Option<Date>, DbError> {
    let read = |text: String| Date::parse(&text).ok_or_else(|| DbError::unreadable("date", text));
    text.map(read).transpose()
}

fn json(value: &impl Serialize) -> String {
    // Plain structs of text and numbers always serialize; a reader would find this if they did not.
    serde_json::to_string(value).unwrap_or_else(|error| serde_json::json!({ "error": error.to_string() }).to_string())
}
