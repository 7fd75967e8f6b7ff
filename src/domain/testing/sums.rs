//! Summing up counters and levels from the rows: when a test arranges them, and after each command to
//! compare them with what the command derived. Costs are worked out by arithmetic of their own here, so
//! that a rule which is wrong about them is not compared with itself.

use std::collections::BTreeMap;

use super::TestStore;
use crate::domain::decision::Decision;
use crate::domain::event::OrderSummary;
use crate::domain::inventory::{InboundStock, Level, LevelKey, Movement, MovementKind};
use crate::domain::money::UnitCost;
use crate::domain::order::due_date::DueDate;
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
        for (key, due_date) in self.due_dates() {
            self.lines.get_mut(&key).unwrap().due_date = due_date;
        }
        self.note_touched_children();
    }

    /// When each line is due that is outstanding.
    fn due_dates(&self) -> BTreeMap<LineKey, Option<DueDate>> {
        let mut due_dates = BTreeMap::new();
        for (key, line) in &self.lines {
            let order = &self.orders[&key.order];
            let is_live = matches!(order.state, State::OnOrder | State::Receiving);
            let due_date = match line.expected_date.or(order.expected_date) {
                _ if !is_live || line.quantities.pending.scaled() == 0 => None,
                Some(date) => Some(DueDate::On(date)),
                None => Some(DueDate::Undated),
            };
            due_dates.insert(key.clone(), due_date);
        }
        due_dates
    }

    /// Notes of each order whether its back order is untouched, as it is read from a database.
    pub(super) fn note_touched_children(&mut self) {
        for key in self.orders.keys().cloned().collect::<Vec<_>>() {
            let parent = &self.orders[&key];
            let child = parent.child.and_then(|child| self.orders.get(&self.order_key(child)));
            if let Some(is_untouched) = child.map(|child| child.is_untouched_child_of(parent)) {
                self.orders.get_mut(&key).unwrap().child_is_untouched = is_untouched;
            }
        }
    }

    /// Counters and levels are what the rows add up to.
    pub(super) fn check_sums(&self) {
        for (key, counters) in self.summed_counters() {
            assert_eq!(self.orders[&key].counters, counters, "the counters of {}", self.orders[&key].number);
        }
        for (key, inbound) in self.summed_inbound() {
            assert_eq!(self.levels[&key].inbound, inbound, "the level of {}", key.product);
        }
        for (key, due_date) in self.due_dates() {
            assert_eq!(self.lines[&key].due_date, due_date, "when {key:?} is due");
        }
        assert_eq!(self.store.as_ref().unwrap().open_orders, self.count_open_orders(), "open orders");
    }

    /// Each ledger row follows from the level as it was, and what went back to the supplier is counted on
    /// its line. It is called before the decision is stored.
    pub(super) fn check_ledger(&self, decision: &Decision) {
        let mut levels: BTreeMap<LevelKey, (i64, i64, i64)> = BTreeMap::new();
        for row in &decision.movements {
            let before = self.levels.get(&row.level).map_or((0, 0, 0), ledger_of);
            let (number, on_hand, average) = levels.get(&row.level).copied().unwrap_or(before);
            let (quantity, cost) = (row.quantity.scaled(), row.unit_cost.scaled());
            let average = match quantity {
                _ if row.kind == MovementKind::ReceiptReversal => self.average_after_reversal(decision, row),
                ..=0 => average,
                _ if on_hand <= 0 => cost,
                _ => mixed((on_hand, average), (quantity, cost)),
            };
            let after = (number + 1, on_hand + quantity, average);
            assert_eq!((row.number, row.balance_after.scaled(), row.average_after.scaled()), after, "{row:?}");
            levels.insert(row.level.clone(), after);
        }
        for level in &decision.levels {
            let before = self.levels.get(&level.key).map_or((0, 0, 0), ledger_of);
            assert_eq!(ledger_of(level), levels.get(&level.key).copied().unwrap_or(before), "{:?}", level.key);
        }
        for line in &decision.lines {
            let before = self.lines.get(&line.key).map_or(0, |before| before.returned.scaled());
            let is_return = |row: &&Movement| {
                row.kind == MovementKind::ReturnToSupplier
                    && (row.order, row.line) == (Some(line.key.order.order), Some(line.key.number))
            };
            let went: i64 = decision.movements.iter().filter(is_return).map(|row| row.quantity.scaled()).sum();
            assert_eq!(line.returned.scaled(), before - went, "what was returned of {:?}", line.key);
            assert!((0..=line.quantities.received.scaled()).contains(&line.returned.scaled()), "{:?}", line.key);
        }
    }

    /// The average cost after a reversal: that before the row that it reverses, if only reversals follow on that,
    /// and otherwise what is left without the goods.
    fn average_after_reversal(&self, decision: &Decision, reversal: &Movement) -> i64 {
        let rows = self.ledger.iter().chain(&decision.movements).filter(|row| row.level == reversal.level);
        let rows: Vec<&Movement> = rows.filter(|row| row.number < reversal.number).collect();
        let reversals = rows.iter().rev().take_while(|row| row.event == reversal.event).count();
        let last = rows[rows.len() - 1];
        let (there, average) = (last.balance_after.scaled(), last.average_after.scaled());
        let mirrored = rows.len().checked_sub(2 * reversals + 1).map(|index| rows[index]);
        let completion = rows.iter().filter(|row| row.order == reversal.order && row.kind == MovementKind::Receipt);
        let last_completion = completion.map(|row| row.event).max();
        if let Some(mirrored) = mirrored
            && Some(mirrored.event) == last_completion
            && mirrored.quantity == -reversal.quantity
        {
            let before = rows.iter().rev().find(|row| row.number < mirrored.number);
            return before.map_or(0, |before| before.average_after.scaled());
        }
        let left = there + reversal.quantity.scaled();
        if left <= 0 {
            return average;
        }
        let taken = (reversal.quantity.scaled(), reversal.unit_cost.scaled());
        let mixed = mixed((there, average), taken);
        if (0..=UnitCost::MAX.scaled()).contains(&mixed) { mixed } else { average }
    }

    /// Events are numbered without a gap, each is by the store's clock, and each has its order as it
    /// is afterwards.
    pub(super) fn check_events(&self, decision: &Decision) {
        let store = self.store.as_ref().unwrap();
        let first = store.last_event - decision.events.len() as i64 + 1;
        for (number, event) in (first..).zip(&decision.events) {
            assert_eq!((event.number, event.time), (number, store.last_event_time));
            if let Some(after) = &event.order {
                assert_eq!(*after, OrderSummary::of(&self.orders[&self.order_key(after.order)]));
            }
        }
    }

    fn summed_counters(&self) -> BTreeMap<OrderKey, OrderCounters> {
        let mut sums = BTreeMap::new();
        for key in self.orders.keys() {
            let parent = self.orders[key].parent.map(|parent| self.order_key(parent));
            let mut counters = OrderCounters::default();
            // Never changes while the parent is completed. A draft may have lost its last line.
            counters.last_line = parent.map_or(0, |parent| self.orders[&parent].counters.last_line);
            counters.last_line = counters.last_line.max(self.orders[key].counters.last_line);
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
                for item in &receipt.items {
                    counters.receipt_items += 1 + item.lots.len() as i32;
                }
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

/// The number of a level's last ledger row, what is on hand, and the average cost.
fn ledger_of(level: &Level) -> (i64, i64, i64) {
    (level.last_movement, level.on_hand.scaled(), level.average_cost.scaled())
}

/// The average cost of what is there and what comes in, the even one of two that are equally near.
fn mixed(there: (i64, i64), comes: (i64, i64)) -> i64 {
    let worth = |(quantity, cost): (i64, i64)| i128::from(quantity) * i128::from(cost);
    let (worth, units) = (worth(there) + worth(comes), i128::from(there.0 + comes.0));
    let (floor, rest) = (worth.div_euclid(units), worth.rem_euclid(units));
    let goes_up = 2 * rest > units || 2 * rest == units && floor % 2 != 0;
    i64::try_from(floor + i128::from(goes_up)).unwrap()
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
