//! The readers: a fixed number of threads that execute reads. Each read is one function on one session;
//! [`super::read_queue`] decides their order.
//!
//! The first reader serves small reads only, so that there is always one that no large read occupies. A read
//! whose caller has gone, or whose deadline has passed, is dropped before it begins. One that has begun is not
//! interrupted: every response is a bounded page, so it ends soon. If the database does not answer it, the read
//! is refused and its reader is replaced by the supervisor.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::availability::{Availability, AvailabilityState};
use super::error::{ServiceFault, WorkerError};
use super::in_flight::{InFlight, Superseded};
use super::read_queue::{ReadClass, ReadQueue, ReaderKind};
use super::responder::{Refuse, Responder};
use super::supervisor::{MAX_ABANDONED_THREADS, PendingCalls, Supervised};
use crate::domain::code::PrincipalId;
use crate::metrics::workers::{ReadClassMetrics, ReaderMetrics};
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::{Pool, PoolState, Pooled};
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::repository::session::{ServerProcess, Session};
use crate::repository::transaction::TransactionName;
use crate::traces::TracedCall;

/// How often a read is retried after a transient error. A lost connection is the usual one, and the first retry
/// on a new connection succeeds then.
const RETRIES: u32 = 2;

/// A read that waits or is executed, whatever the type of its answer.
trait Read: Send {
    /// Whether nobody needs the answer any more: the caller has gone, or the deadline has passed.
    fn is_dead(&self) -> bool;
    /// Executes the read and answers its caller. An error means that the caller was not answered, and that the
    /// read may be executed again.
    fn run(&mut self, session: &mut Session) -> Result<(), DbError>;
    /// The caller, to be refused.
    fn caller(&self) -> Arc<dyn Refuse>;
}

/// The [`Read`] of a function and the caller who waits for its result.
struct CallerRead<T, F> {
    work: F,
    deadline: Option<Instant>,
    answer: Arc<Responder<T>>,
}

impl<T: Send + 'static, F> Read for CallerRead<T, F>
where
    F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send,
{
    fn is_dead(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now()) || self.answer.is_closed()
    }

    fn run(&mut self, session: &mut Session) -> Result<(), DbError> {
        match (self.work)(&mut ReadSession::new(session)) {
            Ok(read) => self.answer.send(Ok(read)),
            Err(ReadError::Refused(refusal)) => self.answer.send(Err(refusal.into())),
            Err(ReadError::Failed(error)) => return Err(error),
        }
        Ok(())
    }

    fn caller(&self) -> Arc<dyn Refuse> {
        Arc::clone(&self.answer) as Arc<dyn Refuse>
    }
}

/// A read in the queue.
struct WaitingRead {
    read: Box<dyn Read>,
    class: ReadClass,
    /// In whose trace it is recorded; `None` if the call is not sampled.
    traced: Option<TracedCall>,
    /// When it was queued.
    queued: Instant,
}

/// The queue that all readers take their reads from.
#[derive(Default)]
struct SharedQueue {
    state: Mutex<QueueState>,
    /// Notified when a read was added or the queue was closed.
    changed: Condvar,
}

#[derive(Default)]
struct QueueState {
    queue: ReadQueue<WaitingRead>,
    closed: bool,
}

impl SharedQueue {
    fn lock(&self) -> MutexGuard<'_, QueueState> {
        // A panic while it was held cannot leave the queue half changed: each of its methods is complete.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, requester: Requester, class: ReadClass, read: Box<dyn Read>) -> Result<(), ServiceFault> {
        let Requester { caller, traced, .. } = requester;
        let waiting = WaitingRead { read, class, traced, queued: Instant::now() };
        if self.lock().queue.push(caller, class, waiting, |waiting| waiting.read.is_dead()).is_err() {
            return Err(ServiceFault::QueueFull);
        }
        match class {
            // Any reader can take it.
            ReadClass::Small => self.changed.notify_one(),
            // The one reader that would be woken might be the one that serves small reads only.
            ReadClass::Large => self.changed.notify_all(),
        }
        Ok(())
    }

    /// Waits for the next read whose caller still waits; `None` once the queue is closed.
    fn next(&self, kind: ReaderKind) -> Option<WaitingRead> {
        let mut state = self.lock();
        loop {
            // Reads that still wait are not begun: they change nothing, and at a stop their calls have ended or were
            // cut off.
            if state.closed {
                return None;
            }
            match state.queue.pop(kind) {
                Some(waiting) if waiting.read.is_dead() => {
                    if let Some(traced) = &waiting.traced {
                        traced.record_wait(waiting.queued, Instant::now());
                    }
                }
                Some(waiting) => return Some(waiting),
                None => state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner),
            }
        }
    }

    /// Removes all waiting reads; the caller of this must refuse them.
    fn take_all(&self) -> Vec<WaitingRead> {
        std::mem::take(&mut self.lock().queue).into_reads()
    }

    fn is_closed(&self) -> bool {
        self.lock().closed
    }

    fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }
}

/// For whom something is read. The default is the service itself, which waits for as long as it takes.
#[derive(Debug, Default)]
pub struct Requester {
    /// Whose share of the readers it uses.
    pub caller: Option<PrincipalId>,
    /// When the answer is not needed any more.
    pub deadline: Option<Instant>,
    /// The call, if it is sampled.
    pub traced: Option<TracedCall>,
}

/// What readers need from outside.
#[derive(Clone)]
pub struct ReaderParts {
    /// Sessions for reading: one per reader, and some to replace those that hang.
    pub pool: Pool,
    /// The state of the database; reads are refused while it cannot be read.
    pub availability: Availability,
    /// How long a session may wait for one answer of the database before it is given up.
    pub timeout: Duration,
    /// How long reads wait and take.
    pub metrics: ReaderMetrics,
}

/// The readers of an instance. Their threads end when this is dropped.
pub struct Readers {
    pool: Arc<ReaderPool>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.pool.queue.close();
    }
}

impl Readers {
    /// The smallest number of readers: one that serves small reads only, and one that serves both classes.
    pub const FEWEST: usize = 2;

    /// Starts this many readers, at least [`Readers::FEWEST`].
    pub fn start(count: usize, parts: &ReaderParts) -> std::io::Result<Self> {
        let mut readers = Vec::new();
        readers.resize_with(count.max(Self::FEWEST), CurrentThread::default);
        let pool = Arc::new(ReaderPool {
            parts: parts.clone(),
            queue: SharedQueue::default(),
            readers: Mutex::new(readers),
            abandoned_threads: AtomicUsize::new(0),
        });
        for (number, reader) in pool.readers().iter_mut().enumerate() {
            pool.start_thread(number, reader, None)?;
        }
        Ok(Self { pool })
    }

    /// Executes `work` on a reader. It is executed again from the beginning after a transient error, so it must
    /// have no effects.
    ///
    /// Dropping the future drops the read, unless it has begun.
    pub async fn read<T, F>(&self, requester: Requester, class: ReadClass, work: F) -> Result<T, WorkerError>
    where
        T: Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        self.pool.parts.availability.check_reads()?;
        let (responder, answered) = Responder::channel();
        let read = CallerRead { work, deadline: requester.deadline, answer: Arc::new(responder) };
        self.pool.queue.push(requester, class, Box::new(read))?;
        match answered.await {
            Ok(answer) => answer,
            // The read was dropped as dead: while its caller waits, only the deadline makes it so.
            Err(_) => Err(ServiceFault::DeadlineExceeded.into()),
        }
    }

    /// Refuses if reads are refused at present.
    pub fn check(&self) -> Result<(), WorkerError> {
        Ok(self.pool.parts.availability.check_reads()?)
    }

    /// Stops the readers, and waits until the reads in flight have ended and their sessions are back in the pool.
    pub fn stop(&self) {
        self.pool.queue.close();
        // The lock must not be held while a thread is waited for.
        let threads: Vec<_> = self.pool.readers().iter_mut().filter_map(|reader| reader.handle.take()).collect();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reader thread ended with a panic");
            }
        }
    }

    /// How many reads of a class wait now.
    pub fn waiting(&self, class: ReadClass) -> usize {
        self.pool.queue.lock().queue.waiting(class)
    }

    /// The sessions of the readers.
    pub fn pool(&self) -> PoolState {
        self.pool.parts.pool.state()
    }

    /// The readers as the supervisor needs them, to replace threads that hang.
    pub fn supervised(&self) -> Arc<dyn Supervised> {
        Arc::new(Arc::clone(&self.pool))
    }

    /// The queue as the prober needs it, to refuse what waits for an unavailable database.
    pub(super) fn pending_calls(&self) -> Arc<dyn PendingCalls> {
        Arc::new(Arc::clone(&self.pool))
    }
}

/// The readers and what they share. A reader is a slot here; its thread is replaced when it hangs.
struct ReaderPool {
    parts: ReaderParts,
    queue: SharedQueue,
    /// The present thread of each reader.
    readers: Mutex<Vec<CurrentThread>>,
    /// How many threads were replaced and have not ended yet: they wait in a database driver.
    abandoned_threads: AtomicUsize,
}

/// The thread that works for a reader at present.
#[derive(Default)]
struct CurrentThread {
    /// The slot with the caller of its read, whom the supervisor refuses if the session hangs.
    in_flight: Arc<InFlight<Arc<dyn Refuse>>>,
    /// `None` while there is no thread, because none could be started or too many are abandoned.
    handle: Option<JoinHandle<()>>,
}

impl ReaderPool {
    fn readers(&self) -> MutexGuard<'_, Vec<CurrentThread>> {
        // Nothing panics while holding it.
        self.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a thread for a reader. If it replaces one whose session was given up, it first ends the server
    /// process of that session, which may still execute its statement although nobody waits for the result.
    fn start_thread(
        self: &Arc<Self>,
        number: usize,
        reader: &mut CurrentThread,
        unresponsive: Option<ServerProcess>,
    ) -> std::io::Result<()> {
        let kind = if number == 0 { ReaderKind::SmallOnly } else { ReaderKind::Any };
        let in_flight = Arc::<InFlight<Arc<dyn Refuse>>>::default();
        *reader = CurrentThread { in_flight: Arc::clone(&in_flight), handle: None };
        let mut thread = ReaderThread { pool: Arc::clone(self), in_flight, session: None };
        let handle = std::thread::Builder::new().name(format!("reader-{number}")).spawn(move || {
            // A thread that was superseded was counted when it was replaced.
            if let Err(Superseded) = thread.run(kind, unresponsive) {
                thread.pool.abandoned_threads.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        reader.handle = Some(handle);
        Ok(())
    }
}

impl Supervised for Arc<ReaderPool> {
    fn supervise(&self) {
        for (number, reader) in self.readers().iter_mut().enumerate() {
            let mut unresponsive = None;
            if let Some(taken) = reader.in_flight.take_after(self.parts.timeout) {
                let process = taken.process.as_ref().map(ToString::to_string);
                tracing::warn!(process, "the database does not answer a reader; replacing its session");
                // A read could be executed again, but the next session would probably hang like this one.
                taken.work.refuse(ServiceFault::DatabaseUnavailable);
                self.abandoned_threads.fetch_add(1, Ordering::Relaxed);
                reader.handle = None;
                // Forgotten if no thread may be started now: the process then ends when its client's connection does.
                unresponsive = taken.process;
            }
            if reader.handle.is_none()
                && !self.queue.is_closed()
                && self.abandoned_threads.load(Ordering::Relaxed) <= MAX_ABANDONED_THREADS
                && let Err(error) = self.start_thread(number, reader, unresponsive)
            {
                tracing::error!(%error, "cannot start a reader thread");
            }
        }
    }
}

impl PendingCalls for Arc<ReaderPool> {
    fn refuse_pending(&self, state: &AvailabilityState) {
        if let Some(fault) = &state.reads {
            for waiting in self.queue.take_all() {
                waiting.read.caller().refuse(fault.clone());
            }
        }
    }
}

/// What one thread of a reader works with.
struct ReaderThread {
    pool: Arc<ReaderPool>,
    in_flight: Arc<InFlight<Arc<dyn Refuse>>>,
    /// The session that is kept from one read to the next while it works.
    session: Option<Pooled>,
}

/// Stands in the slot of a thread that works for the service itself: there is no caller to refuse.
struct NoCaller;

impl Refuse for NoCaller {
    fn refuse(&self, _: ServiceFault) {}
}

impl ReaderThread {
    fn run(&mut self, kind: ReaderKind, unresponsive: Option<ServerProcess>) -> Result<(), Superseded> {
        if let Some(process) = unresponsive {
            self.end_process(&process)?;
        }
        while let Some(WaitingRead { mut read, class, traced, queued }) = self.pool.queue.next(kind) {
            let metrics = self.metrics(class).clone();
            let begun = Instant::now();
            metrics.queue_wait.observe(begun.saturating_duration_since(queued).as_secs_f64());
            let answered = self.answer(&mut *read);
            // Also of one that was given up: those are the slowest.
            metrics.duration.observe(begun.elapsed().as_secs_f64());
            if let Some(traced) = traced {
                traced.record_read(class.name(), queued, begun, Instant::now());
            }
            answered?;
        }
        Ok(())
    }

    fn metrics(&self, class: ReadClass) -> &ReadClassMetrics {
        let metrics = &self.pool.parts.metrics;
        match class {
            ReadClass::Small => &metrics.small,
            ReadClass::Large => &metrics.large,
        }
    }

    /// Ends the server process of a session that was given up. If that fails, the process ends when its client's
    /// connection does.
    fn end_process(&mut self, process: &ServerProcess) -> Result<(), Superseded> {
        let Ok(mut session) = self.pool.parts.pool.get(TransactionName::EndServerProcess) else { return Ok(()) };
        self.in_flight.begin(Arc::new(NoCaller), &session);
        let ended = session.end_process(process);
        if self.in_flight.end().is_err() {
            session.retire();
            return Err(Superseded);
        }
        match ended {
            Ok(_) => self.session = Some(session),
            Err(error) => {
                session.retire();
                tracing::warn!(%error, %process, "cannot end the server process of an unresponsive session");
            }
        }
        Ok(())
    }

    /// Executes a read, with retries where they may help, and answers its caller.
    fn answer(&mut self, read: &mut dyn Read) -> Result<(), Superseded> {
        let pool = Arc::clone(&self.pool);
        let availability = &pool.parts.availability;
        for attempt in 0.. {
            let error = match self.attempt(read) {
                Ok(()) => return Ok(()),
                Err(Failure::Superseded) => return Err(Superseded),
                Err(Failure::NoConnection(error)) => {
                    tracing::warn!(%error, "cannot connect to the database");
                    availability.request_probe();
                    read.caller().refuse(ServiceFault::DatabaseUnavailable);
                    return Ok(());
                }
                Err(Failure::Failed(error)) => error,
            };
            tracing::warn!(%error, attempt, "a read failed");
            if error.is_storage() {
                availability.request_probe();
                read.caller().refuse(ServiceFault::StorageFull);
                return Ok(());
            }
            if !error.is_transient() {
                read.caller().refuse(ServiceFault::Internal(error.to_string()));
                return Ok(());
            }
            // Perhaps the whole database is unavailable: the prober finds out, for all calls.
            availability.request_probe();
            if attempt == RETRIES {
                read.caller().refuse(ServiceFault::DatabaseUnavailable);
                return Ok(());
            }
            // Nobody needs another attempt, and dropping the read answers its caller if there is one.
            if read.is_dead() {
                return Ok(());
            }
            pool.parts.pool.counters().count_retry(TransactionName::Read);
        }
        Ok(())
    }

    /// Executes a read once, on the kept session or a new one. The session is kept for the next attempt unless
    /// the failure makes it unusable.
    fn attempt(&mut self, read: &mut dyn Read) -> Result<(), Failure> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.pool.parts.pool.get(TransactionName::Read).map_err(Failure::NoConnection)?,
        };
        self.in_flight.begin(read.caller(), &session);
        let done = match catch_unwind(AssertUnwindSafe(|| read.run(&mut session))) {
            Ok(done) => done.map_err(|error| classify(&mut session, error)),
            Err(_) => {
                // The panic may have interrupted the session in the middle of a statement.
                session.retire();
                Err(DbError::new(DbErrorKind::Other, "a panic while reading"))
            }
        };
        if self.in_flight.end().is_err() {
            session.retire();
            return Err(Failure::Superseded);
        }
        match &done {
            Err(error) if error.kind == DbErrorKind::Lost => session.retire(),
            // The pool discards it when it is dropped.
            _ if session.is_broken() => {}
            _ => self.session = Some(session),
        }
        done.map_err(Failure::Failed)
    }
}

/// Why an attempt to execute a read failed. Reads change nothing, so all of them can be retried.
enum Failure {
    /// No connection to the database could be made.
    NoConnection(DbError),
    /// The database refused the read or did not complete it.
    Failed(DbError),
    /// The supervisor has refused the read, so this thread must not answer it.
    Superseded,
}

/// Finds out whether an error means that the connection is gone. The drivers do not report every such error as
/// one, so after an unknown error the session is tested with a statement that fails for no other reason.
fn classify(session: &mut Session, error: DbError) -> DbError {
    if error.kind == DbErrorKind::Other && (session.is_broken() || session.test_connection().is_err()) {
        return DbError { kind: DbErrorKind::Lost, ..error };
    }
    error
}
