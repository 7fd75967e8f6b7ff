//! Drawing lots: those that goods come in, and those that an adjustment names.

use purchase_order_service::proto::v1::Unit;

use crate::naive_oracle::command::{Day, Lot, Name, NewLot};
use crate::naive_oracle::generator::Generator;
use crate::naive_oracle::lots::lots;
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::{Quantity, WHOLE};

/// Few enough that the same lot comes again.
const CODES: [Name; 4] = ["L-1", "L-2", "L-3", "l-1"];
/// 2 March 2026, the day on which every game begins.
const FIRST_DAY: Day = 20_514;

impl Generator {
    /// A code mostly has the same date, and each date several codes. Now and then it has expired.
    fn lot(&mut self, today: Day) -> Lot {
        let place = self.rng.usize(..CODES.len());
        let usual = [Some(FIRST_DAY + 9), Some(FIRST_DAY + 7), None, Some(FIRST_DAY + 7)][place];
        let expires = match self.rng.u32(..24) {
            0 => Some(today - self.rng.i64(0..3)),
            1 => Some(today),
            2..5 => Some(FIRST_DAY + 8),
            5..8 => None,
            _ => usual,
        };
        Lot { code: CODES[place], expires }
    }

    /// Up to three lots that make up a quantity; now and then some that do not, or that are none.
    pub fn lots_of(&mut self, accepted: Quantity, unit: Unit, today: Day) -> Vec<NewLot> {
        let (mut lots, mut left) = (Vec::new(), accepted);
        for _ in 0..self.rng.usize(..3) {
            let part = self.rng.i64(0..=left);
            let part = if unit == Unit::Kilogram || self.one_in(60) { part } else { part / WHOLE * WHOLE };
            lots.push(NewLot { lot: self.lot(today), quantity: Some(part) });
            left -= part;
        }
        lots.push(NewLot { lot: self.lot(today), quantity: Some(left) });
        let is_twice = |lots: &[NewLot]| {
            lots.iter().enumerate().any(|(at, one)| lots[..at].iter().any(|other| other.lot == one.lot))
        };
        if is_twice(&lots) && !self.one_in(12) {
            return vec![NewLot { quantity: Some(accepted), ..lots[0] }];
        }
        match self.rng.u32(..60) {
            0 => lots[0].quantity = Some(left + WHOLE),
            1 => drop(lots.pop()),
            2 => lots[0].lot.code = "",
            3 => lots.push(NewLot { lot: Lot::default(), quantity: self.one_of(&[None, Some(0)]) }),
            4 => lots.push(NewLot { quantity: Some(0), ..lots[0] }),
            _ => {}
        }
        lots
    }

    /// Mostly one that the product has or had, with its date or without; and what is on hand of it.
    pub fn named_lot(&mut self, product: Name, model: &Model, today: Day) -> (Lot, Quantity) {
        let known = lots(&model.ledger, product);
        if known.is_empty() || self.one_in(12) {
            let lot = self.lot(today);
            return (if self.one_in(6) { Lot { code: "", ..lot } } else { lot }, 0);
        }
        let (lot, on_hand) = self.one_of(&known);
        (Lot { expires: if self.rng.bool() { lot.expires } else { None }, ..lot }, on_hand)
    }
}
