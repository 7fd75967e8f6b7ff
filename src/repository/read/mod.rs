//! Reading for callers. Each function judges its caller's access in the snapshot that it reads from;
//! see [`authorized`].

pub mod access;
pub mod authorized;
pub mod chain;
pub mod filter;
pub mod inventory;
pub mod order_list;
pub mod orders;
pub mod receipts;
pub mod stores;

use self::authorized::{ReadError, ReadSession};
use super::error::DbError;
use super::load::{self, Wanted};
use super::session::Session;
use crate::domain::mutation::Request;
use crate::domain::workspace::Workspace;

/// Everything that a request's command needs, for a caller who may do what it asks for.
pub fn needs_for_caller(session: &mut ReadSession<'_>, request: &Request) -> Result<Workspace, ReadError> {
    session.snapshot(|snapshot| {
        let workspace = needs_of(snapshot.session(), request)?;
        workspace.authorize(&request.store, &request.principal, request.mutation.requires())?;
        Ok(workspace)
    })
}

/// Everything that a request's command needs, as a lane would load it, but without locks and without
/// judging anybody's access: handlers have no session to call it with.
pub fn needs_of(session: &mut Session, request: &Request) -> Result<Workspace, DbError> {
    let mut workspace = Workspace::default();
    load::stores(session, &mut workspace, std::slice::from_ref(&request.store))?;
    let wanted = [Wanted::by(request)];
    load::headers(session, &mut workspace, &wanted)?;
    load::details(session, &mut workspace, &wanted)?;
    Ok(workspace)
}
