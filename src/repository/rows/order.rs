//! Rows of the table `purchase_order`: the headers. A header has counters and totals over its lines and receipts, so that
//! rules and lists need not load these.

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::prelude::{QueryResult, Queryable, Selectable, Table};
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Bool, HasSqlType, Nullable, Text};

use serde::{Deserialize, Serialize};

use super::cancellation::cancel_reason;
use super::{currency, json, optional_date, optional_order_id, order_id};
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::money::Amount;
use crate::domain::order::cancellation::CancelReason;
use crate::domain::order::{Charge, Order, OrderCounters, OrderKey, Quantities, State};
use crate::domain::quantity::Quantity;
use crate::domain::time::Timestamp;
use crate::repository::bulk::{Cell, Column, Row};
use crate::repository::error::DbError;
use crate::repository::keys::SelectedColumns;
use crate::repository::schema::purchase_order;

/// The columns of the table as they are read; a header is read as [`HeaderRow`].
#[derive(Queryable, Selectable)]
#[diesel(table_name = purchase_order)]
pub struct OrderRow {
    store_id: String,
    po_id: String,
    number: String,
    parent_id: Option<String>,
    root_id: String,
    chain_position: i32,
    supplier_id: String,
    supplier_reference: Option<String>,
    note: Option<String>,
    external_id: Option<String>,
    charges: String,
    currency: String,
    expected_date: Option<String>,
    create_time: i64,
    created_by: String,
    create_event: i64,
    state: String,
    revision: i64,
    order_time: Option<i64>,
    place_time: Option<i64>,
    placed_by: Option<String>,
    original_order_time: Option<i64>,
    close_time: Option<i64>,
    closed_by: Option<String>,
    cancel_reason: Option<String>,
    cancel_reason_code: Option<String>,
    child_id: Option<String>,
    last_back_order: i32,
    folded_back: bool,
    terms_changed: bool,
    line_count: i32,
    last_line: i32,
    pending_lines: i32,
    active_receipts: i32,
    last_receipt: i32,
    receipt_items: i32,
    ordered: i64,
    received: i64,
    rejected: i64,
    back_ordered: i64,
    cancelled: i64,
    pending: i64,
    excess: i64,
    ordered_cost: i64,
    pending_cost: i64,
    received_cost: i64,
}

impl OrderRow {
    /// The counters and totals, which the domain keeps apart from what describes the order.
    fn counters(&self) -> OrderCounters {
        OrderCounters {
            lines: self.line_count,
            last_line: self.last_line,
            pending_lines: self.pending_lines,
            active_receipts: self.active_receipts,
            last_receipt: self.last_receipt,
            receipt_items: self.receipt_items,
            totals: Quantities {
                ordered: Quantity::from_scaled(self.ordered),
                received: Quantity::from_scaled(self.received),
                rejected: Quantity::from_scaled(self.rejected),
                back_ordered: Quantity::from_scaled(self.back_ordered),
                cancelled: Quantity::from_scaled(self.cancelled),
                pending: Quantity::from_scaled(self.pending),
                excess: Quantity::from_scaled(self.excess),
            },
            ordered_cost: Amount::from_scaled(self.ordered_cost),
            pending_cost: Amount::from_scaled(self.pending_cost),
            received_cost: Amount::from_scaled(self.received_cost),
        }
    }
}

/// A charge as it is stored; its amount in ten-thousandths, which SQL can add up.
#[derive(Serialize, Deserialize)]
struct ChargeJson {
    description: String,
    amount: i64,
}

fn charges(json: &str) -> Result<Vec<Charge>, DbError> {
    let stored: Vec<ChargeJson> = serde_json::from_str(json).map_err(|_| DbError::unreadable("charges", json))?;
    let mut charges = Vec::with_capacity(stored.len());
    for ChargeJson { description, amount } in stored {
        charges.push(Charge { description, amount: Amount::from_scaled(amount) });
    }
    Ok(charges)
}

fn charges_json(charges: &[Charge]) -> String {
    let mut stored = Vec::with_capacity(charges.len());
    for Charge { description, amount } in charges {
        stored.push(ChargeJson { description: description.clone(), amount: amount.scaled() });
    }
    json(&stored)
}

/// A header as every statement reads it: the columns of [`Header`].
pub type HeaderRow = (OrderRow, Option<bool>);

/// The columns with which headers are read: those of the table `purchase_order`, and whether the back order of the order
/// is untouched, which is null where there is none. So every reader of a header knows whether the order may be reopened.
///
/// The back order is looked up by its primary key, for each header by itself. A column beside it would have to be
/// written by every command about the back order, which would have to load its parent for it.
#[derive(Clone, Debug)]
pub struct Header {
    /// The store of all headers, where they are of one; otherwise each is compared with its own.
    store: Option<String>,
}

impl Header {
    /// For headers of one store.
    pub fn of_store(store: impl Into<String>) -> Self {
        Self { store: Some(store.into()) }
    }
}

type OrderColumns = <purchase_order::table as Table>::AllColumns;

impl Expression for Header {
    type SqlType = (<OrderColumns as Expression>::SqlType, Nullable<Bool>);
}

impl SelectedColumns for Header {
    type Columns = Self;

    fn columns(store: Option<&str>) -> Self {
        Self { store: store.map(str::to_owned) }
    }
}

impl<DB> QueryFragment<DB> for Header
where
    DB: Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
    OrderColumns: QueryFragment<DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        purchase_order::all_columns.walk_ast(out.reborrow())?;
        // What `Order::is_untouched_child_of` says of the back order.
        out.push_sql(
            ", (SELECT child.state = 'ON_ORDER' AND child.cancelled = 0 AND NOT child.terms_changed \
             AND child.last_line = purchase_order.last_line FROM purchase_order AS child \
             WHERE child.po_id = purchase_order.child_id AND child.store_id = ",
        );
        match &self.store {
            Some(store) => out.push_bind_param::<Text, _>(store)?,
            None => out.push_sql("purchase_order.store_id"),
        }
        out.push_sql(")");
        Ok(())
    }
}

impl QueryId for Header {
    type QueryId = Self;
    // Whether the store is a parameter follows from the query that it is a part of, and from the session's scope.
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl AppearsOnTable<purchase_order::table> for Header {}
impl SelectableExpression<purchase_order::table> for Header {}

impl<G> ValidGrouping<G> for Header {
    type IsAggregate = is_aggregate::No;
}

impl TryFrom<HeaderRow> for Order {
    type Error = DbError;

    fn try_from((row, child_is_untouched): HeaderRow) -> Result<Self, DbError> {
        let counters = row.counters();
        Ok(Self {
            key: OrderKey { store: StoreId::new(row.store_id), order: order_id(&row.po_id)? },
            number: row.number,
            parent: optional_order_id(row.parent_id)?,
            root: order_id(&row.root_id)?,
            chain_position: row.chain_position,
            supplier: row.supplier_id,
            supplier_reference: row.supplier_reference,
            note: row.note,
            external_id: row.external_id,
            charges: charges(&row.charges)?,
            currency: currency(&row.currency)?,
            expected_date: optional_date(row.expected_date)?,
            create_time: Timestamp::from_micros(row.create_time),
            created_by: PrincipalId::new(row.created_by),
            create_event: row.create_event,
            state: State::from_name(&row.state).ok_or_else(|| DbError::unreadable("state", row.state))?,
            revision: row.revision,
            order_time: row.order_time.map(Timestamp::from_micros),
            place_time: row.place_time.map(Timestamp::from_micros),
            placed_by: row.placed_by.map(PrincipalId::new),
            original_order_time: row.original_order_time.map(Timestamp::from_micros),
            close_time: row.close_time.map(Timestamp::from_micros),
            closed_by: row.closed_by.map(PrincipalId::new),
            cancel_reason: row.cancel_reason,
            cancel_reason_code: cancel_reason(row.cancel_reason_code)?,
            child: optional_order_id(row.child_id)?,
            // NULL where there is no back order, which then keeps nobody from reopening the order.
            child_is_untouched: child_is_untouched.unwrap_or(true),
            last_back_order: row.last_back_order,
            folded_back: row.folded_back,
            terms_changed: row.terms_changed,
            counters,
        })
    }
}

impl Row for Order {
    const TABLE: &'static str = "purchase_order";
    const COLUMNS: &'static [Column<Self>] = &[
        Column::key("store_id", |row| Cell::text(row.key.store.as_str())),
        Column::key("po_id", |row| Cell::text(row.key.order.to_string())),
        Column::fixed("number", |row| Cell::text(&row.number)),
        Column::fixed("parent_id", |row| Cell::formatted(row.parent)),
        Column::fixed("root_id", |row| Cell::text(row.root.to_string())),
        Column::fixed("chain_position", |row| Cell::Int(row.chain_position)),
        Column::fixed("currency", |row| Cell::text(row.currency.code())),
        Column::fixed("create_time", |row| Cell::big_int(row.create_time.micros())),
        Column::fixed("created_by", |row| Cell::text(row.created_by.as_str())),
        Column::fixed("create_event", |row| Cell::big_int(row.create_event)),
        Column::changing("supplier_id", |row| Cell::text(&row.supplier)),
        Column::changing("supplier_reference", |row| Cell::optional_text(row.supplier_reference.as_deref())),
        Column::changing("note", |row| Cell::optional_text(row.note.as_deref())),
        Column::changing("external_id", |row| Cell::optional_text(row.external_id.as_deref())),
        Column::changing("charges", |row| Cell::text(charges_json(&row.charges))),
        Column::changing("expected_date", |row| Cell::formatted(row.expected_date)),
        Column::changing("state", |row| Cell::text(row.state.name())),
        Column::changing("revision", |row| Cell::big_int(row.revision)),
        Column::changing("order_time", |row| Cell::BigInt(row.order_time.map(Timestamp::micros))),
        Column::changing("place_time", |row| Cell::BigInt(row.place_time.map(Timestamp::micros))),
        Column::changing("placed_by", |row| Cell::optional_text(row.placed_by.as_ref().map(PrincipalId::as_str))),
        Column::changing("original_order_time", |row| Cell::BigInt(row.original_order_time.map(Timestamp::micros))),
        Column::changing("close_time", |row| Cell::BigInt(row.close_time.map(Timestamp::micros))),
        Column::changing("closed_by", |row| Cell::optional_text(row.closed_by.as_ref().map(PrincipalId::as_str))),
        Column::changing("cancel_reason", |row| Cell::optional_text(row.cancel_reason.as_deref())),
        Column::changing("cancel_reason_code", |row| {
            Cell::optional_text(row.cancel_reason_code.map(CancelReason::name))
        }),
        Column::changing("child_id", |row| Cell::formatted(row.child)),
        Column::changing("last_back_order", |row| Cell::Int(row.last_back_order)),
        Column::changing("folded_back", |row| Cell::Bool(row.folded_back)),
        Column::changing("terms_changed", |row| Cell::Bool(row.terms_changed)),
        Column::changing("line_count", |row| Cell::Int(row.counters.lines)),
        Column::changing("last_line", |row| Cell::Int(row.counters.last_line)),
        Column::changing("pending_lines", |row| Cell::Int(row.counters.pending_lines)),
        Column::changing("active_receipts", |row| Cell::Int(row.counters.active_receipts)),
        Column::changing("last_receipt", |row| Cell::Int(row.counters.last_receipt)),
        Column::changing("receipt_items", |row| Cell::Int(row.counters.receipt_items)),
        Column::changing("ordered", |row| Cell::big_int(row.counters.totals.ordered.scaled())),
        Column::changing("received", |row| Cell::big_int(row.counters.totals.received.scaled())),
        Column::changing("rejected", |row| Cell::big_int(row.counters.totals.rejected.scaled())),
        Column::changing("back_ordered", |row| Cell::big_int(row.counters.totals.back_ordered.scaled())),
        Column::changing("cancelled", |row| Cell::big_int(row.counters.totals.cancelled.scaled())),
        Column::changing("pending", |row| Cell::big_int(row.counters.totals.pending.scaled())),
        Column::changing("excess", |row| Cell::big_int(row.counters.totals.excess.scaled())),
        Column::changing("ordered_cost", |row| Cell::big_int(row.counters.ordered_cost.scaled())),
        Column::changing("pending_cost", |row| Cell::big_int(row.counters.pending_cost.scaled())),
        Column::changing("received_cost", |row| Cell::big_int(row.counters.received_cost.scaled())),
    ];
}
