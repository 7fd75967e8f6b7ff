//! UpdatePurchaseOrder: a draft is rewritten; a placed order keeps what was agreed with its supplier,
//! and only its note and reference may change.

use super::actions::Action;
use super::create::{NewLine, fix_units, lines_of, quantities};
use super::{Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{Detail, LineQuantity, OrderChanges};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::time::Date;

/// Changes to an order. What is `None` stays as it is; `Some(None)` empties a field.
#[derive(Clone, Debug)]
pub struct UpdateOrder {
    /// Which.
    pub order: OrderId,
    /// Its etag as the caller saw it, or empty.
    pub etag: String,
    /// Who supplies it; of a draft alone.
    pub supplier: Option<String>,
    /// The store's or supplier's own reference.
    pub supplier_reference: Option<Option<String>>,
    /// Free text.
    pub note: Option<Option<String>>,
    /// When it is expected; of a draft alone.
    pub expected_date: Option<Option<Date>>,
    /// All of its lines, numbered anew; of a draft alone.
    pub lines: Option<Vec<NewLine>>,
}

impl Command for UpdateOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Update.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Update))
    }

    /// A placed order keeps what was agreed with its supplier.
    fn check_header(&self, order: &Order) -> Result<(), Refusal> {
        let named = [
            (self.supplier.is_some(), "supplier_id"),
            (self.expected_date.is_some(), "expected_date"),
            (self.lines.is_some(), "lines"),
        ];
        let named = named.into_iter().filter(|(named, _)| *named).map(|(_, field)| field).collect();
        match TruncatedList::of_nonempty(named) {
            Some(fields) if order.state != State::Draft => {
                Err(Refusal::FieldsFixed { number: order.number.clone(), state: order.state, fields })
            }
            _ => Ok(()),
        }
    }

    fn needs(&self, needs: &mut Needs) {
        needs.extend(self.rewrites_lines().then_some(Need::AllLines(self.order)));
        needs.extend(self.lines.iter().flatten().map(|line| Need::Level(line.product.clone())));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let before = changeset.order(self.order)?;
        let mut violations = Violations::default();
        fix_units(changeset, self.lines.as_deref().unwrap_or_default(), &mut violations)?;
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        let after = self.header(&before);
        let mut changes = changes(&before, &after);
        if self.rewrites_lines() {
            changes.lines = self.rewrite_lines(changeset, &before, &after)?;
        }
        let is_changed = changes != OrderChanges::default();
        let event = if is_changed { changeset.put_order(after, Detail::OrderUpdated(changes))? } else { 0 };
        Ok(Outcome::order_changed(event, self.order))
    }
}

impl UpdateOrder {
    /// A line without a date of its own was first promised for the order's.
    fn rewrites_lines(&self) -> bool {
        self.lines.is_some() || self.expected_date.is_some()
    }

    fn header(&self, before: &Order) -> Order {
        Order {
            supplier: self.supplier.clone().unwrap_or_else(|| before.supplier.clone()),
            supplier_reference: self.supplier_reference.clone().unwrap_or_else(|| before.supplier_reference.clone()),
            note: self.note.clone().unwrap_or_else(|| before.note.clone()),
            expected_date: self.expected_date.unwrap_or(before.expected_date),
            ..before.clone()
        }
    }

    /// Puts the lines if they change; the quantities of those that were given, if they do.
    fn rewrite_lines(
        &self,
        changeset: &mut Changeset<'_>,
        before: &Order,
        after: &Order,
    ) -> Result<Option<Vec<LineQuantity>>, Refusal> {
        let old = changeset.all_lines(before)?;
        let new = match &self.lines {
            Some(lines) => lines_of(after, lines),
            None => old.iter().cloned().map(|line| promised(line, after)).collect(),
        };
        if new == old {
            return Ok(None);
        }
        changeset.replace_lines(before, new)?;
        Ok(self.lines.as_deref().map(quantities))
    }
}

/// What a draft first promises is what it promises when it is placed.
fn promised(line: Line, draft: &Order) -> Line {
    Line { first_expected_date: draft.expected_date_of(&line), ..line }
}

fn changes(before: &Order, after: &Order) -> OrderChanges {
    fn changed<T: Clone + PartialEq>(before: &T, after: &T) -> Option<T> {
        (before != after).then(|| after.clone())
    }
    let date = changed(&before.expected_date, &after.expected_date);
    OrderChanges {
        supplier: changed(&before.supplier, &after.supplier),
        supplier_reference: changed(&before.supplier_reference, &after.supplier_reference),
        note: changed(&before.note, &after.note),
        expected_date: date.map(|date| date.map(|date| date.to_string())),
        lines: None,
    }
}
