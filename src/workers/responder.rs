//! The one answer to a caller, from whichever thread has it first.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::error::{ServiceFault, WorkerError};

type Sender<T> = oneshot::Sender<Result<T, WorkerError>>;

/// Answers a caller who waits, once. It is shared by the thread that does the work and the supervisor of that
/// thread, and both may answer: the caller gets the first answer, and later ones are dropped.
#[derive(Debug)]
pub(super) struct Responder<T>(Mutex<Option<Sender<T>>>);

impl<T> Responder<T> {
    /// A responder, and the receiver that its caller waits on.
    pub(super) fn channel() -> (Self, oneshot::Receiver<Result<T, WorkerError>>) {
        let (sender, receiver) = oneshot::channel();
        (Self(Mutex::new(Some(sender))), receiver)
    }

    /// Answers the caller unless that was done before.
    pub(super) fn send(&self, answer: Result<T, WorkerError>) {
        if let Some(caller) = self.lock().take() {
            // An error means that the caller has gone. If it retries with the same request id, it gets the
            // stored response.
            let _ = caller.send(answer);
        }
    }

    /// Whether nobody waits for an answer any more: it was sent, or the caller has gone.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sender<T>>> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A caller whose call can be refused, whatever the type of its answer: all that a supervisor needs to know.
pub(super) trait Refuse: Send + Sync {
    /// Refuses the call unless it was answered before.
    fn refuse(&self, fault: ServiceFault);
}

impl<T: Send> Refuse for Responder<T> {
    fn refuse(&self, fault: ServiceFault) {
        self.send(Err(fault.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_answer_wins_and_the_second_is_dropped() {
        let (responder, mut caller) = Responder::channel();
        responder.send(Ok(1));
        responder.send(Ok(2));
        responder.refuse(ServiceFault::DatabaseUnavailable);
        assert_eq!(caller.try_recv().unwrap(), Ok(1));
    }

    #[test]
    fn a_refusal_that_comes_first_wins_over_a_late_result() {
        let (responder, mut caller) = Responder::channel();
        responder.refuse(ServiceFault::DatabaseUnavailable);
        responder.send(Ok(1));
        assert_eq!(caller.try_recv().unwrap(), Err(ServiceFault::DatabaseUnavailable.into()));
    }

    #[test]
    fn it_is_closed_once_it_has_answered() {
        let (responder, caller) = Responder::channel();
        assert!(!responder.is_closed());
        responder.send(Ok(1));
        assert!(responder.is_closed());
        drop(caller);
    }

    #[test]
    fn it_is_closed_once_its_caller_has_gone_and_answering_is_harmless() {
        let (responder, caller) = Responder::<()>::channel();
        drop(caller);
        assert!(responder.is_closed());
        responder.send(Ok(()));
    }
}
