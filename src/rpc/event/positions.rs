//! What a request says of the events to follow: the stores, a position in each, and the types.

use std::collections::BTreeSet;

use crate::domain::code::StoreId;
use crate::proto::v1;
use crate::repository::read::events::Wanted;
use crate::rpc::caps;
use crate::rpc::event::message::kind_of;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::workers::error::ServiceFault;

/// How many events a page looks through for those of the types asked for, over all stores.
pub const MAX_SCANNED: i64 = 10_000;

/// A store and the number of the last event that is known of it.
pub type Position = (StoreId, i64);

/// Parses the stores, each of which is named once, with their positions.
pub fn parse_positions(fields: &mut FieldParser, positions: &[v1::EventPosition]) -> Vec<Position> {
    let mut named = BTreeSet::new();
    let mut parsed = Vec::with_capacity(positions.len());
    for (index, position) in fields.capped(caps::POSITIONS, positions).iter().enumerate() {
        let field = format_args!("positions[{index}].store_id");
        let store = fields.store_id_of(field, &position.store_id);
        // An empty id is a violation already, however often it comes.
        if !position.store_id.is_empty() && !named.insert(position.store_id.as_str()) {
            fields.violation(field, "names a store a second time");
        }
        if position.after < 0 {
            fields.violation(format_args!("positions[{index}].after"), "must not be negative; 0 means the first event");
        }
        parsed.push((store, position.after));
    }
    parsed
}

/// Parses the types of events, as the kinds that they are stored under.
pub fn parse_types(fields: &mut FieldParser, types: &[i32]) -> Vec<&'static str> {
    let mut kinds = BTreeSet::new();
    for (index, wire) in fields.capped(caps::EVENT_TYPES, types).iter().enumerate() {
        let field = format_args!("types[{index}]");
        let Some(kind) = fields.known(field, kind_of(*wire), "an EventType other than UNSPECIFIED") else { continue };
        if !kinds.insert(kind) {
            fields.violation(field, format_args!("names {kind} a second time"));
        }
    }
    kinds.into_iter().collect()
}

/// What is to be read of each store, with the proof that the caller may.
pub fn wanted(call: &Call, positions: &[Position]) -> Result<Vec<Wanted>, ServiceFault> {
    let mut wanted = Vec::with_capacity(positions.len());
    for (store, after) in positions {
        wanted.push(Wanted { check: call.check(store.clone())?, after: *after });
    }
    Ok(wanted)
}

/// A position as a message.
pub fn position(store: &StoreId, after: i64) -> v1::EventPosition {
    v1::EventPosition { store_id: store.to_string(), after }
}
