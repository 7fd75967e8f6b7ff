//! A writer: the thread that takes batches from a queue, does them and answers; what happens when a batch
//! cannot be done; and how the thread is replaced when its session waits for too long.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use super::WriterParts;
use super::availability::Usable;
use super::batch::{self, Outcome};
use super::error::ServiceFault;
use super::in_flight::{InFlight, Taken};
use super::job::Job;
use super::queue::Queue;
use super::stats::BatchCounters;
use super::supervisor::{MAX_LEFT_BEHIND, Supervised, Waiters};
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::Pooled;
use crate::repository::progress::Stage;
use crate::repository::session::WriteError;

/// How often a batch is begun again after a passing fault.
const RETRIES: u32 = 3;

/// Why a batch was not done.
enum Failure {
    /// There was no connection to be had.
    NoConnection(DbError),
    /// Nothing was written.
    RolledBack(DbError),
    /// It may have been written.
    CommitUnknown(DbError),
    /// A fault in the service while COMMIT had not been sent; its session is gone, and so is its
    /// transaction.
    Panic,
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Failed(error) => Self::RolledBack(error),
            WriteError::CommitUnknown(error) => Self::CommitUnknown(error),
        }
    }
}

/// The supervisor has taken a thread's work: the thread ends, and another does it.
struct GivenUp;

/// One writer, whichever thread it has.
pub(super) struct Writer {
    number: usize,
    pub(super) queue: Queue,
    parts: WriterParts,
    counters: Arc<BatchCounters>,
    current: Mutex<Current>,
    /// Threads that were replaced and have not ended yet.
    left_behind: AtomicUsize,
}

/// The thread that a writer has now.
#[derive(Default)]
struct Current {
    in_flight: Arc<InFlight<Vec<Job>>>,
    /// `None` while none could be started.
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts a writer.
    pub(super) fn start(
        number: usize,
        parts: &WriterParts,
        counters: &Arc<BatchCounters>,
    ) -> std::io::Result<Arc<Self>> {
        let writer = Arc::new(Self {
            number,
            queue: Queue::default(),
            parts: parts.clone(),
            counters: Arc::clone(counters),
            current: Mutex::default(),
            left_behind: AtomicUsize::new(0),
        });
        writer.start_thread(&mut writer.current(), None)?;
        Ok(writer)
    }

    fn start_thread(self: &Arc<Self>, current: &mut Current, taken: Option<Taken<Vec<Job>>>) -> std::io::Result<()> {
        let (writer, in_flight) = (Arc::clone(self), Arc::<InFlight<Vec<Job>>>::default());
        let thread = Thread { writer: Arc::clone(self), in_flight: Arc::clone(&in_flight), session: None };
        let run = move || {
            if thread.run(taken).is_err() {
                writer.left_behind.fetch_sub(1, Ordering::Relaxed);
            }
        };
        current.in_flight = in_flight;
        current.thread = Some(std::thread::Builder::new().name(format!("writer-{}", self.number)).spawn(run)?);
        Ok(())
    }

    /// Replaces a thread whose session waits for too long: the new one goes on with its work. Where too many
    /// threads were replaced already, the work is refused, and a new one is started when an old one ends.
    fn replace(self: &Arc<Self>, taken: Taken<Vec<Job>>, current: &mut Current) {
        let process = taken.process.as_ref().map(ToString::to_string);
        tracing::warn!(stage = ?taken.stage, process, commands = taken.work.len(), "the database does not answer a writer; its session is given up");
        current.thread = None;
        if self.left_behind.fetch_add(1, Ordering::Relaxed) >= MAX_LEFT_BEHIND {
            let mut jobs = taken.work;
            if taken.stage == Stage::Committing {
                jobs.iter_mut().for_each(|job| job.commit_unknown = true);
            }
            return give_up(jobs, &ServiceFault::DatabaseUnavailable);
        }
        if let Err(error) = self.start_thread(current, Some(taken)) {
            tracing::error!(%error, "a writer cannot be started");
        }
    }

    /// For how long its session has been waiting for one answer of the database, if it is.
    pub(super) fn waiting_for(&self) -> Option<Duration> {
        self.current().in_flight.waiting_for()
    }

    /// Has it end once its queue is empty, and waits for that.
    pub(super) fn join(&self) {
        let thread = self.current().thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a writer ended by a panic");
        }
    }

    fn current(&self) -> MutexGuard<'_, Current> {
        // Nothing panics while holding it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervised for Arc<Writer> {
    fn supervise(&self) {
        let mut current = self.current();
        if let Some(taken) = current.in_flight.take_after(self.parts.timeout) {
            self.replace(taken, &mut current);
        } else if current.thread.is_none()
            && !self.queue.is_closed()
            && self.left_behind.load(Ordering::Relaxed) <= MAX_LEFT_BEHIND
            && let Err(error) = self.start_thread(&mut current, None)
        {
            tracing::error!(%error, "a writer cannot be started");
        }
    }
}

impl Waiters for Arc<Writer> {
    fn refuse_waiting(&self, usable: &Usable) {
        if let Some(refusal) = &usable.writes {
            give_up(self.queue.take_all(), refusal);
        }
    }
}

/// What one thread of a writer has.
struct Thread {
    writer: Arc<Writer>,
    in_flight: Arc<InFlight<Vec<Job>>>,
    session: Option<Pooled>,
}

impl Thread {
    /// Does what another thread was given up at, and then works until the queue is closed and empty.
    fn run(mut self, taken: Option<Taken<Vec<Job>>>) -> Result<(), GivenUp> {
        if let Some(taken) = taken {
            self.resume(taken)?;
        }
        let max_stores = self.writer.parts.layout.stores_per_transaction();
        while let Some(jobs) = self.writer.queue.collect(max_stores) {
            match catch_unwind(AssertUnwindSafe(|| self.process(jobs, None))) {
                Ok(processed) => processed?,
                // Whoever waited is told that it is not known what became of their call.
                Err(_) => tracing::error!("a panic in a writer, outside of a transaction"),
            }
        }
        Ok(())
    }

    /// Goes on with a batch whose session was given up. The server's process may still hold the locks of
    /// its stores, and nobody else will end it.
    fn resume(&mut self, taken: Taken<Vec<Job>>) -> Result<(), GivenUp> {
        let error = DbError::new(DbErrorKind::Lost, "the database did not answer in time");
        let Taken { work: mut jobs, stage, process } = taken;
        let failure = match stage {
            Stage::Working => Failure::RolledBack(error),
            Stage::Committing => Failure::CommitUnknown(error),
        };
        mark_commit_unknown(&mut jobs, &failure);
        if let Some(process) = process
            && let Ok(mut session) = self.writer.parts.pool.get()
        {
            self.in_flight.begin(jobs.clone(), &session);
            let ended = session.end_process(&process);
            if self.in_flight.end().is_none() {
                session.retire();
                return Err(GivenUp);
            }
            match ended {
                Ok(true) => tracing::warn!(%process, "ended the server's process of a session that was given up"),
                Ok(false) => {}
                Err(error) => {
                    session.retire();
                    tracing::warn!(%error, %process, "cannot end the server's process of a session that was given up");
                }
            }
            if !session.is_broken() {
                self.session = Some(session);
            }
        }
        self.process(jobs, Some(failure))
    }

    /// Does a batch, again if that may help, and answers every job of it or gives it back to the queue.
    /// `earlier` is how it failed on another thread.
    fn process(&mut self, jobs: Vec<Job>, mut earlier: Option<Failure>) -> Result<(), GivenUp> {
        let mut jobs = drop_dead(jobs);
        for attempt in 0_u32.. {
            if jobs.is_empty() {
                return Ok(());
            }
            let failure = match earlier.take() {
                Some(failure) => failure,
                None => match self.attempt(&jobs)? {
                    Ok(outcomes) => {
                        self.settle(jobs, outcomes);
                        return Ok(());
                    }
                    Err(failure) => failure,
                },
            };
            mark_commit_unknown(&mut jobs, &failure);
            match failure {
                Failure::CommitUnknown(error) => {
                    tracing::warn!(%error, "a commit was not answered");
                    jobs = refuse_unmarked(jobs);
                }
                Failure::NoConnection(error) => {
                    tracing::warn!(%error, commands = jobs.len(), "no connection to the database");
                    give_up(jobs, &ServiceFault::DatabaseUnavailable);
                    return Ok(());
                }
                // It has waited for the lock already.
                Failure::RolledBack(error) if error.kind == DbErrorKind::Busy => {
                    tracing::warn!(%error, commands = jobs.len(), "another program holds the database's lock");
                    give_up(jobs, &ServiceFault::DatabaseUnavailable);
                    return Ok(());
                }
                Failure::RolledBack(error) if error.is_storage() => {
                    tracing::error!(%error, commands = jobs.len(), "the storage is full or failing");
                    self.writer.parts.availability.ask();
                    give_up(jobs, &ServiceFault::StorageFull);
                    return Ok(());
                }
                Failure::RolledBack(error) if error.is_transient() => {
                    tracing::warn!(%error, attempt, commands = jobs.len(), "a batch failed; retrying");
                }
                Failure::RolledBack(error) => return self.one_by_one(jobs, &error.to_string(), attempt),
                Failure::Panic => return self.one_by_one(jobs, "a panic in a writer", attempt),
            }
            if attempt == RETRIES {
                give_up(jobs, &ServiceFault::DatabaseUnavailable);
                return Ok(());
            }
            sleep(backoff(attempt));
            jobs = drop_dead(jobs);
        }
        Ok(())
    }

    fn attempt(&mut self, jobs: &[Job]) -> Result<Result<Vec<Outcome>, Failure>, GivenUp> {
        let parts = &self.writer.parts;
        let kept = self.session.take();
        let connect = || {
            let mut session = parts.pool.get()?;
            session.wait_for_lock(parts.lock_timeout)?;
            Ok(session)
        };
        let mut session = match kept.map_or_else(connect, Ok) {
            Ok(session) => session,
            Err(error) => {
                parts.availability.ask();
                return Ok(Err(Failure::NoConnection(error)));
            }
        };
        self.in_flight.begin(jobs.to_vec(), &session);
        let (clock, ids) = (&*parts.clock, &*parts.ids);
        let done = catch_unwind(AssertUnwindSafe(|| batch::run(&mut session, jobs, clock, ids)));
        if self.in_flight.end().is_none() {
            session.retire();
            return Err(GivenUp);
        }
        let done = match done {
            Ok(done) => done.map_err(Failure::from),
            Err(_) => Err(Failure::Panic),
        };
        let is_usable = match &done {
            Ok(_) => true,
            Err(Failure::RolledBack(error)) => error.kind != DbErrorKind::Lost,
            Err(_) => false,
        };
        if is_usable {
            self.session = Some(session);
        } else {
            session.retire();
            parts.availability.ask();
        }
        Ok(done)
    }

    fn settle(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        let answered = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Answered(_))).count();
        if answered > 0 {
            self.writer.counters.committed(answered);
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
        self.writer.queue.put_back(put_back, locked, random_fraction());
    }

    /// Something in the batch cannot be loaded or saved. Its commands go back to the queue, each to have a
    /// transaction of its own, so that only the guilty one fails and the others keep their order. A single
    /// command is tried once more: what made it fail may have been written by another instance while it was
    /// decided (a store with the same id, for one), or have been a deadlock.
    fn one_by_one(&mut self, mut jobs: Vec<Job>, why: &str, attempt: u32) -> Result<(), GivenUp> {
        if jobs.len() > 1 {
            tracing::warn!(why, commands = jobs.len(), "a batch cannot be done; its commands are done one by one");
            jobs.iter_mut().for_each(|job| job.alone = true);
            self.writer.queue.put_back(jobs, Vec::new(), 0.0);
            return Ok(());
        }
        if attempt > 0 || jobs.iter().any(Job::is_abandoned) {
            tracing::error!(why, "a command cannot be done");
            give_up(jobs, &ServiceFault::Internal(why.to_owned()));
            return Ok(());
        }
        self.last_try(jobs)
    }

    fn last_try(&mut self, mut jobs: Vec<Job>) -> Result<(), GivenUp> {
        let failure = match self.attempt(&jobs)? {
            Ok(outcomes) => {
                self.settle(jobs, outcomes);
                return Ok(());
            }
            Err(failure) => failure,
        };
        mark_commit_unknown(&mut jobs, &failure);
        let (why, refusal) = match failure {
            Failure::Panic => {
                let why = "a panic in a writer".to_owned();
                (why.clone(), ServiceFault::Internal(why))
            }
            Failure::CommitUnknown(error) => (error.to_string(), ServiceFault::OutcomeUnknown),
            Failure::NoConnection(error) => (error.to_string(), ServiceFault::DatabaseUnavailable),
            Failure::RolledBack(error) if error.is_transient() => {
                (error.to_string(), ServiceFault::DatabaseUnavailable)
            }
            Failure::RolledBack(error) if error.is_storage() => (error.to_string(), ServiceFault::StorageFull),
            Failure::RolledBack(error) => (error.to_string(), ServiceFault::Internal(error.to_string())),
        };
        tracing::error!(why, "a command cannot be done");
        give_up(jobs, &refusal);
        Ok(())
    }
}

/// Notes on the jobs that they may have been done, if that is how their batch failed. The note stays
/// until they are done or their stored response is found.
fn mark_commit_unknown(jobs: &mut [Job], failure: &Failure) {
    if matches!(failure, Failure::CommitUnknown(_)) {
        jobs.iter_mut().for_each(|job| job.commit_unknown = true);
    }
}

/// Sorts out the jobs that nobody waits for or whose deadline has passed. What may have been done already
/// is asked about even when it is late.
fn drop_dead(jobs: Vec<Job>) -> Vec<Job> {
    let mut alive = Vec::with_capacity(jobs.len());
    for job in jobs {
        if job.is_late() && !job.commit_unknown {
            job.answer(Err(ServiceFault::DeadlineExceeded.into()));
        } else if !job.is_abandoned() {
            alive.push(job);
        }
    }
    alive
}

/// Answers the jobs that carry no request id: nothing can tell what became of them.
fn refuse_unmarked(jobs: Vec<Job>) -> Vec<Job> {
    let (with_id, without_id): (Vec<Job>, Vec<Job>) =
        jobs.into_iter().partition(|job| job.envelope.idempotency_key.is_some());
    give_up(without_id, &ServiceFault::OutcomeUnknown);
    with_id
}

fn give_up(jobs: Vec<Job>, fault: &ServiceFault) {
    for job in jobs {
        job.give_up(fault);
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
