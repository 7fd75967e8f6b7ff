//! Making lots: of a few codes, and of a few dates, so that many deliveries bring the same.

use purchase_order_service::domain::inventory::adjust::NamedLot;
use purchase_order_service::domain::inventory::lot::{Lot, LotQuantity};
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::time::Date;

use crate::rules::commands::scene::Scene;

const CODES: [&str; 3] = ["L1", "L2", "L3"];

impl Scene<'_> {
    /// Lots of a quantity, each of them once; they mostly add up to it.
    pub(super) fn lots(&mut self, quantity: Quantity) -> Vec<LotQuantity> {
        let mut lots: Vec<LotQuantity> = Vec::new();
        let mut left = quantity.scaled();
        while left > 0 {
            let lot = Lot { code: self.pick(CODES).to_owned(), expiry_date: self.expiry_date() };
            let whole = left / 10_000;
            let part = if whole > 1 && self.rng.bool() { self.rng.i64(1..whole) * 10_000 } else { left };
            left -= part;
            match lots.iter_mut().find(|known| known.lot == lot) {
                Some(known) => known.quantity += Quantity::from_scaled(part),
                None => lots.push(LotQuantity { lot, quantity: Quantity::from_scaled(part) }),
            }
        }
        if self.one_in(30) {
            lots.truncate(1);
        }
        lots
    }

    pub(super) fn named_lot(&mut self) -> NamedLot {
        NamedLot { code: self.pick(CODES).to_owned(), expiry_date: self.expiry_date() }
    }

    /// Mostly long after any delivery of a run.
    fn expiry_date(&mut self) -> Option<Date> {
        if self.one_in(60) {
            return Date::parse("2026-03-01");
        }
        self.rng.choice([None, Some("2099-01-01"), Some("2099-06-01")]).flatten().and_then(Date::parse)
    }
}
