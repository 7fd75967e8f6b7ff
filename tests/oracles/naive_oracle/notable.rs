//! What a call brought about that a long game must not miss, besides the refusals.

use purchase_order_service::proto::v1::Permission;

use crate::naive_oracle::books::Item;
use crate::naive_oracle::command::{Call, Command, Verb};
use crate::naive_oracle::model::{Made, Model};
use crate::naive_oracle::refused::Reason;

/// All of it.
pub const NOTABLE: [Reason; 11] = [
    "(costs hidden)",
    "(excess)",
    "(excess at its own cost)",
    "(excess that is pending again)",
    "(invoiced cost)",
    "(items passed over)",
    "(packs)",
    "(same delivery note)",
    "(stock below zero)",
    "(stock that comes to less than nothing)",
    "(valued by the pack)",
];

impl Model {
    /// What a call that was carried out just now brought about.
    pub fn notable(&self, call: &Call, made: Made) -> Vec<Reason> {
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
        }
        let Command::Change { order, verb, .. } = &call.command else { return notable };
        let order = &self.orders[*order];
        if matches!(verb, Verb::Void { .. }) {
            let is_pending = |item: &Item| item.excess > 0 && order.pending(item.line) > 0;
            if order.active().flat_map(|receipt| &receipt.items).any(is_pending) {
                notable.push("(excess that is pending again)");
            }
        }
        let (Verb::Receive(delivery), Some(receipt)) = (verb, made.place) else { return notable };
        let items = &order.receipts[receipt].items;
        let said = delivery.items.iter().flatten();
        for (occurs, what) in [
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
}
