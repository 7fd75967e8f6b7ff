//! Drawing deliveries of one supplier for several orders.

use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::{Command, Delivery, Goods, Lorry, NewItem};
use crate::naive_oracle::form::names_same;
use crate::naive_oracle::generator::Generator;
use crate::naive_oracle::model::Model;

impl Generator {
    /// Some items of some of the orders that can be received, and some of products alone.
    pub fn deliver(&mut self, model: &Model) -> Command {
        let all_live: Vec<usize> = (0..model.orders.len()).filter(|place| model.orders[*place].is_live()).collect();
        let supplier = match all_live.is_empty() || self.one_in(12) {
            true => self.one_of(&["acme", "bolt"]),
            false => model.orders[self.one_of(&all_live)].supplier,
        };
        let live = all_live.into_iter().filter(|place| model.orders[*place].supplier == supplier);
        let live: Vec<usize> = live.collect();
        let orders: Vec<&Order> = live.iter().map(|place| &model.orders[*place]).collect();
        let mut items: Vec<NewItem> = Vec::new();
        for place in &live {
            if self.rng.bool() {
                let of_order = self.items(&model.orders[*place], model);
                items.extend(of_order.into_iter().map(|item| NewItem { order: Some(*place), ..item }));
            }
        }
        for _ in 0..self.rng.usize(..3) {
            items.push(self.item_of_product(&orders, model));
        }
        if items.is_empty() {
            items.push(self.item_of_product(&orders, model));
        }
        if !self.one_in(16) {
            drop_second(&mut items);
        }
        self.rng.shuffle(&mut items);
        self.spoil(&mut items, model);
        let ordered = live.iter().filter_map(|place| model.orders[*place].ordered).max();
        let mut etags: Vec<(usize, i64)> = Vec::new();
        for place in &live {
            if self.one_in(4) {
                etags.push((*place, model.orders[*place].revision - i64::from(self.one_in(12))));
            }
        }
        if self.one_in(40) && !model.orders.is_empty() {
            let any = self.rng.usize(..model.orders.len());
            etags.push((any, model.orders[any].revision));
        }
        let delivery = Delivery {
            items: Some(items),
            time: self.receive_time(ordered.unwrap_or(model.now), model.now),
            delivery_note: self.delivery_note(),
            refuse_known: self.one_in(4),
        };
        Command::Deliver(Lorry { supplier, etags, delivery })
    }

    /// Now and then an item names an order that it should not, or none.
    fn spoil(&mut self, items: &mut Vec<NewItem>, model: &Model) {
        let at = self.rng.usize(..items.len());
        match self.rng.u32(..50) {
            0 => items[at].order = None,
            1 => items[at].order = Some(usize::MAX),
            2 if !model.orders.is_empty() => {
                // Of another supplier perhaps: then nothing else is looked for.
                let place = self.rng.usize(..model.orders.len());
                let line = model.orders[place].lines.keys().next().copied().unwrap_or(1);
                let item = NewItem { order: Some(place), goods: Goods::Line(line), ..items[at].clone() };
                *items = vec![item];
            }
            _ => {}
        }
    }
}

/// Leaves of items that name the same the first.
pub fn drop_second(items: &mut Vec<NewItem>) {
    let mut kept: Vec<NewItem> = Vec::new();
    for item in items.drain(..) {
        if !kept.iter().any(|earlier| names_same(earlier, &item)) {
            kept.push(item);
        }
    }
    *items = kept;
}
