//! Saving sets of rows, in each database's best way: on PostgreSQL one statement per table, with the
//! rows as arrays through UNNEST; on SQLite one prepared statement per table, run once per row.
//! Either way the text never changes.

use std::borrow::Cow;
use std::marker::PhantomData;

use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::query_dsl::methods::ExecuteDsl;
use diesel::sql_types::{Array, BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::error::DbError;
use super::session::{Backend, Session};

/// One column's value in one row.
#[derive(Clone, Debug)]
pub enum Cell<'a> {
    /// Text.
    Text(Option<Cow<'a, str>>),
    /// A 64-bit integer.
    Big(Option<i64>),
    /// A 32-bit integer.
    Int(i32),
    /// A truth value.
    Bool(bool),
}

impl<'a> Cell<'a> {
    /// Text that is there.
    pub fn text(text: impl Into<Cow<'a, str>>) -> Self {
        Self::Text(Some(text.into()))
    }

    /// Text that may not be there.
    pub fn maybe(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }

    /// Written text that may not be there.
    pub fn written(value: Option<impl ToString>) -> Self {
        Self::Text(value.map(|value| Cow::Owned(value.to_string())))
    }

    /// An integer that is there.
    pub fn big(value: i64) -> Self {
        Self::Big(Some(value))
    }
}

/// Something that is saved as a row.
pub trait Row: 'static {
    /// Into which table.
    const TABLE: &'static str;
    /// Its columns: first the key, then those that never change, then the others.
    const COLUMNS: &'static [&'static str];
    /// How many of the columns are the key.
    const KEY: usize;
    /// How many of the columns never change, the key included.
    const FIXED: usize;
    /// The cells of its columns, in their order.
    fn cells(&self) -> Vec<Cell<'_>>;
}

/// Inserts rows.
pub fn insert<R: Row>(session: &mut Session, rows: &[&R]) -> Result<(), DbError> {
    save::<R, Insert>(session, rows.iter().map(|row| row.cells()))
}

/// Updates rows by their keys.
pub fn update<R: Row>(session: &mut Session, rows: &[&R]) -> Result<(), DbError> {
    save::<R, Update>(session, rows.iter().map(|row| changing_cells(*row)))
}

/// Deletes rows by their keys.
pub fn delete<'a, R: Row>(
    session: &mut Session,
    keys: impl ExactSizeIterator<Item = Vec<Cell<'a>>>,
) -> Result<(), DbError> {
    save::<R, Delete>(session, keys)
}

fn changing_cells<R: Row>(row: &R) -> Vec<Cell<'_>> {
    let mut cells = row.cells();
    cells.drain(R::KEY..R::FIXED);
    cells
}

fn save<'a, R: Row, V: Verb>(
    session: &mut Session,
    mut rows: impl ExactSizeIterator<Item = Vec<Cell<'a>>>,
) -> Result<(), DbError> {
    let expected = rows.len();
    let saved = match &mut session.backend {
        _ if expected == 0 => 0,
        Backend::Sqlite(connection) => rows.try_fold(0, |saved, cells| {
            let row = OneRow::<R, V> { cells, row: PhantomData };
            ExecuteDsl::<_, Sqlite>::execute(row, connection).map(|count| saved + count)
        })?,
        Backend::Postgres(connection) => {
            let rows = ManyRows::<R, V> { columns: transpose(rows), row: PhantomData };
            ExecuteDsl::<_, Pg>::execute(rows, connection)?
        }
    };
    if saved == expected {
        return Ok(());
    }
    Err(DbError::unreadable(R::TABLE, format!("{saved} rows were there to save of {expected}")))
}

/// What a statement does with the rows.
trait Verb: 'static {
    /// Writes the statement for one row: text, and the indexes of the cells to bind. It is walked for
    /// each row, so it makes no text of its own.
    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()>;
    /// The text before and behind the rows as a table `v`.
    fn many_rows<R: Row>() -> (String, String);
    /// The columns that the cells belong to.
    fn columns<R: Row>() -> Vec<&'static str>;
}

/// A part of a statement.
enum Part {
    Text(&'static str),
    Bind(usize),
}

struct Insert;
struct Update;
struct Delete;

impl Verb for Insert {
    fn columns<R: Row>() -> Vec<&'static str> {
        R::COLUMNS.to_vec()
    }

    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Text("INSERT INTO "))?;
        write(Part::Text(R::TABLE))?;
        for (index, column) in R::COLUMNS.iter().enumerate() {
            write(Part::Text(if index == 0 { " (" } else { ", " }))?;
            write(Part::Text(column))?;
        }
        for index in 0..R::COLUMNS.len() {
            write(Part::Text(if index == 0 { ") VALUES (" } else { ", " }))?;
            write(Part::Bind(index))?;
        }
        write(Part::Text(")"))
    }

    fn many_rows<R: Row>() -> (String, String) {
        (format!("INSERT INTO {} ({}) SELECT * FROM ", R::TABLE, R::COLUMNS.join(", ")), String::new())
    }
}

impl Verb for Update {
    fn columns<R: Row>() -> Vec<&'static str> {
        [&R::COLUMNS[..R::KEY], &R::COLUMNS[R::FIXED..]].concat()
    }

    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Text("UPDATE "))?;
        write(Part::Text(R::TABLE))?;
        for (index, column) in R::COLUMNS[R::FIXED..].iter().enumerate() {
            write(Part::Text(if index == 0 { " SET " } else { ", " }))?;
            write(Part::Text(column))?;
            write(Part::Text(" = "))?;
            write(Part::Bind(R::KEY + index))?;
        }
        one_key::<R>(write)
    }

    fn many_rows<R: Row>() -> (String, String) {
        let changing = R::COLUMNS[R::FIXED..].iter();
        let set: Vec<String> = changing.map(|column| format!("{column} = v.{column}")).collect();
        (format!("UPDATE {} AS t SET {} FROM ", R::TABLE, set.join(", ")), many_keys::<R>())
    }
}

impl Verb for Delete {
    fn columns<R: Row>() -> Vec<&'static str> {
        R::COLUMNS[..R::KEY].to_vec()
    }

    fn one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Text("DELETE FROM "))?;
        write(Part::Text(R::TABLE))?;
        one_key::<R>(write)
    }

    fn many_rows<R: Row>() -> (String, String) {
        (format!("DELETE FROM {} AS t USING ", R::TABLE), many_keys::<R>())
    }
}

/// The row with the key that the first cells hold.
fn one_key<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
    for (index, column) in R::COLUMNS[..R::KEY].iter().enumerate() {
        write(Part::Text(if index == 0 { " WHERE " } else { " AND " }))?;
        write(Part::Text(column))?;
        write(Part::Text(" = "))?;
        write(Part::Bind(index))?;
    }
    Ok(())
}

/// The rows `t` with the keys of the rows `v`.
fn many_keys<R: Row>() -> String {
    let same: Vec<String> = R::COLUMNS[..R::KEY].iter().map(|column| format!("t.{column} = v.{column}")).collect();
    format!(" WHERE {}", same.join(" AND "))
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

struct ManyRows<'a, R, V> {
    columns: Vec<Column<'a>>,
    row: PhantomData<(R, V)>,
}

/// One column's values in all rows.
enum Column<'a> {
    Text(Vec<Option<Cow<'a, str>>>),
    Big(Vec<Option<i64>>),
    Int(Vec<i32>),
    Bool(Vec<bool>),
}

impl<'a> Column<'a> {
    fn beginning_with(cell: Cell<'a>) -> Self {
        match cell {
            Cell::Text(value) => Self::Text(vec![value]),
            Cell::Big(value) => Self::Big(vec![value]),
            Cell::Int(value) => Self::Int(vec![value]),
            Cell::Bool(value) => Self::Bool(vec![value]),
        }
    }

    fn push(&mut self, cell: Cell<'a>) {
        match (self, cell) {
            (Self::Text(values), Cell::Text(value)) => values.push(value),
            (Self::Big(values), Cell::Big(value)) => values.push(value),
            (Self::Int(values), Cell::Int(value)) => values.push(value),
            (Self::Bool(values), Cell::Bool(value)) => values.push(value),
            (_, cell) => debug_assert!(false, "{cell:?} is not of its column's type"),
        }
    }
}

fn transpose<'a>(mut rows: impl Iterator<Item = Vec<Cell<'a>>>) -> Vec<Column<'a>> {
    let first = rows.next().unwrap_or_default();
    let mut columns: Vec<Column<'a>> = first.into_iter().map(Column::beginning_with).collect();
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(row) {
            column.push(cell);
        }
    }
    columns
}

impl<R: Row, V: Verb> QueryFragment<Pg> for ManyRows<'_, R, V> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        let (head, tail) = V::many_rows::<R>();
        out.push_sql(&head);
        for (index, column) in self.columns.iter().enumerate() {
            out.push_sql(if index == 0 { "unnest(" } else { ", " });
            match column {
                Column::Text(values) => out.push_bind_param::<Array<Nullable<Text>>, _>(values)?,
                Column::Big(values) => out.push_bind_param::<Array<Nullable<BigInt>>, _>(values)?,
                Column::Int(values) => out.push_bind_param::<Array<Integer>, _>(values)?,
                Column::Bool(values) => out.push_bind_param::<Array<Bool>, _>(values)?,
            }
        }
        out.push_sql(&format!(") AS v({})", V::columns::<R>().join(", ")));
        out.push_sql(&tail);
        Ok(())
    }
}

impl<R: Row, V: Verb> QueryId for ManyRows<'_, R, V> {
    type QueryId = ManyRows<'static, R, V>;
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row, V: Verb, C> RunQueryDsl<C> for ManyRows<'_, R, V> {}
