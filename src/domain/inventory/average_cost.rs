//! The moving average cost of a product in a store.
//!
//! Stock that comes in is mixed with what is on hand, so its cost moves the average; stock that goes out
//! leaves at the average and does not move it, unless it is the reversal of what came in: that leaves at the
//! cost at which it came. The average is rounded once per ledger row, half to even to the places of a unit
//! cost, and is kept with the row: it can be worked out again row by row, and never from a sum whose rounding
//! another order of the rows would change.

use super::super::decimal;
use super::super::money::UnitCost;
use super::super::quantity::Quantity;

/// What is on hand of a product, and what a unit of it costs on average.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ValuedStock {
    /// What is on hand; below zero only where the store allows negative stock.
    pub on_hand: Quantity,
    /// The average cost of a unit. It stays when nothing is left: what is returned by a customer later is
    /// worth what it was worth.
    pub average: UnitCost,
}

impl ValuedStock {
    /// The average after `quantity` units, above zero, came in at `cost` each.
    ///
    /// Where nothing is on hand, or less, there is nothing to mix with: the average is the cost. What was
    /// sold before it came is not valued again.
    pub fn average_with(self, quantity: Quantity, cost: UnitCost) -> UnitCost {
        if !self.on_hand.is_positive() {
            return cost;
        }
        let value = self.value_scaled() + scaled_value(quantity, cost);
        // Between the average and the cost, both of which are in range.
        rounded(value, self.on_hand + quantity).unwrap_or(cost)
    }

    /// The average after a posting of `quantity` units, above zero, at `cost` each was reversed: the units
    /// are taken out at their own cost, and not at the average.
    ///
    /// It stays where nothing is left to have an average. It stays too where the rest would cost less than
    /// nothing, or more than any unit may: part of what is reversed has been sold at the average since.
    pub fn average_without(self, quantity: Quantity, cost: UnitCost) -> UnitCost {
        let left = self.on_hand - quantity;
        if !left.is_positive() {
            return self.average;
        }
        rounded(self.value_scaled() - scaled_value(quantity, cost), left).unwrap_or(self.average)
    }

    fn value_scaled(self) -> i128 {
        scaled_value(self.on_hand, self.average)
    }
}

/// The exact value of a quantity. A level times the largest cost has 31 digits, so 64 bits would overflow.
fn scaled_value(quantity: Quantity, cost: UnitCost) -> i128 {
    i128::from(quantity.scaled()) * i128::from(cost.scaled())
}

/// The cost of one of so many units, above zero, that have this value together; `None` if it is no cost.
fn rounded(value: i128, units: Quantity) -> Option<UnitCost> {
    let cost = decimal::divide_half_even(value, i128::from(units.scaled()));
    let cost = i64::try_from(cost).ok().map(UnitCost::from_scaled)?;
    (UnitCost::default()..=UnitCost::MAX).contains(&cost).then_some(cost)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantity(text: &str) -> Quantity {
        match text.strip_prefix('-') {
            Some(text) => -Quantity::parse(text).unwrap(),
            None => Quantity::parse(text).unwrap(),
        }
    }

    fn cost(text: &str) -> UnitCost {
        UnitCost::parse(text).unwrap()
    }

    /// Posts `10@60` in, `-20` out, and `-10@60` as a reversal, and shows the average after each.
    fn averages(on_hand: &str, average: &str, rows: &[&str]) -> Vec<String> {
        let mut stock = ValuedStock { on_hand: quantity(on_hand), average: cost(average) };
        let mut averages = Vec::new();
        for row in rows {
            let (moved, at) = row.split_once('@').unwrap_or((row, ""));
            let moved = quantity(moved);
            stock.average = match (at, moved.is_positive()) {
                ("", _) => stock.average,
                (at, true) => stock.average_with(moved, cost(at)),
                (at, false) => stock.average_without(-moved, cost(at)),
            };
            stock.on_hand += moved;
            averages.push(stock.average.to_string());
        }
        averages
    }

    #[test]
    fn what_comes_in_is_mixed_with_what_is_there() {
        for (rows, expected) in [
            (&["10@60", "30@80", "-20", "0.5@200"][..], &["60", "75", "75", "78.04878"][..]),
            // 3 were ordered at 500, and 1 of them came.
            (&["1@1000", "1@500"], &["1000", "750"]),
            // 11 came of 10 at 12, and the surplus was free.
            (&["10@12", "1@0"], &["12", "10.909091"]),
            // Halves go to the even neighbour: 0.0000005 and 0.0000015.
            (&["1@0", "1@0.000001"], &["0", "0"]),
            (&["1@0.000001", "1@0.000002"], &["0.000001", "0.000002"]),
            // The average stays when everything is sold, and counts for nothing when more comes.
            (&["2@5", "-2", "4@7"], &["5", "5", "7"]),
            (&["1@3", "1@3", "1@4"], &["3", "3", "3.333333"]),
        ] {
            assert_eq!(averages("0", "0", rows), expected, "{rows:?}");
        }
    }

    #[test]
    fn below_zero_there_is_nothing_to_mix_with() {
        assert_eq!(averages("-2", "9", &["1@3", "2@2", "1@4"]), ["3", "2", "3"]);
        assert_eq!(averages("-5", "9", &["5@1", "1@2"]), ["1", "2"]);
    }

    #[test]
    fn a_reversal_takes_its_units_out_at_their_own_cost() {
        for (on_hand, average, reversed, expected) in [
            ("40", "75", "-30@80", "60"),
            ("2", "750", "-1@500", "1000"),
            // Nothing is left, or less: there is no average to work out.
            ("10", "60", "-10@60", "60"),
            ("10", "60", "-11@50", "60"),
            ("-1", "60", "-1@50", "60"),
            // 20 of 40 at 75 were sold, and the rest is worth 1500: 30 at 80 are not in it any more.
            ("31", "40", "-30@80", "40"),
            // One ten-thousandth is left with the value of 999,999: more than any unit costs.
            ("1", "1000000", "-0.9999@0", "1000000"),
            ("1", "0.5", "-0.9999@0", "5000"),
        ] {
            assert_eq!(averages(on_hand, average, &[reversed]), [expected], "{on_hand}@{average}, {reversed}");
        }
    }

    #[test]
    fn the_largest_levels_and_costs_do_not_overflow() {
        let stock = ValuedStock { on_hand: Quantity::MAX_LEVEL, average: UnitCost::MAX };
        assert_eq!(stock.average_with(Quantity::MAX, UnitCost::MAX), UnitCost::MAX);
        assert_eq!(stock.average_without(Quantity::MAX, UnitCost::MAX), UnitCost::MAX);
        assert_eq!(stock.average_with(Quantity::from_scaled(1), UnitCost::default()), UnitCost::MAX);
    }
}
