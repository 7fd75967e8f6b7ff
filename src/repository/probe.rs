//! Whether the database can be read and written.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Bool, Nullable};

use super::dialect;
use super::error::DbError;
use super::progress::Stage;
use super::room;
use super::session::Session;
use super::url::DatabaseUrl;
use crate::domain::time::Timestamp;

/// What a database is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// For reads and writes.
    Writable,
    /// For reads alone: a standby, or a server that was told to take no writes.
    ReadOnly,
    /// For reads alone, as long as its storage is full.
    Full,
}

/// What a database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probed {
    /// What it is good for.
    pub found: Found,
    /// What time its server has; an embedded one has no clock of its own.
    pub server_time: Option<Timestamp>,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    read_only: bool,
    #[diesel(sql_type = Nullable<BigInt>)]
    now_micros: Option<i64>,
}

/// Asks it, by a session and, where it is embedded, by its file system.
pub fn ask(session: &mut Session, url: &DatabaseUrl) -> Result<Probed, DbError> {
    let question = dialect::probe(session);
    let answers: Vec<Answer> = session.load(sql_query(question))?;
    let server_time = answers.iter().find_map(|answer| answer.now_micros).map(Timestamp::from_micros);
    if answers.iter().any(|answer| answer.read_only) {
        return Ok(Probed { found: Found::ReadOnly, server_time });
    }
    let has_room = session.progress().waiting(Stage::Working, || Ok::<_, DbError>(room::has_room(url)))?;
    Ok(Probed { found: if has_room { Found::Writable } else { Found::Full }, server_time })
}
