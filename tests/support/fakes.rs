//! What a test fakes to the service instead of the machine's own: a clock that stands still until the
//! test moves it, and ids that count.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};

use prost_types::Timestamp as Instant;
use purchase_order_service::clock::Clock;
use purchase_order_service::domain::Ids;
use purchase_order_service::domain::code::StoreId;
use purchase_order_service::domain::time::Timestamp;
use uuid::Uuid;

/// When every test begins: a Monday morning.
pub const MONDAY: &str = "2026-03-02T09:00:00Z";

/// An instant as messages hold it, from RFC 3339.
pub fn at(time: &str) -> Option<Instant> {
    Some(time.parse().expect("it is an instant"))
}

/// A clock that the test moves.
pub struct TestClock(AtomicI64);

impl TestClock {
    /// A clock that stands at [`MONDAY`].
    pub fn new() -> Self {
        Self(AtomicI64::new(micros(MONDAY)))
    }

    /// Sets it, also backwards: wall clocks do that.
    pub fn set(&self, time: &str) {
        self.0.store(micros(time), Ordering::SeqCst);
    }
}

fn micros(time: &str) -> i64 {
    let instant = at(time).expect("it is an instant");
    instant.seconds * 1_000_000 + i64::from(instant.nanos / 1_000)
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::SeqCst))
    }
}

/// Ids 1, 2, 3 ... in each store.
#[derive(Default)]
pub struct TestIds {
    given: AtomicU64,
    last: Mutex<HashMap<StoreId, u64>>,
    panics: AtomicBool,
    counts_down: AtomicBool,
}

impl TestIds {
    /// How many were given.
    pub fn given(&self) -> u64 {
        self.given.load(Ordering::SeqCst)
    }

    /// Makes later ids smaller, as those of a clock that was put back are.
    pub fn count_down(&self) {
        self.counts_down.store(true, Ordering::SeqCst);
    }

    /// Makes the next call panic, as a fault in a rule would.
    pub fn panic_once(&self) {
        self.panics.store(true, Ordering::SeqCst);
    }
}

impl Ids for TestIds {
    fn next(&self, store: &StoreId) -> Uuid {
        assert!(!self.panics.swap(false, Ordering::SeqCst), "a fault, on purpose");
        self.given.fetch_add(1, Ordering::SeqCst);
        let mut last = self.last.lock().expect("nothing panics while holding it");
        let number = last.entry(store.clone()).or_default();
        *number += 1;
        let low = if self.counts_down.load(Ordering::SeqCst) { u64::from(u32::MAX) - *number } else { *number };
        let mut hasher = DefaultHasher::new();
        store.hash(&mut hasher);
        Uuid::from_u64_pair(hasher.finish() & !0xf000 | 0x7000, 0x8000_0000_0000_0000 + low)
    }
}
