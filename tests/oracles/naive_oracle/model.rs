//! The naive model: the rules of a store's purchase orders on one page, as plainly as they can be told.
//! It shares no code with the service. Whatever may be refused is refused here, except for want of a
//! permission, which is in `access`; what is known of orders is in `books`.

use std::collections::HashMap;

use purchase_order_service::proto::v1::{PendingDisposition as Rest, Unit};
use uuid::Uuid;

use crate::naive_oracle::access::{Access, needed};
use crate::naive_oracle::books::{Line, Order, Posted, Receipt};
use crate::naive_oracle::command::*;

/// A store.
#[derive(Default)]
pub struct Model {
    pub created: Time,
    pub now: Time,
    pub access: Access,
    pub back_orders_enabled: bool,
    pub orders: Vec<Order>,
    /// What moved stock, oldest first.
    pub ledger: Vec<Posted>,
    pub units: HashMap<Name, Unit>,
    pub events: i64,
    pub answered: HashMap<(Name, Uuid), (Command, Made)>,
}

/// What is asked must fit what is stored.
fn ensure_fit(fits: bool) -> Result<(), Reason> {
    ensure(fits, "INVALID_FOR_STORED_DATA")
}

impl Model {
    /// Why a call is refused, or what it makes: form, access, stored reply, and then the command itself.
    pub fn judge(&mut self, call: &Call) -> Result<Made, Reason> {
        ensure(call.command.is_well_formed(), "INVALID_REQUEST")?;
        self.access.admit(call.caller, needed(&call.command))?;
        self.access.admit_costs(call.caller, &call.command)?;
        if let Some((asked, made)) = call.id.and_then(|id| self.answered.get(&(call.caller, id))) {
            ensure(*asked == call.command, "REQUEST_ID_REUSED")?;
            return Ok(*made);
        }
        let before = self.events;
        let place = self.execute(call.caller, &call.command)?;
        let event = if self.events == before { 0 } else { before + 1 };
        let made = Made { event, place };
        self.answered.extend(call.id.map(|id| ((call.caller, id), (call.command.clone(), made))));
        Ok(made)
    }

    fn execute(&mut self, caller: Name, command: &Command) -> Result<Option<usize>, Reason> {
        match command {
            Command::Create { currency, expected, lines } => {
                return self.create(caller, currency, *expected, lines).map(Some);
            }
            Command::Change { order, etag, verb } => return self.change(caller, *order, *etag, verb),
            Command::SetBackOrders(enabled) => self.set_back_orders(*enabled)?,
            about_roles => self.events += i64::from(self.access.change(caller, about_roles)?),
        }
        Ok(None)
    }

    fn set_back_orders(&mut self, enabled: bool) -> Result<(), Reason> {
        if enabled != self.back_orders_enabled {
            ensure(!enabled || !self.orders.iter().any(Order::is_open), "OPEN_PURCHASE_ORDERS")?;
            self.back_orders_enabled = enabled;
            self.events += 1;
        }
        Ok(())
    }

    fn create(&mut self, by: Name, currency: Name, expected: Option<Day>, lines: &[NewLine]) -> Result<usize, Reason> {
        let mut units = self.units.clone();
        let same_units = lines.iter().all(|new| *units.entry(new.product).or_insert(new.unit) == new.unit);
        ensure_fit(same_units && ["", "EUR"].contains(&currency))?;
        self.units = units;
        let line = |new: &NewLine| Line { new: *new, first_expected: new.expected.or(expected), ..Line::default() };
        let (chain, lines) = (self.orders.len(), (1..).zip(lines.iter().map(line)).collect());
        self.orders.push(Order {
            chain,
            revision: 1,
            expected,
            created: self.now,
            created_by: by,
            lines,
            ..Order::default()
        });
        self.events += 1;
        Ok(chain)
    }

    /// Existence, etag, state, and then lines and rules. A copy is changed, so that a refusal changes nothing.
    fn change(&mut self, by: Name, place: usize, etag: Option<i64>, verb: &Verb) -> Result<Option<usize>, Reason> {
        let mut order = self.orders.get(place).ok_or("PURCHASE_ORDER_NOT_FOUND")?.clone();
        ensure(verb.receipt().is_none_or(|receipt| receipt < order.receipts.len()), "RECEIPT_NOT_FOUND")?;
        ensure(etag.is_none_or(|etag| etag == order.revision), "ETAG_MISMATCH")?;
        order.allows(verb)?;
        ensure(verb.lines().iter().all(|line| order.lines.contains_key(line)), "LINE_NOT_FOUND")?;
        let (now, first_ordered) = (self.now, self.orders[order.chain].ordered);
        let mut back_order = None;
        match verb {
            Verb::Place { order_time } => {
                order.place(order_time.unwrap_or(now), now)?;
                order.placed_by = by;
            }
            Verb::Receive { items, time } => {
                let mut items = items.clone().unwrap_or_else(|| order.all_pending());
                items.retain(Item::says_something);
                let time = time.unwrap_or(now);
                order.receive(Receipt { items, time, booked: (by, now), voided: None }, first_ordered)?;
            }
            Verb::Void { receipt } => order.void(*receipt, (by, now))?,
            Verb::Complete { lines, rest, reason, expected } => {
                ensure_fit(expected.is_none_or(|expected| expected >= day(now)))?;
                order.complete(lines, *rest, reason, now)?;
                back_order = order.back_order(*expected, by, now);
                order.closed_by = by;
                ensure(self.back_orders_enabled || back_order.is_none(), "BACK_ORDERS_DISABLED")?;
                self.ledger.extend(order.postings());
            }
            Verb::Cancel { reason } => {
                order.cancel(reason, now)?;
                order.closed_by = by;
            }
        }
        order.revision += 1;
        let made = match verb {
            Verb::Receive { .. } => Some(order.receipts.len() - 1),
            _ => back_order.as_ref().map(|_| self.orders.len()),
        };
        self.events += if back_order.is_some() { 2 } else { 1 };
        self.orders[place] = order;
        self.orders.extend(back_order);
        Ok(made)
    }
}

impl Order {
    /// What its state, and whether anything was accepted, allow.
    fn allows(&self, verb: &Verb) -> Result<(), Reason> {
        let in_state = match verb {
            Verb::Place { .. } => self.is_open() && self.placed.is_none(),
            Verb::Receive { .. } | Verb::Complete { .. } => self.is_live(),
            Verb::Void { .. } => self.is_live() && self.active().next().is_some(),
            Verb::Cancel { .. } => self.is_open(),
        };
        ensure(in_state, "WRONG_STATE")?;
        match verb {
            Verb::Complete { .. } => ensure(self.has_accepted(), "NOTHING_RECEIVED"),
            Verb::Cancel { reason } => {
                ensure(!self.has_accepted(), "ACCEPTED_STAGED")?;
                ensure_fit(!reason.is_empty() || self.placed.is_none())
            }
            _ => Ok(()),
        }
    }

    fn place(&mut self, ordered: Time, now: Time) -> Result<(), Reason> {
        ensure_fit(ordered <= now)?;
        ensure(self.lines.values().all(|line| line.new.quantity > 0), "LINES_WITHOUT_QUANTITY")?;
        let mut expected = self.lines.values().filter_map(|line| line.new.expected.or(self.expected));
        ensure(expected.all(|expected| expected >= day(ordered)), "EXPECTED_DATE_PASSED")?;
        (self.ordered, self.placed) = (Some(ordered), Some(now));
        Ok(())
    }

    fn receive(&mut self, mut receipt: Receipt, first_ordered: Option<Time>) -> Result<(), Reason> {
        let (items, now) = (&receipt.items, receipt.booked.1);
        ensure(!items.is_empty(), "NOTHING_PENDING")?;
        ensure_fit(items.iter().all(|item| self.admits(item.line, [item.accepted, item.rejected])))?;
        ensure_fit(first_ordered.is_some_and(|ordered| day(receipt.time) >= day(ordered)))?;
        ensure_fit(receipt.time <= now + 5 * MINUTE)?;
        let is_ordered = |item: &Item| self.accepted(item.line) + item.accepted <= self.lines[&item.line].new.quantity;
        ensure(items.iter().all(is_ordered), "OVER_RECEIPT")?;
        receipt.time = receipt.time.min(now);
        receipt.items.sort_by_key(|item| item.line);
        self.receipts.push(receipt);
        Ok(())
    }

    fn void(&mut self, receipt: usize, by_whom_and_when: (Name, Time)) -> Result<(), Reason> {
        ensure(self.receipts[receipt].voided.is_none(), "RECEIPT_VOIDED")?;
        self.receipts[receipt].voided = Some(by_whom_and_when);
        Ok(())
    }

    fn cancel(&mut self, reason: Name, now: Time) -> Result<(), Reason> {
        self.settle(|_, pending| (0, pending));
        (self.cancelled, self.cancel_reason) = (Some(now), reason);
        Ok(())
    }

    fn complete(&mut self, named: &[Disposed], rest: Rest, reason: Name, now: Time) -> Result<(), Reason> {
        ensure_fit(named.iter().all(|named| self.admits(named.line, [named.back_order, named.cancel])))?;
        ensure_fit(named.iter().all(|named| named.back_order + named.cancel == self.pending(named.line)))?;
        self.settle(|line, pending| match named.iter().find(|named| named.line == line) {
            Some(named) => (named.back_order, named.cancel),
            None if rest == Rest::BackOrder => (pending, 0),
            None if rest == Rest::Cancel => (0, pending),
            None => (0, 0),
        });
        let cancels = self.lines.values().any(|line| line.cancelled > 0);
        ensure_fit(!cancels || !reason.is_empty())?;
        ensure(self.lines.keys().all(|line| self.pending(*line) == 0), "PENDING_UNSETTLED")?;
        (self.completed, self.cancel_reason) = (Some(now), if cancels { reason } else { "" });
        Ok(())
    }

    /// Settles every line: so much of what is pending is back-ordered, so much cancelled.
    fn settle(&mut self, shares: impl Fn(i32, Quantity) -> (Quantity, Quantity)) {
        let settled: Vec<_> = self.lines.keys().map(|line| shares(*line, self.pending(*line))).collect();
        for (line, settled) in self.lines.values_mut().zip(settled) {
            (line.back_ordered, line.cancelled) = settled;
        }
    }
}
