//! What the model shows: its state as the messages that the service is held to. A caller who may not see
//! costs is shown none.

mod orders;
mod preview;
mod receipts;
mod stock;

use std::collections::BTreeSet;

use purchase_order_service::proto::v1::*;

use crate::naive_oracle::answer::{Adjusted, Answer};
use crate::naive_oracle::books::{Order, number_of};
use crate::naive_oracle::command::{self, Adjustment, Call, Command, Name, Verb};
use crate::naive_oracle::model::{Made, Model};
use crate::naive_oracle::numbers::{Amount, Cost, Quantity, cost, decimal};
use crate::naive_oracle::stock::{Row, ledger};
use crate::naive_oracle::wire::{Wire, date, instant};

pub use self::preview::Before;

/// A model and the wire that knows its ids.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub model: &'a Model,
    pub wire: &'a Wire,
}

impl Shown<'_> {
    fn order(&self, place: usize) -> &Order {
        &self.model.orders[place]
    }

    fn amount(&self, caller: Name, amount: Amount) -> Option<String> {
        self.model.access.holds(caller, Permission::ViewCosts).then(|| decimal(amount))
    }

    fn cost(&self, caller: Name, unit_cost: Cost) -> Option<String> {
        self.model.access.holds(caller, Permission::ViewCosts).then(|| cost(unit_cost))
    }

    /// What a mutation answers, on its first call and on a replay.
    pub fn answer(&self, call: &Call, made: Made) -> Answer {
        let answer = Answer { event_number: made.event, ..Answer::default() };
        match &call.command {
            Command::Create(_) | Command::Copy { .. } => {
                Answer { order: made.place.map(|place| self.header(place, call.caller)), ..answer }
            }
            Command::Change { order, verb, .. } => {
                let answer = Answer { order: Some(self.header(*order, call.caller)), ..answer };
                self.what_it_made((*order, call.caller), verb, made, answer)
            }
            Command::Adjust(adjustment) => self.adjusted(adjustment, call.caller, made, answer),
            Command::Deliver(_) => self.delivered(made, call.caller),
            Command::SetBackOrders(_) | Command::UpdateStore(_) => Answer { store: Some(self.store()), ..answer },
            Command::CreateRole { role, permissions } => {
                let permissions = permissions.iter().map(|permission| (*permission).into()).collect();
                Answer { role: Some(Role { role_id: role.to_string(), permissions }), ..answer }
            }
            Command::GrantRole { principal, role } => {
                let grant = Grant { principal: principal.to_string(), role_id: role.to_string() };
                Answer { grant: Some(grant), ..answer }
            }
            Command::RevokeRole { .. } => answer,
        }
    }

    fn what_it_made(&self, (order, caller): (usize, Name), verb: &Verb, made: Made, answer: Answer) -> Answer {
        let touched = |receipt: usize| self.touched(order, receipt, caller);
        match (verb, made.place) {
            (Verb::Receive(_), Some(place)) => {
                let (receipt, same_delivery_note) = (Some(self.booked(order, place, caller)), self.same_note(made));
                Answer { receipt, lines: touched(place), same_delivery_note, ..answer }
            }
            (Verb::Correct { receipt, .. }, Some(place)) => Answer {
                receipt: Some(self.booked(order, place, caller)),
                lines: self.touched_by_both(order, [*receipt, place], caller),
                same_delivery_note: self.same_note(made),
                ..answer
            },
            (Verb::Void { receipt }, _) => {
                Answer { receipt: Some(self.receipt(order, *receipt, caller)), lines: touched(*receipt), ..answer }
            }
            (Verb::Amend(_) | Verb::Confirm(_), _) => {
                let there = made.lines.iter().filter(|line| self.order(order).lines.contains_key(line));
                Answer { lines: there.map(|line| self.line(order, *line, caller)).collect(), ..answer }
            }
            (Verb::CancelLines { .. }, _) => {
                let named: BTreeSet<i32> = verb.lines().into_iter().collect();
                Answer { lines: named.into_iter().map(|line| self.line(order, line, caller)).collect(), ..answer }
            }
            (Verb::Reopen { .. }, Some(place)) => {
                let folded_back = FoldedBackOrder {
                    purchase_order_id: self.wire.id(place),
                    number: number_of(&self.model.orders, place),
                };
                Answer { folded_back: Some(folded_back), ..answer }
            }
            (Verb::Complete { .. }, Some(place)) => Answer { back_order: Some(self.back_order(place)), ..answer },
            _ => answer,
        }
    }

    /// The level is unset of a product that the store has never heard of.
    fn adjusted(&self, asked: &Adjustment, caller: Name, made: Made, answer: Answer) -> Answer {
        let is_known = self.model.units.contains_key(asked.product);
        let level = is_known.then(|| self.level(asked.product, caller));
        Answer {
            order: asked.source.map(|source| self.header(source.order, caller)),
            lines: asked.source.iter().map(|source| self.line(source.order, source.line, caller)).collect(),
            adjusted: Some(self.moved(asked, made, level)),
            ..answer
        }
    }

    /// Its ledger rows never change, so that a replay tells the same lots.
    fn moved(&self, asked: &Adjustment, made: Made, level: Option<InventoryLevel>) -> Adjusted {
        let rows = ledger(&self.model.ledger, asked.product);
        let rows = rows.into_iter().skip(made.movement.saturating_sub(1)).take(made.movements);
        let lot = |row: Row| row.posted.lot.map(|lot| lot_of((lot, row.posted.quantity)));
        Adjusted {
            level,
            movement_number: made.movement as i64,
            movement_count: made.movements as i32,
            quantity: decimal(made.moved),
            lots: rows.filter_map(lot).collect(),
        }
    }

    /// As it was made: lines that a receipt has added since are not counted.
    pub fn back_order(&self, place: usize) -> BackOrder {
        let carried = self.order(place).lines.values().filter(|line| line.is_carried);
        BackOrder {
            purchase_order_id: self.wire.id(place),
            number: number_of(&self.model.orders, place),
            line_count: carried.count() as i32,
        }
    }

    pub fn store(&self) -> Store {
        Store {
            store_id: self.wire.store.clone(),
            display_name: format!("Store {}", self.wire.store),
            currency: "EUR".to_owned(),
            time_zone: "Europe/Amsterdam".to_owned(),
            back_orders_enabled: self.model.back_orders_enabled,
            open_purchase_order_count: self.model.orders.iter().filter(|order| order.is_open()).count() as i64,
            create_time: Some(instant(self.model.created)),
            over_receipt_tolerance: decimal(self.model.tolerance),
            allow_negative_stock: self.model.negative_stock,
            allow_unlisted_items: self.model.unlisted_items,
        }
    }
}

fn lot_of((lot, quantity): (command::Lot, Quantity)) -> Lot {
    Lot { lot_code: lot.code.to_owned(), expiry_date: date(lot.expires), quantity: decimal(quantity) }
}
