//! Quantities: exact numbers of units, never floats. A sum of floats depends on the order of its parts,
//! and the one rule of this service is that nothing is lost or counted twice.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Neg, Sub, SubAssign};

use super::decimal;

/// Ten-thousandths of a stock unit. Single quantities are bounded by [`Quantity::MAX`] and levels by
/// [`Quantity::MAX_LEVEL`], far below where the sums of an order could overflow; the arithmetic is
/// checked all the same: release builds keep overflow checks on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(i64);

impl Quantity {
    /// How many decimal places a quantity has.
    pub const PLACES: u32 = 4;
    /// One stock unit, as the database stores it.
    pub const SCALE: i64 = decimal::scale(Self::PLACES);
    /// The quantity zero, which every line and level starts counting from.
    pub const ZERO: Self = Self(0);
    /// The largest quantity of a line: 999,999,999.9999.
    pub const MAX: Self = Self(9_999_999_999_999);
    /// The largest level of a product in a store: 900 thousand million.
    pub const MAX_LEVEL: Self = Self(900_000_000_000 * Self::SCALE);

    /// From ten-thousandths of a stock unit, as the database stores it.
    pub const fn from_scaled(value: i64) -> Self {
        Self(value)
    }

    /// In ten-thousandths of a stock unit, as the database stores it.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// Reads the form that callers send; `None` if it is another, or above [`Quantity::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        decimal::parse(text, Self::PLACES).map(Self).filter(|q| *q <= Self::MAX)
    }

    /// Whether it is above zero; differences of quantities may be below.
    pub const fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Whether it has no fraction, as units that cannot be divided require.
    pub const fn is_whole(self) -> bool {
        self.0 % Self::SCALE == 0
    }

    /// The whole units in it, for limits that are told in units; a fraction is dropped.
    pub const fn whole_units(self) -> i64 {
        self.0 / Self::SCALE
    }

    /// The whole units in a quantity that is not below zero.
    pub const fn whole_part(self) -> Self {
        Self(self.0 - self.0 % Self::SCALE)
    }

    /// The quantity itself if it is above zero, and zero otherwise.
    pub fn or_nothing(self) -> Self {
        self.max(Self::ZERO)
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0.into(), Self::PLACES))
    }
}

impl Add for Quantity {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Quantity {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl Neg for Quantity {
    type Output = Self;
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

impl AddAssign for Quantity {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Quantity {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Quantity {
    fn sum<I: Iterator<Item = Self>>(quantities: I) -> Self {
        quantities.fold(Self::ZERO, Add::add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantity_is_at_most_999_999_999_point_9999() {
        assert_eq!(Quantity::parse("999999999.9999"), Some(Quantity::MAX));
        assert_eq!(Quantity::parse("1000000000"), None);
    }

    #[test]
    fn whole_means_without_a_fraction() {
        assert!(Quantity::from_scaled(20_000).is_whole());
        assert!(!Quantity::from_scaled(20_001).is_whole());
    }

    #[test]
    fn a_sum_is_exact_and_that_of_nothing_is_zero() {
        for (parts, sum) in [(&[][..], 0), (&[25_000], 25_000), (&[25_000, -1, 30_001], 55_000)] {
            let parts = parts.iter().copied().map(Quantity::from_scaled);
            assert_eq!(parts.sum::<Quantity>(), Quantity::from_scaled(sum));
        }
    }
}
