//! One order, its lines, and its chain.

use diesel::prelude::*;

use super::filter::AllOf;
use crate::domain::code::StoreId;
use crate::domain::order::{Line, Order, OrderId, OrderKey};
use crate::repository::error::DbError;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};
use crate::repository::session::Session;

/// A header.
pub fn order(session: &mut Session, key: &OrderKey) -> Result<Option<Order>, DbError> {
    let rows: Vec<OrderRow> = session.load(
        po::table.filter(po::store_id.eq(key.store.as_str().to_owned())).filter(po::po_id.eq(key.order.to_string())),
    )?;
    rows.into_iter().next().map(Order::try_from).transpose()
}

/// All lines of an order, in line order.
pub fn lines(session: &mut Session, key: &OrderKey) -> Result<Vec<Line>, DbError> {
    let rows: Vec<LineRow> = session.load(
        pol::table
            .filter(pol::store_id.eq(key.store.as_str().to_owned()))
            .filter(pol::po_id.eq(key.order.to_string()))
            .order(pol::line_number),
    )?;
    rows.into_iter().map(Line::try_from).collect()
}

/// Lines behind a line number, in line order; only those with a quantity pending, if so asked.
pub fn lines_after(
    session: &mut Session,
    key: &OrderKey,
    pending_only: bool,
    after: i32,
    limit: i64,
) -> Result<Vec<Line>, DbError> {
    let conditions = AllOf::new(pol::store_id.eq(key.store.as_str().to_owned()))
        .and(Some(pol::po_id.eq(key.order.to_string())))
        .and(Some(pol::line_number.gt(after)))
        .and(pending_only.then(|| pol::pending.gt(0)));
    let rows: Vec<LineRow> = session.load(pol::table.filter(conditions).order(pol::line_number).limit(limit))?;
    rows.into_iter().map(Line::try_from).collect()
}

/// The headers of a chain, the original first.
pub fn chain(session: &mut Session, store: &StoreId, root: OrderId) -> Result<Vec<Order>, DbError> {
    let rows: Vec<OrderRow> = session.load(
        po::table
            .filter(po::store_id.eq(store.as_str().to_owned()))
            .filter(po::root_id.eq(root.to_string()))
            .order(po::chain_position),
    )?;
    rows.into_iter().map(Order::try_from).collect()
}

/// The lines of an original behind a line number, and every line of its chain with one of their
/// numbers, by line number and then in any order.
pub fn chain_lines(session: &mut Session, chain: &[Order], after: i32, limit: i64) -> Result<Vec<Line>, DbError> {
    let Some(root) = chain.first() else { return Ok(Vec::new()) };
    let store = root.key.store.as_str().to_owned();
    let numbers: Vec<i32> = session.load(
        pol::table
            .filter(pol::store_id.eq(store.clone()))
            .filter(pol::po_id.eq(root.key.order.to_string()))
            .filter(pol::line_number.gt(after))
            .order(pol::line_number)
            .limit(limit)
            .select(pol::line_number),
    )?;
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else { return Ok(Vec::new()) };
    let ids: Vec<String> = chain.iter().map(|order| order.key.order.to_string()).collect();
    let rows: Vec<LineRow> = session.load(
        pol::table
            .filter(pol::store_id.eq(store))
            .filter(pol::po_id.eq_any(ids))
            .filter(pol::line_number.between(*first, *last))
            .order(pol::line_number),
    )?;
    rows.into_iter().map(Line::try_from).collect()
}
