//! What a PostgreSQL server or a proxy in front of it does to what the service promises, asked once at the
//! start.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::Text;

use super::dialect::Purpose;
use super::error::DbError;
use super::session::Session;
use super::url::DatabaseUrl;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Settings of the server by which it may lose what it has acknowledged, each as `name = value`.
    pub unsafe_settings: Vec<String>,
    /// Whether sessions share the server's processes: a connection pooler in transaction or statement mode.
    pub shares_processes: bool,
}

#[derive(QueryableByName)]
struct Setting {
    #[diesel(sql_type = Text)]
    setting: String,
}

/// Asks the server behind a URL; an embedded database has none.
pub fn check(url: &DatabaseUrl) -> Result<Checked, DbError> {
    if matches!(url, DatabaseUrl::Sqlite(_)) {
        return Ok(Checked::default());
    }
    let mut first = Session::connect(url, Purpose::Inspect, None)?;
    let second = Session::connect(url, Purpose::Inspect, None)?;
    // Each session has a process of its own, for as long as it lives. A pooler by transactions lends the one
    // that the first session has just left to the second.
    let shares_processes = first.server_process().is_some() && first.server_process() == second.server_process();
    // synchronous_commit is seen to by each writer's session.
    let query = "SELECT name || ' = ' || setting AS setting FROM pg_settings
                 WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";
    let settings: Vec<Setting> = first.load(sql_query(query))?;
    let unsafe_settings = settings.into_iter().map(|row| row.setting).collect();
    Ok(Checked { unsafe_settings, shares_processes })
}
