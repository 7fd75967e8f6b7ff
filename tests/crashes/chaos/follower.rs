//! A service that follows the stores meanwhile, by watches at one instance or the other. It dies again and again, also
//! between what it was sent and what it has kept, and goes on from what it has kept.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::{BigInt, Nullable, Text};
use fastrand::Rng;
use purchase_order_service::proto::v1::{Event, WatchEventsRequest};
use tokio::sync::watch;

use crate::support::{Call, Caller, Database, position, within_timeout};

/// What was kept of an event: its number, its order's id and revision, if it has one.
type Kept = (i64, Option<String>, Option<i64>);

/// See the module.
pub struct Follower {
    /// The same person at each instance.
    callers: [Caller; 2],
    rng: Rng,
    /// What was kept of each store.
    kept: BTreeMap<String, Vec<Kept>>,
    /// How often it died.
    pub deaths: usize,
    /// How often a watch ended by itself.
    pub ended: usize,
}

impl Follower {
    pub fn new(callers: [Caller; 2], stores: &[String], rng: Rng) -> Self {
        let kept = stores.iter().map(|store| (store.clone(), Vec::new())).collect();
        Self { callers, rng, kept, deaths: 0, ended: 0 }
    }

    /// Follows until every store has the last event that `ends` names in the end.
    pub async fn follow(mut self, mut ends: watch::Receiver<Option<BTreeMap<String, i64>>>) -> Self {
        while !self.has_all(ends.borrow_and_update().as_ref()) {
            self.live(&ends).await;
        }
        self
    }

    fn has_all(&self, ends: Option<&BTreeMap<String, i64>>) -> bool {
        ends.is_some_and(|ends| ends.iter().all(|(store, last)| self.after(store) == *last))
    }

    /// The number of the last event that was kept of a store.
    fn after(&self, store: &str) -> i64 {
        self.kept[store].last().map_or(0, |(number, ..)| *number)
    }

    /// Watches until it dies, or until the watch ends by itself.
    async fn live(&mut self, ends: &watch::Receiver<Option<BTreeMap<String, i64>>>) {
        let caller = self.rng.choice(&self.callers).expect("there are two").clone();
        let positions = self.kept.keys().map(|store| position(store, self.after(store))).collect();
        let call: Call<WatchEventsRequest> = caller.call(WatchEventsRequest { positions, ..Default::default() });
        let Ok(mut messages) = within_timeout(call.open()).await else {
            self.ended += 1;
            return;
        };
        for _ in 0..self.rng.usize(1..40) {
            let Ok(Some(message)) = within_timeout(messages.message()).await else {
                self.ended += 1;
                return;
            };
            // It may die before it has kept what it was sent.
            if self.rng.u8(0..20) == 0 {
                break;
            }
            message.events.iter().for_each(|event| self.keep(event));
            if self.has_all(ends.borrow().as_ref()) {
                return;
            }
        }
        self.deaths += 1;
    }

    fn keep(&mut self, event: &Event) {
        assert_eq!(
            event.event_number,
            self.after(&event.store_id) + 1,
            "{}: none is left out or sent twice",
            event.store_id
        );
        let order = event.purchase_order.as_ref();
        let kept =
            (event.event_number, order.map(|order| order.purchase_order_id.clone()), order.map(|order| order.revision));
        self.kept.get_mut(&event.store_id).expect("it is watched").push(kept);
    }

    /// Compares what was kept with what the database has; how many events that are.
    pub fn audit(&self, database: &Database) -> usize {
        #[derive(QueryableByName)]
        struct Stored {
            #[diesel(sql_type = Text)]
            store_id: String,
            #[diesel(sql_type = BigInt)]
            event_number: i64,
            #[diesel(sql_type = Nullable<Text>)]
            po_id: Option<String>,
            #[diesel(sql_type = Nullable<BigInt>)]
            revision: Option<i64>,
        }
        let query = "SELECT store_id, event_number, po_id, revision FROM event ORDER BY store_id, event_number";
        let rows: Vec<Stored> = database.session().load(diesel::sql_query(query)).expect("it is there");
        let mut stored: BTreeMap<String, Vec<Kept>> = BTreeMap::new();
        for row in rows.into_iter().filter(|row| self.kept.contains_key(&row.store_id)) {
            stored.entry(row.store_id).or_default().push((row.event_number, row.po_id, row.revision));
        }
        assert_eq!(self.kept, stored);
        stored.values().map(Vec::len).sum()
    }
}
