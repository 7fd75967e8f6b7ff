//! What became of the lines of an original order over its whole chain of back orders. A read computes it
//! from the orders of the chain; no command needs it.

use crate::domain::code::ProductId;
use crate::domain::quantity::Quantity;
use crate::domain::time::{TimeZone, Timestamp};
use crate::domain::unit::Unit;

/// One line, summed up over all orders of its chain. `first_ordered + amended + excess =
/// received + cancelled + pending`: what was back-ordered is counted on the order that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainLine {
    /// The number of the line, the same on every order of the chain.
    pub number: i32,
    /// The product of the line, the same on every order of the chain.
    pub product: ProductId,
    /// The description that people read, as on the first order that has the line.
    pub description: String,
    /// The unit that its quantities count.
    pub unit: Unit,
    /// What was ordered on the first order that has the line, when that was placed.
    pub first_ordered: Quantity,
    /// By how much amendments have changed that on all orders of the chain together; may be below zero.
    pub amended: Quantity,
    /// What was accepted on all orders of the chain together.
    pub received: Quantity,
    /// What was rejected on all orders of the chain together; no part of the equation.
    pub rejected: Quantity,
    /// The part of `received` whose orders are completed, so that it is in stock.
    pub on_hand: Quantity,
    /// What went back to the supplier on all orders of the chain together; `received` still counts it.
    pub returned: Quantity,
    /// What was received beyond what was wanted, on all orders of the chain together.
    pub excess: Quantity,
    /// What was cancelled on all orders of the chain together.
    pub cancelled: Quantity,
    /// What is still to be delivered on the last order of the chain.
    pub pending: Quantity,
    /// The earliest time at which any order of the chain received it.
    pub first_receive_time: Option<Timestamp>,
    /// The latest time at which any order of the chain received it.
    pub last_receive_time: Option<Timestamp>,
    /// When the original order of the chain was ordered from the supplier; `None` as long as it is a draft.
    pub original_order_time: Option<Timestamp>,
}

impl ChainLine {
    /// How many days of the store's calendar the supplier took, from the original order to the last receipt of the
    /// line; `None` if none came.
    pub fn days_to_last_receipt(&self, zone: &TimeZone) -> Option<i32> {
        let days = zone.date_at(self.last_receive_time?).days_since(zone.date_at(self.original_order_time?));
        // Goods never come before the day of their order. But a store may have moved to another zone since,
        // whose midnight lies between a delivery and its order on the same day.
        Some(days.max(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of a chain that was ordered and last received at these times.
    fn line(ordered: Option<i64>, received: Option<i64>) -> ChainLine {
        let none = Quantity::ZERO;
        ChainLine {
            number: 1,
            product: ProductId::new("oak".to_owned()),
            description: String::new(),
            unit: Unit::Each,
            first_ordered: none,
            amended: none,
            received: none,
            rejected: none,
            on_hand: none,
            returned: none,
            excess: none,
            cancelled: none,
            pending: none,
            first_receive_time: None,
            last_receive_time: received.map(Timestamp::from_micros),
            original_order_time: ordered.map(Timestamp::from_micros),
        }
    }

    #[test]
    fn days_are_those_of_the_stores_calendar() {
        const HOUR: i64 = 3_600_000_000;
        // 2026-03-02T00:00:00 in Amsterdam, an hour before midnight UTC.
        const MONDAY: i64 = 1_772_406_000_000_000;
        for (ordered, received, amsterdam, utc) in [
            (Some(MONDAY), Some(MONDAY), Some(0), Some(0)),
            // A minute is a day where midnight lies between, and 23 hours are none where it does not.
            (Some(MONDAY - HOUR / 60), Some(MONDAY), Some(1), Some(0)),
            (Some(MONDAY), Some(MONDAY + 23 * HOUR), Some(0), Some(1)),
            (Some(MONDAY - 24 * HOUR), Some(MONDAY + 30 * HOUR), Some(2), Some(3)),
            // The clocks go forward on 29 March: the day after has only 23 hours before it.
            (Some(MONDAY + 27 * 24 * HOUR), Some(MONDAY + 28 * 24 * HOUR - HOUR), Some(1), Some(1)),
            // Delivered in the morning and ordered in the evening of one day: over midnight in the other zone.
            (Some(MONDAY + HOUR), Some(MONDAY), Some(0), Some(0)),
            (None, None, None, None),
            (Some(MONDAY), None, None, None),
        ] {
            let line = line(ordered, received);
            for (zone, days) in [("Europe/Amsterdam", amsterdam), ("UTC", utc)] {
                let zone = TimeZone::parse(zone).unwrap();
                assert_eq!(line.days_to_last_receipt(&zone), days, "{ordered:?} {received:?} {}", zone.name());
            }
        }
    }
}
