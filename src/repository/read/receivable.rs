//! The lines of a product that can be received now, wherever they are ordered.
//!
//! The lines that are not carried over lead from the product to their chains, and these to the orders that are live: the
//! index by product has no lines of back orders. So the time depends on how often the store ordered the product, and not
//! on how many orders it has.

use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, HasSqlType, Integer, Text};
use diesel::sqlite::Sqlite;

use super::authorized::{AccessCheck, Authorized, ReadError, ReadSession};
use crate::domain::order::receive::items::ProductSelector;
use crate::domain::order::{Line, Order};
use crate::repository::keys::{KeyValue, Lookup, LookupQuery, StoreScope};
use crate::repository::lookups;
use crate::repository::rows::level::LevelRow;
use crate::repository::rows::line::LineRow;
use crate::repository::rows::order::HeaderRow;

/// A position in the list, which page tokens carry: when the goods were ordered in microseconds, the number of the order
/// and that of the line.
pub type ReceivablePosition = (i64, String, i32);

/// The position at which the list shows a line.
pub fn position(order: &Order, line: &Line) -> ReceivablePosition {
    let ordered = order.original_order_time.map_or(i64::MIN, |time| time.micros());
    (ordered, order.number.clone(), line.key.number)
}

/// The lines of a product after a position, with their orders, those that were ordered first before the others.
pub fn lines(
    session: &mut ReadSession<'_>,
    check: &AccessCheck,
    product: &ProductSelector,
    supplier: Option<&str>,
    after: Option<&ReceivablePosition>,
    limit: i64,
) -> Result<(Authorized, Vec<(Order, Line)>), ReadError> {
    let key = |value: &str| -> Vec<Vec<KeyValue>> { vec![vec![check.store.as_str().into(), value.into()]] };
    let page = Page { supplier: supplier.map(str::to_owned), after: after.cloned(), limit };
    let (authorized, rows) = session.snapshot(|snapshot| {
        let authorized = snapshot.authorize(check)?;
        let rows = match product {
            ProductSelector::Product(product) => {
                load::<lookups::LiveLinesOfProduct>(snapshot, &authorized, key(product.as_str()), page)?
            }
            ProductSelector::Gtin(gtin) => {
                load::<lookups::LiveLinesOfGtin>(snapshot, &authorized, key(gtin.as_str()), page)?
            }
        };
        Ok((authorized, rows))
    })?;
    let mut found = Vec::with_capacity(rows.len());
    for (order, line, _) in rows {
        found.push((Order::try_from(order)?, Line::try_from(line)?));
    }
    found.sort_by_key(|(order, line)| position(order, line));
    Ok((authorized, found))
}

type Row = (HeaderRow, LineRow, LevelRow);

fn load<L: Lookup<Columns = lookups::LinesWithOrders>>(
    snapshot: &mut ReadSession<'_>,
    authorized: &Authorized,
    keys: Vec<Vec<KeyValue>>,
    page: Page,
) -> Result<Vec<Row>, ReadError> {
    match LookupQuery::<L>::new(StoreScope::One, keys)? {
        Some(lookup) => snapshot.load_authorized(authorized, PageQuery { lookup, page }),
        None => Ok(Vec::new()),
    }
}

/// Which of the lines that a lookup finds are of the page.
struct Page {
    supplier: Option<String>,
    after: Option<ReceivablePosition>,
    limit: i64,
}

/// A lookup has no WHERE of its own, so one can follow it.
struct PageQuery<L: Lookup> {
    lookup: LookupQuery<L>,
    page: Page,
}

impl Page {
    fn write<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend + HasSqlType<Text> + HasSqlType<Integer> + HasSqlType<BigInt>,
        String: ToSql<Text, DB>,
        i32: ToSql<Integer, DB>,
        i64: ToSql<BigInt, DB>,
    {
        let mut next = " WHERE ";
        if let Some(supplier) = &self.supplier {
            out.push_sql(next);
            out.push_sql("purchase_order.supplier_id = ");
            out.push_bind_param::<Text, _>(supplier)?;
            next = " AND ";
        }
        // A comparison of rows. None of the columns is null: an order that can be received has been placed.
        if let Some((time, number, line)) = &self.after {
            out.push_sql(next);
            out.push_sql(
                "(purchase_order.original_order_time, purchase_order.number, purchase_order_line.line_number) > (",
            );
            out.push_bind_param::<BigInt, _>(time)?;
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(number)?;
            out.push_sql(", ");
            out.push_bind_param::<Integer, _>(line)?;
            out.push_sql(")");
        }
        out.push_sql(
            " ORDER BY purchase_order.original_order_time, purchase_order.number, purchase_order_line.line_number LIMIT ",
        );
        out.push_bind_param::<BigInt, _>(&self.limit)
    }
}

impl<L: Lookup> QueryFragment<Pg> for PageQuery<L>
where
    LookupQuery<L>: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        QueryFragment::<Pg>::walk_ast(&self.lookup, out.reborrow())?;
        self.page.write(&mut out)
    }
}

impl<L: Lookup> QueryFragment<Sqlite> for PageQuery<L>
where
    LookupQuery<L>: QueryFragment<Sqlite>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        QueryFragment::<Sqlite>::walk_ast(&self.lookup, out.reborrow())?;
        self.page.write(&mut out)
    }
}

impl<L: Lookup> QueryId for PageQuery<L> {
    type QueryId = ();
    // The text depends on which conditions there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<L: Lookup> Query for PageQuery<L> {
    type SqlType = <LookupQuery<L> as Query>::SqlType;
}

impl<L: Lookup, C> RunQueryDsl<C> for PageQuery<L> {}
