//! Where an answer goes: to a caller who may have gone, from whichever thread has it first.

use std::sync::{Mutex, PoisonError};

use tokio::sync::oneshot;

use super::error::{ServiceFault, WorkerError};

/// A caller who waits. Shared between the thread that works for them and the supervisor of that thread;
/// the first answer is the one that they get.
#[derive(Debug)]
pub(super) struct Responder<T>(Mutex<Option<oneshot::Sender<Result<T, WorkerError>>>>);

impl<T> Responder<T> {
    /// A caller, and what they wait at.
    pub(super) fn channel() -> (Self, oneshot::Receiver<Result<T, WorkerError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Mutex::new(Some(sender))), receiver)
    }

    /// Answers. The caller may have gone meanwhile: a request id will repeat the answer to it.
    pub(super) fn send(&self, answer: Result<T, WorkerError>) {
        if let Some(caller) = self.0.lock().unwrap_or_else(PoisonError::into_inner).take() {
            let _ = caller.send(answer);
        }
    }

    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_none_or(oneshot::Sender::is_closed)
    }
}

/// A caller who can be told that there will be no answer.
pub(super) trait Refuse: Send + Sync {
    /// Tells them so.
    fn refuse(&self, fault: ServiceFault);
}

impl<T: Send> Refuse for Responder<T> {
    fn refuse(&self, fault: ServiceFault) {
        self.send(Err(fault.into()));
    }
}
