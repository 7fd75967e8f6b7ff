//! What follows from the rows that a command has put: due dates, levels, header counters and the store's
//! count of open orders.
//!
//! All but the due dates are sums over rows, kept so that a rule need not load the rows. They are changed by the
//! difference that each put row makes, and only here: a sum that was changed in two places, or in none,
//! would be wrong for ever, because nothing computes it anew (`verify` would find it).

use super::Changeset;
use crate::domain::event::OrderSummary;
use crate::domain::inventory::InboundStock;
use crate::domain::order::receipt::Receipt;
use crate::domain::order::{Line, Order, OrderKey};
use crate::domain::refusal::{Refusal, TruncatedList};
use crate::domain::working_set::NotLoaded;

impl Changeset<'_> {
    /// Sets when each line is due that was put, and each other line of an order whose date or state moves it.
    ///
    /// Only those that change become rows to save: an ordinary receipt leaves the due dates of its lines as they are, and
    /// so the indexes of outstanding lines.
    pub(super) fn derive_due_dates(&mut self) -> Result<(), Refusal> {
        let mut others = Vec::new();
        for order in self.orders.values() {
            // A new order has no lines but those that were put.
            let Some(before) = self.order_before(&order.key)? else { continue };
            if !before.moves_due_dates(order) {
                continue;
            }
            for line in self.working_set.lines_of(&order.key)? {
                let due_date = order.due_date_of(line);
                // A line that was put is derived below, from its new values.
                if due_date != line.due_date && !self.lines.contains_key(&line.key) {
                    others.push(Line { due_date, ..line.clone() });
                }
            }
        }
        for line in self.lines.values_mut() {
            let order = self.orders.get(&line.key.order);
            // A line that was put without its order is refused as a bug when levels are derived.
            line.due_date = order.and_then(|order| order.due_date_of(line));
        }
        self.lines.extend(others.into_iter().map(|line| (line.key.clone(), line)));
        Ok(())
    }

    /// Replaces what each put line added to its product's level by what it adds now.
    pub(super) fn derive_levels(&mut self) -> Result<(), Refusal> {
        let mut exchanges = Vec::new();
        for line in self.lines.values() {
            let before = self.inbound_before(line)?;
            let after = InboundStock::of(self.order_after(line)?, line);
            // The lines of a draft add nothing before or after, so that no level is saved for them.
            if before != after {
                exchanges.push((line.level_key(), before, after));
            }
        }
        for (key, before, after) in exchanges {
            self.level_mut(&key)?.inbound.exchange(before, after);
        }
        Ok(())
    }

    fn inbound_before(&self, line: &Line) -> Result<InboundStock, NotLoaded> {
        let order = self.order_before(&line.key.order)?;
        let line = self.line_before(&line.key)?;
        match (order, line) {
            (Some(order), Some(line)) => Ok(InboundStock::of(order, line)),
            // A new line has added nothing yet.
            _ => Ok(InboundStock::default()),
        }
    }

    /// The header of a put line's order. Lines are always put with their order, which has an event for
    /// what happened to them.
    fn order_after(&self, line: &Line) -> Result<&Order, Refusal> {
        self.orders.get(&line.key.order).ok_or_else(|| Refusal::Bug("a line was put without its order".to_owned()))
    }

    /// Counts the lines and receipts that were put into the headers of their orders.
    pub(super) fn derive_counters(&mut self) -> Result<(), Refusal> {
        let mut counted = Vec::with_capacity(self.orders.len());
        for order in self.orders.values() {
            counted.push(self.count(order)?);
        }
        for order in counted {
            self.orders.insert(order.key.clone(), order);
        }
        Ok(())
    }

    fn count(&self, order: &Order) -> Result<Order, Refusal> {
        let mut order = order.clone();
        for line in self.lines.values().filter(|line| line.key.order == order.key) {
            order.counters.count_line(self.line_before(&line.key)?, Some(line));
        }
        for key in self.decision.lines_removed.iter().filter(|key| key.order == order.key) {
            // A line that was removed and put again was counted above.
            if !self.lines.contains_key(key) {
                order.counters.count_line(self.line_before(key)?, None);
            }
        }
        for receipt in self.receipts.values().filter(|receipt| receipt.key.order == order.key) {
            order.counters.count_receipt(self.receipt_before(receipt)?, receipt);
        }
        Ok(order)
    }

    /// A receipt before this changeset; `None` for a new one. A new receipt was never looked for in the
    /// database: receipts are numbered without a gap and never deleted, so a number above the header's
    /// last one is free.
    fn receipt_before(&self, receipt: &Receipt) -> Result<Option<&Receipt>, Refusal> {
        let order = self.order_before(&receipt.key.order)?;
        let last_receipt = order.map_or(0, |order| order.counters.last_receipt);
        if receipt.key.number > last_receipt { Ok(None) } else { Ok(self.working_set.receipts.get(&receipt.key)?) }
    }

    /// Gives each event its order as it is now that everything is counted: the order was put with the event, and
    /// what follows from its lines and receipts was not known then.
    pub(super) fn derive_summaries(&mut self) {
        for event in &mut self.decision.events {
            let Some(summary) = &mut event.order else { continue };
            let key = OrderKey { store: event.store.clone(), order: summary.order };
            if let Some(order) = self.orders.get(&key) {
                *summary = OrderSummary::of(order);
            }
        }
    }

    /// Counts the orders that were opened or closed into the store's row, by which back orders may or
    /// may not be enabled.
    pub(super) fn derive_open_orders(&mut self) -> Result<(), Refusal> {
        let mut change = 0;
        for order in self.orders.values() {
            let was_open = self.order_before(&order.key)?.is_some_and(|before| before.state.is_open());
            change += i64::from(order.state.is_open()) - i64::from(was_open);
        }
        // A completion with a back order closes one order and opens another: the count stays.
        if change != 0 {
            self.store_mut()?.open_orders += change;
        }
        Ok(())
    }

    /// Refuses if a level would pass its limit, so that sums over levels and orders stay far from where
    /// 64 bits would overflow.
    pub(super) fn check_levels(&self) -> Result<(), Refusal> {
        let mut beyond = Vec::new();
        for level in self.levels.values() {
            if !level.is_within_range() {
                beyond.push(level.key.product.clone());
            }
        }
        match TruncatedList::of_nonempty(beyond) {
            Some(products) => Err(Refusal::LevelOutOfRange(products)),
            None => Ok(()),
        }
    }
}
