//! AmendPurchaseOrder: what was agreed with the supplier changes, line by line, and nothing else of the order does. Two
//! people who change different lines at the same time lose nothing, because no line is sent that does not change.
//!
//! What was first ordered and first promised stays on the line of a placed order beside what is ordered and expected
//! now, so that a supplier is measured by what was agreed first.

use std::collections::BTreeMap;

use super::actions::Action;
use super::create::{NewLine, Price, check_value, fix_units, new_line, ordered_cost_of};
use super::expected_date::{check_date, order_date};
use super::{Charge, Line, MAX_LINES, Order, OrderId, Quantities, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{AmendedLine, Amendment, ChargeDetail, Detail, ValueChange};
use crate::domain::money::UnitCost;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{LinesChanged, Outcome};
use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::text::MAX_LINE_NOTES;
use crate::domain::time::Date;

/// Changes an open order. What is `None` stays as it is; `Some(None)` empties it.
#[derive(Clone, Debug)]
pub struct AmendOrder {
    /// The order to change; it must be open.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Another expected date, or none; it counts for the lines without a date of their own.
    pub expected_date: Option<Option<Date>>,
    /// Other charges in place of all that there are.
    pub charges: Option<Vec<Charge>>,
    /// The lines to change or to remove, each at most once.
    pub lines: Vec<LineAmendment>,
    /// Lines to add, numbered on from the last number of the chain.
    pub new_lines: Vec<NewLine>,
}

/// What changes of one line.
#[derive(Clone, Debug, Default)]
pub struct LineAmendment {
    /// The number of the line on the order.
    pub line: i32,
    /// Whether the line is not wanted any more. A draft loses it. On a placed order it stays, with as much ordered as
    /// was received and cancelled of it. Nothing else of it changes then.
    pub is_removed: bool,
    /// How much is ordered now; what was received and cancelled of it counts.
    pub quantity: StatedQuantity,
    /// What a unit costs now; only while nothing is received of it, and not with `pack_cost`.
    pub unit_cost: Option<UnitCost>,
    /// What a pack costs now; only while nothing is received of it, and where the line has packs.
    pub pack_cost: Option<UnitCost>,
    /// When its goods are expected, or none for the order's date.
    pub expected_date: Option<Option<Date>>,
    /// Another text for people.
    pub note: Option<Option<String>>,
}

/// A line before and after: without a line before it is new, without one after it is removed.
struct ChangedLine {
    before: Option<Line>,
    after: Option<Line>,
}

impl Command for AmendOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Amend.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Amend)]
    }

    fn needs(&self, needs: &mut Needs) {
        // A date of the order counts for each line without its own, and the texts of all lines are limited together.
        if self.expected_date.is_some() || self.has_notes() {
            needs.add(Need::AllLines(self.order));
        }
        needs.extend(self.lines.iter().map(|named| Need::Line(self.order, named.line)));
        needs.extend(self.new_lines.iter().map(|line| Need::Level(line.product.clone())));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let before = changeset.order(self.order)?;
        let after = Order {
            expected_date: self.expected_date.unwrap_or(before.expected_date),
            charges: self.charges.clone().unwrap_or_else(|| before.charges.clone()),
            ..before.clone()
        };
        let lines = self.changed_lines(changeset, &before, &after)?;
        self.check_notes(changeset, &before, &lines)?;
        check_count(&before, &lines)?;
        check_something_left(&before, &lines)?;
        // From the sum on the header and the lines that change, so that no other line need be loaded for it.
        let values = |side: fn(&ChangedLine) -> Option<&Line>| ordered_cost_of(lines.iter().filter_map(side));
        let added = values(|changed| changed.after.as_ref()) - values(|changed| changed.before.as_ref());
        check_value(&after, before.counters.ordered_cost + added)?;
        self.put(changeset, &before, after, lines)
    }
}

impl AmendOrder {
    /// Whether it gives a line a text, so that the texts of all lines have to be measured.
    fn has_notes(&self) -> bool {
        self.lines.iter().any(|line| matches!(line.note, Some(Some(_))))
            || self.new_lines.iter().any(|line| line.note.is_some())
    }

    /// The lines that the request names, those that it adds and, if the date of the order changes, all others, as they
    /// are before and after. A line that stays as it is may be among them.
    fn changed_lines(
        &self,
        changeset: &mut Changeset<'_>,
        before: &Order,
        after: &Order,
    ) -> Result<Vec<ChangedLine>, Refusal> {
        let named = changeset.lines(before, self.lines.iter().map(|line| line.line))?;
        let order_date = order_date(changeset, before)?;
        let mut violations = Violations::default();
        fix_units(changeset, "new_lines", &self.new_lines, &mut violations)?;
        check_date(order_date, self.expected_date.flatten(), "expected_date", &mut violations);
        let mut changed = Vec::with_capacity(named.len() + self.new_lines.len());
        // Each line is named once, and the lines come in the order of the request.
        for (index, (amendment, line)) in self.lines.iter().zip(named).enumerate() {
            let field = format_args!("lines[{index}].expected_date");
            check_date(order_date, amendment.expected_date.flatten(), field, &mut violations);
            let amended = amendment.amended(index, before, &line, &mut violations);
            changed.push(ChangedLine { before: Some(line), after: amended });
        }
        for (index, (number, line)) in (before.counters.last_line + 1..).zip(&self.new_lines).enumerate() {
            check_date(
                order_date,
                line.expected_date,
                format_args!("new_lines[{index}].expected_date"),
                &mut violations,
            );
            if before.state != State::Draft && !line.quantity.is_positive() {
                let field = format_args!("new_lines[{index}].quantity");
                violations.add(field, "must be above zero: the order is placed");
            }
            changed.push(ChangedLine { before: None, after: Some(new_line(after, number, line)) });
        }
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        // The other lines too: what they were first promised for may follow from the date of the order.
        if self.expected_date.is_some() {
            let named: BTreeMap<i32, &LineAmendment> = self.lines.iter().map(|line| (line.line, line)).collect();
            for line in changeset.all_lines(before)? {
                if !named.contains_key(&line.key.number) {
                    changed.push(ChangedLine { before: Some(line.clone()), after: Some(line) });
                }
            }
        }
        for line in changed.iter_mut().filter_map(|changed| changed.after.as_mut()) {
            // From the new dates of both the line and the order.
            line.first_expected_date = first_promise(after, line);
        }
        // The event tells the lines by number, however the request has named them.
        changed.sort_by_key(ChangedLine::number);
        Ok(changed)
    }

    /// Refuses texts that are too long together, because the lines of an order must fit into one answer.
    fn check_notes(&self, changeset: &Changeset<'_>, order: &Order, lines: &[ChangedLine]) -> Result<(), Refusal> {
        if !self.has_notes() {
            return Ok(());
        }
        let size = |line: &Line| line.note.as_ref().map_or(0, String::len);
        let before: usize = changeset.all_lines(order)?.iter().map(size).sum();
        let replaced: usize = lines.iter().filter_map(|changed| changed.before.as_ref()).map(size).sum();
        let given: usize = lines.iter().filter_map(|changed| changed.after.as_ref()).map(size).sum();
        // The lines that are replaced are among all lines, so this is never below zero.
        let notes = before - replaced + given;
        if notes <= MAX_LINE_NOTES {
            return Ok(());
        }
        let rule = format_args!("would have notes of {notes} bytes; at most {MAX_LINE_NOTES} together");
        Err(Refusal::invalid_for_stored_data("lines", rule))
    }

    /// Puts what changed. A request that changes nothing has no event.
    fn put(
        &self,
        changeset: &mut Changeset<'_>,
        before: &Order,
        after: Order,
        lines: Vec<ChangedLine>,
    ) -> Result<Outcome, Refusal> {
        let mut shown: Vec<i32> = self.lines.iter().map(|line| line.line).collect();
        shown.extend(lines.iter().filter(|changed| changed.before.is_none()).map(ChangedLine::number));
        let amendment = self.amendment(before, &after, &lines);
        let mut has_changed = after != *before;
        for ChangedLine { before, after } in lines {
            if before == after {
                continue;
            }
            has_changed = true;
            match (before, after) {
                (_, Some(line)) => changeset.replace_line(line)?,
                (Some(line), None) => {
                    shown.retain(|number| *number != line.key.number);
                    // Only a draft loses lines.
                    changeset.remove_line(line.key);
                }
                (None, None) => {}
            }
        }
        shown.sort_unstable();
        let event = match has_changed {
            true => {
                // Nothing of a draft is agreed yet. On a placed order the mark stays, and keeps a back order from
                // being folded back.
                let terms_changed = after.terms_changed || after.state != State::Draft;
                changeset.put_order(Order { terms_changed, ..after }, Detail::OrderAmended(amendment))?
            }
            false => 0,
        };
        Ok(Outcome::LinesChanged(LinesChanged { event, order: self.order, lines: shown }))
    }

    /// What the event tells: not of lines that have only been promised for another date of the order.
    fn amendment(&self, before: &Order, after: &Order, lines: &[ChangedLine]) -> Amendment {
        let date = |order: &Order| order.expected_date.map(|date| date.to_string());
        Amendment {
            expected_date: ValueChange::between(date(before), date(after)),
            charges: (before.charges != after.charges).then(|| after.charges.iter().map(ChargeDetail::from).collect()),
            lines: lines.iter().filter_map(ChangedLine::detail).collect(),
        }
    }
}

impl LineAmendment {
    /// The line as the request wants it; `None` if it is removed. What is returned with a violation is not used.
    fn amended(&self, index: usize, order: &Order, line: &Line, violations: &mut Violations) -> Option<Line> {
        let is_draft = order.state == State::Draft;
        let mut amended = line.clone();
        if self.is_removed {
            // What was received and cancelled of it stays ordered, and nothing is pending.
            amended.quantities.ordered = least_ordered(line);
            amended.quantities.balance();
            return (!is_draft).then_some(amended);
        }
        if let Some(quantity) = self.quantity_for(index, line, violations) {
            // What was in excess counts as ordered now, as far as the new quantity goes.
            amended.quantities.ordered = quantity;
            amended.quantities.balance();
        }
        if is_draft {
            // Nothing was placed yet, so what is ordered now is what is ordered first.
            amended.quantities = Quantities::ordered(amended.quantities.ordered);
            amended.first_ordered = amended.quantities.ordered;
        }
        if let Some(price) = self.price_for(index, line, violations) {
            (amended.unit_cost, amended.pack_cost) = (price.unit_cost(), price.pack_cost());
        }
        amended.expected_date = self.expected_date.unwrap_or(line.expected_date);
        amended.note = self.note.clone().unwrap_or_else(|| line.note.clone());
        Some(amended)
    }

    /// How much is ordered from now on, if that is given.
    fn quantity_for(&self, index: usize, line: &Line, violations: &mut Violations) -> Option<Quantity> {
        if self.quantity == StatedQuantity::default() {
            return None;
        }
        let quantity = match self.quantity.resolve(line.pack_size) {
            Ok(quantity) => quantity,
            Err(violation) => {
                violations.add(format_args!("lines[{index}].packs"), violation);
                return None;
            }
        };
        let least = least_ordered(line);
        let field = self.quantity.field();
        if !line.admits(quantity) {
            let rule = format_args!("is {quantity} in units, but {} is counted in whole units", line.product);
            violations.add(format_args!("lines[{index}].{field}"), rule);
        } else if quantity < least {
            let rule =
                format_args!("is {quantity} in units, but {least} of line {} are received or cancelled", self.line);
            violations.add(format_args!("lines[{index}].{field}"), rule);
        }
        Some(quantity)
    }

    /// What the line costs from now on, if that is given. What was received was valued by what it cost when it came, so
    /// the cost of a line of which something is received is corrected on its receipt.
    fn price_for(&self, index: usize, line: &Line, violations: &mut Violations) -> Option<Price> {
        let (field, price) = match (self.unit_cost, self.pack_cost) {
            (None, None) => return None,
            (Some(unit_cost), _) => ("unit_cost", Some(Price::Unit(unit_cost))),
            (None, Some(pack_cost)) => {
                let Some(size) = line.pack_size else {
                    let rule = format_args!("is given, but line {} has no pack_size", self.line);
                    violations.add(format_args!("lines[{index}].pack_cost"), rule);
                    return None;
                };
                ("pack_cost", Price::by_pack(pack_cost, size))
            }
        };
        let Some(price) = price else {
            let rule = format_args!("makes one unit cost more than {}", UnitCost::MAX);
            violations.add(format_args!("lines[{index}].{field}"), rule);
            return None;
        };
        // A form that sends the cost that the line has already changes nothing.
        if line.quantities.received.is_positive() && price != Price::of(line) {
            let received = line.quantities.received;
            let rule = format_args!("changes the cost of line {}, of which {received} are received", self.line);
            violations.add(format_args!("lines[{index}].{field}"), rule);
        }
        Some(price)
    }
}

impl ChangedLine {
    fn number(&self) -> i32 {
        self.before.as_ref().or(self.after.as_ref()).map_or(0, |line| line.key.number)
    }

    /// What the event tells of the line; `None` if nothing that was agreed of it has changed.
    fn detail(&self) -> Option<AmendedLine> {
        fn of<T: ToString>(line: Option<&Line>, value: fn(&Line) -> Option<T>) -> Option<String> {
            line.and_then(value).map(|value| value.to_string())
        }
        let (before, after) = (self.before.as_ref(), self.after.as_ref());
        let note = |line: Option<&Line>| line.and_then(|line| line.note.clone());
        let detail = AmendedLine {
            line: self.number(),
            is_added: before.is_none(),
            is_removed: after.is_none(),
            ordered: ValueChange::between(
                of(before, |line| Some(line.quantities.ordered)),
                of(after, |line| Some(line.quantities.ordered)),
            ),
            expected_date: ValueChange::between(
                of(before, |line| line.expected_date),
                of(after, |line| line.expected_date),
            ),
            unit_cost: ValueChange::between(
                of(before, |line| Some(line.unit_cost)),
                of(after, |line| Some(line.unit_cost)),
            ),
            pack_cost: ValueChange::between(of(before, |line| line.pack_cost), of(after, |line| line.pack_cost)),
            is_note_changed: note(before) != note(after),
        };
        // Compared with one that tells nothing, so that no field can be forgotten here.
        let unchanged = AmendedLine { line: detail.line, ..AmendedLine::default() };
        (detail != unchanged).then_some(detail)
    }
}

/// The least that may be ordered of a line: what was received of it as ordered, and what was cancelled.
fn least_ordered(line: &Line) -> Quantity {
    let Quantities { received, excess, cancelled, .. } = line.quantities;
    received - excess + cancelled
}

/// The first date that a line is promised for. That of a draft is what it says now; a placed line keeps the first that it
/// has ever had.
fn first_promise(order: &Order, line: &Line) -> Option<Date> {
    let expected = order.expected_date_of(line);
    if order.state == State::Draft { expected } else { line.first_expected_date.or(expected) }
}

/// Refuses more lines than an order may have.
fn check_count(order: &Order, lines: &[ChangedLine]) -> Result<(), Refusal> {
    let added = lines.iter().filter(|changed| changed.before.is_none()).count();
    let removed = lines.iter().filter(|changed| changed.after.is_none()).count();
    let count = order.counters.lines as usize + added - removed;
    if count <= MAX_LINES {
        return Ok(());
    }
    Err(Refusal::TooManyLines { number: order.number.clone(), lines: count })
}

/// Refuses an amendment that leaves a draft without lines, or a placed order without anything pending or accepted: it
/// could be neither received nor completed.
fn check_something_left(order: &Order, lines: &[ChangedLine]) -> Result<(), Refusal> {
    let is_something_left = if order.state == State::Draft {
        let removed = lines.iter().filter(|changed| changed.after.is_none()).count();
        order.counters.lines as usize > removed || lines.iter().any(|changed| changed.before.is_none())
    } else {
        // By the totals of the header, in which the lines that do not change are counted.
        let pending = |line: &Option<Line>| line.as_ref().map_or(Quantity::ZERO, |line| line.quantities.pending);
        let after: Quantity = lines.iter().map(|changed| pending(&changed.after)).sum();
        let before: Quantity = lines.iter().map(|changed| pending(&changed.before)).sum();
        let totals = order.counters.totals;
        totals.received.is_positive() || (totals.pending - before + after).is_positive()
    };
    if is_something_left { Ok(()) } else { Err(Refusal::NothingLeft(order.number.clone())) }
}

#[cfg(test)]
mod tests;
