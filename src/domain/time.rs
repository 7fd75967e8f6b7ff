//! Instants, dates, and the zone of a store that relates them.

use std::fmt;

use jiff::tz;

/// An instant in microseconds since 1970-01-01 UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since 1970-01-01 UTC, as the database stores it.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// In microseconds since 1970-01-01 UTC, as the database stores it.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// The instant so many whole minutes later.
    pub const fn plus_minutes(self, minutes: i64) -> Self {
        Self(self.0 + minutes * 60_000_000)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not as jiff's timestamp, which ends a day before the calendar does.
        let epoch = jiff::civil::date(1970, 1, 1).at(0, 0, 0, 0);
        match epoch.checked_add(jiff::SignedDuration::from_micros(self.0)) {
            Ok(instant) => write!(f, "{instant}Z"),
            Err(_) => write!(f, "a time beyond the calendar"),
        }
    }
}

/// A day of the calendar, without a time or a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(jiff::civil::Date);

impl Date {
    /// Reads `YYYY-MM-DD` and nothing else; `None` also for days that do not exist.
    pub fn parse(text: &str) -> Option<Self> {
        // The parser takes other forms too, such as 20260203, and years before 1. Dates are stored as text and
        // compared as text, which is right only if all of them have the one form.
        let date: jiff::civil::Date = text.parse().ok()?;
        (date.year() >= 1 && date.to_string() == text).then_some(Self(date))
    }
}

impl Date {
    /// The same day so many years before; 28 February where that year has no 29th.
    pub fn years_before(self, years: i16) -> Self {
        // Only a year before -9999 is none.
        Self(self.0.checked_sub(jiff::Span::new().years(years)).unwrap_or(jiff::civil::Date::MIN))
    }

    /// How many days of the calendar lie between: 0 for the same day, below zero if `earlier` is the later one.
    pub fn days_since(self, earlier: Self) -> i32 {
        (self.0 - earlier.0).get_days()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A zone of the IANA time zone database, which is built into the binary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimeZone(tz::TimeZone);

impl TimeZone {
    /// Looks a zone up by its name.
    pub fn parse(name: &str) -> Option<Self> {
        let zone = tz::TimeZone::get(name).ok()?;
        // A zone without a name could not be stored, because the name is what is stored.
        zone.iana_name().is_some().then_some(Self(zone))
    }

    /// The IANA name of the zone, such as `Europe/Amsterdam`, as it is stored.
    pub fn name(&self) -> &str {
        // `parse` makes no zone without a name, so the other text is never used.
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The first instant of a day in this zone. Instants beyond the calendar count as its ends.
    pub fn start_of(&self, date: Date) -> Timestamp {
        // Instants end before the calendar does, so its last days have none.
        let end = if date.0.year() < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let start = date.0.to_zoned(self.0.clone()).map_or(end, |start| start.timestamp());
        Timestamp(start.as_microsecond())
    }

    /// By how many microseconds the zone is ahead of UTC from each instant on, in the order of time: from the first of two
    /// instants to the second.
    pub fn offsets(&self, from: Timestamp, to: Timestamp) -> Vec<(Timestamp, i64)> {
        let micros = |offset: tz::Offset| i64::from(offset.seconds()) * 1_000_000;
        let Ok(start) = jiff::Timestamp::from_microsecond(from.0) else { return vec![(from, 0)] };
        let mut offsets = vec![(from, micros(self.0.to_offset(start)))];
        for transition in self.0.following(start) {
            let at = Timestamp(transition.timestamp().as_microsecond());
            // The transitions of a zone with summer time do not end before the calendar does.
            if at > to {
                break;
            }
            offsets.push((at, micros(transition.offset())));
        }
        offsets
    }

    /// The date in this zone at an instant. Instants beyond the calendar count as its ends.
    pub fn date_at(&self, instant: Timestamp) -> Date {
        let end = if instant.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
        let instant = jiff::Timestamp::from_microsecond(instant.0).unwrap_or(end);
        Date(instant.to_zoned(self.0.clone()).date())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_must_exist_and_be_written_in_full() {
        assert!(Date::parse("2028-02-29").is_some());
        for bad in ["2026-02-30", "2026-2-3", "20260203", "2026-02-03T00:00", "", "0000-01-01", "-001-01-01"] {
            assert_eq!(Date::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn times_are_told_as_times_to_both_ends_of_the_calendar() {
        for (micros, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_772_442_000_000_008, "2026-03-02T09:00:00.000008Z"),
            (-62_135_596_800_000_000, "0001-01-01T00:00:00Z"),
            (-55_666_224_000_000_000, "0206-01-04T00:00:00Z"),
            (253_402_300_799_999_999, "9999-12-31T23:59:59.999999Z"),
            (i64::MAX, "a time beyond the calendar"),
            (i64::MIN, "a time beyond the calendar"),
        ] {
            assert_eq!(Timestamp::from_micros(micros).to_string(), told);
        }
    }

    #[test]
    fn years_are_counted_by_the_calendar() {
        for (day, before) in
            [("2026-03-02", "2016-03-02"), ("2028-02-29", "2018-02-28"), ("0005-01-01", "-000005-01-01")]
        {
            assert_eq!(Date::parse(day).unwrap().years_before(10).to_string(), before);
        }
    }

    #[test]
    fn days_are_counted_by_the_calendar() {
        let date = |text: &str| Date::parse(text).unwrap();
        for (earlier, later, days) in [
            ("2026-03-02", "2026-03-02", 0),
            ("2026-02-27", "2026-03-02", 3),
            ("2028-02-27", "2028-03-02", 4),
            // Over both changes of the clocks.
            ("2026-03-28", "2026-10-26", 212),
            ("0001-01-01", "9999-12-31", 3_652_058),
        ] {
            assert_eq!(date(later).days_since(date(earlier)), days, "{earlier}");
            assert_eq!(date(earlier).days_since(date(later)), -days, "{earlier}");
        }
    }

    #[test]
    fn the_date_depends_on_the_zone() {
        let late = Timestamp::from_micros(1_795_478_400_000_000 - 1);
        let amsterdam = TimeZone::parse("Europe/Amsterdam").unwrap();
        let utc = TimeZone::parse("UTC").unwrap();
        assert!(amsterdam.date_at(late) > utc.date_at(late));
        assert_eq!(TimeZone::parse("Europe/Atlantis"), None);
        assert_eq!(TimeZone::parse(""), None);
    }

    #[test]
    fn a_day_starts_at_its_first_instant() {
        for (zone, day, start) in [
            ("UTC", "2026-03-29", "2026-03-29T00:00:00Z"),
            ("Europe/Amsterdam", "2026-03-29", "2026-03-28T23:00:00Z"),
            ("Europe/Amsterdam", "2026-03-30", "2026-03-29T22:00:00Z"),
            // Here the clocks go forward at midnight: the day starts at one.
            ("America/Santiago", "2026-09-06", "2026-09-06T04:00:00Z"),
            ("UTC", "9999-12-31", "9999-12-30T22:00:00.999999Z"),
        ] {
            let zone = TimeZone::parse(zone).unwrap();
            let day = Date::parse(day).unwrap();
            let first = zone.start_of(day);
            assert_eq!(first.to_string(), start);
            assert!(first.0 > 253_402_200_000_000_000 || zone.date_at(first) == day, "{day}");
            assert!(zone.date_at(Timestamp(first.0 - 1)) < day, "{day}");
        }
    }

    #[test]
    fn offsets_change_with_the_clocks() {
        let at = |text: &str| Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
        const HOUR: i64 = 3_600_000_000;
        let (from, to) = (at("2026-01-01T00:00:00Z"), at("2026-12-31T00:00:00Z"));
        let amsterdam = TimeZone::parse("Europe/Amsterdam").unwrap();
        let (spring, autumn) = (at("2026-03-29T01:00:00Z"), at("2026-10-25T01:00:00Z"));
        assert_eq!(amsterdam.offsets(from, to), [(from, HOUR), (spring, 2 * HOUR), (autumn, HOUR)]);
        assert_eq!(amsterdam.offsets(spring, spring), [(spring, 2 * HOUR)]);
        assert_eq!(TimeZone::parse("UTC").unwrap().offsets(from, to), [(from, 0)]);
    }

    #[test]
    fn instants_beyond_the_calendar_count_as_its_ends() {
        let utc = TimeZone::parse("UTC").unwrap();
        for (micros, date) in [
            (i64::MIN, "-009999-01-02"),
            (-1, "1969-12-31"),
            (0, "1970-01-01"),
            (253_402_300_799_999_999, "9999-12-30"),
            (i64::MAX, "9999-12-30"),
        ] {
            assert_eq!(utc.date_at(Timestamp::from_micros(micros)).to_string(), date, "{micros}");
        }
    }
}
