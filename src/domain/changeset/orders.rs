//! Reading and putting orders, their lines and their receipts.

use std::collections::{BTreeMap, BTreeSet};

use super::Changeset;
use crate::domain::event::{Detail, OrderSummary};
use crate::domain::order::cancellation::Cancellation;
use crate::domain::order::receipt::{Receipt, ReceiveTimes, StagedItem};
use crate::domain::order::receive::items::ProductSelector;
use crate::domain::order::reopen::LastCompletion;
use crate::domain::order::{Line, LineKey, Order, OrderId, OrderKey, ReceiptKey};
use crate::domain::outcome::KnownReceipt;
use crate::domain::refusal::{Refusal, TruncatedList};
use crate::domain::working_set::{DeliveryNoteKey, NotLoaded, OrderReference};

/// Reading, as it was before this changeset.
impl Changeset<'_> {
    /// An order's header. Refuses if there is no such order in the store.
    pub fn order(&self, order: OrderId) -> Result<Order, Refusal> {
        self.working_set.order(&self.order_key(order))?.cloned().ok_or(Refusal::OrderNotFound)
    }

    /// The lines with these numbers, in the order of the numbers. Those that do not exist are refused
    /// together, so that a caller can correct all of them at once.
    pub fn lines(&self, order: &Order, numbers: impl IntoIterator<Item = i32>) -> Result<Vec<Line>, Refusal> {
        let mut found = Vec::new();
        let mut missing = Vec::new();
        for number in numbers {
            let key = LineKey { order: order.key.clone(), number };
            match self.working_set.line(&key)? {
                Some(line) => found.push(line.clone()),
                None => missing.push(number),
            }
        }
        match TruncatedList::of_nonempty(missing) {
            Some(lines) => Err(Refusal::LinesNotFound { number: order.number.clone(), lines }),
            None => Ok(found),
        }
    }

    /// The lines of an order that are of these products; each selector must be among the command's needs.
    pub fn lines_of_products<'s>(
        &self,
        order: &Order,
        selectors: impl IntoIterator<Item = &'s ProductSelector>,
    ) -> Result<Vec<Line>, Refusal> {
        let selectors: BTreeSet<&ProductSelector> = selectors.into_iter().collect();
        Ok(self.working_set.lines_of_products(&order.key, &selectors)?.into_iter().cloned().collect())
    }

    /// The lines of a product on the supplier's orders that can be received, each with its order.
    pub fn receivable_lines(&self, supplier: &str, selector: &ProductSelector) -> Result<Vec<(Order, Line)>, Refusal> {
        let mut receivable = Vec::new();
        for key in self.working_set.receivable_lines(&self.envelope.store, supplier, selector)? {
            // The list was loaded with the orders and the lines that it names, so neither is absent.
            if let (Some(order), Some(line)) = (self.working_set.order(&key.order)?, self.working_set.line(key)?) {
                receivable.push((order.clone(), line.clone()));
            }
        }
        Ok(receivable)
    }

    /// Every line of an order, by number.
    pub fn all_lines(&self, order: &Order) -> Result<Vec<Line>, Refusal> {
        let lines: Vec<Line> = self.working_set.lines_of(&order.key)?.into_iter().cloned().collect();
        // Lines are loaded by a join with their levels. If a level were missing, its line would be missing
        // here too, and an order would be completed without it.
        if lines.len() != order.counters.lines as usize {
            let found = lines.len();
            return Err(Refusal::Bug(format!("{found} lines of {} found: {:?}", order.number, order.counters)));
        }
        Ok(lines)
    }

    /// A receipt of an order with its items. Refuses if the order has no receipt of that number.
    pub fn receipt(&self, order: &Order, number: i32) -> Result<Receipt, Refusal> {
        let key = ReceiptKey { order: order.key.clone(), number };
        match self.working_set.receipts.get(&key)? {
            Some(receipt) => Ok(receipt.clone()),
            None => Err(Refusal::ReceiptNotFound { number: order.number.clone(), receipt: number }),
        }
    }

    /// The order of the store that has an external id; `None` if none has it.
    pub fn order_with_external_id(&self, external_id: &str) -> Result<Option<OrderReference>, Refusal> {
        Ok(self.working_set.order_with_external_id(&self.envelope.store, external_id)?.cloned())
    }

    /// The latest active receipt of a supplier with a delivery note; `None` if there is none.
    pub fn receipt_with_delivery_note(
        &self,
        supplier: &str,
        delivery_note: &str,
    ) -> Result<Option<KnownReceipt>, Refusal> {
        let key = DeliveryNoteKey {
            store: self.envelope.store.clone(),
            supplier: supplier.to_owned(),
            delivery_note: delivery_note.to_owned(),
        };
        Ok(self.working_set.receipt_with_delivery_note(&key)?.cloned())
    }

    /// The items of an order's active receipts, by receipt and line.
    pub fn staged_items(&self, order: &Order) -> Result<Vec<StagedItem>, Refusal> {
        Ok(self.working_set.staged_items_of(&order.key)?.to_vec())
    }

    /// When the lines of a receipt were received by the order's other active receipts, by line number;
    /// a line that no other active receipt has is missing.
    pub fn other_receive_times(&self, receipt: &ReceiptKey) -> Result<BTreeMap<i32, ReceiveTimes>, Refusal> {
        Ok(self.working_set.other_receive_times(receipt)?.clone())
    }

    /// What the last completion of an order did.
    pub fn last_completion(&self, order: &Order) -> Result<LastCompletion, Refusal> {
        Ok(self.working_set.last_completion(&order.key)?.clone())
    }

    /// The back order of an order, with all its lines; `None` if it has none.
    pub fn back_order_of(&self, order: &Order) -> Result<Option<(Order, Vec<Line>)>, Refusal> {
        let Some(child) = order.child else { return Ok(None) };
        let Some(child) = self.working_set.order(&self.order_key(child))?.cloned() else {
            return Err(Refusal::Bug(format!("the back order of {} does not exist", order.number)));
        };
        let lines = self.all_lines(&child)?;
        Ok(Some((child, lines)))
    }

    /// A line before this changeset; `None` for one that the changeset creates. Such a line was never looked
    /// for in the database: a number above the header's last one was never given.
    pub(super) fn line_before(&self, key: &LineKey) -> Result<Option<&Line>, NotLoaded> {
        let last_line = self.order_before(&key.order)?.map_or(0, |order| order.counters.last_line);
        if key.number > last_line { Ok(None) } else { self.working_set.line(key) }
    }

    /// An order before this changeset; `None` for one that the changeset creates.
    pub(super) fn order_before(&self, key: &OrderKey) -> Result<Option<&Order>, NotLoaded> {
        if self.creates(key) { Ok(None) } else { self.working_set.order(key) }
    }

    /// Whether the changeset creates an order. Such an order was never looked for in the database: its id
    /// is new, so nothing can be stored under it.
    fn creates(&self, key: &OrderKey) -> bool {
        self.orders.get(key).is_some_and(|order| order.revision == 1)
    }
}

/// Putting.
impl Changeset<'_> {
    /// Puts a line. When its order changes state, every line must be put, also one that stays as it is:
    /// what it adds to its product's level changes with the state.
    pub fn put_line(&mut self, line: Line) {
        self.lines.insert(line.key.clone(), line);
    }

    /// Puts a line of which what was agreed may have changed, such as its cost or its text. Such a line is deleted
    /// and inserted: the columns that say what was agreed are never updated in place, so that the commands that
    /// change quantities alone need not write them.
    pub fn replace_line(&mut self, line: Line) -> Result<(), Refusal> {
        // A line that stays as it is need not be replaced, and a new one has no row to delete.
        if self.line_before(&line.key)?.is_some_and(|before| *before != line) {
            self.decision.lines_removed.push(line.key.clone());
        }
        self.put_line(line);
        Ok(())
    }

    /// Removes a line of a draft. Lines of a draft add nothing to levels, so it needs no disposition.
    pub fn remove_line(&mut self, line: LineKey) {
        self.decision.lines_removed.push(line);
    }

    /// Puts all lines of a draft in place of those it has, which are numbered anew.
    pub fn replace_lines(&mut self, draft: &mut Order, lines: Vec<Line>) -> Result<(), Refusal> {
        // Counting only raises this counter. Without setting it back, lines that are added later would not
        // follow the new numbers.
        draft.counters.last_line = 0;
        for line in lines {
            self.replace_line(line)?;
        }
        for before in self.working_set.lines_of(&draft.key)? {
            if !self.lines.contains_key(&before.key) {
                self.remove_line(before.key.clone());
            }
        }
        Ok(())
    }

    /// Puts a receipt, new or voided.
    pub fn put_receipt(&mut self, receipt: Receipt) {
        self.receipts.insert(receipt.key.clone(), receipt);
    }

    /// Adds what an event cancelled of a line, which the line counts already.
    pub fn put_cancellation(&mut self, cancellation: Cancellation) {
        self.decision.cancellations.push(cancellation);
    }

    /// Takes away what an event had cancelled of lines, which these do not count any more.
    pub fn remove_cancellations(&mut self, cancellations: Vec<Cancellation>) {
        self.decision.cancellations_removed.extend(cancellations);
    }

    /// Puts an order with the one event that says what happened to it, and returns the event's number.
    /// The order's counters are derived from the lines and receipts that are put, before or afterwards.
    pub fn put_order(&mut self, mut order: Order, detail: Detail) -> Result<i64, Refusal> {
        order.revision += 1;
        // The counters are not derived yet. The summary is made again at the end, when they are.
        let number = self.record_event(Some(OrderSummary::of(&order)), detail)?;
        if order.revision == 1 {
            order.create_event = number;
        }
        self.orders.insert(order.key.clone(), order);
        Ok(number)
    }
}
