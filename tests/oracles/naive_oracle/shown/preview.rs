//! What a preview must show: the order and its stock as they were, and what became of them.

use std::collections::BTreeMap;

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::books::number_of;
use crate::naive_oracle::command::Name;
use crate::naive_oracle::numbers::{Quantity, decimal};
use crate::naive_oracle::shown::Shown;
use crate::naive_oracle::wire::date;

/// How things are before an order is completed.
pub struct Before {
    place: usize,
    header: PurchaseOrder,
    pending: BTreeMap<i32, Quantity>,
    on_hand: BTreeMap<Name, Quantity>,
}

impl Shown<'_> {
    pub fn before(&self, place: usize, caller: Name) -> Option<Before> {
        let order = self.model.orders.get(place)?;
        Some(Before {
            place,
            header: self.header(place, caller),
            pending: order.lines.keys().map(|number| (*number, order.pending(*number))).collect(),
            on_hand: order.lines.values().map(|line| (line.product, self.model.level(line.product).on_hand)).collect(),
        })
    }

    /// What a preview showed of a completion that succeeded then.
    pub fn preview(&self, before: &Before, back_order: Option<usize>, caller: Name) -> PreviewCompletionResponse {
        let order = self.order(before.place);
        let pending = before.pending.iter().filter(|(_, pending)| **pending > 0);
        let pending_lines = pending.map(|(number, pending)| {
            let line = &order.lines[number];
            PendingLine {
                line_number: *number,
                product_id: line.product.to_owned(),
                description: format!("fresh {}", line.product),
                unit: line.unit.into(),
                pending: decimal(*pending),
                unit_cost: self.cost(caller, line.unit_cost),
                pending_cost: self.amount(caller, line.worth(*pending)),
                expected_date: date(line.expected.or(order.expected)),
                back_order: decimal(line.back_ordered),
                // A part may have been cancelled before.
                cancel: decimal(*pending - line.back_ordered),
                unsettled: decimal(0),
            }
        });
        let stock = before.on_hand.iter().map(|(product, on_hand)| {
            let after = self.model.level(product);
            let of_product = order.lines.iter().filter(|(_, line)| line.product == *product);
            ResultingStock {
                product_id: (*product).to_owned(),
                unit: self.model.units[product].into(),
                received: decimal(of_product.map(|(number, _)| order.accepted(*number)).sum::<Quantity>()),
                on_hand_before: decimal(*on_hand),
                on_hand_after: decimal(after.on_hand),
                back_ordered_after: decimal(after.back_ordered),
            }
        });
        PreviewCompletionResponse {
            purchase_order: Some(before.header.clone()),
            pending_lines: pending_lines.collect(),
            stock: stock.collect(),
            back_order_number: back_order.map(|child| number_of(&self.model.orders, child)).unwrap_or_default(),
            back_order_line_count: back_order.map(|child| self.order(child).lines.len() as i32).unwrap_or_default(),
            blockers: Vec::new(),
            next_page_token: String::new(),
        }
    }
}
