//! Money: what a unit costs, what a quantity of it is worth, and in which currency. Costs of units have 6
//! places, because a tablet may cost 0.000123; amounts have 4 and are rounded once, at the end.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub};

use super::decimal;
use super::quantity::Quantity;

/// The cost of one stock unit, or of one pack, in millionths of the store's currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct UnitCost(i64);

impl UnitCost {
    /// How many decimal places a unit cost has.
    pub const PLACES: u32 = 6;
    /// The largest unit cost, 1,000,000,000: with it the exact cost of any quantity fits into 128 bits.
    pub const MAX: Self = Self(1_000_000_000 * decimal::scale(Self::PLACES));

    /// From millionths of the currency unit, as the database stores it.
    pub const fn from_scaled(value: i64) -> Self {
        Self(value)
    }

    /// In millionths of the currency unit, as the database stores it.
    pub const fn scaled(self) -> i64 {
        self.0
    }

    /// Reads the form that callers send; `None` if it is another, or above [`UnitCost::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        decimal::parse(text, Self::PLACES).map(Self).filter(|c| *c <= Self::MAX)
    }

    /// What `quantity` units are worth, without rounding.
    pub fn times(self, quantity: Quantity) -> ExactAmount {
        ExactAmount(i128::from(self.0) * i128::from(quantity.scaled()))
    }

    /// What a whole number of packs is worth where this is the cost of one.
    pub fn times_packs(self, packs: i64) -> ExactAmount {
        // Times the scale of a quantity, so that values by the pack and values by the unit have the same places
        // and can be added up.
        ExactAmount(i128::from(self.0) * i128::from(packs) * i128::from(Quantity::SCALE))
    }
}

/// A product of cost and quantity, or a sum of such products, with all its places: a value is rounded once,
/// when it is complete.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ExactAmount(i128);

impl ExactAmount {
    /// Rounds half to even to the places of an amount.
    pub fn rounded(self) -> Amount {
        let places_too_many = UnitCost::PLACES + Quantity::PLACES - Amount::PLACES;
        Amount(decimal::divide_half_even(self.0, i128::from(decimal::scale(places_too_many))))
    }
}

impl Add for ExactAmount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl fmt::Display for UnitCost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0.into(), Self::PLACES))
    }
}

/// An amount of the store's currency in ten-thousandths: the value of a quantity, or a sum of such values.
/// It is wide enough for the sum of any lines; only what is within [`Amount::MAX`] is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

impl Amount {
    /// How many decimal places an amount has.
    pub const PLACES: u32 = 4;
    /// Nothing, which every sum starts from.
    pub const ZERO: Self = Self(0);
    /// Ten-thousandths in the larger part of [`Amount::from_parts`].
    pub const PART: i64 = 1_000_000;
    /// The largest value of an order: 100,000,000,000.
    pub const MAX: Self = Self(100_000_000_000 * 10_i128.pow(Self::PLACES));

    /// From ten-thousandths of the currency unit, as the database stores it.
    pub const fn from_scaled(value: i64) -> Self {
        Self(value as i128)
    }

    /// From a sum of amounts that was added up in two parts: whole hundreds of the currency unit, and what is beyond
    /// them in ten-thousandths. The sum of very many amounts does not fit into the database's integers, and these do.
    pub const fn from_parts(hundreds: i64, scaled_rest: i64) -> Self {
        Self(hundreds as i128 * Self::PART as i128 + scaled_rest as i128)
    }

    /// In ten-thousandths of the currency unit. Rules bound the values of orders by [`Amount::MAX`], far below where
    /// this would not fit.
    pub fn scaled(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }

    /// Reads the form that callers send; `None` if it is another, or above [`Amount::MAX`].
    pub fn parse(text: &str) -> Option<Self> {
        decimal::parse(text, Self::PLACES).map(Self::from_scaled).filter(|amount| *amount <= Self::MAX)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&decimal::format(self.0, Self::PLACES))
    }
}

impl Add for Amount {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0)
    }
}

impl Sub for Amount {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }
}

impl AddAssign for Amount {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
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
    fn a_quantity_is_worth_its_cost_rounded_once_half_to_even() {
        for (cost, quantity, amount) in [
            ("0.000123", "1000000", "123"),
            ("0.000123", "1", "0.0001"),
            // 0.00005 and 0.00015: halves go to the even neighbour.
            ("0.00005", "1", "0"),
            ("0.00015", "1", "0.0002"),
            ("2.5", "0.3333", "0.8332"),
            ("1000000000", "999999999.9999", "999999999999900000"),
        ] {
            let (cost, quantity) = (UnitCost::parse(cost).unwrap(), Quantity::parse(quantity).unwrap());
            assert_eq!(cost.times(quantity).rounded().to_string(), amount, "{cost} x {quantity}");
        }
    }

    #[test]
    fn a_unit_cost_has_six_places_and_an_amount_four() {
        assert_eq!(UnitCost::parse("0.000001"), Some(UnitCost::from_scaled(1)));
        assert_eq!(UnitCost::parse("0.0000001"), None);
        assert_eq!(UnitCost::parse("1000000000"), Some(UnitCost::MAX));
        assert_eq!(UnitCost::parse("1000000000.000001"), None);
        assert_eq!(Amount::parse("100000000000"), Some(Amount::MAX));
        assert_eq!(Amount::parse("100000000000.0001"), None);
        assert_eq!(Amount::parse("0.00001"), None);
    }

    #[test]
    fn a_unit_cost_is_at_most_a_thousand_million() {
        for (text, cost) in [
            ("0", Some(UnitCost::default())),
            ("0.000001", Some(UnitCost::from_scaled(1))),
            ("1000000000", Some(UnitCost::MAX)),
            ("1000000000.000001", None),
            ("-1", None),
        ] {
            assert_eq!(UnitCost::parse(text), cost, "{text}");
        }
        assert_eq!(UnitCost::from_scaled(25).scaled(), 25, "what is stored is read again");
    }
}
