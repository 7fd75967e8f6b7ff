//! CopyPurchaseOrder: a draft is made of the lines of an order, to order the same again or what was cancelled of it.
//!
//! A copy is planning: dates, references, notes and charges were about the order that it is made of, and are not
//! copied. The order itself does not change and has no event.

use super::actions::Action;
use super::create::{CreateOrder, NewLine, Price};
use super::{Line, OrderId};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::Refusal;

/// Makes a draft of the lines of an order.
#[derive(Clone, Debug)]
pub struct CopyOrder {
    /// The order whose lines are copied, in any state.
    pub source: OrderId,
    /// Copies what was cancelled of each line, in place of what is ordered.
    pub cancelled_only: bool,
}

impl Command for CopyOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Copy.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        // The order stays as it is, so nobody has to have seen its last change.
        vec![Target::order(self.source, "", Action::Copy)]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::AllLines(self.source));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let source = changeset.order(self.source)?;
        let mut lines = Vec::new();
        for line in changeset.all_lines(&source)? {
            let quantity = self.quantity_of(&line);
            if quantity.is_positive() {
                lines.push(copy_of(line, quantity));
            }
        }
        // The gate has judged what is ordered. Of what was cancelled there may be nothing.
        if lines.is_empty() {
            return Err(Refusal::NothingToCopy(source.number));
        }
        let draft = CreateOrder {
            supplier: source.supplier,
            supplier_reference: None,
            note: None,
            external_id: None,
            charges: Vec::new(),
            currency: None,
            expected_date: None,
            lines,
        };
        // Units and levels need no check: the products have been on lines of this store in the same units.
        draft.put_draft(changeset, Some(self.source))
    }
}

impl CopyOrder {
    const fn quantity_of(&self, line: &Line) -> Quantity {
        if self.cancelled_only { line.quantities.cancelled } else { line.quantities.ordered }
    }
}

/// The line as it is ordered anew, without its dates.
fn copy_of(line: Line, quantity: Quantity) -> NewLine {
    NewLine {
        price: Price::of(&line),
        product: line.product,
        description: line.description,
        gtin: line.gtin,
        supplier_product: line.supplier_product,
        note: line.note,
        unit: line.unit,
        quantity,
        pack_size: line.pack_size,
        tolerance: line.tolerance,
        lot_required: line.lot_required,
        expected_date: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::money::UnitCost;
    use crate::domain::order::State;
    use crate::domain::order::tolerance::Tolerance;
    use crate::domain::testing::{FIRST_NEW_ORDER, NO_SUCH_ORDER, TestStore, date, quantity};

    fn copy(source: OrderId) -> CopyOrder {
        CopyOrder { source, cancelled_only: false }
    }

    fn cancelled(source: OrderId) -> CopyOrder {
        CopyOrder { source, cancelled_only: true }
    }

    /// 10 oak of which 4 came and 6 were cancelled, and nothing of ash.
    fn completed() -> (TestStore, OrderId) {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 0", "elm 3"]);
        store.receipt(order, &[(1, "4", "0"), (3, "3", "0")]);
        store.change_line(order, 1, |line| {
            (line.quantities.cancelled, line.quantities.pending) = (quantity("6"), Quantity::ZERO);
        });
        store.change_order(order, |order| order.state = State::Completed);
        (store, order)
    }

    #[test]
    fn a_draft_orders_the_same_again_or_what_was_cancelled() {
        for (command, lines) in [
            (copy as fn(OrderId) -> CopyOrder, &["oak: 10 ordered, 10 pending", "elm: 3 ordered, 3 pending"][..]),
            (cancelled, &["oak: 6 ordered, 6 pending"]),
        ] {
            let (mut store, order) = completed();
            let before = store.header(order).clone();
            store.accept(command(order));
            let draft = store.header(FIRST_NEW_ORDER);
            assert_eq!((draft.state, draft.number.as_str(), draft.revision), (State::Draft, "PO-000002", 1));
            assert_eq!((draft.parent, draft.root), (None, FIRST_NEW_ORDER));
            assert_eq!(store.lines_of(FIRST_NEW_ORDER), lines);
            assert_eq!(store.events(), ["ORDER_CREATED"]);
            assert_eq!(*store.header(order), before, "the order itself stays as it was");
        }
    }

    #[test]
    fn an_order_is_copied_in_every_state() {
        for state in State::ALL {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            store.accept(copy(order));
            assert_eq!(store.lines_of(FIRST_NEW_ORDER), ["oak: 10 ordered, 10 pending"], "{state}");
        }
    }

    #[test]
    fn what_describes_a_line_is_copied_and_what_was_about_the_order_is_not() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 12"]);
        store.change_line(order, 1, |line| {
            line.pack_size = Some(quantity("12"));
            (line.pack_cost, line.unit_cost) = (UnitCost::parse("10"), UnitCost::parse("0.833333").unwrap());
            line.gtin = Some("4006381333931".to_owned());
            (line.supplier_product, line.note) = (Some("M-7".to_owned()), Some("ripe".to_owned()));
            (line.tolerance, line.lot_required) = (Tolerance::parse("5"), true);
            (line.expected_date, line.first_expected_date) = (Some(date("2026-03-09")), Some(date("2026-03-08")));
            line.carried_over = true;
        });
        store.change_order(order, |order| {
            (order.note, order.supplier_reference) = (Some("ring twice".to_owned()), Some("R-1".to_owned()));
            (order.external_id, order.expected_date) = (Some("erp-1".to_owned()), Some(date("2026-03-09")));
        });
        store.accept(copy(order));
        let (from, to) = (store.line_of(order, 1).clone(), store.line_of(FIRST_NEW_ORDER, 1).clone());
        let expected = Line {
            key: to.key.clone(),
            expected_date: None,
            first_expected_date: None,
            carried_over: false,
            due_date: None,
            ..from
        };
        assert_eq!(to, expected);
        let draft = store.header(FIRST_NEW_ORDER);
        assert_eq!((&draft.note, &draft.supplier_reference, &draft.external_id), (&None, &None, &None));
        assert_eq!((draft.expected_date, draft.supplier.as_str(), draft.charges.len()), (None, "acme", 0));
        assert_eq!(draft.counters.ordered_cost, store.header(order).counters.ordered_cost);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 0"]);
        store.call_with(&[Permission::View]);
        assert_eq!(store.refuse(copy(NO_SUCH_ORDER)), "PERMISSION_MISSING");
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(copy(NO_SUCH_ORDER)), "PURCHASE_ORDER_NOT_FOUND");
        assert_eq!(store.refusal_text(copy(order)), "nothing of purchase order PO-000001 is there to be copied");
        let ordered = store.on_order(&["oak 1"]);
        assert_eq!(store.refuse(cancelled(ordered)), "NOTHING_TO_COPY");
        assert_eq!(store.row().last_order_number, 2, "a refused copy takes no number");
    }
}
