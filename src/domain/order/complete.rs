//! CompletePurchaseOrder: what was received goes on hand, every pending quantity is disposed of, and
//! what is back-ordered becomes a new order in the same decision.
//!
//! Both orders and the stock change in one decision, so no unit is ever lost between them or counted
//! twice: if a part were saved alone, a unit could be pending on two orders, or on none. The plan is
//! worked out by one function for completing and for previewing, so that a preview cannot promise
//! something else than the completion does.

use std::collections::BTreeMap;

use super::actions::Action;
use super::cancellation::{CancelReason, Cancellation};
use super::receipt::StagedItem;
use super::{Line, LineKey, Order, OrderCounters, OrderId, Quantities, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{Detail, LineQuantity, SettledLine};
use crate::domain::inventory::{Movement, MovementKind};
use crate::domain::money::UnitCost;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{CreatedBackOrder, OrderCompleted, Outcome};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::store::Store;
use crate::domain::time::{Date, Timestamp};

/// Completes an order: posts its receipts to stock and decides what happens to every pending quantity.
#[derive(Clone, Debug)]
pub struct CompleteOrder {
    /// The order to complete; it must be ON_ORDER or RECEIVING with something accepted.
    pub order: OrderId,
    /// The order's etag as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Dispositions of single lines, each line at most once. They take precedence over
    /// `default_disposition` and must add up to what the line has pending.
    pub lines: Vec<LineDisposition>,
    /// What happens to the pending quantity of each line that `lines` does not name (`rest` in the
    /// contract). Without it such a line blocks the completion if it has anything pending.
    pub default_disposition: Option<Disposition>,
    /// Why quantities are cancelled; required if any is whose line has no reason of its own, and stored only if any
    /// is cancelled.
    pub cancel_reason: Option<String>,
    /// The kind of that reason; `None` if the caller gives none.
    pub cancel_reason_code: Option<CancelReason>,
    /// When the back order is expected; it replaces the dates of the lines that are carried over too.
    pub expected_date: Option<Date>,
}

/// What happens to the pending quantity of a line that is not named in the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// The pending quantity moves to a new back order, which is on order at once.
    BackOrder,
    /// The pending quantity is cancelled: it is not expected any more.
    Cancel,
}

/// How one line's pending quantity is divided between the back order and cancellation.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineDisposition {
    /// The number of the line on the order that is completed.
    pub line: i32,
    /// The part that moves to the back order, on a line of the same number.
    pub back_order: Quantity,
    /// The part that is cancelled and never delivered.
    pub cancel: Quantity,
    /// Why it is cancelled, if that is not the reason of the whole completion.
    pub cancel_reason: Option<String>,
    /// The kind of that reason. Where the line has neither, that of the whole completion counts.
    pub cancel_reason_code: Option<CancelReason>,
    /// When the back order is expected to bring the line, if that is not the date of the whole completion.
    pub expected_date: Option<Date>,
}

/// A line as stored, together with what the completion does with its pending quantity. A line without
/// anything pending has a disposition of zero.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DisposedLine {
    /// The line as it is before the completion.
    pub line: Line,
    /// How its pending quantity is divided: as the request says, or by the default disposition.
    pub disposition: LineDisposition,
}

impl DisposedLine {
    /// The pending quantity that is neither back-ordered nor cancelled; negative if more than the
    /// pending quantity is disposed of.
    pub fn unsettled(&self) -> Quantity {
        self.line.quantities.pending - self.disposition.back_order - self.disposition.cancel
    }

    fn is_back_ordered(&self) -> bool {
        self.disposition.back_order.is_positive()
    }

    fn is_cancelled(&self) -> bool {
        self.disposition.cancel.is_positive()
    }
}

/// What a missing reason for cancelled quantities does to the plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// The request is refused: a completion cannot go on without the reason.
    Refused,
    /// It is one of the blockers: a preview is asked for before anyone has typed a reason.
    Blocks,
}

/// What a completion would do to every line, and what prevents it.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The order's header before the completion.
    pub order: Order,
    /// Every line of the order in line order, also those with nothing pending.
    pub lines: Vec<DisposedLine>,
    /// Why it cannot be completed like this, the reason that a completion answers with first.
    pub blockers: Vec<Refusal>,
}

impl Command for CompleteOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Complete.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Complete)]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::AllLines(self.order), Need::StagedItems(self.order)]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let Plan { order, lines, blockers } = self.plan(changeset, MissingReason::Refused)?;
        // A command answers with the first; a preview lists all of them.
        if let Some(refusal) = blockers.into_iter().next() {
            return Err(refusal);
        }
        if !lines.iter().any(DisposedLine::is_back_ordered) {
            let event = self.complete(changeset, &order, &lines, None)?;
            return Ok(Outcome::OrderCompleted(OrderCompleted { event, order: self.order, back_order: None }));
        }
        // The parent names its child, so the child's id is made first; the child is put second, because
        // its event follows the parent's.
        let child = changeset.new_order_id();
        let event = self.complete(changeset, &order, &lines, Some(child))?;
        let back_order = Some(self.back_order(changeset, &order, &lines, child)?);
        Ok(Outcome::OrderCompleted(OrderCompleted { event, order: self.order, back_order }))
    }
}

/// Planning: what the request asks for, compared with what is stored.
impl CompleteOrder {
    /// Works out what happens to every line. Refuses only what no other disposition could repair:
    /// lines that do not exist, and quantities that do not fit their lines. Everything else that
    /// prevents the completion is a blocker of the plan. The order's existence, etag and state were
    /// checked by the gate.
    pub fn plan(&self, changeset: &Changeset<'_>, missing_reason: MissingReason) -> Result<Plan, Refusal> {
        let order = changeset.order(self.order)?;
        // For its refusal: lines that do not exist are named before anything else is judged.
        changeset.lines(&order, self.lines.iter().map(|disposition| disposition.line))?;
        let lines = self.dispose(changeset.all_lines(&order)?);
        let mut violations = self.violations(changeset, &lines)?;
        let mut blockers = Vec::new();
        // The reason of the whole completion counts for each line that has none of its own.
        let lacks_reason =
            |disposed: &DisposedLine| disposed.is_cancelled() && disposed.disposition.cancel_reason.is_none();
        if self.cancel_reason.is_none() && lines.iter().any(lacks_reason) {
            let (field, rule) = ("cancel_reason", "is required where a quantity is cancelled");
            match missing_reason {
                MissingReason::Refused => violations.add(field, rule),
                MissingReason::Blocks => blockers.push(Refusal::invalid_for_stored_data(field, rule)),
            }
        }
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        // Of a completion the gate has judged this; the gate of a preview leaves it to be shown as a blocker.
        blockers.extend(Action::Complete.check_quantities(&order).err());
        blockers.extend(pending_unsettled(&lines));
        blockers.extend(back_orders_disabled(changeset.store()?, &lines));
        Ok(Plan { order, lines, blockers })
    }

    fn dispose(&self, lines: Vec<Line>) -> Vec<DisposedLine> {
        let named: BTreeMap<i32, &LineDisposition> = self.lines.iter().map(|named| (named.line, named)).collect();
        let mut disposed = Vec::with_capacity(lines.len());
        for line in lines {
            let disposition = match named.get(&line.key.number) {
                Some(named) => (*named).clone(),
                None => self.by_default(&line),
            };
            disposed.push(DisposedLine { line, disposition });
        }
        disposed
    }

    fn by_default(&self, line: &Line) -> LineDisposition {
        let pending = line.quantities.pending;
        let mut disposition = LineDisposition { line: line.key.number, ..LineDisposition::default() };
        match self.default_disposition {
            Some(Disposition::BackOrder) => disposition.back_order = pending,
            Some(Disposition::Cancel) => disposition.cancel = pending,
            None => {}
        }
        disposition
    }

    fn violations(&self, changeset: &Changeset<'_>, lines: &[DisposedLine]) -> Result<Violations, Refusal> {
        let mut violations = Violations::default();
        // By the order of the request, so that the paths of the violations are those of its fields.
        for (index, named) in self.lines.iter().enumerate() {
            check_disposition(index, find_line(lines, named.line)?, &mut violations);
        }
        // Dates are for the goods of the back order, and nothing can be expected before today any more.
        let today = changeset.store()?.time_zone.date_at(changeset.now());
        let dates = self.lines.iter().enumerate().map(|(index, named)| (Some(index), named.expected_date));
        for (index, date) in dates.chain([(None, self.expected_date)]) {
            let Some(date) = date.filter(|date| *date < today) else { continue };
            let field = index.map_or_else(String::new, |index| format!("lines[{index}]."));
            violations.add(format_args!("{field}expected_date"), format_args!("is {date}, before today, {today}"));
        }
        Ok(violations)
    }
}

fn find_line(lines: &[DisposedLine], number: i32) -> Result<&DisposedLine, Refusal> {
    // All lines of an order come sorted by number.
    match lines.binary_search_by_key(&number, |disposed| disposed.line.key.number) {
        Ok(index) => Ok(&lines[index]),
        Err(_) => Err(Refusal::Bug(format!("line {number} is not among all lines of its order"))),
    }
}

fn check_disposition(index: usize, disposed: &DisposedLine, violations: &mut Violations) {
    let DisposedLine { line, disposition } = disposed;
    let LineDisposition { line: number, back_order, cancel, .. } = *disposition;
    for (quantity, name) in [(back_order, "back_order"), (cancel, "cancel")] {
        if !line.admits(quantity) {
            let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
            violations.add(format_args!("lines[{index}].{name}"), rule);
        }
    }
    // Too little is refused as well: a line that is named is not one of the rest, which would take what is left.
    if disposed.unsettled() != Quantity::ZERO {
        let rule = format_args!(
            "settles {} (back_order {back_order}, cancel {cancel}), but line {number} has {} pending",
            back_order + cancel,
            line.quantities.pending
        );
        violations.add(format_args!("lines[{index}]"), rule);
    }
}

fn pending_unsettled(lines: &[DisposedLine]) -> Option<Refusal> {
    let unsettled = lines.iter().filter(|disposed| disposed.unsettled().is_positive());
    TruncatedList::of_nonempty(numbers(unsettled)).map(Refusal::PendingUnsettled)
}

fn back_orders_disabled(store: &Store, lines: &[DisposedLine]) -> Option<Refusal> {
    if store.back_orders_enabled {
        return None;
    }
    let back_ordered = lines.iter().filter(|disposed| disposed.is_back_ordered());
    TruncatedList::of_nonempty(numbers(back_ordered)).map(Refusal::BackOrdersDisabled)
}

fn numbers<'a>(lines: impl Iterator<Item = &'a DisposedLine>) -> Vec<i32> {
    lines.map(|disposed| disposed.line.key.number).collect()
}

/// Carrying the plan out.
impl CompleteOrder {
    fn complete(
        &self,
        changeset: &mut Changeset<'_>,
        order: &Order,
        lines: &[DisposedLine],
        child: Option<OrderId>,
    ) -> Result<i64, Refusal> {
        let now = changeset.now();
        let is_cancelling = lines.iter().any(DisposedLine::is_cancelled);
        // A form may send a reason where nothing is cancelled. Stored, it would look as if something were.
        let cancel_reason = self.cancel_reason.clone().filter(|_| is_cancelling);
        let cancel_reason_code = self.cancel_reason_code.filter(|_| is_cancelling);
        let completed = Order {
            state: State::Completed,
            close_time: Some(now),
            closed_by: Some(changeset.caller().clone()),
            cancel_reason: cancel_reason.clone(),
            cancel_reason_code,
            child,
            // There is no back order, or it is made in the same decision.
            child_is_untouched: true,
            last_back_order: order.last_back_order + i32::from(child.is_some()),
            ..order.clone()
        };
        let settled = settled_lines(lines);
        let detail = Detail::OrderCompleted { settled, back_order: child, cancel_reason, cancel_reason_code };
        // Before the ledger rows and what was cancelled, which name the event.
        let event = changeset.put_order(completed, detail)?;
        // By receipt and line, which is the order of the ledger.
        for item in changeset.staged_items(order)? {
            post_item(changeset, order, lines, &item, event)?;
        }
        for disposed in lines {
            if disposed.is_cancelled() {
                changeset.put_cancellation(Cancellation {
                    line: disposed.line.key.clone(),
                    event,
                    quantity: disposed.disposition.cancel,
                    reason: disposed.disposition.cancel_reason.clone(),
                    reason_code: disposed.disposition.cancel_reason_code,
                });
            }
            // Also a line that had nothing pending: what was received of it is not staged any more.
            changeset.put_line(settle(disposed, now));
        }
        Ok(event)
    }

    fn back_order(
        &self,
        changeset: &mut Changeset<'_>,
        parent: &Order,
        lines: &[DisposedLine],
        id: OrderId,
    ) -> Result<CreatedBackOrder, Refusal> {
        let order = self.back_order_header(changeset, parent, id);
        let number = order.number.clone();
        let mut quantities = Vec::new();
        for DisposedLine { line, disposition } in lines.iter().filter(|disposed| disposed.is_back_ordered()) {
            let quantity = disposition.back_order;
            quantities.push(LineQuantity { line: line.key.number, quantity: quantity.to_string() });
            changeset.put_line(self.back_order_line(&order, line, disposition));
        }
        let count = quantities.len() as i32;
        let detail = Detail::BackOrderCreated { number: number.clone(), parent: parent.key.order, lines: quantities };
        changeset.put_order(order, detail)?;
        Ok(CreatedBackOrder { order: id, number, lines: count })
    }

    /// The header of the back order. Fields that are not copied here start anew: the note was about the
    /// parent's delivery, and receipts and counters are the back order's own.
    fn back_order_header(&self, changeset: &Changeset<'_>, parent: &Order, id: OrderId) -> Order {
        let now = changeset.now();
        Order {
            key: changeset.order_key(id),
            number: parent.next_number(),
            parent: Some(parent.key.order),
            root: parent.root,
            chain_position: parent.chain_position + 1,
            supplier: parent.supplier.clone(),
            supplier_reference: parent.supplier_reference.clone(),
            note: None,
            external_id: None,
            charges: Vec::new(),
            currency: parent.currency,
            expected_date: self.expected_date.or(parent.expected_date),
            create_time: now,
            created_by: changeset.caller().clone(),
            create_event: 0,
            state: State::OnOrder,
            revision: 0,
            // The back order is ordered now. When the goods were first ordered stays in `original_order_time`, by
            // which the times of deliveries are judged.
            order_time: Some(now),
            place_time: Some(now),
            placed_by: Some(changeset.caller().clone()),
            original_order_time: parent.original_order_time,
            close_time: None,
            closed_by: None,
            cancel_reason: None,
            cancel_reason_code: None,
            child: None,
            child_is_untouched: true,
            last_back_order: parent.last_back_order + 1,
            folded_back: false,
            terms_changed: false,
            // A line that is added to it gets the next number of the chain, not of the lines that it carries.
            counters: OrderCounters { last_line: parent.counters.last_line, ..OrderCounters::default() },
        }
    }

    /// A line of the back order. It keeps its number, so that a chain can be followed line by line. The
    /// caller's new expected date counts for every line for which they name no other; the date that the line
    /// has would override it, so it is dropped.
    fn back_order_line(&self, order: &Order, line: &Line, disposition: &LineDisposition) -> Line {
        let quantity = disposition.back_order;
        let promised = disposition.expected_date.or(self.expected_date);
        Line {
            key: LineKey { order: order.key.clone(), number: line.key.number },
            product: line.product.clone(),
            description: line.description.clone(),
            gtin: line.gtin.clone(),
            supplier_product: line.supplier_product.clone(),
            note: line.note.clone(),
            unit: line.unit,
            pack_size: line.pack_size,
            unit_cost: line.unit_cost,
            pack_cost: line.pack_cost,
            tolerance: line.tolerance,
            lot_required: line.lot_required,
            carried_over: true,
            expected_date: disposition.expected_date.or(line.expected_date.filter(|_| promised.is_none())),
            // What was promised first stays, so that the whole chain is measured by it.
            first_expected_date: line.first_expected_date.or(promised),
            // What the parent's line has back-ordered: `verify` compares the two.
            first_ordered: quantity,
            confirmed: None,
            quantities: Quantities::ordered(quantity),
            returned: Quantity::ZERO,
            first_receive_time: None,
            last_receive_time: None,
            back_order_time: None,
            due_date: None,
        }
    }
}

fn settled_lines(lines: &[DisposedLine]) -> Vec<SettledLine> {
    let mut settled = Vec::new();
    for DisposedLine { line, disposition } in lines {
        if line.quantities.pending.is_positive() {
            settled.push(SettledLine {
                line: line.key.number,
                back_ordered: disposition.back_order.to_string(),
                cancelled: disposition.cancel.to_string(),
                reason: disposition.cancel_reason.clone().filter(|_| disposition.cancel.is_positive()),
                reason_code: disposition.cancel_reason_code.filter(|_| disposition.cancel.is_positive()),
                expected_date: disposition.expected_date.map(|date| date.to_string()),
            });
        }
    }
    settled
}

fn settle(disposed: &DisposedLine, now: Timestamp) -> Line {
    let mut line = disposed.line.clone();
    line.quantities.back_ordered += disposed.disposition.back_order;
    line.quantities.cancelled += disposed.disposition.cancel;
    // Not by `balance`: the plan has made sure that both parts together are what was pending.
    line.quantities.pending = Quantity::ZERO;
    line.back_order_time = disposed.is_back_ordered().then_some(now);
    line
}

/// Posts an accepted item, one ledger row for each lot and cost. Each delivery has rows of its own and not each
/// line, so that the ledger tells when the goods of each receipt arrived and what they cost.
fn post_item(
    changeset: &mut Changeset<'_>,
    order: &Order,
    lines: &[DisposedLine],
    item: &StagedItem,
    event: i64,
) -> Result<(), Refusal> {
    let line = &find_line(lines, item.line)?.line;
    for part in item.parts(line) {
        changeset.post(Movement {
            level: line.level_key(),
            // The changeset fills in the number, the balance and the average.
            number: 0,
            kind: MovementKind::Receipt,
            quantity: part.quantity,
            unit_cost: part.unit_cost,
            balance_after: Quantity::ZERO,
            average_after: UnitCost::default(),
            create_time: changeset.now(),
            event,
            order: Some(order.key.order),
            line: Some(item.line),
            receipt: Some(item.receipt),
            receive_time: Some(item.receive_time),
            reason: None,
            lot: part.lot,
        })?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
