//! Saves the rows of a transaction, by as few round trips as each database allows.
//!
//! - SQLite runs in this process, so a round trip costs nothing: one prepared statement per table is run once per row.
//! - On PostgreSQL each round trip costs about as much as saving a few rows. The rows of a table go as one array per
//!   column, which the statement unnests, and all tables share one statement.
//! - A sharded PostgreSQL database cannot run such a statement. It gets one statement per table, each with an equality
//!   on the store, so that it can be sent to the one server that has the store.
//!
//! The text for one table never changes, so it is prepared once. The text for all tables depends on which tables there
//! are, which follows from the kinds of commands that share a batch. A session prepares a bounded number of them
//! (`Session::may_combine`) and saves other combinations table by table.
//!
//! The invariant of this module: each row is saved completely or the transaction fails. A value cannot get into another
//! column than its own ([`Column`]), and a row that was not there to be changed is an error (`check_count`).

mod statements;

use std::borrow::Cow;

use diesel::pg::{Pg, PgConnection};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::query_dsl::methods::{ExecuteDsl, LoadQuery};
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

pub(super) use self::statements::SaveKind;
use self::statements::{Add, AddOrInsert, Delete, Insert, SaveStatement, SqliteRowStatement, Update};
use super::error::DbError;
use super::keys::StoreScope;
use super::session::{Backend, Changes, Session, TableCombination};

/// The value of one column in one row. A column has the same variant in every row, because the values of a column are
/// sent as one array.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Text, borrowed from the entity where it has it in this form; `None` is NULL.
    Text(Option<Cow<'a, str>>),
    /// A 64-bit integer; `None` is NULL.
    BigInt(Option<i64>),
    /// A 32-bit integer of a column that is never NULL.
    Int(i32),
    /// A 32-bit integer; `None` is NULL.
    OptionalInt(Option<i32>),
    /// A truth value of a column that is never NULL.
    Bool(bool),
}

impl<'a> Cell<'a> {
    /// Text of a column that is not null.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// Text of a column that may be null, borrowed from the entity.
    pub fn optional_text(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }

    /// The text by which a value is stored (an id, a date), in a column that may be null.
    pub fn formatted(value: Option<impl ToString>) -> Self {
        Self::Text(value.map(|value| Cow::Owned(value.to_string())))
    }

    /// A 64-bit integer of a column that is not null.
    pub fn big_int(value: i64) -> Self {
        Self::BigInt(Some(value))
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

/// One column of a table. Its name and the function that takes its value from an entity are in one place, so that no
/// statement can bind a value to another column than its own.
pub struct Column<R> {
    /// The name in the schema of both databases.
    pub name: &'static str,
    /// Which statements bind it.
    pub role: ColumnRole,
    /// Takes the column's value from an entity.
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

/// An entity of the domain that is saved as one row of one table.
pub trait Row: Sized + 'static {
    /// The table's name in the schema of both databases.
    const TABLE: &'static str;
    /// Every column of the table: first those of the primary key, of which `store_id` is the first. Updates and
    /// deletes find a row by the cells at the beginning, and a sharded database finds its server by the first one. A
    /// test compares this list with the schema.
    const COLUMNS: &'static [Column<Self>];
}

/// The columns of a table that have this role, in the order of [`Row::COLUMNS`].
fn columns_with<R: Row>(role: ColumnRole) -> impl Iterator<Item = &'static Column<R>> {
    R::COLUMNS.iter().filter(move |column| column.role == role)
}

/// The columns that an update binds, in that order: the key to find the row by, and the columns that it sets.
fn columns_of_update<R: Row>() -> impl Iterator<Item = &'static Column<R>> {
    columns_with::<R>(ColumnRole::Key).chain(columns_with::<R>(ColumnRole::Changing))
}

/// The values of these columns in one row, in the order of the columns.
fn cells<'r, R: Row>(row: &'r R, columns: impl Iterator<Item = &'static Column<R>>) -> Vec<Cell<'r>> {
    columns.map(|column| (column.cell)(row)).collect()
}

/// Saves the rows of one transaction. On PostgreSQL they are only collected at first: nothing is sure to be in the
/// database before [`Saving::finish`].
pub struct Saving<'s, 'a> {
    session: &'s mut Session,
    /// What PostgreSQL is to save with the next statement, in the order in which it was given.
    collected: Vec<TableRows<'a>>,
    changes: Changes,
}

impl<'s, 'a> Saving<'s, 'a> {
    /// A saving that has no rows yet. The session must be in a write transaction.
    pub fn new(session: &'s mut Session) -> Self {
        Self { session, collected: Vec::new(), changes: Changes::None }
    }

    /// Inserts rows, with all their columns.
    pub fn insert<R: Row>(&mut self, rows: &[&'a R]) -> Result<(), DbError> {
        self.save::<R, Insert>(rows.iter().map(|row| cells(*row, R::COLUMNS.iter())))
    }

    /// Updates rows by their keys. The rows must have been there before the transaction: on PostgreSQL the parts of one
    /// statement do not see what the others write, so a row that was inserted just now would not be found.
    pub fn update<R: Row>(&mut self, rows: &[&'a R]) -> Result<(), DbError> {
        self.save::<R, Update>(rows.iter().map(|row| cells(*row, columns_of_update::<R>())))
    }

    /// Deletes rows by their keys, by a statement of its own: rows that are inserted afterwards may have the same keys,
    /// and PostgreSQL does not order the parts of one statement.
    pub fn delete<R: Row>(&mut self, keys: impl ExactSizeIterator<Item = Vec<Cell<'a>>>) -> Result<(), DbError> {
        self.save::<R, Delete>(keys)?;
        self.flush()
    }

    /// Adds to the changing columns of rows what these rows have there, and inserts those that do not exist. Nothing may
    /// be below zero: a database judges the limits of a row before it looks whether there is one to add to.
    pub fn add_or_insert<R: Row>(&mut self, rows: &[&'a R]) -> Result<(), DbError> {
        self.save::<R, AddOrInsert>(rows.iter().map(|row| cells(*row, R::COLUMNS.iter())))
    }

    /// Adds to the changing columns of rows that exist what these rows have there, which may be below zero. No row may
    /// be among those of [`Saving::add_or_insert`] too.
    pub fn add<R: Row>(&mut self, rows: &[&'a R]) -> Result<(), DbError> {
        self.save::<R, Add>(rows.iter().map(|row| cells(*row, columns_of_update::<R>())))
    }

    /// Saves what is only collected so far, and returns whether there was anything to save at all.
    pub fn finish(mut self) -> Result<Changes, DbError> {
        self.flush()?;
        Ok(self.changes)
    }

    /// Saves rows at once on SQLite, and collects them on PostgreSQL.
    fn save<R: Row, S: SaveStatement>(
        &mut self,
        rows: impl ExactSizeIterator<Item = Vec<Cell<'a>>>,
    ) -> Result<(), DbError> {
        let expected = rows.len();
        if expected == 0 {
            return Ok(());
        }
        self.changes = Changes::Made;
        match &mut self.session.backend {
            Backend::Postgres(_) => self.collected.push(TableRows::new::<R, S>(rows)?),
            Backend::Sqlite(connection) => {
                // Diesel finds the prepared statement by its type, so only the first row of a table costs a preparation.
                let mut saved = 0;
                for cells in rows {
                    let statement = SqliteRowStatement::<R, S>::new(cells);
                    saved += ExecuteDsl::<_, Sqlite>::execute(statement, connection)?;
                }
                check_count(R::TABLE, saved, expected)?;
            }
        }
        Ok(())
    }

    /// Sends what is collected: as one statement if the session may have one for this combination of tables, and
    /// otherwise as one statement per table. The result is the same, because no two of them change the same row.
    fn flush(&mut self) -> Result<(), DbError> {
        let tables = std::mem::take(&mut self.collected);
        let scope = self.session.store_scope();
        // A sharded database cannot route a statement that changes several tables, and one table needs no WITH.
        if scope == StoreScope::Many && tables.len() > 1 {
            let combination: TableCombination = tables.iter().map(|table| (table.name, table.kind)).collect();
            if self.session.may_combine(combination) {
                return self.save_all_tables(tables);
            }
        }
        // Nothing is collected on SQLite.
        let Backend::Postgres(connection) = &mut self.session.backend else { return Ok(()) };
        for rows in tables {
            let name = rows.name;
            let expected = rows.count;
            let saved = ExecuteDsl::<_, Pg>::execute(OneTable { rows, scope }, connection)?;
            check_count(name, saved, expected)?;
        }
        Ok(())
    }

    /// Saves several tables by one statement, and checks for each how many rows it has saved.
    fn save_all_tables(&mut self, tables: Vec<TableRows<'a>>) -> Result<(), DbError> {
        let Backend::Postgres(connection) = &mut self.session.backend else { return Ok(()) };
        let expected: Vec<(&'static str, usize)> = tables.iter().map(|table| (table.name, table.count)).collect();
        let rows: Vec<Vec<i64>> = LoadQuery::<PgConnection, Vec<i64>>::internal_load(AllTables { tables }, connection)?
            .collect::<QueryResult<_>>()?;
        // Without the counts it is not known whether every row was saved, so a missing one must not pass for a number.
        let counts = rows.first().filter(|counts| counts.len() == expected.len());
        let counts = counts.ok_or_else(|| DbError::bug(format!("{} tables were saved: {rows:?}", expected.len())))?;
        for ((table, expected), saved) in expected.into_iter().zip(counts) {
            let saved =
                usize::try_from(*saved).map_err(|_| DbError::bug(format!("{table}: {saved} rows were saved")))?;
            check_count(table, saved, expected)?;
        }
        Ok(())
    }
}

/// Fails unless every row was saved. The rows were loaded under the lock of their store, so a row that is not there to
/// be updated was deleted by something that took no lock; without this check its change would be lost silently.
fn check_count(table: &'static str, saved: usize, expected: usize) -> Result<(), DbError> {
    if saved == expected {
        return Ok(());
    }
    Err(DbError::unreadable(table, format!("{saved} rows were there to save of {expected}")))
}

/// The rows of one table that PostgreSQL is to save in the same way, column by column.
struct TableRows<'a> {
    name: &'static str,
    kind: SaveKind,
    /// The names of the columns in `values`; the first is `store_id`.
    columns: Vec<&'static str>,
    /// How many of the columns, counted from the first, are the primary key.
    key_length: usize,
    values: Vec<ColumnValues<'a>>,
    /// How many rows there are; never none.
    count: usize,
}

impl<'a> TableRows<'a> {
    fn new<R: Row, S: SaveStatement>(rows: impl ExactSizeIterator<Item = Vec<Cell<'a>>>) -> Result<Self, DbError> {
        let count = rows.len();
        let columns = S::columns::<R>();
        let values = transpose(R::TABLE, &columns, rows)?;
        let key_length = columns_with::<R>(ColumnRole::Key).count();
        Ok(Self { name: R::TABLE, kind: S::KIND, columns, key_length, values, count })
    }

    /// The store of the first row, which in a transaction about one store is the store of all rows.
    fn store(&self) -> Option<&str> {
        match self.values.first() {
            Some(ColumnValues::Text(stores)) => stores.first().and_then(|store| store.as_deref()),
            _ => None,
        }
    }

    /// Writes the statement for these rows.
    fn write<'b>(&'b self, scope: StoreScope, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self.kind {
            SaveKind::Insert | SaveKind::AddOrInsert => {
                out.push_sql(&format!("INSERT INTO {} ({}) SELECT ", self.name, self.columns.join(", ")));
                self.write_store(scope, "v.store_id", out)?;
                // The first column is the store, which was written just now.
                out.push_sql(&format!(", v.{} FROM ", self.columns[1..].join(", v.")));
                self.write_rows(out)?;
                if self.kind == SaveKind::AddOrInsert {
                    let (key, adding) = self.columns.split_at(self.key_length);
                    let set =
                        adding.iter().map(|column| format!("{column} = {}.{column} + excluded.{column}", self.name));
                    let set = set.collect::<Vec<_>>().join(", ");
                    out.push_sql(&format!(" ON CONFLICT ({}) DO UPDATE SET {set}", key.join(", ")));
                }
                Ok(())
            }
            SaveKind::Update | SaveKind::Add => {
                // The rows come first in the join, and each finds its row of the table by the primary key.
                let set = self.columns[self.key_length..].iter().map(|column| match self.kind {
                    SaveKind::Add => format!("{column} = t.{column} + v.{column}"),
                    _ => format!("{column} = v.{column}"),
                });
                out.push_sql(&format!("UPDATE {} AS t SET {} FROM ", self.name, set.collect::<Vec<_>>().join(", ")));
                self.write_rows(out)?;
                self.write_key(scope, out)
            }
            SaveKind::Delete => {
                out.push_sql(&format!("DELETE FROM {} AS t USING ", self.name));
                self.write_rows(out)?;
                self.write_key(scope, out)
            }
        }
    }

    /// Writes the rows as a table `v`, by one array per column: the text does not depend on how many rows there are.
    fn write_rows<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (index, column) in self.values.iter().enumerate() {
            out.push_sql(if index == 0 { "unnest(" } else { ", " });
            match column {
                ColumnValues::Text(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values)?,
                ColumnValues::BigInt(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?,
                ColumnValues::Int(values) => out.push_bind_param::<Array<Integer>, _>(values)?,
                ColumnValues::OptionalInt(values) => out.push_bind_param::<Array<Nullable<Integer>>, _>(values)?,
                ColumnValues::Bool(values) => out.push_bind_param::<Array<Bool>, _>(values)?,
            }
        }
        // Named after the table's columns, so that INSERT and UPDATE need no list of their own to pair them.
        out.push_sql(&format!(") AS v({})", self.columns.join(", ")));
        Ok(())
    }

    /// Writes the condition by which a row of the table, `t`, has the key of a row of `v`.
    fn write_key<'b>(&'b self, scope: StoreScope, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" WHERE t.store_id = ");
        self.write_store(scope, "v.store_id", out)?;
        for column in &self.columns[1..self.key_length] {
            out.push_sql(&format!(" AND t.{column} = v.{column}"));
        }
        Ok(())
    }

    /// Writes the store: as one parameter where the transaction is about one store, because a sharded database must see
    /// an equality with a constant, and otherwise as the column of the row.
    fn write_store<'b>(
        &'b self,
        scope: StoreScope,
        column: &'static str,
        out: &mut AstPass<'_, 'b, Pg>,
    ) -> QueryResult<()> {
        match (scope, self.store()) {
            (StoreScope::One, Some(store)) => out.push_bind_param::<Text, str>(store),
            _ => {
                out.push_sql(column);
                Ok(())
            }
        }
    }
}

/// A PostgreSQL statement for one table. Its text follows from the table, the kind and the session's scope alone.
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
    // One type has several texts, so Diesel must look a prepared statement up by the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> RunQueryDsl<C> for OneTable<'_> {}

/// A PostgreSQL statement that changes several tables, each in a WITH of its own, and returns how many rows each of
/// them has changed. All parts see the state before the statement, so no two of them may change the same row.
struct AllTables<'a> {
    tables: Vec<TableRows<'a>>,
}

impl QueryFragment<Pg> for AllTables<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        for (index, rows) in self.tables.iter().enumerate() {
            out.push_sql(&format!("{} w{index} AS (", if index == 0 { "WITH" } else { ")," }));
            rows.write(StoreScope::Many, &mut out)?;
            // Without RETURNING a part of WITH has no rows to count.
            out.push_sql(" RETURNING 1");
        }
        let counts = (0..self.tables.len()).map(|index| format!("(SELECT count(*) FROM w{index})"));
        out.push_sql(&format!(") SELECT ARRAY[{}]", counts.collect::<Vec<_>>().join(", ")));
        Ok(())
    }
}

impl QueryId for AllTables<'_> {
    type QueryId = ();
    // One type has several texts, so Diesel must look a prepared statement up by the text.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for AllTables<'_> {
    type SqlType = Array<BigInt>;
}

impl<C> RunQueryDsl<C> for AllTables<'_> {}

/// The values of one column in all rows of a table.
enum ColumnValues<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    BigInt(Vec<Option<i64>>),
    Int(Vec<i32>),
    OptionalInt(Vec<Option<i32>>),
    Bool(Vec<bool>),
}

impl<'a> ColumnValues<'a> {
    /// A column whose type is that of its first value.
    fn starting_with(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Text(value) => Self::Text(vec![value]),
            Cell::BigInt(value) => Self::BigInt(vec![value]),
            Cell::Int(value) => Self::Int(vec![value]),
            Cell::OptionalInt(value) => Self::OptionalInt(vec![value]),
            Cell::Bool(value) => Self::Bool(vec![value]),
        }
    }

    /// Adds the value of the next row. Returns `false` if its type is not that of the column.
    fn push(&mut self, cell: Cell<'a>) -> bool {
        match (self, cell) {
            (Self::Text(values), Cell::Text(value)) => values.push(value),
            (Self::BigInt(values), Cell::BigInt(value)) => values.push(value),
            (Self::Int(values), Cell::Int(value)) => values.push(value),
            (Self::OptionalInt(values), Cell::OptionalInt(value)) => values.push(value),
            (Self::Bool(values), Cell::Bool(value)) => values.push(value),
            _ => return false,
        }
        true
    }
}

/// Turns rows into columns. A row that has a value too few or too many, or one of another type than the first row has in
/// that column, would be saved into the wrong columns: it is a bug, and refused.
fn transpose<'a>(
    table: &'static str,
    names: &[&'static str],
    mut rows: impl Iterator<Item = Vec<Cell<'a>>>,
) -> Result<Vec<ColumnValues<'a>>, DbError> {
    let first = rows.next().ok_or_else(|| misfit(table))?;
    let mut columns: Vec<ColumnValues<'a>> = first.into_iter().map(ColumnValues::starting_with).collect();
    if columns.len() != names.len() {
        return Err(misfit(table));
    }
    for row in rows {
        if row.len() != names.len() {
            return Err(misfit(table));
        }
        for (column, cell) in columns.iter_mut().zip(row) {
            if !column.push(cell) {
                return Err(misfit(table));
            }
        }
    }
    Ok(columns)
}

fn misfit(table: &str) -> DbError {
    DbError::bug(format!("a row does not fit the columns of {table}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(rows: Vec<Vec<Cell<'static>>>) -> Result<Vec<ColumnValues<'static>>, DbError> {
        transpose("table", &["store_id", "number"], rows.into_iter())
    }

    #[test]
    fn rows_become_columns() {
        let rows = vec![vec![Cell::text("north"), Cell::Int(1)], vec![Cell::text("south"), Cell::Int(2)]];
        let columns = columns(rows).unwrap();
        assert!(matches!(&columns[..], [ColumnValues::Text(_), ColumnValues::Int(numbers)] if numbers[..] == [1, 2]));
    }

    #[test]
    fn a_row_that_does_not_fit_the_columns_is_a_bug() {
        let north = || vec![Cell::text("north"), Cell::Int(1)];
        for wrong in [
            vec![],
            vec![Cell::text("south")],
            vec![Cell::text("south"), Cell::big_int(2)],
            vec![Cell::text("south"), Cell::Int(2), Cell::Int(3)],
        ] {
            assert!(columns(vec![north(), wrong.clone()]).is_err(), "{wrong:?}");
            assert!(wrong.len() == 2 || columns(vec![wrong.clone()]).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_missing_row_is_never_taken_for_a_saved_one() {
        assert!(check_count("table", 2, 2).is_ok());
        assert!(check_count("table", 1, 2).is_err());
    }
}
