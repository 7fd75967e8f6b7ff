//! PlacePurchaseOrder: a draft is set on order.

use super::actions::Action;
use super::{Line, Order, OrderId, State};
use crate::domain::access::Requirement;
use crate::domain::draft::Draft;
use crate::domain::event::Detail;
use crate::domain::mutation::{Mutation, Target};
use crate::domain::needs::{Need, Needs};
use crate::domain::outcome::Outcome;
use crate::domain::refusal::{Listed, Refusal};
use crate::domain::time::Timestamp;

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

impl Mutation for PlaceOrder {
    fn requires(&self) -> Requirement {
        Requirement::Permission(Action::Place.permission())
    }

    fn target(&self) -> Option<Target<'_>> {
        Some(Target::order(self.order, &self.etag, Action::Place))
    }

    fn needs(&self, needs: &mut Needs) {
        needs.add(Need::AllLines(self.order));
    }

    fn decide(&self, draft: &mut Draft<'_>) -> Result<Outcome, Refusal> {
        let order = draft.order(self.order)?;
        let order_time = self.order_time(draft.now())?;
        let lines = draft.all_lines(&order)?;
        check_quantities(&lines)?;
        check_dates(draft, &order, &lines, order_time)?;
        lines.into_iter().for_each(|line| draft.put_line(line));
        let placed = Order {
            state: State::OnOrder,
            order_time: Some(order_time),
            place_time: Some(draft.now()),
            original_order_time: Some(order_time),
            ..order
        };
        let event = draft.put_order(placed, Detail::OrderPlaced { order_time: order_time.micros() })?;
        Ok(Outcome::order_changed(event, self.order))
    }
}

impl PlaceOrder {
    fn order_time(&self, now: Timestamp) -> Result<Timestamp, Refusal> {
        match self.order_time {
            Some(told) if told > now => {
                Err(Refusal::invalid_for_stored_data("order_time", format!("is {told}, but it is only {now} now")))
            }
            told => Ok(told.unwrap_or(now)),
        }
    }
}

fn check_quantities(lines: &[Line]) -> Result<(), Refusal> {
    let empty = lines.iter().filter(|line| !line.quantities.ordered.is_positive());
    let empty = empty.map(|line| line.key.number).collect();
    Listed::some(empty).map_or(Ok(()), |lines| Err(Refusal::LinesWithoutQuantity(lines)))
}

fn check_dates(draft: &Draft<'_>, order: &Order, lines: &[Line], order_time: Timestamp) -> Result<(), Refusal> {
    let order_date = draft.store()?.time_zone.date_at(order_time);
    let passed = lines.iter().filter(|line| order.expected_date_of(line).is_some_and(|date| date < order_date));
    let passed = passed.map(|line| line.key.number).collect();
    let refusal = |lines| Err(Refusal::ExpectedDatePassed { lines, order_date: order_date.to_string() });
    Listed::some(passed).map_or(Ok(()), refusal)
}
