//! CancelPurchaseOrderLines: what is pending on single lines is given up while the order goes on. The supplier cannot
//! deliver one of twenty products, and nobody should have to wait with the other nineteen.

use super::actions::Action;
use super::cancellation::{CancelReason, Cancellation};
use super::{Line, Order, OrderId};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{CancelledLine, Detail};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{LinesChanged, Outcome};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};

/// Cancels pending quantities of lines of an order that is ON_ORDER or RECEIVING.
#[derive(Clone, Debug)]
pub struct CancelLines {
    /// The order that the lines are of.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// What to cancel; at least one line, and each at most once.
    pub lines: Vec<LineToCancel>,
}

/// What to cancel of one line.
#[derive(Clone, Debug)]
pub struct LineToCancel {
    /// Where the line stands in the request, for the paths of violations: lines without a quantity are passed over.
    pub index: usize,
    /// The number of the line on the order.
    pub line: i32,
    /// How much of what is pending, above zero; all of it where none is given.
    pub quantity: Option<Quantity>,
    /// Why it is cancelled.
    pub reason: String,
    /// The kind of that reason; `None` if the caller gives none.
    pub reason_code: Option<CancelReason>,
}

impl Command for CancelLines {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::CancelLines.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::CancelLines)]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(self.lines.iter().map(|named| Need::Line(self.order, named.line)));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let lines = changeset.lines(&order, self.lines.iter().map(|named| named.line))?;
        let mut violations = Violations::default();
        let mut quantities = Vec::with_capacity(lines.len());
        // Each line is named once, and the lines come in the order of the request.
        for (named, line) in self.lines.iter().zip(&lines) {
            quantities.push(quantity_of(named, line, &mut violations));
        }
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        check_something_left(&order, quantities.iter().copied().sum())?;
        let mut details = Vec::with_capacity(lines.len());
        let mut parts = Vec::with_capacity(lines.len());
        for ((named, mut line), quantity) in self.lines.iter().zip(lines).zip(quantities) {
            let LineToCancel { reason, reason_code, .. } = named.clone();
            details.push(CancelledLine { line: named.line, quantity: quantity.to_string(), reason, reason_code });
            parts.push((line.key.clone(), quantity, named));
            line.cancel(quantity);
            changeset.put_line(line);
        }
        // Before the rows of what was cancelled, which name the event.
        let event = changeset.put_order(order, Detail::LinesCancelled { lines: details })?;
        for (line, quantity, LineToCancel { reason, reason_code, .. }) in parts {
            let (reason, reason_code) = (Some(reason.clone()), *reason_code);
            changeset.put_cancellation(Cancellation { line, event, quantity, reason, reason_code });
        }
        let mut lines: Vec<i32> = self.lines.iter().map(|named| named.line).collect();
        lines.sort_unstable();
        Ok(Outcome::LinesChanged(LinesChanged { event, order: self.order, lines }))
    }
}

/// How much is cancelled of a line. What is returned with a violation is not used.
fn quantity_of(named: &LineToCancel, line: &Line, violations: &mut Violations) -> Quantity {
    let pending = line.quantities.pending;
    let path = format!("lines[{}]", named.index);
    if !pending.is_positive() {
        violations.add(path, format_args!("names line {}, of which nothing is pending", named.line));
        return pending;
    }
    let quantity = named.quantity.unwrap_or(pending);
    if !line.admits(quantity) {
        let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
        violations.add(format_args!("{path}.quantity"), rule);
    } else if quantity > pending {
        let rule = format_args!("is {quantity}, but line {} has {pending} pending", named.line);
        violations.add(format_args!("{path}.quantity"), rule);
    }
    quantity
}

/// An order of which nothing is pending and nothing accepted would hang open for ever: it can neither be received nor
/// completed.
fn check_something_left(order: &Order, cancelled: Quantity) -> Result<(), Refusal> {
    let totals = order.counters.totals;
    if totals.received.is_positive() || totals.pending > cancelled {
        return Ok(());
    }
    Err(Refusal::NothingLeft(order.number.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::order::State;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, quantity};

    /// Cancels of each line so much, or with an empty quantity all that is pending.
    fn cancel(order: OrderId, lines: &[(i32, &str)]) -> CancelLines {
        let named = lines.iter().enumerate().map(|(index, (line, text))| LineToCancel {
            index,
            line: *line,
            quantity: (!text.is_empty()).then(|| quantity(text)),
            reason: "sold out".to_owned(),
            reason_code: (*line == 1).then_some(CancelReason::OutOfStock),
        });
        CancelLines { order, etag: String::new(), lines: named.collect() }
    }

    #[test]
    fn so_much_of_what_is_pending_is_cancelled_and_the_order_goes_on() {
        // Of 10 oak and 5 ash, 4 oak were received.
        for (lines, oak, ash, on_order) in [
            (&[(1, "")][..], "oak: 10 ordered, 4 received, 6 cancelled", "ash: 5 ordered, 5 pending", "4 staged"),
            (
                &[(1, "2"), (2, "")],
                "oak: 10 ordered, 4 received, 2 cancelled, 4 pending",
                "ash: 5 ordered, 5 cancelled",
                "4 staged, 4 on order",
            ),
            // Nothing is pending any more, but something was accepted: the order can be completed.
            (
                &[(2, "5"), (1, "6")],
                "oak: 10 ordered, 4 received, 6 cancelled",
                "ash: 5 ordered, 5 cancelled",
                "4 staged",
            ),
        ] {
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10", "ash 5"]);
            store.receipt(order, &[(1, "4", "0")]);
            store.accept(cancel(order, lines));
            assert_eq!(store.lines_of(order), [oak, ash]);
            assert_eq!((store.level("oak").as_str(), store.header(order).state), (on_order, State::Receiving));
            assert_eq!(store.events(), ["LINES_CANCELLED"]);
        }
    }

    #[test]
    fn each_part_keeps_its_reason_and_its_event() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        let reply = store.send(cancel(order, &[(2, "1"), (1, "")])).unwrap();
        let event = reply.outcome.event();
        let rows = store.decided.cancellations.iter();
        let rows: Vec<_> =
            rows.map(|row| (row.line.number, row.event, row.quantity.to_string(), row.reason_code)).collect();
        let code = Some(CancelReason::OutOfStock);
        assert_eq!(rows, [(2, event, "1".to_owned(), None), (1, event, "10".to_owned(), code)]);
        assert!(store.decided.cancellations.iter().all(|row| row.reason.as_deref() == Some("sold out")));
        assert_eq!(
            store.event_details(),
            [
                r#"{"lines":[{"line":2,"quantity":"1","reason":"sold out"},{"line":1,"quantity":"10","reason":"sold out","reason_code":"OUT_OF_STOCK"}]}"#
            ]
        );
        assert_eq!(reply.orders[0].lines.iter().map(|line| line.key.number).collect::<Vec<_>>(), [1, 2]);
    }

    #[test]
    fn what_does_not_fit_its_line_is_refused_by_its_path() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        store.receipt(order, &[(2, "5", "0")]);
        for (lines, refused) in [
            (&[(1, "11")][..], "lines[0].quantity is 11, but line 1 has 10 pending"),
            (&[(1, "0.5")], "lines[0].quantity is 0.5, but oak is counted in whole units"),
            (&[(1, "1"), (2, "")], "lines[1] names line 2, of which nothing is pending"),
        ] {
            assert_eq!(store.refusal_text(cancel(order, lines)), refused);
        }
    }

    #[test]
    fn an_order_is_not_left_without_anything() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        assert_eq!(store.refuse(cancel(order, &[(1, ""), (2, "5")])), "NOTHING_LEFT");
        store.accept(cancel(order, &[(1, ""), (2, "4")]));
        assert_eq!(store.refuse(cancel(order, &[(2, "")])), "NOTHING_LEFT");
        // What was rejected is not in the building either.
        store.receipt(order, &[(2, "0", "1")]);
        assert_eq!(store.refuse(cancel(order, &[(2, "")])), "NOTHING_LEFT");
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let draft = store.draft(&["oak 10"]);
        let mut command = cancel(NO_SUCH_ORDER, &[(7, "11")]);
        command.etag = "9".to_owned();
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Cancel]);
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = draft;
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag.clear();
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
        command.order = store.on_order(&["oak 10"]);
        assert_eq!(store.refuse(command.clone()), "LINE_NOT_FOUND");
        command.lines[0].line = 1;
        assert_eq!(store.refuse(command.clone()), "INVALID_FOR_STORED_DATA");
        command.lines[0].quantity = None;
        assert_eq!(store.refuse(command), "NOTHING_LEFT");
    }
}
