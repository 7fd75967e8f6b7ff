//! PlacePurchaseOrder: a draft is set on order.

use std::fmt;

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

/// A draft to set on order.
#[derive(Clone, Debug)]
pub struct PlaceOrder {
    /// Which.
    pub order: OrderId,
    /// Its etag as the caller saw it, or empty.
    pub etag: String,
    /// When it was ordered, if that was before now.
    pub order_time: Option<Timestamp>,
}

impl Command for PlaceOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Place.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Place))
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
        lines.into_iter().for_each(|line| changeset.put_line(line));
        let placed = Order {
            state: State::OnOrder,
            order_time: Some(order_time),
            place_time: Some(changeset.now()),
            original_order_time: Some(order_time),
            ..order
        };
        let event = changeset.put_order(placed, Detail::OrderPlaced { order_time: order_time.micros() })?;
        Ok(Outcome::order_changed(event, self.order))
    }
}

/// When it was ordered: now, or at a time told that lies in the past, at most [`MAX_YEARS`] back by the
/// store's calendar.
fn order_time(told: Option<Timestamp>, now: Timestamp, zone: &TimeZone) -> Result<Timestamp, Refusal> {
    let Some(told) = told else { return Ok(now) };
    let first = zone.date_at(now).years_before(MAX_YEARS);
    let refused = |rule: fmt::Arguments<'_>| Err(Refusal::invalid_for_stored_data("order_time", rule));
    match told {
        _ if told > now => refused(format_args!("is {told}, but it is only {now} now")),
        _ if zone.date_at(told) < first => {
            refused(format_args!("is {told}, before {first}: at most {MAX_YEARS} years back are allowed"))
        }
        _ => Ok(told),
    }
}

fn check_quantities(lines: &[Line]) -> Result<(), Refusal> {
    let empty = lines.iter().filter(|line| !line.quantities.ordered.is_positive());
    let empty = empty.map(|line| line.key.number).collect();
    TruncatedList::of_nonempty(empty).map_or(Ok(()), |lines| Err(Refusal::LinesWithoutQuantity(lines)))
}

fn check_dates(changeset: &Changeset<'_>, order: &Order, lines: &[Line], order_time: Timestamp) -> Result<(), Refusal> {
    let order_date = changeset.store()?.time_zone.date_at(order_time);
    let passed = lines.iter().filter(|line| order.expected_date_of(line).is_some_and(|date| date < order_date));
    let passed = passed.map(|line| line.key.number).collect();
    let refusal = |lines| Err(Refusal::ExpectedDatePassed { lines, order_date: order_date.to_string() });
    TruncatedList::of_nonempty(passed).map_or(Ok(()), refusal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_was_made_at_most_ten_years_ago_by_the_stores_calendar() {
        let at = |text: &str| Timestamp::from_micros(text.parse::<jiff::Timestamp>().unwrap().as_microsecond());
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
