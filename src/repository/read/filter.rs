//! Combines the conditions that a caller has asked for, of which each may be absent, and queries of one type. Diesel's own
//! boxed conditions are tied to one database; this one is written once for both.

use std::marker::PhantomData;

use diesel::backend::Backend;
use diesel::expression::{AppearsOnTable, Expression, SelectableExpression, ValidGrouping, is_aggregate};
use diesel::pg::Pg;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::Bool;
use diesel::sqlite::Sqlite;
use diesel::{QueryResult, RunQueryDsl};

/// A condition that can be written for both databases.
trait Condition: QueryFragment<Pg> + QueryFragment<Sqlite> {}
impl<E: QueryFragment<Pg> + QueryFragment<Sqlite>> Condition for E {}

/// Conditions on the table `T` that must all hold. There is always at least one, the store: so no list is ever read over
/// all stores by an oversight.
pub struct AllOf<T> {
    conditions: Vec<Box<dyn Condition>>,
    table: PhantomData<T>,
}

impl<T> AllOf<T> {
    /// Starts with a condition that is always there.
    pub fn new<E>(condition: E) -> Self
    where
        E: QueryFragment<Pg> + QueryFragment<Sqlite> + AppearsOnTable<T> + Expression<SqlType = Bool> + 'static,
    {
        Self { conditions: vec![Box::new(condition)], table: PhantomData }
    }

    /// Adds a condition if there is one. The type parameter `T` has the compiler check that it is about that table.
    #[must_use]
    pub fn and<E>(mut self, condition: Option<E>) -> Self
    where
        E: QueryFragment<Pg> + QueryFragment<Sqlite> + AppearsOnTable<T> + Expression<SqlType = Bool> + 'static,
    {
        if let Some(condition) = condition {
            self.conditions.push(Box::new(condition));
        }
        self
    }
}

impl<T> QueryFragment<Pg> for AllOf<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        // Parentheses, because a condition may be an OR.
        for (index, condition) in self.conditions.iter().enumerate() {
            out.push_sql(if index == 0 { "(" } else { ") AND (" });
            QueryFragment::<Pg>::walk_ast(&**condition, out.reborrow())?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<T> QueryFragment<Sqlite> for AllOf<T> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        for (index, condition) in self.conditions.iter().enumerate() {
            out.push_sql(if index == 0 { "(" } else { ") AND (" });
            QueryFragment::<Sqlite>::walk_ast(&**condition, out.reborrow())?;
        }
        out.push_sql(")");
        Ok(())
    }
}

impl<T> QueryId for AllOf<T> {
    type QueryId = ();
    // The text depends on which conditions there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<T> Expression for AllOf<T> {
    type SqlType = Bool;
}

impl<T> AppearsOnTable<T> for AllOf<T> {}
impl<T> SelectableExpression<T> for AllOf<T> {}

impl<T, G> ValidGrouping<G> for AllOf<T> {
    type IsAggregate = is_aggregate::No;
}

/// All rows of one or more queries of the same type.
pub(super) struct UnionAll<Q>(pub(super) Vec<Q>);

impl<DB: Backend, Q: QueryFragment<DB>> QueryFragment<DB> for UnionAll<Q> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        for (index, query) in self.0.iter().enumerate() {
            out.push_sql(if index == 0 { "SELECT * FROM (" } else { " UNION ALL SELECT * FROM (" });
            query.walk_ast(out.reborrow())?;
            out.push_sql(&format!(") AS scan{index}"));
        }
        Ok(())
    }
}

impl<Q> QueryId for UnionAll<Q> {
    type QueryId = ();
    // The text depends on how many queries there are, which the type does not tell.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<Q: Query> Query for UnionAll<Q> {
    type SqlType = Q::SqlType;
}

impl<Q, C> RunQueryDsl<C> for UnionAll<Q> {}
