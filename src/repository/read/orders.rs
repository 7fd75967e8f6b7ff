//! One order and its lines.

use diesel::prelude::*;

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::order::{Line, Order, OrderId};
use crate::repository::error::DbError;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};

/// A header, and its lines in line order.
pub type WithLines = (Order, Vec<Line>);

/// A query for one header.
#[diesel::dsl::auto_type]
pub(super) fn header(store: String, order: String) -> _ {
    po::table.filter(po::store_id.eq(store)).filter(po::po_id.eq(order))
}

/// The only row of [`header`], if there is one.
pub(super) fn one(rows: Vec<OrderRow>) -> Result<Option<Order>, DbError> {
    rows.into_iter().next().map(Order::try_from).transpose()
}

fn in_line_order(rows: Vec<LineRow>) -> Result<Vec<Line>, DbError> {
    let mut lines = rows.into_iter().map(Line::try_from).collect::<Result<Vec<_>, _>>()?;
    lines.sort_by_key(|line| line.key.number);
    Ok(lines)
}

/// A header.
pub fn order(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
) -> Result<(Authorized, Option<Order>), ReadError> {
    let query = header(check.store.as_str().to_owned(), order.to_string());
    let (authorized, rows) = session.authorize_and_load::<OrderRow, _>(check, query)?;
    Ok((authorized, one(rows)?))
}

/// A header and all lines, in line order.
pub fn order_with_lines(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
) -> Result<(Authorized, Option<WithLines>), ReadError> {
    let query = header(check.store.as_str().to_owned(), order.to_string());
    let lines = pol::table
        .filter(pol::store_id.eq(check.store.as_str().to_owned()))
        .filter(pol::po_id.eq(order.to_string()))
        .order(pol::line_number);
    let (authorized, orders, lines) =
        session.authorize_and_load_two::<OrderRow, LineRow, _, _>(check, (query, lines))?;
    let lines = in_line_order(lines)?;
    Ok((authorized, one(orders)?.map(|order| (order, lines))))
}

/// A header, and its lines behind a line number, in line order; only those with a quantity pending,
/// if so asked.
pub fn lines_after(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    pending_only: bool,
    after: i32,
    limit: i64,
) -> Result<Option<WithLines>, ReadError> {
    let query = header(check.store.as_str().to_owned(), order.to_string());
    let conditions = AllOf::new(pol::store_id.eq(check.store.as_str().to_owned()))
        .and(Some(pol::po_id.eq(order.to_string())))
        .and(Some(pol::line_number.gt(after)))
        .and(pending_only.then(|| pol::pending.gt(0)));
    let lines = pol::table.filter(conditions).order(pol::line_number).limit(limit);
    let (_, orders, lines) = session.authorize_and_load_two::<OrderRow, LineRow, _, _>(check, (query, lines))?;
    let lines = in_line_order(lines)?;
    Ok(one(orders)?.map(|order| (order, lines)))
}
