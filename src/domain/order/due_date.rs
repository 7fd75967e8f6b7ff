//! When an outstanding line is due: kept on the line, so that what is late is found by an index and not by a search
//! through all orders.
//!
//! It follows from the line and from its order, and the changeset derives it for every line that a command puts, and for
//! every line of an order whose date or state a command changes. No command sets it.

use std::fmt;

use super::{Line, Order};
use crate::domain::time::Date;

/// When an outstanding line is due. One without a date is behind all that have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DueDate {
    /// At the line's own expected date, or else at that of its order.
    On(Date),
    /// Nobody has said when.
    Undated,
}

impl DueDate {
    /// What is stored of an outstanding line without a date: in the order of text it is behind every date.
    pub const UNDATED: &str = "none";

    /// The date, if there is one.
    pub const fn date(self) -> Option<Date> {
        match self {
            Self::On(date) => Some(date),
            Self::Undated => None,
        }
    }
}

impl fmt::Display for DueDate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::On(date) => date.fmt(f),
            Self::Undated => f.write_str(Self::UNDATED),
        }
    }
}

impl Order {
    /// When a line of this order is due; `None` for a line that is not outstanding, because the order is not live or
    /// nothing of the line is pending.
    pub fn due_date_of(&self, line: &Line) -> Option<DueDate> {
        let is_outstanding = self.state.is_live() && line.quantities.pending.is_positive();
        is_outstanding.then(|| self.expected_date_of(line).map_or(DueDate::Undated, DueDate::On))
    }

    /// Whether a change of this order into `after` may change when lines are due that the change does not name.
    pub fn moves_due_dates(&self, after: &Self) -> bool {
        // Nothing is due on a draft or a closed order, whatever its date.
        let moves_date = after.state.is_live() && self.expected_date != after.expected_date;
        self.state.is_live() != after.state.is_live() || moves_date
    }
}

#[cfg(test)]
mod tests {
    use crate::domain::order::State;
    use crate::domain::testing::{TestStore, date};

    #[test]
    fn an_order_moves_due_dates_by_its_date_or_by_coming_alive_and_not_otherwise() {
        let mut store = TestStore::new();
        let order = store.on_order(&["oak 10"]);
        let of = |state: State, day: Option<&str>| {
            let mut order = store.header(order).clone();
            (order.state, order.expected_date) = (state, day.map(date));
            order
        };
        let (day, other) = (Some("2026-03-09"), Some("2026-03-10"));
        for (before, after, moves) in [
            ((State::OnOrder, day), (State::Receiving, day), false),
            ((State::Receiving, day), (State::OnOrder, day), false),
            ((State::OnOrder, day), (State::OnOrder, other), true),
            ((State::OnOrder, day), (State::OnOrder, None), true),
            ((State::Draft, None), (State::OnOrder, None), true),
            ((State::Receiving, day), (State::Completed, day), true),
            ((State::Completed, day), (State::Receiving, day), true),
            ((State::Draft, day), (State::Draft, other), false),
            ((State::Draft, day), (State::Cancelled, day), false),
        ] {
            let moved = of(before.0, before.1).moves_due_dates(&of(after.0, after.1));
            assert_eq!(moved, moves, "{before:?} {after:?}");
        }
    }
}
