//! The secret that page tokens are signed with. The migration that creates its table creates it, so that every instance
//! of a database has the same one and a page token is valid at each of them.

use std::sync::Arc;

use diesel::prelude::*;

use super::dialect::Purpose;
use super::error::DbError;
use super::schema::page_token_key;
use super::session::Session;
use super::transaction::{TransactionCounters, TransactionName};
use super::url::DatabaseUrl;

/// Reads the secret. The schema must be that of this binary. A table without a row is an error: with a secret of its own
/// making, an instance would refuse the page tokens of the others.
pub fn load(url: &DatabaseUrl, counters: &Arc<TransactionCounters>) -> Result<String, DbError> {
    let mut session = Session::connect(url, Purpose::Read, None)?;
    session.count_in(counters);
    let secrets: Vec<String> = session.autocommit(TransactionName::PageKey, |session| {
        session.load(page_token_key::table.select(page_token_key::secret))
    })?;
    secrets.into_iter().next().ok_or_else(|| DbError::unreadable("page_token_key", "it has no row"))
}
