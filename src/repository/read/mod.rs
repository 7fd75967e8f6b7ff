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
use super::gate;
use super::load;
use super::session::Session;
use crate::domain::access::Authorization;
use crate::domain::mutation::Request;
use crate::domain::refusal::Refusal;
use crate::domain::workspace::Workspace;

/// Everything that a request's command needs, once `gate` has judged by the headers that its caller may
/// have it.
pub fn needs_for_caller(
    session: &mut ReadSession<'_>,
    request: &Request,
    gate: impl FnOnce(&Workspace) -> Result<Authorization, Refusal>,
) -> Result<Workspace, ReadError> {
    session.snapshot(|snapshot| {
        let session = snapshot.session();
        let mut workspace = gate_of(session, request)?;
        gate(&workspace)?;
        needs_of(session, &mut workspace, request)?;
        Ok(workspace)
    })
}

/// What the gate judges of a request, as a writer would load it, but without locks.
pub fn gate_of(session: &mut Session, request: &Request) -> Result<Workspace, DbError> {
    let mut workspace = Workspace::default();
    load::stores(session, &mut workspace, std::slice::from_ref(&request.store))?;
    gate::load(session, &mut workspace, &[request])?;
    Ok(workspace)
}

/// Everything that a request's command needs behind the gate, likewise: handlers have no session to call
/// it with before anybody has judged their caller's access.
pub fn needs_of(session: &mut Session, workspace: &mut Workspace, request: &Request) -> Result<(), DbError> {
    load::details(session, workspace, [(&request.store, &request.needs())])
}
