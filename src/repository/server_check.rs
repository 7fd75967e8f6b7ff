//! Finds out, once at the start, whether a PostgreSQL server or a pooler in front of it breaks what the service promises:
//! settings by which acknowledged commits may be lost, and sessions that share a server process.

use std::sync::Arc;

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::Text;

use super::dialect::Purpose;
use super::error::DbError;
use super::session::Session;
use super::transaction::{TransactionCounters, TransactionName};
use super::url::DatabaseUrl;

/// What a server and the way to it are like. The default is: without fault.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerProperties {
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

/// Checks the server behind a URL. SQLite has no server, and nothing to check.
pub fn check(url: &DatabaseUrl, counters: &Arc<TransactionCounters>) -> Result<ServerProperties, DbError> {
    if matches!(url, DatabaseUrl::Sqlite(_)) {
        return Ok(ServerProperties::default());
    }
    let mut first = Session::connect(url, Purpose::Inspect, None)?;
    let second = Session::connect(url, Purpose::Inspect, None)?;
    first.count_in(counters);
    // PostgreSQL gives each session a process of its own for as long as it lives. A pooler that works by transactions
    // lends the process that the first session does not use at this moment to the second.
    let shares_processes = first.server_process().is_some() && first.server_process() == second.server_process();
    // synchronous_commit is not asked about: each writer's session sets it for itself.
    let query = "SELECT name || ' = ' || setting AS setting FROM pg_settings
                 WHERE name IN ('fsync', 'full_page_writes') AND setting = 'off' ORDER BY name";
    let settings: Vec<Setting> =
        first.autocommit(TransactionName::ServerCheck, |session| session.load(sql_query(query)))?;
    let unsafe_settings = settings.into_iter().map(|row| row.setting).collect();
    Ok(ServerProperties { unsafe_settings, shares_processes })
}
