//! Who disturbs the service: terminates its database sessions and locks its stores, paced by how many
//! intentions were answered.

use std::ops::Range;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Integer};
use fastrand::Rng;
use purchase_order_service::repository::session::Session;
use tokio::sync::watch;

use crate::support::Database;

/// After so many intentions the next session is terminated.
const TERMINATE_AFTER: Range<usize> = 5..35;
/// So long after the last lock the next store is locked.
const LOCK_AFTER: Range<usize> = 30..120;
/// So many intentions of the other stores of its writer are answered while a store is locked.
const HOLD_FOR: Range<usize> = 10..50;
/// Marks the disturber's own sessions, which are not to be terminated.
const NAME: &str = "SET application_name = 'disturber'";

/// How many intentions were answered so far, by store.
#[derive(Clone)]
pub struct Progress(Vec<usize>);

impl Progress {
    pub fn of(stores: usize) -> Self {
        Self(vec![0; stores])
    }

    pub fn count(&mut self, store: usize) {
        self.0[store] += 1;
    }

    fn total(&self) -> usize {
        self.0.iter().sum()
    }
}

/// What the disturber did.
#[derive(Default)]
pub struct Disturbed {
    pub terminated: usize,
    pub locked: usize,
}

/// A store that is locked until so many intentions of its neighbours are answered.
struct Locked {
    session: Session,
    store: usize,
    until: usize,
}

pub struct Disturber<'d> {
    database: &'d Database,
    session: Session,
    stores: Vec<String>,
    /// How many intentions there will be in all, by store.
    to_come: Vec<usize>,
    rng: Rng,
    next_termination: usize,
    next_lock: usize,
    locked: Option<Locked>,
    done: Disturbed,
}

#[derive(QueryableByName)]
struct Backend {
    #[diesel(sql_type = Integer)]
    pid: i32,
}

#[derive(QueryableByName)]
struct Terminated {
    #[diesel(sql_type = Bool)]
    terminated: bool,
}

/// How many intentions the other stores of a store's writer have: every second store is its.
fn of_neighbours(counts: &[usize], store: usize) -> usize {
    let neighbours = (0..counts.len()).filter(|other| *other != store && other % 2 == store % 2);
    neighbours.map(|neighbour| counts[neighbour]).sum()
}

impl<'d> Disturber<'d> {
    pub fn new(database: &'d Database, stores: Vec<String>, to_come: Vec<usize>, mut rng: Rng) -> Self {
        let mut session = database.session();
        session.batch(NAME).unwrap();
        let (next_termination, next_lock) = (rng.usize(TERMINATE_AFTER), rng.usize(LOCK_AFTER));
        let (locked, done) = (None, Disturbed::default());
        Self { database, session, stores, to_come, rng, next_termination, next_lock, locked, done }
    }

    /// Disturbs until everything is answered.
    pub async fn disturb(mut self, mut progress: watch::Receiver<Progress>) -> Disturbed {
        while progress.changed().await.is_ok() {
            let now = progress.borrow_and_update().clone();
            if now.total() >= self.next_termination {
                self.terminate_one();
                self.next_termination = now.total() + self.rng.usize(TERMINATE_AFTER);
            }
            match self.locked.take() {
                None if now.total() >= self.next_lock => self.lock_one(&now),
                None => {}
                Some(locked) if of_neighbours(&now.0, locked.store) >= locked.until => {
                    tracing::info!(store = self.stores[locked.store], counts = ?now.0, "released");
                    self.release(locked);
                    self.next_lock = now.total() + self.rng.usize(LOCK_AFTER);
                }
                still => self.locked = still,
            }
        }
        self.done
    }

    fn terminate_one(&mut self) {
        let backends = "SELECT pid FROM pg_stat_activity
             WHERE datname = current_database() AND application_name <> 'disturber' ORDER BY pid";
        let backends: Vec<Backend> = self.session.load(diesel::sql_query(backends)).unwrap();
        let Some(Backend { pid }) = self.rng.choice(backends) else { return };
        let terminate = format!("SELECT pg_terminate_backend({pid}) AS terminated");
        let terminated: Vec<Terminated> = self.session.load(diesel::sql_query(terminate)).unwrap();
        self.done.terminated += terminated.iter().filter(|one| one.terminated).count();
    }

    /// Locks a random store, unless too little is left to be done beside it: then nothing would tell when
    /// to release it.
    fn lock_one(&mut self, now: &Progress) {
        let store = self.rng.usize(..self.stores.len());
        let until = of_neighbours(&now.0, store) + self.rng.usize(HOLD_FOR);
        if until > of_neighbours(&self.to_come, store) {
            return;
        }
        let mut session = self.database.session();
        session.batch(NAME).unwrap();
        let lock = format!("BEGIN; SELECT FROM store WHERE store_id = '{}' FOR UPDATE", self.stores[store]);
        session.batch(&lock).unwrap();
        tracing::info!(store = self.stores[store], until, counts = ?now.0, "locked");
        self.locked = Some(Locked { session, store, until });
    }

    fn release(&mut self, mut locked: Locked) {
        locked.session.batch("COMMIT").unwrap();
        self.done.locked += 1;
    }
}
