//! A command on its way through a writer.

use std::sync::Arc;
use std::time::Instant;

use super::error::{ServiceFault, WorkerError};
use super::responder::Responder;
use crate::domain::command::{Envelope, Reply};
use crate::domain::needs::{Need, Needs};

/// A command whose caller waits. Clones are the same command: its writer has one, and the supervisor of
/// the writer another.
#[derive(Clone)]
pub(super) struct Job {
    pub(super) envelope: Arc<Envelope>,
    /// What its command needs behind the gate.
    pub(super) needs: Arc<Needs>,
    /// How much work it is: its rows, as far as its request tells. What only the order's header tells is
    /// learned when the header has been loaded.
    pub(super) cost: usize,
    /// Whether a transaction of it was committed without an answer: it may have been done. It stays so
    /// until its stored response is found or it is done, whatever happens in between.
    pub(super) commit_unknown: bool,
    /// Whether it has a transaction of its own: it was in one that could not be saved.
    pub(super) alone: bool,
    /// How often its store was found locked by somebody else.
    pub(super) lock_attempts: u32,
    /// What it takes in memory while it waits.
    pub(super) bytes: usize,
    pub(super) deadline: Option<Instant>,
    pub(super) answer: Arc<Responder<Reply>>,
}

impl Job {
    /// Works out what the request needs and costs: once, on its caller's thread and outside of any lock.
    pub(super) fn new(envelope: Envelope, bytes: usize, deadline: Option<Instant>, answer: Responder<Reply>) -> Self {
        let needs = envelope.needs();
        let rows = needs.iter().filter(|need| matches!(need, Need::Line(..) | Need::Level(_))).count();
        Self {
            envelope: Arc::new(envelope),
            needs: Arc::new(needs),
            cost: 1 + rows,
            commit_unknown: false,
            alone: false,
            lock_attempts: 0,
            bytes,
            deadline,
            answer: Arc::new(answer),
        }
    }

    /// Whether it must be the only command of its store in its transaction.
    pub(super) fn is_exclusive(&self) -> bool {
        self.needs.are_exclusive()
    }

    /// Refuses it because of what happened to the database or the service; if it may have been done all
    /// the same, that is what its caller is told.
    pub(super) fn give_up(self, fault: &ServiceFault) {
        let fault = if self.commit_unknown { &ServiceFault::OutcomeUnknown } else { fault };
        self.answer(Err(fault.clone().into()));
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Whether its deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Answers its caller.
    pub(super) fn answer(self, answer: Result<Reply, WorkerError>) {
        self.answer.send(answer);
    }
}
