//! Packs: how quantities are delivered and priced. Stock, lines and receipts count units; a pack is a form in
//! which callers say a quantity and in which answers show it again.

use std::fmt;

use super::decimal::divide_half_even;
use super::money::UnitCost;
use super::quantity::Quantity;

/// How many units are in `packs` packs of `size`; `None` if that has more places than a quantity or is above
/// [`Quantity::MAX`]: what does not come out exactly is refused and not rounded.
pub fn units_in(packs: Quantity, size: Quantity) -> Option<Quantity> {
    let exact = i128::from(packs.scaled()) * i128::from(size.scaled());
    let scale = i128::from(Quantity::SCALE);
    if exact % scale != 0 {
        return None;
    }
    i64::try_from(exact / scale).ok().map(Quantity::from_scaled).filter(|units| *units <= Quantity::MAX)
}

/// How many packs of `size` a quantity is; `None` if it is not a whole number of packs.
pub fn whole_packs_in(quantity: Quantity, size: Quantity) -> Option<i64> {
    // No line has packs of size zero. It is asked all the same, because it would be divided by.
    let is_whole = size.is_positive() && quantity.scaled() % size.scaled() == 0;
    is_whole.then(|| quantity.scaled() / size.scaled())
}

/// What one unit costs where a pack of `size` costs `pack_cost`, rounded half to even; `None` if that is above
/// [`UnitCost::MAX`]. Values of whole packs are computed from the cost of the pack, so the rounding does not
/// add up. The size is above zero.
pub fn unit_cost_of(pack_cost: UnitCost, size: Quantity) -> Option<UnitCost> {
    // A unit may cost more than its pack, where a pack is less than one unit: the product is wider than a cost.
    let scaled = i128::from(pack_cost.scaled()) * i128::from(Quantity::SCALE);
    let rounded = divide_half_even(scaled, i128::from(size.scaled()));
    i64::try_from(rounded).ok().map(UnitCost::from_scaled).filter(|cost| *cost <= UnitCost::MAX)
}

/// A quantity as a caller says it: in units, in packs, or in both, which must then agree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StatedQuantity {
    /// In stock units.
    pub units: Option<Quantity>,
    /// In packs of the line's size.
    pub packs: Option<Quantity>,
}

/// Why a stated quantity is none. It reads as the rest of a sentence that begins with the field of the packs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PackViolation {
    /// The line has no pack size.
    NoPackSize,
    /// The packs hold no quantity that can be stored.
    Inexact { packs: Quantity, size: Quantity },
    /// The units that were given too are others.
    Contradiction { packs: Quantity, size: Quantity, in_packs: Quantity, units: Quantity },
}

impl fmt::Display for PackViolation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPackSize => f.write_str("is given, but the line has no pack_size"),
            Self::Inexact { packs, size } => {
                write!(f, "is {packs}, and {packs} packs of {size} are no quantity with {} places", Quantity::PLACES)?;
                write!(f, " up to {}", Quantity::MAX)
            }
            Self::Contradiction { packs, size, in_packs, units } => {
                write!(f, "is {packs}, and {packs} packs of {size} are {in_packs}, but {units} is given in units")
            }
        }
    }
}

impl StatedQuantity {
    /// A quantity in units alone.
    pub const fn units(units: Quantity) -> Self {
        Self { units: Some(units), packs: None }
    }

    /// The field by which a caller said it: that of the packs only where no units are given.
    pub const fn field(&self) -> &'static str {
        if self.units.is_none() && self.packs.is_some() { "packs" } else { "quantity" }
    }

    /// Whether it says zero or nothing.
    pub fn is_zero(&self) -> bool {
        !self.units.is_some_and(Quantity::is_positive) && !self.packs.is_some_and(Quantity::is_positive)
    }

    /// The quantity in units, with packs of `size`; zero if nothing is said.
    pub fn resolve(&self, size: Option<Quantity>) -> Result<Quantity, PackViolation> {
        let Some(packs) = self.packs else { return Ok(self.units.unwrap_or(Quantity::ZERO)) };
        let size = size.ok_or(PackViolation::NoPackSize)?;
        let in_packs = units_in(packs, size).ok_or(PackViolation::Inexact { packs, size })?;
        match self.units {
            Some(units) if units != in_packs => Err(PackViolation::Contradiction { packs, size, in_packs, units }),
            _ => Ok(in_packs),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        Quantity::parse(text).unwrap()
    }

    fn stated(units: &str, packs: &str) -> StatedQuantity {
        let some = |text: &str| if text.is_empty() { None } else { Some(quantity(text)) };
        StatedQuantity { units: some(units), packs: some(packs) }
    }

    #[test]
    fn packs_are_units_where_they_come_out_exactly() {
        for (packs, size, units) in [
            ("3", "12", Some("36")),
            ("13", "0.1", Some("1.3")),
            ("2.5", "4", Some("10")),
            ("0", "12", Some("0")),
            ("2.5", "0.0001", None),
            ("0.0001", "0.0001", None),
            ("999999999.9999", "2", None),
            ("999999999.9999", "1", Some("999999999.9999")),
        ] {
            assert_eq!(units_in(quantity(packs), quantity(size)), units.map(quantity), "{packs} of {size}");
        }
    }

    #[test]
    fn a_quantity_is_shown_in_packs_where_they_are_whole() {
        for (units, size, packs) in
            [("36", "12", Some(3)), ("1.3", "0.1", Some(13)), ("30", "12", None), ("0", "12", Some(0))]
        {
            assert_eq!(whole_packs_in(quantity(units), quantity(size)), packs, "{units} in {size}");
        }
    }

    #[test]
    fn a_unit_costs_its_part_of_the_pack_half_to_even() {
        for (pack_cost, size, unit_cost) in [
            ("10", "12", Some("0.833333")),
            ("20", "12", Some("1.666667")),
            ("0.000001", "2", Some("0")),
            ("0.000003", "2", Some("0.000002")),
            ("1", "0.1", Some("10")),
            ("1000000000", "1", Some("1000000000")),
            ("1000000000", "0.9999", None),
        ] {
            let pack_cost = UnitCost::parse(pack_cost).unwrap();
            let unit_cost = unit_cost.and_then(UnitCost::parse);
            assert_eq!(unit_cost_of(pack_cost, quantity(size)), unit_cost, "{pack_cost} for {size}");
        }
    }

    #[test]
    fn units_and_packs_must_agree() {
        let twelve = Some(quantity("12"));
        for (units, packs, size, expected) in [
            ("5", "", None, Ok("5")),
            ("", "", None, Ok("0")),
            ("", "3", twelve, Ok("36")),
            ("36", "3", twelve, Ok("36")),
            ("", "3", None, Err("is given, but the line has no pack_size")),
            ("30", "3", twelve, Err("is 3, and 3 packs of 12 are 36, but 30 is given in units")),
            (
                "",
                "2.5",
                Some(quantity("0.0001")),
                Err("is 2.5, and 2.5 packs of 0.0001 are no quantity with 4 places up to 999999999.9999"),
            ),
        ] {
            let resolved = stated(units, packs).resolve(size).map_err(|violation| violation.to_string());
            assert_eq!(resolved, expected.map(quantity).map_err(str::to_owned), "{units} {packs} {size:?}");
        }
    }
}
