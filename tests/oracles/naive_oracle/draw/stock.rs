//! Drawing adjustments of stock, and the settings that judge them.

use purchase_order_service::proto::v1::AdjustmentKind::{Count, CustomerReturn, Loss, ReturnToSupplier, Sale};
use purchase_order_service::proto::v1::Unit;

use crate::naive_oracle::command::{Adjustment, Command, Settings, Source, day};
use crate::naive_oracle::generator::{Generator, NO_PRODUCT, PRODUCTS};
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::WHOLE;

impl Generator {
    pub fn adjust(&mut self, model: &Model) -> Command {
        if self.one_in(3)
            && let Some(adjustment) = self.return_of_line(model)
        {
            return Command::Adjust(adjustment);
        }
        let (mut product, unit) = self.one_of(&PRODUCTS);
        let kind = self.one_of(&[Sale, Sale, CustomerReturn, ReturnToSupplier, Count, Count, Loss]);
        let named = self.one_in(3).then(|| self.named_lot(product, model, day(model.now)));
        let lot = named.map(|(lot, _)| lot);
        let on_hand = named.map_or_else(|| model.level(product).on_hand, |(_, on_hand)| on_hand);
        let few = WHOLE * self.rng.i64(1..6);
        let mut quantity = match self.rng.u32(..40) {
            0 => 0,
            1 => few + WHOLE / 2,
            2..5 => on_hand.max(0),
            5..8 => on_hand.max(0) + if unit == Unit::Kilogram { 1 } else { WHOLE },
            8..14 if kind == Count => 0,
            14..18 => WHOLE,
            _ if unit == Unit::Kilogram => self.rng.i64(1..few),
            _ => few,
        };
        if self.one_in(40) {
            // Nothing is ever found of it, so that it stays unknown.
            (product, quantity) = (NO_PRODUCT, 0);
        }
        let names_cost = [CustomerReturn, Count].contains(&kind) && self.rng.bool() || self.one_in(40);
        let usual = if model.units.contains_key(product) && self.rng.bool() { Unit::Unspecified } else { unit };
        Command::Adjust(Adjustment {
            product,
            kind,
            quantity,
            unit: if self.one_in(40) { self.one_of(&[Unit::Unspecified, Unit::Each, Unit::Kilogram]) } else { usual },
            unit_cost: names_cost.then(|| self.cost()),
            reason: if self.one_in(40) { "" } else { "as told" },
            source: None,
            lot,
        })
    }

    /// Mostly of a completed order, and mostly no more than can go back.
    fn return_of_line(&mut self, model: &Model) -> Option<Adjustment> {
        let completed: Vec<usize> =
            (0..model.orders.len()).filter(|place| model.orders[*place].completed.is_some()).collect();
        if completed.is_empty() {
            return None;
        }
        let any = self.rng.usize(..model.orders.len());
        let place = if self.one_in(16) { any } else { self.one_of(&completed) };
        let order = &model.orders[place];
        let lines: Vec<i32> = order.lines.keys().copied().collect();
        let number = self.one_of(&lines);
        let line = &order.lines[&number];
        let left = order.accepted(number) - line.returned;
        let quantity = match self.rng.u32(..10) {
            0 => left + if line.unit == Unit::Kilogram { 1 } else { WHOLE },
            1..4 => left,
            _ => self.part_of(left, line.unit),
        };
        let etag = match self.rng.u32(..10) {
            0 => Some(order.revision - 1),
            1..4 => Some(order.revision),
            _ => None,
        };
        let source = Source {
            order: if self.one_in(60) { usize::MAX } else { place },
            line: if self.one_in(40) { 99 } else { number },
            etag,
        };
        let lot = self.one_in(4).then(|| self.named_lot(line.product, model, day(model.now)).0);
        Some(Adjustment {
            product: if self.one_in(30) { self.one_of(&PRODUCTS).0 } else { line.product },
            kind: if self.one_in(40) { Sale } else { ReturnToSupplier },
            quantity,
            unit: Unit::Unspecified,
            unit_cost: None,
            reason: "bad",
            source: Some(source),
            lot,
        })
    }

    pub fn update_store(&mut self) -> Command {
        Command::UpdateStore(Settings {
            tolerance: if self.rng.bool() { Some(self.tolerance()) } else { None },
            negative_stock: if self.rng.bool() { Some(self.rng.bool()) } else { None },
            unlisted_items: if self.rng.bool() { Some(!self.one_in(3)) } else { None },
        })
    }
}
