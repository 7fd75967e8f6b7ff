//! Looks rows up by a set of keys: one statement whatever the number of keys, whose text never changes, so that it is
//! prepared once.
//!
//! The keys are a table `k` in the FROM clause, with the columns `k0`, `k1` and so on. PostgreSQL gets it as one array
//! per column through UNNEST, SQLite as one JSON text through `json_each`. The joins lead from `k` to the tables, so
//! each key is looked up by an index; no lookup scans a table to find the keys in it.
//!
//! `k0` is always the store. A session that may lock several stores in one transaction ([`StoreScope::Many`]) takes the
//! store from the keys. Every other session binds the one store as a parameter wherever `k.k0` is compared, so that each
//! table is read with an equality on `store_id`: only such a statement can be sent to one server of a sharded database.
//!
//! The invariant of this module: every part of every key has the type that its lookup declares ([`KeyType`]). A value of
//! another type would shift the keys behind it to the rows of other callers, so it is an error.

use std::cell::OnceCell;
use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{Array, HasSqlType, Integer, Text};
use diesel::sqlite::Sqlite;

use super::error::DbError;

/// A way to find rows by keys: which columns of which tables, and the joins that lead to them.
pub trait Lookup: 'static {
    /// What the query selects.
    type Columns: SelectedColumns;
    /// The types of the parts of a key, which the joins call `k0`, `k1` and so on. The first is the store.
    const KEY_TYPES: &'static [KeyType];
    /// What follows each JOIN, in the order from `k` to the last table. The store is written as `k.k0` wherever it is
    /// compared, because `KeyTable::push_sql` replaces these three characters by a parameter.
    const JOINS: &'static [&'static str];
    /// What follows the joins: a GROUP BY, a LIMIT, or nothing.
    const SUFFIX: &'static str = "";
}

/// Columns that a query selects, with the types that Diesel reads them as.
pub trait SelectedColumns {
    /// The expression of Diesel that writes the columns.
    type Columns: Expression;
    /// Makes that expression. `store` is the one store that the statement is about, if it is about one: each table that a
    /// column looks into is compared with it.
    fn columns(store: Option<&str>) -> Self::Columns;
}

impl<T: Table> SelectedColumns for T {
    type Columns = T::AllColumns;

    fn columns(_store: Option<&str>) -> Self::Columns {
        T::all_columns()
    }
}

/// The columns of two tables, those of `A` first.
pub struct ColumnsOfTwoTables<A, B>(PhantomData<(A, B)>);

impl<A: SelectedColumns, B: SelectedColumns> SelectedColumns for ColumnsOfTwoTables<A, B>
where
    (A::Columns, B::Columns): Expression,
{
    type Columns = (A::Columns, B::Columns);

    fn columns(store: Option<&str>) -> Self::Columns {
        (A::columns(store), B::columns(store))
    }
}

/// The columns of three tables, in their order.
pub struct ColumnsOfThreeTables<A, B, C>(PhantomData<(A, B, C)>);

impl<A: SelectedColumns, B: SelectedColumns, C: SelectedColumns> SelectedColumns for ColumnsOfThreeTables<A, B, C>
where
    (A::Columns, B::Columns, C::Columns): Expression,
{
    type Columns = (A::Columns, B::Columns, C::Columns);

    fn columns(store: Option<&str>) -> Self::Columns {
        (A::columns(store), B::columns(store), C::columns(store))
    }
}

/// Columns written as SQL, for what Diesel's own expressions cannot say in a lookup: columns of several tables,
/// aggregates. Nothing checks the text against `ST`, so a test must read such a row on both databases.
pub struct SqlColumns<ST> {
    sql: &'static str,
    /// What stands for each `k.k0`, if the statement is about one store.
    store: Option<String>,
    types: PhantomData<ST>,
}

impl<ST> SqlColumns<ST> {
    /// Columns that the database returns with the types `ST`.
    pub const fn new(sql: &'static str) -> Self {
        Self { sql, store: None, types: PhantomData }
    }

    /// The same for columns that look into further tables, each of which is compared with the store as `k.k0`. Where the
    /// statement is about one store, a parameter stands there instead, as in the joins.
    pub fn of_store(store: Option<&str>, sql: &'static str) -> Self {
        Self { sql, store: store.map(str::to_owned), types: PhantomData }
    }
}

impl<ST: diesel::expression::TypedExpressionType> Expression for SqlColumns<ST> {
    type SqlType = ST;
}

impl<ST, DB> QueryFragment<DB> for SqlColumns<ST>
where
    DB: diesel::backend::Backend + HasSqlType<Text>,
    String: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        let Some(store) = &self.store else {
            out.push_sql(self.sql);
            return Ok(());
        };
        for (index, part) in self.sql.split("k.k0").enumerate() {
            if index > 0 {
                out.push_bind_param::<Text, _>(store)?;
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

/// The type of one part of a key. Keys are text and small numbers alone, because both databases return these unchanged
/// from arrays and from JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// An id, a product code or a name.
    Text,
    /// A line or receipt number, or an index.
    Int,
}

/// The value of one part of one key.
#[derive(Clone, Debug)]
pub enum KeyValue {
    /// A value of a [`KeyType::Text`] part.
    Text(String),
    /// A value of a [`KeyType::Int`] part.
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

/// The values of one part in all keys.
#[derive(Debug)]
enum KeyColumn {
    Text(Vec<String>),
    Int(Vec<i32>),
}

impl KeyColumn {
    fn new(key_type: KeyType) -> Self {
        match key_type {
            KeyType::Text => Self::Text(Vec::new()),
            KeyType::Int => Self::Int(Vec::new()),
        }
    }

    /// Adds the value of the next key. Returns `false` if its type is not that of the column.
    fn push(&mut self, value: KeyValue) -> bool {
        match (self, value) {
            (Self::Text(texts), KeyValue::Text(text)) => texts.push(text),
            (Self::Int(numbers), KeyValue::Int(number)) => numbers.push(number),
            (Self::Text(_), KeyValue::Int(_)) | (Self::Int(_), KeyValue::Text(_)) => return false,
        }
        true
    }

    fn json(&self, row: usize) -> serde_json::Value {
        match self {
            Self::Text(texts) => texts[row].as_str().into(),
            Self::Int(numbers) => numbers[row].into(),
        }
    }
}

/// How many stores a statement of a session may be about. It never changes during a session, because a prepared
/// statement is looked up by the type of its query, and the same query has another text in the other scope.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreScope {
    /// Any number: the store is a part of each key.
    Many,
    /// One: every key has the same store, which is bound as a parameter.
    One,
}

/// The keys of one statement, which is written as the table `k`. There is at least one key.
#[derive(Debug)]
pub(super) struct KeyTable {
    scope: StoreScope,
    /// How many keys there are: every column has as many values.
    count: usize,
    columns: Vec<KeyColumn>,
    /// The store of the first key; with [`StoreScope::One`] that of all keys.
    store: String,
    /// The keys as SQLite takes them. Made when the statement is written, because PostgreSQL has no use for it.
    json: OnceCell<String>,
}

impl KeyTable {
    /// The table of these keys; `None` if there are none, which need no statement.
    pub(super) fn new(
        scope: StoreScope,
        key_types: &[KeyType],
        keys: impl IntoIterator<Item = Vec<KeyValue>>,
    ) -> Result<Option<Self>, DbError> {
        let mut columns: Vec<KeyColumn> = key_types.iter().map(|key_type| KeyColumn::new(*key_type)).collect();
        let mut store: Option<String> = None;
        let mut count = 0;
        for key in keys {
            // Not only in tests: `zip` would leave a part out silently, and the columns would have different lengths.
            if key.len() != columns.len() {
                return Err(DbError::bug(format!("{key:?} is no key of {key_types:?}")));
            }
            let Some(KeyValue::Text(store_of_key)) = key.first() else {
                return Err(DbError::bug(format!("{key:?} does not begin with a store")));
            };
            match &store {
                None => store = Some(store_of_key.clone()),
                // The first key's store is bound for all keys: a key of another store would find rows of the first.
                Some(store) if scope == StoreScope::One && store != store_of_key => {
                    return Err(DbError::bug(format!("a statement about {store} has a key of {store_of_key}")));
                }
                Some(_) => {}
            }
            for (column, value) in columns.iter_mut().zip(key) {
                if !column.push(value) {
                    return Err(DbError::bug(format!("a key does not have the types {key_types:?}")));
                }
            }
            count += 1;
        }
        Ok(store.map(|store| Self { scope, count, columns, store, json: OnceCell::new() }))
    }

    /// The one store that all keys have, if the statement is about one.
    pub(super) fn only_store(&self) -> Option<&str> {
        (self.scope == StoreScope::One).then_some(self.store.as_str())
    }

    /// The keys as one JSON array of arrays.
    fn json(&self) -> &String {
        self.json.get_or_init(|| {
            let mut keys = Vec::with_capacity(self.count);
            for row in 0..self.count {
                keys.push(serde_json::Value::Array(self.columns.iter().map(|column| column.json(row)).collect()));
            }
            serde_json::Value::Array(keys).to_string()
        })
    }

    /// Writes the table `k` for PostgreSQL. The text depends on the types of the keys and not on their number.
    pub(super) fn write_pg<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // One `unnest` with all arrays pairs their elements. An array is one parameter, however many keys there are.
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

    /// Writes the table `k` for SQLite.
    pub(super) fn write_sqlite<'b>(&'b self, out: &mut AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        // `->>` returns TEXT for a JSON string and INTEGER for a number, so that a column is compared by its index.
        let columns: Vec<String> =
            (0..self.columns.len()).map(|index| format!("value ->> {index} AS k{index}")).collect();
        out.push_sql(&format!("(SELECT {} FROM json_each(", columns.join(", ")));
        out.push_bind_param::<Text, _>(self.json())?;
        out.push_sql(")) AS k");
        Ok(())
    }

    /// Writes SQL that compares columns with the store as `k.k0`. Where there is one store, each `k.k0` becomes a
    /// parameter, because the planner of a sharded database does not see through `unnest`.
    pub(super) fn push_sql<'b, DB>(&'b self, sql: &str, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend + HasSqlType<Text>,
        String: ToSql<Text, DB>,
    {
        if self.scope == StoreScope::Many {
            out.push_sql(sql);
            return Ok(());
        }
        // Between each two parts there was a `k.k0`. No other identifier of the lookups contains these characters.
        for (index, part) in sql.split("k.k0").enumerate() {
            if index > 0 {
                out.push_bind_param::<Text, _>(&self.store)?;
            }
            out.push_sql(part);
        }
        Ok(())
    }
}

/// A database that can be given keys as the table `k`.
pub(super) trait KeysBackend: Backend {
    /// Writes the table `k`.
    fn write_keys<'b>(keys: &'b KeyTable, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()>;
}

impl KeysBackend for Pg {
    fn write_keys<'b>(keys: &'b KeyTable, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        keys.write_pg(out)
    }
}

impl KeysBackend for Sqlite {
    fn write_keys<'b>(keys: &'b KeyTable, out: &mut AstPass<'_, 'b, Self>) -> QueryResult<()> {
        keys.write_sqlite(out)
    }
}

/// A query for the rows that a [`Lookup`] finds by a set of keys. It returns no row for a key that finds none.
pub struct LookupQuery<L: Lookup> {
    columns: <L::Columns as SelectedColumns>::Columns,
    keys: KeyTable,
    lookup: PhantomData<L>,
}

impl<L: Lookup> LookupQuery<L> {
    /// A query for these keys; `None` for no keys, which need no query. Each key must be given once: two equal keys
    /// would find the same rows twice.
    pub fn new(scope: StoreScope, keys: impl IntoIterator<Item = Vec<KeyValue>>) -> Result<Option<Self>, DbError> {
        let keys = KeyTable::new(scope, L::KEY_TYPES, keys)?;
        let columns = |keys: &KeyTable| L::Columns::columns(keys.only_store());
        Ok(keys.map(|keys| Self { columns: columns(&keys), keys, lookup: PhantomData }))
    }
}

impl<L: Lookup> QueryFragment<Pg> for LookupQuery<L>
where
    <L::Columns as SelectedColumns>::Columns: QueryFragment<Pg>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_pg(&mut out)?;
        for join in L::JOINS {
            out.push_sql(" JOIN ");
            self.keys.push_sql(join, &mut out)?;
        }
        out.push_sql(L::SUFFIX);
        Ok(())
    }
}

impl<L: Lookup> QueryFragment<Sqlite> for LookupQuery<L>
where
    <L::Columns as SelectedColumns>::Columns: QueryFragment<Sqlite>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("SELECT ");
        self.columns.walk_ast(out.reborrow())?;
        out.push_sql(" FROM ");
        self.keys.write_sqlite(&mut out)?;
        for join in L::JOINS {
            // SQLite never reorders a CROSS JOIN. With JOIN its planner might begin at a table and look for its rows
            // among the keys, which takes time in proportion to the table.
            out.push_sql(" CROSS JOIN ");
            out.push_sql(join);
        }
        out.push_sql(L::SUFFIX);
        Ok(())
    }
}

impl<L: Lookup> QueryId for LookupQuery<L> {
    type QueryId = LookupQuery<L>;
    // The text follows from the lookup and the scope, and a session has one scope, so the type identifies the text.
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<L: Lookup> Query for LookupQuery<L> {
    type SqlType = <<L::Columns as SelectedColumns>::Columns as Expression>::SqlType;
}

impl<L: Lookup, C> RunQueryDsl<C> for LookupQuery<L> {}

/// Locks the rows of stores and returns them. It is the first statement of a write transaction and reads nothing else:
/// what another table shows in the statement that takes the locks may be older than the locks.
///
/// A store that another transaction has locked is left out (SKIP LOCKED), and the caller tries it again later. No
/// transaction waits for a lock while it holds others, so there can be no deadlock.
///
/// On SQLite the write transaction holds the lock of the whole database already.
pub struct StoreLock {
    columns: <super::schema::store::table as Table>::AllColumns,
    scope: StoreScope,
    stores: Vec<String>,
    /// The stores as SQLite takes them.
    json: String,
}

impl StoreLock {
    /// The statement for these stores. With [`StoreScope::One`] there must be exactly one.
    pub fn new<'a>(scope: StoreScope, stores: impl IntoIterator<Item = &'a str>) -> Result<Self, DbError> {
        let stores: Vec<String> = stores.into_iter().map(str::to_owned).collect();
        if scope == StoreScope::One && stores.len() != 1 {
            return Err(DbError::bug(format!("a transaction about one store is to lock {stores:?}")));
        }
        let json = serde_json::Value::from(stores.clone()).to_string();
        Ok(Self { columns: super::schema::store::all_columns, scope, stores, json })
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
            // As one array, so that the text does not depend on the number of stores.
            _ => {
                out.push_sql(" FROM store WHERE store_id = ANY(");
                out.push_bind_param::<Array<Text>, _>(&self.stores)?;
                out.push_sql(") ORDER BY store_id");
            }
        }
        // NO KEY UPDATE is the lock that an UPDATE of the row takes anyway: no key of a store ever changes.
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY_TYPES: [KeyType; 3] = [KeyType::Text, KeyType::Text, KeyType::Int];

    fn table(scope: StoreScope, keys: &[Vec<KeyValue>]) -> Result<Option<KeyTable>, DbError> {
        KeyTable::new(scope, &KEY_TYPES, keys.to_vec())
    }

    #[test]
    fn keys_become_columns_and_no_keys_need_no_statement() {
        let keys = [vec!["north".into(), "a".into(), 1.into()], vec!["north".into(), "b".into(), 2.into()]];
        let found = table(StoreScope::One, &keys).unwrap().unwrap();
        assert_eq!((found.count, found.store.as_str()), (2, "north"));
        assert_eq!(found.json(), r#"[["north","a",1],["north","b",2]]"#);
        assert!(table(StoreScope::One, &[]).unwrap().is_none());
    }

    #[test]
    fn a_key_that_would_find_other_rows_is_a_bug_and_no_key() {
        let north = || vec!["north".into(), "a".into(), 1.into()];
        for wrong in [
            vec![],
            vec!["north".into(), "a".into()],
            vec!["north".into(), "a".into(), "1".into()],
            vec!["north".into(), 1.into(), 1.into()],
            vec![1.into(), "a".into(), 1.into()],
        ] {
            assert!(table(StoreScope::Many, &[north(), wrong.clone()]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn only_where_each_key_has_its_own_store_may_there_be_several() {
        let keys = [vec!["north".into(), "a".into(), 1.into()], vec!["south".into(), "a".into(), 1.into()]];
        assert!(table(StoreScope::One, &keys).is_err());
        assert_eq!(table(StoreScope::Many, &keys).unwrap().unwrap().count, 2);
        assert!(StoreLock::new(StoreScope::One, ["north", "south"]).is_err());
    }
}
