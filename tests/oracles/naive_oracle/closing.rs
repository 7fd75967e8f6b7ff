//! The naive model of an order's way: what its state allows, and how it is placed, completed and cancelled.

use purchase_order_service::proto::v1::PendingDisposition as Rest;

use crate::naive_oracle::books::Order;
use crate::naive_oracle::command::{Disposed, Name, Time, Verb, day};
use crate::naive_oracle::model::ensure_fit;
use crate::naive_oracle::numbers::Quantity;
use crate::naive_oracle::refused::{Refused, ensure, ensure_no_line};

impl Order {
    /// What its state, and whether anything was accepted, allow.
    pub fn allows(&self, verb: &Verb) -> Result<(), Refused> {
        let in_state = match verb {
            Verb::SetExternalId(_) => true,
            Verb::Place { .. } => self.is_open() && self.placed.is_none(),
            Verb::Receive(_) | Verb::Complete { .. } | Verb::CancelLines { .. } | Verb::Confirm(_) => self.is_live(),
            Verb::Amend(_) => self.is_open(),
            Verb::Void { .. } | Verb::Correct { .. } => self.is_live() && self.active().next().is_some(),
            Verb::Cancel { .. } => self.is_open(),
            Verb::Reopen { .. } => self.completed.is_some(),
        };
        ensure(in_state, "WRONG_STATE")?;
        match verb {
            Verb::Complete { .. } => ensure(self.has_accepted(), "NOTHING_RECEIVED"),
            Verb::CancelLines { .. } => ensure(!self.all_pending().is_empty(), "NOTHING_PENDING"),
            Verb::Cancel { reason } => {
                ensure(!self.has_accepted(), "ACCEPTED_STAGED")?;
                ensure_fit(!reason.is_empty() || self.placed.is_none())
            }
            _ => Ok(()),
        }
    }

    pub fn place(&mut self, ordered: Time, now: Time) -> Result<(), Refused> {
        ensure_fit(ordered <= now)?;
        let without = self.lines.iter().filter(|(_, line)| line.ordered == 0).map(|(number, _)| *number);
        ensure_no_line(without.collect(), "LINES_WITHOUT_QUANTITY")?;
        let is_late = |expected: i64| expected < day(ordered);
        let late = self.lines.iter().filter(|(_, line)| line.expected.or(self.expected).is_some_and(is_late));
        ensure_no_line(late.map(|(number, _)| *number).collect(), "EXPECTED_DATE_PASSED")?;
        (self.ordered, self.placed) = (Some(ordered), Some(now));
        Ok(())
    }

    pub fn cancel(&mut self, reason: Name, now: Time) -> Result<(), Refused> {
        self.settle(|_, pending| (0, pending));
        (self.cancelled, self.cancel_reason) = (Some(now), reason);
        Ok(())
    }

    pub fn complete(&mut self, named: &[Disposed], rest: Rest, reason: Name, now: Time) -> Result<(), Refused> {
        let is_admitted = |named: &Disposed| [named.back_order, named.cancel].map(|part| self.admits(named.line, part));
        ensure_fit(named.iter().all(|named| is_admitted(named) == [true; 2]))?;
        ensure_fit(named.iter().all(|named| named.back_order + named.cancel == self.pending(named.line)))?;
        let pending_before: Vec<(i32, Quantity)> = self.lines.keys().map(|line| (*line, self.pending(*line))).collect();
        self.lines_before = self.lines.clone();
        self.settle(|line, pending| match named.iter().find(|named| named.line == line) {
            Some(named) => (named.back_order, named.cancel),
            None if rest == Rest::BackOrder => (pending, 0),
            None if rest == Rest::Cancel => (0, pending),
            None => (0, 0),
        });
        let named_of = |line: i32| named.iter().find(|named| named.line == line);
        let cancels_of = |(line, pending): &(i32, Quantity)| match named_of(*line) {
            Some(named) => named.cancel > 0,
            None => rest == Rest::Cancel && *pending > 0,
        };
        let cancelled: Vec<i32> = pending_before.iter().filter(|of| cancels_of(of)).map(|(line, _)| *line).collect();
        let has_own_reason = |line: &i32| named_of(*line).is_some_and(|named| !named.reason.is_empty());
        let cancels = !cancelled.is_empty();
        ensure_fit(!reason.is_empty() || cancelled.iter().all(has_own_reason))?;
        let unsettled = self.lines.keys().copied().filter(|line| self.pending(*line) > 0);
        ensure_no_line(unsettled.collect(), "PENDING_UNSETTLED")?;
        (self.completed, self.cancel_reason) = (Some(now), if cancels { reason } else { "" });
        Ok(())
    }

    /// As if it had never been completed.
    pub fn reopen(&mut self) {
        self.lines = std::mem::take(&mut self.lines_before);
        (self.completed, self.closed_by, self.cancel_reason) = (None, "", "");
    }

    /// Of each line so much of what is pending, or all of it, as long as something is left to wait for or to complete.
    pub fn cancel_lines(&mut self, lines: &[(i32, Option<Quantity>)]) -> Result<(), Refused> {
        let fits = |(line, quantity): &(i32, Option<Quantity>)| {
            let pending = self.pending(*line);
            pending > 0 && quantity.is_none_or(|quantity| quantity <= pending && self.admits(*line, quantity))
        };
        ensure_fit(lines.iter().all(fits))?;
        for (line, quantity) in lines {
            let pending = self.pending(*line);
            if let Some(line) = self.lines.get_mut(line) {
                line.cancelled += quantity.unwrap_or(pending);
            }
        }
        ensure(self.has_accepted() || !self.all_pending().is_empty(), "NOTHING_LEFT")
    }

    /// Settles every line: so much of what is pending is back-ordered, so much cancelled.
    fn settle(&mut self, shares: impl Fn(i32, Quantity) -> (Quantity, Quantity)) {
        let settled: Vec<_> = self.lines.keys().map(|line| shares(*line, self.pending(*line))).collect();
        for (line, settled) in self.lines.values_mut().zip(settled) {
            line.back_ordered += settled.0;
            line.cancelled += settled.1;
        }
    }
}
