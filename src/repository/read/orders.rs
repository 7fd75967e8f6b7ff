//! Orders, their lines, and their chains.

use diesel::dsl::exists;
use diesel::prelude::*;

use super::filter::AllOf;
use crate::domain::code::{ProductId, StoreId};
use crate::domain::order::{Line, Order, OrderId, OrderKey, State};
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::{purchase_order as po, purchase_order_line as pol};
use crate::repository::session::Session;

/// Which orders; what is not set does not matter.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs, reason = "named as in the contract")]
pub struct OrderFilter {
    pub states: Vec<State>,
    pub supplier: Option<String>,
    pub product: Option<ProductId>,
    pub number_prefix: Option<String>,
    pub supplier_reference: Option<String>,
    pub back_orders_only: bool,
    pub create_time_from: Option<Timestamp>,
    pub create_time_before: Option<Timestamp>,
}

/// A place in the list of orders: what it is sorted by.
pub type OrderPosition = (i64, String);

/// The position of an order.
pub fn position(order: &Order) -> OrderPosition {
    (order.create_time.micros(), order.key.order.to_string())
}

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

/// Headers, newest first, behind `after`.
pub fn list(
    session: &mut Session,
    store: &StoreId,
    filter: &OrderFilter,
    after: Option<&OrderPosition>,
    limit: i64,
) -> Result<Vec<Order>, DbError> {
    let conditions = conditions(store, filter)
        .and(after.map(|(time, _)| po::create_time.le(*time)))
        .and(after.map(|(time, id)| po::create_time.lt(*time).or(po::po_id.lt(id.clone()))));
    let rows: Vec<OrderRow> =
        session.load(po::table.filter(conditions).order((po::create_time.desc(), po::po_id.desc())).limit(limit))?;
    rows.into_iter().map(Order::try_from).collect()
}

fn conditions(store: &StoreId, filter: &OrderFilter) -> AllOf<po::table> {
    let store = store.as_str().to_owned();
    let states: Vec<&'static str> = filter.states.iter().map(|state| state.name()).collect();
    let of_product = |product: &ProductId| {
        let lines = pol::table.filter(pol::store_id.eq(store.clone()));
        lines.filter(pol::product_id.eq(product.as_str().to_owned()))
    };
    // The index holds the lines of originals: their chains are few, and each order of a chain is
    // looked into for whether the line went that far.
    let in_chain = |product: &ProductId| {
        po::root_id.eq_any(of_product(product).filter(diesel::dsl::not(pol::inherited)).select(pol::po_id))
    };
    let on_order = |product: &ProductId| exists(of_product(product).filter(pol::po_id.eq(po::po_id)));
    AllOf::new(po::store_id.eq(store.clone()))
        .and((!states.is_empty()).then(|| po::state.eq_any(states)))
        .and(filter.supplier.clone().map(|supplier| po::supplier_id.eq(supplier)))
        .and(filter.product.as_ref().map(in_chain))
        .and(filter.product.as_ref().map(on_order))
        .and(filter.number_prefix.clone().map(|prefix| po::number.ge(prefix)))
        .and(filter.number_prefix.as_deref().map(|prefix| po::number.lt(after_prefix(prefix))))
        .and(filter.supplier_reference.clone().map(|reference| po::supplier_reference.assume_not_null().eq(reference)))
        .and(filter.back_orders_only.then(|| po::parent_id.is_not_null()))
        .and(filter.create_time_from.map(|time| po::create_time.ge(time.micros())))
        .and(filter.create_time_before.map(|time| po::create_time.lt(time.micros())))
}

/// The first text behind every text that begins with `prefix`, by bytes: order numbers are sorted so
/// in both databases, and the last character of one is far from the end of Unicode.
fn after_prefix(prefix: &str) -> String {
    format!("{prefix}\u{10FFFF}")
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
