//! Making adjustments of stock.

use std::sync::Arc;

use purchase_order_service::domain::code::ProductId;
use purchase_order_service::domain::command::Command;
use purchase_order_service::domain::inventory::LevelKey;
use purchase_order_service::domain::inventory::adjust::{AdjustInventory, AdjustmentKind, ReturnedLine};
use purchase_order_service::domain::order::{Line, State};
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::unit::Unit;

use crate::rules::commands::scene::Scene;

pub(super) fn adjust_inventory(at: &mut Scene<'_>) -> Arc<dyn Command> {
    if at.one_in(3)
        && let Some(line) = at.completed_line()
    {
        return return_of_line(at, &line);
    }
    let product = ProductId::new(format!("product-{}", at.rng.u8(..14)));
    let level = LevelKey { store: at.store.clone(), product: product.clone() };
    let level = at.pure.working_set.levels.get(&level).ok().flatten();
    let kind = at.pick(AdjustmentKind::ALL);
    let on_hand = level.map_or(Quantity::ZERO, |level| level.on_hand.or_nothing());
    let quantity = match at.rng.u8(..12) {
        0 => on_hand,
        1 => on_hand + at.whole(1),
        2 => at.whole(1_000_000),
        3 => Quantity::from_scaled(at.rng.i64(1..50_000)),
        _ => at.whole(5),
    };
    let quantity = if kind == AdjustmentKind::Count || quantity.is_positive() { quantity } else { at.whole(1) };
    let unit_cost = if kind.may_put_in() && at.rng.bool() { Some(at.cost()) } else { None };
    at.named_cost = unit_cost.map(|_| "unit_cost");
    let known = level.map(|level| level.unit);
    let unit = if at.one_in(30) { Some(at.pick(Unit::ALL)) } else { known.filter(|_| at.rng.bool()) };
    let unit = if known.is_none() && at.rng.bool() { Some(at.pick(Unit::ALL)) } else { unit };
    let reason = "as told".to_owned();
    let lot = if at.one_in(4) { Some(at.named_lot()) } else { None };
    Arc::new(AdjustInventory { product, kind, quantity, unit_cost, unit, reason, returned_line: None, lot })
}

/// Mostly no more than can go back, and mostly of the line's own product.
fn return_of_line(at: &mut Scene<'_>, line: &Line) -> Arc<dyn Command> {
    let left = line.quantities.received - line.returned;
    let quantity = match at.rng.u8(..6) {
        0 => left + at.whole(1),
        1..4 if left.is_positive() => left,
        _ => at.whole(3),
    };
    let order = line.key.order.order;
    let returned_line = ReturnedLine {
        order: if at.one_in(20) { at.order(|_| true) } else { order },
        line: if at.one_in(30) { 99_999 } else { line.key.number },
        etag: at.etag(order),
    };
    Arc::new(AdjustInventory {
        product: if at.one_in(30) { ProductId::new("product-0") } else { line.product.clone() },
        kind: AdjustmentKind::ReturnToSupplier,
        quantity,
        unit_cost: None,
        unit: None,
        reason: "bad".to_owned(),
        returned_line: Some(returned_line),
        lot: if at.one_in(6) { Some(at.named_lot()) } else { None },
    })
}

impl Scene<'_> {
    /// A line of which something was received, of one of the completed orders tried.
    fn completed_line(&mut self) -> Option<Line> {
        let all = &self.pure.orders.get(&self.store)?.all;
        for _ in 0..20 {
            let key = self.rng.choice(all)?;
            if self.seen(key.order).is_some_and(|order| order.state == State::Completed) {
                let lines = self.pure.working_set.lines_of(key).unwrap_or_default();
                let received: Vec<&&Line> =
                    lines.iter().filter(|line| line.quantities.received.is_positive()).collect();
                return self.rng.choice(received).map(|line| (*line).clone());
            }
        }
        None
    }
}
