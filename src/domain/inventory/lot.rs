//! Lots: goods of one product that were made together, which a code and an expiry date tell from others.
//!
//! What is on hand of a product is in lots, or in none: goods that were received without one, or that were
//! counted as a surplus. No lot is ever below zero; where a store allows negative stock, what is missing is
//! missing from what is in no lot.
//!
//! A lot is a code and an expiry date together. A supplier who prints another date on the same code, or a
//! clerk who mistypes one, makes another lot: nothing has to be refused for it, and each is sold by its own
//! date.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;

use super::LevelKey;
use crate::domain::quantity::Quantity;
use crate::domain::time::Date;
use crate::domain::unit::Unit;

/// Out of how many lots one adjustment takes stock at most, and so how many of a product are loaded.
pub const MAX_LOTS_TAKEN: usize = 1_000;

/// Identifies a lot of a product. Lots are in the order in which they are sold: the one that expires first
/// before the others, those that never expire last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lot {
    /// The code on the goods.
    pub code: String,
    /// The day after which they must not be sold or used; none for goods that do not expire.
    pub expiry_date: Option<Date>,
}

impl Lot {
    fn order(&self) -> (bool, Option<Date>, &str) {
        // `false` is before `true`, so lots that never expire come last.
        (self.expiry_date.is_none(), self.expiry_date, &self.code)
    }
}

impl Ord for Lot {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order().cmp(&other.order())
    }
}

impl PartialOrd for Lot {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Lot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.expiry_date {
            Some(date) => write!(f, "lot {} that expires on {date}", self.code),
            None => write!(f, "lot {} without an expiry date", self.code),
        }
    }
}

/// Identifies a lot in a store.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LotKey {
    /// The store and the product.
    pub level: LevelKey,
    /// The lot of that product.
    pub lot: Lot,
}

/// How much of a lot: what was received of it, or what is on hand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LotQuantity {
    /// The lot.
    pub lot: Lot,
    /// How much; above zero.
    pub quantity: Quantity,
}

/// A lot of which something is on hand.
#[derive(Debug)]
pub struct LotInStock {
    /// The store, the product and the lot.
    pub key: LotKey,
    /// The unit in which the store counts the product.
    pub unit: Unit,
    /// What is on hand of it; above zero.
    pub on_hand: Quantity,
}

/// A part of a stock movement: of one lot, or of what is in none. Below zero if it is taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LotChange {
    /// The lot; none for stock that is in no lot.
    pub lot: Option<Lot>,
    /// How much it changes.
    pub change: Quantity,
}

/// The lots of one product in one store, as far as an adjustment must know them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LotStock {
    /// What is on hand of each lot, which may be zero.
    pub on_hand: BTreeMap<Lot, Quantity>,
    /// Where not all lots with stock are loaded, the last that is: there may be more stock in later ones.
    pub loaded_to: Option<Lot>,
}

impl LotStock {
    /// Adds what a ledger row put into a lot or took out of it.
    pub fn post(&mut self, lot: &Lot, change: Quantity) {
        *self.on_hand.entry(lot.clone()).or_default() += change;
    }

    /// The lots with a code, those with the expiry date if one is given, in the order in which they are sold.
    pub fn with_code(&self, code: &str, expiry_date: Option<Date>) -> Vec<LotQuantity> {
        let mut found = Vec::new();
        for (lot, quantity) in &self.on_hand {
            if lot.code == code && (expiry_date.is_none() || lot.expiry_date == expiry_date) {
                found.push(LotQuantity { lot: lot.clone(), quantity: *quantity });
            }
        }
        found
    }

    /// Divides what is taken out, which is above zero, over the lots in the order in which they are sold; what
    /// no lot has is taken from what is in none. `None` if more lots are needed than are loaded.
    pub fn take(&self, quantity: Quantity) -> Option<Vec<LotChange>> {
        let mut taken = Vec::new();
        let mut left = quantity;
        for (lot, on_hand) in &self.on_hand {
            // Behind the last lot that is loaded, quantities may be too small: see `WorkingSet::absorb_lots`.
            if left == Quantity::ZERO || self.loaded_to.as_ref().is_some_and(|last| lot > last) {
                break;
            }
            let part = left.min(*on_hand);
            if part.is_positive() {
                taken.push(LotChange { lot: Some(lot.clone()), change: -part });
                left -= part;
            }
        }
        if left.is_positive() {
            if self.loaded_to.is_some() {
                // Later lots may have the rest. It is in no lot only where all lots are known.
                return None;
            }
            taken.push(LotChange { lot: None, change: -left });
        }
        // What is in no lot is a part too, and may be one more than allowed.
        (taken.len() <= MAX_LOTS_TAKEN).then_some(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{date, quantity};

    fn lot(code: &str, expiry_date: &str) -> Lot {
        Lot { code: code.to_owned(), expiry_date: (!expiry_date.is_empty()).then(|| date(expiry_date)) }
    }

    fn stock() -> LotStock {
        let mut stock = LotStock::default();
        for (code, expiry_date, on_hand) in
            [("a", "", "5"), ("b", "2026-05-01", "2"), ("c", "2026-04-01", "3"), ("d", "2026-04-15", "0")]
        {
            stock.post(&lot(code, expiry_date), quantity(on_hand));
        }
        stock
    }

    fn taken(stock: &LotStock, amount: &str) -> Option<Vec<String>> {
        let changes = stock.take(quantity(amount))?;
        let code = |lot: Option<Lot>| lot.map_or("none".to_owned(), |lot| lot.code);
        Some(changes.into_iter().map(|LotChange { lot, change }| format!("{} {change}", code(lot))).collect())
    }

    #[test]
    fn what_expires_first_is_taken_first_and_what_is_in_no_lot_last() {
        for (amount, expected) in [
            ("1", &["c -1"][..]),
            ("3", &["c -3"]),
            ("4.5", &["c -3", "b -1.5"]),
            ("10", &["c -3", "b -2", "a -5"]),
            ("12", &["c -3", "b -2", "a -5", "none -2"]),
        ] {
            assert_eq!(taken(&stock(), amount).unwrap(), expected, "{amount}");
        }
    }

    #[test]
    fn nothing_is_taken_from_lots_behind_one_that_is_not_loaded() {
        let mut stock = stock();
        stock.loaded_to = Some(lot("b", "2026-05-01"));
        assert_eq!(taken(&stock, "5").unwrap(), ["c -3", "b -2"]);
        assert_eq!(taken(&stock, "6"), None);
    }

    #[test]
    fn a_quantity_is_taken_out_of_so_many_lots_at_most() {
        let mut stock = LotStock::default();
        for n in 0..=MAX_LOTS_TAKEN {
            stock.post(&lot(&n.to_string(), ""), quantity("1"));
        }
        assert_eq!(taken(&stock, "1000").unwrap().len(), 1_000);
        assert_eq!(taken(&stock, "1001"), None);
    }

    #[test]
    fn lots_are_found_by_code_and_by_code_and_date() {
        let mut stock = stock();
        stock.post(&lot("b", "2026-03-01"), quantity("7"));
        let found = |code: &str, expiry_date: Option<Date>| -> Vec<String> {
            stock.with_code(code, expiry_date).into_iter().map(|found| found.quantity.to_string()).collect()
        };
        assert_eq!(found("b", None), ["7", "2"]);
        assert_eq!(found("b", Some(date("2026-05-01"))), ["2"]);
        assert_eq!(found("b", Some(date("2026-05-02"))), [""; 0]);
        assert_eq!(found("a", None), ["5"]);
    }
}
