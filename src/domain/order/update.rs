//! UpdatePurchaseOrder: a draft is rewritten; a placed order keeps what was agreed with its supplier, and only its
//! note, its reference and the caller's own id may change.

use super::actions::Action;
use super::create::{NewLine, check_external_id, check_value, fix_units, lines_of, ordered_cost_of, quantities};
use super::{Charge, Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{ChargeDetail, Detail, LineQuantity, OrderChanges};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Refusal, TruncatedList, Violations};
use crate::domain::time::Date;

/// Changes an order. A field that is `None` stays as it is; `Some(None)` empties it.
#[derive(Clone, Debug)]
pub struct UpdateOrder {
    /// The order to change; it must be open, unless only the caller's own id changes.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// Another supplier; only while the order is a draft.
    pub supplier: Option<String>,
    /// Another reference of the store's or the supplier's own.
    pub supplier_reference: Option<Option<String>>,
    /// Another text for people.
    pub note: Option<Option<String>>,
    /// Another id of the caller's own, or none; in every state.
    pub external_id: Option<Option<String>>,
    /// Other charges in place of all that there are; only while the order is a draft.
    pub charges: Option<Vec<Charge>>,
    /// Another expected date, or none; only while the order is a draft.
    pub expected_date: Option<Option<Date>>,
    /// New lines in place of all that there are, numbered from 1; only while the order is a draft.
    pub lines: Option<Vec<NewLine>>,
}

impl Command for UpdateOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Update.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        let action = if self.changes_external_id_alone() { Action::UpdateExternalId } else { Action::Update };
        vec![Target::order(self.order, &self.etag, action)]
    }

    /// What was agreed with the supplier is not changed by an update once the order is placed, but by an amendment.
    fn check_header(&self, order: &Order) -> Result<(), Refusal> {
        if order.state == State::Draft || self.changes_external_id_alone() {
            return Ok(());
        }
        let mut fixed = Vec::new();
        for (is_named, field) in [
            (self.supplier.is_some(), "supplier_id"),
            (self.expected_date.is_some(), "expected_date"),
            (self.charges.is_some(), "charges"),
            (self.lines.is_some(), "lines"),
        ] {
            if is_named {
                fixed.push(field);
            }
        }
        match TruncatedList::of_nonempty(fixed) {
            Some(fields) => Err(Refusal::FieldsFixed { number: order.number.clone(), state: order.state, fields }),
            None => Ok(()),
        }
    }

    fn needs(&self, needs: &mut Needs) {
        if self.rewrites_lines() {
            needs.add(Need::AllLines(self.order));
        }
        // The products of new lines may have no level yet, or one that no line of this order names.
        for line in self.lines.iter().flatten() {
            needs.add(Need::Level(line.product.clone()));
        }
        if let Some(Some(external_id)) = &self.external_id {
            needs.add(Need::ExternalId(external_id.clone()));
        }
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let before = changeset.order(self.order)?;
        let mut violations = Violations::default();
        fix_units(changeset, "lines", self.lines.as_deref().unwrap_or_default(), &mut violations)?;
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        let external_id = self.external_id.as_ref().and_then(Option::as_deref);
        check_external_id(changeset, Some(self.order), external_id)?;
        let mut after = self.header(&before);
        let mut changes = changes(&before, &after);
        if self.rewrites_lines() {
            changes.lines = self.rewrite_lines(changeset, &before, &mut after)?;
        }
        if changes == OrderChanges::default() {
            return Ok(Outcome::order_changed(0, self.order));
        }
        let event = changeset.put_order(after, Detail::OrderUpdated(changes))?;
        Ok(Outcome::order_changed(event, self.order))
    }
}

impl UpdateOrder {
    /// Whether lines may change: they do with the expected date too, because a line without a date of
    /// its own was first promised for the date of the order. New charges are judged with the lines, whose
    /// values they are added to.
    fn rewrites_lines(&self) -> bool {
        self.lines.is_some() || self.expected_date.is_some() || self.charges.is_some()
    }

    /// Whether it changes nothing that was ever agreed or shown to others: the caller's own id may change
    /// in every state.
    fn changes_external_id_alone(&self) -> bool {
        let Self { supplier, supplier_reference, note, charges, expected_date, lines, .. } = self;
        self.external_id.is_some()
            && supplier.is_none()
            && supplier_reference.is_none()
            && note.is_none()
            && charges.is_none()
            && expected_date.is_none()
            && lines.is_none()
    }

    fn header(&self, before: &Order) -> Order {
        Order {
            supplier: self.supplier.clone().unwrap_or_else(|| before.supplier.clone()),
            supplier_reference: self.supplier_reference.clone().unwrap_or_else(|| before.supplier_reference.clone()),
            note: self.note.clone().unwrap_or_else(|| before.note.clone()),
            external_id: self.external_id.clone().unwrap_or_else(|| before.external_id.clone()),
            charges: self.charges.clone().unwrap_or_else(|| before.charges.clone()),
            expected_date: self.expected_date.unwrap_or(before.expected_date),
            ..before.clone()
        }
    }

    /// Puts the new lines if they differ from the old ones. Returns what the event tells of them: the
    /// quantities of the lines that the caller gave.
    fn rewrite_lines(
        &self,
        changeset: &mut Changeset<'_>,
        before: &Order,
        after: &mut Order,
    ) -> Result<Option<Vec<LineQuantity>>, Refusal> {
        let old = changeset.all_lines(before)?;
        let new = match &self.lines {
            Some(lines) => lines_of(after, lines),
            None => old.iter().cloned().map(|line| promised(line, after)).collect(),
        };
        // Also where the lines stay, because the charges may be new.
        check_value(after, ordered_cost_of(&new))?;
        if new == old {
            return Ok(None);
        }
        // The caller has named no lines, so the event tells of none: only their first promise follows the date.
        let Some(lines) = &self.lines else {
            for line in new {
                changeset.replace_line(line)?;
            }
            return Ok(None);
        };
        changeset.replace_lines(after, new)?;
        Ok(Some(quantities(lines)))
    }
}

/// The line with what the draft promises now. A draft promises nothing for good: what it says when it
/// is placed is the first promise.
fn promised(line: Line, draft: &Order) -> Line {
    Line { first_expected_date: draft.expected_date_of(&line), ..line }
}

fn changes(before: &Order, after: &Order) -> OrderChanges {
    fn changed<T: Clone + PartialEq>(before: &T, after: &T) -> Option<T> {
        if before == after { None } else { Some(after.clone()) }
    }
    let date = changed(&before.expected_date, &after.expected_date);
    OrderChanges {
        supplier: changed(&before.supplier, &after.supplier),
        supplier_reference: changed(&before.supplier_reference, &after.supplier_reference),
        note: changed(&before.note, &after.note),
        external_id: changed(&before.external_id, &after.external_id),
        charges: changed(&before.charges, &after.charges)
            .map(|charges| charges.iter().map(ChargeDetail::from).collect()),
        expected_date: date.map(|date| date.map(|date| date.to_string())),
        lines: None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::code::ProductId;
    use crate::domain::money::{Amount, UnitCost};
    use crate::domain::order::create::Price;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, date, quantity};
    use crate::domain::unit::Unit;

    /// An update that changes nothing.
    pub fn nothing(order: OrderId) -> UpdateOrder {
        UpdateOrder {
            order,
            etag: String::new(),
            supplier: None,
            supplier_reference: None,
            note: None,
            external_id: None,
            charges: None,
            expected_date: None,
            lines: None,
        }
    }

    /// A line of a product that costs 1.
    pub fn new_line(product: &str, ordered: &str) -> NewLine {
        NewLine {
            product: ProductId::new(product),
            description: product.to_owned(),
            gtin: None,
            supplier_product: None,
            note: None,
            unit: Unit::Each,
            quantity: quantity(ordered),
            pack_size: None,
            price: Price::Unit(UnitCost::from_scaled(1_000_000)),
            tolerance: None,
            lot_required: false,
            expected_date: None,
        }
    }

    #[test]
    fn fields_that_are_not_named_stay_and_fields_that_are_emptied_go() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        store.accept(UpdateOrder {
            note: Some(Some("ring twice".to_owned())),
            supplier_reference: Some(Some("A-1".to_owned())),
            ..nothing(order)
        });
        store.accept(UpdateOrder { note: Some(None), supplier: Some("other".to_owned()), ..nothing(order) });
        let header = store.header(order).clone();
        assert_eq!((header.note, header.supplier.as_str()), (None, "other"));
        assert_eq!((header.supplier_reference.as_deref(), header.revision), (Some("A-1"), 3));
        assert_eq!(store.event_details(), [r#"{"supplier":"other","note":null}"#]);
    }

    #[test]
    fn an_update_that_changes_nothing_has_no_event() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        for same in [
            nothing(order),
            UpdateOrder { note: Some(None), supplier: Some("acme".to_owned()), ..nothing(order) },
            UpdateOrder { lines: Some(vec![new_line("oak", "10")]), ..nothing(order) },
        ] {
            assert_eq!(store.accept(same), 0);
            assert_eq!((store.header(order).revision, store.decided.orders.len()), (1, 0));
        }
    }

    #[test]
    fn the_lines_of_a_draft_are_replaced_as_a_whole() {
        for (lines, expected) in [
            (&[("oak", "3")][..], &["oak: 3 ordered, 3 pending"][..]),
            (
                &[("elm", "1"), ("oak", "10"), ("ash", "5")],
                &["elm: 1 ordered, 1 pending", "oak: 10 ordered, 10 pending", "ash: 5 ordered, 5 pending"],
            ),
        ] {
            let mut store = TestStore::new();
            let order = store.draft(&["oak 10", "ash 5"]);
            let lines = lines.iter().map(|(product, ordered)| new_line(product, ordered)).collect();
            store.accept(UpdateOrder { lines: Some(lines), ..nothing(order) });
            assert_eq!(store.lines_of(order), expected);
        }
    }

    #[test]
    fn a_new_expected_date_is_the_first_promise_of_lines_without_their_own() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10", "ash 5"]);
        store.change_line(order, 2, |line| {
            line.expected_date = Some(date("2026-04-01"));
            line.first_expected_date = Some(date("2026-04-01"));
        });
        store.accept(UpdateOrder { expected_date: Some(Some(date("2026-03-10"))), ..nothing(order) });
        assert_eq!(store.line_of(order, 1).first_expected_date, Some(date("2026-03-10")));
        assert_eq!(store.line_of(order, 2).first_expected_date, Some(date("2026-04-01")));
        assert_eq!(store.event_details(), [r#"{"expected_date":"2026-03-10"}"#]);
    }

    #[test]
    fn what_may_be_changed_depends_on_the_state() {
        // For each state: only the note, and the expected date with the supplier.
        for (state, note, terms) in [
            (State::Draft, "", ""),
            (State::OnOrder, "", "FIELDS_FIXED"),
            (State::Receiving, "", "FIELDS_FIXED"),
            (State::Completed, "WRONG_STATE", "WRONG_STATE"),
            (State::Cancelled, "WRONG_STATE", "WRONG_STATE"),
        ] {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            let change_note = UpdateOrder { note: Some(Some("x".to_owned())), ..nothing(order) };
            let change_terms = UpdateOrder {
                expected_date: Some(None),
                supplier: Some("other".to_owned()),
                lines: None,
                ..nothing(order)
            };
            for (command, expected) in [(change_note, note), (change_terms, terms)] {
                match store.send(command) {
                    Ok(_) => assert_eq!(expected, "", "{state}"),
                    Err(refusal) => assert_eq!(refusal.reason(), expected, "{state}: {refusal}"),
                }
            }
        }
    }

    #[test]
    fn an_external_id_changes_in_every_state() {
        for state in State::ALL {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            let named = |id: Option<&str>| UpdateOrder { external_id: Some(id.map(str::to_owned)), ..nothing(order) };
            store.accept(named(Some("erp-7")));
            assert_eq!(store.header(order).external_id.as_deref(), Some("erp-7"), "{state}");
            assert_eq!(store.event_details(), [r#"{"external_id":"erp-7"}"#]);
            assert_eq!(store.accept(named(Some("erp-7"))), 0);
            let other = store.draft(&["oak 1"]);
            assert_eq!(store.refuse(UpdateOrder { order: other, ..named(Some("erp-7")) }), "EXTERNAL_ID_EXISTS");
            store.accept(named(None));
            store.accept(UpdateOrder { order: other, ..named(Some("erp-7")) });
        }
    }

    #[test]
    fn the_charges_of_a_draft_are_replaced_as_a_whole() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        let freight = Charge { description: "freight".to_owned(), amount: Amount::parse("12.5").unwrap() };
        store.accept(UpdateOrder { charges: Some(vec![freight.clone()]), ..nothing(order) });
        assert_eq!(store.header(order).charges_cost().to_string(), "12.5");
        assert_eq!(store.event_details(), [r#"{"charges":[{"description":"freight","amount":"12.5"}]}"#]);
        let too_much = Charge { amount: Amount::MAX, ..freight };
        let text = store.refusal_text(UpdateOrder { charges: Some(vec![too_much]), ..nothing(order) });
        assert_eq!(text, "lines make the order worth more than 100000000000 with its charges");
        store.accept(UpdateOrder { charges: Some(Vec::new()), ..nothing(order) });
        assert_eq!(store.header(order).charges, []);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let mut line = new_line("oak", "1");
        line.unit = Unit::Kilogram;
        let mut command = UpdateOrder {
            etag: "9".to_owned(),
            supplier: Some("other".to_owned()),
            lines: Some(vec![line]),
            ..nothing(NO_SUCH_ORDER)
        };
        store.call_with(&[Permission::View]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = order;
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag = "1".to_owned();
        assert_eq!(
            store.refusal_text(command.clone()),
            "purchase order PO-000001 is ON_ORDER: supplier_id, lines can be changed only while it is a DRAFT, \
             note and supplier_reference also now"
        );
        store.change_order(order, |order| order.state = State::Draft);
        assert_eq!(store.refusal_text(command.clone()), "lines[0].unit is KILOGRAM, but this store counts oak in EACH");
        command.lines = Some(vec![new_line("oak", "1")]);
        store.accept(command);
    }

    #[test]
    fn a_note_on_a_placed_order_leaves_its_lines_and_what_was_promised() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        // A back order has the first promise of its parent, which is not its own date.
        store.change_line(order, 1, |line| line.first_expected_date = Some(date("2026-02-01")));
        let change = UpdateOrder { note: Some(Some("ring twice".to_owned())), ..nothing(order) };
        assert_eq!(store.envelope(change.clone()).needs().iter().count(), 0, "no line is loaded for it");
        store.accept(change);
        assert_eq!(store.line_of(order, 1).first_expected_date, Some(date("2026-02-01")));
        assert_eq!(store.event_details(), [r#"{"note":"ring twice"}"#]);
    }
}
