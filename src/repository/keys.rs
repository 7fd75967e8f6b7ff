//! Loading by a set of keys: one statement whatever their number, whose text never changes.
//!
//! PostgreSQL takes the keys as arrays through UNNEST, SQLite as one JSON text. Either way the keys
//! come first and each is looked up by an index.
//!
//! The first part of each key, `k0`, is the store. A session that may lock several stores in one
//! transaction takes the store from the keys. One that deals with a single store at a time
//! ([`StoreScope::One`]) binds it by itself, so that each table is read with an equality on `store_id`: that
//! is what a database that is sharded by store can send to one shard.

use std::cell::OnceCell;
use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, Integer, Text};
use diesel::sqlite::Sqlite;

/// A way to find rows by keys.
pub trait Lookup: 'static {
    /// Which columns of which tables.
    type Table: Source;
    /// The keys' parts, called `k0`, `k1` ... by the joins. The first is the store.
    const KEY: &'static [KeyPart];
    /// How to get from `k` to the tables, join by join: what stands behind `JOIN`. The store is written
    /// as `k.k0` wherever it is compared.
    const JOINS: &'static [&'static str];
    /// What stands behind the joins: a GROUP BY, or nothing.
    const GROUP: &'static str = "";
}

/// What a lookup selects.
pub trait Source {
    /// The columns as an expression.
    type Columns: Expression;
    /// The columns.
    fn columns() -> Self::Columns;
}

impl<T: Table> Source for T {
    type Columns = T::AllColumns;

    fn columns() -> Self::Columns {
        T::all_columns()
    }
}

/// All columns of two tables.
pub struct Both<A, B>(PhantomData<(A, B)>);

impl<A: Table, B: Table> Source for Both<A, B>
where
    (A::AllColumns, B::AllColumns): Expression,
{
    type Columns = (A::AllColumns, B::AllColumns);

    fn columns() -> Self::Columns {
        (A::all_columns(), B::all_columns())
    }
}

/// Columns written as SQL, where they are not just a table's, with their types.
pub struct Written<ST> {
    sql: &'static str,
    types: PhantomData<ST>,
}

impl<ST> Written<ST> {
    /// Columns of these types.
    pub const fn new(sql: &'static str) -> Self {
        Self { sql, types: PhantomData }
    }
}

impl<ST: diesel::expression::TypedExpressionType> Expression for Written<ST> {
    type SqlType = ST;
}

impl<ST, DB: diesel::backend::Backend> QueryFragment<DB> for Written<ST> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(self.sql);
        Ok(())
    }
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
enum KeyColumn {
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

/// How many stores the statements of a session are about. Always the same for one session, because it
/// keeps the statements that it has prepared by their types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreScope {
    /// Any number: the store is a part of each key.
    Many,
    /// One at a time: the store is compared with a parameter.
    One,
}

/// The keys of a statement, by their parts, as both databases take them.
#[derive(Debug)]
pub(super) struct Keys {
    scope: StoreScope,
    columns: Vec<KeyColumn>,
    /// The store of every key, where there is but one.
    store: String,
    json: OnceCell<String>,
}

impl Keys {
    /// The keys with these parts; `None` if there are none, which need no statement.
    pub(super) fn new(
        scope: StoreScope,
        parts: &[KeyPart],
        keys: impl IntoIterator<Item = Vec<KeyValue>>,
    ) -> Option<Self> {
        let empty = |part: &KeyPart| match part {
            KeyPart::Text => KeyColumn::Text(Vec::new()),
            KeyPart::Int => KeyColumn::Int(Vec::new()),
        };
        let mut columns: Vec<KeyColumn> = parts.iter().map(empty).collect();
        let mut any = false;
        for key in keys {
            any = true;
            for (column, value) in columns.iter_mut().zip(key) {
                match (column, value) {
                    (KeyColumn::Text(texts), KeyValue::Text(text)) => texts.push(text),
                    (KeyColumn::Int(numbers), KeyValue::Int(number)) => numbers.push(number),
                    (column, value) => debug_assert!(false, "{value:?} does not belong into {column:?}"),
                }
            }
        }
        let store = match columns.first() {
            Some(KeyColumn::Text(stores)) => stores.first().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        any.then_some(Self { scope, columns, store, json: OnceCell::new() })
    }

    /// The keys as one JSON array of arrays.
    fn json(&self) -> &String {
        self.json.get_or_init(|| {
            let count = self.columns.first().map_or(0, KeyColumn::len);
            let key = |row: usize| self.columns.iter().map(|column| column.json(row)).collect();
            serde_json::Value::Array((0..count).map(|row| serde_json::Value::Array(key(row))).collect()).to_string()
        })
    }

    /// Writes the keys as a table `k`.
    pub(super) fn write_pg<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (index, column) in self.columns.iter().enumerate() {
            out.push_sql(if index == 0 { "unnest(" } else { ", " });
            match column {
                KeyColumn::Text(texts) => out.push_bind_param::<Array<Text>, _>(texts)?,
                KeyColumn::Int(numbers) => out.push_bind_param::<Array<Integer>, _>(numbers)?,
            }
        }
        let names: Vec<String> = (0..self.columns.len()).map(|index| format!("k{index}")).collect();
        out.push_sql(&format!(") AS k({})", names.join(", ")));
        Ok(())
    }

    /// The same on SQLite.
    pub(super) fn write_sqlite<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let parts = (0..self.columns.len()).map(|index| format!("value ->> {index} AS k{index}"));
        out.push_sql(&format!("(SELECT {} FROM json_each(", parts.collect::<Vec<_>>().join(", ")));
        out.push_bind_param::<Text, _>(self.json())?;
        out.push_sql(")) AS k");
        Ok(())
    }

    /// Writes SQL that compares the store with `k.k0`.
    pub(super) fn write_sql<'b>(&'b self, sql: &str, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if self.scope == StoreScope::Many {
            out.push_sql(sql);
            return Ok(());
        }
        for (index, part) in sql.split("k.k0").enumerate() {
            if index > 0 {
                out.push_bind_param::<Text, _>(&self.store)?;
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

/// The rows that a [`Lookup`] finds for a set of keys.
pub struct ByKeys<L: Lookup> {
    columns: <L::Table as Source>::Columns,
    keys: Keys,
    lookup: PhantomData<L>,
}

impl<L: Lookup> ByKeys<L> {
    /// A query for these keys, each once; `None` for no keys, which need no query.
    pub fn new(scope: StoreScope, keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Option<Self> {
        let keys = Keys::new(scope, L::KEY, keys)?;
        Some(Self { columns: L::Table::columns(), keys, lookup: PhantomData })
    }
}

impl KeyColumn {
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
    <L::Table as Source>::Columns: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_pg(&mut out)?;
        for join in L::JOINS {
            out.push_sql(" JOIN ");
            self.keys.write_sql(join, &mut out)?;
        }
        out.push_sql(L::GROUP);
        Ok(())
    }
}

impl<L: Lookup> QueryFragment<Sqlite> for ByKeys<L>
where
    <L::Table as Source>::Columns: QueryFragment<Sqlite>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_sqlite(&mut out)?;
        for join in L::JOINS {
            // CROSS JOIN is SQLite's way to say: in this order.
            out.push_sql(" CROSS JOIN ");
            out.push_sql(join);
        }
        out.push_sql(L::GROUP);
        Ok(())
    }
}

impl<L: Lookup> QueryId for ByKeys<L> {
    type QueryId = ByKeys<L>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<L: Lookup> Query for ByKeys<L> {
    type SqlType = <<L::Table as Source>::Columns as Expression>::SqlType;
}

impl<L: Lookup, C> RunQueryDsl<C> for ByKeys<L> {}

/// Store rows under their locks: the first statement of a write transaction, and nothing else in it,
/// because what else is read in the statement that waits for a lock is the past. Stores that somebody
/// else has locked are left out: nobody waits for a lock.
///
/// SQLite's write transaction holds the lock of the whole database already.
pub struct StoreLock {
    columns: <super::schema::store::table as Table>::AllColumns,
    scope: StoreScope,
    stores: Vec<String>,
    json: String,
}

impl StoreLock {
    /// Locks these stores' rows, those of them that exist and nobody else has locked.
    pub fn of<'a>(scope: StoreScope, stores: impl IntoIterator<Item = &'a str>) -> Self {
        let stores: Vec<String> = stores.into_iter().map(str::to_owned).collect();
        debug_assert!(scope == StoreScope::Many || stores.len() == 1, "{stores:?}");
        let json = serde_json::Value::from(stores.clone()).to_string();
        Self { columns: super::schema::store::all_columns, scope, stores, json }
    }
}

impl QueryFragment<Pg> for StoreLock {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        QueryFragment::<Pg>::walk_ast(&self.columns, out.reborrow())?;
        match (self.scope, self.stores.first()) {
            (StoreScope::One, Some(store)) => {
                out.push_sql(" FROM store WHERE store_id = ");
                out.push_bind_param::<Text, _>(store)?;
            }
            _ => {
                out.push_sql(" FROM store WHERE store_id = ANY(");
                out.push_bind_param::<Array<Text>, _>(&self.stores)?;
                out.push_sql(") ORDER BY store_id");
            }
        }
        out.push_sql(" FOR NO KEY UPDATE SKIP LOCKED");
        Ok(())
    }
}

impl QueryFragment<Sqlite> for StoreLock {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        QueryFragment::<Sqlite>::walk_ast(&self.columns, out.reborrow())?;
        out.push_sql(" FROM store WHERE store_id IN (SELECT value FROM json_each(");
        out.push_bind_param::<Text, _>(&self.json)?;
        out.push_sql(")) ORDER BY store_id");
        Ok(())
    }
}

impl QueryId for StoreLock {
    type QueryId = StoreLock;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl Query for StoreLock {
    type SqlType = <<super::schema::store::table as Table>::AllColumns as Expression>::SqlType;
}

impl<C> RunQueryDsl<C> for StoreLock {}
