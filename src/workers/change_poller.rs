//! Finds out what other instances have written to stores that are watched here.
//!
//! A number of the last event per store is read again and again, by one small statement for up to 1,000 stores, and only
//! while somebody watches. Notifications of the database would come sooner, but those that wait to be sent are ordered by
//! a lock that all writing transactions share: they were measured to take two thirds of the commits.

use std::sync::Arc;
use std::time::Duration;

use super::read_queue::ReadClass;
use super::store_changes::StoreChanges;
use super::{Readers, Requester};
use crate::domain::code::StoreId;
use crate::repository::read::authorized::ReadSession;
use crate::repository::read::events::last_events;

/// The time between two rounds. It is how much later a watch learns of what another instance has written.
const INTERVAL: Duration = Duration::from_millis(200);
/// How many stores one statement asks for.
const STORES_AT_ONCE: usize = 1_000;

/// Asks the database for the last events of the watched stores, for ever. A round that fails is left out: the next one
/// finds whatever it would have found.
pub async fn poll(changes: Arc<StoreChanges>, readers: Arc<Readers>) {
    loop {
        changes.begun().await;
        for stores in changes.watched().chunks(STORES_AT_ONCE) {
            let stores: Vec<StoreId> = stores.to_vec();
            let asked = move |session: &mut ReadSession<'_>| last_events(session, &stores);
            // A small read, so that the pages of watches cannot hold up what wakes them.
            let Ok(found) = readers.read(Requester::default(), ReadClass::Small, asked).await else { continue };
            for (store, last_event) in found {
                changes.found(&store, last_event);
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
