//! A fixed set of threads for reads. Each read is one function on one session; [`super::read_queue`]
//! decides in which order they come.
//!
//! The first thread takes small reads alone, so that one is never kept waiting by large ones. A read
//! whose caller has gone, or whose deadline has passed, is dropped before it begins; one that has
//! begun ends soon, because every answer is a bounded page.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Instant;

use tokio::sync::oneshot;

use super::read_queue::{ReadClass, ReadQueue, Takes};
use crate::domain::code::PrincipalId;
use crate::domain::refusal::Refusal;
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::{Pool, Pooled};
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::repository::session::Session;

/// How often a read is begun again after its connection was lost.
const RETRIES: u32 = 2;

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
    F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send,
{
    fn is_dead(&self) -> bool {
        let late = self.deadline.is_some_and(|deadline| deadline <= Instant::now());
        late || self.answer.as_ref().is_none_or(oneshot::Sender::is_closed)
    }

    fn run(&mut self, session: &mut Session) -> Result<(), DbError> {
        let answer = match (self.work)(&mut ReadSession::new(session)) {
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

/// What the readers wait at.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    queue: ReadQueue<Box<dyn Read>>,
    closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it, and the queue is whole between any two of its calls.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, caller: Option<PrincipalId>, class: ReadClass, read: Box<dyn Read>) -> Result<(), Refusal> {
        let pushed = self.state().queue.push(caller, class, read, |read| read.is_dead());
        pushed.map_err(|_| Refusal::QueueFull)?;
        match class {
            // Whichever reader wakes takes it.
            ReadClass::Small => self.changed.notify_one(),
            // The one that would wake might not take large ones.
            ReadClass::Large => self.changed.notify_all(),
        }
        Ok(())
    }

    /// The next read that somebody still waits for; `None` once the queue is closed.
    fn next(&self, takes: Takes) -> Option<Box<dyn Read>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return None;
            }
            match state.queue.pop(takes) {
                Some(read) if read.is_dead() => {}
                Some(read) => return Some(read),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

/// See the module. The threads end when this is dropped.
pub struct Readers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.shared.close();
    }
}

impl Readers {
    /// Ends when the reads that have begun have ended, and closes their sessions.
    pub fn stop(&self) {
        self.shared.close();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                tracing::error!("a reader ended by a panic");
            }
        }
    }

    /// One that takes small reads alone, and one that takes both.
    pub const FEWEST: usize = 2;

    /// Starts so many readers on sessions of `pool`, at least two.
    pub fn start(count: usize, pool: &Pool) -> std::io::Result<Self> {
        let readers = Self { shared: Arc::default(), threads: Mutex::default() };
        for number in 0..count.max(Self::FEWEST) {
            let takes = if number == 0 { Takes::Small } else { Takes::Both };
            let (shared, pool) = (Arc::clone(&readers.shared), pool.clone());
            let thread = std::thread::Builder::new().name(format!("reader-{number}"));
            let thread = thread.spawn(move || work(&shared, takes, &pool))?;
            readers.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        }
        Ok(readers)
    }

    /// Runs `work`, which is tried again from the beginning if the connection is lost. `caller` is who
    /// shares the readers with others; `None` is the service itself.
    ///
    /// Dropping the future drops the read, unless it has begun.
    pub async fn read<T, F>(
        &self,
        caller: Option<PrincipalId>,
        class: ReadClass,
        deadline: Option<Instant>,
        work: F,
    ) -> Result<T, Refusal>
    where
        T: Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { work, deadline, answer: Some(answer) };
        self.shared.push(caller, class, Box::new(waiting))?;
        answered.await.unwrap_or(Err(Refusal::DeadlineExceeded))
    }
}

fn work(shared: &Shared, takes: Takes, pool: &Pool) {
    let mut session = None;
    while let Some(mut read) = shared.next(takes) {
        answer(&mut *read, &mut session, pool);
    }
}

/// Runs a read, again if that may help somebody, and answers it.
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
        if error.is_storage() {
            return read.refuse(Refusal::StorageFull);
        }
        if !error.is_transient() {
            return read.refuse(Refusal::Internal(error.to_string()));
        }
        if attempt == RETRIES {
            return read.refuse(Refusal::DatabaseUnavailable);
        }
        if read.is_dead() {
            return;
        }
    }
}

fn attempt_read(read: &mut dyn Read, mut session: Pooled, kept: &mut Option<Pooled>) -> Result<(), DbError> {
    let done = match catch_unwind(AssertUnwindSafe(|| read.run(&mut session))) {
        Ok(done) => done.map_err(|error| told_apart(&mut session, error)),
        Err(_) => {
            // Nothing tells what its connection was in the middle of.
            session.retire();
            Err(DbError::new(DbErrorKind::Other, "a panic while reading"))
        }
    };
    match &done {
        Err(error) if error.kind == DbErrorKind::Lost => session.retire(),
        _ if session.is_broken() => {}
        _ => *kept = Some(session),
    }
    done
}

/// The drivers have many words for a connection that is gone. What is not known for one is found out
/// by asking for something that cannot fail otherwise.
fn told_apart(session: &mut Session, error: DbError) -> DbError {
    match error.kind {
        DbErrorKind::Other if !session.is_broken() && session.batch("SELECT 1").is_err() => {
            DbError { kind: DbErrorKind::Lost, ..error }
        }
        _ => error,
    }
}
