//! Which stores have changed, for calls that watch some of them.
//!
//! A watch reads a store only when something may have happened there. It learns of that in two ways: a writer of this
//! instance says so right after a commit, and [`super::change_poller`] finds out what other instances have written. Both
//! only say that there may be something new; what it is, the watch reads from the database after its own position. So a
//! signal may come too often, or stand for many changes, and no event can be lost or doubled by it.
//!
//! Signals that a watch has not yet looked at are a set of its stores, so a slow watch takes no more memory than a fast
//! one. What all watches together may name is bounded, and what the watches of one caller may.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use super::error::ServiceFault;
use crate::domain::code::{PrincipalId, StoreId};

/// How many stores all watches together may name. Each takes a few hundred bytes.
const MAX_WATCHED: usize = 100_000;
/// How many stores the watches of one caller may name.
const MAX_WATCHED_PER_CALLER: usize = MAX_WATCHED / 4;

/// The stores that are watched, and who watches them.
#[derive(Debug, Default)]
pub struct StoreChanges {
    state: Mutex<State>,
    /// Notified when the first store is watched: until then nothing needs to be found out.
    begun: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// The watches of each store, by their numbers. Only stores that are watched are in it.
    by_store: HashMap<StoreId, HashMap<u64, Watcher>>,
    /// How many stores the watches of each caller name. Only callers who watch are in it.
    by_caller: HashMap<PrincipalId, usize>,
    /// How many stores all watches name.
    watched: usize,
    /// Makes the numbers by which the watches of a store are told apart.
    last_watch: u64,
}

/// One of the watches of a store.
#[derive(Debug)]
struct Watcher {
    signals: Arc<Signals>,
    /// The greatest number of an event that it has read, or that the poller has signalled to it. It is kept for each watch:
    /// what one of them has read, another may not have.
    known: i64,
}

/// What one watch has been told and not yet looked at.
#[derive(Debug, Default)]
struct Signals {
    changed: Mutex<BTreeSet<StoreId>>,
    notify: Notify,
}

impl Signals {
    fn changed(&self) -> MutexGuard<'_, BTreeSet<StoreId>> {
        // Nothing panics while holding it.
        self.changed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn signal(&self, store: &StoreId) {
        self.changed().insert(store.clone());
        // It is kept if nobody waits just now.
        self.notify.notify_one();
    }
}

impl StoreChanges {
    /// Begins to watch stores for a caller. From now on nothing that is committed goes unnoticed, so what was committed
    /// before must be read afterwards. Refuses if too much is watched.
    pub fn watch(
        self: &Arc<Self>,
        caller: &PrincipalId,
        stores: impl IntoIterator<Item = StoreId>,
    ) -> Result<StoreWatch, ServiceFault> {
        let stores: BTreeSet<StoreId> = stores.into_iter().collect();
        let mut state = self.state();
        let of_caller = state.by_caller.get(caller).copied().unwrap_or_default() + stores.len();
        if of_caller > MAX_WATCHED_PER_CALLER || state.watched + stores.len() > MAX_WATCHED {
            return Err(ServiceFault::QueueFull);
        }
        state.by_caller.insert(caller.clone(), of_caller);
        state.watched += stores.len();
        state.last_watch += 1;
        let number = state.last_watch;
        let signals = Arc::<Signals>::default();
        for store in &stores {
            // Nothing is known yet, so whatever the poller finds is signalled until the watch says what it has read.
            let watcher = Watcher { signals: Arc::clone(&signals), known: 0 };
            state.by_store.entry(store.clone()).or_default().insert(number, watcher);
        }
        drop(state);
        self.begun.notify_one();
        Ok(StoreWatch { changes: Arc::clone(self), caller: caller.clone(), number, stores, signals })
    }

    /// Says that something was committed in a store.
    pub(super) fn committed(&self, store: &StoreId) {
        if let Some(watches) = self.state().by_store.get(store) {
            watches.values().for_each(|watch| watch.signals.signal(store));
        }
    }

    /// Says which event of a store is the last, as the poller has found it.
    pub(super) fn found(&self, store: &StoreId, last_event: i64) {
        let mut state = self.state();
        for watch in state.by_store.get_mut(store).into_iter().flat_map(HashMap::values_mut) {
            // Most of what is found was written by this instance, and read already.
            if watch.known < last_event {
                watch.known = last_event;
                watch.signals.signal(store);
            }
        }
    }

    /// How many stores all watches name, which counts a store once for each watch of it.
    pub fn count(&self) -> usize {
        self.state().watched
    }

    /// The stores that are watched.
    pub(super) fn watched(&self) -> Vec<StoreId> {
        self.state().by_store.keys().cloned().collect()
    }

    /// Waits until a store is watched.
    pub(super) async fn begun(&self) {
        loop {
            // As for a watch: what is signalled between the look and the wait is kept.
            let begun = self.begun.notified();
            if !self.state().by_store.is_empty() {
                return;
            }
            begun.await;
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The stores that one call watches. They are watched until this is dropped.
#[derive(Debug)]
pub struct StoreWatch {
    changes: Arc<StoreChanges>,
    caller: PrincipalId,
    number: u64,
    stores: BTreeSet<StoreId>,
    signals: Arc<Signals>,
}

impl StoreWatch {
    /// Has a store looked at, again or for the first time: it may have news.
    pub fn mark(&self, store: &StoreId) {
        self.signals.signal(store);
    }

    /// A store that may have news, each in turn; waits for one. The future may be dropped at any time: it takes a
    /// store only when it is ready.
    pub async fn next(&self, after: Option<&StoreId>) -> StoreId {
        loop {
            // `notify_one` keeps a signal for the next who waits, so none is missed between the look and the wait. One
            // that is left over from a look that found its store makes for one more look.
            let notified = self.signals.notify.notified();
            if let Some(store) = self.take(after) {
                return store;
            }
            notified.await;
        }
    }

    /// Takes the next store in turn, so that one with many events does not keep the others waiting.
    fn take(&self, after: Option<&StoreId>) -> Option<StoreId> {
        let mut changed = self.signals.changed();
        let following = after.and_then(|after| {
            let range = (std::ops::Bound::Excluded(after), std::ops::Bound::Unbounded);
            changed.range::<StoreId, _>(range).next().cloned()
        });
        let store = following.or_else(|| changed.first().cloned())?;
        changed.take(&store)
    }

    /// Says up to where this watch has read a store, so that the poller does not signal what it knows.
    pub fn has_read(&self, store: &StoreId, last_event: i64) {
        let mut state = self.changes.state();
        if let Some(watch) = state.by_store.get_mut(store).and_then(|watches| watches.get_mut(&self.number)) {
            watch.known = watch.known.max(last_event);
        }
    }

    /// Watches a store no more.
    pub fn leave(&mut self, store: &StoreId) {
        if self.stores.remove(store) {
            self.forget([store]);
            // Last, because after `forget` nobody signals the store any more.
            self.signals.changed().remove(store);
        }
    }

    fn forget<'s>(&self, stores: impl IntoIterator<Item = &'s StoreId>) {
        let mut state = self.changes.state();
        let mut forgotten = 0;
        for store in stores {
            forgotten += 1;
            if let Some(watches) = state.by_store.get_mut(store) {
                watches.remove(&self.number);
                if watches.is_empty() {
                    state.by_store.remove(store);
                }
            }
        }
        state.watched -= forgotten;
        if let Some(of_caller) = state.by_caller.get_mut(&self.caller) {
            *of_caller -= forgotten;
            if *of_caller == 0 {
                state.by_caller.remove(&self.caller);
            }
        }
    }
}

impl Drop for StoreWatch {
    fn drop(&mut self) {
        self.forget(&self.stores);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn store(name: &str) -> StoreId {
        StoreId::new(name)
    }

    fn watch(changes: &Arc<StoreChanges>, stores: &[&str]) -> StoreWatch {
        changes.watch(&PrincipalId::new("alice"), stores.iter().map(|name| store(name))).unwrap()
    }

    /// What a watch was told so far, in turn.
    fn told(watch: &StoreWatch) -> Vec<String> {
        let mut told = Vec::new();
        let mut last = None;
        while let Some(next) = watch.next(last.as_ref()).now_or_never() {
            told.push(next.to_string());
            last = Some(next);
        }
        told
    }

    #[test]
    fn a_watch_is_told_of_its_stores_alone_and_once_of_many_changes() {
        let changes = Arc::<StoreChanges>::default();
        let (one, both) = (watch(&changes, &["east"]), watch(&changes, &["east", "west"]));
        for name in ["east", "east", "north", "west", "east"] {
            changes.committed(&store(name));
        }
        assert_eq!((told(&one), told(&both)), (vec!["east".to_owned()], vec!["east".to_owned(), "west".to_owned()]));
        assert_eq!((told(&one), told(&both)), (Vec::new(), Vec::new()));
    }

    #[test]
    fn stores_take_turns() {
        let changes = Arc::<StoreChanges>::default();
        let watch = watch(&changes, &["a", "b", "c"]);
        let mut turns = Vec::new();
        let mut last = None;
        for _ in 0..6 {
            for name in ["a", "b", "c"] {
                watch.mark(&store(name));
            }
            let next = watch.next(last.as_ref()).now_or_never().unwrap();
            turns.push(next.to_string());
            last = Some(next);
        }
        assert_eq!(turns.concat(), "abcabc");
    }

    #[test]
    fn what_the_poller_finds_is_told_to_each_watch_that_has_not_read_it() {
        let changes = Arc::<StoreChanges>::default();
        let (watch, other) = (watch(&changes, &["east"]), watch(&changes, &["east"]));
        other.has_read(&store("east"), 100);
        for (has_read, found, is_told) in [(0, 0, false), (0, 5, true), (5, 5, false), (9, 8, false), (9, 10, true)] {
            watch.has_read(&store("east"), has_read);
            changes.found(&store("east"), found);
            assert_eq!(!told(&watch).is_empty(), is_told, "{has_read} {found}");
            assert_eq!(told(&other), [""; 0], "it knows of more");
        }
    }

    #[test]
    fn a_store_that_was_left_is_told_no_more_and_the_last_watch_leaves_nothing() {
        let changes = Arc::<StoreChanges>::default();
        let mut first = watch(&changes, &["east", "west"]);
        let second = watch(&changes, &["west"]);
        changes.committed(&store("west"));
        first.leave(&store("west"));
        first.leave(&store("west"));
        changes.committed(&store("west"));
        assert_eq!((told(&first), told(&second)), (Vec::new(), vec!["west".to_owned()]));
        drop((first, second));
        let state = changes.state();
        assert!(state.by_store.is_empty() && state.by_caller.is_empty() && state.watched == 0, "{state:?}");
    }

    #[test]
    fn one_caller_may_watch_a_quarter_of_what_may_be_watched() {
        let changes = Arc::<StoreChanges>::default();
        let stores: Vec<StoreId> = (0..1_000).map(|n| store(&format!("s{n}"))).collect();
        let watch = |caller: &str| changes.watch(&PrincipalId::new(caller), stores.clone());
        let mut kept: Vec<StoreWatch> = (0..25).map(|_| watch("alice").unwrap()).collect();
        assert_eq!(watch("alice").unwrap_err(), ServiceFault::QueueFull);
        for caller in ["bob", "carol", "dora"] {
            kept.extend((0..25).map(|_| watch(caller).unwrap()));
        }
        assert_eq!(watch("erin").unwrap_err(), ServiceFault::QueueFull, "it is full");
        kept.pop();
        kept.push(watch("erin").unwrap());
        drop(kept);
        assert_eq!(changes.state().watched, 0);
    }
}
