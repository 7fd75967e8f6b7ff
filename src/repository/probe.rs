//! Asks whether the database can be read and written, without writing anything: a probe that wrote would take SQLite's
//! write lock and cost an fsync every second.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable};

use super::dialect;
use super::error::DbError;
use super::progress::Stage;
use super::room;
use super::session::Session;
use super::transaction::TransactionName;
use super::url::DatabaseUrl;
use crate::domain::time::Timestamp;

/// What a database that answers can be used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DatabaseState {
    /// It can be read and written.
    Writable,
    /// It can only be read: it is a standby, or its server or role has a default of no writes.
    ReadOnly,
    /// It can only be read, as long as its storage is full. Only SQLite's storage is asked about.
    StorageFull,
}

/// The result of a probe that was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProbeResult {
    /// What the database can be used for now.
    pub state: DatabaseState,
    /// The time of the database server; `None` for SQLite, which has no clock of its own.
    pub server_time: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    read_only: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    now_micros: Option<i64>,
}

/// Probes the database by one statement and, for SQLite, its file system.
pub fn ask(session: &mut Session, url: &DatabaseUrl) -> Result<ProbeResult, DbError> {
    let query = dialect::probe(session);
    let answers: Vec<Answer> = session.autocommit(TransactionName::Probe, |session| session.load(sql_query(query)))?;
    let server_time = answers.iter().find_map(|answer| answer.now_micros).map(Timestamp::from_micros);
    if answers.iter().any(|answer| answer.read_only) {
        return Ok(ProbeResult { state: DatabaseState::ReadOnly, server_time });
    }
    // A file system that hangs blocks like a database that does, so the supervisor must see this wait too.
    let has_room = session.progress().waiting(Stage::Working, || Ok::<_, DbError>(room::has_room(url)))?;
    let state = if has_room { DatabaseState::Writable } else { DatabaseState::StorageFull };
    Ok(ProbeResult { state, server_time })
}
