//! Receipts as the contract shows them.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::answer::Answer;
use crate::naive_oracle::books::{Item, Order, number_of};
use crate::naive_oracle::command::Name;
use crate::naive_oracle::model::Made;
use crate::naive_oracle::numbers::{cost, decimal};
use crate::naive_oracle::shown::{Shown, lot_of};
use crate::naive_oracle::wire::instant;

impl Shown<'_> {
    pub fn receipt(&self, place: usize, receipt: usize, caller: Name) -> Receipt {
        let order = self.order(place);
        let items: Vec<ReceiptItem> =
            order.receipts[receipt].items.iter().map(|item| self.item(order, item, caller)).collect();
        let value = order.receipts[receipt].items.iter().map(|item| order.worth_of(item)).sum();
        Receipt { items, value: self.amount(caller, value), ..self.listed_receipt(place, receipt) }
    }

    /// A receipt as it was booked, even if it was voided since.
    pub fn booked(&self, place: usize, receipt: usize, caller: Name) -> Receipt {
        let (void_reason, voided_by) = (String::new(), String::new());
        Receipt { void_time: None, void_reason, voided_by, ..self.receipt(place, receipt, caller) }
    }

    /// The lines of a receipt as they are now.
    pub fn touched(&self, place: usize, receipt: usize, caller: Name) -> Vec<PurchaseOrderLine> {
        let items = &self.order(place).receipts[receipt].items;
        items.iter().map(|item| self.line(place, item.line, caller)).collect()
    }

    /// The lines of two receipts as they are now.
    pub fn touched_by_both(&self, place: usize, receipts: [usize; 2], caller: Name) -> Vec<PurchaseOrderLine> {
        let items = receipts.iter().flat_map(|receipt| &self.order(place).receipts[*receipt].items);
        let lines: BTreeSet<i32> = items.map(|item| item.line).collect();
        lines.into_iter().map(|line| self.line(place, line, caller)).collect()
    }

    pub fn same_note(&self, made: Made) -> Option<KnownReceipt> {
        made.same_note.map(|(order, receipt)| KnownReceipt {
            purchase_order_id: self.wire.id(order),
            number: number_of(&self.model.orders, order),
            receipt_number: receipt as i32 + 1,
        })
    }

    /// What a delivery for several orders made: a receipt and an event for each.
    pub fn delivered(&self, made: Made, caller: Name) -> Answer {
        let delivery = made.place.expect("it made a delivery");
        let receipts = self.model.receipts_of(delivery);
        let delivered = (made.event..).zip(receipts).map(|(event_number, (place, receipt))| DeliveredOrder {
            purchase_order: Some(self.header(place, caller)),
            receipt: Some(self.booked(place, receipt, caller)),
            lines: self.touched(place, receipt, caller),
            event_number,
        });
        Answer {
            delivery_id: self.wire.deliveries[delivery].clone(),
            delivered: delivered.collect(),
            same_delivery_note: self.same_note(made),
            ..Answer::default()
        }
    }

    /// Every receipt of an order, without its items.
    pub fn listed_receipts(&self, place: usize) -> Vec<Receipt> {
        (0..self.order(place).receipts.len()).map(|receipt| self.listed_receipt(place, receipt)).collect()
    }

    fn listed_receipt(&self, place: usize, number: usize) -> Receipt {
        let order = self.order(place);
        let receipt = &order.receipts[number];
        Receipt {
            receipt_number: number as i32 + 1,
            receive_time: Some(instant(receipt.time)),
            book_time: Some(instant(receipt.booked.1)),
            booked_by: receipt.booked.0.to_owned(),
            delivery_note: receipt.delivery_note.to_owned(),
            note: String::new(),
            void_time: receipt.voided.map(|(_, time)| instant(time)),
            voided_by: receipt.voided.map(|(by, _)| by.to_owned()).unwrap_or_default(),
            void_reason: receipt.voided.map(|_| "counted again".to_owned()).unwrap_or_default(),
            items: Vec::new(),
            item_count: receipt.items.len() as i32,
            store_id: self.wire.store.clone(),
            purchase_order_id: self.wire.id(place),
            purchase_order_number: number_of(&self.model.orders, place),
            supplier_id: order.supplier.to_owned(),
            value: None,
            delivery_id: receipt.delivery.map(|delivery| self.wire.deliveries[delivery].clone()).unwrap_or_default(),
            corrects_receipt_number: receipt.corrects.map_or(0, |corrected| corrected as i32 + 1),
        }
    }

    fn item(&self, order: &Order, item: &Item, caller: Name) -> ReceiptItem {
        let shows_costs = self.model.access.holds(caller, Permission::ViewCosts);
        ReceiptItem {
            line_number: item.line,
            accepted: decimal(item.accepted),
            rejected: decimal(item.rejected),
            reject_reason: item.reject_reason.into(),
            reject_note: item.reject_note.to_owned(),
            excess: decimal(item.excess),
            unit_cost: item.unit_cost.filter(|_| shows_costs).map(cost),
            excess_unit_cost: item.excess_cost.filter(|_| shows_costs).map(cost),
            value: self.amount(caller, order.worth_of(item)),
            lots: item.lots.iter().copied().map(lot_of).collect(),
        }
    }
}
