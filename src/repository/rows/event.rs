//! Rows of the table `event`. The service only inserts them; `verify` and the operators' tools read them.

use serde::Serialize;

use super::json;
use crate::domain::event::{Detail, Event};
use crate::repository::bulk::{Cell, Column, Row};

/// The detail of an event as JSON, with the version of its format: stored events are never rewritten, so a later version
/// of the service must be able to tell the formats apart.
#[derive(Serialize)]
struct Versioned<'a> {
    v: i32,
    #[serde(flatten)]
    detail: &'a Detail,
}

impl Row for Event {
    const TABLE: &'static str = "event";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.store.as_str())),
        Column::key("event_number", |row| Cell::big_int(row.number)),
        Column::fixed("event_time", |row| Cell::big_int(row.time.micros())),
        Column::fixed("actor", |row| Cell::text(row.actor.as_str())),
        Column::fixed("as_operator", |row| Cell::Bool(row.as_operator)),
        Column::fixed("event_type", |row| Cell::text(row.detail.kind())),
        Column::fixed("po_id", |row| Cell::formatted(row.order.map(|revision| revision.order))),
        Column::fixed("revision", |row| Cell::BigInt(row.order.map(|revision| revision.revision))),
        Column::fixed("state_after", |row| Cell::optional_text(row.order.map(|revision| revision.state.name()))),
        Column::fixed("detail", |row| Cell::text(json(&Versioned { v: Detail::VERSION, detail: &row.detail }))),
    ];
}
