//! Summing up counters and levels from the rows: when a test arranges them, and after each command to
//! compare them with what the command derived.

use std::collections::BTreeMap;

use super::TestStore;
use crate::domain::decision::Decision;
use crate::domain::inventory::{InboundStock, LevelKey};
use crate::domain::order::{LineKey, OrderCounters, OrderKey, Quantities, State};

/// Summing up.
impl TestStore {
    pub(super) fn sum_up(&mut self) {
        for (key, counters) in self.summed_counters() {
            self.orders.get_mut(&key).unwrap().counters = counters;
        }
        for (key, inbound) in self.summed_inbound() {
            self.levels.get_mut(&key).unwrap().inbound = inbound;
        }
        self.row().open_orders = self.count_open_orders();
    }

    /// Counters and levels are what the rows add up to.
    pub(super) fn check_sums(&self) {
        for (key, counters) in self.summed_counters() {
            assert_eq!(self.orders[&key].counters, counters, "the counters of {}", self.orders[&key].number);
        }
        for (key, inbound) in self.summed_inbound() {
            assert_eq!(self.levels[&key].inbound, inbound, "the level of {}", key.product);
        }
        assert_eq!(self.store.as_ref().unwrap().open_orders, self.count_open_orders(), "open orders");
    }

    /// Events are numbered without a gap, each is by the store's clock, and each order's revision is
    /// that of its last event.
    pub(super) fn check_events(&self, decision: &Decision) {
        let store = self.store.as_ref().unwrap();
        let first = store.last_event - decision.events.len() as i64 + 1;
        for (number, event) in (first..).zip(&decision.events) {
            assert_eq!((event.number, event.time), (number, store.last_event_time));
            if let Some(after) = event.order {
                let order = &self.orders[&self.order_key(after.order)];
                assert_eq!((after.revision, after.state), (order.revision, order.state));
            }
        }
    }

    fn summed_counters(&self) -> BTreeMap<OrderKey, OrderCounters> {
        let mut sums = BTreeMap::new();
        for key in self.orders.keys() {
            let parent = self.orders[key].parent.map(|parent| self.order_key(parent));
            let mut counters = OrderCounters::default();
            // Never changes once the parent is completed.
            counters.last_line = parent.map_or(0, |parent| self.orders[&parent].counters.last_line);
            for (_, line) in self.lines.range(LineKey::range_of(key)) {
                counters.lines += 1;
                counters.last_line = counters.last_line.max(line.key.number);
                counters.pending_lines += i32::from(line.quantities.pending.is_positive());
                add(&mut counters.totals, line.quantities);
                counters.ordered_cost += line.value_of(line.quantities.ordered);
                counters.pending_cost += line.value_of(line.quantities.pending);
            }
            for receipt in self.receipts_of(key) {
                counters.active_receipts += i32::from(receipt.is_active());
                counters.last_receipt = receipt.key.number;
                counters.receipt_items += receipt.items.len() as i32;
                if receipt.is_active() {
                    counters.received_cost += receipt.items.iter().map(|item| item.value).sum();
                }
            }
            sums.insert(key.clone(), counters);
        }
        sums
    }

    fn summed_inbound(&self) -> BTreeMap<LevelKey, InboundStock> {
        let mut sums: BTreeMap<LevelKey, InboundStock> = BTreeMap::new();
        for key in self.levels.keys() {
            sums.insert(key.clone(), InboundStock::default());
        }
        for line in self.lines.values() {
            let order = &self.orders[&line.key.order];
            if matches!(order.state, State::OnOrder | State::Receiving) {
                let sum = sums.get_mut(&line.level_key()).unwrap();
                sum.staged += line.quantities.received;
                sum.on_order += line.quantities.pending;
                if order.parent.is_some() {
                    sum.back_ordered += line.quantities.pending;
                }
            }
        }
        sums
    }

    fn count_open_orders(&self) -> i64 {
        let closed = [State::Completed, State::Cancelled];
        self.orders.values().filter(|order| !closed.contains(&order.state)).count() as i64
    }
}

fn add(sum: &mut Quantities, more: Quantities) {
    sum.ordered += more.ordered;
    sum.received += more.received;
    sum.rejected += more.rejected;
    sum.back_ordered += more.back_ordered;
    sum.cancelled += more.cancelled;
    sum.pending += more.pending;
    sum.excess += more.excess;
}
