//! How often each place in the code may log. A peer that can make a place log, by connections that end
//! badly or by calls that it gives up, can do so thousands of times a second; beyond the limit its lines
//! are counted instead, and the next line of that place says how many there were.

use std::collections::HashMap;
use std::fmt::Result;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Lines that a place may log at once, so that a few different faults are all told; it gets one more
/// each [`EVERY`].
pub(super) const BURST: u32 = 20;
const EVERY: Duration = Duration::from_secs(1);

/// Bounds the lines of each place. There are as many entries as places in the code that have logged.
#[derive(Debug)]
struct RateLimit<P> {
    places: Mutex<HashMap<P, Place>>,
}

/// What one place may still log.
#[derive(Debug)]
struct Place {
    /// Lines left.
    left: u32,
    /// When the last one was added to them.
    since: Instant,
    /// Lines that were not logged since one was.
    suppressed: u64,
}

impl<P: Eq + Hash> RateLimit<P> {
    fn new() -> Self {
        Self { places: Mutex::default() }
    }

    /// Asks whether a place may log a line now: `None`, or how many of its lines were suppressed since
    /// its last.
    fn admit(&self, place: P, now: Instant) -> Option<u64> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry(place).or_insert(Place { left: BURST, since: now, suppressed: 0 }).admit(now)
    }
}

impl Place {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let earned = now.saturating_duration_since(self.since).as_secs() / EVERY.as_secs();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(BURST);
        self.since += EVERY * earned;
        if self.left == 0 {
            self.suppressed += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// Formats the events that the limit admits, each with how many like it were suppressed before it. An
/// event beyond the limit becomes no text at all.
pub(super) struct Limited<F> {
    format: F,
    limit: RateLimit<Identifier>,
    now: fn() -> Instant,
}

impl<F> Limited<F> {
    /// Limits what `format` would write.
    pub(super) fn new(format: F, now: fn() -> Instant) -> Self {
        Self { format, limit: RateLimit::new(), now }
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> Result {
        match self.limit.admit(event.metadata().callsite(), (self.now)()) {
            None => Ok(()),
            Some(0) => self.format.format_event(context, writer, event),
            Some(suppressed) => {
                let mut line = String::new();
                self.format.format_event(context, Writer::new(&mut line), event)?;
                writeln!(writer, "{} suppressed={suppressed}", line.trim_end_matches('\n'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_a_burst_and_then_a_line_a_second_that_counts_the_others() {
        let (limit, start) = (RateLimit::new(), Instant::now());
        let at = |millis: u64| start + Duration::from_millis(millis);

        for _ in 0..BURST {
            assert_eq!(limit.admit("here", at(0)), Some(0));
        }
        for millis in [0, 500, 999] {
            assert_eq!(limit.admit("here", at(millis)), None);
        }
        assert_eq!(limit.admit("there", at(999)), Some(0), "another place has a limit of its own");
        assert_eq!(limit.admit("here", at(1_000)), Some(3));
        assert_eq!(limit.admit("here", at(1_999)), None);
        assert_eq!(limit.admit("here", at(2_100)), Some(1));
        assert_eq!(limit.admit("here", at(3_000)), Some(0), "what is over of a second is not lost");
        assert_eq!(limit.admit("here", at(3_000)), None);
    }

    #[test]
    fn whoever_was_quiet_for_long_has_one_burst_and_no_more() {
        let (limit, start) = (RateLimit::new(), Instant::now());
        assert_eq!(limit.admit((), start), Some(0));
        let later = start + Duration::from_secs(100_000);
        let admitted = (0..1_000).filter(|_| limit.admit((), later).is_some()).count();
        assert_eq!(admitted, BURST as usize);
    }
}
