//! Deletes first answers that are older than their retention, and keeps SQLite's write-ahead log short: a
//! thread of its own, with a session of its own, beside the writers.
//!
//! Each minute it goes through the stores that exist, a bounded number of them per statement, and
//! deletes in small transactions. So nothing in memory is keyed by what a request names, and no write
//! waits for a clean-up longer than for a few hundred rows. Several instances may do it at once:
//! what one has deleted the other does not find.
//!
//! A record is old when its retention has passed by the clock and the service has been seen to run on as many
//! days since: a clock that is wrong for a while does not break the promise that a retry is known.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{JoinHandle, sleep};
use std::time::Duration;

use tokio::sync::oneshot;

use crate::clock::Clock;
use crate::domain::time::Timestamp;
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::{Pool, Pooled};
use crate::repository::prune;
use crate::repository::session::WriteError;
use crate::repository::wal;

/// How long after the end of one round the next begins.
const EVERY: Duration = Duration::from_secs(60);
/// How long writers have the database to themselves after a full step. SQLite has one write lock, and
/// whoever waits for it asks again only now and then.
const PAUSE: Duration = Duration::from_millis(20);
/// How often it looks whether the database still answers a round.
const LOOK: Duration = Duration::from_millis(100);
/// How many rounds may be asked for at once.
const ASKED: usize = 16;

/// What a pruner is made with.
pub struct PrunerParts {
    /// One session.
    pub pool: Pool,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
    /// How long first answers are kept.
    pub request_retention: Duration,
    /// How long a session waits for one answer of the database.
    pub timeout: Duration,
}

/// What a round came to: how many records it deleted.
type Deleted = Result<usize, DbError>;

/// See the module. Its thread ends when this is stopped.
pub struct Pruner {
    rounds: Mutex<Option<SyncSender<oneshot::Sender<Deleted>>>>,
    stopping: Arc<AtomicBool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Pruner {
    /// Starts it; the first round begins in a minute.
    pub fn start(parts: PrunerParts) -> std::io::Result<Self> {
        let (rounds, asked) = sync_channel(ASKED);
        let stopping = Arc::new(AtomicBool::new(false));
        let work = Arc::new(Work { parts, stopping: Arc::clone(&stopping) });
        let thread = std::thread::Builder::new().name("pruner".to_owned()).spawn(move || work.run(&asked))?;
        Ok(Self { rounds: Mutex::new(Some(rounds)), stopping, thread: Mutex::new(Some(thread)) })
    }

    /// Does a round now and says how many records it deleted.
    pub async fn round(&self) -> Deleted {
        let (answer, answered) = oneshot::channel();
        let stopped = || DbError::new(DbErrorKind::Other, "the pruner is busy or has stopped");
        self.ask(answer).map_err(|_| stopped())?;
        answered.await.unwrap_or_else(|_| Err(stopped()))
    }

    fn ask(&self, answer: oneshot::Sender<Deleted>) -> Result<(), TrySendError<oneshot::Sender<Deleted>>> {
        match &*self.rounds.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(rounds) => rounds.try_send(answer),
            None => Err(TrySendError::Disconnected(answer)),
        }
    }

    /// Ends after the step that it is at, and waits for that.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
        drop(self.rounds.lock().unwrap_or_else(PoisonError::into_inner).take());
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the pruner ended by a panic");
        }
    }
}

/// What the thread has.
struct Work {
    parts: PrunerParts,
    stopping: Arc<AtomicBool>,
}

impl Work {
    /// Does a round each minute, and whenever it is asked to, until nobody can ask any more.
    fn run(self: &Arc<Self>, asked: &Receiver<oneshot::Sender<Deleted>>) {
        loop {
            let answer = match asked.recv_timeout(EVERY) {
                Ok(answer) => Some(answer),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let deleted = self.round();
            match &deleted {
                Ok(0) => {}
                Ok(records) => tracing::info!(records, "old request records were deleted"),
                Err(error) => tracing::warn!(%error, "old request records were not deleted; again in a minute"),
            }
            if let Some(answer) = answer {
                let _ = answer.send(deleted);
            }
        }
    }

    /// Goes through all stores once, on a thread that is left behind if the database does not answer it.
    fn round(self: &Arc<Self>) -> Deleted {
        let session = self.parts.pool.get()?;
        let (work, progress, (done, told)) = (Arc::clone(self), Arc::clone(session.progress()), sync_channel(1));
        let round = std::thread::Builder::new().name("pruner-round".to_owned());
        let round = round.spawn(move || drop(done.send(work.round_on(session))));
        round.map_err(|error| DbError::new(DbErrorKind::Other, error.to_string()))?;
        loop {
            match told.recv_timeout(LOOK) {
                Ok(deleted) => return deleted,
                Err(RecvTimeoutError::Timeout) if progress.give_up_after(self.parts.timeout).is_none() => {}
                Err(_) => return Err(DbError::new(DbErrorKind::Lost, "the database did not answer in time")),
            }
        }
    }

    fn round_on(&self, mut session: Pooled) -> Deleted {
        let result = self.cutoff(&mut session).and_then(|cutoff| match cutoff {
            Some(cutoff) => self.all_stores(&mut session, cutoff),
            None => Ok(0),
        });
        match wal::shorten(&mut session) {
            Ok(true) => tracing::info!("the write-ahead log was truncated"),
            Ok(false) => {}
            Err(error) => tracing::warn!(%error, "the write-ahead log was not truncated; again in a minute"),
        }
        if result.is_err() {
            session.retire();
        }
        result
    }

    /// What was recorded before this may go.
    fn cutoff(&self, session: &mut Pooled) -> Result<Option<Timestamp>, DbError> {
        let (now, retention) = (self.parts.clock.now(), self.parts.request_retention);
        let days = retention.as_secs().div_ceil(24 * 60 * 60) as i64;
        let by_clock = Timestamp::from_micros(now.micros() - retention.as_micros() as i64);
        match prune::older_than_days(session, now, days) {
            Ok(by_days) => Ok(by_days.map(|by_days| by_days.min(by_clock))),
            Err(WriteError::Failed(error) | WriteError::CommitUnknown(error)) => Err(error),
        }
    }

    fn all_stores(&self, session: &mut Pooled, cutoff: Timestamp) -> Deleted {
        let (mut deleted, mut after) = (0, String::new());
        loop {
            let stores = prune::next_stores(session, &after)?;
            let Some(last) = stores.last() else { return Ok(deleted) };
            after.clone_from(last);
            deleted += self.some_stores(session, &stores, cutoff)?;
            if self.stopping.load(Ordering::Relaxed) {
                return Ok(deleted);
            }
        }
    }

    /// Deletes the old records of some stores, step by step.
    fn some_stores(&self, session: &mut Pooled, stores: &[String], cutoff: Timestamp) -> Deleted {
        let mut deleted = 0;
        if !prune::any_old_records(session, stores, cutoff)? {
            return Ok(deleted);
        }
        while !self.stopping.load(Ordering::Relaxed) {
            let step = match prune::delete_old_records(session, stores, cutoff) {
                Ok(step) => step,
                // Whether it was done or not, the next round sees to what is left.
                Err(WriteError::Failed(error) | WriteError::CommitUnknown(error)) => return Err(error),
            };
            deleted += step;
            if (step as i64) < prune::STEP {
                break;
            }
            sleep(PAUSE);
        }
        Ok(deleted)
    }
}
