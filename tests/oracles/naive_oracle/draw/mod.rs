//! How each command is drawn, and the quantities and costs in it.

mod delivering;
mod goods;
mod lots;
mod orders;
mod receiving;
mod stock;

use purchase_order_service::proto::v1::Unit;

use crate::naive_oracle::command::Day;
use crate::naive_oracle::generator::Generator;
use crate::naive_oracle::numbers::{Cost, DEAREST, Quantity, WHOLE};

/// Tolerances in ten-thousandths of a per cent: none, one that comes out, one that does not, much.
const TOLERANCES: [Quantity; 5] = [0, 100_000, 333_333, 250_001, 10_000_000];

impl Generator {
    /// Mostly a price in cents, at times one with six places, of which half have values that lie right
    /// between two; now and then nothing, and rarely far too much.
    fn cost(&mut self) -> Cost {
        match self.rng.u32(..60) {
            0..5 => 0,
            5..20 => self.rng.i64(0..20_000_000),
            20..35 => self.rng.i64(0..2_000) * 50,
            35 => DEAREST - self.rng.i64(0..3),
            _ => self.rng.i64(0..2_000) * 10_000,
        }
    }

    fn tolerance(&mut self) -> Quantity {
        self.one_of(&TOLERANCES)
    }

    /// Some days from now, or hardly ever a day too early.
    fn expected(&mut self, today: Day) -> Option<Day> {
        match self.rng.u32(..40) {
            0 => Some(today - 1),
            1..12 => Some(today + self.rng.i64(0..7)),
            _ => None,
        }
    }

    /// Small parts leave more to back-order.
    fn part_of(&mut self, pending: Quantity, unit: Unit) -> Quantity {
        let most = if self.rng.bool() { pending } else { pending / 3 };
        let part = self.rng.i64(0..=most.max(WHOLE));
        if unit == Unit::Kilogram { part } else { (part + WHOLE - 1) / WHOLE * WHOLE }
    }
}
