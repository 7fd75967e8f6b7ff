//! CompletePurchaseOrder: what was received goes on hand, every pending quantity is settled, and what
//! is back-ordered becomes a new order in the same decision.

use std::collections::BTreeMap;

use super::actions::Action;
use super::receipt::StagedItem;
use super::{Line, LineKey, Order, OrderCounters, OrderId, Quantities, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{Detail, LineQuantity, SettledLine};
use crate::domain::inventory::Movement;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{CreatedBackOrder, OrderCompleted, Outcome};
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::store::Store;
use crate::domain::time::{Date, Timestamp};

/// A completion.
#[derive(Clone, Debug)]
pub struct CompleteOrder {
    /// Of which order.
    pub order: OrderId,
    /// Its etag as the caller saw it, or empty.
    pub etag: String,
    /// Exceptions, each line once.
    pub lines: Vec<LineDisposition>,
    /// What happens to every other pending quantity.
    pub rest: Option<Disposition>,
    /// Why anything is cancelled.
    pub cancel_reason: Option<String>,
    /// A new expected date for the back order.
    pub expected_date: Option<Date>,
}

/// What becomes of a pending quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It moves to a new back order.
    BackOrder,
    /// It is given up.
    Cancel,
}

/// How one line's pending quantity is divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineDisposition {
    /// The line's number.
    pub line: i32,
    /// So much moves to the back order.
    pub back_order: Quantity,
    /// So much is given up.
    pub cancel: Quantity,
}

/// What it means that quantities are cancelled and nobody says why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingReason {
    /// The request is refused.
    Refused,
    /// It stands in the way, beside the rest of the plan: a preview is shown before anyone has chosen.
    Blocks,
}

/// What would become of every line: the one computation behind completing and previewing.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The order as it stands.
    pub order: Order,
    /// Every line with its settlement; a line without anything pending settles nothing.
    pub lines: Vec<(Line, LineDisposition)>,
    /// Why it cannot be done.
    pub blockers: Vec<Refusal>,
}

impl Command for CompleteOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Complete.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Complete))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend([Need::AllLines(self.order), Need::StagedItems(self.order)]);
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let Plan { order, lines, blockers } = self.plan(changeset, MissingReason::Refused)?;
        if let Some(refusal) = blockers.into_iter().next() {
            return Err(refusal);
        }
        // The back order's event follows the completion's, so its order is put second; its id is
        // needed first.
        let child = is_back_ordered(&lines).then(|| changeset.new_order_id());
        let event = self.complete(changeset, &order, &lines, child)?;
        let back_order = match child {
            Some(id) => Some(self.back_order(changeset, &order, &lines, id)?),
            None => None,
        };
        Ok(Outcome::OrderCompleted(OrderCompleted { event, order: self.order, back_order }))
    }
}

/// Planning: what is asked, judged against what there is.
impl CompleteOrder {
    /// The plan, with what stands in its way. Refused outright is only what no choice of
    /// dispositions could mend: lines that do not exist, and settlements that do not fit. The target's
    /// existence, etag and state were judged before.
    pub fn plan(&self, changeset: &Changeset<'_>, missing_reason: MissingReason) -> Result<Plan, Refusal> {
        let order = changeset.order(self.order)?;
        changeset.lines(&order, self.lines.iter().map(|settlement| settlement.line))?;
        let mut blockers: Vec<Refusal> = Action::Complete.check_quantities(&order).err().into_iter().collect();
        let lines = changeset.all_lines(&order)?;
        let lines = self.settle(lines);
        let mut violations = self.violations(changeset, &lines)?;
        match self.lacks_reason(&lines) {
            Some((field, rule)) if missing_reason == MissingReason::Refused => violations.add(field, rule),
            Some((field, rule)) => blockers.insert(0, Refusal::invalid_for_stored_data(field, rule)),
            None => {}
        }
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        blockers.extend(self.unsettled(&lines));
        blockers.extend(feature_off(changeset.store()?, &lines));
        Ok(Plan { order, lines, blockers })
    }

    fn settle(&self, lines: Vec<Line>) -> Vec<(Line, LineDisposition)> {
        let named: BTreeMap<i32, LineDisposition> = self.lines.iter().map(|s| (s.line, *s)).collect();
        let settlement = |line: &Line| named.get(&line.key.number).copied().unwrap_or_else(|| self.rest_of(line));
        lines.into_iter().map(|line| (settlement(&line), line)).map(|(settlement, line)| (line, settlement)).collect()
    }

    fn rest_of(&self, line: &Line) -> LineDisposition {
        let of = |disposition| if self.rest == Some(disposition) { line.quantities.pending } else { Quantity::ZERO };
        let (back_order, cancel) = (of(Disposition::BackOrder), of(Disposition::Cancel));
        LineDisposition { line: line.key.number, back_order, cancel }
    }

    /// The field that lacks a reason for what is cancelled, and the rule that says so.
    fn lacks_reason(&self, lines: &[(Line, LineDisposition)]) -> Option<(&'static str, &'static str)> {
        let cancels = lines.iter().any(|(_, settlement)| settlement.cancel.is_positive());
        (cancels && self.cancel_reason.is_none())
            .then_some(("cancel_reason", "is required where a quantity is cancelled"))
    }

    fn violations(&self, changeset: &Changeset<'_>, lines: &[(Line, LineDisposition)]) -> Result<Violations, Refusal> {
        let mut violations = Violations::default();
        for (index, settlement) in self.lines.iter().enumerate() {
            if let Ok(at) = lines.binary_search_by_key(&settlement.line, |(line, _)| line.key.number) {
                check_settlement(index, settlement, &lines[at].0, &mut violations);
            }
        }
        let today = changeset.store()?.time_zone.date_at(changeset.now());
        if let Some(date) = self.expected_date.filter(|date| *date < today) {
            violations.add("expected_date", format_args!("is {date}, before today, {today}"));
        }
        Ok(violations)
    }

    fn unsettled(&self, lines: &[(Line, LineDisposition)]) -> Option<Refusal> {
        let unsettled = lines.iter().filter(|(line, settlement)| settlement.leaves(line).is_positive());
        TruncatedList::some(unsettled.map(|(line, _)| line.key.number).collect()).map(Refusal::PendingUnsettled)
    }
}

impl LineDisposition {
    /// How much of a line's pending quantity it does not settle.
    pub fn leaves(&self, line: &Line) -> Quantity {
        line.quantities.pending - self.back_order - self.cancel
    }
}

fn check_settlement(index: usize, settlement: &LineDisposition, line: &Line, violations: &mut Violations) {
    for (quantity, name) in [(settlement.back_order, "back_order"), (settlement.cancel, "cancel")] {
        if !line.admits(quantity) {
            let rule = format_args!("is {quantity}, but {} is counted in whole units", line.product);
            violations.add(format_args!("lines[{index}].{name}"), rule);
        }
    }
    if settlement.leaves(line) != Quantity::ZERO {
        let LineDisposition { line: number, back_order, cancel } = settlement;
        let rule = format_args!(
            "settles {} (back_order {back_order}, cancel {cancel}), but line {number} has {} pending",
            *back_order + *cancel,
            line.quantities.pending
        );
        violations.add(format_args!("lines[{index}]"), rule);
    }
}

fn is_back_ordered(lines: &[(Line, LineDisposition)]) -> bool {
    lines.iter().any(|(_, settlement)| settlement.back_order.is_positive())
}

fn feature_off(store: &Store, lines: &[(Line, LineDisposition)]) -> Option<Refusal> {
    if store.back_orders_enabled {
        return None;
    }
    let back_ordered = lines.iter().filter(|(_, settlement)| settlement.back_order.is_positive());
    TruncatedList::some(back_ordered.map(|(line, _)| line.key.number).collect()).map(Refusal::BackOrdersDisabled)
}

/// Doing.
impl CompleteOrder {
    fn complete(
        &self,
        changeset: &mut Changeset<'_>,
        order: &Order,
        lines: &[(Line, LineDisposition)],
        child: Option<OrderId>,
    ) -> Result<i64, Refusal> {
        let now = changeset.now();
        let cancels = lines.iter().any(|(_, settlement)| settlement.cancel.is_positive());
        let cancel_reason = self.cancel_reason.clone().filter(|_| cancels);
        let completed = Order {
            state: State::Completed,
            close_time: Some(now),
            cancel_reason: cancel_reason.clone(),
            child,
            ..order.clone()
        };
        let detail = Detail::OrderCompleted { settled: settled(lines), back_order: child, cancel_reason };
        let event = changeset.put_order(completed, detail)?;
        for item in changeset.staged_items(order)? {
            post_item(changeset, order, lines, &item, event)?;
        }
        for (line, settlement) in lines {
            changeset.put_line(settled_line(line, settlement, now));
        }
        Ok(event)
    }

    fn back_order(
        &self,
        changeset: &mut Changeset<'_>,
        parent: &Order,
        lines: &[(Line, LineDisposition)],
        id: OrderId,
    ) -> Result<CreatedBackOrder, Refusal> {
        let order = self.back_order_header(changeset, parent, id);
        let mut quantities = Vec::new();
        for (line, settlement) in lines.iter().filter(|(_, settlement)| settlement.back_order.is_positive()) {
            quantities.push(LineQuantity { line: line.key.number, quantity: settlement.back_order.to_string() });
            changeset.put_line(self.back_order_line(&order, line, settlement.back_order));
        }
        let (number, lines) = (order.number.clone(), quantities.len() as i32);
        let parent = parent.key.order;
        changeset.put_order(order, Detail::BackOrderCreated { number: number.clone(), parent, lines: quantities })?;
        Ok(CreatedBackOrder { order: id, number, lines })
    }

    /// A back order copies a short list of fields and nothing else.
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
            currency: parent.currency,
            expected_date: self.expected_date.or(parent.expected_date),
            create_time: now,
            create_event: 0,
            state: State::OnOrder,
            revision: 0,
            order_time: Some(now),
            place_time: Some(now),
            original_order_time: parent.original_order_time,
            close_time: None,
            cancel_reason: None,
            child: None,
            counters: OrderCounters::default(),
        }
    }

    /// The caller's new expected date counts for every line: a line's own date would override it.
    fn back_order_line(&self, order: &Order, line: &Line, quantity: Quantity) -> Line {
        Line {
            key: LineKey { order: order.key.clone(), number: line.key.number },
            product: line.product.clone(),
            description: line.description.clone(),
            gtin: line.gtin.clone(),
            unit: line.unit,
            unit_cost: line.unit_cost,
            inherited: true,
            expected_date: line.expected_date.filter(|_| self.expected_date.is_none()),
            first_expected_date: line.first_expected_date.or(self.expected_date),
            first_ordered: quantity,
            quantities: Quantities::ordered(quantity),
            first_receive_time: None,
            last_receive_time: None,
            back_order_time: None,
        }
    }
}

fn settled(lines: &[(Line, LineDisposition)]) -> Vec<SettledLine> {
    let settles = lines.iter().filter(|(line, _)| line.quantities.pending.is_positive());
    let settled = |(line, settlement): &(Line, LineDisposition)| SettledLine {
        line: line.key.number,
        back_ordered: settlement.back_order.to_string(),
        cancelled: settlement.cancel.to_string(),
    };
    settles.map(settled).collect()
}

fn settled_line(line: &Line, settlement: &LineDisposition, now: Timestamp) -> Line {
    let mut line = line.clone();
    line.quantities.back_ordered += settlement.back_order;
    line.quantities.cancelled += settlement.cancel;
    line.quantities.pending = Quantity::ZERO;
    line.back_order_time = settlement.back_order.is_positive().then_some(now);
    line
}

/// One ledger row per accepted item.
fn post_item(
    changeset: &mut Changeset<'_>,
    order: &Order,
    lines: &[(Line, LineDisposition)],
    item: &StagedItem,
    event: i64,
) -> Result<(), Refusal> {
    if !item.accepted.is_positive() {
        return Ok(());
    }
    let at = lines.binary_search_by_key(&item.line, |(line, _)| line.key.number);
    let (line, _) = at.map(|at| &lines[at]).map_err(|_| Refusal::Bug("a receipt item without a line".into()))?;
    changeset.post(Movement {
        level: line.level_key(),
        number: 0,
        quantity: item.accepted,
        unit_cost: line.unit_cost,
        balance_after: Quantity::ZERO,
        create_time: changeset.now(),
        event,
        order: order.key.order,
        line: item.line,
        receipt: item.receipt,
        receive_time: item.receive_time,
    })
}
