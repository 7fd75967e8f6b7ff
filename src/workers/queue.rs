//! What a writer waits for: its [`Schedule`], shared with the callers who fill it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::error::ServiceFault;
use super::job::Job;
use super::schedule::Schedule;

#[derive(Default)]
struct QueueState {
    schedule: Schedule,
    closed: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<QueueState>,
    changed: Condvar,
}

impl Queue {
    /// Queues a job.
    pub(super) fn push(&self, job: Job) -> Result<(), ServiceFault> {
        let mut state = self.state();
        if state.closed {
            return Err(ServiceFault::DatabaseUnavailable);
        }
        state.schedule.push(job).map_err(|_| ServiceFault::QueueFull)?;
        self.changed.notify_one();
        Ok(())
    }

    /// Takes jobs back that are to be done by the next transactions; and jobs whose stores somebody else
    /// has locked, which are tried again in a moment.
    pub(super) fn put_back(&self, jobs: Vec<Job>, locked: Vec<Job>, jitter: f64) {
        let mut state = self.state();
        state.schedule.put_back(jobs);
        state.schedule.set_aside(locked, Instant::now(), jitter);
    }

    /// Waits for work and takes one batch of it; `None` once the queue is closed and empty.
    pub(super) fn collect(&self, max_stores: usize) -> Option<Vec<Job>> {
        let mut state = self.state();
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
                    let left = retry.saturating_duration_since(now);
                    self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    /// Takes all jobs that wait, to be refused.
    pub(super) fn take_all(&self) -> Vec<Job> {
        std::mem::take(&mut self.state().schedule).into_jobs()
    }

    /// Whether it rejects further jobs.
    pub(super) fn is_closed(&self) -> bool {
        self.state().closed
    }

    /// Rejects further jobs, and has [`Queue::collect`] end once those that wait are taken.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, QueueState> {
        // Nothing panics while holding it, and a schedule is whole between any two calls of it.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
