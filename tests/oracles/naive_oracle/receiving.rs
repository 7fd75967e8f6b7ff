//! The naive model of deliveries: what is booked, what is refused, what is voided.

use std::collections::HashMap;
use std::mem::replace;

use purchase_order_service::proto::v1::Unit;

use crate::naive_oracle::books::{Item, Order, Receipt, number_of};
use crate::naive_oracle::command::{Day, Delivery, Goods, MINUTE, Name, NewItem, Time, day};
use crate::naive_oracle::model::{Model, ensure_fit};
use crate::naive_oracle::numbers::{MOST_WORTH, decimal};
use crate::naive_oracle::refused::{Refused, ensure, line_numbers, refused};
use crate::naive_oracle::spread::{Spot, Spread};

/// A delivery that may be booked.
pub struct Judged {
    /// The orders that it is for, that which was ordered first before the others, as they are with it.
    pub orders: Vec<(usize, Order)>,
    /// The units of all products, those included that it brings for the first time.
    pub units: HashMap<Name, Unit>,
}

impl Model {
    /// Books a delivery of an order; which receipt bore the same delivery note.
    pub fn receive(
        &mut self,
        place: usize,
        order: &mut Order,
        by: Name,
        delivery: &Delivery,
    ) -> Result<Option<(usize, usize)>, Refused> {
        self.book(place, order, by, delivery, None)
    }

    /// Books what really came in the place of a receipt, as if that had never been. What is not said is kept, and a
    /// delivery note that is kept is no news.
    pub fn correct(
        &mut self,
        place: usize,
        order: &mut Order,
        by: Name,
        (wrong, delivery): (usize, &Delivery),
    ) -> Result<Option<(usize, usize)>, Refused> {
        order.void(wrong, (by, self.now))?;
        let corrected = order.receipts[wrong].clone();
        let given = Delivery { time: delivery.time.or(Some(corrected.time)), ..delivery.clone() };
        let before = replace(&mut self.orders[place], order.clone());
        let same_note = self.book(place, order, by, &given, corrected.delivery);
        self.orders[place] = before;
        let same_note = same_note?;
        if let Some(receipt) = order.receipts.last_mut() {
            receipt.corrects = Some(wrong);
            if given.delivery_note.is_empty() {
                receipt.delivery_note = corrected.delivery_note;
            }
        }
        Ok(same_note)
    }

    /// Books a delivery of an order, which is a part of a lorry's or not.
    fn book(
        &mut self,
        place: usize,
        order: &mut Order,
        by: Name,
        delivery: &Delivery,
        lorry: Option<usize>,
    ) -> Result<Option<(usize, usize)>, Refused> {
        let items = match &delivery.items {
            None => {
                order.ensure_no_lots_pending()?;
                order.all_pending()
            }
            Some(items) => items.clone(),
        };
        let items: Vec<NewItem> = items.into_iter().map(|item| NewItem { order: Some(place), ..item }).collect();
        if items.is_empty() {
            self.ensure_time(delivery.time, &[place])?;
            return Err("NOTHING_PENDING".into());
        }
        let judged = self.booked(&[place], &items, delivery, (by, lorry), true)?;
        let same_note = self.same_note(order.supplier, delivery, lorry)?;
        for (_, received) in judged.orders {
            *order = received;
        }
        self.units = judged.units;
        Ok(same_note)
    }

    /// Goods arrive after the day on which the last of them were ordered, and hardly ever in the future.
    fn ensure_time(&self, time: Option<Time>, orders: &[usize]) -> Result<(), Refused> {
        let time = time.unwrap_or(self.now);
        let ordered = orders.iter().filter_map(|place| self.orders[self.orders[*place].chain].ordered).max();
        ensure_fit(ordered.is_some_and(|ordered| day(time) >= day(ordered)))?;
        self.ensure_not_ahead(time)
    }

    fn ensure_not_ahead(&self, time: Time) -> Result<(), Refused> {
        ensure_fit(time <= self.now + 5 * MINUTE)
    }

    /// What a delivery brings of these orders, `fits` as far as is known. Items without any quantity are passed over.
    pub fn booked(
        &self,
        orders: &[usize],
        items: &[NewItem],
        delivery: &Delivery,
        (by, number): (Name, Option<usize>),
        fits: bool,
    ) -> Result<Judged, Refused> {
        let items = items.iter().cloned().enumerate().filter(|(_, item)| item.says_something());
        let items: Vec<(usize, NewItem)> = items.collect();
        let mut spread = Spread::over(self, orders);
        spread.add_unlisted(&items);
        let unplaced = spread.book(&items);
        spread.finish(&items);
        ensure_fit(fits && spread.fits)?;
        let spots = spread.spots;
        let mut places: Vec<usize> = spots.iter().map(|spot| spot.order).collect();
        places.sort_by_key(|place| (self.orders[self.orders[*place].chain].ordered, number_of(&self.orders, *place)));
        places.dedup();
        match unplaced {
            // Of goods that are on no line nobody knows when they were ordered.
            Some(_) => self.ensure_not_ahead(delivery.time.unwrap_or(self.now))?,
            None => self.ensure_time(delivery.time, &places)?,
        }
        let time = delivery.time.unwrap_or(self.now).min(self.now);
        ensure_fit(items.iter().all(|(_, item)| had_not_expired(item, day(time))))?;
        if let Some(unplaced) = unplaced {
            return Err(unplaced);
        }
        let unlisted = items.iter().filter_map(|(_, item)| match item.goods {
            Goods::Unlisted(unlisted) => Some(unlisted),
            _ => None,
        });
        let unlisted: Vec<_> = unlisted.collect();
        if !unlisted.is_empty() && !self.unlisted_items {
            let products: Vec<Name> = unlisted.iter().map(|unlisted| unlisted.product).collect();
            return refused("UNLISTED_ITEMS_NOT_ALLOWED", [format!("product_ids={}", products.join(","))]);
        }
        self.ensure_tolerated(&spots)?;
        let mut units = self.units.clone();
        units.extend(unlisted.iter().map(|unlisted| (unlisted.product, unlisted.unit)));
        let mut received = Vec::new();
        for place in places {
            let mut order = self.orders[place].clone();
            let mut items: Vec<Item> = Vec::new();
            for spot in spots.iter().filter(|spot| spot.order == place) {
                items.extend(spot.item.clone());
                if spot.is_new {
                    order.lines.insert(spot.number, spot.line.clone());
                }
            }
            items.sort_by_key(|item| item.line);
            let (delivery_note, booked) = (delivery.delivery_note, (by, self.now));
            order.receipts.push(Receipt {
                items,
                time,
                delivery_note,
                booked,
                voided: None,
                delivery: number,
                corrects: None,
            });
            if order.received_cost() > MOST_WORTH {
                let number = number_of(&self.orders, place);
                return refused("RECEIVED_VALUE_OUT_OF_RANGE", [format!("number={number}")]);
            }
            received.push((place, order));
        }
        Ok(Judged { orders: received, units })
    }

    /// Which receipt bears the delivery note, if the caller would not rather be refused.
    pub fn same_note(
        &self,
        supplier: Name,
        delivery: &Delivery,
        lorry: Option<usize>,
    ) -> Result<Option<(usize, usize)>, Refused> {
        let same_note = self.bearing(supplier, delivery.delivery_note, lorry);
        if let Some((place, receipt)) = same_note.filter(|_| delivery.refuse_known) {
            let number = number_of(&self.orders, place);
            return refused(
                "DELIVERY_NOTE_KNOWN",
                [format!("number={number}"), format!("receipt_number={}", receipt + 1)],
            );
        }
        Ok(same_note)
    }

    /// The receipt that counts and bears a supplier's delivery note: of several the one that arrived last,
    /// of these that of the youngest order. Those of the same lorry do not count.
    fn bearing(&self, supplier: Name, delivery_note: Name, lorry: Option<usize>) -> Option<(usize, usize)> {
        let mut last: Option<(Time, usize, usize)> = None;
        for (place, order) in self.orders.iter().enumerate().filter(|(_, order)| order.supplier == supplier) {
            for (number, receipt) in order.receipts.iter().enumerate() {
                let bears = receipt.delivery_note == delivery_note && receipt.voided.is_none();
                let is_of_lorry = lorry.is_some() && receipt.delivery == lorry;
                if bears && !is_of_lorry && !delivery_note.is_empty() {
                    last = last.max(Some((receipt.time, place, number)));
                }
            }
        }
        last.map(|(_, place, number)| (place, number))
    }

    /// Line by line what was accepted in all must be within the line's tolerance, or else the store's. Lines
    /// with too much are named as they were given.
    fn ensure_tolerated(&self, spots: &[Spot]) -> Result<(), Refused> {
        let mut over = Vec::new();
        for spot in spots.iter().filter(|spot| spot.item.as_ref().is_some_and(|item| item.accepted > 0)) {
            if let (total, Some(most)) = spot.total_and_most(self)
                && !spot.is_tolerated(self)
            {
                over.push((spot.number, total, most));
            }
        }
        let lines: Vec<i32> = over.iter().map(|(line, ..)| *line).collect();
        match over.first() {
            None => Ok(()),
            Some((line, total, most)) => {
                let (total, most, much) = (decimal(*total), decimal(*most), decimal(*total - *most));
                let by_how_much = format!("line {line} would have {total}, {much} more than the {most}");
                refused("OVER_RECEIPT", [line_numbers(&lines), by_how_much])
            }
        }
    }
}

/// Whether no lot of an item was past its date when it arrived.
fn had_not_expired(item: &NewItem, arrived: Day) -> bool {
    let came = item.lots.iter().filter(|new| new.quantity.unwrap_or(0) > 0);
    came.filter_map(|new| new.lot.expires).all(|expires| expires >= arrived)
}

impl Order {
    pub fn void(&mut self, receipt: usize, by_whom_and_when: (Name, Time)) -> Result<(), Refused> {
        ensure(self.receipts[receipt].voided.is_none(), "RECEIPT_VOIDED")?;
        // Its line may cost something else from now on.
        let mut voided = self.receipts[receipt].clone();
        for item in &mut voided.items {
            item.worth_when_voided = Some(self.worth_of(item));
        }
        voided.voided = Some(by_whom_and_when);
        self.receipts[receipt] = voided;
        Ok(())
    }
}
