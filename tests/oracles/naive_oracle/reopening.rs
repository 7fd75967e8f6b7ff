//! The naive model of reopening: a completion is undone, with its back order and what it put on hand.

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::StockMovementKind;

use crate::naive_oracle::books::{child_is_untouched, child_of};
use crate::naive_oracle::command::{Lot, Name};
use crate::naive_oracle::lots::lots;
use crate::naive_oracle::model::Model;
use crate::naive_oracle::numbers::Quantity;
use crate::naive_oracle::refused::{Refused, ensure, ensure_no_line, refused};
use crate::naive_oracle::stock::Posted;

impl Model {
    /// Takes what an order's completion put on hand out again, the last first, and gives its back order up. The place of
    /// that, if it has one.
    pub fn reopen(&mut self, place: usize, by: Name, reason: Name) -> Result<Option<usize>, Refused> {
        ensure(child_is_untouched(&self.orders, place), "BACK_ORDER_TOUCHED")?;
        let order = &self.orders[place];
        let returned = order.lines.iter().filter(|(_, line)| line.returned > 0);
        ensure_no_line(returned.map(|(number, _)| *number).collect(), "GOODS_RETURNED")?;
        // Receipts and costs of a completed order do not change.
        let posted = order.postings(place, self.now);
        let gone: BTreeSet<Name> =
            posted.iter().map(|row| row.product).filter(|product| self.is_gone(product, &posted)).collect();
        if !gone.is_empty() {
            let gone: Vec<Name> = gone.into_iter().collect();
            return refused("STOCK_GONE", [format!("product_ids={}", gone.join(","))]);
        }
        let child = child_of(&self.orders, place);
        ensure(child.is_none() || self.back_orders_enabled, "BACK_ORDERS_DISABLED")?;
        let reversals = posted.into_iter().rev().map(|row| Posted {
            kind: StockMovementKind::ReceiptReversal,
            quantity: -row.quantity,
            ..row
        });
        self.ledger.extend(reversals);
        if let Some(child) = child {
            let now = self.now;
            let child = &mut self.orders[child];
            child.cancel(reason, now)?;
            (child.closed_by, child.folded_back) = (by, true);
            child.revision += 1;
            self.events += 1;
        }
        Ok(child)
    }

    /// Whether less is left of a product than was posted: of all of it, of one of its lots, or of what is in none.
    fn is_gone(&self, product: &str, posted: &[Posted]) -> bool {
        let of = |fits: &dyn Fn(Option<Lot>) -> bool| -> Quantity {
            posted.iter().filter(|row| row.product == product && fits(row.lot)).map(|row| row.quantity).sum()
        };
        let on_hand: Quantity = self.ledger.iter().filter(|row| row.product == product).map(|row| row.quantity).sum();
        let lots = lots(&self.ledger, product);
        let in_lots: Quantity = lots.iter().map(|(_, on_hand)| on_hand).sum();
        let in_none = of(&|lot| lot.is_none());
        of(&|_| true) > on_hand
            || in_none > 0 && in_none > on_hand - in_lots
            || lots.iter().any(|(lot, on_hand)| of(&|other| other == Some(*lot)) > *on_hand)
    }
}
