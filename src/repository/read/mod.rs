//! Reads for callers. Each judges its caller's access in the snapshot that it reads from, so that nobody is shown what was
//! written after their permission was revoked; [`authorized`] says how that is enforced.
//!
//! Rows come back in no order, because a statement that also reads the caller's access cannot promise one. So every
//! function here sorts its page, by the same key by which the query has chosen it.

pub mod access;
pub mod authorized;
pub mod chain;
pub mod events;
pub mod filter;
pub mod history;
pub mod inventory;
pub mod merge;
pub mod order_list;
pub mod orders;
pub mod outstanding;
pub mod receipts;
pub mod receivable;
pub mod stores;
pub mod supplier_performance;

use self::authorized::{ReadError, ReadSession};
use super::error::DbError;
use super::gate;
use super::load;
use super::session::Session;
use crate::domain::access::Authorization;
use crate::domain::command::Envelope;
use crate::domain::refusal::Refusal;
use crate::domain::working_set::WorkingSet;

/// Loads everything that a command needs, for a preview. `gate` judges before the details are loaded, by the same rows as
/// the gate of a writer, so a caller who would be refused cannot make the service read a large order.
pub fn needs_for_caller(
    session: &mut ReadSession<'_>,
    envelope: &Envelope,
    gate: impl FnOnce(&WorkingSet) -> Result<Authorization, Refusal>,
) -> Result<WorkingSet, ReadError> {
    session.snapshot(|snapshot| {
        let session = snapshot.session();
        let mut working_set = gate_of(session, envelope)?;
        let authorization = gate(&working_set)?;
        needs_of(session, &mut working_set, envelope)?;
        snapshot.note_judged(&authorization.permissions);
        Ok(working_set)
    })
}

/// Loads what the gate judges a command by, as a writer would, but without locks: the snapshot keeps it from changing.
pub fn gate_of(session: &mut Session, envelope: &Envelope) -> Result<WorkingSet, DbError> {
    let mut working_set = WorkingSet::default();
    load::stores_without_lock(session, &mut working_set, std::slice::from_ref(&envelope.store))?;
    gate::load(session, &mut working_set, &[envelope])?;
    Ok(working_set)
}

/// Loads what a command needs after it has passed the gate. It judges nothing itself: handlers have no session to call
/// it with, so they cannot get around [`needs_for_caller`].
pub fn needs_of(session: &mut Session, working_set: &mut WorkingSet, envelope: &Envelope) -> Result<(), DbError> {
    load::details(session, working_set, [(&envelope.store, &envelope.needs())])
}
