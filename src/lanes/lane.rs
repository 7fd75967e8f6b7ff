//! A lane's thread: collect a batch, do it, answer; and what happens when it cannot be done.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use super::LaneParts;
use super::batch::{self, Outcome};
use super::job::Job;
use super::queue::Queue;
use super::stats::Counters;
use crate::domain::refusal::Refusal;
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::Pooled;
use crate::repository::session::WriteError;

/// How often a batch is begun again after a passing fault.
const RETRIES: u32 = 3;

/// See the module.
pub(super) struct Lane {
    queue: Arc<Queue>,
    parts: LaneParts,
    counters: Arc<Counters>,
    session: Option<Pooled>,
}

/// Why a batch was not done.
enum Failure {
    /// There was no connection to be had: waiting longer is the caller's to decide.
    Away(DbError),
    /// Nothing was written.
    Clear(DbError),
    /// It may have been written.
    Unclear(DbError),
    /// A fault in the service; its session is gone, and so is its transaction.
    Panic,
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Failed(error) => Self::Clear(error),
            WriteError::Unclear(error) => Self::Unclear(error),
        }
    }
}

impl Lane {
    pub(super) fn new(queue: Arc<Queue>, parts: LaneParts, counters: Arc<Counters>) -> Self {
        Self { queue, parts, counters, session: None }
    }

    /// Works until the queue is closed and empty.
    pub(super) fn run(mut self) {
        while let Some(jobs) = self.queue.collect(self.parts.layout.stores_per_transaction()) {
            self.process(jobs);
        }
    }

    /// Does a batch, again if that may help, and answers every job of it or gives it back to the queue.
    fn process(&mut self, jobs: Vec<Job>) {
        let mut jobs = drop_dead(jobs);
        for attempt in 0_u32.. {
            if jobs.is_empty() {
                return;
            }
            let failure = match self.attempt(&jobs) {
                Ok(outcomes) => return self.settle(jobs, outcomes),
                Err(failure) => failure,
            };
            match failure {
                Failure::Unclear(error) => {
                    tracing::warn!(%error, "a commit was not answered");
                    jobs.iter_mut().for_each(|job| job.commit_unknown = true);
                    jobs = refuse_unmarked(jobs);
                }
                Failure::Away(error) => {
                    tracing::warn!(%error, commands = jobs.len(), "the database is away");
                    return give_up(jobs, &Refusal::DatabaseUnavailable);
                }
                // It has waited for the lock already.
                Failure::Clear(error) if error.kind == DbErrorKind::Busy => {
                    tracing::warn!(%error, commands = jobs.len(), "another program holds the database's lock");
                    return give_up(jobs, &Refusal::DatabaseUnavailable);
                }
                Failure::Clear(error) if error.is_transient() => {
                    tracing::warn!(%error, attempt, commands = jobs.len(), "a batch failed and is begun again");
                }
                Failure::Clear(error) if error.is_storage() => {
                    tracing::error!(%error, commands = jobs.len(), "the storage takes no more");
                    return give_up(jobs, &Refusal::StorageFull);
                }
                Failure::Clear(error) => return self.one_by_one(jobs, &error, attempt),
                Failure::Panic => return give_up(jobs, &Refusal::Internal("a panic in a lane".to_owned())),
            }
            if attempt == RETRIES {
                return give_up(jobs, &Refusal::DatabaseUnavailable);
            }
            sleep(backoff(attempt));
            jobs = drop_dead(jobs);
        }
    }

    fn attempt(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Failure> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => {
                let mut session = self.parts.pool.get().map_err(Failure::Away)?;
                session.wait_for_lock(self.parts.lock_patience).map_err(Failure::Away)?;
                session
            }
        };
        let (clock, ids) = (&*self.parts.clock, &*self.parts.ids);
        let done = catch_unwind(AssertUnwindSafe(|| batch::run(&mut session, jobs, clock, ids)));
        let done = done.map_err(|_| Failure::Panic)?.map_err(Failure::from);
        let lost = match &done {
            Ok(_) => false,
            Err(Failure::Clear(error)) => error.kind == DbErrorKind::Lost,
            Err(_) => true,
        };
        if lost {
            session.retire();
        } else {
            self.session = Some(session);
        }
        done
    }

    fn settle(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        let answered = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Answered(_))).count();
        if answered > 0 {
            self.counters.committed(answered);
        }
        let (mut put_back, mut locked) = (Vec::new(), Vec::new());
        for (mut job, outcome) in jobs.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Answered(answer) => job.answer(*answer),
                Outcome::StoreLocked => locked.push(job),
                Outcome::PutBack(cost) => {
                    job.cost = cost;
                    put_back.push(job);
                }
            }
        }
        self.queue.put_back(put_back, locked, random_fraction());
    }

    /// Something in the batch cannot be saved. Its commands go back to the queue, each to have a
    /// transaction of its own, so that only the guilty one fails and the others keep their order. A single
    /// command is tried once more, because what made it fail may have been written by another instance
    /// while it was decided: a store with the same id, for one.
    fn one_by_one(&mut self, mut jobs: Vec<Job>, error: &DbError, attempt: u32) {
        let is_alone = jobs.len() == 1;
        if is_alone && (attempt > 0 || error.kind != DbErrorKind::Constraint || jobs.iter().any(Job::is_abandoned)) {
            tracing::error!(%error, "a command cannot be saved");
            return give_up(jobs, &Refusal::Internal(error.to_string()));
        }
        if is_alone {
            return self.last_try(jobs);
        }
        tracing::warn!(%error, commands = jobs.len(), "a batch cannot be saved; its commands are done one by one");
        jobs.iter_mut().for_each(|job| job.alone = true);
        self.queue.put_back(jobs, Vec::new(), 0.0);
    }

    fn last_try(&mut self, mut jobs: Vec<Job>) {
        let (error, refusal) = match self.attempt(&jobs) {
            Ok(outcomes) => return self.settle(jobs, outcomes),
            Err(Failure::Panic) => return give_up(jobs, &Refusal::Internal("a panic in a lane".to_owned())),
            Err(Failure::Unclear(error)) => {
                jobs.iter_mut().for_each(|job| job.commit_unknown = true);
                (error, Refusal::OutcomeUnknown)
            }
            Err(Failure::Away(error)) => (error, Refusal::DatabaseUnavailable),
            Err(Failure::Clear(error)) if error.is_transient() => (error, Refusal::DatabaseUnavailable),
            Err(Failure::Clear(error)) if error.is_storage() => (error, Refusal::StorageFull),
            Err(Failure::Clear(error)) => {
                let refusal = Refusal::Internal(error.to_string());
                (error, refusal)
            }
        };
        tracing::error!(%error, "a command cannot be saved");
        give_up(jobs, &refusal);
    }
}

/// Sorts out the jobs that nobody waits for or whose deadline has passed. What may have been done already
/// is asked about even when it is late.
fn drop_dead(jobs: Vec<Job>) -> Vec<Job> {
    let mut alive = Vec::with_capacity(jobs.len());
    for job in jobs {
        if job.is_late() && !job.commit_unknown {
            job.answer(Err(Refusal::DeadlineExceeded));
        } else if !job.is_abandoned() {
            alive.push(job);
        }
    }
    alive
}

/// Answers the jobs that carry no request id: nothing can tell what became of them.
fn refuse_unmarked(jobs: Vec<Job>) -> Vec<Job> {
    let (marked, unmarked): (Vec<Job>, Vec<Job>) = jobs.into_iter().partition(|job| job.request.mark.is_some());
    give_up(unmarked, &Refusal::OutcomeUnknown);
    marked
}

fn give_up(jobs: Vec<Job>, refusal: &Refusal) {
    for job in jobs {
        job.give_up(refusal);
    }
}

/// 20, 40, 80 ms, each with up to as much again, so that instances do not come back together.
fn backoff(attempt: u32) -> Duration {
    let base = Duration::from_millis(20 << attempt);
    base + base.mul_f64(random_fraction())
}

/// A random number from 0 to 1.
fn random_fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}
