//! Drawing deliveries and their voids.

use purchase_order_service::proto::v1::{RejectReason as Why, Unit};

use crate::naive_oracle::books::{Line, Order};
use crate::naive_oracle::command::{DAY, Delivery, MINUTE, Name, NewItem, Time, Verb, day};
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
            delivery_note: if self.one_in(4) { self.one_of(&DELIVERY_NOTES) } else { "" },
            refuse_known: self.one_in(4),
        })
    }

    fn receive_time(&mut self, ordered: Time, now: Time) -> Option<Time> {
        match self.rng.u32(..60) {
            0 => Some(now + 5 * MINUTE + 1),
            1 => Some(ordered - DAY),
            2..6 => Some(now + 5 * MINUTE),
            6..12 => Some(ordered),
            12..24 => Some(now - self.rng.i64(0..DAY)),
            _ => None,
        }
    }

    /// A part of what is pending on some lines, or as much as there may be.
    fn items(&mut self, order: &Order, model: &Model) -> Vec<NewItem> {
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
                let item = self.item(*number, accepted.max(0), line.pack_size);
                let item = self.costed(item, accepted > pending);
                items.push(self.in_lots(item, line, model));
            }
        }
        let line = *order.lines.keys().last().expect("every order has a line");
        let one = NewItem { line, accepted: Some(WHOLE), ..NewItem::default() };
        match self.rng.u32(..100) {
            0 => items.push(NewItem { line: 99, ..one }),
            1..3 => items.iter_mut().for_each(|item| item.accepted = item.accepted.map(|units| units + WHOLE / 2)),
            3 | 4 => items.iter_mut().for_each(|item| item.accepted = item.accepted.map(|units| units + 20 * WHOLE)),
            5 => items.push(one),
            6 => items.push(NewItem { line: 99, accepted: Some(0), ..one }),
            _ if items.is_empty() => items.push(one),
            _ => self.rng.shuffle(&mut items),
        }
        items
    }

    /// In lots mostly where the line requires it, and not so often where it does not.
    fn in_lots(&mut self, mut item: NewItem, line: &Line, model: &Model) -> NewItem {
        let accepted = stated(item.accepted, item.accepted_packs, line.pack_size).unwrap_or(0);
        let comes_in_lots = if line.lot_required { !self.one_in(20) } else { self.one_in(4) };
        if comes_in_lots && accepted > 0 {
            item.lots = self.lots_of(accepted, line.unit, day(model.now));
        } else if self.one_in(60) {
            item.lots = self.lots_of(WHOLE, line.unit, day(model.now));
        }
        item
    }

    /// One line's part, said in one way or another.
    fn item(&mut self, line: i32, accepted: Quantity, size: Option<Quantity>) -> NewItem {
        let mut item = NewItem { line, accepted: Some(accepted), ..NewItem::default() };
        if self.one_in(6) {
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
    fn costed(&mut self, mut item: NewItem, has_excess: bool) -> NewItem {
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
        let known = if self.one_in(8) { order.receipts.len() + 1 } else { order.receipts.len().max(1) };
        Verb::Void { receipt: self.rng.usize(..known) }
    }
}
