//! What must hold of every order, line, receipt and level that a command touched, whatever the command was.
//! Both sides of a run share the rules, so a rule that is wrong answers alike on both: here it is found out,
//! because the sums are made of the rows again with arithmetic of their own.

use std::collections::{BTreeMap, BTreeSet};

use purchase_order_service::domain::decision::Decision;
use purchase_order_service::domain::inventory::lot::{Lot, LotKey};
use purchase_order_service::domain::inventory::{Level, LevelKey, Movement, MovementKind};
use purchase_order_service::domain::order::cancellation::Cancellation;
use purchase_order_service::domain::order::due_date::DueDate;
use purchase_order_service::domain::order::receipt::{Receipt, ReceiptItem};
use purchase_order_service::domain::order::reopen::{LastCompletion, PostedRow};
use purchase_order_service::domain::order::{Line, LineKey, Order, OrderKey, ReceiptKey, State};
use purchase_order_service::domain::quantity::Quantity;
use purchase_order_service::domain::working_set::WorkingSet;

/// What has been posted so far.
#[derive(Default)]
pub struct Sums {
    ledgers: BTreeMap<LevelKey, Ledger>,
    returned: BTreeMap<LineKey, i64>,
    /// What completed receipts put on hand, by the lines and lots they are of.
    posted: BTreeMap<(ReceiptKey, i32, Option<Lot>), i64>,
    /// What is on hand of each lot.
    pub lots: BTreeMap<LotKey, i64>,
    /// Every ledger row by its number, and what was cancelled of lines.
    rows: BTreeMap<(LevelKey, i64), Movement>,
    cancellations: Vec<Cancellation>,
}

/// Where a ledger stands.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Ledger {
    rows: i64,
    balance: i64,
    average: i64,
}

/// What a decision touched.
pub struct Touched {
    orders: BTreeSet<OrderKey>,
    levels: BTreeSet<LevelKey>,
    booked: Vec<ReceiptKey>,
    movements: Vec<Movement>,
}

impl Touched {
    pub fn of(decision: &Decision) -> Self {
        let of_lines = decision.lines.iter().map(|line| line.key.order.clone());
        let booked = decision.receipts.iter().filter(|receipt| receipt.is_active());
        Self {
            orders: decision.orders.iter().map(|order| order.key.clone()).chain(of_lines).collect(),
            levels: decision.levels.iter().map(|level| level.key.clone()).collect(),
            booked: booked.map(|receipt| receipt.key.clone()).collect(),
            movements: decision.movements.clone(),
        }
    }
}

/// The nearest whole number, and the even one of two.
fn half_even(value: i128, units: i128) -> i128 {
    let (floor, rest) = (value.div_euclid(units), value.rem_euclid(units));
    let goes_up = 2 * rest > units || 2 * rest == units && floor % 2 != 0;
    floor + i128::from(goes_up)
}

impl Sums {
    /// Takes in the ledger rows of a decision: each follows from the one before.
    pub fn post(&mut self, decision: &Decision) {
        self.cancellations.retain(|row| !decision.cancellations_removed.contains(row));
        self.cancellations.extend(decision.cancellations.iter().cloned());
        for row in &decision.movements {
            let (quantity, cost) = (row.quantity.scaled(), row.unit_cost.scaled());
            let restored = self.restored(row);
            let ledger = self.ledgers.entry(row.level.clone()).or_default();
            if quantity > 0 && ledger.balance > 0 {
                let worth = i128::from(ledger.balance) * i128::from(ledger.average);
                let worth = worth + i128::from(quantity) * i128::from(cost);
                ledger.average = half_even(worth, i128::from(ledger.balance + quantity)) as i64;
            } else if quantity > 0 {
                ledger.average = cost;
            } else if row.kind == MovementKind::ReceiptReversal {
                let left = ledger.balance + quantity;
                let worth = i128::from(ledger.balance) * i128::from(ledger.average);
                let worth = worth + i128::from(quantity) * i128::from(cost);
                let without = if left > 0 { half_even(worth, i128::from(left)) } else { -1 };
                let is_cost = (0..=1_000_000_000_000_000).contains(&without);
                ledger.average = restored.unwrap_or(if is_cost { without as i64 } else { ledger.average });
            }
            ledger.rows += 1;
            ledger.balance += quantity;
            let told = (row.number, row.balance_after.scaled(), row.average_after.scaled());
            assert_eq!(told, (ledger.rows, ledger.balance, ledger.average), "{row:?}");
            self.rows.insert((row.level.clone(), row.number), row.clone());
            if let Some(lot) = &row.lot {
                let on_hand = self.lots.entry(LotKey { level: row.level.clone(), lot: lot.clone() }).or_default();
                *on_hand += quantity;
                assert!(*on_hand >= 0, "{row:?}");
            }
            if let (Some(order), Some(line)) = (row.order, row.line) {
                let order = OrderKey { store: row.level.store.clone(), order };
                match row.receipt {
                    Some(number) => {
                        let key = (ReceiptKey { order, number }, line, row.lot.clone());
                        *self.posted.entry(key).or_default() += quantity;
                    }
                    None => *self.returned.entry(LineKey { order, number: line }).or_default() -= quantity,
                }
            }
        }
    }

    /// The average cost before the row that a reversal reverses, if nothing came between their orders' completion and
    /// reopening.
    fn restored(&self, reversal: &Movement) -> Option<i64> {
        let at = |number: i64| self.rows.get(&(reversal.level.clone(), number));
        let mut beside = 0;
        while at(reversal.number - 1 - beside).is_some_and(|row| row.event == reversal.event) {
            beside += 1;
        }
        let reversed = at(reversal.number - 1 - 2 * beside)?;
        let same = |row: &Movement| (row.order, row.line, row.receipt, row.lot.clone(), row.unit_cost);
        let is_reversed = reversed.kind == MovementKind::Receipt
            && reversed.quantity == -reversal.quantity
            && same(reversed) == same(reversal);
        is_reversed.then(|| at(reversed.number - 1).map_or(0, |before| before.average_after.scaled()))
    }

    /// What the last completion of an order did, as the rows tell it that were posted and cancelled.
    pub fn last_completion(&self, set: &WorkingSet, key: &OrderKey) -> LastCompletion {
        let is_receipt = |row: &&Movement| {
            row.level.store == key.store && row.order == Some(key.order) && row.kind == MovementKind::Receipt
        };
        let receipts: Vec<&Movement> = self.rows.values().filter(is_receipt).collect();
        let event = receipts.iter().map(|row| row.event).max();
        let mut completion = LastCompletion::default();
        for row in receipts.into_iter().filter(|row| Some(row.event) == event) {
            let before = self.rows.get(&(row.level.clone(), row.number - 1));
            let lot = row.lot.clone().map(|lot| LotKey { level: row.level.clone(), lot });
            let on_hand = lot.and_then(|lot| self.lots.get(&lot).copied()).unwrap_or_default();
            completion.rows.push(PostedRow {
                movement: row.clone(),
                average_before: before.map(|before| before.average_after).unwrap_or_default(),
                on_hand_of_lot: Quantity::from_scaled(on_hand),
            });
        }
        for line in set.lines_of(key).unwrap_or_default() {
            let level = line.level_key();
            let in_lots: i64 = self.lots.iter().filter(|(lot, _)| lot.level == level).map(|(_, on_hand)| on_hand).sum();
            completion.on_hand_in_lots.insert(line.product.clone(), Quantity::from_scaled(in_lots));
        }
        let cancelled = self.cancellations.iter().filter(|row| row.line.order == *key && Some(row.event) == event);
        completion.cancellations = cancelled.cloned().collect();
        completion
    }

    /// Checks what a decision touched, after it was taken in.
    pub fn check(&self, set: &WorkingSet, touched: &Touched) {
        touched.orders.iter().for_each(|key| self.check_order(set, key));
        for key in &touched.levels {
            self.check_on_hand(set.levels.get(key).unwrap().unwrap());
        }
        for key in &touched.booked {
            check_tolerance(set, set.receipts.get(key).unwrap().unwrap());
        }
        for row in &touched.movements {
            let store = set.store(&row.level.store).unwrap().unwrap();
            let is_short = row.quantity.scaled() < 0 && row.balance_after.scaled() < 0;
            let is_of_completion = matches!(row.kind, MovementKind::Receipt | MovementKind::ReceiptReversal);
            let may_be_short = store.allow_negative_stock && !is_of_completion;
            assert!(!is_short || may_be_short, "{row:?}");
        }
    }

    fn check_on_hand(&self, level: &Level) {
        let ledger = self.ledgers.get(&level.key).copied().unwrap_or_default();
        let (rows, balance, average) = (level.last_movement, level.on_hand.scaled(), level.average_cost.scaled());
        assert_eq!(Ledger { rows, balance, average }, ledger, "{:?}", level.key);
    }

    fn check_order(&self, set: &WorkingSet, key: &OrderKey) {
        let order = set.order(key).unwrap().unwrap();
        let receipts = (1..=order.counters.last_receipt).map(|number| {
            let key = ReceiptKey { order: key.clone(), number };
            set.receipts.get(&key).unwrap().unwrap()
        });
        let active: Vec<&Receipt> = receipts.filter(|receipt| receipt.is_active()).collect();
        let lines: BTreeMap<i32, &Line> =
            set.lines_of(key).unwrap().into_iter().map(|line| (line.key.number, line)).collect();
        let mut arrived: BTreeMap<i32, (i64, i64)> = BTreeMap::new();
        let mut received_cost = 0;
        for receipt in active {
            for item in &receipt.items {
                let arrived = arrived.entry(item.line).or_default();
                arrived.0 += item.accepted.scaled();
                arrived.1 += item.rejected.scaled();
                let value = value_of_item(lines[&item.line], item);
                assert_eq!(i128::from(item.value.scaled()), value, "{item:?} of {}", order.number);
                received_cost += value;
                let mut lots: Vec<(Option<Lot>, i64)> =
                    item.lots.iter().map(|lot| (Some(lot.lot.clone()), lot.quantity.scaled())).collect();
                if lots.is_empty() {
                    assert!(!lines[&item.line].lot_required || !item.accepted.is_positive(), "{item:?} has no lots");
                    lots.push((None, item.accepted.scaled()));
                }
                let in_lots: i64 = lots.iter().map(|(_, quantity)| quantity).sum();
                assert_eq!(in_lots, item.accepted.scaled(), "{item:?} of {}", order.number);
                for (lot, quantity) in lots {
                    let key = (receipt.key.clone(), item.line, lot);
                    let posted = self.posted.get(&key).copied().unwrap_or_default();
                    let expected = if order.state == State::Completed { quantity } else { 0 };
                    assert_eq!(posted, expected, "{key:?} of {}", order.number);
                }
            }
        }
        for line in lines.values() {
            let returned = self.returned.get(&line.key).copied().unwrap_or_default();
            check_line(order, line, arrived.get(&line.key.number).copied().unwrap_or_default(), returned);
        }
        let of = |quantity: fn(&Line) -> i64| -> i128 { lines.values().map(|line| value(line, quantity(line))).sum() };
        let costs = [order.counters.ordered_cost, order.counters.pending_cost, order.counters.received_cost];
        let expected =
            [of(|line| line.quantities.ordered.scaled()), of(|line| line.quantities.pending.scaled()), received_cost];
        assert_eq!(costs.map(|cost| i128::from(cost.scaled())), expected, "the costs of {}", order.number);
    }

    /// Checks every level at the end of a run, also for what orders add to it.
    pub fn check_all(&self, set: &WorkingSet) {
        let mut inbound: BTreeMap<LevelKey, [i64; 3]> = BTreeMap::new();
        for order in set.orders.present().filter(|order| order.state.is_live()) {
            for line in set.lines_of(&order.key).unwrap() {
                let key = LevelKey { store: order.key.store.clone(), product: line.product.clone() };
                let [staged, on_order, back_ordered] = inbound.entry(key).or_default();
                let pending = line.quantities.pending.scaled();
                *staged += line.quantities.received.scaled();
                *on_order += pending;
                *back_ordered += if order.parent.is_some() { pending } else { 0 };
            }
        }
        for level in set.levels.present() {
            self.check_on_hand(level);
            let told = [level.inbound.staged, level.inbound.on_order, level.inbound.back_ordered];
            let expected = inbound.get(&level.key).copied().unwrap_or_default();
            assert_eq!(told.map(|quantity| quantity.scaled()), expected, "{:?}", level.key);
        }
        set.orders.present().for_each(|order| self.check_order(set, &order.key));
    }
}

/// Every unit is in one place, what came is what the receipts say, and no more went back than came.
fn check_line(order: &Order, line: &Line, arrived: (i64, i64), returned: i64) {
    let quantities = &line.quantities;
    let [ordered, received, back_ordered, cancelled, pending, excess] = [
        quantities.ordered,
        quantities.received,
        quantities.back_ordered,
        quantities.cancelled,
        quantities.pending,
        quantities.excess,
    ]
    .map(|quantity| quantity.scaled());
    let text = format!("{line:?} of {}", order.number);
    assert_eq!(ordered + excess, received + back_ordered + cancelled + pending, "{text}");
    assert!([ordered, received, back_ordered, cancelled, pending, excess].iter().all(|part| *part >= 0), "{text}");
    assert!(excess == 0 || pending == 0 && back_ordered == 0, "{text}");
    assert_eq!((received, quantities.rejected.scaled()), arrived, "{text}");
    assert_eq!(line.returned.scaled(), returned, "{text}");
    let is_outstanding = matches!(order.state, State::OnOrder | State::Receiving) && pending > 0;
    let date = line.expected_date.or(order.expected_date);
    assert_eq!(line.due_date, is_outstanding.then(|| date.map_or(DueDate::Undated, DueDate::On)), "{text}");
    assert!((0..=received).contains(&returned) && (returned == 0 || order.state == State::Completed), "{text}");
}

/// What was just booked is within the tolerance, line by line.
fn check_tolerance(set: &WorkingSet, receipt: &Receipt) {
    let store = set.store(&receipt.key.order.store).unwrap().unwrap();
    for item in receipt.items.iter().filter(|item| item.accepted.is_positive()) {
        let key = LineKey { order: receipt.key.order.clone(), number: item.line };
        let line = set.lines.get(&key).unwrap().unwrap();
        let tolerance = i128::from(line.tolerance.unwrap_or(store.over_receipt_tolerance).scaled());
        let wanted = i128::from(line.quantities.ordered.scaled() - line.quantities.cancelled.scaled());
        let received = i128::from(line.quantities.received.scaled());
        // Where the store allows what nobody ordered, also what was cancelled may still come.
        let ordered = i128::from(line.quantities.ordered.scaled());
        let is_unlisted = store.allow_unlisted_items && (ordered == 0 || received <= ordered);
        assert!(is_unlisted || received * 1_000_000 <= wanted * (1_000_000 + tolerance), "{item:?} of {line:?}");
        assert!((0..=item.accepted.scaled()).contains(&item.excess.scaled()), "{item:?}");
        // The excess of one delivery is what it brought beyond the rest.
        let before = line.quantities.received - item.accepted;
        let pending = (wanted - i128::from(before.scaled())).max(0);
        let excess = (i128::from(item.accepted.scaled()) - pending).max(0);
        assert_eq!(i128::from(item.excess.scaled()), excess, "{item:?} of {line:?}");
    }
}

/// In ten-thousandths, of a quantity of a line; packs count where the line is priced by them.
fn value(line: &Line, quantity: i64) -> i128 {
    half_even(exact(line, quantity), 1_000_000)
}

fn exact(line: &Line, quantity: i64) -> i128 {
    match (line.pack_cost, line.pack_size) {
        (Some(cost), Some(size)) if quantity % size.scaled() == 0 => {
            i128::from(quantity / size.scaled()) * 10_000 * i128::from(cost.scaled())
        }
        _ => i128::from(quantity) * i128::from(line.unit_cost.scaled()),
    }
}

fn value_of_item(line: &Line, item: &ReceiptItem) -> i128 {
    let at = |quantity: i64| match item.costs.unit_cost {
        Some(cost) => i128::from(quantity) * i128::from(cost.scaled()),
        None => exact(line, quantity),
    };
    let (accepted, excess) = (item.accepted.scaled(), item.excess.scaled());
    let exactly = match item.costs.excess_unit_cost {
        Some(cost) => at(accepted - excess) + i128::from(excess) * i128::from(cost.scaled()),
        None => at(accepted),
    };
    half_even(exactly, 1_000_000)
}
