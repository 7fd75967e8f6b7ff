//! Reads one order: its header, alone or with its lines. A header and its lines are of one snapshot, so the counters of
//! the header always fit the lines.

use diesel::prelude::*;

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use super::filter::AllOf;
use crate::domain::order::{Line, Order, OrderId};
use crate::repository::error::DbError;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::{Header, HeaderRow};
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};

/// A header and lines, sorted by line number.
pub type OrderWithLines = (Order, Vec<Line>);

/// How a caller names an order.
#[derive(Clone, Debug)]
pub enum OrderName {
    /// By the id that this service gave it.
    Id(OrderId),
    /// By the caller's own id, which no two orders of a store have.
    ExternalId(String),
}

/// The query for one header, by the caller's own id.
#[diesel::dsl::auto_type]
fn header_by_external_id(store: String, external_id: String) -> _ {
    let header: Header = Header::of_store(store.clone());
    po::table.select(header).filter(po::store_id.eq(store)).filter(po::external_id.assume_not_null().eq(external_id))
}

/// The query for the lines of the order with the caller's own id, in line order.
#[diesel::dsl::auto_type]
fn lines_by_external_id(store: String, order: header_id_by_external_id) -> _ {
    pol::table
        .filter(pol::store_id.eq(store))
        .filter(pol::po_id.nullable().eq(order.single_value()))
        .order(pol::line_number)
}

#[diesel::dsl::auto_type]
fn header_id_by_external_id(store: String, external_id: String) -> _ {
    let header: header_by_external_id = header_by_external_id(store, external_id);
    header.select(po::po_id)
}

/// The query for one header, by primary key.
#[diesel::dsl::auto_type]
pub(super) fn header(store: String, order: String) -> _ {
    let header: Header = Header::of_store(store.clone());
    po::table.select(header).filter(po::store_id.eq(store)).filter(po::po_id.eq(order))
}

/// The header that [`header()`] has found, or `None`.
pub(super) fn only_order(rows: Vec<HeaderRow>) -> Result<Option<Order>, DbError> {
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
    order: &OrderName,
) -> Result<(Authorized, Option<Order>), ReadError> {
    let store = check.store.as_str().to_owned();
    let (authorized, rows) = match order {
        OrderName::Id(order) => session.authorize_and_load::<HeaderRow, _>(check, header(store, order.to_string()))?,
        OrderName::ExternalId(external_id) => {
            session.authorize_and_load::<HeaderRow, _>(check, header_by_external_id(store, external_id.clone()))?
        }
    };
    Ok((authorized, only_order(rows)?))
}

/// The header of an order with all its lines. Only for answers that must have all of them; lists take pages.
pub fn order_with_lines(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: &OrderName,
) -> Result<(Authorized, Option<OrderWithLines>), ReadError> {
    let store = check.store.as_str().to_owned();
    let (authorized, orders, lines) = match order {
        OrderName::Id(order) => {
            let lines = pol::table
                .filter(pol::store_id.eq(store.clone()))
                .filter(pol::po_id.eq(order.to_string()))
                .order(pol::line_number);
            let queries = (header(store, order.to_string()), lines);
            session.authorize_and_load_two::<HeaderRow, LineRow, _, _>(check, queries)?
        }
        OrderName::ExternalId(external_id) => {
            let named = header_by_external_id(store.clone(), external_id.clone());
            let lines = lines_by_external_id(store.clone(), header_id_by_external_id(store, external_id.clone()));
            session.authorize_and_load_two::<HeaderRow, LineRow, _, _>(check, (named, lines))?
        }
    };
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
    let (_, orders, lines) = session.authorize_and_load_two::<HeaderRow, LineRow, _, _>(check, (query, lines))?;
    let lines = in_line_order(lines)?;
    Ok(only_order(orders)?.map(|order| (order, lines)))
}
