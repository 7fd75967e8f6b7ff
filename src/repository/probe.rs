//! Whether the database can be read and written.

use diesel::QueryableByName;
use diesel::sql_query;
use diesel::sql_types::Bool;

use super::dialect;
use super::error::DbError;
use super::session::Session;

/// What a database is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// For reads and writes.
    Writable,
    /// For reads alone: a standby, or a server that was told to take no writes.
    ReadOnly,
}

#[derive(QueryableByName)]
struct Answer {
    #[diesel(sql_type = Bool)]
    read_only: bool,
}

/// Asks it.
pub fn ask(session: &mut Session) -> Result<Found, DbError> {
    let question = dialect::is_read_only(session);
    let answers: Vec<Answer> = session.load(sql_query(question))?;
    Ok(match answers.iter().any(|answer| answer.read_only) {
        true => Found::ReadOnly,
        false => Found::Writable,
    })
}
