//! Reading for callers. Each function runs inside one read-only snapshot that its caller has opened.

pub mod access;
pub mod filter;
pub mod inventory;
pub mod order_list;
pub mod orders;
pub mod receipts;
pub mod stores;

use super::error::DbError;
use super::load::{self, Wanted};
use super::session::Session;
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::mutation::Request;
use crate::domain::workspace::Workspace;

/// A store and what one principal holds in it.
pub fn caller(session: &mut Session, store: &StoreId, principal: &PrincipalId) -> Result<Workspace, DbError> {
    let mut workspace = Workspace::default();
    load::stores(session, &mut workspace, std::slice::from_ref(store))?;
    load::access(session, &mut workspace, [(store.clone(), principal.clone())].into())?;
    Ok(workspace)
}

/// Everything that a request's command needs, as a lane would load it, but without locks.
pub fn needs_of(session: &mut Session, request: &Request) -> Result<Workspace, DbError> {
    let mut workspace = Workspace::default();
    load::stores(session, &mut workspace, std::slice::from_ref(&request.store))?;
    let wanted = [Wanted::by(request)];
    load::headers(session, &mut workspace, &wanted)?;
    load::details(session, &mut workspace, &wanted)?;
    Ok(workspace)
}
