//! A leaky bucket: allows a burst of events, and a steady rate of them afterwards. Used for events that are
//! harmless when they are rare and an attack when they are not.

use std::time::Instant;

/// The number of recent events of one connection, which decreases as time passes. It is the caller's part to
/// end the connection when [`LeakyBucket::add`] says that the limit is exceeded.
#[derive(Debug)]
pub(super) struct LeakyBucket {
    /// Events that have not leaked yet, as of `updated`.
    level: f64,
    updated: Instant,
    /// The highest level that is still allowed: the size of a burst.
    capacity: f64,
    leak_per_second: f64,
}

impl LeakyBucket {
    /// An empty bucket that allows a burst of `capacity` events and `leak_per_second` of them from then on.
    pub(super) fn new(capacity: f64, leak_per_second: f64, now: Instant) -> Self {
        Self { level: 0.0, updated: now, capacity, leak_per_second }
    }

    /// Counts one event and returns whether the limit still holds. An event beyond the limit is counted too, so
    /// a peer that does not slow down stays beyond it.
    pub(super) fn add(&mut self, now: Instant) -> bool {
        let leaked = now.saturating_duration_since(self.updated).as_secs_f64() * self.leak_per_second;
        self.level = (self.level - leaked).max(0.0) + 1.0;
        self.updated = now;
        self.level <= self.capacity
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_allows_a_burst_and_then_a_steady_rate() {
        let start = Instant::now();
        let mut bucket = LeakyBucket::new(3.0, 2.0, start);
        for (millis, allowed) in [
            (0, true),
            (0, true),
            (0, true),
            (0, false),
            // Events beyond the limit count too: who does not slow down stays beyond it.
            (500, false),
            (1_000, false),
            (1_500, false),
            (3_000, true),
            (60_000, true),
        ] {
            assert_eq!(bucket.add(start + Duration::from_millis(millis)), allowed, "after {millis} ms");
        }
    }
}
