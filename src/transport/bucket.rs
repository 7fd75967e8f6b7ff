//! A leaky bucket: so much at once, and so much a second from then on.

use std::time::Instant;

/// Counts what a peer does too often only if it goes on doing it.
#[derive(Debug)]
pub(super) struct LeakyBucket {
    level: f64,
    at: Instant,
    most: f64,
    a_second: f64,
}

impl LeakyBucket {
    /// An empty bucket that holds `most` and loses so much a second.
    pub(super) fn new(most: f64, a_second: f64, now: Instant) -> Self {
        Self { level: 0.0, at: now, most, a_second }
    }

    /// Adds one; `false` if that is more than it holds.
    pub(super) fn add(&mut self, now: Instant) -> bool {
        let leaked = now.saturating_duration_since(self.at).as_secs_f64() * self.a_second;
        self.level = (self.level - leaked).max(0.0) + 1.0;
        self.at = now;
        self.level <= self.most
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn it_holds_so_much_at_once_and_so_much_a_second() {
        let start = Instant::now();
        let mut bucket = LeakyBucket::new(3.0, 2.0, start);
        let permit = |bucket: &mut LeakyBucket, millis| bucket.add(start + Duration::from_millis(millis));
        assert_eq!([0, 0, 0, 0].map(|at| permit(&mut bucket, at)), [true, true, true, false]);
        // What was too much counts too: whoever goes on stays beyond it.
        assert_eq!([500, 1_000, 1_500].map(|at| permit(&mut bucket, at)), [false, false, false]);
        assert_eq!([3_000, 60_000].map(|at| permit(&mut bucket, at)), [true, true]);
    }
}
