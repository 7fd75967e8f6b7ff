//! ListEvents: what has happened in some stores after a position in each.

use tonic::{Request, Response, Status};

use super::message::{self, MAX_STORED_BYTES};
use super::positions::{self, MAX_SCANNED, Position};
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::events::{self, PageLimits, StoreEvents};
use crate::rpc::App;
use crate::rpc::costs::answer_of;
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::rpc::page::page_size;
use crate::workers::ReadClass;

pub(super) async fn list(
    app: &App,
    request: Request<v1::ListEventsRequest>,
) -> Result<Response<v1::ListEventsResponse>, Status> {
    let (call, request) = Call::open(request)?;
    let ListEvents { positions, types, size } = parse(&request).map_err(to_status)?;
    let wanted = positions::wanted(&call, &positions).map_err(to_status)?;
    let limits = PageLimits { events: size as i64, bytes: MAX_STORED_BYTES };
    // An event may be about all lines of its order, so even a page of a few is a large read.
    let parts = app
        .read_parts(&call, ReadClass::Large, move |session| {
            let found = events::of_stores(session, &wanted, &types, limits, MAX_SCANNED)?;
            Ok(found.into_iter().map(|store| (store.authorized.costs(), store)).collect())
        })
        .await?;
    let parts = parts.into_iter().map(|part| part.redact(of_store)).collect();
    Ok(answer_of(parts, join))
}

struct ListEvents {
    positions: Vec<Position>,
    types: Vec<&'static str>,
    /// How many events the page holds at most.
    size: usize,
}

fn parse(request: &v1::ListEventsRequest) -> Result<ListEvents, Refusal> {
    let mut fields = FieldParser::default();
    let positions = positions::parse_positions(&mut fields, &request.positions);
    let types = positions::parse_types(&mut fields, &request.types);
    let size = page_size(request.page_size, &mut fields);
    fields.finish()?;
    Ok(ListEvents { positions, types, size })
}

/// The part of the answer that is about one store.
fn of_store(found: StoreEvents) -> v1::ListEventsResponse {
    let StoreEvents { authorized, store, events, position, last_event } = found;
    v1::ListEventsResponse {
        events: events.into_iter().map(|event| message::event(event, &authorized)).collect(),
        positions: vec![positions::position(&store, position)],
        up_to_date: position >= last_event,
    }
}

fn join(parts: Vec<v1::ListEventsResponse>) -> v1::ListEventsResponse {
    let mut joined = v1::ListEventsResponse { up_to_date: true, ..v1::ListEventsResponse::default() };
    for part in parts {
        joined.events.extend(part.events);
        joined.positions.extend(part.positions);
        joined.up_to_date &= part.up_to_date;
    }
    joined
}
