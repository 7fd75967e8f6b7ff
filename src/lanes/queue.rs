//! A lane's queue: bounded by commands and by bytes, and no store may fill more than half of it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job::Job;
use crate::domain::code::StoreId;
use crate::domain::refusal::Refusal;

const MAX_COMMANDS: usize = 4_096;
const MAX_BYTES: usize = 24 * 1024 * 1024;
/// How many commands a transaction takes.
pub(super) const BATCH_COMMANDS: usize = 128;
/// How many stores a transaction locks.
const BATCH_STORES: usize = 64;

/// Commands and what they take in memory.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    commands: usize,
    bytes: usize,
}

impl Load {
    fn add(&mut self, job: &Job) {
        self.commands += 1;
        self.bytes += job.bytes;
    }

    fn remove(&mut self, job: &Job) {
        self.commands -= 1;
        self.bytes -= job.bytes;
    }

    /// Whether a job still fits under one `share`-th of the queue's bounds. A single job always
    /// does: no message is larger than a share.
    fn admits(&self, job: &Job, share: usize) -> bool {
        self.commands == 0 || (self.commands < MAX_COMMANDS / share && self.bytes + job.bytes <= MAX_BYTES / share)
    }
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    total: Load,
    by_store: HashMap<StoreId, Load>,
    closed: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
}

impl Queue {
    /// Queues a job at the end.
    pub(super) fn push(&self, job: Job) -> Result<(), Refusal> {
        let mut state = self.state();
        if state.closed {
            return Err(Refusal::DatabaseUnavailable);
        }
        let of_store = state.by_store.get(&job.request.store).copied().unwrap_or_default();
        if !state.total.admits(&job, 1) || !of_store.admits(&job, 2) {
            return Err(Refusal::QueueFull);
        }
        state.enter(&job);
        state.jobs.push_back(job);
        self.changed.notify_one();
        Ok(())
    }

    /// Puts jobs back in front, in their order.
    pub(super) fn push_front(&self, jobs: Vec<Job>) {
        let mut state = self.state();
        for job in jobs.into_iter().rev() {
            state.enter(&job);
            state.jobs.push_front(job);
        }
    }

    /// Waits for work and takes one batch of it; `None` once the queue is closed and empty.
    pub(super) fn collect(&self) -> Option<Vec<Job>> {
        let mut state = self.state();
        loop {
            if !state.jobs.is_empty() {
                return Some(state.take_batch());
            }
            if state.closed {
                return None;
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Lets nothing more in.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it, and a queue is whole between any two of its statements.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn enter(&mut self, job: &Job) {
        self.total.add(job);
        self.by_store.entry(job.request.store.clone()).or_default().add(job);
    }

    fn leave(&mut self, job: &Job) {
        self.total.remove(job);
        if let Some(load) = self.by_store.get_mut(&job.request.store) {
            load.remove(job);
            if load.commands == 0 {
                self.by_store.remove(&job.request.store);
            }
        }
    }

    /// Takes jobs from the front, as many as may share a transaction. Order is never changed: at the
    /// first that may not, the batch ends.
    fn take_batch(&mut self) -> Vec<Job> {
        let (mut batch, mut stores) = (Vec::new(), BTreeSet::new());
        while batch.len() < BATCH_COMMANDS
            && let Some(job) = self.jobs.pop_front_if(|job| may_join(&stores, job))
        {
            self.leave(&job);
            stores.insert(job.request.store.clone());
            batch.push(job);
        }
        batch
    }
}

fn may_join(stores: &BTreeSet<StoreId>, job: &Job) -> bool {
    match stores.contains(&job.request.store) {
        // What names open orders must be the first of its store, so that the list is true.
        true => !job.request.needs().open_orders,
        false => stores.len() < BATCH_STORES,
    }
}
