//! Reads one order: its header, alone or with its lines. A header and its lines are of one snapshot, so the counters of
//! the header always fit the lines.

use diesel::prelude::*;

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::order::{Line, Order, OrderId};
use crate::repository::error::DbError;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};

/// A header and lines, sorted by line number.
pub type OrderWithLines = (Order, Vec<Line>);

/// The query for one header, by primary key.
#[diesel::dsl::auto_type]
pub(super) fn header(store: String, order: String) -> _ {
    po::table.filter(po::store_id.eq(store)).filter(po::po_id.eq(order))
}

/// The header that [`header`] has found, or `None`.
pub(super) fn only_order(rows: Vec<OrderRow>) -> Result<Option<Order>, DbError> {
    rows.into_iter().next().map(Order::try_from).transpose()
}

/// Turns rows into lines and sorts them: they come in no order.
fn in_line_order(rows: Vec<LineRow>) -> Result<Vec<Line>, DbError> {
    let mut lines = rows.into_iter().map(Line::try_from).collect::<Result<Vec<_>, _>>()?;
    lines.sort_by_key(|line| line.key.number);
    Ok(lines)
}

/// The header of an order, or `None` if there is no such order.
pub fn order(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
) -> Result<(Authorized, Option<Order>), ReadError> {
    let query = header(check.store.as_str().to_owned(), order.to_string());
    let (authorized, rows) = session.authorize_and_load::<OrderRow, _>(check, query)?;
    Ok((authorized, only_order(rows)?))
}

/// The header of an order with all its lines. Only for answers that must have all of them; lists take pages.
pub fn order_with_lines(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
) -> Result<(Authorized, Option<OrderWithLines>), ReadError> {
    let query = header(check.store.as_str().to_owned(), order.to_string());
    let lines = pol::table
        .filter(pol::store_id.eq(check.store.as_str().to_owned()))
        .filter(pol::po_id.eq(order.to_string()))
        .order(pol::line_number);
    let (authorized, orders, lines) =
        session.authorize_and_load_two::<OrderRow, LineRow, _, _>(check, (query, lines))?;
    let lines = in_line_order(lines)?;
    Ok((authorized, only_order(orders)?.map(|order| (order, lines))))
}

/// The header of an order and a page of its lines, after the line number `after`; with `pending_only` only lines that have
/// a quantity pending.
pub fn lines_after(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    pending_only: bool,
    after: i32,
    limit: i64,
) -> Result<Option<OrderWithLines>, ReadError> {
    let query = header(check.store.as_str().to_owned(), order.to_string());
    let conditions = AllOf::new(pol::store_id.eq(check.store.as_str().to_owned()))
        .and(Some(pol::po_id.eq(order.to_string())))
        .and(Some(pol::line_number.gt(after)))
        .and(pending_only.then(|| pol::pending.gt(0)));
    let lines = pol::table.filter(conditions).order(pol::line_number).limit(limit);
    let (_, orders, lines) = session.authorize_and_load_two::<OrderRow, LineRow, _, _>(check, (query, lines))?;
    let lines = in_line_order(lines)?;
    Ok(only_order(orders)?.map(|order| (order, lines)))
}
