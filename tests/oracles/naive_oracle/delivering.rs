//! The naive model of ReceiveDelivery: one supplier's delivery for several orders, all of it or nothing.

use std::collections::BTreeSet;

use crate::naive_oracle::books::number_of;
use crate::naive_oracle::command::{Lorry, Name, NewItem};
use crate::naive_oracle::model::{Made, Model};
use crate::naive_oracle::refused::{Reason, Refused, refused};

impl Model {
    pub fn deliver(&mut self, by: Name, lorry: &Lorry) -> Result<Made, Refused> {
        let items = lorry.delivery.items.as_deref().unwrap_or_default();
        let said: Vec<&NewItem> = items.iter().filter(|item| item.says_something()).collect();
        let of_items: BTreeSet<usize> = said.iter().filter_map(|item| item.order).collect();
        self.ensure_receivable(&of_items, &lorry.etags)?;
        let is_known = |item: &&&NewItem| match (item.order, item.line()) {
            (Some(order), Some(line)) => self.orders[order].lines.contains_key(&line),
            _ => true,
        };
        if !said.iter().all(|item| is_known(&item)) {
            return Err("LINE_NOT_FOUND".into());
        }
        let fits = of_items.iter().all(|place| self.orders[*place].supplier == lorry.supplier);
        let live = (0..self.orders.len()).filter(|place| self.orders[*place].is_live());
        let of_supplier = live.filter(|place| self.orders[*place].supplier == lorry.supplier);
        let orders: BTreeSet<usize> = of_supplier.chain(of_items).collect();
        let orders: Vec<usize> = orders.into_iter().collect();
        let judged = self.booked(&orders, items, &lorry.delivery, (by, Some(self.deliveries)), fits)?;
        let same_note = self.same_note(lorry.supplier, &lorry.delivery, None)?;
        for (place, mut order) in judged.orders {
            order.revision += 1;
            self.events += 1;
            self.orders[place] = order;
        }
        self.units = judged.units;
        self.deliveries += 1;
        Ok(Made { same_note, ..Made::at(Some(self.deliveries - 1)) })
    }

    /// All orders are there, then all as they were seen, then all to be received; those that are not are named.
    fn ensure_receivable(&self, of_items: &BTreeSet<usize>, etags: &[(usize, i64)]) -> Result<(), Refused> {
        let named: BTreeSet<usize> = etags.iter().map(|(place, _)| *place).chain(of_items.iter().copied()).collect();
        let unknown: Vec<usize> = named.iter().copied().filter(|place| *place >= self.orders.len()).collect();
        if !unknown.is_empty() {
            return refused("PURCHASE_ORDER_NOT_FOUND", [format!("total={}", unknown.len())]);
        }
        let changed = etags.iter().filter(|(place, etag)| self.orders[*place].revision != *etag);
        self.ensure_none(changed.map(|(place, _)| *place).collect(), "ETAG_MISMATCH")?;
        self.ensure_none(named.into_iter().filter(|place| !self.orders[*place].is_live()).collect(), "WRONG_STATE")
    }

    /// The service names them in the order of their ids, which tells nothing.
    fn ensure_none(&self, places: Vec<usize>, otherwise: Reason) -> Result<(), Refused> {
        match places.as_slice() {
            [] => Ok(()),
            [only] => refused(otherwise, [format!("purchase_orders={}", number_of(&self.orders, *only))]),
            several => refused(otherwise, [format!("total={}", several.len())]),
        }
    }

    /// The receipts of a delivery, each with its order: that which was ordered first before the others.
    pub fn receipts_of(&self, delivery: usize) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        for (place, order) in self.orders.iter().enumerate() {
            for (number, receipt) in order.receipts.iter().enumerate() {
                // A correction is of the delivery too, and was not made by it.
                if receipt.delivery == Some(delivery) && receipt.corrects.is_none() {
                    found.push((place, number));
                }
            }
        }
        found.sort_by_key(|(place, _)| {
            (self.orders[self.orders[*place].chain].ordered, number_of(&self.orders, *place))
        });
        found
    }
}
