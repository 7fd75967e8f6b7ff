//! Loading by a set of keys: one statement whatever their number, whose text never changes.
//!
//! PostgreSQL takes the keys as arrays through UNNEST, SQLite as one JSON text. Either way the keys
//! come first and each is looked up by an index.

use std::cell::OnceCell;
use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Text};
use diesel::sqlite::Sqlite;

/// A way to find rows of one table by keys.
pub trait Lookup: 'static {
    /// Whose rows.
    type Table: Table;
    /// The keys' parts, called `k0`, `k1` ... by the joins.
    const KEY: &'static [KeyPart];
    /// How to get from `k` to the table, join by join: what stands behind `JOIN`.
    const JOINS: &'static [&'static str];
}

/// The type of a part of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyPart {
    /// Text.
    Text,
    /// A 32-bit integer.
    Int,
}

/// Values of one part, one per key.
#[derive(Debug)]
enum Column {
    Text(Vec<String>),
    Int(Vec<i32>),
}

/// A part of one key.
#[derive(Clone, Debug)]
pub enum KeyValue {
    /// Text.
    Text(String),
    /// A 32-bit integer.
    Int(i32),
}

impl From<&str> for KeyValue {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for KeyValue {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for KeyValue {
    fn from(number: i32) -> Self {
        Self::Int(number)
    }
}

/// The rows that a [`Lookup`] finds for a set of keys.
pub struct ByKeys<L: Lookup> {
    columns: <L::Table as Table>::AllColumns,
    keys: Vec<Column>,
    json: OnceCell<String>,
    lookup: PhantomData<L>,
}

impl<L: Lookup> ByKeys<L> {
    /// A query for these keys, each once; `None` for no keys, which need no query.
    pub fn new(keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Option<Self> {
        let empty = |part: &KeyPart| match part {
            KeyPart::Text => Column::Text(Vec::new()),
            KeyPart::Int => Column::Int(Vec::new()),
        };
        let mut columns: Vec<Column> = L::KEY.iter().map(empty).collect();
        let mut any = false;
        for key in keys {
            any = true;
            for (column, value) in columns.iter_mut().zip(key) {
                match (column, value) {
                    (Column::Text(texts), KeyValue::Text(text)) => texts.push(text),
                    (Column::Int(numbers), KeyValue::Int(number)) => numbers.push(number),
                    (column, value) => debug_assert!(false, "{value:?} does not belong into {column:?}"),
                }
            }
        }
        let query =
            Self { columns: L::Table::all_columns(), keys: columns, json: OnceCell::new(), lookup: PhantomData };
        any.then_some(query)
    }

    /// The keys as one JSON array of arrays.
    fn json(&self) -> &String {
        self.json.get_or_init(|| {
            let count = self.keys.first().map_or(0, Column::len);
            let key = |row: usize| self.keys.iter().map(|column| column.json(row)).collect();
            serde_json::Value::Array((0..count).map(|row| serde_json::Value::Array(key(row))).collect()).to_string()
        })
    }
}

impl Column {
    fn len(&self) -> usize {
        match self {
            Self::Text(texts) => texts.len(),
            Self::Int(numbers) => numbers.len(),
        }
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(texts) => texts[row].as_str().into(),
            Self::Int(numbers) => numbers[row].into(),
        }
    }
}

impl<L: Lookup> QueryFragment<Pg> for ByKeys<L>
where
    <L::Table as Table>::AllColumns: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM unnest(");
        for (index, column) in self.keys.iter().enumerate() {
            out.push_sql(if index == 0 { "" } else { ", " });
            match column {
                Column::Text(texts) => out.push_bind_param::<Array<Text>, _>(texts)?,
                Column::Int(numbers) => out.push_bind_param::<Array<Integer>, _>(numbers)?,
            }
        }
        let names: Vec<String> = (0..self.keys.len()).map(|index| format!("k{index}")).collect();
        out.push_sql(&format!(") AS k({})", names.join(", ")));
        for join in L::JOINS {
            out.push_sql(" JOIN ");
            out.push_sql(join);
        }
        Ok(())
    }
}

impl<L: Lookup> QueryFragment<Sqlite> for ByKeys<L>
where
    <L::Table as Table>::AllColumns: QueryFragment<Sqlite>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        let parts: Vec<String> = (0..self.keys.len()).map(|index| format!("value ->> {index} AS k{index}")).collect();
        out.push_sql(&format!(" FROM (SELECT {} FROM json_each(", parts.join(", ")));
        out.push_bind_param::<Text, _>(self.json())?;
        out.push_sql(")) AS k");
        for join in L::JOINS {
            // CROSS JOIN is SQLite's way to say: in this order.
            out.push_sql(" CROSS JOIN ");
            out.push_sql(join);
        }
        Ok(())
    }
}

impl<L: Lookup> QueryId for ByKeys<L> {
    type QueryId = ByKeys<L>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<L: Lookup> Query for ByKeys<L> {
    type SqlType = <<L::Table as Table>::AllColumns as Expression>::SqlType;
}

impl<L: Lookup, C> RunQueryDsl<C> for ByKeys<L> {}

/// Store rows under their locks: the first statement of a write transaction, and nothing else in it,
/// because what else is read in the statement that waits for a lock is the past.
///
/// SQLite's write transaction holds the lock of the whole database already.
pub struct StoreLock<const WAIT: bool> {
    columns: <super::schema::store::table as Table>::AllColumns,
    stores: Vec<String>,
    json: String,
}

impl<const WAIT: bool> StoreLock<WAIT> {
    /// Locks these stores' rows, or the ones of them that exist and nobody else holds.
    pub fn of<'a>(stores: impl IntoIterator<Item = &'a str>) -> Self {
        let stores: Vec<String> = stores.into_iter().map(str::to_owned).collect();
        let json = serde_json::Value::from(stores.clone()).to_string();
        Self { columns: super::schema::store::all_columns, stores, json }
    }
}

impl<const WAIT: bool> QueryFragment<Pg> for StoreLock<WAIT> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        QueryFragment::<Pg>::walk_ast(&self.columns, out.reborrow())?;
        out.push_sql(" FROM store WHERE store_id = ANY(");
        out.push_bind_param::<Array<Text>, _>(&self.stores)?;
        out.push_sql(") ORDER BY store_id FOR NO KEY UPDATE");
        out.push_sql(if WAIT { "" } else { " SKIP LOCKED" });
        Ok(())
    }
}

impl<const WAIT: bool> QueryFragment<Sqlite> for StoreLock<WAIT> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        QueryFragment::<Sqlite>::walk_ast(&self.columns, out.reborrow())?;
        out.push_sql(" FROM store WHERE store_id IN (SELECT value FROM json_each(");
        out.push_bind_param::<Text, _>(&self.json)?;
        out.push_sql(")) ORDER BY store_id");
        Ok(())
    }
}

impl<const WAIT: bool> QueryId for StoreLock<WAIT> {
    type QueryId = StoreLock<WAIT>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<const WAIT: bool> Query for StoreLock<WAIT> {
    type SqlType = <<super::schema::store::table as Table>::AllColumns as Expression>::SqlType;
}

impl<const WAIT: bool, C> RunQueryDsl<C> for StoreLock<WAIT> {}
