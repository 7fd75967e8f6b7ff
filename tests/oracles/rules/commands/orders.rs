//! Making commands about orders, but for what is delivered of them.

use std::sync::Arc;

use purchase_order_service::domain::code::ProductId;
use purchase_order_service::domain::command::Command;
use purchase_order_service::domain::inventory::LevelKey;
use purchase_order_service::domain::money::{Amount, Currency, UnitCost};
use purchase_order_service::domain::order::amend::{AmendOrder, LineAmendment};
use purchase_order_service::domain::order::cancel::CancelOrder;
use purchase_order_service::domain::order::cancel_lines::{CancelLines, LineToCancel};
use purchase_order_service::domain::order::cancellation::CancelReason;
use purchase_order_service::domain::order::complete::{CompleteOrder, Disposition, LineDisposition};
use purchase_order_service::domain::order::confirm::{ConfirmOrder, LineConfirmation};
use purchase_order_service::domain::order::copy::CopyOrder;
use purchase_order_service::domain::order::create::{CreateOrder, NewLine, Price};
use purchase_order_service::domain::order::place::PlaceOrder;
use purchase_order_service::domain::order::reopen::ReopenOrder;
use purchase_order_service::domain::order::update::UpdateOrder;
use purchase_order_service::domain::order::{Charge, Line, State};
use purchase_order_service::domain::pack::StatedQuantity;
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::unit::Unit;

use crate::rules::commands::MOST;
use crate::rules::commands::scene::Scene;

pub(super) fn create_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let lines = match at.rng.u32(..600) {
        // More than the level of a product holds, once it is placed.
        0 => vec![NewLine { quantity: MOST, price: Price::Unit(UnitCost::default()), ..at.new_line() }; 950],
        // As many as a few commands that fill a batch have together.
        1 => (0..950).map(|_| at.new_line()).collect(),
        _ => (0..at.rng.u32(1..=6)).map(|_| at.new_line()).collect(),
    };
    let currency = if at.one_in(9) { Currency::parse("EUR") } else { None };
    let expected_date = at.date();
    let (supplier_reference, note) = (at.maybe("S-1"), at.maybe("by the back transport"));
    let supplier = at.pick(["acme", "bolt"]).to_owned();
    let external_id = at.external_id();
    let charges = at.charges();
    at.named_cost = Some("lines.unit_cost");
    Arc::new(CreateOrder { supplier, supplier_reference, note, external_id, charges, currency, expected_date, lines })
}

/// What is ordered, or what was cancelled of a closed order.
pub(super) fn copy_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let cancelled_only = at.one_in(3);
    let source = if cancelled_only { at.any_order() } else { at.order(|_| true) };
    Arc::new(CopyOrder { source, cancelled_only })
}

/// Mostly of a draft, whose lines may come, go and change places.
pub(super) fn update_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = if at.one_in(3) { at.order(|_| true) } else { at.order(|order| order.state == State::Draft) };
    let rewrites = at.seen(order).is_none_or(|order| order.state == State::Draft) || at.one_in(5);
    let lines = (0..at.rng.u32(1..=6)).map(|_| at.new_line()).collect();
    let external_id = at.one_in(4).then(|| at.external_id());
    if external_id.is_some() && at.one_in(2) {
        // Alone it may change in every state.
        return Arc::new(UpdateOrder {
            order,
            etag: at.etag(order),
            supplier: None,
            supplier_reference: None,
            note: None,
            external_id,
            charges: None,
            expected_date: None,
            lines: None,
        });
    }
    Arc::new(UpdateOrder {
        order,
        etag: at.etag(order),
        supplier: (rewrites && at.one_in(3)).then(|| "bolt".to_owned()),
        supplier_reference: at.one_in(3).then(|| at.maybe("S-2")),
        note: at.one_in(3).then(|| at.maybe("ring the bell")),
        external_id,
        charges: (rewrites && at.one_in(4)).then(|| at.charges()),
        expected_date: (rewrites && at.one_in(3)).then(|| at.date()),
        lines: (rewrites && at.one_in(2)).then_some(lines),
    })
}

pub(super) fn place_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state == State::Draft);
    let order_time = match at.rng.u8(..20) {
        0 => Some(at.later(1)),
        1..6 => Some(at.later(-3_000)),
        _ => None,
    };
    Arc::new(PlaceOrder { order, etag: at.etag(order), order_time })
}

pub(super) fn complete_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state.is_live() && order.counters.totals.received.is_positive());
    let is_on = at.pure.store(&at.store).is_some_and(|store| store.back_orders_enabled);
    // What is back-ordered while orders run out would keep the store from being done.
    let carries_on = if is_on && !at.is_ebb { !at.one_in(5) } else { at.one_in(10) };
    let rest = if carries_on { Disposition::BackOrder } else { Disposition::Cancel };
    let rest = (!at.one_in(6)).then_some(rest);
    let lines = at.some_lines(order).iter().map(|line| disposition(at, line, carries_on)).collect();
    let lines = if at.one_in(3) || rest.is_none() { lines } else { Vec::new() };
    let cancel_reason = (!at.one_in(12)).then(|| "out of season".to_owned());
    let expected_date = if at.one_in(5) { at.date() } else { None };
    Arc::new(CompleteOrder {
        order,
        etag: at.etag(order),
        lines,
        default_disposition: rest,
        cancel_reason,
        cancel_reason_code: reason_code(at),
        expected_date,
    })
}

/// The kind of a reason, or none.
fn reason_code(at: &mut Scene<'_>) -> Option<CancelReason> {
    CancelReason::ALL.get(at.rng.usize(..2 * CancelReason::ALL.len())).copied()
}

fn disposition(at: &mut Scene<'_>, line: &Line, carries_on: bool) -> LineDisposition {
    let Line { key, quantities, .. } = line;
    let back_order = if carries_on { at.part_of(line) } else { Quantity::ZERO };
    let mut disposition = LineDisposition {
        line: key.number,
        back_order,
        cancel: quantities.pending - back_order,
        cancel_reason: if at.one_in(4) { Some("another colour".to_owned()) } else { None },
        cancel_reason_code: reason_code(at),
        expected_date: if at.one_in(8) { at.date() } else { None },
    };
    match at.rng.u8(..50) {
        0 => disposition.cancel += at.whole(5),
        1 => disposition.back_order += Quantity::from_scaled(5_000),
        2 => disposition.line += 50_000,
        _ => {}
    }
    disposition
}

pub(super) fn amend_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state.is_open());
    let mut lines = Vec::new();
    for line in at.some_lines(order) {
        let mut amended = LineAmendment { line: line.key.number, ..LineAmendment::default() };
        match at.rng.u8(..12) {
            0 => amended.is_removed = true,
            1 => amended.quantity = StatedQuantity { units: None, packs: Some(at.whole(3)) },
            2 => amended.pack_cost = Some(at.cost()),
            3 => amended.unit_cost = Some(at.cost()),
            4 | 5 => amended.expected_date = Some(at.date()),
            6 => amended.note = Some(at.maybe("riper")),
            _ => amended.quantity = StatedQuantity::units(at.whole(12)),
        }
        lines.push(amended);
    }
    if at.one_in(30) {
        lines.push(LineAmendment { line: 99_999, is_removed: true, ..LineAmendment::default() });
    }
    let new_lines = if at.one_in(5) { (0..at.rng.u32(1..=3)).map(|_| at.new_line()).collect() } else { Vec::new() };
    if !new_lines.is_empty() {
        at.named_cost = Some("new_lines.unit_cost");
    }
    Arc::new(AmendOrder {
        order,
        etag: at.etag(order),
        expected_date: at.one_in(6).then(|| at.date()),
        charges: at.one_in(8).then(|| at.charges()),
        lines,
        new_lines,
    })
}

pub(super) fn confirm_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state.is_live());
    let mut lines = Vec::new();
    for line in at.some_lines(order) {
        let units = if at.one_in(3) { None } else { Some(at.part_of(&line)) };
        let packs = if units.is_none() && at.one_in(4) { Some(at.whole(3)) } else { None };
        let expected_date = if at.one_in(4) { at.date() } else { None };
        lines.push(LineConfirmation {
            line: line.key.number,
            quantity: StatedQuantity { units, packs },
            expected_date,
        });
    }
    let expected_date = if at.one_in(4) { at.date() } else { None };
    Arc::new(ConfirmOrder { order, etag: at.etag(order), lines, confirms_rest: at.one_in(2), expected_date })
}

pub(super) fn cancel_lines(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| order.state.is_live() && order.counters.totals.pending.is_positive());
    let mut lines = Vec::new();
    for line in at.some_lines(order) {
        let all = at.one_in(3);
        let quantity = if all { None } else { Some(at.part_of(&line).max(Quantity::from_scaled(10_000))) };
        let reason = "sold out".to_owned();
        lines.push(LineToCancel {
            index: lines.len(),
            line: line.key.number,
            quantity,
            reason,
            reason_code: reason_code(at),
        });
    }
    if lines.is_empty() || at.one_in(30) {
        let reason = "sold out".to_owned();
        lines.push(LineToCancel { index: lines.len(), line: 99_999, quantity: None, reason, reason_code: None });
    }
    Arc::new(CancelLines { order, etag: at.etag(order), lines })
}

pub(super) fn cancel_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.order(|order| !order.counters.totals.received.is_positive());
    let reason = (!at.one_in(8)).then(|| "not needed".to_owned());
    Arc::new(CancelOrder { order, etag: at.etag(order), reason, reason_code: reason_code(at) })
}

/// Mostly of an order that was completed lately: what it brought may still be there.
pub(super) fn reopen_order(at: &mut Scene<'_>) -> Arc<dyn Command> {
    let order = at.completed_order();
    Arc::new(ReopenOrder { order, etag: at.etag(order), reason: "a box was found".to_owned() })
}

/// What orders are made of.
impl Scene<'_> {
    /// Few enough that orders sometimes ask for the same.
    fn external_id(&mut self) -> Option<String> {
        if self.one_in(4) { Some(format!("erp-{}", self.rng.u16(..600))) } else { None }
    }

    fn charges(&mut self) -> Vec<Charge> {
        let count = if self.one_in(4) { self.rng.u8(1..4) } else { 0 };
        let charge =
            |_| Charge { description: "freight".to_owned(), amount: Amount::from_scaled(self.rng.i64(0..999_999)) };
        (0..count).map(charge).collect()
    }

    fn new_line(&mut self) -> NewLine {
        let product = ProductId::new(format!("product-{}", self.rng.u8(..12)));
        let level = LevelKey { store: self.store.clone(), product: product.clone() };
        let level = self.pure.working_set.levels.get(&level).ok().flatten();
        let known = level.map(|level| level.unit).filter(|_| self.rng.u8(..60) > 0);
        let unit = known.unwrap_or_else(|| self.pick(Unit::ALL));
        let quantity = match (self.rng.u8(..200), unit.is_whole()) {
            (0, _) => Quantity::ZERO,
            (_, true) => self.whole(20),
            (_, false) => Quantity::from_scaled(self.rng.i64(1..200_000)),
        };
        let cost = self.cost();
        let pack_size = if self.one_in(3) { Some(self.whole(12) + Quantity::from_scaled(10_000)) } else { None };
        let by_pack = pack_size.filter(|_| self.one_in(2)).and_then(|size| Price::by_pack(cost, size));
        let price = by_pack.unwrap_or(Price::Unit(cost));
        NewLine {
            description: format!("fresh {product}"),
            product,
            gtin: self.maybe("4006381333931"),
            supplier_product: self.maybe("M-7"),
            note: self.maybe("ripe"),
            unit,
            quantity,
            pack_size,
            price,
            tolerance: if self.one_in(4) { Some(self.tolerance()) } else { None },
            lot_required: self.one_in(6),
            expected_date: if self.one_in(6) { self.date() } else { None },
        }
    }
}
