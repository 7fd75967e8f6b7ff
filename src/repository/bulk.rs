//! Saving sets of rows, in each database's best way. On SQLite one prepared statement per table, run
//! once per row. On PostgreSQL the rows of a table go as arrays through UNNEST, and all tables in one
//! statement, because each round trip costs as much as saving a few rows; on a sharded database, which
//! has no such statements, in one statement per table, each with an equality on its store.
//!
//! The text for a table never changes. The statement for all tables has a text for each combination of
//! tables, which follows from which kinds of commands share a batch; a session prepares only so many of
//! them, and saves other combinations table by table.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::error::DbError;
use super::keys::StoreScope;
use super::session::{Backend, Changes, Session};

/// One column's value in one row.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    Text(Option<Cow<'a, str>>),
    Big(Option<i64>),
    Int(i32),
    Bool(bool),
}

impl<'a> Cell<'a> {
    /// Text of a column that is not null.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// Text of a column that may be null.
    pub fn maybe(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }

    /// A value that is stored by its text, in a column that may be null.
    pub fn written(value: Option<impl ToString>) -> Self {
        Self::Text(value.map(|value| Cow::Owned(value.to_string())))
    }

    /// A 64-bit integer of a column that is not null.
    pub fn big(value: i64) -> Self {
        Self::Big(Some(value))
    }
}

/// What a column is for when a row that exists already is saved again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnRole {
    /// A part of the primary key: an update finds its row by it.
    Key,
    /// Written when the row is inserted and never again.
    Fixed,
    /// Written by every update.
    Changing,
}

/// One column of a table: its name, its role, and how its value is taken from an entity. The three
/// stand together, so that no statement can bind a value to another column than its own.
pub struct Column<R> {
    pub name: &'static str,
    pub role: ColumnRole,
    cell: for<'r> fn(&'r R) -> Cell<'r>,
}

impl<R> Column<R> {
    /// A column of the primary key.
    pub const fn key(name: &'static str, cell: for<'r> fn(&'r R) -> Cell<'r>) -> Self {
        Self { name, role: ColumnRole::Key, cell }
    }

    /// A column that never changes after the row was inserted.
    pub const fn fixed(name: &'static str, cell: for<'r> fn(&'r R) -> Cell<'r>) -> Self {
        Self { name, role: ColumnRole::Fixed, cell }
    }

    /// A column that updates write.
    pub const fn changing(name: &'static str, cell: for<'r> fn(&'r R) -> Cell<'r>) -> Self {
        Self { name, role: ColumnRole::Changing, cell }
    }
}

/// Something that is saved as a row of a table.
pub trait Row: Sized + 'static {
    const TABLE: &'static str;
    /// Every column of the table, those of the key first; `store_id` is the first of all.
    const COLUMNS: &'static [Column<Self>];
}

/// The columns of a table that have a role.
fn columns_with<R: Row>(role: ColumnRole) -> impl Iterator<Item = &'static Column<R>> {
    R::COLUMNS.iter().filter(move |column| column.role == role)
}

/// The columns that an update binds, in that order: the key, and what it writes.
fn columns_of_update<R: Row>() -> impl Iterator<Item = &'static Column<R>> {
    columns_with::<R>(ColumnRole::Key).chain(columns_with::<R>(ColumnRole::Changing))
}

fn cells<'r, R: Row>(row: &'r R, columns: impl Iterator<Item = &'static Column<R>>) -> Vec<Cell<'r>> {
    columns.map(|column| (column.cell)(row)).collect()
}

/// Rows of one transaction on their way into the database: nothing is sure to be there before
/// [`Saving::finish`].
pub struct Saving<'s, 'a> {
    session: &'s mut Session,
    collected: Vec<TableRows<'a>>,
    changes: Changes,
}

impl<'s, 'a> Saving<'s, 'a> {
    /// Begins to save.
    pub fn new(session: &'s mut Session) -> Self {
        Self { session, collected: Vec::new(), changes: Changes::None }
    }

    /// Inserts rows.
    pub fn insert<R: Row>(&mut self, rows: &[&'a R]) -> Result<(), DbError> {
        self.save::<R, Insert>(rows.iter().map(|row| cells(*row, R::COLUMNS.iter())))
    }

    /// Updates rows by their keys. They must have been there before the transaction: on PostgreSQL a row
    /// that it inserts is not seen by its updates.
    pub fn update<R: Row>(&mut self, rows: &[&'a R]) -> Result<(), DbError> {
        self.save::<R, Update>(rows.iter().map(|row| cells(*row, columns_of_update::<R>())))
    }

    /// Deletes rows by their keys, at once: what is inserted afterwards may have the same keys.
    pub fn delete<R: Row>(&mut self, keys: impl ExactSizeIterator<Item = Vec<Cell<'a>>>) -> Result<(), DbError> {
        self.save::<R, Delete>(keys)?;
        self.flush()
    }

    /// Saves what is not saved yet; whether there was anything to save at all.
    pub fn finish(mut self) -> Result<Changes, DbError> {
        self.flush()?;
        Ok(self.changes)
    }

    fn save<R: Row, V: Verb>(&mut self, mut rows: impl ExactSizeIterator<Item = Vec<Cell<'a>>>) -> Result<(), DbError> {
        let expected = rows.len();
        if expected == 0 {
            return Ok(());
        }
        self.changes = Changes::Made;
        match &mut self.session.backend {
            Backend::Postgres(_) => self.collected.push(TableRows::new::<R, V>(rows)?),
            Backend::Sqlite(connection) => {
                let saved = rows.try_fold(0, |saved, cells| {
                    let row = OneRow::<R, V> { cells, row: PhantomData };
                    ExecuteDsl::<_, Sqlite>::execute(row, connection).map(|count| saved + count)
                })?;
                check_count(R::TABLE, saved, expected)?;
            }
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), DbError> {
        let tables = std::mem::take(&mut self.collected);
        let scope = self.session.store_scope();
        let together = scope == StoreScope::Many && tables.len() > 1;
        if together && self.session.may_combine(tables.iter().map(|table| (table.name, table.verb)).collect()) {
            return self.save_together(tables);
        }
        let Backend::Postgres(connection) = &mut self.session.backend else { return Ok(()) };
        for rows in tables {
            let (name, expected) = (rows.name, rows.count);
            let saved = ExecuteDsl::<_, Pg>::execute(OneTable { rows, scope }, connection)?;
            check_count(name, saved, expected)?;
        }
        Ok(())
    }

    fn save_together(&mut self, tables: Vec<TableRows<'a>>) -> Result<(), DbError> {
        let Backend::Postgres(connection) = &mut self.session.backend else { return Ok(()) };
        let expected: Vec<(&'static str, usize)> = tables.iter().map(|table| (table.name, table.count)).collect();
        let counts: Vec<Vec<i64>> =
            LoadQuery::<PgConnection, Vec<i64>>::internal_load(AllTables { tables }, connection)?
                .collect::<QueryResult<_>>()?;
        let counts = counts.into_iter().next().unwrap_or_default();
        for (index, (name, expected)) in expected.into_iter().enumerate() {
            let saved = counts.get(index).and_then(|count| usize::try_from(*count).ok()).unwrap_or_default();
            check_count(name, saved, expected)?;
        }
        Ok(())
    }
}

/// Every row that was to be saved must have been: one that was not there to be updated would be lost.
fn check_count(table: &'static str, saved: usize, expected: usize) -> Result<(), DbError> {
    if saved == expected {
        return Ok(());
    }
    Err(DbError::unreadable(table, format!("{saved} rows were there to save of {expected}")))
}

/// What a statement does with the rows.
trait Verb: 'static {
    /// Writes the statement for one row: text, and the indexes of the cells to bind. It is walked for
    /// each row, so it makes no text of its own.
    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()>;
    /// Which verb it is.
    const NAME: VerbName;
    /// The columns that the cells belong to.
    fn columns<R: Row>() -> Vec<&'static str>;
}

/// A part of a statement.
enum Part {
    Text(&'static str),
    Bind(usize),
}

/// What is done with the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum VerbName {
    Insert,
    Update,
    Delete,
}

struct Insert;
struct Update;
struct Delete;

impl Verb for Insert {
    const NAME: VerbName = VerbName::Insert;

    fn columns<R: Row>() -> Vec<&'static str> {
        R::COLUMNS.iter().map(|column| column.name).collect()
    }

    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Text("INSERT INTO "))?;
        write(Part::Text(R::TABLE))?;
        for (index, column) in R::COLUMNS.iter().enumerate() {
            write(Part::Text(if index == 0 { " (" } else { ", " }))?;
            write(Part::Text(column.name))?;
        }
        for index in 0..R::COLUMNS.len() {
            write(Part::Text(if index == 0 { ") VALUES (" } else { ", " }))?;
            write(Part::Bind(index))?;
        }
        write(Part::Text(")"))
    }
}

impl Verb for Update {
    const NAME: VerbName = VerbName::Update;

    fn columns<R: Row>() -> Vec<&'static str> {
        columns_of_update::<R>().map(|column| column.name).collect()
    }

    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Text("UPDATE "))?;
        write(Part::Text(R::TABLE))?;
        let key_length = columns_with::<R>(ColumnRole::Key).count();
        for (index, column) in columns_with::<R>(ColumnRole::Changing).enumerate() {
            write(Part::Text(if index == 0 { " SET " } else { ", " }))?;
            write(Part::Text(column.name))?;
            write(Part::Text(" = "))?;
            write(Part::Bind(key_length + index))?;
        }
        one_key::<R>(write)
    }
}

impl Verb for Delete {
    const NAME: VerbName = VerbName::Delete;

    fn columns<R: Row>() -> Vec<&'static str> {
        columns_with::<R>(ColumnRole::Key).map(|column| column.name).collect()
    }

    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Text("DELETE FROM "))?;
        write(Part::Text(R::TABLE))?;
        one_key::<R>(write)
    }
}

/// The row with the key that the first cells hold.
fn one_key<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
    for (index, column) in columns_with::<R>(ColumnRole::Key).enumerate() {
        write(Part::Text(if index == 0 { " WHERE " } else { " AND " }))?;
        write(Part::Text(column.name))?;
        write(Part::Text(" = "))?;
        write(Part::Bind(index))?;
    }
    Ok(())
}

struct OneRow<'a, R, V> {
    cells: Vec<Cell<'a>>,
    row: PhantomData<(R, V)>,
}

impl<R: Row, V: Verb> QueryFragment<Sqlite> for OneRow<'_, R, V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        V::one_row::<R>(&mut |part| match part {
            Part::Text(text) => {
                out.push_sql(text);
                Ok(())
            }
            Part::Bind(index) => match &self.cells[index] {
                Cell::Text(value) => out.push_bind_param::<Nullable<Text>, _>(value),
                Cell::Big(value) => out.push_bind_param::<Nullable<BigInt>, _>(value),
                Cell::Int(value) => out.push_bind_param::<Integer, _>(value),
                Cell::Bool(value) => out.push_bind_param::<Bool, _>(value),
            },
        })
    }
}

impl<R: Row, V: Verb> QueryId for OneRow<'_, R, V> {
    type QueryId = OneRow<'static, R, V>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row, V: Verb, C> RunQueryDsl<C> for OneRow<'_, R, V> {}

/// Rows of one table and what is to be done with them, by their columns.
struct TableRows<'a> {
    name: &'static str,
    verb: VerbName,
    /// The columns that the cells belong to; the first is `store_id`.
    columns: Vec<&'static str>,
    /// How many of them are the key.
    key: usize,
    cells: Vec<ValueColumn<'a>>,
    count: usize,
}

impl<'a> TableRows<'a> {
    fn new<R: Row, V: Verb>(rows: impl ExactSizeIterator<Item = Vec<Cell<'a>>>) -> Result<Self, DbError> {
        let count = rows.len();
        let columns = V::columns::<R>();
        let key = columns_with::<R>(ColumnRole::Key).count();
        let cells = transpose(R::TABLE, &columns, rows)?;
        Ok(Self { name: R::TABLE, verb: V::NAME, columns, key, cells, count })
    }

    /// The store of the first row.
    fn store(&self) -> Option<&str> {
        match self.cells.first() {
            Some(ValueColumn::Text(stores)) => stores.first().and_then(|store| store.as_deref()),
            _ => None,
        }
    }

    fn write<'b>(&'b self, scope: StoreScope, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self.verb {
            VerbName::Insert => {
                out.push_sql(&format!("INSERT INTO {} ({}) SELECT ", self.name, self.columns.join(", ")));
                self.write_store(scope, "v.store_id", out)?;
                out.push_sql(&format!(", v.{} FROM ", self.columns[1..].join(", v.")));
                self.write_rows(out)
            }
            VerbName::Update => {
                let set = self.columns[self.key..].iter().map(|column| format!("{column} = v.{column}"));
                out.push_sql(&format!("UPDATE {} AS t SET {} FROM ", self.name, set.collect::<Vec<_>>().join(", ")));
                self.write_rows(out)?;
                self.write_key(scope, out)
            }
            VerbName::Delete => {
                out.push_sql(&format!("DELETE FROM {} AS t USING ", self.name));
                self.write_rows(out)?;
                self.write_key(scope, out)
            }
        }
    }

    /// Writes the rows as a table `v`.
    fn write_rows<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (index, column) in self.cells.iter().enumerate() {
            out.push_sql(if index == 0 { "unnest(" } else { ", " });
            match column {
                ValueColumn::Text(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values)?,
                ValueColumn::Big(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?,
                ValueColumn::Int(values) => out.push_bind_param::<Array<Integer>, _>(values)?,
                ValueColumn::Bool(values) => out.push_bind_param::<Array<Bool>, _>(values)?,
            }
        }
        out.push_sql(&format!(") AS v({})", self.columns.join(", ")));
        Ok(())
    }

    /// Writes which rows `t` have the keys of the rows `v`.
    fn write_key<'b>(&'b self, scope: StoreScope, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" WHERE t.store_id = ");
        self.write_store(scope, "v.store_id", out)?;
        for column in &self.columns[1..self.key] {
            out.push_sql(&format!(" AND t.{column} = v.{column}"));
        }
        Ok(())
    }

    fn write_store<'b>(
        &'b self,
        scope: StoreScope,
        of_row: &'static str,
        out: &mut AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        match (scope, self.store()) {
            (StoreScope::One, Some(store)) => out.push_bind_param::<Text, str>(store),
            _ => {
                out.push_sql(of_row);
                Ok(())
            }
        }
    }
}

/// A statement for one table. Its text follows from the table, the verb and the session's scope.
struct OneTable<'a> {
    rows: TableRows<'a>,
    scope: StoreScope,
}

impl QueryFragment<Pg> for OneTable<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        self.rows.write(self.scope, &mut out)
    }
}

impl QueryId for OneTable<'_> {
    type QueryId = ();
    // One type for several texts: it is kept by its text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for OneTable<'_> {}

/// A statement for several tables, each changed in a WITH of its own; it tells how many rows each
/// changed. No two of its parts may change the same row.
struct AllTables<'a> {
    tables: Vec<TableRows<'a>>,
}

impl QueryFragment<Pg> for AllTables<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (index, rows) in self.tables.iter().enumerate() {
            out.push_sql(&format!("{} w{index} AS (", if index == 0 { "WITH" } else { ")," }));
            rows.write(StoreScope::Many, &mut out)?;
            out.push_sql(" RETURNING 1");
        }
        let counts = (0..self.tables.len()).map(|index| format!("(SELECT count(*) FROM w{index})"));
        out.push_sql(&format!(") SELECT ARRAY[{}]", counts.collect::<Vec<_>>().join(", ")));
        Ok(())
    }
}

impl QueryId for AllTables<'_> {
    type QueryId = ();
    // One type for several texts: it is kept by its text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for AllTables<'_> {
    type SqlType = Array<BigInt>;
}

impl<C> RunQueryDsl<C> for AllTables<'_> {}

/// One column's values in all rows.
enum ValueColumn<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    Big(Vec<Option<i64>>),
    Int(Vec<i32>),
    Bool(Vec<bool>),
}

impl<'a> ValueColumn<'a> {
    fn beginning_with(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Text(value) => Self::Text(vec![value]),
            Cell::Big(value) => Self::Big(vec![value]),
            Cell::Int(value) => Self::Int(vec![value]),
            Cell::Bool(value) => Self::Bool(vec![value]),
        }
    }

    /// Adds the next row's value; `false` if it is not of the column's type.
    fn push(&mut self, cell: Cell<'a>) -> bool {
        match (self, cell) {
            (Self::Text(values), Cell::Text(value)) => values.push(value),
            (Self::Big(values), Cell::Big(value)) => values.push(value),
            (Self::Int(values), Cell::Int(value)) => values.push(value),
            (Self::Bool(values), Cell::Bool(value)) => values.push(value),
            _ => return false,
        }
        true
    }
}

/// Rows as columns. A row with a value too few or too many, or of another type than the same column has
/// in the first row, would be saved into the wrong columns: it is a bug, and refused.
fn transpose<'a>(
    table: &'static str,
    names: &[&'static str],
    mut rows: impl Iterator<Item = Vec<Cell<'a>>>,
) -> Result<Vec<ValueColumn<'a>>, DbError> {
    let first = rows.next().unwrap_or_default();
    let mut columns: Vec<ValueColumn<'a>> = first.into_iter().map(ValueColumn::beginning_with).collect();
    let mut fits = columns.len() == names.len();
    for row in rows {
        fits &= row.len() == names.len();
        for (column, cell) in columns.iter_mut().zip(row) {
            fits &= column.push(cell);
        }
    }
    if fits { Ok(columns) } else { Err(DbError::unreadable(table, "a row does not fit the table's columns")) }
}
