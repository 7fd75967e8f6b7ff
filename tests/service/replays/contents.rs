//! All that a database holds, row by row: what a call that does nothing must leave alone.

use std::collections::BTreeMap;

use diesel::QueryableByName;
use diesel::sql_types::Text;
use purchase_order_service::repository::session::Session;

use crate::support::{Database, Engine};

#[derive(QueryableByName)]
struct TextRow {
    #[diesel(sql_type = Text)]
    text: String,
}

/// Every table's rows as text.
#[derive(PartialEq, Eq)]
pub struct Contents(BTreeMap<String, Vec<String>>);

/// How many rows each table has got, where any.
pub type Growth = BTreeMap<String, usize>;

fn ask(session: &mut Session, query: String) -> Vec<String> {
    let rows: Vec<TextRow> = session.load(diesel::sql_query(query)).expect("the test's database is there");
    rows.into_iter().map(|row| row.text).collect()
}

impl Contents {
    /// What it holds now.
    pub fn of(database: &Database) -> Self {
        let mut session = database.session();
        let tables = match database.engine {
            Engine::Sqlite => "SELECT name AS text FROM sqlite_schema WHERE type = 'table'",
            Engine::Postgres => "SELECT CAST(tablename AS text) AS text FROM pg_tables WHERE schemaname = 'public'",
        };
        let tables = ask(&mut session, tables.to_owned());
        assert!(tables.iter().any(|table| table == "stored_response"), "the wrong tables: {tables:?}");
        let rows = |table: String| {
            let mut rows = rows(&mut session, database.engine, &table);
            rows.sort_unstable();
            (table, rows)
        };
        Self(tables.into_iter().map(rows).collect())
    }

    /// Checks that it is the same as it was before.
    pub fn assert_still(&self, database: &Database, what: &str) {
        let after = Self::of(database);
        for (table, rows) in &self.0 {
            let lost: Vec<_> = rows.iter().filter(|row| !after.0[table].contains(row)).collect();
            let new: Vec<_> = after.0[table].iter().filter(|row| !rows.contains(row)).collect();
            assert!(lost.is_empty() && new.is_empty(), "{what} changed {table}\n  from {lost:?}\n  to {new:?}");
        }
        assert!(*self == after, "{what} changed how many rows there are");
    }

    /// How many rows each table has got since.
    pub fn growth(&self, database: &Database) -> Growth {
        let after = Self::of(database);
        let grown = after.0.into_iter().map(|(table, rows)| {
            let before = self.0[&table].len();
            (table, rows.len().checked_sub(before).expect("these calls delete no rows"))
        });
        grown.filter(|(_, grown)| *grown > 0).collect()
    }
}

fn rows(session: &mut Session, engine: Engine, table: &str) -> Vec<String> {
    match engine {
        Engine::Postgres => ask(session, format!("SELECT CAST(t AS text) AS text FROM {table} t")),
        Engine::Sqlite => {
            let columns =
                ask(session, format!("SELECT 'quote(' || name || ')' AS text FROM pragma_table_info('{table}')"));
            ask(session, format!("SELECT {} AS text FROM {table}", columns.join(" || ',' || ")))
        }
    }
}
