//! Drawing items that name no line: products, numbers under bar codes, and what no order names.

use purchase_order_service::proto::v1::Unit;

use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::{Goods, Name, NewItem, Unlisted, admits, day};
use crate::naive_oracle::generator::{GUESTS, Generator, PRODUCTS};
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::{Quantity, WHOLE, most_within};

/// The numbers under the bar codes of a product, some with zeros in front. Nuts and salt share one,
/// which names one of them where that one alone is waited for.
fn gtins(product: Name) -> &'static [Name] {
    match product {
        "apples" => &["4006381333931", "04006381333931"],
        "pears" => &["5006381333930"],
        "cheese" => &["12345670"],
        "nuts" => &["6006381333939"],
        "salt" => &["6006381333939", "123456789012", "0123456789012"],
        _ => &["7006381333938"],
    }
}

impl Generator {
    pub fn gtin(&mut self, product: Name) -> Name {
        if self.one_in(6) { "" } else { self.one_of(gtins(product)) }
    }

    /// An item of a product, mostly one that is on these lines: what is pending of it or a part of that, or as
    /// much as there may be, or a little more.
    pub fn item_of_product(&mut self, orders: &[&Order], model: &Model) -> NewItem {
        let lines = orders.iter().flat_map(|order| order.lines.iter().map(|(number, line)| (*order, *number, line)));
        let products: Vec<Name> = lines.clone().map(|(_, _, line)| line.product).collect();
        let any = self.one_of(&PRODUCTS).0;
        let product = if products.is_empty() || self.one_in(20) { any } else { self.one_of(&products) };
        let lines: Vec<_> = lines.filter(|(_, _, line)| line.product == product).collect();
        let (mut pending, mut room): (Quantity, Quantity) = (0, 0);
        for (order, number, line) in &lines {
            let most = most_within(line.ordered, line.tolerance.unwrap_or(model.tolerance));
            let most = if admits(line.unit, 1) { most } else { most / WHOLE * WHOLE };
            pending += order.pending(*number);
            room += (most - order.accepted(*number)).max(0);
        }
        let first = lines.first().map(|(_, _, line)| *line);
        let unit = first.map_or(Unit::Each, |line| line.unit);
        let accepted = match self.rng.u32(..12) {
            0..3 => pending,
            3 | 4 => room,
            5 => room + if admits(unit, 1) { 1 } else { WHOLE },
            6 => 0,
            _ => self.part_of(pending, unit),
        };
        let by_gtin = self.one_in(3);
        let goods = if by_gtin { Goods::Gtin(self.one_of(gtins(product))) } else { Goods::Product(product) };
        let item = self.item(goods, accepted, first.and_then(|line| line.pack_size).filter(|_| lines.len() == 1));
        let mut item = if self.rng.bool() { self.costed(item, accepted > pending) } else { item };
        if let Some(line) = first {
            item = self.in_lots(item, line, model);
        }
        item
    }

    /// An item that no order names, mostly; in the unit in which the store counts it, mostly.
    pub fn unlisted_item(&mut self, order: &Order, model: &Model) -> NewItem {
        let known = |product: Name| order.lines.values().any(|line| line.product == product && line.ordered > 0);
        let mut choice = if self.one_in(3) { self.one_of(&GUESTS) } else { self.one_of(&PRODUCTS) };
        if known(choice.0) && !self.one_in(8) {
            choice = self.one_of(&GUESTS);
        }
        let (product, unit) = choice;
        let unit = if self.one_in(20) { Unit::Each } else { unit };
        let pack_size = if self.one_in(4) { Some(WHOLE * self.rng.i64(0..4)) } else { None };
        let unlisted = Unlisted { product, unit, gtin: self.gtin(product), pack_size };
        let accepted = WHOLE * self.rng.i64(0..4);
        let item = self.item(Goods::Unlisted(unlisted), accepted, pack_size.filter(|size| *size > 0));
        let mut item = if self.rng.bool() { self.costed(item, true) } else { item };
        if self.one_in(4) {
            item.lots = self.lots_of(accepted, unit, day(model.now));
        }
        item
    }
}
