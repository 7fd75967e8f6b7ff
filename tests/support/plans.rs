//! Plans of statements as the databases explain them, for tests that a statement reads by an index.

use diesel::sql_types::Text;
use purchase_order_service::repository::session::Session;

/// A step of PostgreSQL's plan.
#[derive(diesel::QueryableByName)]
struct PostgresStep {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    text: String,
}

/// A step of SQLite's plan.
#[derive(diesel::QueryableByName)]
struct SqliteStep {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// A statement as an observer gets it, as its SQL and its binds, which are a list in JSON.
pub fn split_binds(statement: &str) -> (&str, &str) {
    statement.split_once(" -- binds: ").expect("an observer is given the binds too")
}

/// The plan by which SQLite would run a statement. It needs no binds.
pub fn explain(session: &mut Session, text: &str) -> Vec<String> {
    let plan: Vec<SqliteStep> = session.load(diesel::sql_query(format!("EXPLAIN QUERY PLAN {text}"))).unwrap();
    plan.into_iter().map(|step| step.detail).collect()
}

/// PostgreSQL's plan of a statement with these binds, as SQL. `types` are those of the binds, or empty where the
/// statement itself tells them; `options` are those of EXPLAIN.
pub fn explain_prepared(
    session: &mut Session,
    text: &str,
    types: &[&str],
    binds: &[String],
    options: &str,
) -> Vec<String> {
    let types = if types.is_empty() { String::new() } else { format!("({})", types.join(", ")) };
    let binds = if binds.is_empty() { String::new() } else { format!("({})", binds.join(", ")) };
    session.batch(&format!("PREPARE explained{types} AS {text}")).unwrap();
    let query = format!("EXPLAIN {options} EXECUTE explained{binds}");
    let plan: Vec<PostgresStep> = session.load(diesel::sql_query(query)).unwrap();
    session.batch("DEALLOCATE explained").unwrap();
    plan.into_iter().map(|step| step.text).collect()
}
