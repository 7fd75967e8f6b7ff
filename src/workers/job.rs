//! A command on its way from its caller through the queue of a writer to its answer.

use std::sync::Arc;
use std::time::Instant;

use super::error::{ServiceFault, WorkerError};
use super::responder::Responder;
use crate::domain::command::{Envelope, Reply};
use crate::domain::needs::{Need, Needs};
use crate::traces::TracedCall;

/// A command whose caller waits for an answer. A clone is the same command: the thread that executes it has one,
/// and the slot from which the supervisor may take it has another.
#[derive(Clone)]
pub(super) struct Job {
    /// The command with its store, its caller and its request id.
    pub(super) envelope: Arc<Envelope>,
    /// The rows that the command must have loaded before it can decide, once it has passed the gate.
    pub(super) needs: Arc<Needs>,
    /// How many rows it loads or changes, as far as that is known: from the request at first, and from the
    /// order's header once that was loaded. Batches are filled and stores are given turns by it.
    pub(super) cost: usize,
    /// Whether COMMIT was sent for a transaction with it and not answered, so that it may have been done. This
    /// stays set until its stored response is found or it is done again, whatever fails in between: until then
    /// the caller must not be told that nothing was done.
    pub(super) commit_unknown: bool,
    /// Whether it must be the only command of its transaction, because one that it shared could not be saved.
    pub(super) alone: bool,
    /// How often its store was found locked by another instance; the next retry is delayed accordingly.
    pub(super) lock_attempts: u32,
    /// How much memory it takes while it waits in the queue.
    pub(super) bytes: usize,
    /// When it was queued; `None` once a writer has taken it and how long it waited was measured.
    pub(super) queued: Option<Instant>,
    /// Since when it waits for the transaction that will answer it: since it was queued, or since an attempt failed.
    pub(super) waits_since: Instant,
    /// In whose trace it is recorded what is done for it; `None` if the call is not sampled.
    pub(super) traced: Option<TracedCall>,
    /// When its caller stops waiting; `None` if the caller set no limit.
    pub(super) deadline: Option<Instant>,
    /// The caller who waits for the answer; shared, because the supervisor may answer too.
    pub(super) answer: Arc<Responder<Reply>>,
}

impl Job {
    /// Determines what the command needs and costs. That is done here, on the caller's thread and outside of any
    /// lock, because it takes time for large requests.
    pub(super) fn new(
        envelope: Envelope,
        bytes: usize,
        deadline: Option<Instant>,
        traced: Option<TracedCall>,
        answer: Responder<Reply>,
    ) -> Self {
        let needs = envelope.needs();
        let now = Instant::now();
        // How many rows a product is spread over is not known yet, but each is one at least.
        let is_row = |need: &&Need| {
            matches!(need, Need::Line(..) | Need::Level(_) | Need::LinesOfProduct(..) | Need::ReceivableLines(..))
        };
        let rows = needs.iter().filter(is_row).count();
        Self {
            envelope: Arc::new(envelope),
            needs: Arc::new(needs),
            cost: 1 + rows,
            commit_unknown: false,
            alone: false,
            lock_attempts: 0,
            bytes,
            queued: Some(now),
            waits_since: now,
            traced,
            deadline,
            answer: Arc::new(answer),
        }
    }

    /// Whether it must be the only command of its store in its transaction.
    pub(super) fn is_exclusive(&self) -> bool {
        self.needs.are_exclusive()
    }

    /// Answers that the service failed. If the command may have been done all the same, its caller is told that
    /// the outcome is unknown instead.
    pub(super) fn fail(self, fault: &ServiceFault) {
        let fault = if self.commit_unknown { &ServiceFault::OutcomeUnknown } else { fault };
        self.answer(Err(fault.clone().into()));
    }

    /// Records in its trace that it has waited for a transaction that it will not get.
    pub(super) fn trace_wait(&self) {
        if let Some(traced) = &self.traced {
            traced.record_wait(self.waits_since, Instant::now());
        }
    }

    /// Whether its caller has gone.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Whether its deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Answers its caller, unless that was done before. The job is used up by it.
    pub(super) fn answer(self, answer: Result<Reply, WorkerError>) {
        self.answer.send(answer);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use tokio::sync::oneshot;

    use super::*;
    use crate::domain::code::{PrincipalId, StoreId};
    use crate::domain::principal::Principal;
    use crate::domain::store::back_orders::DisableBackOrders;

    type Answer = oneshot::Receiver<Result<Reply, WorkerError>>;

    /// A job of this store, and what its caller waits on.
    pub(in crate::workers) fn job_of(store: &str, bytes: usize) -> (Job, Answer) {
        let envelope = Envelope {
            store: StoreId::new(store),
            principal: Principal { id: PrincipalId::new("alice"), is_operator: false },
            idempotency_key: None,
            named_cost: None,
            command: Arc::new(DisableBackOrders),
        };
        let (responder, answer) = Responder::channel();
        (Job::new(envelope, bytes, None, None, responder), answer)
    }

    /// The fault that a caller was answered with; `None` if there is no answer yet.
    pub(in crate::workers) fn fault(answer: &mut Answer) -> Option<ServiceFault> {
        match answer.try_recv() {
            Ok(Err(WorkerError::Fault(fault))) => Some(fault),
            Ok(other) => panic!("not a fault: {other:?}"),
            Err(_) => None,
        }
    }

    #[test]
    fn a_command_that_may_have_been_done_never_fails_as_if_nothing_was_done() {
        for (commit_unknown, expected) in
            [(false, ServiceFault::DatabaseUnavailable), (true, ServiceFault::OutcomeUnknown)]
        {
            let (mut job, mut answer) = job_of("north", 1);
            job.commit_unknown = commit_unknown;
            job.fail(&ServiceFault::DatabaseUnavailable);
            assert_eq!(fault(&mut answer), Some(expected));
        }
    }
}
