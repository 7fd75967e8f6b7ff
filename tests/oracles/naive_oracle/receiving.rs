//! The naive model of deliveries: what is booked, what is refused, what is voided.

use crate::naive_oracle::books::{Item, Order, Receipt, number_of};
use crate::naive_oracle::command::{Day, Delivery, MINUTE, Name, NewItem, Time, day};
use crate::naive_oracle::model::{Model, ensure_fit};
use crate::naive_oracle::numbers::{MOST_WORTH, Quantity, decimal, most_within, stated, within};
use crate::naive_oracle::refused::{Refused, ensure, line_numbers, refused};

impl Model {
    /// Books a delivery of an order; which receipt bore the same delivery note.
    pub fn receive(&self, order: &mut Order, by: Name, delivery: &Delivery) -> Result<Option<(usize, usize)>, Refused> {
        let (now, time) = (self.now, delivery.time.unwrap_or(self.now));
        let mut items = match &delivery.items {
            None => {
                order.ensure_no_lots_pending()?;
                order.all_pending()
            }
            Some(items) => order.items(items, day(time.min(now)))?,
        };
        let first_ordered = self.orders[order.chain].ordered;
        ensure_fit(first_ordered.is_some_and(|ordered| day(time) >= day(ordered)))?;
        ensure_fit(time <= now + 5 * MINUTE)?;
        ensure(!items.is_empty(), "NOTHING_PENDING")?;
        self.ensure_tolerated(order, &items)?;
        items.sort_by_key(|item| item.line);
        order.receipts.push(Receipt {
            items,
            time: time.min(now),
            delivery_note: delivery.delivery_note,
            booked: (by, now),
            voided: None,
        });
        ensure(order.received_cost() <= MOST_WORTH, "RECEIVED_VALUE_OUT_OF_RANGE")?;
        let same_note = self.bearing(order.supplier, delivery.delivery_note);
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
    /// of these that of the youngest order.
    fn bearing(&self, supplier: Name, delivery_note: Name) -> Option<(usize, usize)> {
        let mut last: Option<(Time, usize, usize)> = None;
        for (place, order) in self.orders.iter().enumerate().filter(|(_, order)| order.supplier == supplier) {
            for (number, receipt) in order.receipts.iter().enumerate() {
                let bears = receipt.delivery_note == delivery_note && receipt.voided.is_none();
                if bears && !delivery_note.is_empty() {
                    last = last.max(Some((receipt.time, place, number)));
                }
            }
        }
        last.map(|(_, place, number)| (place, number))
    }

    /// Line by line what was accepted in all must be within the line's tolerance, or else the store's. Lines
    /// with too much are named as they were given.
    fn ensure_tolerated(&self, order: &Order, items: &[Item]) -> Result<(), Refused> {
        let mut over = Vec::new();
        for item in items.iter().filter(|item| item.accepted > 0) {
            let line = &order.lines[&item.line];
            let tolerance = line.tolerance.unwrap_or(self.tolerance);
            let (total, wanted) = (order.accepted(item.line) + item.accepted, line.ordered - line.cancelled);
            if !within(total, wanted, tolerance) {
                over.push((item.line, total, most_within(wanted, tolerance)));
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

impl Order {
    /// What of a delivery is booked: items of which something came, in units, and how much of each goes
    /// beyond what is pending.
    fn items(&self, delivered: &[NewItem], arrived: Day) -> Result<Vec<Item>, Refused> {
        let mut items = Vec::new();
        for new in delivered.iter().filter(|item| item.says_something()) {
            let accepted = self.units_of(new.line, new.accepted, new.accepted_packs)?;
            let rejected = self.units_of(new.line, new.rejected, new.rejected_packs)?;
            let excess = (accepted - self.pending(new.line)).max(0);
            ensure_fit(new.excess_cost.is_none() || excess > 0)?;
            items.push(Item {
                line: new.line,
                accepted,
                rejected,
                excess,
                reject_reason: if rejected > 0 { new.reject_reason } else { Default::default() },
                reject_note: if rejected > 0 { new.reject_note } else { "" },
                unit_cost: new.unit_cost,
                excess_cost: new.excess_cost,
                lots: self.lots(new, accepted, arrived)?,
            });
        }
        Ok(items)
    }

    fn units_of(&self, line: i32, said: Option<Quantity>, packs: Option<Quantity>) -> Result<Quantity, Refused> {
        let quantity = stated(said, packs, self.lines[&line].pack_size).ok_or("INVALID_FOR_STORED_DATA")?;
        ensure_fit(self.admits(line, quantity))?;
        Ok(quantity)
    }

    pub fn void(&mut self, receipt: usize, by_whom_and_when: (Name, Time)) -> Result<(), Refused> {
        ensure(self.receipts[receipt].voided.is_none(), "RECEIPT_VOIDED")?;
        self.receipts[receipt].voided = Some(by_whom_and_when);
        Ok(())
    }
}
