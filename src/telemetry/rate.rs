//! Limits how often each call site may log. A peer that can make one log, by connections that fail or calls that it
//! abandons, can do so thousands of times per second; beyond the limit the lines are counted instead, and the next
//! line of that call site says how many there were.

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

use super::ACCESS_LOG;

/// How many lines a call site may log in a burst. It is more than one so that several different faults, reported by
/// the same call site, are all seen.
pub(super) const BURST: u32 = 20;
/// After what time a call site may log one line more.
const REFILL_INTERVAL: Duration = Duration::from_secs(1);

/// A token bucket for each call site. There are at most as many as there are call sites in the program, so the map is
/// bounded whatever peers send.
#[derive(Debug)]
struct RateLimit<S> {
    buckets: Mutex<HashMap<S, Bucket>>,
}

/// What one call site may still log.
#[derive(Debug)]
struct Bucket {
    /// How many lines it may log now.
    left: u32,
    /// The time up to which `left` has been refilled.
    refilled: Instant,
    /// How many lines were suppressed since the last one that was logged.
    suppressed: u64,
}

impl<S: Eq + Hash> RateLimit<S> {
    fn new() -> Self {
        Self { buckets: Mutex::default() }
    }

    /// Whether a call site may log a line now. If so, returns how many of its lines were suppressed since its last.
    fn admit(&self, call_site: S, now: Instant) -> Option<u64> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket { left: BURST, refilled: now, suppressed: 0 };
        buckets.entry(call_site).or_insert(full).admit(now)
    }
}

impl Bucket {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        let earned = now.saturating_duration_since(self.refilled).as_secs() / REFILL_INTERVAL.as_secs();
        let earned = u32::try_from(earned).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(earned).min(BURST);
        self.refilled += REFILL_INTERVAL * earned;
        if self.left == 0 {
            self.suppressed += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.suppressed))
    }
}

/// Formats the events that the limit admits, each with the number of events of its call site that were suppressed
/// before it. For an event beyond the limit nothing is written.
pub(super) struct Limited<F> {
    format: F,
    /// Whether an event is formatted as an object of JSON.
    as_json: bool,
    limit: RateLimit<Identifier>,
    now: fn() -> Instant,
}

impl<F> Limited<F> {
    /// Limits the events that are formatted by `format`, as objects of JSON or not. `now` is the clock, so that tests can
    /// set it.
    pub(super) fn new(format: F, as_json: bool, now: fn() -> Instant) -> Self {
        Self { format, as_json, limit: RateLimit::new(), now }
    }
}

impl<S, N, F> FormatEvent<S, N> for Limited<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> Result {
        // Of the calls there is a line for each, which the sampling of the access log bounds.
        if event.metadata().target() == ACCESS_LOG {
            return self.format.format_event(context, writer, event);
        }
        match self.limit.admit(event.metadata().callsite(), (self.now)()) {
            None => Ok(()),
            Some(0) => self.format.format_event(context, writer, event),
            Some(suppressed) => {
                let mut line = String::new();
                self.format.format_event(context, Writer::new(&mut line), event)?;
                writeln!(writer, "{}", with_suppressed(line.trim_end_matches('\n'), self.as_json, suppressed))
            }
        }
    }
}

/// A formatted event that also tells how many were suppressed before it.
fn with_suppressed(line: &str, as_json: bool, suppressed: u64) -> String {
    match line.strip_suffix('}') {
        Some(fields) if as_json => format!("{fields},\"suppressed\":{suppressed}}}"),
        _ => format!("{line} suppressed={suppressed}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_site_has_a_burst_and_then_a_line_per_second_that_counts_the_others() {
        let (limit, start) = (RateLimit::new(), Instant::now());
        let at = |millis: u64| start + Duration::from_millis(millis);

        for _ in 0..BURST {
            assert_eq!(limit.admit("here", at(0)), Some(0));
        }
        for millis in [0, 500, 999] {
            assert_eq!(limit.admit("here", at(millis)), None);
        }
        assert_eq!(limit.admit("there", at(999)), Some(0), "another call site has a limit of its own");
        assert_eq!(limit.admit("here", at(1_000)), Some(3));
        assert_eq!(limit.admit("here", at(1_999)), None);
        assert_eq!(limit.admit("here", at(2_100)), Some(1));
        assert_eq!(limit.admit("here", at(3_000)), Some(0), "what is over of a second is not lost");
        assert_eq!(limit.admit("here", at(3_000)), None);
    }

    #[test]
    fn a_call_site_that_was_quiet_for_long_has_one_burst_and_no_more() {
        let (limit, start) = (RateLimit::new(), Instant::now());
        assert_eq!(limit.admit((), start), Some(0));
        let later = start + Duration::from_secs(100_000);
        let admitted = (0..1_000).filter(|_| limit.admit((), later).is_some()).count();
        assert_eq!(admitted, BURST as usize);
    }

    #[test]
    fn the_number_of_suppressed_events_is_a_field_in_either_format() {
        assert_eq!(with_suppressed("WARN a {}", false, 3), "WARN a {} suppressed=3");
        assert_eq!(with_suppressed(r#"{"level":"WARN"}"#, true, 3), r#"{"level":"WARN","suppressed":3}"#);
    }
}
