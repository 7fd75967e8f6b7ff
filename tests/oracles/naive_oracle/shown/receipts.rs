//! Receipts as the contract shows them.

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::books::{Item, Order, number_of};
use crate::naive_oracle::command::Name;
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
            delivery_id: String::new(),
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
