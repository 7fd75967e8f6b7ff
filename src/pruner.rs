//! The pruner deletes stored responses and events that are older than their retention, and keeps SQLite's write-ahead log
//! short. On the same rounds it counts the open back orders, if somebody can see that. It has a thread and a session of its
//! own, so that writers do not wait for it.
//!
//! Every minute it goes through the stores that exist, a bounded number of them per statement, and deletes in
//! small transactions. So its memory does not grow with what requests name, and a write never waits longer for it
//! than a few hundred rows take. Several instances may prune at the same time: what one has deleted, another does
//! not find.
//!
//! A record is old when its retention has passed by the clock and the service has also run on that many days
//! since. So a clock that is wrong for a while does not break the promise that a retried request is recognized.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::{Pool, PoolState, Pooled};
use crate::repository::prune;
use crate::repository::session::WriteError;
use crate::repository::transaction::TransactionName;
use crate::repository::wal;

/// The time between the end of one round and the beginning of the next.
const INTERVAL: Duration = Duration::from_secs(60);
/// The pause after each step. SQLite has one write lock, and a connection that waits for it polls: without a
/// pause the pruner would take it again before a writer notices that it is free.
const PAUSE: Duration = Duration::from_millis(20);
/// How often the thread of the pruner checks whether the database still answers the round.
const CHECK_INTERVAL: Duration = Duration::from_millis(100);
/// How many requested rounds may wait; further requests are refused.
const MAX_REQUESTED: usize = 16;

/// What a pruner needs from outside.
pub struct PrunerParts {
    /// The pool of its one session.
    pub pool: Pool,
    /// The wall clock, by which the age of a record is determined.
    pub clock: Arc<dyn Clock>,
    /// How long stored responses are kept at least.
    pub request_retention: Duration,
    /// How long events are kept at least; `None`: for ever.
    pub event_retention: Option<Duration>,
    /// How long a round may wait for one answer of the database before its session is given up.
    pub timeout: Duration,
    /// Whether to count the open back orders in each round.
    pub counts_back_orders: bool,
}

/// The result of a round: how many records it deleted.
type Deleted = Result<usize, DbError>;

/// The pruner of an instance. It must be stopped; dropping it only ends its thread after the present round.
pub struct Pruner {
    /// Requests a round; `None` once the pruner is stopped. Dropping the sender ends the thread.
    requests: Mutex<Option<SyncSender<oneshot::Sender<Deleted>>>>,
    work: Arc<Work>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pruner {
    /// Starts the pruner. The first round begins after a minute, so that a start is not slowed by it.
    pub fn start(parts: PrunerParts) -> std::io::Result<Self> {
        let (requests, requested) = sync_channel(MAX_REQUESTED);
        let work = Arc::new(Work { parts, stopping: AtomicBool::new(false), open_back_orders: Mutex::default() });
        let working = Arc::clone(&work);
        let thread = std::thread::Builder::new().name("pruner".to_owned()).spawn(move || working.run(&requested))?;
        Ok(Self { requests: Mutex::new(Some(requests)), work, thread: Mutex::new(Some(thread)) })
    }

    /// Runs a round now, instead of within a minute, and returns its result.
    pub async fn round(&self) -> Deleted {
        let (answer, answered) = oneshot::channel();
        if self.request(answer).is_err() {
            return Err(not_running());
        }
        answered.await.unwrap_or_else(|_| Err(not_running()))
    }

    /// How many back orders of all stores were open in the last round; `None` if that is not known.
    pub fn open_back_orders(&self) -> Option<usize> {
        *self.work.open_back_orders()
    }

    /// The session of the pruner.
    pub fn pool(&self) -> PoolState {
        self.work.parts.pool.state()
    }

    fn request(&self, answer: oneshot::Sender<Deleted>) -> Result<(), TrySendError<oneshot::Sender<Deleted>>> {
        match &*self.requests.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(requests) => requests.try_send(answer),
            None => Err(TrySendError::Disconnected(answer)),
        }
    }

    /// Stops after the present step, and waits until its thread has ended.
    pub fn stop(&self) {
        self.work.stopping.store(true, Ordering::Relaxed);
        drop(self.requests.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the pruner thread ended with a panic");
        }
    }
}

fn not_running() -> DbError {
    DbError::new(DbErrorKind::Other, "the pruner is busy or has stopped")
}

/// What the thread of the pruner works with, shared with the threads of its rounds.
struct Work {
    parts: PrunerParts,
    stopping: AtomicBool,
    /// What the last round has counted.
    open_back_orders: Mutex<Option<usize>>,
}

impl Work {
    /// Runs a round every minute, and whenever one is requested, until the sender of requests is dropped.
    fn run(self: &Arc<Self>, requested: &Receiver<oneshot::Sender<Deleted>>) {
        loop {
            let answer = match requested.recv_timeout(INTERVAL) {
                Ok(answer) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let deleted = self.round();
            if deleted.as_ref().is_err_and(|error| error.kind == DbErrorKind::Lost) {
                // Nobody knows how long it will be before the next count.
                *self.open_back_orders() = None;
            }
            match &deleted {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "deleted stored responses and events that were old"),
                Err(error) => {
                    tracing::warn!(%error, "a round of deleting what is old, and of counting, failed; retrying in a minute")
                }
            }
            if let Some(answer) = answer {
                // An error means that the requester of the round no longer waits.
                let _ = answer.send(deleted);
            }
        }
    }

    /// Runs one round on a thread of its own, because a database driver cannot be interrupted: if the database
    /// does not answer, that thread is abandoned, and the next round is tried all the same.
    fn round(self: &Arc<Self>) -> Deleted {
        let session = self.parts.pool.get(TransactionName::PruneScan)?;
        let work = Arc::clone(self);
        let progress = Arc::clone(session.progress());
        // With room for the one result, so that a thread that was abandoned never waits to hand it over.
        let (done, result) = sync_channel(1);
        let round = std::thread::Builder::new().name("pruner-round".to_owned());
        let round = round.spawn(move || {
            // An error means that this thread was abandoned meanwhile.
            let _ = done.send(work.round_on(session));
        });
        if let Err(error) = round {
            return Err(DbError::new(DbErrorKind::Other, error.to_string()));
        }
        loop {
            match result.recv_timeout(CHECK_INTERVAL) {
                Ok(deleted) => return deleted,
                Err(RecvTimeoutError::Timeout) if progress.give_up_after(self.parts.timeout).is_none() => {}
                Err(RecvTimeoutError::Timeout) => {
                    return Err(DbError::new(DbErrorKind::Lost, "the database did not answer in time"));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    *self.open_back_orders() = None;
                    return Err(DbError::new(DbErrorKind::Other, "the thread of the round ended with a panic"));
                }
            }
        }
    }

    fn round_on(&self, mut session: Pooled) -> Deleted {
        let result = self.delete_old_records(&mut session);
        // Also when that failed: the log grows with every write.
        match wal::shorten(&mut session) {
            Ok(true) => tracing::info!("truncated the write-ahead log"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "cannot truncate the write-ahead log; retrying in a minute"),
        }
        let is_counted = !self.parts.counts_back_orders || self.count_back_orders(&mut session);
        if result.is_err() || !is_counted {
            session.retire();
        }
        result
    }

    fn open_back_orders(&self) -> MutexGuard<'_, Option<usize>> {
        // Nothing panics while holding it.
        self.open_back_orders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts the open back orders of all stores; returns whether the database let it.
    fn count_back_orders(&self, session: &mut Pooled) -> bool {
        let counted = self.each_page_of_stores(session, |session, stores| prune::open_back_orders(session, stores));
        if let Err(error) = &counted {
            tracing::warn!(%error, "cannot count the open back orders; retrying in a minute");
        }
        let is_counted = counted.is_ok();
        // While stopping, not every store was looked at.
        *self.open_back_orders() = counted.ok().filter(|_| !self.stopping.load(Ordering::Relaxed));
        is_counted
    }

    fn delete_old_records(&self, session: &mut Pooled) -> Deleted {
        let mut deleted = 0;
        if let Some(cutoff) = self.cutoff(session, self.parts.request_retention)? {
            deleted += self.each_page_of_stores(session, |session, stores| {
                // Most stores have none most of the time, and a read does not take the write lock.
                if !prune::any_old_responses(session, stores, cutoff)? {
                    return Ok(0);
                }
                self.in_steps(session, |session| prune::delete_old_responses(session, stores, cutoff))
            })?;
        }
        let Some(retention) = self.parts.event_retention else { return Ok(deleted) };
        let Some(cutoff) = self.cutoff(session, retention)? else { return Ok(deleted) };
        // A store that is busy must not keep those behind it from their turn.
        let mut failed = None;
        deleted += self.each_page_of_stores(session, |session, stores| {
            let mut deleted = 0;
            for store in prune::stores_with_old_events(session, stores, cutoff)? {
                match self.in_steps(session, |session| prune::delete_old_events(session, &store, cutoff)) {
                    Ok(count) => deleted += count,
                    Err(error) if error.kind == DbErrorKind::Lost => return Err(error),
                    Err(error) => failed = Some(error),
                }
            }
            Ok(deleted)
        })?;
        failed.map_or(Ok(deleted), Err)
    }

    /// The time before which records are old; `None` if the service has not run on enough days yet.
    fn cutoff(&self, session: &mut Pooled, retention: Duration) -> Result<Option<Timestamp>, DbError> {
        let now = self.parts.clock.now();
        let days = retention.as_secs().div_ceil(24 * 60 * 60) as i64;
        let by_clock = Timestamp::from_micros(now.micros() - retention.as_micros() as i64);
        match prune::older_than_days(session, now, days) {
            Ok(by_days) => Ok(by_days.map(|by_days| by_days.min(by_clock))),
            Err(WriteError::Failed(error) | WriteError::CommitUnknown(error)) => Err(error),
        }
    }

    /// Does `work` for all stores, a bounded number of them at a time; the sum of what it returns.
    fn each_page_of_stores(
        &self,
        session: &mut Pooled,
        mut work: impl FnMut(&mut Pooled, &[String]) -> Result<usize, DbError>,
    ) -> Result<usize, DbError> {
        let mut sum = 0;
        // The store after which the next statement goes on.
        let mut after = String::new();
        loop {
            let stores = prune::next_stores(session, &after)?;
            let Some(last) = stores.last() else { return Ok(sum) };
            after.clone_from(last);
            sum += work(session, &stores)?;
            // What is left is done after the next start.
            if self.stopping.load(Ordering::Relaxed) {
                return Ok(sum);
            }
        }
    }

    /// Deletes step by step until nothing is left. Each step is a transaction of a bounded number of rows.
    fn in_steps(
        &self,
        session: &mut Pooled,
        mut delete: impl FnMut(&mut Pooled) -> Result<prune::Step, WriteError>,
    ) -> Deleted {
        let mut deleted = 0;
        while !self.stopping.load(Ordering::Relaxed) {
            let step = match delete(session) {
                Ok(step) => step,
                // Whether the step was committed or not, the next round deletes what is left.
                Err(WriteError::Failed(error) | WriteError::CommitUnknown(error)) => return Err(error),
            };
            deleted += step.deleted;
            if step.deleted > 0 {
                sleep(PAUSE);
            }
            if !step.has_more {
                break;
            }
        }
        Ok(deleted)
    }
}
