//! A fixed set of threads for reads. Each read is one function on one session; [`super::read_queue`]
//! decides in which order they come.
//!
//! The first thread takes small reads alone, so that one is never kept waiting by large ones. A read
//! whose caller has gone, or whose deadline has passed, is dropped before it begins; one that has
//! begun ends soon, because every answer is a bounded page. One whose session waits for too long is refused,
//! and its reader replaced.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::availability::{Availability, Usable};
use super::error::{ServiceFault, WorkerError};
use super::in_flight::InFlight;
use super::read_queue::{ReadClass, ReadQueue, Takes};
use super::responder::{Refuse, Responder};
use super::supervisor::{MAX_LEFT_BEHIND, Supervised, Waiters};
use crate::domain::code::PrincipalId;
use crate::repository::error::{DbError, DbErrorKind};
use crate::repository::pool::{Pool, Pooled};
use crate::repository::read::authorized::{ReadError, ReadSession};
use crate::repository::session::{ServerProcess, Session};

/// How often a read is begun again after its connection was lost.
const RETRIES: u32 = 2;

/// A read whose caller waits.
trait Read: Send {
    /// Whether nobody needs it any more.
    fn is_dead(&self) -> bool;
    /// Reads and answers; an error means that it was not answered.
    fn run(&mut self, session: &mut Session) -> Result<(), DbError>;
    /// Who waits for it.
    fn caller(&self) -> Arc<dyn Refuse>;
}

struct Waiting<T, F> {
    work: F,
    deadline: Option<Instant>,
    answer: Arc<Responder<T>>,
}

impl<T: Send + 'static, F> Read for Waiting<T, F>
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

    fn push(&self, caller: Option<PrincipalId>, class: ReadClass, read: Box<dyn Read>) -> Result<(), ServiceFault> {
        let pushed = self.state().queue.push(caller, class, read, |read| read.is_dead());
        pushed.map_err(|_| ServiceFault::QueueFull)?;
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

    /// Takes all reads that wait, to be refused.
    fn take_all(&self) -> Vec<Box<dyn Read>> {
        std::mem::take(&mut self.state().queue).into_reads()
    }

    fn is_closed(&self) -> bool {
        self.state().closed
    }

    fn close(&self) {
        self.state().closed = true;
        self.changed.notify_all();
    }
}

/// What readers are made with.
#[derive(Clone)]
pub struct ReaderParts {
    /// Sessions for reading, one per reader, and some to replace them by.
    pub pool: Pool,
    /// Whether the database can be used now.
    pub availability: Availability,
    /// How long a session waits for one answer of the database.
    pub timeout: Duration,
}

/// See the module. The threads end when this is dropped.
pub struct Readers {
    team: Arc<Team>,
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.team.shared.close();
    }
}

impl Readers {
    /// One that takes small reads alone, and one that takes both.
    pub const FEWEST: usize = 2;

    /// Starts so many readers, at least two.
    pub fn start(count: usize, parts: &ReaderParts) -> std::io::Result<Self> {
        let places = (0..count.max(Self::FEWEST)).map(|_| Place::default()).collect();
        let (shared, left_behind) = (Shared::default(), AtomicUsize::new(0));
        let team = Arc::new(Team { parts: parts.clone(), shared, places: Mutex::new(places), left_behind });
        let mut places = team.places();
        for (number, place) in places.iter_mut().enumerate() {
            team.start_thread(number, place, None)?;
        }
        drop(places);
        Ok(Self { team })
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
    ) -> Result<T, WorkerError>
    where
        T: Send + 'static,
        F: Fn(&mut ReadSession<'_>) -> Result<T, ReadError> + Send + 'static,
    {
        self.team.parts.availability.check_reads()?;
        let (answer, answered) = Responder::channel();
        let waiting = Waiting { work, deadline, answer: Arc::new(answer) };
        self.team.shared.push(caller, class, Box::new(waiting))?;
        answered.await.unwrap_or(Err(ServiceFault::DeadlineExceeded.into()))
    }

    /// Ends when the reads that have begun have ended, and their sessions are given back.
    pub fn stop(&self) {
        self.team.shared.close();
        let threads: Vec<_> = self.team.places().iter_mut().filter_map(|place| place.thread.take()).collect();
        for thread in threads {
            if thread.join().is_err() {
                tracing::error!("a reader ended by a panic");
            }
        }
    }

    /// Who replaces their threads.
    pub fn supervised(&self) -> Arc<dyn Supervised> {
        Arc::new(Arc::clone(&self.team))
    }

    /// Where their reads wait.
    pub(super) fn waiters(&self) -> Arc<dyn Waiters> {
        Arc::new(Arc::clone(&self.team))
    }
}

/// All readers, whichever threads they have.
struct Team {
    parts: ReaderParts,
    shared: Shared,
    places: Mutex<Vec<Place>>,
    /// Threads that were replaced and have not ended yet.
    left_behind: AtomicUsize,
}

/// The thread that one reader has now.
#[derive(Default)]
struct Place {
    in_flight: Arc<InFlight<Arc<dyn Refuse>>>,
    /// `None` while none could be started.
    thread: Option<JoinHandle<()>>,
}

impl Team {
    fn places(&self) -> MutexGuard<'_, Vec<Place>> {
        // Nothing panics while holding it.
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread of a reader, which first ends the server's process of a session that was given
    /// up, so that its statement does not go on for nobody.
    fn start_thread(
        self: &Arc<Self>,
        number: usize,
        place: &mut Place,
        given_up: Option<ServerProcess>,
    ) -> std::io::Result<()> {
        let takes = if number == 0 { Takes::Small } else { Takes::Both };
        let (team, in_flight) = (Arc::clone(self), Arc::<InFlight<Arc<dyn Refuse>>>::default());
        *place = Place { in_flight: Arc::clone(&in_flight), thread: None };
        let mut reader = Reader { team, in_flight, session: None };
        let thread = std::thread::Builder::new().name(format!("reader-{number}")).spawn(move || {
            if reader.run(takes, given_up).is_err() {
                reader.team.left_behind.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        place.thread = Some(thread);
        Ok(())
    }
}

impl Supervised for Arc<Team> {
    fn supervise(&self) {
        for (number, place) in self.places().iter_mut().enumerate() {
            let mut given_up = None;
            if let Some(taken) = place.in_flight.take_after(self.parts.timeout) {
                let process = taken.process.as_ref().map(ToString::to_string);
                tracing::warn!(process, "the database does not answer a reader; its session is given up");
                taken.work.refuse(ServiceFault::DatabaseUnavailable);
                self.left_behind.fetch_add(1, Ordering::Relaxed);
                place.thread = None;
                given_up = taken.process;
            }
            if place.thread.is_none()
                && !self.shared.is_closed()
                && self.left_behind.load(Ordering::Relaxed) <= MAX_LEFT_BEHIND
                && let Err(error) = self.start_thread(number, place, given_up)
            {
                tracing::error!(%error, "a reader cannot be started");
            }
        }
    }
}

impl Waiters for Arc<Team> {
    fn refuse_waiting(&self, usable: &Usable) {
        if let Some(refusal) = &usable.reads {
            self.shared.take_all().into_iter().for_each(|read| read.caller().refuse(refusal.clone()));
        }
    }
}

/// The supervisor has refused a reader's read: its thread ends, and another takes its place.
struct GivenUp;

/// What one thread has.
struct Reader {
    team: Arc<Team>,
    in_flight: Arc<InFlight<Arc<dyn Refuse>>>,
    session: Option<Pooled>,
}

/// Nobody: the service itself looks after something.
struct Nobody;

impl Refuse for Nobody {
    fn refuse(&self, _: ServiceFault) {}
}

impl Reader {
    fn run(&mut self, takes: Takes, given_up: Option<ServerProcess>) -> Result<(), GivenUp> {
        if let Some(process) = given_up {
            self.end_process(&process)?;
        }
        while let Some(mut read) = self.team.shared.next(takes) {
            self.answer(&mut *read)?;
        }
        Ok(())
    }

    fn end_process(&mut self, process: &ServerProcess) -> Result<(), GivenUp> {
        let Ok(mut session) = self.team.parts.pool.get() else { return Ok(()) };
        self.in_flight.begin(Arc::new(Nobody), &session);
        let ended = session.end_process(process);
        self.in_flight.end().ok_or(GivenUp)?;
        match ended {
            Ok(_) => self.session = Some(session),
            Err(error) => {
                session.retire();
                tracing::warn!(%error, %process, "cannot end the server's process of a session that was given up");
            }
        }
        Ok(())
    }

    /// Runs a read, again if that may help somebody, and answers it.
    fn answer(&mut self, read: &mut dyn Read) -> Result<(), GivenUp> {
        for attempt in 0.. {
            let kept = self.session.take();
            let session = match kept.map_or_else(|| self.team.parts.pool.get(), Ok) {
                Ok(session) => session,
                Err(error) => {
                    tracing::warn!(%error, "no connection to the database");
                    self.team.parts.availability.ask();
                    read.caller().refuse(ServiceFault::DatabaseUnavailable);
                    return Ok(());
                }
            };
            let Err(error) = self.attempt(read, session)? else { return Ok(()) };
            tracing::warn!(%error, attempt, "a read failed");
            if error.is_storage() {
                self.team.parts.availability.ask();
                read.caller().refuse(ServiceFault::StorageFull);
                return Ok(());
            }
            if !error.is_transient() {
                read.caller().refuse(ServiceFault::Internal(error.to_string()));
                return Ok(());
            }
            self.team.parts.availability.ask();
            if attempt == RETRIES {
                read.caller().refuse(ServiceFault::DatabaseUnavailable);
                return Ok(());
            }
            if read.is_dead() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn attempt(&mut self, read: &mut dyn Read, mut session: Pooled) -> Result<Result<(), DbError>, GivenUp> {
        self.in_flight.begin(read.caller(), &session);
        let done = match catch_unwind(AssertUnwindSafe(|| read.run(&mut session))) {
            Ok(done) => done.map_err(|error| told_apart(&mut session, error)),
            Err(_) => {
                // Nothing tells what its connection was in the middle of.
                session.retire();
                Err(DbError::new(DbErrorKind::Other, "a panic while reading"))
            }
        };
        if self.in_flight.end().is_none() {
            session.retire();
            return Err(GivenUp);
        }
        match &done {
            Err(error) if error.kind == DbErrorKind::Lost => session.retire(),
            _ if session.is_broken() => {}
            _ => self.session = Some(session),
        }
        Ok(done)
    }
}

/// Not every error of a connection that is gone is known for one. What is not is found out by asking for
/// something that cannot fail otherwise.
fn told_apart(session: &mut Session, error: DbError) -> DbError {
    let mut is_gone = || session.is_broken() || session.batch("SELECT 1").is_err();
    match error.kind {
        DbErrorKind::Other if is_gone() => DbError { kind: DbErrorKind::Lost, ..error },
        _ => error,
    }
}
