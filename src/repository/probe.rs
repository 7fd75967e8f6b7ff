//! Whether the database can be read and written.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::Bool;

use super::dialect;
use super::error::DbError;
use super::progress::Stage;
use super::room;
use super::session::Session;
use super::url::DatabaseUrl;

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

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    read_only: bool,
}

/// Asks it, by a session and, where it is embedded, by its file system.
pub fn ask(session: &mut Session, url: &DatabaseUrl) -> Result<Found, DbError> {
    let question = dialect::is_read_only(session);
    let answers: Vec<Answer> = session.load(sql_query(question))?;
    if answers.iter().any(|answer| answer.read_only) {
        return Ok(Found::ReadOnly);
    }
    let has_room = session.progress().waiting(Stage::Working, || Ok::<_, DbError>(room::has_room(url)))?;
    Ok(if has_room { Found::Writable } else { Found::Full })
}
