//! The pure side: the rules over a working_set that holds everything there is. Nothing is ever loaded,
//! because nothing is ever forgotten, and nothing is saved.

use std::collections::{BTreeMap, BTreeSet};

use purchase_order_service::domain::code::StoreId;
use purchase_order_service::domain::command::{Envelope, Reply, Verdict, decide, reply};
use purchase_order_service::domain::decision::Decision;
use purchase_order_service::domain::inventory::LevelKey;
use purchase_order_service::domain::inventory::lot::LotStock;
use purchase_order_service::domain::needs::Need;
use purchase_order_service::domain::order::receipt::ReceiveTimes;
use purchase_order_service::domain::order::receive::items::ProductSelector;
use purchase_order_service::domain::order::{LineKey, OrderId, OrderKey, ReceiptKey};
use purchase_order_service::domain::outcome::KnownReceipt;
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::refusal::{MAX_NAMED, Refusal, TruncatedList};
use purchase_order_service::domain::time::Timestamp;
use purchase_order_service::domain::working_set::{Appended, DeliveryNoteKey, OrderReference, WorkingSet};

use crate::rules::sums::{Sums, Touched};
use crate::support::TestIds;

/// See the module.
#[derive(Default)]
pub struct Pure {
    /// Everything there is.
    pub working_set: WorkingSet,
    /// Which orders there are.
    pub orders: BTreeMap<StoreId, Orders>,
    /// The orders that were made since it was last cleared: their callers do not know them yet.
    pub fresh: BTreeSet<OrderId>,
    /// How many rows there are that a working_set forgets once they are saved.
    pub rows: Rows,
    /// What stock and costs must come to.
    pub sums: Sums,
    /// How many answers were given a second time.
    pub replays: usize,
    ids: TestIds,
}

/// The orders of one store.
#[derive(Default)]
pub struct Orders {
    /// Every one that was ever made.
    pub all: Vec<OrderKey>,
    /// Those that are not closed, by number.
    pub open: BTreeMap<String, OrderKey>,
}

#[derive(Default)]
pub struct Rows {
    pub cancellations: usize,
    pub movements: usize,
    pub events: usize,
    pub permissions: usize,
    pub grants: usize,
}

impl Pure {
    /// Judges a request, and takes in what was decided.
    pub fn answer(&mut self, envelope: &Envelope, now: Timestamp) -> Result<Reply, Refusal> {
        self.seek(envelope);
        let outcome = match decide(&self.working_set, envelope, now, &self.ids)? {
            Verdict::Replayed(outcome) => {
                self.replays += 1;
                outcome
            }
            Verdict::Decided(decision, outcome) => {
                self.count(&decision);
                self.sums.post(&decision);
                let touched = Touched::of(&decision);
                self.working_set.absorb(*decision);
                self.working_set.appended = Appended::default();
                self.sums.check(&self.working_set, &touched);
                outcome
            }
        };
        reply(&self.working_set, envelope, outcome)
    }

    /// The first open orders of a store by their numbers, and how many there are.
    pub fn open_orders(&self, store: &StoreId) -> TruncatedList<String> {
        let open = self.orders.get(store).map(|orders| &orders.open);
        let first = open.into_iter().flat_map(BTreeMap::keys).take(MAX_NAMED).cloned().collect();
        TruncatedList { first, total: open.map_or(0, BTreeMap::len) }
    }

    /// Notes that whatever a request may ask for and is not there was looked for. Lines and staged items
    /// need no note: an order that is there was created here, with all that it has.
    fn seek(&mut self, envelope: &Envelope) {
        let store = &envelope.store;
        let working_set = &mut self.working_set;
        working_set.stores.insert_absent(store.clone());
        working_set.set_complete(store.clone(), Need::Roles);
        working_set.set_complete(store.clone(), Need::Grants);
        working_set.derive_permissions(store, &envelope.principal.id).expect("roles and grants are complete");
        envelope.stored_response_key().into_iter().for_each(|key| working_set.stored_responses.insert_absent(key));
        for target in envelope.command.targets() {
            working_set.orders.insert_absent(envelope.order_key(target.order));
        }
        for need in envelope.needs().iter() {
            match need {
                Need::Receipt(order, number) => {
                    let order = envelope.order_key(*order);
                    self.working_set.receipts.insert_absent(ReceiptKey { order, number: *number });
                }
                Need::Level(product) => {
                    self.working_set.levels.insert_absent(LevelKey { store: store.clone(), product: product.clone() });
                }
                Need::OtherReceiveTimes(order, number) => {
                    self.sum_up(ReceiptKey { order: envelope.order_key(*order), number: *number });
                }
                Need::ExternalId(external_id) => {
                    let order = self
                        .working_set
                        .orders
                        .present()
                        .find(|order| order.key.store == *store && order.external_id.as_ref() == Some(external_id));
                    let order =
                        order.map(|order| OrderReference { order: order.key.order, number: order.number.clone() });
                    self.working_set.insert_external_id(store.clone(), external_id.clone(), order);
                }
                Need::DeliveryNote(order, delivery_note, corrected) => {
                    let key = envelope.order_key(*order);
                    let Ok(Some(order)) = self.working_set.order(&key) else { continue };
                    let supplier = order.supplier.clone();
                    let key = DeliveryNoteKey { store: store.clone(), supplier, delivery_note: delivery_note.clone() };
                    let corrected = ReceiptKey { order: order.key.clone(), number: corrected.unwrap_or_default() };
                    let noted = self.noted(&key, Some(&corrected));
                    self.working_set.insert_delivery_note(key, noted);
                }
                Need::LinesOfProduct(..) => self.working_set.set_complete(store.clone(), need.clone()),
                Need::ReceivableLines(supplier, selector) => {
                    let lines = self.receivable(store, supplier, selector);
                    self.working_set.insert_receivable_lines(store.clone(), supplier.clone(), selector.clone(), lines);
                }
                Need::LotsInStock(product) | Need::LotsWithCode(product, ..) => {
                    let level = LevelKey { store: store.clone(), product: product.clone() };
                    self.working_set.set_complete(store.clone(), need.clone());
                    self.working_set.insert_lots(level.clone(), self.lots_of(&level));
                }
                Need::DeliveryNoteOfSupplier(supplier, delivery_note) => {
                    let (supplier, delivery_note) = (supplier.clone(), delivery_note.clone());
                    let key = DeliveryNoteKey { store: store.clone(), supplier, delivery_note };
                    let noted = self.noted(&key, None);
                    self.working_set.insert_delivery_note(key, noted);
                }
                Need::LastCompletion(order) => {
                    let key = envelope.order_key(*order);
                    let completion = self.sums.last_completion(&self.working_set, &key);
                    self.working_set.insert_last_completion(key, completion);
                }
                Need::OpenOrders => self.working_set.insert_open_orders(store.clone(), self.open_orders(store)),
                _ => {}
            }
        }
    }

    /// Every lot of a product that there ever was, as the ledger adds them up.
    fn lots_of(&self, level: &LevelKey) -> LotStock {
        let mut stock = LotStock::default();
        for (key, on_hand) in self.sums.lots.iter().filter(|(key, _)| key.level == *level) {
            stock.post(&key.lot, Quantity::from_scaled(*on_hand));
        }
        stock
    }

    fn receivable(&self, store: &StoreId, supplier: &str, selector: &ProductSelector) -> Vec<LineKey> {
        let ProductSelector::Product(product) = selector else { panic!("no bar codes are asked for here") };
        let orders = self.orders.get(store).into_iter().flat_map(|orders| orders.open.values());
        let orders = orders.filter(|key| {
            let order = self.working_set.order(key).unwrap().unwrap();
            order.supplier == supplier && order.state.is_live()
        });
        let lines = orders.flat_map(|key| self.working_set.lines_of(key).unwrap());
        lines.filter(|line| line.product == *product).map(|line| line.key.clone()).collect()
    }

    /// The active receipt with a delivery note that arrived last, other than one that is corrected and those of its
    /// delivery.
    fn noted(&self, key: &DeliveryNoteKey, corrected: Option<&ReceiptKey>) -> Option<KnownReceipt> {
        let mut receipts = self.working_set.receipts.present();
        let delivery = receipts.find(|receipt| Some(&receipt.key) == corrected).and_then(|receipt| receipt.delivery);
        let receipts = self.working_set.receipts.present().filter(|receipt| {
            receipt.is_active()
                && receipt.key.order.store == key.store
                && receipt.supplier == key.supplier
                && receipt.delivery_note.as_ref() == Some(&key.delivery_note)
                && Some(&receipt.key) != corrected
                && (delivery.is_none() || receipt.delivery != delivery)
        });
        let last =
            receipts.max_by_key(|receipt| (receipt.receive_time, receipt.key.order.order, receipt.key.number))?;
        let number = self.working_set.order(&last.key.order).unwrap().unwrap().number.clone();
        Some(KnownReceipt { order: last.key.order.order, number, receipt: last.key.number })
    }

    /// The times of a receipt's lines on other active receipts, as the database sums them up.
    fn sum_up(&mut self, key: ReceiptKey) {
        let mut times: BTreeMap<i32, ReceiveTimes> = BTreeMap::new();
        if let Ok(Some(receipt)) = self.working_set.receipts.get(&key) {
            let others = self.working_set.staged_items_of(&key.order).expect("it was created here");
            for other in others.iter().filter(|other| other.receipt != key.number) {
                if receipt.items.iter().any(|item| item.line == other.line) {
                    let time = other.receive_time;
                    let times = times.entry(other.line).or_insert(ReceiveTimes { first: time, last: time });
                    (times.first, times.last) = (times.first.min(time), times.last.max(time));
                }
            }
        }
        self.working_set.insert_other_receive_times(key, times);
    }

    fn count(&mut self, decision: &Decision) {
        self.rows.cancellations += decision.cancellations.len();
        self.rows.cancellations -= decision.cancellations_removed.len();
        self.rows.movements += decision.movements.len();
        self.rows.events += decision.events.len();
        self.rows.permissions += decision.permissions.len();
        self.rows.grants += decision.grants.len();
        for order in &decision.orders {
            let Orders { all, open } = self.orders.entry(order.key.store.clone()).or_default();
            if order.revision == 1 {
                all.push(order.key.clone());
                self.fresh.insert(order.key.order);
            }
            match order.state.is_open() {
                true => drop(open.insert(order.number.clone(), order.key.clone())),
                false => drop(open.remove(&order.number)),
            }
        }
    }
}
