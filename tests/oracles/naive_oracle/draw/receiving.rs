//! Drawing deliveries and their voids.

use purchase_order_service::proto::v1::{RejectReason as Why, Unit};

use crate::naive_oracle::books::{Line, Order};
use crate::naive_oracle::command::{DAY, Delivery, Goods, MINUTE, Name, NewItem, Time, Verb, day};
use crate::naive_oracle::draw::delivering::drop_second;
use crate::naive_oracle::generator::Generator;
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::{DEAREST, Quantity, WHOLE, most_within, stated};

const DELIVERY_NOTES: [Name; 4] = ["", "d-1", "d-2", "d-3"];

impl Generator {
    pub fn receive(&mut self, order: &Order, model: &Model) -> Verb {
        let items = (!self.one_in(8)).then(|| self.items(order, model));
        Verb::Receive(Delivery {
            items,
            time: self.receive_time(order.ordered.unwrap_or(model.now), model.now),
            delivery_note: self.delivery_note(),
            refuse_known: self.one_in(4),
        })
    }

    pub fn delivery_note(&mut self) -> Name {
        if self.one_in(4) { self.one_of(&DELIVERY_NOTES) } else { "" }
    }

    pub fn receive_time(&mut self, ordered: Time, now: Time) -> Option<Time> {
        match self.rng.u32(..60) {
            0 => Some(now + 5 * MINUTE + 1),
            1 => Some(ordered - DAY),
            2..6 => Some(now + 5 * MINUTE),
            6..12 => Some(ordered),
            12..24 => Some(now - self.rng.i64(0..DAY)),
            _ => None,
        }
    }

    /// A part of what is pending on some lines, or as much as there may be; and some items that name no line.
    pub fn items(&mut self, order: &Order, model: &Model) -> Vec<NewItem> {
        let mut items = Vec::new();
        for (number, line) in &order.lines {
            let pending = order.pending(*number);
            if self.rng.bool() && (pending > 0 || self.one_in(6)) {
                let most =
                    most_within(line.ordered, line.tolerance.unwrap_or(model.tolerance)) - order.accepted(*number);
                let most = if line.unit == Unit::Kilogram { most } else { most / WHOLE * WHOLE };
                let least = if line.unit == Unit::Kilogram { 1 } else { WHOLE };
                let accepted = match self.rng.u32(..20) {
                    0 => 0,
                    1..4 => most,
                    4 => most + least,
                    5..8 => pending + least,
                    _ => self.part_of(pending, line.unit),
                };
                let accepted = if pending == 0 && self.rng.bool() { 0 } else { accepted.max(0) };
                let item = self.item(Goods::Line(*number), accepted, line.pack_size);
                let item = self.costed(item, accepted > pending);
                items.push(self.in_lots(item, line, model));
            }
        }
        let line = *order.lines.keys().last().expect("every order has a line");
        let one = NewItem::of(Goods::Line(line), WHOLE);
        while self.one_in(3) {
            let item = if model.unlisted_items && self.rng.bool() || self.one_in(6) {
                self.unlisted_item(order, model)
            } else {
                self.item_of_product(&[order], model)
            };
            items.push(item);
        }
        if !self.one_in(16) {
            drop_second(&mut items);
        }
        match self.rng.u32(..100) {
            0 => items.push(NewItem { goods: Goods::Line(99), ..one }),
            1..3 => items.iter_mut().for_each(|item| item.accepted = item.accepted.map(|units| units + WHOLE / 2)),
            3 | 4 => items.iter_mut().for_each(|item| item.accepted = item.accepted.map(|units| units + 20 * WHOLE)),
            5 => items.push(one),
            6 => items.push(NewItem::of(Goods::Line(99), 0)),
            _ if items.is_empty() => items.push(one),
            _ => self.rng.shuffle(&mut items),
        }
        items
    }

    /// In lots mostly where the line requires it, and not so often where it does not.
    pub fn in_lots(&mut self, mut item: NewItem, line: &Line, model: &Model) -> NewItem {
        let accepted = stated(item.accepted, item.accepted_packs, line.pack_size).unwrap_or(0);
        let comes_in_lots = if line.lot_required { !self.one_in(20) } else { self.one_in(4) };
        if comes_in_lots && accepted > 0 {
            item.lots = self.lots_of(accepted, line.unit, day(model.now));
        } else if self.one_in(60) {
            item.lots = self.lots_of(WHOLE, line.unit, day(model.now));
        }
        item
    }

    /// A part of some goods, said in one way or another.
    pub fn item(&mut self, goods: Goods, accepted: Quantity, size: Option<Quantity>) -> NewItem {
        let mut item = NewItem::of(goods, accepted);
        if self.one_in(if accepted == 0 { 2 } else { 6 }) {
            self.reject(&mut item);
        }
        if let Some(size) = size.filter(|_| self.rng.bool()) {
            let packs = WHOLE * (accepted / size).max(1);
            let units = packs / WHOLE * size;
            (item.accepted_packs, item.accepted) = (Some(packs), self.one_of(&[None, Some(units)]));
            match self.rng.u32(..24) {
                0 => item.accepted_packs = Some(packs + 1),
                1 => item.accepted = Some(units + WHOLE),
                2 => item.rejected_packs = Some(WHOLE),
                3 => (item.rejected_packs, item.reject_reason) = (Some(WHOLE), Why::Quality),
                _ => {}
            }
        } else if self.one_in(60) {
            item.accepted_packs = Some(self.one_of(&[0, WHOLE]));
        }
        if self.one_in(12) {
            (item.accepted, item.accepted_packs) = (self.one_of(&[None, Some(0)]), self.one_of(&[None, Some(0)]));
        }
        item
    }

    /// Invoiced costs; one for the excess mostly where there is some.
    pub fn costed(&mut self, mut item: NewItem, has_excess: bool) -> NewItem {
        let is_much = item.accepted.unwrap_or(0) > 100 * WHOLE;
        if is_much && self.one_in(2) {
            // Worth more than there may be.
            item.unit_cost = Some(DEAREST);
        } else if self.one_in(6) {
            item.unit_cost = Some(self.cost());
        }
        if self.one_in(if has_excess { 2 } else { 60 }) {
            item.excess_cost = Some(if self.one_in(4) { 0 } else { self.cost() });
        }
        item
    }

    /// A reason is given mostly where one is needed, and a text with some.
    fn reject(&mut self, item: &mut NewItem) {
        let reasons =
            [Why::Damaged, Why::Expired, Why::WrongProduct, Why::Quality, Why::NotOrdered, Why::Other, Why::Other];
        item.rejected = if self.one_in(8) { Some(0) } else { Some(WHOLE * self.rng.i64(1..4)) };
        item.reject_reason = if self.one_in(40) { Why::Unspecified } else { self.one_of(&reasons) };
        let text_is_needed = item.reject_reason == Why::Other && !self.one_in(12);
        item.reject_note = if text_is_needed || self.rng.bool() { "mouldy" } else { "" };
    }

    pub fn void(&mut self, order: &Order, _: &Model) -> Verb {
        Verb::Void { receipt: self.receipt_of(order) }
    }

    /// Mostly of a receipt that is there, and may be voided.
    fn receipt_of(&mut self, order: &Order) -> usize {
        let known = if self.one_in(8) { order.receipts.len() + 1 } else { order.receipts.len().max(1) };
        self.rng.usize(..known)
    }

    /// Another delivery in the place of one that was booked, and mostly at the same time.
    pub fn correct(&mut self, order: &Order, model: &Model) -> Verb {
        let items = (!self.one_in(8)).then(|| self.items(order, model));
        let time = if self.one_in(4) { self.receive_time(order.ordered.unwrap_or(model.now), model.now) } else { None };
        let delivery = Delivery { items, time, delivery_note: self.delivery_note(), refuse_known: self.one_in(4) };
        Verb::Correct { receipt: self.receipt_of(order), delivery }
    }
}
