//! What a check is: one SELECT about one store, whose text is the same on both databases.
//!
//! The texts are constants and not built by Diesel's query builder, because that would need the repository's tables,
//! and `verify` shares nothing with the repository that could be wrong. One text for both databases keeps a check from
//! being right on one of them only.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Nullable, Text};

/// How many findings of one check in one store are shown: one fault may well break every order.
pub(super) const SHOWN: usize = 100;

/// Stands in a check's text for the store's id, which may occur in it any number of times.
const STORE: &str = "{store}";

/// One sentence of an invariant, as a query for what breaks it.
#[derive(Debug)]
pub struct Check {
    /// The invariant's number in the documentation, which findings name.
    pub invariant: u8,
    /// What is checked; no two checks have the same title.
    pub title: &'static str,
    /// Selects one text column `detail` per violation in the store `{store}`. In it, `{q:12345}`
    /// stands for a quantity in ten-thousandths, `{c:12345}` for a cost in millionths and `{t:0}` for a time in microseconds.
    pub(super) sql: &'static str,
}

impl Check {
    /// The query for one store. It selects one row more than is shown, which tells whether there are more.
    pub(super) fn in_store<'a>(&self, store: &'a str) -> InStore<'a> {
        InStore { sql: self.sql, store }
    }
}

/// A check with its store's id. The id is bound as a parameter and never becomes part of the text, so that no id can
/// change what is executed.
pub(super) struct InStore<'a> {
    sql: &'static str,
    store: &'a str,
}

impl<DB> QueryFragment<DB> for InStore<'_>
where
    DB: Backend + HasSqlType<Text>,
    str: ToSql<Text, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        // Sorted, so that two runs over the same data show the same findings.
        out.push_sql("SELECT detail FROM (");
        for (index, part) in self.sql.split(STORE).enumerate() {
            if index > 0 {
                out.push_bind_param::<Text, str>(self.store)?;
            }
            out.push_sql(part);
        }
        out.push_sql(&format!(") AS found ORDER BY detail LIMIT {}", SHOWN + 1));
        Ok(())
    }
}

impl QueryId for InStore<'_> {
    type QueryId = ();
    // This type stands for many texts, so Diesel must not cache a prepared statement by the type.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for InStore<'_> {
    // Putting NULL into a sentence makes the whole sentence NULL, which is a finding all the same.
    type SqlType = Nullable<Text>;
}

impl<C> RunQueryDsl<C> for InStore<'_> {}
