//! What a call brought about that a long game must not miss, besides the refusals.

use purchase_order_service::proto::v1::{AdjustmentKind, Permission};

use crate::naive_oracle::books::{Item, Order, Receipt};
use crate::naive_oracle::command::{Adjustment, Call, Command, Delivery, Goods, Name, Verb};
use crate::naive_oracle::lots::lots;
use crate::naive_oracle::model::{Made, Model};
use crate::naive_oracle::refused::Reason;
use crate::naive_oracle::stock::{Posted, ledger};

/// All of it.
pub const NOTABLE: [Reason; 24] = [
    "(a line added)",
    "(a lot divided by its costs)",
    "(lots taken, and what is in none)",
    "(an exhausted lot filled again)",
    "(counted a lot)",
    "(costs hidden)",
    "(excess)",
    "(excess at its own cost)",
    "(excess that is pending again)",
    "(invoiced cost)",
    "(excess in lots)",
    "(items by bar code)",
    "(items by product)",
    "(items passed over)",
    "(several orders)",
    "(spread over lines)",
    "(lots)",
    "(one code, two lots)",
    "(packs)",
    "(same delivery note)",
    "(several lots taken)",
    "(stock below zero)",
    "(stock that comes to less than nothing)",
    "(valued by the pack)",
];

impl Model {
    /// What a call that was carried out just now brought about.
    pub fn notable(&self, call: &Call, made: &Made) -> Vec<Reason> {
        let mut notable = Vec::new();
        if !self.access.holds(call.caller, Permission::ViewCosts) {
            notable.push("(costs hidden)");
        }
        if let Command::Adjust(adjustment) = &call.command {
            let on_hand = self.level(adjustment.product).on_hand;
            if on_hand < 0 {
                notable.push("(stock below zero)");
            }
            if made.moved > 0 && on_hand - made.moved < 0 {
                notable.push("(stock that comes to less than nothing)");
            }
            notable.extend(self.notable_of_lots(adjustment, made));
        }
        if let (Command::Deliver(lorry), Some(delivery)) = (&call.command, made.place) {
            notable.extend(self.notable_of_goods(&lorry.delivery, &self.receipts_of(delivery)));
        }
        let Command::Change { order, verb, .. } = &call.command else { return notable };
        let place = *order;
        let order = &self.orders[place];
        if matches!(verb, Verb::Void { .. }) {
            let is_pending = |item: &Item| item.excess > 0 && order.pending(item.line) > 0;
            if order.active().flat_map(|receipt| &receipt.items).any(is_pending) {
                notable.push("(excess that is pending again)");
            }
        }
        let (Verb::Receive(delivery), Some(receipt)) = (verb, made.place) else { return notable };
        notable.extend(self.notable_of_goods(delivery, &[(place, receipt)]));
        let items = &order.receipts[receipt].items;
        let said = delivery.items.iter().flatten();
        for (occurs, what) in [
            (items.iter().any(|item| !item.lots.is_empty()), "(lots)"),
            (items.iter().any(|item| !item.lots.is_empty() && item.excess > 0), "(excess in lots)"),
            (items.iter().any(is_divided), "(a lot divided by its costs)"),
            (items.iter().any(|item| item.excess > 0), "(excess)"),
            (items.iter().any(|item| item.excess_cost.is_some()), "(excess at its own cost)"),
            (items.iter().any(|item| item.unit_cost.is_some()), "(invoiced cost)"),
            (said.clone().any(|item| !item.says_something()), "(items passed over)"),
            (said.clone().any(|item| item.accepted_packs.is_some()), "(packs)"),
            (made.same_note.is_some(), "(same delivery note)"),
            (items.iter().any(|item| order.lines[&item.line].pack_cost.is_some()), "(valued by the pack)"),
        ] {
            notable.extend(occurs.then_some(what));
        }
        notable
    }

    /// Where goods went that were named in one way or another.
    fn notable_of_goods(&self, delivery: &Delivery, receipts: &[(usize, usize)]) -> Vec<Reason> {
        let said = || delivery.items.iter().flatten().filter(|item| item.says_something());
        let booked =
            || receipts.iter().map(|(place, number)| (&self.orders[*place], &self.orders[*place].receipts[*number]));
        let lines: usize = booked().map(|(_, receipt)| receipt.items.len()).sum();
        let is_new = |(order, receipt): (&Order, &Receipt)| {
            let of_receipt = receipt.items.iter().filter(|item| order.lines[&item.line].is_unlisted);
            of_receipt.clone().any(|item| order.arrivals(item.line).count() == 1)
        };
        let mut notable = Vec::new();
        for (occurs, what) in [
            (said().any(|item| matches!(item.goods, Goods::Product(_))), "(items by product)"),
            (said().any(|item| matches!(item.goods, Goods::Gtin(_))), "(items by bar code)"),
            (lines > said().count() && delivery.items.is_some(), "(spread over lines)"),
            (booked().any(is_new), "(a line added)"),
            (receipts.len() > 1, "(several orders)"),
        ] {
            notable.extend(occurs.then_some(what));
        }
        notable
    }

    /// What an adjustment moved of which lots.
    fn notable_of_lots(&self, asked: &Adjustment, made: &Made) -> Vec<Reason> {
        let rows = ledger(&self.ledger, asked.product).split_off(made.movement.saturating_sub(1));
        let moved: Vec<Posted> = rows.into_iter().take(made.movements).map(|row| row.posted).collect();
        let of_lots = moved.iter().filter(|posted| posted.lot.is_some()).count();
        let known = lots(&self.ledger, asked.product);
        let with_code = |code: Name| known.iter().filter(|(lot, _)| lot.code == code).count();
        let is_refilled = |posted: &Posted| {
            let rows = self.ledger.iter().filter(|row| row.product == asked.product && row.lot == posted.lot);
            posted.lot.is_some()
                && posted.quantity > 0
                && rows.clone().count() > 1
                && rows.map(|row| row.quantity).sum::<i64>() == posted.quantity
        };
        let mut notable = Vec::new();
        for (occurs, what) in [
            (asked.lot.is_some() && asked.kind == AdjustmentKind::Count && of_lots > 0, "(counted a lot)"),
            (of_lots > 1, "(several lots taken)"),
            (of_lots > 0 && moved.len() > of_lots, "(lots taken, and what is in none)"),
            (asked.lot.is_some_and(|lot| of_lots > 0 && with_code(lot.code) > 1), "(one code, two lots)"),
            (moved.iter().any(is_refilled), "(an exhausted lot filled again)"),
        ] {
            notable.extend(occurs.then_some(what));
        }
        notable
    }
}

/// Whether a lot has something at the ordinary cost and something at that of the excess.
fn is_divided(item: &Item) -> bool {
    item.excess_cost.is_some()
        && item.by_lot(item.excess).iter().any(|(lot, ordinary, excess)| lot.is_some() && *ordinary > 0 && *excess > 0)
}
