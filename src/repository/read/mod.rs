//! Reading for callers. Each function runs inside one read-only snapshot that its caller has opened.

pub mod access;
pub mod filter;
pub mod inventory;
pub mod order_list;
pub mod orders;
pub mod receipts;
pub mod stores;

use super::error::DbError;
use super::gate;
use super::load;
use super::session::Session;
use crate::domain::code::{PrincipalId, StoreId};
use crate::domain::mutation::Request;
use crate::domain::workspace::Workspace;

/// A store and what one principal may do in it.
pub fn caller(session: &mut Session, store: &StoreId, principal: &PrincipalId) -> Result<Workspace, DbError> {
    let mut workspace = Workspace::default();
    load::stores(session, &mut workspace, std::slice::from_ref(store))?;
    load::roles_and_grants(session, &mut workspace, store, principal)?;
    Ok(workspace)
}

/// What the gate judges of a request, as a writer would load it, but without locks.
pub fn gate_of(session: &mut Session, request: &Request) -> Result<Workspace, DbError> {
    let mut workspace = Workspace::default();
    load::stores(session, &mut workspace, std::slice::from_ref(&request.store))?;
    gate::load(session, &mut workspace, &[request])?;
    Ok(workspace)
}

/// Everything that a request's command needs behind the gate, likewise.
pub fn needs_of(session: &mut Session, workspace: &mut Workspace, request: &Request) -> Result<(), DbError> {
    load::details(session, workspace, [(&request.store, &request.needs())])
}
