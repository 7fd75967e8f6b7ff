//! PlacePurchaseOrder: a draft becomes an order to its supplier. From here on its quantities count as on order, and
//! what was agreed with the supplier changes by amendments and confirmations alone.

use super::actions::Action;
use super::{Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::changeset::Changeset;
use crate::domain::command::{Command, Target};
use crate::domain::event::Detail;
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Refusal, TruncatedList};
use crate::domain::time::{TimeZone, Timestamp};

/// How many years back an order may have been made.
const MAX_YEARS: i16 = 10;

/// Places a draft: from then on its quantities are on order.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    /// The order to place; it must be a draft with a quantity on every line.
    pub order: OrderId,
    /// The etag of the order as the caller last saw it; empty skips the comparison.
    pub etag: String,
    /// When the goods were ordered from the supplier, if that was before now; at most [`MAX_YEARS`]
    /// ago.
    pub order_time: Option<Timestamp>,
}

impl Command for PlaceOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Place.permission())
    }

    fn targets(&self) -> Vec<Target<'_>> {
        vec![Target::order(self.order, &self.etag, Action::Place)]
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::AllLines(self.order));
    }

    fn decide(&self, changeset: &mut Changeset<'_>) -> Result<Outcome, Refusal> {
        let order = changeset.order(self.order)?;
        let order_time = order_time(self.order_time, changeset.now(), &changeset.store()?.time_zone)?;
        let lines = changeset.all_lines(&order)?;
        check_quantities(&lines)?;
        check_dates(changeset, &order, &lines, order_time)?;
        // The lines stay as they are, but what they add to levels changes with the state of the order.
        for line in lines {
            changeset.put_line(line);
        }
        // What was first ordered and promised is on the lines of a draft already.
        let placed = Order {
            state: State::OnOrder,
            order_time: Some(order_time),
            place_time: Some(changeset.now()),
            placed_by: Some(changeset.caller().clone()),
            original_order_time: Some(order_time),
            ..order
        };
        let event = changeset.put_order(placed, Detail::OrderPlaced { order_time: order_time.micros() })?;
        Ok(Outcome::order_changed(event, self.order))
    }
}

/// When it was ordered: now, or at the time in the past that the caller says, at most [`MAX_YEARS`]
/// back by the calendar of the store. A time further back is most likely a typing error.
fn order_time(stated: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, Refusal> {
    let Some(stated) = stated else { return Ok(now) };
    if stated > now {
        let rule = format_args!("is {stated}, but it is only {now} now");
        return Err(Refusal::invalid_for_stored_data("order_time", rule));
    }
    let first = zone.date_at(now).years_before(MAX_YEARS);
    if zone.date_at(stated) < first {
        let rule = format_args!("is {stated}, before {first}: at most {MAX_YEARS} years back are allowed");
        return Err(Refusal::invalid_for_stored_data("order_time", rule));
    }
    Ok(stated)
}

/// Refuses lines that order nothing: they are allowed on a draft, as lines to be filled in later.
fn check_quantities(lines: &[Line]) -> Result<(), Refusal> {
    let empty = lines.iter().filter(|line| !line.quantities.ordered.is_positive());
    match TruncatedList::of_nonempty(empty.map(|line| line.key.number).collect()) {
        Some(lines) => Err(Refusal::LinesWithoutQuantity(lines)),
        None => Ok(()),
    }
}

/// Refuses lines that are expected before the day on which they are ordered: one of the two dates is
/// wrong, and which one only the caller knows.
fn check_dates(changeset: &Changeset<'_>, order: &Order, lines: &[Line], order_time: Timestamp) -> Result<(), Refusal> {
    let order_date = changeset.store()?.time_zone.date_at(order_time);
    let early = lines.iter().filter(|line| order.expected_date_of(line).is_some_and(|date| date < order_date));
    match TruncatedList::of_nonempty(early.map(|line| line.key.number).collect()) {
        Some(lines) => Err(Refusal::ExpectedDatePassed { lines, order_date: order_date.to_string() }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::access::Permission;
    use crate::domain::order::Quantities;
    use crate::domain::quantity::Quantity;
    use crate::domain::testing::{NO_SUCH_ORDER, TestStore, at, date, quantity};

    fn place(order: OrderId, order_time: Option<&str>) -> PlaceOrder {
        PlaceOrder { order, etag: String::new(), order_time: order_time.map(at) }
    }

    #[test]
    fn a_placed_order_is_on_order_since_now_or_since_it_was_made() {
        for (told, order_time) in
            [(None, "2026-03-02T09:00:00Z"), (Some("2026-02-27T15:00:00Z"), "2026-02-27T15:00:00Z")]
        {
            let mut store = TestStore::new();
            let order = store.draft(&["oak 10", "oak 2"]);
            store.accept(place(order, told));
            let header = store.header(order);
            assert_eq!((header.state, header.revision), (State::OnOrder, 2));
            assert_eq!((header.order_time, header.place_time), (Some(at(order_time)), Some(store.now)));
            assert_eq!(header.original_order_time, header.order_time);
            assert_eq!(store.level("oak"), "12 on order");
            assert_eq!(store.events(), ["ORDER_PLACED"]);
        }
    }

    #[test]
    fn the_stores_clock_never_runs_behind_its_last_event() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        store.now = at("2026-02-01T09:00:00Z");
        store.accept(place(order, None));
        assert_eq!(store.header(order).order_time, Some(at("2026-03-01T09:00:00Z")));
    }

    #[test]
    fn only_a_draft_is_placed() {
        for state in [State::OnOrder, State::Receiving, State::Completed, State::Cancelled] {
            let mut store = TestStore::new();
            let order = store.order_in(state);
            let text = store.refusal_text(place(order, None));
            assert_eq!(text, format!("purchase order PO-000001 is {state}: only a DRAFT is placed"));
        }
    }

    #[test]
    fn what_is_on_order_of_a_product_stays_within_its_limit() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 10"]);
        let before = store.on_order(&["oak 1"]);
        // Beyond what a request can say, so that two lines are enough.
        store.change_line(before, 1, |line| line.quantities.pending = Quantity::MAX_LEVEL);
        assert_eq!(store.refuse(place(order, None)), "LEVEL_OUT_OF_RANGE");
    }

    #[test]
    fn refusals_come_in_their_order() {
        let mut store = TestStore::new();
        let order = store.draft(&["oak 0", "ash 1", "elm 0"]);
        store.change_order(order, |order| {
            order.state = State::OnOrder;
            order.expected_date = Some(date("2026-03-01"));
        });
        let mut command = place(NO_SUCH_ORDER, Some("2026-03-02T09:00:01Z"));
        command.etag = "9".to_owned();
        store.call_with(&[Permission::Edit]);
        assert_eq!(store.refuse(command.clone()), "PERMISSION_MISSING");
        store.call_with(&[Permission::Place]);
        assert_eq!(store.refuse(command.clone()), "PURCHASE_ORDER_NOT_FOUND");
        command.order = order;
        assert_eq!(store.refuse(command.clone()), "ETAG_MISMATCH");
        command.etag = "1".to_owned();
        assert_eq!(store.refuse(command.clone()), "WRONG_STATE");
        store.change_order(order, |order| order.state = State::Draft);
        assert_eq!(store.refuse(command.clone()), "INVALID_FOR_STORED_DATA");
        command.order_time = None;
        assert_eq!(
            store.refusal_text(command.clone()),
            "nothing is ordered on lines 1, 3: give every line a quantity before the order is placed"
        );
        for number in [1, 3] {
            store.change_line(order, number, |line| line.quantities = Quantities::ordered(quantity("2")));
        }
        assert_eq!(
            store.refusal_text(command.clone()),
            "the goods of lines 1, 2, 3 are expected before the order's date, 2026-03-02: \
             correct the expected dates or order_time"
        );
        // An order that was made before its expected date is fine.
        command.order_time = Some(at("2026-03-01T12:00:00Z"));
        store.accept(command);
    }

    #[test]
    fn an_order_was_made_at_most_ten_years_ago_by_the_stores_calendar() {
        let (amsterdam, utc) = (TimeZone::parse("Europe/Amsterdam").unwrap(), TimeZone::parse("UTC").unwrap());
        let now = at("2026-03-02T09:00:00Z");
        assert_eq!(order_time(None, now, &utc), Ok(now));
        for (zone, told, rule) in [
            (&utc, "2026-03-02T09:00:00Z", None),
            (
                &utc,
                "2026-03-02T09:00:00.000001Z",
                Some("is 2026-03-02T09:00:00.000001Z, but it is only 2026-03-02T09:00:00Z now"),
            ),
            (&utc, "2016-03-02T00:00:00Z", None),
            (&amsterdam, "2016-03-01T23:00:00Z", None),
            (
                &utc,
                "2016-03-01T23:59:59.999999Z",
                Some("is 2016-03-01T23:59:59.999999Z, before 2016-03-02: at most 10 years back are allowed"),
            ),
            (
                &utc,
                "0206-03-02T09:00:00Z",
                Some("is 0206-03-02T09:00:00Z, before 2016-03-02: at most 10 years back are allowed"),
            ),
        ] {
            let expected = match rule {
                None => Ok(at(told)),
                Some(rule) => Err(Refusal::invalid_for_stored_data("order_time", rule)),
            };
            assert_eq!(order_time(Some(at(told)), now, zone), expected, "{told}");
        }
    }
}
