//! Loading what a command needs, and nothing else: a rule that reads more is refused as a bug.

use std::collections::BTreeMap;

use super::TestStore;
use crate::domain::access::RolePermissionKey;
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::gtin::Gtin;
use crate::domain::inventory::lot::{LotKey, LotQuantity, LotStock, MAX_LOTS_TAKEN};
use crate::domain::inventory::{LevelKey, MovementKind};
use crate::domain::money::UnitCost;
use crate::domain::needs::{Need, Needs};
use crate::domain::order::receipt::{Receipt, ReceiveTimes};
use crate::domain::order::receive::items::ProductSelector;
use crate::domain::order::reopen::{LastCompletion, PostedRow};
use crate::domain::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey};
use crate::domain::outcome::{KnownReceipt, Outcome};
use crate::domain::refusal::TruncatedList;
use crate::domain::working_set::{DeliveryNoteKey, OrderReference, WorkingSet};

fn is_selected(selector: &ProductSelector, line: &Line) -> bool {
    match selector {
        ProductSelector::Product(product) => line.product == *product,
        ProductSelector::Gtin(gtin) => line.gtin.as_deref().is_some_and(|of_line| Gtin::of(of_line) == *gtin),
    }
}

/// Loading.
impl TestStore {
    pub(super) fn load_for_replay(&self, set: &mut WorkingSet, outcome: &Outcome) {
        for need in Needs::of_replay(outcome).iter() {
            self.load_need(set, need);
        }
    }

    pub(super) fn load_need(&self, set: &mut WorkingSet, need: &Need) {
        let store = StoreId::new("s1");
        match need {
            Need::Order(order) => {
                let key = self.order_key(*order);
                set.orders.insert_absent(key.clone());
                if let Some(order) = self.orders.get(&key) {
                    set.orders.insert_loaded(key, order.clone());
                }
            }
            Need::Line(order, number) => {
                let key = LineKey { order: self.order_key(*order), number: *number };
                set.lines.insert_absent(key.clone());
                self.load_line(set, &key);
            }
            Need::LinesOfProduct(order, selector) => {
                set.set_complete(store, need.clone());
                for (key, line) in self.lines.range(LineKey::range_of(&self.order_key(*order))) {
                    if is_selected(selector, line) {
                        self.load_line(set, key);
                    }
                }
            }
            Need::ReceivableLines(supplier, selector) => {
                let mut keys = Vec::new();
                for (key, line) in &self.lines {
                    let order = &self.orders[&key.order];
                    if order.supplier == *supplier && order.state.is_live() && is_selected(selector, line) {
                        set.orders.insert_loaded(order.key.clone(), order.clone());
                        self.load_line(set, key);
                        keys.push(key.clone());
                    }
                }
                set.insert_receivable_lines(store, supplier.clone(), selector.clone(), keys);
            }
            Need::AllLines(order) => {
                set.set_complete(store, need.clone());
                for (key, _) in self.lines.range(LineKey::range_of(&self.order_key(*order))) {
                    self.load_line(set, key);
                }
            }
            Need::LinesOfReceipt(order, number) => {
                let key = ReceiptKey { order: self.order_key(*order), number: *number };
                for item in self.receipts.get(&key).into_iter().flat_map(|receipt| &receipt.items) {
                    self.load_line(set, &LineKey { order: key.order.clone(), number: item.line });
                }
            }
            Need::Receipt(order, number) => {
                let key = ReceiptKey { order: self.order_key(*order), number: *number };
                set.receipts.insert_absent(key.clone());
                if let Some(receipt) = self.receipts.get(&key) {
                    set.receipts.insert_loaded(key, receipt.clone());
                }
            }
            Need::StagedItems(order) => {
                set.set_complete(store, need.clone());
                let key = self.order_key(*order);
                for item in self.receipts_of(&key).flat_map(Receipt::staged_items) {
                    set.insert_staged_item(key.clone(), item);
                }
            }
            Need::OtherReceiveTimes(order, number) => {
                let key = ReceiptKey { order: self.order_key(*order), number: *number };
                set.insert_other_receive_times(key.clone(), self.other_receive_times(&key));
            }
            Need::Level(product) => {
                let key = LevelKey { store, product: product.clone() };
                set.levels.insert_absent(key.clone());
                if let Some(level) = self.levels.get(&key) {
                    set.levels.insert_loaded(key, level.clone());
                }
            }
            Need::LotsInStock(product) => {
                set.set_complete(store.clone(), need.clone());
                let level = LevelKey { store, product: product.clone() };
                let in_stock = self.lots_of(&level).filter(|found| found.quantity.is_positive());
                let in_stock: Vec<LotQuantity> = in_stock.collect();
                let mut stock = LotStock::default();
                for LotQuantity { lot, quantity } in in_stock.iter().take(MAX_LOTS_TAKEN) {
                    stock.post(lot, *quantity);
                }
                if in_stock.len() > MAX_LOTS_TAKEN {
                    stock.loaded_to = stock.on_hand.keys().next_back().cloned();
                }
                set.insert_lots(level, stock);
            }
            Need::LotsWithCode(product, code, expiry_date) => {
                set.set_complete(store.clone(), need.clone());
                let level = LevelKey { store, product: product.clone() };
                let mut stock = LotStock::default();
                let is_named = |found: &LotQuantity| {
                    found.lot.code == *code && (expiry_date.is_none() || found.lot.expiry_date == *expiry_date)
                };
                for LotQuantity { lot, quantity } in self.lots_of(&level).filter(is_named).take(MAX_LOTS_TAKEN + 1) {
                    stock.post(&lot, quantity);
                }
                set.insert_lots(level, stock);
            }
            Need::ExternalId(id) => {
                let order = self.orders.values().find(|order| order.external_id.as_ref() == Some(id));
                let reference = |order: &Order| OrderReference { order: order.key.order, number: order.number.clone() };
                set.insert_external_id(store, id.clone(), order.map(reference));
            }
            Need::DeliveryNote(order, note, corrected) => {
                if let Some(order) = self.orders.get(&self.order_key(*order)) {
                    let supplier = order.supplier.clone();
                    let key = DeliveryNoteKey { store, supplier, delivery_note: note.clone() };
                    let corrected = corrected
                        .and_then(|number| self.receipts.get(&ReceiptKey { order: order.key.clone(), number }));
                    let known = self.receipt_with(&key, corrected);
                    set.insert_delivery_note(key, known);
                }
            }
            Need::DeliveryNoteOfSupplier(supplier, note) => {
                let key = DeliveryNoteKey { store, supplier: supplier.clone(), delivery_note: note.clone() };
                let known = self.receipt_with(&key, None);
                set.insert_delivery_note(key, known);
            }
            Need::Roles => {
                set.set_complete(store.clone(), Need::Roles);
                for (role, permissions) in &self.roles {
                    for (permission, from_event) in permissions {
                        let (store, role) = (store.clone(), role.clone());
                        let key = RolePermissionKey { store, role, permission: *permission };
                        set.insert_role_permission(key, *from_event);
                    }
                }
            }
            Need::Grants => {
                set.set_complete(store, Need::Grants);
                for principal in self.grants.keys() {
                    self.load_grants(set, principal);
                }
            }
            Need::GrantsOf(principal) => {
                set.set_complete(store, need.clone());
                self.load_grants(set, principal);
            }
            Need::BackOrderOf(order) => {
                if let Some(child) = self.orders.get(&self.order_key(*order)).and_then(|order| order.child) {
                    self.load_need(set, &Need::Order(child));
                    self.load_need(set, &Need::AllLines(child));
                }
            }
            Need::LastCompletion(order) => {
                set.insert_last_completion(self.order_key(*order), self.last_completion(*order));
            }
            Need::OpenOrders => {
                let open = self.orders.values().filter(|order| order.state.is_open());
                let open = open.map(|order| order.number.clone()).collect();
                set.insert_open_orders(store, TruncatedList::of(open));
            }
        }
    }

    fn last_completion(&self, order: OrderId) -> LastCompletion {
        let receipts = self.ledger.iter().filter(|row| row.order == Some(order) && row.kind == MovementKind::Receipt);
        let event = receipts.clone().map(|row| row.event).max();
        let mut completion = LastCompletion::default();
        for row in receipts.filter(|row| Some(row.event) == event) {
            let before = self.ledger.iter().find(|other| other.level == row.level && other.number == row.number - 1);
            let lot = row.lot.clone().map(|lot| LotKey { level: row.level.clone(), lot });
            completion.rows.push(PostedRow {
                movement: row.clone(),
                average_before: before.map_or(UnitCost::default(), |before| before.average_after),
                on_hand_of_lot: lot.and_then(|lot| self.lots.get(&lot).copied()).unwrap_or_default(),
            });
            let in_lots = self.lots_of(&row.level).map(|lot| lot.quantity).sum();
            completion.on_hand_in_lots.insert(row.level.product.clone(), in_lots);
        }
        completion.rows.sort_by_key(|row| (row.movement.level.clone(), row.movement.number));
        let cancelled = self.cancellations.iter().filter(|row| row.line.order.order == order);
        completion.cancellations = cancelled.filter(|row| Some(row.event) == event).cloned().collect();
        completion
    }

    fn lots_of(&self, level: &LevelKey) -> impl Iterator<Item = LotQuantity> {
        let of_level = self.lots.iter().filter(move |(key, _)| key.level == *level);
        of_level.map(|(key, quantity)| LotQuantity { lot: key.lot.clone(), quantity: *quantity })
    }

    fn load_line(&self, set: &mut WorkingSet, key: &LineKey) {
        if let Some(line) = self.lines.get(key) {
            let level = self.levels[&line.level_key()].clone();
            set.levels.insert_loaded(level.key.clone(), level);
            set.lines.insert_loaded(key.clone(), line.clone());
        }
    }

    fn load_grants(&self, set: &mut WorkingSet, principal: &PrincipalId) {
        for (role, from_event) in self.grants.get(principal).into_iter().flatten() {
            set.insert_grant(StoreId::new("s1"), principal.clone(), role.clone(), *from_event);
        }
    }

    pub(super) fn receipts_of(&self, order: &OrderKey) -> impl Iterator<Item = &Receipt> {
        self.receipts.range(ReceiptKey::range_of(order)).map(|(_, receipt)| receipt)
    }

    fn receipt_with(&self, key: &DeliveryNoteKey, corrected: Option<&Receipt>) -> Option<KnownReceipt> {
        let is_corrected = |receipt: &Receipt| {
            corrected.is_some_and(|corrected| {
                let is_of_delivery = corrected.delivery.is_some() && corrected.delivery == receipt.delivery;
                corrected.key == receipt.key || is_of_delivery
            })
        };
        let receipts = self.receipts.values().filter(|receipt| {
            receipt.is_active()
                && receipt.supplier == key.supplier
                && receipt.delivery_note.as_ref() == Some(&key.delivery_note)
                && !is_corrected(receipt)
        });
        let latest = receipts.max_by_key(|receipt| (receipt.receive_time, receipt.key.clone()))?;
        let number = self.orders[&latest.key.order].number.clone();
        Some(KnownReceipt { order: latest.key.order.order, number, receipt: latest.key.number })
    }

    fn other_receive_times(&self, key: &ReceiptKey) -> BTreeMap<i32, ReceiveTimes> {
        let mut times: BTreeMap<i32, ReceiveTimes> = BTreeMap::new();
        let Some(receipt) = self.receipts.get(key) else { return times };
        for other in self.receipts_of(&key.order).filter(|other| other.key != *key && other.is_active()) {
            for item in &other.items {
                if receipt.items.iter().any(|own| own.line == item.line) {
                    let time = other.receive_time;
                    let times = times.entry(item.line).or_insert(ReceiveTimes { first: time, last: time });
                    times.first = times.first.min(time);
                    times.last = times.last.max(time);
                }
            }
        }
        times
    }
}
