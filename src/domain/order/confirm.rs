//! ConfirmPurchaseOrder: what the supplier has confirmed of an order, by quantity and date. A confirmation commits nobody
//! in the store: a line that is confirmed short shows by how much, and stays ordered as it is until somebody amends or
//! cancels it.

use std::collections::BTreeSet;

use super::actions::Action;
use super::expected_date::{check_date, order_date};
use super::{Line, Order, OrderId};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::{ConfirmedLine, Detail};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::{LinesChanged, Outcome};
use crate::domain::pack::StatedQuantity;
use crate::domain::quantity::Quantity;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::Date;

/// Records what the supplier has confirmed of an order that is ON_ORDER or RECEIVING.
#[derive(Clone, Debug)]
pub struct ConfirmOrder {
    /// The order that is confirmed.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// What is confirmed of single lines, each at most once.
    pub lines: Vec<LineConfirmation>,
    /// Whether every line that is not named is confirmed as it is ordered.
    pub confirms_rest: bool,
    /// When the confirmed lines without a date of their own are expected; none leaves their dates as they are.
    pub expected_date: Option<Date>,
}

/// What is confirmed of one line.
#[derive(Clone, Debug, Default)]
pub struct LineConfirmation {
    /// The number of the line on the order.
    pub line: i32,
    /// How much is confirmed, received goods included; what is wanted of it where nothing is said.
    pub quantity: StatedQuantity,
    /// When it is expected, if that is not the date of the whole confirmation.
    pub expected_date: Option<Date>,
}

impl Command for ConfirmOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Confirm.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Confirm)]
    }

    fn needs(&self, needs: &mut Needs) {
        if self.confirms_rest {
            needs.add(Need::AllLines(self.order));
        }
        needs.extend(self.lines.iter().map(|named| Need::Line(self.order, named.line)));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let named = changeset.lines(&order, self.lines.iter().map(|named| named.line))?;
        let mut violations = Violations::default();
        let order_date = order_date(changeset, &order)?;
        check_date(order_date, self.expected_date, "expected_date", &mut violations);
        let mut lines = Vec::with_capacity(named.len());
        // Each line is named once, and the lines come in the order of the request.
        for (index, (confirmation, line)) in self.lines.iter().zip(named).enumerate() {
            let field = format_args!("lines[{index}].expected_date");
            check_date(order_date, confirmation.expected_date, field, &mut violations);
            let quantity = confirmation.quantity_for(index, &line, &mut violations);
            lines.push((self.confirmed(&line, quantity, confirmation.expected_date), line));
        }
        violations.or_refuse(Refusal::InvalidForStoredData)?;
        if self.confirms_rest {
            lines.extend(self.rest(changeset, &order)?);
        }
        self.put(changeset, order, lines)
    }
}

impl ConfirmOrder {
    /// Every line that is not named, as it is and as it is confirmed; without those of which nothing is wanted.
    fn rest(&self, changeset: &Changeset<'_>, order: &Order) -> Result<Vec<(Line, Line)>, Refusal> {
        let named: BTreeSet<i32> = self.lines.iter().map(|named| named.line).collect();
        let mut rest = Vec::new();
        for line in changeset.all_lines(order)? {
            let quantity = wanted(&line);
            // Of a line that is cancelled or that only a receipt has added, there is nothing to confirm.
            if !named.contains(&line.key.number) && quantity.is_positive() {
                rest.push((self.confirmed(&line, quantity, None), line));
            }
        }
        Ok(rest)
    }

    fn confirmed(&self, line: &Line, quantity: Quantity, own_date: Option<Date>) -> Line {
        let date = own_date.or(self.expected_date);
        Line {
            confirmed: Some(quantity),
            expected_date: date.or(line.expected_date),
            // The first date that a placed line has is its first promise, also if it is the supplier who names it.
            first_expected_date: line.first_expected_date.or(date),
            ..line.clone()
        }
    }

    /// Puts the lines that change, each given as it is confirmed and as it was. If none does, there is no event.
    fn put(&self, changeset: &mut Changeset<'_>, order: Order, lines: Vec<(Line, Line)>) -> Result<Outcome, Refusal> {
        let mut shown: BTreeSet<i32> = self.lines.iter().map(|named| named.line).collect();
        let mut details = Vec::new();
        for (confirmed, before) in lines {
            if confirmed == before {
                continue;
            }
            shown.insert(confirmed.key.number);
            details.push(detail(&confirmed, &before));
            changeset.replace_line(confirmed)?;
        }
        details.sort_by_key(|detail| detail.line);
        let event = match details.is_empty() {
            true => 0,
            false => {
                // What the supplier has promised of a back order would be lost if it were folded back.
                let order = Order { terms_changed: true, ..order };
                changeset.put_order(order, Detail::OrderConfirmed { lines: details })?
            }
        };
        Ok(Outcome::LinesChanged(LinesChanged { event, order: self.order, lines: shown.into_iter().collect() }))
    }
}

impl LineConfirmation {
    /// How much is confirmed. What is returned with a violation is not used.
    fn quantity_for(&self, index: usize, line: &Line, violations: &mut Violations) -> Quantity {
        if self.quantity == StatedQuantity::default() {
            return wanted(line);
        }
        match self.quantity.resolve(line.pack_size) {
            Ok(quantity) => {
                if !line.admits(quantity) {
                    let rule = format_args!("is {quantity} in units, but {} is counted in whole units", line.product);
                    violations.add(format_args!("lines[{index}].{}", self.quantity.field()), rule);
                }
                quantity
            }
            Err(violation) => {
                violations.add(format_args!("lines[{index}].packs"), violation);
                Quantity::ZERO
            }
        }
    }
}

/// What is wanted of a line: what is ordered without what was cancelled.
fn wanted(line: &Line) -> Quantity {
    (line.quantities.ordered - line.quantities.cancelled).or_nothing()
}

fn detail(confirmed: &Line, before: &Line) -> ConfirmedLine {
    ConfirmedLine {
        line: confirmed.key.number,
        confirmed: confirmed.confirmed.unwrap_or_default().to_string(),
        expected_date: confirmed
            .expected_date
            .filter(|date| before.expected_date != Some(*date))
            .map(|date| date.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::order::State;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, date, quantity};

    fn confirm(order: OrderId, lines: Vec<LineConfirmation>) -> ConfirmOrder {
        ConfirmOrder { order, etag: String::new(), lines, confirms_rest: false, expected_date: None }
    }

    /// Confirms so much of a line, or with an empty quantity what is wanted, for a date if there is one.
    fn line(line: i32, text: &str, on: &str) -> LineConfirmation {
        let units = (!text.is_empty()).then(|| quantity(text));
        let expected_date = (!on.is_empty()).then(|| date(on));
        LineConfirmation { line, quantity: StatedQuantity { units, packs: None }, expected_date }
    }

    /// What is confirmed of each line, and what is missing of it.
    fn confirmed(store: &TestStore, order: OrderId, lines: i32) -> Vec<(Option<String>, String)> {
        let of = |number| {
            let line = store.line_of(order, number);
            (line.confirmed.map(|confirmed| confirmed.to_string()), line.shortfall().to_string())
        };
        (1..=lines).map(of).collect()
    }

    #[test]
    fn what_is_confirmed_stands_beside_what_is_ordered() {
        let some = |text: &str| Some(text.to_owned());
        for (lines, rest, expected) in [
            (vec![line(1, "8", "")], false, [(some("8"), "0"), (None, "0"), (None, "0")]),
            (vec![line(1, "7.0", "")], true, [(some("7"), "1"), (some("5"), "0"), (None, "0")]),
            (vec![line(1, "", ""), line(2, "6", "")], false, [(some("8"), "0"), (some("6"), "0"), (None, "0")]),
            (vec![line(1, "0", ""), line(3, "", "")], false, [(some("0"), "8"), (None, "0"), (some("0"), "0")]),
            (vec![], true, [(some("8"), "0"), (some("5"), "0"), (None, "0")]),
        ] {
            // Of 10 oak 2 are cancelled, and nothing is wanted of the elm.
            let mut store = TestStore::new();
            let order = store.on_order(&["oak 10", "ash 5", "elm 0"]);
            store.change_line(order, 1, |line| {
                line.quantities.cancelled = quantity("2");
                line.quantities.balance();
            });
            let before = store.lines_of(order);
            store.accept(ConfirmOrder { confirms_rest: rest, ..confirm(order, lines) });
            let expected = expected.map(|(confirmed, shortfall)| (confirmed, shortfall.to_owned()));
            assert_eq!(confirmed(&store, order, 3), expected);
            assert_eq!((store.lines_of(order), store.header(order).state), (before, State::OnOrder));
            assert_eq!(store.events(), ["ORDER_CONFIRMED"]);
            assert!(store.header(order).terms_changed, "a back order like this is not folded back");
        }
    }

    #[test]
    fn a_confirmed_date_is_expected_and_the_first_is_kept() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10", "ash 5"]);
        let (ninth, tenth) = (Some(date("2026-03-09")), Some(date("2026-03-10")));
        let dates = |store: &TestStore| {
            [1, 2].map(|number| {
                let line = store.line_of(order, number);
                (line.expected_date, line.first_expected_date)
            })
        };
        store.accept(ConfirmOrder {
            expected_date: ninth,
            confirms_rest: true,
            ..confirm(order, vec![line(2, "4", "2026-03-10")])
        });
        assert_eq!(dates(&store), [(ninth, ninth), (tenth, tenth)]);
        assert_eq!(
            store.event_details(),
            [
                r#"{"lines":[{"line":1,"confirmed":"10","expected_date":"2026-03-09"},{"line":2,"confirmed":"4","expected_date":"2026-03-10"}]}"#
            ]
        );
        store.accept(confirm(order, vec![line(1, "10", "2026-03-20"), line(2, "5", "")]));
        assert_eq!(dates(&store), [(Some(date("2026-03-20")), ninth), (tenth, tenth)]);
        assert_eq!(store.accept(confirm(order, vec![line(1, "", "2026-03-20")])), 0, "it says the same");
    }

    #[test]
    fn what_does_not_fit_its_line_is_refused_by_its_path() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        for (named, refused) in [
            (line(1, "0.5", ""), "lines[0].quantity is 0.5 in units, but oak is counted in whole units"),
            (line(1, "", "2026-02-27"), "lines[0].expected_date is 2026-02-27, before the order's date, 2026-02-28"),
        ] {
            assert_eq!(store.refusal_text(confirm(order, vec![named])), refused);
        }
        let early =
            ConfirmOrder { expected_date: Some(date("2026-02-27")), confirms_rest: true, ..confirm(order, Vec::new()) };
        assert_eq!(store.refusal_text(early), "expected_date is 2026-02-27, before the order's date, 2026-02-28");
        let mut in_packs = line(1, "", "");
        in_packs.quantity.packs = Some(quantity("2"));
        assert_eq!(
            store.refusal_text(confirm(order, vec![in_packs.clone()])),
            "lines[0].packs is given, but the line has no pack_size"
        );
        store.change_line(order, 1, |line| line.pack_size = Some(quantity("4")));
        store.accept(confirm(order, vec![in_packs]));
        assert_eq!(confirmed(&store, order, 1), [(Some("8".to_owned()), "2".to_owned())]);
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let mut command = confirm(NO_SUCH_ORDER, vec![line(7, "0.5", "")]);
        command.etag = "9".to_owned();
        store.call_with(&[Permission::Place]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = store.draft(&["oak 10"]);
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag.clear();
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
        command.order = store.on_order(&["oak 10"]);
        assert_eq!(store.refuse(command.clone()), "LINE_NOT_FOUND");
        command.lines[0].line = 1;
        assert_eq!(store.refuse(command), "INVALID_FOR_STORED_DATA");
    }
}
