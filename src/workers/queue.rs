//! The queue of one writer: its [`Schedule`], shared with the callers who add to it, and the waiting for work.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::ServiceFault;
use super::job::Job;
use super::schedule::{QueuedWork, Schedule};

#[derive(Default)]
struct QueueState {
    schedule: Schedule,
    closed: bool,
}

/// A queue that many callers fill and one thread at a time empties. It is bounded: a job that finds no room is
/// refused at once.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    /// Notified when a job was added or the queue was closed.
    changed: Condvar,
}

impl Queue {
    /// Adds a job of a caller.
    pub(super) fn push(&self, job: Job) -> Result<(), ServiceFault> {
        let mut state = self.lock();
        if state.closed {
            // The instance is stopping. UNAVAILABLE may be retried: another instance, or the next start, takes the
            // command.
            return Err(ServiceFault::DatabaseUnavailable);
        }
        if state.schedule.push(job).is_err() {
            return Err(ServiceFault::QueueFull);
        }
        // One thread at a time collects, so no second one needs to be woken.
        self.changed.notify_one();
        Ok(())
    }

    /// Takes jobs back from the writer: `requeued` go into its next transactions; those whose stores are `locked`
    /// by another instance are retried after a short delay, see [`Schedule::back_off`].
    pub(super) fn put_back(&self, requeued: Vec<Job>, locked: Vec<Job>, jitter: f64) {
        // Nobody is woken: the thread that puts jobs back is the one that collects next.
        let mut state = self.lock();
        state.schedule.requeue(requeued);
        state.schedule.back_off(locked, Instant::now(), jitter);
    }

    /// Waits for work and takes one batch of it; `None` once the queue is closed and empty.
    pub(super) fn collect(&self, max_stores: usize) -> Option<Vec<Job>> {
        let mut state = self.lock();
        loop {
            let now = Instant::now();
            let batch = state.schedule.take_batch(max_stores, now);
            if !batch.is_empty() {
                return Some(batch);
            }
            if state.closed && state.schedule.is_empty() {
                return None;
            }
            state = match state.schedule.next_retry() {
                None => self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(retry) => {
                    // A store that is backing off becomes due without a notification.
                    let left = retry.saturating_duration_since(now);
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// What waits in it.
    pub(super) fn waiting(&self) -> QueuedWork {
        self.lock().schedule.waiting()
    }

    /// Removes all waiting jobs; the caller of this must answer them.
    pub(super) fn take_all(&self) -> Vec<Job> {
        std::mem::take(&mut self.lock().schedule).into_jobs()
    }

    /// Whether it rejects further jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// Rejects further jobs, and has [`Queue::collect`] return `None` once the waiting ones are taken.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A panic while it was held cannot leave the schedule half changed: each of its methods is complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::job::tests::job_of;
    use super::*;

    const MAX_STORES: usize = 64;

    fn job(store: &str) -> Job {
        job_of(store, 1).0
    }

    #[test]
    fn a_thread_that_waits_is_woken_by_a_job() {
        let queue = Arc::new(Queue::default());
        let waiting = Arc::clone(&queue);
        let collected = std::thread::spawn(move || waiting.collect(MAX_STORES).map(|batch| batch.len()));
        queue.push(job("north")).unwrap();
        assert_eq!(collected.join().unwrap(), Some(1));
    }

    #[test]
    fn a_closed_queue_rejects_jobs_and_hands_out_those_that_wait() {
        let queue = Queue::default();
        queue.push(job("north")).unwrap();
        assert!(!queue.is_closed());
        queue.close();
        assert!(queue.is_closed());
        assert_eq!(queue.push(job("north")), Err(ServiceFault::DatabaseUnavailable));
        assert_eq!(queue.collect(MAX_STORES).unwrap().len(), 1);
        assert!(queue.collect(MAX_STORES).is_none());
    }

    #[test]
    fn a_thread_that_waits_is_woken_when_the_queue_is_closed() {
        let queue = Arc::new(Queue::default());
        let waiting = Arc::clone(&queue);
        let collected = std::thread::spawn(move || waiting.collect(MAX_STORES).is_none());
        queue.close();
        assert!(collected.join().unwrap());
    }

    #[test]
    fn a_full_queue_refuses_a_job_and_takes_the_next_when_there_is_room() {
        let queue = Queue::default();
        while queue.push(job("north")).is_ok() {}
        assert_eq!(queue.push(job("north")), Err(ServiceFault::QueueFull));
        queue.collect(MAX_STORES).unwrap();
        assert_eq!(queue.push(job("north")), Ok(()));
    }

    #[test]
    fn jobs_that_were_put_back_come_again_and_those_of_locked_stores_a_little_later() {
        let queue = Queue::default();
        queue.push(job("north")).unwrap();
        queue.push(job("south")).unwrap();
        let mut batch = queue.collect(MAX_STORES).unwrap();
        let locked = batch.split_off(1);
        queue.put_back(batch, locked, 0.0);
        queue.close();
        let mut stores = Vec::new();
        while let Some(batch) = queue.collect(MAX_STORES) {
            stores.extend(batch.iter().map(|job| job.envelope.store.as_str().to_owned()));
        }
        assert_eq!(stores, ["north", "south"], "a closed queue is not done before its last retry");
    }

    #[test]
    fn taking_all_jobs_leaves_it_empty() {
        let queue = Queue::default();
        queue.push(job("north")).unwrap();
        queue.push(job("south")).unwrap();
        assert_eq!(queue.take_all().len(), 2);
        queue.close();
        assert!(queue.collect(MAX_STORES).is_none());
    }
}
