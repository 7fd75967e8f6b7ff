//! A writer: the thread that takes batches from a queue, executes them and answers their callers; what happens
//! when a batch fails; and how the thread is replaced when its session waits for too long.
//!
//! The invariant of this module: every job that was taken from the queue is answered once, or put back into the
//! queue. A caller is told that nothing was done only if that is certain.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::{Duration, Instant};

use super::WriterParts;
use super::availability::AvailabilityState;
use super::batch::{self, Outcome};
use super::error::ServiceFault;
use super::in_flight::{InFlight, Superseded, Taken};
use super::job::Job;
use super::queue::Queue;
use super::stats::BatchCounters;
use super::stopwatch::Stopwatch;
use super::supervisor::{MAX_ABANDONED_THREADS, PendingCalls, Supervised};
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::Pooled;
use crate::repository::progress::Stage;
use crate::repository::session::WriteError;
use crate::repository::transaction::TransactionName;
use crate::traces::Attempt;

/// How often a batch is retried after a transient error.
const RETRIES: u32 = 3;
/// The delay before the first retry; it doubles with each further one.
const FIRST_BACKOFF: Duration = Duration::from_millis(20);

/// Why an attempt to execute a batch failed.
enum Failure {
    /// No connection to the database could be made. Nothing was sent.
    NoConnection(DbError),
    /// The transaction was rolled back. Nothing was written.
    RolledBack(DbError),
    /// COMMIT was sent and not answered. Everything may have been written, or nothing.
    CommitUnknown(DbError),
    /// A panic in this service before COMMIT was sent. The session is retired, and its transaction with it.
    Panic,
    /// The supervisor has taken the jobs, so this thread must not answer them.
    Superseded,
}

impl Failure {
    /// What traces call it.
    const fn name(&self) -> &'static str {
        match self {
            Self::RolledBack(_) => "rolled_back",
            Self::CommitUnknown(_) => "commit_unknown",
            Self::Panic => "panic",
            // No transaction began, or its thread must not tell what became of it: traces do not show these.
            Self::NoConnection(_) | Self::Superseded => "unknown",
        }
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::Failed(error) => Self::RolledBack(error),
            WriteError::CommitUnknown(error) => Self::CommitUnknown(error),
        }
    }
}

/// One writer. It outlives its threads: the queue stays when a thread is replaced.
pub(super) struct Writer {
    number: usize,
    pub(super) queue: Queue,
    parts: WriterParts,
    counters: Arc<BatchCounters>,
    current: Mutex<CurrentThread>,
    /// How many threads were replaced and have not ended yet: they wait in a database driver.
    abandoned_threads: AtomicUsize,
}

/// The thread that works for a writer at present.
#[derive(Default)]
struct CurrentThread {
    /// The slot with its batch, from which the supervisor takes the jobs if the session hangs.
    in_flight: Arc<InFlight<Vec<Job>>>,
    /// `None` while there is no thread, because none could be started or too many are abandoned.
    handle: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts a writer with its first thread.
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
            abandoned_threads: AtomicUsize::new(0),
        });
        writer.start_thread(&mut writer.current(), &mut None)?;
        Ok(writer)
    }

    /// Starts a thread, which begins with the jobs that were taken from the one before. They stay where they are if
    /// no thread can be started.
    fn start_thread(
        self: &Arc<Self>,
        current: &mut CurrentThread,
        taken: &mut Option<Taken<Vec<Job>>>,
    ) -> std::io::Result<()> {
        let writer = Arc::clone(self);
        let in_flight = Arc::<InFlight<Vec<Job>>>::default();
        // A slot of its own: the abandoned thread still has the old one, finds it empty when it wakes, and ends.
        current.in_flight = Arc::clone(&in_flight);
        let (hand_over, handed_over) = sync_channel(1);
        let thread = std::thread::Builder::new().name(format!("writer-{}", self.number)).spawn(move || {
            let thread = WriterThread { writer: Arc::clone(&writer), in_flight, session: None };
            // The sender always sends once this thread is started.
            if let Err(Superseded) = thread.run(handed_over.recv().unwrap_or_default()) {
                // It was counted when it was replaced.
                writer.abandoned_threads.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        // There is room for it, so this does not wait; and the thread ends only after it has received.
        let _ = hand_over.send(taken.take());
        current.handle = Some(thread);
        Ok(())
    }

    /// Replaces a thread whose session waits for too long; the new one goes on with its jobs. Where too many
    /// threads are abandoned already, or none can be started, the jobs are refused instead, and
    /// [`Supervised::supervise`] starts a thread when it can.
    fn replace_thread(self: &Arc<Self>, taken: Taken<Vec<Job>>, current: &mut CurrentThread) {
        let process = taken.process.as_ref().map(ToString::to_string);
        tracing::warn!(
            stage = ?taken.stage,
            process,
            commands = taken.work.len(),
            "the database does not answer a writer; replacing its session"
        );
        // Dropping the handle detaches the thread; joining it could take for ever.
        current.handle = None;
        let mut taken = Some(taken);
        if self.abandoned_threads.fetch_add(1, Ordering::Relaxed) < MAX_ABANDONED_THREADS
            && let Err(error) = self.start_thread(current, &mut taken)
        {
            tracing::error!(%error, "cannot start a writer thread");
        }
        let Some(Taken { work: mut jobs, stage, .. }) = taken else { return };
        // There is no thread that could find out what became of them. The one that hangs has copies, so callers would
        // go on waiting if these were only dropped.
        if stage == Stage::Committing {
            jobs.iter_mut().for_each(|job| job.commit_unknown = true);
        }
        fail_all(jobs, &ServiceFault::DatabaseUnavailable);
    }

    /// For how long its session has been waiting for an answer; `None` if it is not waiting.
    pub(super) fn waiting_for(&self) -> Option<Duration> {
        self.current().in_flight.waiting_for()
    }

    /// Waits until its thread has ended, which it does once the queue is closed and empty.
    pub(super) fn join(&self) {
        let thread = self.current().handle.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("a writer thread ended with a panic");
        }
    }

    fn current(&self) -> MutexGuard<'_, CurrentThread> {
        // Nothing panics while holding it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Supervised for Arc<Writer> {
    fn supervise(&self) {
        let mut current = self.current();
        if let Some(taken) = current.in_flight.take_after(self.parts.timeout) {
            self.replace_thread(taken, &mut current);
        } else if current.handle.is_none()
            && !self.queue.is_closed()
            // A thread that was not replaced is counted too, so the count is above the limit until one has ended.
            && self.abandoned_threads.load(Ordering::Relaxed) <= MAX_ABANDONED_THREADS
            && let Err(error) = self.start_thread(&mut current, &mut None)
        {
            tracing::error!(%error, "cannot start a writer thread");
        }
    }
}

impl PendingCalls for Arc<Writer> {
    fn refuse_pending(&self, state: &AvailabilityState) {
        // The batch in flight is not refused: whether it was committed is found out by its thread.
        if let Some(fault) = &state.writes {
            fail_all(self.queue.take_all(), fault);
        }
    }
}

/// What one thread of a writer works with.
struct WriterThread {
    writer: Arc<Writer>,
    in_flight: Arc<InFlight<Vec<Job>>>,
    /// The session that is kept from one batch to the next while it works.
    session: Option<Pooled>,
}

impl WriterThread {
    /// Goes on with the jobs of the thread before, if there was one, and then executes batches until the queue is
    /// closed and empty.
    fn run(mut self, taken: Option<Taken<Vec<Job>>>) -> Result<(), Superseded> {
        if let Some(taken) = taken {
            self.resume(taken)?;
        }
        let max_stores = self.writer.parts.layout.stores_per_transaction();
        while let Some(mut jobs) = self.writer.queue.collect(max_stores) {
            self.measure_waits(&mut jobs);
            // A panic must not end the thread: nobody else executes the commands of its stores.
            match catch_unwind(AssertUnwindSafe(|| self.process(jobs, None))) {
                Ok(processed) => processed?,
                // The responders were dropped with the jobs, so `Writers::submit` answers OUTCOME_UNKNOWN.
                Err(_) => tracing::error!("a panic in a writer thread, outside of a transaction"),
            }
        }
        Ok(())
    }

    /// Measures how long jobs have waited that were not taken before.
    fn measure_waits(&self, jobs: &mut [Job]) {
        let now = Instant::now();
        for queued in jobs.iter_mut().filter_map(|job| job.queued.take()) {
            let waited = now.saturating_duration_since(queued);
            self.writer.parts.metrics.queue_wait.observe(waited.as_secs_f64());
        }
    }

    /// Goes on with a batch whose session was given up. The server process of that session may still hold the
    /// locks of the batch's stores, and waits for this service: so it is ended first.
    fn resume(&mut self, taken: Taken<Vec<Job>>) -> Result<(), Superseded> {
        let Taken { work: mut jobs, stage, process } = taken;
        let error = DbError::new(DbErrorKind::Lost, "the database did not answer in time");
        let failure = match stage {
            Stage::Working => Failure::RolledBack(error),
            Stage::Committing => Failure::CommitUnknown(error),
        };
        mark_commit_unknown(&mut jobs, &failure);
        if matches!(failure, Failure::CommitUnknown(_)) {
            // Before anything else waits for the database: the thread that takes these jobs from here next does not know
            // that they may have been done, and would do them again.
            jobs = fail_jobs_without_request_id(jobs);
        }
        if let Some(process) = process
            && let Ok(mut session) = self.writer.parts.pool.get(TransactionName::EndServerProcess)
        {
            // This waits for the database too, so the supervisor must be able to take the jobs again.
            self.in_flight.begin(jobs.clone(), &session);
            let ended = session.end_process(&process);
            if self.in_flight.end().is_err() {
                session.retire();
                return Err(Superseded);
            }
            match ended {
                Ok(true) => tracing::warn!(%process, "ended the server process of an unresponsive session"),
                // It has ended by itself, or may be executing a COMMIT.
                Ok(false) => {}
                Err(error) => {
                    session.retire();
                    tracing::warn!(%error, %process, "cannot end the server process of an unresponsive session");
                }
            }
            if !session.is_broken() {
                self.session = Some(session);
            }
        }
        self.process(jobs, Some(failure))
    }

    /// Executes a batch, with retries where they may help. Afterwards each job is answered or back in the queue.
    /// `earlier` is how an attempt on another thread failed.
    fn process(&mut self, jobs: Vec<Job>, mut earlier: Option<Failure>) -> Result<(), Superseded> {
        let mut jobs = drop_dead_jobs(jobs);
        for attempt in 0_u32.. {
            if jobs.is_empty() {
                return Ok(());
            }
            let failure = match earlier.take() {
                Some(failure) => failure,
                None => {
                    if attempt > 0 {
                        self.writer.parts.pool.counters().count_retry(TransactionName::WriteBatch);
                    }
                    match self.attempt(&jobs) {
                        Ok(outcomes) => {
                            self.settle(jobs, outcomes);
                            return Ok(());
                        }
                        Err(failure) => failure,
                    }
                }
            };
            mark_commit_unknown(&mut jobs, &failure);
            if !matches!(failure, Failure::NoConnection(_)) {
                jobs.iter_mut().for_each(|job| job.waits_since = Instant::now());
            }
            match failure {
                Failure::Superseded => return Err(Superseded),
                Failure::CommitUnknown(error) => {
                    tracing::warn!(%error, commands = jobs.len(), "the database did not answer a commit; retrying");
                    // Doing it again is safe only for requests with an id: if the commit succeeded, their stored
                    // responses are found.
                    jobs = fail_jobs_without_request_id(jobs);
                }
                Failure::NoConnection(error) => {
                    // No retry: the pool has tried for a second already.
                    tracing::warn!(%error, commands = jobs.len(), "cannot connect to the database");
                    jobs.iter().for_each(Job::trace_wait);
                    fail_all(jobs, &ServiceFault::DatabaseUnavailable);
                    return Ok(());
                }
                // No retry: the session has waited for the lock for as long as it may.
                Failure::RolledBack(error) if error.kind == DbErrorKind::Busy => {
                    tracing::warn!(%error, commands = jobs.len(), "another program holds the database's lock");
                    fail_all(jobs, &ServiceFault::DatabaseUnavailable);
                    return Ok(());
                }
                Failure::RolledBack(error) if error.is_storage() => {
                    // No retry: until a probe finds that there is room again, every further write is refused at once.
                    tracing::error!(%error, commands = jobs.len(), "the database's storage is full or failing");
                    self.writer.parts.availability.request_probe();
                    fail_all(jobs, &ServiceFault::StorageFull);
                    return Ok(());
                }
                Failure::RolledBack(error) if error.is_transient() => {
                    tracing::warn!(%error, attempt, commands = jobs.len(), "a batch failed; retrying");
                }
                Failure::RolledBack(error) => return self.isolate(jobs, &error.to_string(), attempt),
                Failure::Panic => return self.isolate(jobs, "a panic in a writer thread", attempt),
            }
            // Where a commit was not answered, `Job::fail` says OUTCOME_UNKNOWN instead.
            if attempt == RETRIES {
                fail_all(jobs, &ServiceFault::DatabaseUnavailable);
                return Ok(());
            }
            // The other stores of this writer wait meanwhile. Their batches would meet the same fault now.
            sleep(backoff(attempt));
            // Retries take time, so some callers may have gone.
            jobs = drop_dead_jobs(jobs);
        }
        Ok(())
    }

    /// Executes a batch once, on the kept session or a new one. The session is kept for the next attempt unless
    /// the failure makes it unusable.
    fn attempt(&mut self, jobs: &[Job]) -> Result<Vec<Outcome>, Failure> {
        let parts = &self.writer.parts;
        let mut session = match self.session.take() {
            Some(session) => session,
            None => match self.connect() {
                Ok(session) => session,
                Err(error) => {
                    parts.availability.request_probe();
                    return Err(Failure::NoConnection(error));
                }
            },
        };
        self.in_flight.begin(jobs.to_vec(), &session);
        // After a panic the session is retired and the working set is gone, so nothing inconsistent is used again.
        let mut stopwatch = Stopwatch::start();
        let executed = catch_unwind(AssertUnwindSafe(|| {
            batch::run(&mut session, jobs, &*parts.clock, &*parts.ids, &parts.metrics, &mut stopwatch)
        }));
        if self.in_flight.end().is_err() {
            session.retire();
            return Err(Failure::Superseded);
        }
        let executed = match executed {
            Ok(executed) => executed.map_err(Failure::from),
            Err(_) => Err(Failure::Panic),
        };
        trace_attempt(jobs, &executed, stopwatch);
        // A session that was in the middle of a transaction when something unknown happened must not be used again.
        let is_usable = match &executed {
            Ok(_) => true,
            Err(Failure::RolledBack(error)) => error.kind != DbErrorKind::Lost,
            Err(_) => false,
        };
        if is_usable {
            self.session = Some(session);
        } else {
            session.retire();
            // Perhaps the whole database is unavailable: the prober finds out, for all calls.
            parts.availability.request_probe();
        }
        executed
    }

    fn connect(&self) -> Result<Pooled, DbError> {
        let mut session = self.writer.parts.pool.get(TransactionName::WriteBatch)?;
        session.wait_for_lock(self.writer.parts.lock_timeout)?;
        Ok(session)
    }

    /// Answers the jobs of a transaction that is committed, and puts the others back into the queue.
    fn settle(&self, jobs: Vec<Job>, outcomes: Vec<Outcome>) {
        let answered = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Answered(_))).count();
        // A transaction of which every job goes back to the queue is no batch in the statistics.
        if answered > 0 {
            self.writer.counters.committed(answered);
            self.writer.parts.metrics.batch_commands.observe(answered as f64);
        }
        let mut requeued = Vec::new();
        let mut locked = Vec::new();
        let mut changed = BTreeSet::new();
        for (mut job, outcome) in jobs.into_iter().zip(outcomes) {
            match outcome {
                Outcome::Answered(answer) => {
                    // A replay has changed nothing and is signalled as well: a signal too many makes a watch look, and
                    // no more.
                    if answer.is_ok() {
                        changed.insert(job.envelope.store.clone());
                    }
                    job.answer(*answer);
                }
                Outcome::StoreLocked => locked.push(job),
                Outcome::Requeue { cost } => {
                    job.cost = cost;
                    requeued.push(job);
                }
            }
        }
        changed.iter().for_each(|store| self.writer.parts.changes.committed(store));
        self.writer.queue.put_back(requeued, locked, random_fraction());
    }

    /// Handles a batch in which something cannot be loaded or saved. Its commands go back to the queue, each to
    /// be executed in a transaction of its own, so that only the faulty one fails and the others keep their
    /// order. A single command is retried once: its error may have been caused by another instance, which wrote
    /// something while the command was decided (a store with the same id, for one).
    fn isolate(&mut self, mut jobs: Vec<Job>, why: &str, attempt: u32) -> Result<(), Superseded> {
        if jobs.len() > 1 {
            tracing::warn!(why, commands = jobs.len(), "a batch failed; executing its commands one by one");
            jobs.iter_mut().for_each(|job| job.alone = true);
            self.writer.queue.put_back(jobs, Vec::new(), 0.0);
            return Ok(());
        }
        // After a transient error it was retried already, and without a caller nobody needs another attempt.
        if attempt > 0 || jobs.iter().any(Job::is_abandoned) {
            tracing::error!(why, "a command failed");
            fail_all(jobs, &ServiceFault::Internal(why.to_owned()));
            return Ok(());
        }
        self.last_attempt(jobs)
    }

    /// Executes a single command once more, and fails it if that fails too.
    fn last_attempt(&mut self, mut jobs: Vec<Job>) -> Result<(), Superseded> {
        self.writer.parts.pool.counters().count_retry(TransactionName::WriteBatch);
        let failure = match self.attempt(&jobs) {
            Ok(outcomes) => {
                self.settle(jobs, outcomes);
                return Ok(());
            }
            Err(failure) => failure,
        };
        mark_commit_unknown(&mut jobs, &failure);
        let (why, fault) = match failure {
            Failure::Superseded => return Err(Superseded),
            Failure::Panic => {
                let why = "a panic in a writer thread".to_owned();
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
        tracing::error!(why, "a command failed");
        fail_all(jobs, &fault);
        Ok(())
    }
}

/// Records an attempt in the traces of the calls that it has answered, or that it has failed for.
fn trace_attempt(jobs: &[Job], executed: &Result<Vec<Outcome>, Failure>, stopwatch: Stopwatch) {
    if jobs.iter().all(|job| job.traced.is_none()) {
        return;
    }
    let failure = executed.as_ref().err().map(Failure::name);
    let mut calls = Vec::new();
    for (number, job) in jobs.iter().enumerate() {
        // A command that goes back to the queue goes on waiting.
        let waits_on = executed.as_ref().is_ok_and(|outcomes| !matches!(outcomes[number], Outcome::Answered(_)));
        if let Some(traced) = &job.traced
            && !waits_on
        {
            calls.push((traced, job.waits_since));
        }
    }
    let phases = stopwatch.phases(failure.is_some());
    Attempt { commands: jobs.len(), phases: &phases, failure }.record(&calls);
}

/// Marks the jobs as perhaps done, if that is how their batch failed. The mark stays on a job until its outcome is
/// known, however later attempts fail.
fn mark_commit_unknown(jobs: &mut [Job], failure: &Failure) {
    if matches!(failure, Failure::CommitUnknown(_)) {
        jobs.iter_mut().for_each(|job| job.commit_unknown = true);
    }
}

/// Drops the jobs that nobody waits for any more, and answers those whose deadline has passed: no statement is
/// sent for either. A job that may have been done already is kept even if it is late, for as long as its caller
/// waits. It is not decided any more: the caller is told DEADLINE_EXCEEDED, which leaves the outcome open, or
/// OUTCOME_UNKNOWN if no further attempt succeeds.
fn drop_dead_jobs(jobs: Vec<Job>) -> Vec<Job> {
    let mut alive = Vec::with_capacity(jobs.len());
    for job in jobs {
        if job.is_late() && !job.commit_unknown {
            job.trace_wait();
            job.answer(Err(ServiceFault::DeadlineExceeded.into()));
        } else if !job.is_abandoned() {
            alive.push(job);
        }
    }
    alive
}

/// Fails the jobs without a request id, for which no stored response can tell what became of them. Returns the
/// others.
fn fail_jobs_without_request_id(jobs: Vec<Job>) -> Vec<Job> {
    let mut with_id = Vec::with_capacity(jobs.len());
    for job in jobs {
        if job.envelope.idempotency_key.is_some() {
            with_id.push(job);
        } else {
            job.fail(&ServiceFault::OutcomeUnknown);
        }
    }
    with_id
}

fn fail_all(jobs: Vec<Job>, fault: &ServiceFault) {
    for job in jobs {
        job.fail(fault);
    }
}

/// How long to wait before the next attempt: 20, 40 or 80 ms, and up to as much again at random, so that several
/// instances do not retry in step.
fn backoff(attempt: u32) -> Duration {
    let base = FIRST_BACKOFF * (1 << attempt);
    base + base.mul_f64(random_fraction())
}

/// A random number from 0 to 1. The standard library seeds its hash maps at random, which is random enough for a
/// delay.
fn random_fraction() -> f64 {
    let random = RandomState::new().build_hasher().finish();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::super::job::tests::{fault, job_of};
    use super::*;
    use crate::domain::idempotency::IdempotencyKey;

    fn lost() -> DbError {
        DbError::new(DbErrorKind::Lost, "lost")
    }

    #[test]
    fn a_late_job_is_answered_and_dropped() {
        let (mut job, mut caller) = job_of("north", 1);
        job.deadline = Some(Instant::now());
        assert!(drop_dead_jobs(vec![job]).is_empty());
        assert_eq!(fault(&mut caller), Some(ServiceFault::DeadlineExceeded));
    }

    #[test]
    fn a_job_whose_caller_has_gone_is_dropped() {
        let (job, caller) = job_of("north", 1);
        drop(caller);
        assert!(drop_dead_jobs(vec![job]).is_empty());
    }

    #[test]
    fn a_job_whose_caller_waits_is_kept() {
        let (mut job, mut caller) = job_of("north", 1);
        job.deadline = Some(Instant::now() + Duration::from_secs(3_600));
        assert_eq!(drop_dead_jobs(vec![job]).len(), 1);
        assert_eq!(fault(&mut caller), None);
    }

    #[test]
    fn a_late_job_that_may_have_been_done_is_kept_as_long_as_its_caller_waits() {
        let (mut job, caller) = job_of("north", 1);
        job.deadline = Some(Instant::now());
        job.commit_unknown = true;
        let kept = drop_dead_jobs(vec![job]);
        assert_eq!(kept.len(), 1);
        drop(caller);
        assert!(drop_dead_jobs(kept).is_empty());
    }

    #[test]
    fn only_an_unanswered_commit_marks_jobs_and_later_failures_do_not_clear_the_mark() {
        let (job, _caller) = job_of("north", 1);
        let mut jobs = vec![job];
        for (failure, expected) in [
            (Failure::NoConnection(lost()), false),
            (Failure::RolledBack(lost()), false),
            (Failure::Panic, false),
            (Failure::CommitUnknown(lost()), true),
            (Failure::RolledBack(lost()), true),
        ] {
            mark_commit_unknown(&mut jobs, &failure);
            assert_eq!(jobs[0].commit_unknown, expected);
        }
    }

    #[test]
    fn after_an_unanswered_commit_only_requests_with_an_id_are_retried() {
        let (without_id, mut refused) = job_of("north", 1);
        let (mut with_id, mut waiting) = job_of("north", 2);
        let key = IdempotencyKey { id: uuid::Uuid::from_u128(1), fingerprint: Default::default() };
        Arc::get_mut(&mut with_id.envelope).unwrap().idempotency_key = Some(key);

        let retried = fail_jobs_without_request_id(vec![without_id, with_id]);

        assert_eq!(retried.iter().map(|job| job.bytes).collect::<Vec<_>>(), [2]);
        assert_eq!(fault(&mut refused), Some(ServiceFault::OutcomeUnknown));
        assert_eq!(fault(&mut waiting), None);
    }

    #[test]
    fn delays_double_and_vary_by_their_own_length() {
        for (attempt, base) in [(0, 20), (1, 40), (2, 80)] {
            let delay = backoff(attempt);
            assert!((base..=2 * base).contains(&delay.as_millis()), "{delay:?}");
        }
    }
}
