//! Reads a chain of back orders page by page: its headers, and its lines with what became of each over all orders.
//!
//! A back order keeps the numbers of its parent's lines, and a line that is added gets the next number of the chain. Only
//! the original may have gaps, where it lost lines as a draft. So a page of lines is a range of numbers that ends where
//! the original's lines fill the page, or else so many numbers after its last. The database adds up the lines of all
//! orders in that range and returns one row for each number: a long chain takes longer to read, but not more memory.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Integer, Nullable, Text};

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use crate::domain::order::chain::ChainLine;
use crate::domain::order::{Order, OrderId};
use crate::repository::rows::chain::ChainLineRow;
use crate::repository::rows::order::{Header, HeaderRow};
use crate::repository::schema::purchase_order as po;

/// Up to where the pages so far have shown a chain. Page tokens carry it. Headers and lines advance independently.
#[derive(Clone, Copy, Debug)]
pub struct ChainPosition {
    /// The place in the chain of the last header that was shown. The original has 0, so -1 means none.
    pub order: i32,
    /// The number of the last line that was shown; 0 means none.
    pub line: i32,
}

/// A page of a chain: the next headers and the next lines, of either of which there may be none left.
pub struct ChainPage {
    /// Headers in the order of the chain, the original first.
    pub orders: Vec<Order>,
    /// Lines by number, each summed up over the orders of the chain.
    pub lines: Vec<ChainLine>,
}

/// The headers and the lines after `after` of the chain that an order belongs to, at most `limit` of each. The order may be
/// any one of the chain. Both are empty if there is no such order.
pub fn page(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    order: OrderId,
    after: ChainPosition,
    limit: i32,
) -> Result<(Authorized, ChainPage), ReadError> {
    let store = check.store.as_str();
    // The same table is searched twice: for the order that was named, and for the orders of its chain.
    let named = diesel::alias!(po as named);
    let root = named
        .filter(named.field(po::store_id).eq(store.to_owned()))
        .filter(named.field(po::po_id).eq(order.to_string()))
        .select(named.field(po::root_id))
        .single_value();
    let headers = po::table
        .select(Header::of_store(store))
        .filter(po::store_id.eq(store.to_owned()))
        .filter(po::root_id.nullable().eq(root))
        .filter(diesel::dsl::not(po::folded_back))
        .filter(po::chain_position.gt(after.order))
        .order(po::chain_position)
        .limit(i64::from(limit));
    let lines = ChainLines { store: store.to_owned(), order: order.to_string(), after: after.line, limit };
    let (authorized, order_rows, line_rows) =
        session.authorize_and_load_two::<HeaderRow, ChainLineRow, _, _>(check, (headers, lines))?;
    let mut orders = order_rows.into_iter().map(Order::try_from).collect::<Result<Vec<_>, _>>()?;
    let mut lines = line_rows.into_iter().map(ChainLine::try_from).collect::<Result<Vec<_>, _>>()?;
    orders.sort_by_key(|order| order.chain_position);
    lines.sort_by_key(|line| line.number);
    Ok((authorized, ChainPage { orders, lines }))
}

/// Sums the lines of a range of numbers up over the orders of a chain. What describes a line (product, text, unit, ordered
/// quantity) is taken from the first order that has it: on later ones `ordered` is what the earlier ones left.
struct ChainLines {
    store: String,
    /// Any order of the chain.
    order: String,
    /// The range begins after this number.
    after: i32,
    /// So many lines are in the range at most.
    limit: i32,
}

impl<DB> QueryFragment<DB> for ChainLines
where
    DB: Backend + HasSqlType<Text> + HasSqlType<Integer>,
    String: ToSql<Text, DB>,
    i32: ToSql<Integer, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // The inner query, `r`, sums the lines up and finds the first order of the chain that has each number; `p` and `f`
        // are that order and its line, which describe it. Only what was received on completed orders is on hand. The sums
        // are cast, because PostgreSQL returns the sum of BIGINT as NUMERIC.
        out.push_sql(
            "SELECT f.line_number, f.product_id, f.description, f.unit, f.first_ordered, r.amended, r.received, r.rejected, r.on_hand, \
             r.returned, r.excess, r.cancelled, r.pending, r.first_receive_time, r.last_receive_time, p.original_order_time \
             FROM (SELECT l.line_number, o.store_id, o.root_id, min(o.chain_position) AS first_position, \
             CAST(sum(l.ordered - l.first_ordered) AS bigint) AS amended, \
             CAST(sum(l.received) AS bigint) AS received, CAST(sum(l.rejected) AS bigint) AS rejected, \
             CAST(sum(CASE WHEN o.state = 'COMPLETED' THEN l.received ELSE 0 END) AS bigint) AS on_hand, \
             CAST(sum(l.returned) AS bigint) AS returned, CAST(sum(l.excess) AS bigint) AS excess, \
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
        // A range of the primary key on each order, so a page reads no other lines of a large chain.
        out.push_sql(") AND NOT o.folded_back AND l.line_number > ");
        out.push_bind_param::<Integer, _>(&self.after)?;
        out.push_sql(" AND l.line_number <= (");
        self.walk_last(&mut out)?;
        out.push_sql(
            ") GROUP BY l.line_number, o.store_id, o.root_id) r \
             JOIN purchase_order p ON p.store_id = r.store_id AND p.root_id = r.root_id \
             AND p.chain_position = r.first_position AND NOT p.folded_back \
             JOIN purchase_order_line f ON f.store_id = p.store_id AND f.po_id = p.po_id \
             AND f.line_number = r.line_number",
        );
        Ok(())
    }
}

impl ChainLines {
    /// Writes a query for the number with which the range ends.
    fn walk_last<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend + HasSqlType<Text> + HasSqlType<Integer>,
        String: ToSql<Text, DB>,
        i32: ToSql<Integer, DB>,
    {
        // `n`: the next lines of the original, at most as many as fill the page. If they do not, the numbers go on
        // after its last without a gap.
        out.push_sql(
            "SELECT CAST(CASE WHEN count(n.line_number) >= max(c.page) THEN max(n.line_number) \
             WHEN max(c.last_line) > max(c.after_line) THEN max(c.last_line) + max(c.page) - count(n.line_number) \
             ELSE max(c.after_line) + max(c.page) END AS bigint) \
             FROM (SELECT store_id, po_id, last_line, CAST(",
        );
        out.push_bind_param::<Integer, _>(&self.after)?;
        out.push_sql(" AS integer) AS after_line, CAST(");
        out.push_bind_param::<Integer, _>(&self.limit)?;
        out.push_sql(" AS integer) AS page FROM purchase_order WHERE store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND po_id = (SELECT root_id FROM purchase_order WHERE store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND po_id = ");
        out.push_bind_param::<Text, _>(&self.order)?;
        out.push_sql(")) c LEFT JOIN (SELECT store_id, po_id, line_number FROM purchase_order_line WHERE store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND po_id = (SELECT root_id FROM purchase_order WHERE store_id = ");
        out.push_bind_param::<Text, _>(&self.store)?;
        out.push_sql(" AND po_id = ");
        out.push_bind_param::<Text, _>(&self.order)?;
        out.push_sql(") AND line_number > ");
        out.push_bind_param::<Integer, _>(&self.after)?;
        out.push_sql(" ORDER BY line_number LIMIT ");
        out.push_bind_param::<Integer, _>(&self.limit)?;
        out.push_sql(") n ON n.store_id = c.store_id AND n.po_id = c.po_id");
        Ok(())
    }
}

impl QueryId for ChainLines {
    type QueryId = ChainLines;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for ChainLines {
    type SqlType = (
        Integer,
        Text,
        Text,
        Text,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        BigInt,
        Nullable<BigInt>,
        Nullable<BigInt>,
        Nullable<BigInt>,
    );
}

impl<C> RunQueryDsl<C> for ChainLines {}
