//! WatchEvents: what happens in some stores after a position in each, as it happens.
//!
//! A message is made only when the connection can take one, so a client that reads slowly holds one message, however much
//! happens meanwhile. Every message is read from the database after the watch's own position, and access is judged in the
//! same snapshot: a signal that something has changed says where to look and nothing else. A caller loses a role by an
//! event of the store, which is such a signal, so that a watch finds out at once.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::stream;
use tokio::time::{Instant, timeout_at};
use tonic::{Code, Request, Response, Status};

use super::message;
use super::positions::{self, MAX_SCANNED, Position};
use crate::domain::code::StoreId;
use crate::domain::refusal::Refusal;
use crate::proto::v1;
use crate::repository::read::authorized::ReadSession;
use crate::repository::read::events::{self, PageLimits, StoreEvents, Wanted};
use crate::rpc::App;
use crate::rpc::costs::{Messages, Redacted, Unredacted, answer_by};
use crate::rpc::errors::to_status;
use crate::rpc::field_parser::FieldParser;
use crate::rpc::guard::call::Call;
use crate::workers::ReadClass;
use crate::workers::store_changes::StoreWatch;

/// What one message holds at most. It is small, because each watch of a slow client holds one or two.
const MESSAGE: PageLimits = PageLimits { events: 100, bytes: 64 * 1024 };

type Message = Redacted<v1::WatchEventsResponse>;

pub(super) async fn watch(
    app: &Arc<App>,
    request: Request<v1::WatchEventsRequest>,
) -> Result<Response<Messages<v1::WatchEventsResponse>>, Status> {
    let (call, request) = Call::open(request)?;
    let (positions, types) = parse(&request).map_err(to_status)?;
    let stores = positions.iter().map(|(store, _)| store.clone());
    // Before anything is read: what is committed from now on is signalled, and what was before is read.
    let stores = app.changes.watch(&call.principal().id, stores).map_err(to_status)?;
    let wanted = positions::wanted(&call, &positions).map_err(to_status)?;
    let judged = app
        .read_parts(&call, ReadClass::Large, move |session| {
            let judged = events::judge(session, &wanted)?;
            Ok(judged.into_iter().map(|store| (store.costs(), store.last_event())).collect())
        })
        .await?;
    for ((store, after), last_event) in positions.iter().zip(judged) {
        let last_event = last_event.look(|last_event| *last_event);
        // What is there already is read because it is marked below; the poller need not signal it again.
        stores.has_read(store, last_event);
        if *after < last_event {
            stores.mark(store);
        }
    }
    let watch = Watch {
        app: Arc::clone(app),
        call,
        stores,
        positions: positions.into_iter().collect(),
        types,
        moved: BTreeSet::new(),
        last: None,
        has_begun: false,
    };
    Ok(answer_by(stream::unfold(Some(watch), next)))
}

fn parse(request: &v1::WatchEventsRequest) -> Result<(Vec<Position>, Vec<&'static str>), Refusal> {
    let mut fields = FieldParser::default();
    let positions = positions::parse_positions(&mut fields, &request.positions);
    let types = positions::parse_types(&mut fields, &request.types);
    fields.finish()?;
    Ok((positions, types))
}

/// The next message of a watch, and the watch that goes on after it; `None` after an error.
async fn next(watch: Option<Watch>) -> Option<(Result<Message, Status>, Option<Watch>)> {
    let mut watch = watch?;
    match watch.message().await {
        Ok(message) => Some((Ok(message), Some(watch))),
        Err(status) => Some((Err(status), None)),
    }
}

/// What was read of a store.
struct Found {
    events: Vec<v1::Event>,
    /// The number of the last event that was looked at.
    position: i64,
    /// The number of the store's last event.
    last_event: i64,
}

struct Watch {
    app: Arc<App>,
    call: Call,
    stores: StoreWatch,
    /// Up to where each store was read.
    positions: BTreeMap<StoreId, i64>,
    types: Vec<&'static str>,
    /// The stores whose position has changed since the last message.
    moved: BTreeSet<StoreId>,
    /// The store that was looked at last: the one after it is the next.
    last: Option<StoreId>,
    has_begun: bool,
}

impl Watch {
    /// Waits for something to tell, for as long as a watch may be silent.
    async fn message(&mut self) -> Result<Message, Status> {
        // At once, whatever there is to read: it tells the client that its positions were accepted.
        if !self.has_begun {
            self.has_begun = true;
            return Ok(self.all_positions(Vec::new()));
        }
        let until = Instant::now() + self.app.heartbeat;
        // Also where stores have many events of other types, which are looked through in silence.
        while Instant::now() < until {
            let Ok(store) = timeout_at(until, self.stores.next(self.last.as_ref())).await else { break };
            self.last = Some(store.clone());
            // Every store that is signalled has a position: one that was left is not signalled any more.
            let Some(after) = self.positions.get(&store).copied() else { continue };
            let Ok(read) = timeout_at(until, self.read(&store, after)).await else {
                // It waits behind others. It is not silent meanwhile.
                self.stores.mark(&store);
                break;
            };
            match read {
                Ok(found) => {
                    if let Some(message) = self.take(store, after, found) {
                        return Ok(message);
                    }
                }
                // The other stores go on. With the last one the watch itself ends, with this status.
                Err(status) if status.code() == Code::PermissionDenied && self.positions.len() > 1 => {
                    self.stores.leave(&store);
                    self.positions.remove(&store);
                    return Ok(self.all_positions(vec![store.to_string()]));
                }
                // Also if events after the position were pruned: to go on would pass over them in silence.
                Err(status) => return Err(status),
            }
        }
        // Nothing is told while the database is away, but a client must not take that for a quiet store.
        self.app.readers.check().map_err(to_status)?;
        Ok(self.all_positions(Vec::new()))
    }

    async fn read(&self, store: &StoreId, after: i64) -> Result<Unredacted<Found>, Status> {
        let wanted = Wanted { check: self.call.check(store.clone()).map_err(to_status)?, after };
        let types = self.types.clone();
        let read = move |session: &mut ReadSession<'_>| {
            let store = events::of_store(session, &wanted, &types, MESSAGE, MAX_SCANNED)?;
            let StoreEvents { authorized, events, position, last_event, .. } = store;
            // Made here, because it may wait for the connection: a message has no lines of an event that is about
            // very many.
            let events = events.into_iter().map(|event| message::event(event, &authorized)).collect();
            Ok(Found { events, position, last_event })
        };
        self.app.read(&self.call, ReadClass::Large, read).await
    }

    /// Moves on by what was read of a store. `None` if that is nothing to tell.
    fn take(&mut self, store: StoreId, after: i64, found: Unredacted<Found>) -> Option<Message> {
        let (position, last_event, is_empty) =
            found.look(|found| (found.position, found.last_event, found.events.is_empty()));
        self.stores.has_read(&store, last_event);
        // The message or the scan was full. The rest is read after the other stores have had their turn.
        if position < last_event {
            self.stores.mark(&store);
        }
        if position > after {
            self.positions.insert(store.clone(), position);
            self.moved.insert(store);
        }
        // A new position alone is not worth a message: it goes with the next one, the heartbeat at the latest.
        if is_empty {
            return None;
        }
        let moved = std::mem::take(&mut self.moved);
        let positions = moved.iter().filter_map(|store| Some(positions::position(store, *self.positions.get(store)?)));
        let positions = positions.collect();
        Some(found.redact(|Found { events, .. }| v1::WatchEventsResponse {
            events,
            positions,
            ended_store_ids: Vec::new(),
        }))
    }

    /// A message without events: the positions of all stores, and the stores that are left out from now on.
    fn all_positions(&mut self, ended_store_ids: Vec<String>) -> Message {
        self.moved.clear();
        let positions = self.positions.iter().map(|(store, after)| positions::position(store, *after)).collect();
        Redacted::without_costs(v1::WatchEventsResponse { events: Vec::new(), positions, ended_store_ids })
    }
}
