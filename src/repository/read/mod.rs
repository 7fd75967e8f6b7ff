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
use crate::domain::command::Envelope;
use crate::domain::refusal::Refusal;
use crate::domain::working_set::WorkingSet;

/// Everything that a request's command needs, once `gate` has judged by the headers that its caller may
/// have it.
pub fn needs_for_caller(
    session: &mut ReadSession<'_>,
    envelope: &Envelope,
    gate: impl FnOnce(&WorkingSet) -> Result<Authorization, Refusal>,
) -> Result<WorkingSet, ReadError> {
    session.snapshot(|snapshot| {
        let session = snapshot.session();
        let mut working_set = gate_of(session, envelope)?;
        gate(&working_set)?;
        needs_of(session, &mut working_set, envelope)?;
        Ok(working_set)
    })
}

/// What the gate judges of a request, as a writer would load it, but without locks.
pub fn gate_of(session: &mut Session, envelope: &Envelope) -> Result<WorkingSet, DbError> {
    let mut working_set = WorkingSet::default();
    load::stores(session, &mut working_set, std::slice::from_ref(&envelope.store))?;
    gate::load(session, &mut working_set, &[envelope])?;
    Ok(working_set)
}

/// Everything that a request's command needs behind the gate, likewise: handlers have no session to call
/// it with before anybody has judged their caller's access.
pub fn needs_of(session: &mut Session, working_set: &mut WorkingSet, envelope: &Envelope) -> Result<(), DbError> {
    load::details(session, working_set, [(&envelope.store, &envelope.needs())])
}
