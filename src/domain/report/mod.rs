//! Figures over many orders: what a report is about, and the arithmetic that its rows are not added up by.
//!
//! The database counts and sums, because a report is about far more lines than are loaded at once. It sums whole numbers
//! alone, so that both databases come to the same; what has to be divided and rounded is divided here, once.

pub mod supplier_performance;

use std::fmt;

use super::decimal;
use super::time::{Date, TimeZone, Timestamp};

/// How many purchase orders a report may be about, back orders included.
pub const MAX_ORDERS: i64 = 20_000;
/// How many lines and receipt items together a report may be about: they make up most of its work.
pub const MAX_ROWS: i64 = 500_000;
/// How many days a period may have: a year, whichever.
pub const MAX_DAYS: i32 = 366;

/// Days of the calendar, from one to another that is not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Period {
    from: Date,
    before: Date,
}

impl Period {
    /// A period of at least one day; `None` if it has none, or more than [`MAX_DAYS`].
    pub fn new(from: Date, before: Date) -> Option<Self> {
        (1..=MAX_DAYS).contains(&before.days_since(from)).then_some(Self { from, before })
    }

    /// The instants at which it begins and ends in a zone; the second is not included.
    pub fn instants(self, zone: &TimeZone) -> (Timestamp, Timestamp) {
        (zone.start_of(self.from), zone.start_of(self.before))
    }
}

/// The sum of a rate over lines, of which the mean is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineRate {
    /// The rates of the lines added up, in billionths: each is cut after 9 places.
    pub billionths: i64,
    /// Over how many lines.
    pub lines: i64,
}

impl LineRate {
    /// The places of a rate as it is told.
    const PLACES: u32 = 4;
    /// Billionths that make one unit of the last place.
    const BILLIONTHS: i128 = 100_000;

    /// The mean rounded half to even; `None` without any line.
    pub fn mean(self) -> Option<Mean> {
        // One division for the mean and for the places, so that it is rounded once.
        Mean::of(self.billionths.into(), i128::from(self.lines) * Self::BILLIONTHS)
    }
}

/// How many days lines took, added up, of which the mean is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeadTime {
    /// The days of the lines added up.
    pub days: i64,
    /// The line that took the least.
    pub least: i64,
    /// The line that took the most.
    pub most: i64,
    /// Over how many lines; at least one.
    pub lines: i64,
}

impl LeadTime {
    /// The mean rounded half to even; `None` without any line.
    pub fn mean(self) -> Option<Mean> {
        Mean::of(i128::from(self.days) * i128::from(decimal::scale(LineRate::PLACES)), self.lines.into())
    }
}

/// A mean with 4 places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mean(i128);

impl Mean {
    /// `sum`, in units of the last place, divided by `count`; `None` if that is 0.
    fn of(sum: i128, count: i128) -> Option<Self> {
        (count > 0).then(|| Self(decimal::divide_half_even(sum, count)))
    }
}

impl fmt::Display for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0, LineRate::PLACES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(mean: Option<Mean>) -> String {
        mean.map(|mean| mean.to_string()).unwrap_or_default()
    }

    #[test]
    fn a_mean_is_rounded_once_half_to_even() {
        for (billionths, lines, mean) in [
            (0, 0, ""),
            (0, 3, "0"),
            (3_000_000_000, 3, "1"),
            // 0.333333333 three times, and two lines of which one third came.
            (999_999_999, 3, "0.3333"),
            (1_333_333_333, 2, "0.6667"),
            // Half of the last place: to the even neighbour.
            (50_000, 1, "0"),
            (150_000, 1, "0.0002"),
            (250_000, 1, "0.0002"),
            (250_001, 1, "0.0003"),
            // The most lines there may be.
            (500_000 * 1_000_000_000, 500_000, "1"),
        ] {
            assert_eq!(told(LineRate { billionths, lines }.mean()), mean, "{billionths} over {lines}");
        }
    }

    #[test]
    fn days_have_a_mean_too() {
        for (days, lines, mean) in [(7, 2, "3.5"), (10, 3, "3.3333"), (20, 3, "6.6667"), (0, 4, "0"), (0, 0, "")] {
            assert_eq!(told(LeadTime { days, least: 0, most: 0, lines }.mean()), mean, "{days} over {lines}");
        }
    }

    #[test]
    fn a_period_has_a_day_and_at_most_a_year() {
        let date = |text: &str| Date::parse(text).unwrap();
        for (from, before, is_one) in [
            ("2026-03-02", "2026-03-02", false),
            ("2026-03-02", "2026-03-01", false),
            ("2026-03-02", "2026-03-03", true),
            ("2026-01-01", "2027-01-01", true),
            ("2028-01-01", "2029-01-01", true),
            ("2026-01-01", "2027-01-02", true),
            ("2026-01-01", "2027-01-03", false),
            ("0001-01-01", "9999-12-31", false),
        ] {
            assert_eq!(Period::new(date(from), date(before)).is_some(), is_one, "{from} to {before}");
        }
    }

    #[test]
    fn a_period_begins_at_midnight_in_the_zone() {
        let period = Period::new(Date::parse("2026-03-29").unwrap(), Date::parse("2026-03-30").unwrap()).unwrap();
        let told = |zone: &str| {
            let (from, before) = period.instants(&TimeZone::parse(zone).unwrap());
            (from.to_string(), before.to_string())
        };
        assert_eq!(told("UTC"), ("2026-03-29T00:00:00Z".to_owned(), "2026-03-30T00:00:00Z".to_owned()));
        // The day on which the clocks go forward has 23 hours.
        let amsterdam = ("2026-03-28T23:00:00Z".to_owned(), "2026-03-29T22:00:00Z".to_owned());
        assert_eq!(told("Europe/Amsterdam"), amsterdam);
    }
}
