//! The naive model of where delivered goods go: onto the lines that items name, and over the lines of the products
//! that they name; first over what is pending, then over what the tolerance leaves beyond it.

use std::cmp::Reverse;

use crate::naive_oracle::books::{Item, Line, Order, next_line, number_of};
use crate::naive_oracle::command::{Goods, Lot, NewItem, Unlisted, admits, same_gtin};
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::{Quantity, WHOLE, decimal, most_within, stated, within};
use crate::naive_oracle::refused::{Refused, line_numbers, refused};

/// A line on which goods may be booked.
pub struct Spot {
    pub order: usize,
    pub number: i32,
    pub line: Line,
    pub is_new: bool,
    pending: Quantity,
    accepted_before: Quantity,
    /// What is booked on it, and the items of the request that it came with.
    pub item: Option<Item>,
    pub items: Vec<usize>,
}

/// What is still to be booked of an item.
struct Rest<'a> {
    index: usize,
    item: &'a NewItem,
    spots: Vec<usize>,
    accepted: Quantity,
    rejected: Quantity,
    lots: Vec<(Lot, Quantity)>,
}

/// All lines, in the order in which a product is spread over them.
pub struct Spread<'a> {
    model: &'a Model,
    pub spots: Vec<Spot>,
    /// Whether all that was asked fits what is stored.
    pub fits: bool,
    /// The items of which something found no line or no room.
    left_over: Vec<usize>,
}

impl Spot {
    fn of(order: usize, books: &Order, number: i32) -> Self {
        Self {
            order,
            number,
            line: books.lines[&number].clone(),
            is_new: false,
            pending: books.pending(number),
            accepted_before: books.accepted(number),
            item: None,
            items: Vec::new(),
        }
    }

    fn accepted(&self) -> Quantity {
        self.item.as_ref().map_or(0, |item| item.accepted)
    }

    /// What it would have received in all, and what it may, of whole units whole ones; nothing bounds what nobody
    /// ordered, where such goods are allowed.
    pub fn total_and_most(&self, model: &Model) -> (Quantity, Option<Quantity>) {
        let Line { ordered, cancelled, tolerance, .. } = self.line;
        let most = most_within(ordered - cancelled, tolerance.unwrap_or(model.tolerance));
        let most = match (model.unlisted_items, ordered) {
            (true, 0) => None,
            (true, _) => Some(most.max(ordered)),
            (false, _) => Some(most),
        };
        let whole = |most: Quantity| if admits(self.line.unit, 1) { most } else { most / WHOLE * WHOLE };
        (self.accepted_before + self.accepted(), most.map(whole))
    }

    /// Whether what it would have received is within its tolerance, or else is what may come unlisted.
    pub fn is_tolerated(&self, model: &Model) -> bool {
        let Line { ordered, cancelled, tolerance, .. } = self.line;
        let total = self.accepted_before + self.accepted();
        let comes_unlisted = model.unlisted_items && (ordered == 0 || total <= ordered);
        comes_unlisted || within(total, ordered - cancelled, tolerance.unwrap_or(model.tolerance))
    }

    /// How much more of it may be booked.
    fn room(&self, model: &Model) -> Quantity {
        let (total, most) = self.total_and_most(model);
        let Some(most) = most else { return Quantity::MAX };
        (most - total).max(0)
    }
}

impl<'a> Spread<'a> {
    /// Over the lines of orders: what was ordered first before the others.
    pub fn over(model: &'a Model, orders: &[usize]) -> Self {
        let mut orders = orders.to_vec();
        orders
            .sort_by_key(|place| (model.orders[model.orders[*place].chain].ordered, number_of(&model.orders, *place)));
        let mut spots = Vec::new();
        for place in orders {
            let books = &model.orders[place];
            spots.extend(books.lines.keys().map(|number| Spot::of(place, books, *number)));
        }
        Self { model, spots, fits: true, left_over: Vec::new() }
    }

    /// Gives each unlisted product a line, unless an earlier receipt did. One that is ordered is not unlisted.
    pub fn add_unlisted(&mut self, items: &[(usize, NewItem)]) {
        let mut units = self.model.units.clone();
        for (_, item) in items {
            let (Goods::Unlisted(unlisted), Some(order)) = (item.goods, item.order) else { continue };
            self.fits &= *units.entry(unlisted.product).or_insert(unlisted.unit) == unlisted.unit;
            let of_product =
                self.spots.iter().filter(|spot| spot.order == order && spot.line.product == unlisted.product);
            let (mut is_there, mut is_ordered) = (false, false);
            for spot in of_product {
                (is_there, is_ordered) = (true, is_ordered || spot.line.ordered > 0);
            }
            self.fits &= !is_ordered;
            if !is_there {
                self.add_line(order, unlisted, item);
            }
        }
    }

    fn add_line(&mut self, order: usize, unlisted: Unlisted, item: &NewItem) {
        let Unlisted { product, unit, gtin, pack_size } = unlisted;
        let average = self.model.level(product).average;
        let unit_cost = item.unit_cost.or(item.excess_cost).unwrap_or(average);
        let added = self.spots.iter().filter(|spot| spot.order == order).map(|spot| spot.number + 1);
        let number = added.chain([next_line(&self.model.orders, order)]).max().unwrap_or_default();
        let first_expected = self.model.orders[order].expected;
        let line =
            Line { product, unit, gtin, is_unlisted: true, first_expected, pack_size, unit_cost, ..Line::default() };
        let (item, items) = (None, Vec::new());
        self.spots.push(Spot { order, number, line, is_new: true, pending: 0, accepted_before: 0, item, items });
    }

    /// Books all items: those that name a line or are unlisted before those that name a product. Returns the refusal
    /// of what found no line or no room.
    pub fn book(&mut self, items: &[(usize, NewItem)]) -> Option<Refused> {
        for (index, item) in items {
            let is_meant = |spot: &Spot| match item.goods {
                Goods::Line(number) => spot.number == number,
                Goods::Unlisted(unlisted) => spot.line.product == unlisted.product,
                Goods::Product(_) | Goods::Gtin(_) => false,
            };
            let spots = self.spots.iter().enumerate();
            let spots = spots.filter(|(_, spot)| Some(spot.order) == item.order && is_meant(spot)).map(|(at, _)| at);
            if let Some(at) = spots.clone().min_by_key(|at| Reverse(self.spots[*at].line.ordered > 0))
                && let Some(mut rest) = self.rest_of(*index, item, spots.collect())
            {
                let accepted = rest.accepted;
                self.put(at, &mut rest, accepted);
            }
        }
        self.spread(items)
    }

    /// Of lines with one bar code those of the product that is waited for: nothing if that is not one.
    fn of_one_product(&self, spots: Vec<usize>) -> Option<Vec<usize>> {
        let is_pending = |spot: &Spot| spot.pending > 0;
        let may_have_more = |spot: &Spot| {
            let (total, most) = spot.total_and_most(self.model);
            most.is_none_or(|most| most > total - spot.accepted())
        };
        let all: Vec<&Spot> = spots.iter().map(|at| &self.spots[*at]).collect();
        let mut open: Vec<&Spot> = all.iter().copied().filter(|spot| is_pending(spot)).collect();
        if open.is_empty() {
            open = all.iter().copied().filter(|spot| may_have_more(spot)).collect();
        }
        let product = open.first().unwrap_or(&all[0]).line.product;
        let is_one = open.iter().all(|spot| spot.line.product == product);
        is_one.then(|| spots.into_iter().filter(|at| self.spots[*at].line.product == product).collect())
    }

    fn spread(&mut self, items: &[(usize, NewItem)]) -> Option<Refused> {
        let (mut unknown, mut rests) = (Vec::new(), Vec::new());
        for (index, item) in items {
            let is_meant = |spot: &Spot| match item.goods {
                Goods::Product(product) => spot.line.product == product,
                Goods::Gtin(gtin) => same_gtin(gtin, spot.line.gtin),
                Goods::Line(_) | Goods::Unlisted(_) => false,
            };
            let name = match item.goods {
                Goods::Product(product) => format!("product {product}"),
                Goods::Gtin(gtin) => format!("GTIN {}", gtin.trim_start_matches('0')),
                Goods::Line(_) | Goods::Unlisted(_) => continue,
            };
            let spots = self.spots.iter().enumerate();
            let spots = spots.filter(|(_, spot)| item.order.is_none_or(|order| order == spot.order) && is_meant(spot));
            let spots: Vec<usize> = spots.map(|(at, _)| at).collect();
            if spots.is_empty() {
                self.left_over.push(*index);
                unknown.push(name);
            } else if let Some(spots) = self.of_one_product(spots) {
                rests.extend(self.rest_of(*index, item, spots));
            } else {
                self.fits = false;
            }
        }
        let mut unplaced = None;
        if !unknown.is_empty() {
            unplaced = refused::<()>("PRODUCT_NOT_RECEIVABLE", [format!("products={}", unknown.join(","))]).err();
        }
        for is_beyond in [false, true] {
            for rest in &mut rests {
                for at in rest.spots.clone() {
                    let spot = &self.spots[at];
                    let room = if is_beyond { spot.room(self.model) } else { spot.pending - spot.accepted() };
                    let part = room.min(rest.accepted);
                    if part > 0 {
                        self.put(at, rest, part);
                    }
                }
            }
        }
        for mut rest in rests {
            if rest.accepted > 0 {
                let lines: Vec<i32> = rest.spots.iter().map(|at| self.spots[*at].number).collect();
                let (index, left, product) =
                    (rest.index, decimal(rest.accepted), self.spots[rest.spots[0]].line.product);
                let by_how_much = format!("items[{index}] would bring {left} more of {product} than may be received");
                self.left_over.push(index);
                unplaced = unplaced.or(refused::<()>("OVER_RECEIPT", [line_numbers(&lines), by_how_much]).err());
            } else if rest.rejected > 0 {
                let pending = rest.spots.iter().find(|at| self.spots[**at].pending > 0);
                self.put(*pending.unwrap_or(&rest.spots[0]), &mut rest, 0);
            }
        }
        unplaced
    }

    /// An item in units, for the lines that it is of; nothing if what it says does not fit them.
    fn rest_of<'i>(&mut self, index: usize, item: &'i NewItem, spots: Vec<usize>) -> Option<Rest<'i>> {
        let line = &self.spots[spots[0]].line;
        let in_packs = item.accepted_packs.is_some() || item.rejected_packs.is_some();
        let sizes_agree = spots.iter().all(|at| self.spots[*at].line.pack_size == line.pack_size);
        let fits = |quantity: &Quantity| admits(line.unit, *quantity);
        let pack_size = match item.goods {
            Goods::Unlisted(unlisted) => unlisted.pack_size.or(line.pack_size),
            _ => line.pack_size,
        };
        let accepted = stated(item.accepted, item.accepted_packs, pack_size).filter(fits);
        let rejected = stated(item.rejected, item.rejected_packs, pack_size).filter(fits);
        let lots = item.lots.iter().map(|new| (new.lot, new.quantity.unwrap_or(0)));
        let lots: Vec<(Lot, Quantity)> = lots.filter(|(_, quantity)| *quantity > 0).collect();
        let in_lots: Quantity = lots.iter().map(|(_, quantity)| quantity).sum();
        let lots_fit = lots.is_empty() || accepted == Some(in_lots) && lots.iter().all(|(_, quantity)| fits(quantity));
        self.fits &= !in_packs || sizes_agree || !matches!(item.goods, Goods::Product(_) | Goods::Gtin(_));
        match (accepted, rejected) {
            (Some(accepted), Some(rejected)) if lots_fit => Some(Rest { index, item, spots, accepted, rejected, lots }),
            _ => {
                self.fits = false;
                None
            }
        }
    }

    /// Books so much of what is left of an item on a line, and all that was rejected. Items that meet on a line must
    /// agree in what they cost and in why something was rejected.
    fn put(&mut self, at: usize, rest: &mut Rest<'_>, accepted: Quantity) {
        let new = rest.item;
        let spot = &mut self.spots[at];
        spot.items.push(rest.index);
        let item = spot.item.get_or_insert_with(|| Item {
            line: spot.number,
            unit_cost: new.unit_cost,
            excess_cost: new.excess_cost,
            ..Item::default()
        });
        self.fits &= (item.unit_cost, item.excess_cost) == (new.unit_cost, new.excess_cost);
        item.accepted += accepted;
        rest.accepted -= accepted;
        if rest.rejected > 0 {
            let reason = (new.reject_reason, new.reject_note);
            self.fits &= item.rejected == 0 || (item.reject_reason, item.reject_note) == reason;
            (item.reject_reason, item.reject_note) = reason;
            item.rejected += rest.rejected;
            rest.rejected = 0;
        }
        let mut left = accepted;
        for (lot, quantity) in &mut rest.lots {
            let part = left.min(*quantity);
            left -= part;
            *quantity -= part;
            match item.lots.iter_mut().find(|(known, _)| known == lot) {
                Some((_, known)) => *known += part,
                None if part > 0 => item.lots.push((*lot, part)),
                None => {}
            }
        }
    }

    /// What is booked of each line; with what is now known to go beyond what is pending.
    pub fn finish(&mut self, items: &[(usize, NewItem)]) {
        let mut with_excess = Vec::new();
        for spot in &mut self.spots {
            let Some(item) = &mut spot.item else { continue };
            item.excess = (item.accepted - spot.pending).max(0);
            if item.excess > 0 {
                with_excess.extend(spot.items.iter().copied());
            } else {
                item.excess_cost = None;
            }
            let in_lots: Quantity = item.lots.iter().map(|(_, quantity)| quantity).sum();
            let may_be_in_none = item.lots.is_empty() && (!spot.line.lot_required || item.accepted == 0);
            self.fits &= may_be_in_none || in_lots == item.accepted;
        }
        for (index, item) in items {
            let is_beyond = with_excess.contains(index) || self.left_over.contains(index);
            self.fits &= item.excess_cost.is_none() || is_beyond;
        }
        self.spots.retain(|spot| spot.item.is_some());
        let named = |spot: &Spot| {
            items.iter().position(|(_, item)| item.order == Some(spot.order) && item.line() == Some(spot.number))
        };
        self.spots.sort_by_key(|spot| named(spot).unwrap_or(usize::MAX));
    }
}
