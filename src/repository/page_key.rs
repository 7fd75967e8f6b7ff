//! The secret that page tokens are signed with: made with the schema, the same for every instance.

use diesel::prelude::*;

use super::dialect::Purpose;
use super::error::DbError;
use super::schema::page_token_key;
use super::session::Session;
use super::url::DatabaseUrl;

/// Reads the secret of a database whose schema is this binary's.
pub fn load(url: &DatabaseUrl) -> Result<String, DbError> {
    let mut session = Session::connect(url, Purpose::Read, None)?;
    let secrets: Vec<String> = session.load(page_token_key::table.select(page_token_key::secret))?;
    secrets.into_iter().next().ok_or_else(|| DbError::unreadable("page_token_key", "it has no row"))
}
