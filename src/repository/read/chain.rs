//! A chain of back orders, page by page: its headers, and its lines rolled up by the database.
//!
//! A page of lines reads the lines of a bounded range of numbers on every order of the chain, and
//! returns one row for each number: how long the chain is decides how long that takes, but not how
//! much memory. The numbers of a chain's lines are 1 to n without a gap, and a back order keeps those
//! of its parent.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Integer, Nullable, Text};

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use crate::domain::order::chain::ChainLine;
use crate::domain::order::{Order, OrderId};
use crate::repository::rows::chain::ChainLineRow;
use crate::repository::rows::order::OrderRow;
use crate::repository::schema::purchase_order as po;

/// How far a chain was given out: the last header by its place in the chain, and the last line by its
/// number.
#[derive(Clone, Copy, Debug)]
pub struct ChainPosition {
    /// -1 before the original.
    pub order: i32,
    /// 0 before the first line.
    pub line: i32,
}

/// A page of a chain.
pub struct ChainPage {
    /// Headers, the original first.
    pub orders: Vec<Order>,
    /// Lines, in line order.
    pub lines: Vec<ChainLine>,
}

/// The headers and the lines behind `after` of the chain that an order belongs to, at most `limit` of
/// each. Both are empty if there is no such order.
pub fn page(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    after: ChainPosition,
    limit: i32,
) -> Result<(Authorized, ChainPage), ReadError> {
    let store = check.store.as_str();
    let named = diesel::alias!(po as named);
    let root = named
        .filter(named.field(po::store_id).eq(store.to_owned()))
        .filter(named.field(po::po_id).eq(order.to_string()))
        .select(named.field(po::root_id))
        .single_value();
    let headers = po::table
        .filter(po::store_id.eq(store.to_owned()))
        .filter(po::root_id.nullable().eq(root))
        .filter(po::chain_position.gt(after.order))
        .order(po::chain_position)
        .limit(i64::from(limit));
    let lines = RolledUp {
        store: store.to_owned(),
        order: order.to_string(),
        after: after.line,
        last: after.line.saturating_add(limit),
    };
    let (authorized, orders, lines) =
        session.authorize_and_load_two::<OrderRow, ChainLineRow, _, _>(check, (headers, lines))?;
    let mut orders = orders.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    let mut lines = lines.into_iter().map(ChainLine::try_from).collect::<Result<Vec<_>, _>>()?;
    orders.sort_by_key(|order| order.chain_position);
    lines.sort_by_key(|line| line.number);
    Ok((authorized, ChainPage { orders, lines }))
}

/// The lines of a range of numbers, each rolled up over the orders of its chain. What describes a line
/// is taken from the first order that has it.
struct RolledUp {
    store: String,
    /// Any order of the chain.
    order: String,
    after: i32,
    last: i32,
}

impl<DB> QueryFragment<DB> for RolledUp
where
    DB: Backend + HasSqlType<Text> + HasSqlType<Integer>,
    String: ToSql<Text, DB>,
    i32: ToSql<Integer, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "SELECT f.line_number, f.product_id, f.description, f.unit, f.ordered, r.received, r.on_hand, \
             r.cancelled, r.pending, r.first_receive_time, r.last_receive_time \
             FROM (SELECT l.line_number, o.store_id, o.root_id, min(o.chain_position) AS first_position, \
             CAST(sum(l.received) AS bigint) AS received, \
             CAST(sum(CASE WHEN o.state = 'COMPLETED' THEN l.received ELSE 0 END) AS bigint) AS on_hand, \
             CAST(sum(l.cancelled) AS bigint) AS cancelled, CAST(sum(l.pending) AS bigint) AS pending, \
             min(l.first_receive_time) AS first_receive_time, max(l.last_receive_time) AS last_receive_time \
             FROM purchase_order o \
             JOIN purchase_order_line l ON l.store_id = o.store_id AND l.po_id = o.po_id \
             WHERE o.store_id = ",
        );
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND o.root_id = (SELECT root_id FROM purchase_order WHERE store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND po_id = ");
        out.push_bind_param::<Text, _>(&self.order)?;
        out.push_sql(") AND l.line_number > ");
        out.push_bind_param::<Integer, _>(&self.after)?;
        out.push_sql(" AND l.line_number <= ");
        out.push_bind_param::<Integer, _>(&self.last)?;
        out.push_sql(
            " GROUP BY l.line_number, o.store_id, o.root_id) r \
             JOIN purchase_order p ON p.store_id = r.store_id AND p.root_id = r.root_id \
             AND p.chain_position = r.first_position \
             JOIN purchase_order_line f ON f.store_id = p.store_id AND f.po_id = p.po_id \
             AND f.line_number = r.line_number",
        );
        Ok(())
    }
}

impl QueryId for RolledUp {
    type QueryId = RolledUp;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for RolledUp {
    type SqlType =
        (Integer, Text, Text, Text, BigInt, BigInt, BigInt, BigInt, BigInt, Nullable<BigInt>, Nullable<BigInt>);
}

impl<C> RunQueryDsl<C> for RolledUp {}
