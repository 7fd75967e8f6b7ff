//! The wall clock. Code that needs the time takes a [`Clock`], so that tests can set it.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::domain::time::Timestamp;

/// A source of the present time.
pub trait Clock: Send + Sync {
    /// The present time. It may jump, also backwards, as wall clocks do; the rules keep the events of a store in
    /// order all the same.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine, which is used outside of tests.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that is passed to everything else")]
    fn now(&self) -> Timestamp {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        Timestamp::from_micros(since_epoch.map_or(0, |duration| duration.as_micros() as i64))
    }
}
