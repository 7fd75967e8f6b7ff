//! A command on its way through a lane.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::oneshot;

use crate::domain::mutation::{Reply, Request};
use crate::domain::refusal::Refusal;

/// A command whose caller waits.
pub(super) struct Job {
    pub(super) request: Arc<Request>,
    /// What it takes in memory while it waits.
    pub(super) bytes: usize,
    pub(super) deadline: Option<Instant>,
    pub(super) answer: oneshot::Sender<Result<Reply, Refusal>>,
}

impl Job {
    /// Whether nobody waits for it any more.
    pub(super) fn is_abandoned(&self) -> bool {
        self.answer.is_closed()
    }

    /// Whether its deadline has passed.
    pub(super) fn is_late(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// Answers. The caller may have gone meanwhile: a request id will repeat the answer to it.
    pub(super) fn answer(self, answer: Result<Reply, Refusal>) {
        let _ = self.answer.send(answer);
    }
}
