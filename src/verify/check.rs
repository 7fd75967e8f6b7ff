//! What a check is: one SELECT about one store, whose text is the same on both databases.

use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{HasSqlType, Nullable, Text};

/// How many findings of one check in one store are shown: one fault may well break every order.
pub(super) const SHOWN: usize = 100;

/// Where the store's id belongs in a check's text.
const STORE: &str = "{store}";

/// One sentence of an invariant, as a query for what breaks it.
#[derive(Debug)]
pub struct Check {
    /// The invariant's number.
    pub invariant: u8,
    /// What is checked; no two checks have the same title.
    pub title: &'static str,
    /// Selects one text column `detail` per violation in the store `{store}`. In it, `{q:12345}`
    /// stands for a quantity in ten-thousandths and `{t:0}` for a time in microseconds.
    pub(super) sql: &'static str,
}

impl Check {
    /// The query for one store: one row more than is shown, if there are more.
    pub(super) fn in_store<'a>(&self, store: &'a str) -> InStore<'a> {
        InStore { sql: self.sql, store }
    }
}

/// A check with its store's id, which is bound wherever it belongs and never part of the text.
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
    // One type for many texts.
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl Query for InStore<'_> {
    // Putting NULL into a sentence makes the whole sentence NULL, which is a finding all the same.
    type SqlType = Nullable<Text>;
}

impl<C> RunQueryDsl<C> for InStore<'_> {}
