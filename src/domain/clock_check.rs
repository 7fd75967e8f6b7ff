//! Whether the wall clock of an instance can be believed. What it writes bears its time for ever, and a
//! store's times never go back, so a wrong clock must be noticed before it writes.

use std::time::Duration;

use super::time::Timestamp;

/// How far the clocks of an instance and of its database server may be apart. Clocks that are kept in step
/// are within a second; by a minute a receipt would be booked at a time that people notice.
pub const MAX_SKEW: Duration = Duration::from_secs(60);
/// How far a clock may move against the time that has really passed, where there is no other clock to ask.
/// Corrections of a clock that had drifted are far smaller.
pub const MAX_JUMP: Duration = Duration::from_secs(24 * 60 * 60);

/// Whether two clocks that were read at the same moment are too far apart.
pub fn are_apart(own: Timestamp, other: Timestamp) -> bool {
    own.micros().abs_diff(other.micros()) > MAX_SKEW.as_micros() as u64
}

/// Whether a clock has jumped since it was read first: `elapsed` is how much time has really passed.
pub fn has_jumped(first: Timestamp, now: Timestamp, elapsed: Duration) -> bool {
    let expected = first.micros().saturating_add(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX));
    now.micros().abs_diff(expected) > MAX_JUMP.as_micros() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 24 * 60 * 60 * 1_000_000;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn clocks_are_apart_from_more_than_a_minute_on() {
        let cases = [(0, 0, false), (60_000_000, 0, false), (60_000_001, 0, true), (0, 60_000_001, true)];
        for (own, other, expected) in cases {
            assert_eq!(are_apart(at(own), at(other)), expected, "{own} and {other}");
        }
        assert!(are_apart(at(i64::MIN), at(i64::MAX)));
    }

    #[test]
    fn a_clock_has_jumped_if_it_is_more_than_a_day_off_what_has_passed() {
        let hour = Duration::from_secs(60 * 60);
        let hour_later = DAY / 24;
        let cases = [
            (hour_later, false),
            (hour_later + DAY, false),
            (hour_later + DAY + 1, true),
            (hour_later - DAY, false),
            (hour_later - DAY - 1, true),
        ];
        for (now, expected) in cases {
            assert_eq!(has_jumped(at(0), at(now), hour), expected, "{now}");
        }
        assert!(has_jumped(at(0), at(0), Duration::MAX));
    }
}
