//! What a unit costs, and in which currency.

use std::fmt;

use super::decimal;
use super::quantity::Quantity;

/// The cost of one stock unit in ten-thousandths of the store's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitCost(i64);

impl UnitCost {
    /// The largest unit cost, 1,000,000,000: with it the exact cost of any quantity fits into 128 bits.
    pub const MAX: Self = Self(1_000_000_000 * decimal::SCALE);

    /// From ten-thousandths of the currency unit, as the database stores it.
    pub const fn from_scaled(value: i64) -> Self {
        Self(value)
    }

    /// In ten-thousandths of the currency unit, as the database stores it.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// Reads the form that callers send; `None` if it is another, or above [`UnitCost::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        decimal::parse(text).map(Self).filter(|c| *c <= Self::MAX)
    }

    /// The exact cost of `quantity` units, as a decimal with up to 8 places.
    pub fn times(self, quantity: Quantity) -> String {
        decimal::format_scaled(i128::from(self.0) * i128::from(quantity.scaled()), 8)
    }
}

impl fmt::Display for UnitCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0))
    }
}

/// An ISO 4217 currency. Each store has one for everything that it buys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads an alphabetic code such as `EUR`.
    pub fn parse(code: &str) -> Option<Self> {
        iso_currency::Currency::from_code(code).map(Self)
    }

    /// The alphabetic code, as stored and sent.
    pub fn code(self) -> &'static str {
        self.0.code()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cost_times_quantity_is_exact_at_both_limits() {
        assert_eq!(UnitCost::MAX.times(Quantity::MAX), "999999999999900000");
        assert_eq!(UnitCost::from_scaled(1).times(Quantity::from_scaled(1)), "0.00000001");
    }

    #[test]
    fn a_unit_cost_is_at_most_a_thousand_million() {
        for (text, cost) in [
            ("0", Some(UnitCost::default())),
            ("0.0001", Some(UnitCost::from_scaled(1))),
            ("1000000000", Some(UnitCost::MAX)),
            ("1000000000.0001", None),
            ("-1", None),
        ] {
            assert_eq!(UnitCost::parse(text), cost, "{text}");
        }
        assert_eq!(UnitCost::from_scaled(25).scaled(), 25, "what is stored is read again");
    }
}
