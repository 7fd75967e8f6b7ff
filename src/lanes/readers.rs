//! A fixed set of threads for reads: each read is one function on one snapshot.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tokio::sync::oneshot;

use crate::domain::refusal::Refusal;
use crate::domain::workspace::NotLoaded;
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::{Pool, Pooled};
use crate::repository::session::Session;

/// How many reads wait at most.
const MAX_WAITING: usize = 4_096;
/// How often a read is begun again after its connection was lost.
const RETRIES: u32 = 2;

/// Why a read has no answer.
#[derive(Debug)]
pub enum ReadError {
    /// It was refused.
    Refused(Refusal),
    /// The database failed.
    Failed(DbError),
}

impl From<Refusal> for ReadError {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<NotLoaded> for ReadError {
    fn from(bug: NotLoaded) -> Self {
        Self::Refused(bug.into())
    }
}

impl From<DbError> for ReadError {
    fn from(error: DbError) -> Self {
        Self::Failed(error)
    }
}

/// A read whose caller waits.
trait Read: Send {
    /// Whether nobody needs it any more.
    fn is_dead(&self) -> bool;
    /// Reads and answers; an error means that it was not answered.
    fn run(&mut self, session: &mut Session) -> Result<(), DbError>;
    /// Answers that it could not be read.
    fn refuse(&mut self, refusal: Refusal);
}

struct Waiting<T, F> {
    work: F,
    deadline: Option<Instant>,
    answer: Option<oneshot::Sender<Result<T, Refusal>>>,
}

impl<T: Send, F> Read for Waiting<T, F>
where
    F: Fn(&mut Session) -> Result<T, ReadError> + Send,
{
    fn is_dead(&self) -> bool {
        let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        late || self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn run(&mut self, session: &mut Session) -> Result<(), DbError> {
        let answer = match session.read(|session| (self.work)(session)) {
            Ok(read) => Ok(read),
            Err(ReadError::Refused(refusal)) => Err(refusal),
            Err(ReadError::Failed(error)) => return Err(error),
        };
        if let Some(caller) = self.answer.take() {
            let _ = caller.send(answer);
        }
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        if let Some(caller) = self.answer.take() {
            let _ = caller.send(Err(refusal));
        }
    }
}

/// See the module. The threads end when this is dropped.
pub struct Readers {
    queue: SyncSender<Box<dyn Read>>,
}

impl Readers {
    /// Starts so many readers on sessions of `pool`.
    pub fn start(count: usize, pool: &Pool) -> std::io::Result<Self> {
        let (queue, waiting) = sync_channel::<Box<dyn Read>>(MAX_WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for number in 0..count.max(1) {
            let (waiting, pool) = (Arc::clone(&waiting), pool.clone());
            let reader = std::thread::Builder::new().name(format!("reader-{number}"));
            reader.spawn(move || work(&waiting, &pool))?;
        }
        Ok(Self { queue })
    }

    /// Runs `work` on one read-only snapshot; again, from the beginning, if the connection is lost.
    pub async fn read<T, F>(&self, deadline: Option<Instant>, work: F) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut Session) -> Result<T, ReadError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { work, deadline, answer: Some(answer) };
        self.queue.try_send(Box::new(waiting)).map_err(|_| Refusal::QueueFull)?;
        answered.await.unwrap_or(Err(Refusal::DeadlineExceeded))
    }
}

fn work(waiting: &Mutex<Receiver<Box<dyn Read>>>, pool: &Pool) {
    let mut session = None;
    loop {
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(mut read) = next else { return };
        if !read.is_dead() {
            answer(&mut *read, &mut session, pool);
        }
    }
}

fn answer(read: &mut dyn Read, kept: &mut Option<Pooled>, pool: &Pool) {
    for attempt in 0.. {
        let session = match kept.take().map_or_else(|| pool.get(), Ok) {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(%error, "the database is away");
                return read.refuse(Refusal::DatabaseUnavailable);
            }
        };
        let error = match attempt_read(read, session, kept) {
            Ok(()) => return,
            Err(error) => error,
        };
        tracing::warn!(%error, attempt, "a read failed");
        if !error.is_transient() {
            return read.refuse(Refusal::Internal(error.to_string()));
        }
        if attempt == RETRIES {
            return read.refuse(Refusal::DatabaseUnavailable);
        }
    }
}

fn attempt_read(read: &mut dyn Read, mut session: Pooled, kept: &mut Option<Pooled>) -> Result<(), DbError> {
    let done = catch_unwind(AssertUnwindSafe(|| read.run(&mut session)));
    let done = done.unwrap_or_else(|_| Err(DbError::new(DbErrorKind::Other, "a panic while reading")));
    match &done {
        Err(error) if error.kind == DbErrorKind::Lost => session.retire(),
        _ if session.is_broken() => {}
        _ => *kept = Some(session),
    }
    done
}
