//! Over-receipt tolerance: how much more than ordered a delivery may bring of a line.

use std::fmt;

use crate::domain::decimal;
use crate::domain::quantity::Quantity;

/// A percentage by which what is received may exceed what is wanted, in ten-thousandths of a per cent. A
/// store has one for all its lines, and a line may have its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tolerance(i64);

impl Tolerance {
    /// How many decimal places a tolerance has.
    pub const PLACES: u32 = 4;
    /// The largest tolerance, 1,000 per cent: eleven times what was ordered.
    pub const MAX: Self = Self(1_000 * decimal::scale(Self::PLACES));
    const HUNDRED_PER_CENT: i128 = 100 * decimal::scale(Self::PLACES) as i128;

    /// From ten-thousandths of a per cent, as the database stores it.
    pub const fn from_scaled(value: i64) -> Self {
        Self(value)
    }

    /// In ten-thousandths of a per cent, as the database stores it.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// Reads the form that callers send; `None` if it is another, or above [`Tolerance::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        decimal::parse(text, Self::PLACES).map(Self).filter(|tolerance| *tolerance <= Self::MAX)
    }

    /// The most that may be received in all where `wanted` is wanted, rounded down to what can be stored.
    /// `received <= most(wanted)` is the same as `received x 100 <= wanted x (100 + tolerance)` without any
    /// rounding, because what is received has no more places than the result.
    pub fn most(self, wanted: Quantity) -> Quantity {
        let allowed = Self::HUNDRED_PER_CENT + i128::from(self.0);
        let most = i128::from(wanted.scaled()) * allowed / Self::HUNDRED_PER_CENT;
        // Eleven times the largest quantity fits by far.
        Quantity::from_scaled(i64::try_from(most).unwrap_or(i64::MAX))
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0.into(), Self::PLACES))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tolerance_is_compared_exactly() {
        for (tolerance, wanted, most) in [
            ("0", "10", "10"),
            ("10", "10", "11"),
            ("1000", "10", "110"),
            ("33.3333", "3", "3.9999"),
            ("33.3334", "3", "4"),
            ("0.0001", "999999999", "1000000998.9999"),
            ("10", "0", "0"),
        ] {
            let (tolerance, wanted) = (Tolerance::parse(tolerance).unwrap(), Quantity::parse(wanted).unwrap());
            assert_eq!(tolerance.most(wanted).to_string(), most, "{tolerance} % of {wanted}");
        }
    }

    #[test]
    fn a_tolerance_is_at_most_a_thousand_per_cent_with_four_places() {
        for (text, expected) in
            [("1000", Some(Tolerance::MAX)), ("1000.0001", None), ("0.00001", None), ("-1", None), ("", None)]
        {
            assert_eq!(Tolerance::parse(text), expected, "{text:?}");
        }
    }
}
