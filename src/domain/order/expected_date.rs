//! When goods may be expected: not before they were ordered. One of the two dates is a typing error then, and which one
//! only the caller knows.

use std::fmt::Display;

use super::Order;
use crate::domain::changeset::Changeset;
use crate::domain::refusal::{Refusal, Violations};
use crate::domain::time::Date;

/// The day on which an order was made, by the calendar of its store; `None` for a draft, whose dates are judged when it is
/// placed.
pub(super) fn order_date(changeset: &Changeset<'_>, order: &Order) -> Result<Option<Date>, Refusal> {
    let Some(order_time) = order.order_time else { return Ok(None) };
    Ok(Some(changeset.store()?.time_zone.date_at(order_time)))
}

/// Adds a violation of `field` if the date that a request gives, if it gives one, is before the day of the order.
pub(super) fn check_date(
    order_date: Option<Date>,
    date: Option<Date>,
    field: impl Display,
    violations: &mut Violations,
) {
    if let (Some(order_date), Some(date)) = (order_date, date)
        && date < order_date
    {
        violations.add(field, format_args!("is {date}, before the order's date, {order_date}"));
    }
}
