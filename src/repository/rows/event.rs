//! Table `event`.

use serde::Serialize;

use super::json;
use crate::domain::event::{Detail, Event};
use crate::repository::bulk::{Cell, Row};

#[derive(Serialize)]
struct Versioned<'a> {
    v: i32,
    #[serde(flatten)]
    detail: &'a Detail,
}

impl Row for Event {
    const TABLE: &'static str = "event";
    const COLUMNS: &'static [&'static str] = &[
        "store_id",
        "event_number",
        "event_time",
        "actor",
        "as_operator",
        "event_type",
        "po_id",
        "revision",
        "state_after",
        "detail",
    ];
    const KEY: usize = 2;
    const FIXED: usize = 10;

    fn cells(&self) -> Vec<Cell<'_>> {
        vec![
            Cell::text(self.store.as_str()),
            Cell::big(self.number),
            Cell::big(self.time.micros()),
            Cell::text(self.actor.as_str()),
            Cell::Bool(self.as_operator),
            Cell::text(self.detail.kind()),
            Cell::written(self.order.map(|revision| revision.order)),
            Cell::Big(self.order.map(|revision| revision.revision)),
            Cell::maybe(self.order.map(|revision| revision.state.name())),
            Cell::text(json(&Versioned { v: Detail::VERSION, detail: &self.detail })),
        ]
    }
}
