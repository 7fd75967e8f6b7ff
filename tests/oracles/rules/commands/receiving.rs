//! Making deliveries and their voids.

use std::collections::BTreeMap;
use std::sync::Arc;

use purchase_order_service::domain::code::ProductId;
use purchase_order_service::domain::command::Command;
use purchase_order_service::domain::inventory::LevelKey;
use purchase_order_service::domain::order::OrderId;
use purchase_order_service::domain::order::correct::CorrectReceipt;
use purchase_order_service::domain::order::receipt::{ItemCosts, RejectReason, Rejection};
use purchase_order_service::domain::order::receive::book::DeliveryDetails;
use purchase_order_service::domain::order::receive::delivery::ReceiveDelivery;
use purchase_order_service::domain::order::receive::items::{ItemTarget, NewItem, ProductSelector, UnlistedProduct};
use purchase_order_service::domain::order::receive::{Items, Receive};
use purchase_order_service::domain::order::void::VoidReceipt;
use purchase_order_service::domain::pack::StatedQuantity;
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::unit::Unit;
use uuid::Uuid;

use crate::rules::commands::MOST;
use crate::rules::commands::scene::Scene;

pub(super) fn receive(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let least = i32::from(!at.one_in(12));
    let order = at.order(|order| order.state.is_live() && order.counters.pending_lines >= least);
    let items = if at.one_in(6) { Items::AllPending } else { Items::Listed(items(at, order)) };
    let receive_time = match at.rng.u8(..20) {
        0 => Some(at.later(6)),
        1 => Some(at.later(5)),
        2..7 => Some(at.later(-300)),
        _ => None,
    };
    let (delivery_note, note) = (at.maybe("D-1"), at.maybe("wet"));
    let refuse_known_delivery_note = at.one_in(12);
    let etag = at.etag(order);
    let details = DeliveryDetails { receive_time, delivery_note, refuse_known_delivery_note, note };
    Arc::new(Receive { order, etag, items, details })
}

/// Parts of some lines, in any order.
fn items(at: &mut Scene<'_>, order: OrderId) -> Vec<NewItem> {
    let mut items = Vec::new();
    for line in at.some_lines(order) {
        let accepted = match at.rng.u8(..8) {
            0 => Quantity::ZERO,
            // What a tolerance may allow.
            1 => line.quantities.pending + at.whole(2),
            _ => at.part_of(&line),
        };
        let rejects = !accepted.is_positive() || at.one_in(8);
        let rejected = if rejects { at.whole(3) } else { Quantity::ZERO };
        let mut item = item(order, line.key.number, accepted, rejected);
        if at.one_in(8) {
            // Now and then one that nobody has ordered.
            let product = if at.one_in(40) { ProductId::new("unheard-of") } else { line.product.clone() };
            item.target = ItemTarget::Product(Some(order), ProductSelector::Product(product));
        }
        if line.lot_required && !at.one_in(20) || at.one_in(6) {
            item.lots = at.lots(accepted);
        }
        item.costs = at.item_costs(accepted > line.quantities.pending);
        if line.pack_size.is_some() && at.one_in(3) {
            item.accepted = StatedQuantity { units: None, packs: Some(at.whole(3)) };
        }
        items.push(item);
    }
    if items.is_empty() {
        items.push(item(order, 1, at.whole(3), Quantity::ZERO));
    }
    if at.one_in(12) {
        items.push(unlisted_item(at, order));
    }
    at.rng.shuffle(&mut items);
    each_target_once(&mut items);
    if items.iter().any(|item| item.costs != ItemCosts::default()) {
        at.named_cost = Some("items.unit_cost");
    }
    match at.rng.u8(..50) {
        0..2 => add(&mut items[0].accepted, Quantity::from_scaled(5_000)),
        2..8 => add(&mut items[0].accepted, at.whole(50)),
        8 => items[0] = NewItem { target: items[0].target.clone(), ..item(order, 1, Quantity::ZERO, MOST) },
        9 => items.push(item(order, 99_999, at.whole(3), Quantity::ZERO)),
        _ => {}
    }
    items
}

/// A form has no two items of the same line or product.
fn each_target_once(items: &mut Vec<NewItem>) {
    let mut kept: Vec<NewItem> = Vec::new();
    for item in items.drain(..) {
        if kept.iter().all(|known| known.target != item.target) {
            kept.push(NewItem { index: kept.len(), ..item });
        }
    }
    *items = kept;
}

/// Goods that the order may or may not name.
fn unlisted_item(at: &mut Scene<'_>, order: OrderId) -> NewItem {
    let product = ProductId::new(format!("product-{}", at.rng.u8(..14)));
    let level = LevelKey { store: at.store.clone(), product: product.clone() };
    let known = at.pure.working_set.levels.get(&level).ok().flatten().map(|level| level.unit);
    let unlisted = UnlistedProduct {
        description: format!("fresh {product}"),
        product,
        gtin: None,
        unit: known.filter(|_| !at.one_in(20)).unwrap_or(Unit::Each),
        pack_size: None,
    };
    let accepted = at.whole(4);
    let lots = if at.one_in(3) { at.lots(accepted) } else { Vec::new() };
    let target = ItemTarget::Unlisted(order, unlisted);
    NewItem { target, lots, ..item(order, 1, accepted, Quantity::ZERO) }
}

/// Goods of one supplier: of lines and of products, for one order or for whichever waits for them.
pub(super) fn deliver(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state.is_live());
    let supplier = at.seen(order).map_or("acme".to_owned(), |order| order.supplier.clone());
    let mut items = items(at, order);
    for item in &mut items {
        if let ItemTarget::Product(named, _) = &mut item.target
            && at.rng.bool()
        {
            *named = None;
        }
    }
    each_target_once(&mut items);
    let other = at.order(|order| order.state.is_live() && order.supplier == supplier);
    let more = at.some_lines(other);
    if other != order
        && let Some(line) = more.first()
    {
        items.push(item(other, line.key.number, at.whole(2), Quantity::ZERO));
    }
    items.iter_mut().enumerate().for_each(|(index, item)| item.index = index);
    let etags = if at.one_in(4) { BTreeMap::from([(order, at.etag(order))]) } else { BTreeMap::new() };
    let details = DeliveryDetails { delivery_note: at.maybe("D-1"), ..DeliveryDetails::default() };
    Arc::new(ReceiveDelivery { supplier, etags, items, details })
}

fn item(order: OrderId, line: i32, accepted: Quantity, rejected: Quantity) -> NewItem {
    let damaged = Rejection { reason: RejectReason::Damaged, note: Some("broken".to_owned()) };
    NewItem {
        index: 0,
        target: ItemTarget::Line(order, line),
        accepted: StatedQuantity::units(accepted),
        rejected: StatedQuantity::units(rejected),
        rejection: rejected.is_positive().then_some(damaged),
        costs: ItemCosts::default(),
        lots: Vec::new(),
    }
}

fn add(stated: &mut StatedQuantity, more: Quantity) {
    stated.units = stated.units.map(|units| units + more);
}

pub(super) fn void_receipt(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.counters.active_receipts > 0);
    let last = at.seen(order).map_or(0, |order| order.counters.last_receipt);
    let receipt = if at.one_in(20) { last + 1 } else { at.rng.i32(1..=last.max(1)) };
    // Of an order that the same batch makes, load does not note that its receipts were looked for, and
    // the answer would be INTERNAL. Nobody can ask so: the order's id is not known before it is saved.
    let order = if at.pure.fresh.contains(&order) && receipt > last { OrderId(Uuid::nil()) } else { order };
    Arc::new(VoidReceipt { order, receipt, etag: at.etag(order), reason: "counted again".to_owned() })
}

pub(super) fn correct_receipt(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.counters.active_receipts > 0);
    let last = at.seen(order).map_or(0, |order| order.counters.last_receipt);
    let receipt = if at.one_in(20) { last + 1 } else { at.rng.i32(1..=last.max(1)) };
    // As for VoidReceipt.
    let order = if at.pure.fresh.contains(&order) && receipt > last { OrderId(Uuid::nil()) } else { order };
    let items = if at.one_in(8) { Items::AllPending } else { Items::Listed(items(at, order)) };
    Arc::new(CorrectReceipt {
        order,
        receipt,
        etag: at.etag(order),
        reason: "another pallet".to_owned(),
        items,
        receive_time: None,
        delivery_note: if at.one_in(4) { Some(at.maybe("D-1")) } else { None },
        refuse_known_delivery_note: at.one_in(3),
        note: if at.one_in(4) { Some(None) } else { None },
    })
}

impl Scene<'_> {
    /// Invoiced costs; one for the excess mostly where there is some.
    fn item_costs(&mut self, is_excess: bool) -> ItemCosts {
        let odds = if is_excess { 2 } else { 60 };
        ItemCosts {
            unit_cost: if self.one_in(8) { Some(self.cost()) } else { None },
            excess_unit_cost: if self.one_in(odds) { Some(self.cost()) } else { None },
        }
    }
}
