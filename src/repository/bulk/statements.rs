//! The ways in which a row is saved, and the statement of each for one row on SQLite.

use std::marker::PhantomData;

use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Bool, Integer, Nullable, Text};
use diesel::sqlite::Sqlite;

use super::{Cell, ColumnRole, Row, columns_of_update, columns_with};

/// The statement that saves one row in one way, for any table.
pub(super) trait SaveStatement: 'static {
    /// What it does with the row.
    const KIND: SaveKind;
    /// Writes the statement as parts. It is walked for each row on SQLite, so it must not allocate text of its own.
    fn write_for_one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()>;
    /// The columns that the cells of a row belong to, in their order.
    fn columns<R: Row>() -> Vec<&'static str>;
}

/// A part of a statement's text.
pub(super) enum Part {
    /// SQL as it stands.
    Sql(&'static str),
    /// A parameter, which is bound to the cell with this index.
    Bind(usize),
}

/// What is done with the rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::repository) enum SaveKind {
    /// Rows that are new.
    Insert,
    /// Rows that were there: their changing columns.
    Update,
    /// Rows to add to the changing columns of, or to insert.
    AddOrInsert,
    /// Rows that were there, to add to the changing columns of.
    Add,
    /// Rows that go.
    Delete,
}

// They have no values: as types they are a part of the type by which Diesel finds the prepared statement of a row.
pub(super) struct Insert;
pub(super) struct Update;
pub(super) struct AddOrInsert;
pub(super) struct Add;
pub(super) struct Delete;

impl SaveStatement for Insert {
    const KIND: SaveKind = SaveKind::Insert;

    fn columns<R: Row>() -> Vec<&'static str> {
        R::COLUMNS.iter().map(|column| column.name).collect()
    }

    fn write_for_one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Sql("INSERT INTO "))?;
        write(Part::Sql(R::TABLE))?;
        for (index, column) in R::COLUMNS.iter().enumerate() {
            write(Part::Sql(if index == 0 { " (" } else { ", " }))?;
            write(Part::Sql(column.name))?;
        }
        for index in 0..R::COLUMNS.len() {
            write(Part::Sql(if index == 0 { ") VALUES (" } else { ", " }))?;
            write(Part::Bind(index))?;
        }
        write(Part::Sql(")"))
    }
}

impl SaveStatement for Update {
    const KIND: SaveKind = SaveKind::Update;

    fn columns<R: Row>() -> Vec<&'static str> {
        columns_of_update::<R>().map(|column| column.name).collect()
    }

    fn write_for_one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write_update_of_one_row::<R>(write, |_, _| Ok(()))
    }
}

type WritePart<'w> = dyn FnMut(Part) -> QueryResult<()> + 'w;

/// Writes an update of one row. `before_value` writes what comes before the value that a column is set to.
fn write_update_of_one_row<R: Row>(
    write: &mut WritePart<'_>,
    before_value: fn(&mut WritePart<'_>, &'static str) -> QueryResult<()>,
) -> QueryResult<()> {
    write(Part::Sql("UPDATE "))?;
    write(Part::Sql(R::TABLE))?;
    // The cells begin with the key, as `columns_of_update` has it.
    let key_length = columns_with::<R>(ColumnRole::Key).count();
    for (index, column) in columns_with::<R>(ColumnRole::Changing).enumerate() {
        write(Part::Sql(if index == 0 { " SET " } else { ", " }))?;
        write(Part::Sql(column.name))?;
        write(Part::Sql(" = "))?;
        before_value(write, column.name)?;
        write(Part::Bind(key_length + index))?;
    }
    write_key_condition::<R>(write)
}

impl SaveStatement for AddOrInsert {
    const KIND: SaveKind = SaveKind::AddOrInsert;

    fn columns<R: Row>() -> Vec<&'static str> {
        Insert::columns::<R>()
    }

    fn write_for_one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        Insert::write_for_one_row::<R>(write)?;
        for (index, column) in columns_with::<R>(ColumnRole::Key).enumerate() {
            write(Part::Sql(if index == 0 { " ON CONFLICT (" } else { ", " }))?;
            write(Part::Sql(column.name))?;
        }
        for (index, column) in columns_with::<R>(ColumnRole::Changing).enumerate() {
            write(Part::Sql(if index == 0 { ") DO UPDATE SET " } else { ", " }))?;
            write(Part::Sql(column.name))?;
            write(Part::Sql(" = "))?;
            write(Part::Sql(R::TABLE))?;
            write(Part::Sql("."))?;
            write(Part::Sql(column.name))?;
            write(Part::Sql(" + excluded."))?;
            write(Part::Sql(column.name))?;
        }
        Ok(())
    }
}

impl SaveStatement for Add {
    const KIND: SaveKind = SaveKind::Add;

    fn columns<R: Row>() -> Vec<&'static str> {
        Update::columns::<R>()
    }

    fn write_for_one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write_update_of_one_row::<R>(write, |write, column| {
            write(Part::Sql(column))?;
            write(Part::Sql(" + "))
        })
    }
}

impl SaveStatement for Delete {
    const KIND: SaveKind = SaveKind::Delete;

    fn columns<R: Row>() -> Vec<&'static str> {
        columns_with::<R>(ColumnRole::Key).map(|column| column.name).collect()
    }

    fn write_for_one_row<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
        write(Part::Sql("DELETE FROM "))?;
        write(Part::Sql(R::TABLE))?;
        write_key_condition::<R>(write)
    }
}

/// Writes the condition that finds a row by its key, which is in the first cells.
fn write_key_condition<R: Row>(write: &mut dyn FnMut(Part) -> QueryResult<()>) -> QueryResult<()> {
    for (index, column) in columns_with::<R>(ColumnRole::Key).enumerate() {
        write(Part::Sql(if index == 0 { " WHERE " } else { " AND " }))?;
        write(Part::Sql(column.name))?;
        write(Part::Sql(" = "))?;
        write(Part::Bind(index))?;
    }
    Ok(())
}

/// A statement that saves one row on SQLite. Its text follows from its type, so Diesel prepares it once per session.
pub(super) struct SqliteRowStatement<'a, R, S> {
    cells: Vec<Cell<'a>>,
    row: PhantomData<(R, S)>,
}

impl<'a, R: Row, S: SaveStatement> SqliteRowStatement<'a, R, S> {
    /// The statement for a row with these cells, in the order of [`SaveStatement::columns`].
    pub(super) fn new(cells: Vec<Cell<'a>>) -> Self {
        Self { cells, row: PhantomData }
    }
}

impl<R: Row, S: SaveStatement> QueryFragment<Sqlite> for SqliteRowStatement<'_, R, S> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        S::write_for_one_row::<R>(&mut |part| match part {
            Part::Sql(text) => {
                out.push_sql(text);
                Ok(())
            }
            Part::Bind(index) => match &self.cells[index] {
                Cell::Text(value) => out.push_bind_param::<Nullable<Text>, _>(value),
                Cell::BigInt(value) => out.push_bind_param::<Nullable<BigInt>, _>(value),
                Cell::Int(value) => out.push_bind_param::<Integer, _>(value),
                Cell::OptionalInt(value) => out.push_bind_param::<Nullable<Integer>, _>(value),
                Cell::Bool(value) => out.push_bind_param::<Bool, _>(value),
            },
        })
    }
}

impl<R: Row, S: SaveStatement> QueryId for SqliteRowStatement<'_, R, S> {
    type QueryId = SqliteRowStatement<'static, R, S>;
    // Table and kind are in the type, and the text depends on nothing else.
    const HAS_STATIC_QUERY_ID: bool = true;
}

impl<R: Row, S: SaveStatement, C> RunQueryDsl<C> for SqliteRowStatement<'_, R, S> {}
