//! Asks the database, on a session of its own, whether it can be read and written: each second, more often
//! while it cannot, and whenever somebody has found a fault.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::availability::{Availability, Usable};
use super::error::ServiceFault;
use super::in_flight::InFlight;
use super::supervisor::{MAX_LEFT_BEHIND, Supervised, Waiters};
use super::writer::Writer;
use super::{Readers, Writers};
use crate::clock::Clock;
use crate::domain::clock_check;
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;
use crate::repository::pool::{Pool, Pooled};
use crate::repository::probe::{self, Found, Probed};
use crate::repository::url::DatabaseUrl;

/// How often it asks: while all is well, and while it is not.
const EVERY: Duration = Duration::from_secs(1);
const EVERY_WHILE_UNAVAILABLE: Duration = Duration::from_millis(200);
/// How long the database may take to answer, and a writer may wait for one answer, before the instance says
/// that it does not serve.
const STUCK_AFTER: Duration = Duration::from_secs(2);

/// See the module. Its thread ends when this is dropped.
pub struct Prober(Arc<Shared>);

struct Shared {
    pool: Pool,
    database: DatabaseUrl,
    clock: Option<WatchedClock>,
    availability: Availability,
    /// Whoever waits for the database.
    waiters: Vec<Arc<dyn Waiters>>,
    /// Whose waits are reported.
    writers: Vec<Arc<Writer>>,
    stopping: AtomicBool,
    current: Mutex<Current>,
    /// Threads that were replaced and have not ended yet.
    left_behind: AtomicUsize,
}

/// The clock that writes are dated by.
struct WatchedClock {
    clock: Arc<dyn Clock>,
    at_start: Timestamp,
    started: Instant,
}

/// The thread that asks now.
#[derive(Default)]
struct Current {
    in_flight: Arc<InFlight<()>>,
    /// `None` while none could be started.
    thread: Option<JoinHandle<()>>,
}

impl Prober {
    /// Starts it on a session of `pool`, which needs room for some more to replace that one by. `clock` is
    /// what writes are dated by, if it is to be watched.
    pub fn start(
        pool: Pool,
        database: &DatabaseUrl,
        clock: Option<Arc<dyn Clock>>,
        availability: Availability,
        writers: &Writers,
        readers: &Readers,
    ) -> std::io::Result<Self> {
        let shared = Arc::new(Shared {
            pool,
            database: database.clone(),
            clock: clock.map(|clock| WatchedClock { at_start: clock.now(), started: Instant::now(), clock }),
            availability,
            waiters: writers.waiters().chain([readers.waiters()]).collect(),
            writers: writers.writers.clone(),
            stopping: AtomicBool::new(false),
            current: Mutex::default(),
            left_behind: AtomicUsize::new(0),
        });
        shared.start_thread(&mut shared.current())?;
        Ok(Self(shared))
    }

    /// Ends when it has its answer, and its session is given back.
    pub fn stop(&self) {
        self.end();
        let thread = self.0.current().thread.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the prober ended by a panic");
        }
    }

    fn end(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        self.0.availability.ask();
    }

    /// Who replaces its thread.
    pub fn supervised(&self) -> Arc<dyn Supervised> {
        Arc::new(Arc::clone(&self.0))
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.end();
    }
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, Current> {
        // Nothing panics while holding it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, current: &mut Current) -> std::io::Result<()> {
        let (shared, in_flight) = (Arc::clone(self), Arc::<InFlight<()>>::default());
        *current = Current { in_flight: Arc::clone(&in_flight), thread: None };
        let thread = std::thread::Builder::new().name("prober".to_owned());
        let thread = thread.spawn(move || {
            if shared.run(&in_flight).is_none() {
                shared.left_behind.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        current.thread = Some(thread);
        Ok(())
    }

    /// Asks until it is to stop; `None` if its session was given up.
    fn run(&self, in_flight: &InFlight<()>) -> Option<()> {
        let mut kept = None;
        let mut pause = Duration::ZERO;
        loop {
            self.availability.wait_until_asked(pause);
            if self.stopping.load(Ordering::Relaxed) {
                return Some(());
            }
            let usable = self.look(&mut kept, in_flight)?;
            pause = if usable.is_serving() { EVERY } else { EVERY_WHILE_UNAVAILABLE };
            self.tell(usable);
        }
    }

    /// A session that was kept may have lost its connection while the database was well: only what a new one
    /// says counts against it.
    fn look(&self, kept: &mut Option<Pooled>, in_flight: &InFlight<()>) -> Option<Usable> {
        if let Some(session) = kept.take()
            && let Ok(usable) = self.ask(session, kept, in_flight)?
        {
            return Some(usable);
        }
        let asked = match self.pool.get() {
            Ok(session) => self.ask(session, kept, in_flight)?,
            Err(error) => Err(error),
        };
        Some(asked.unwrap_or_else(|error| {
            tracing::debug!(%error, "the database cannot be asked");
            Usable::unavailable()
        }))
    }

    /// Asks on a session, and keeps it if it can be used again; `None` if it was given up.
    fn ask(
        &self,
        mut session: Pooled,
        kept: &mut Option<Pooled>,
        in_flight: &InFlight<()>,
    ) -> Option<Result<Usable, DbError>> {
        in_flight.begin((), &session);
        let found = probe::ask(&mut session, &self.database);
        if in_flight.end().is_none() {
            session.retire();
            return None;
        }
        Some(match found {
            Ok(Probed { found: Found::Writable, server_time }) if self.is_clock_wrong(server_time) => {
                *kept = Some(session);
                Ok(Usable::reads_alone(ServiceFault::ClockSkewed))
            }
            Ok(Probed { found: Found::Writable, .. }) => {
                *kept = Some(session);
                let is_stuck = self.writers.iter().any(|writer| writer.waiting_for() > Some(STUCK_AFTER));
                Ok(Usable { is_stuck, ..Usable::default() })
            }
            Ok(Probed { found: Found::Full, .. }) => {
                *kept = Some(session);
                Ok(Usable::reads_alone(ServiceFault::StorageFull))
            }
            // The address may lead to another server by now.
            Ok(Probed { found: Found::ReadOnly, .. }) => {
                session.retire();
                Ok(Usable::reads_alone(ServiceFault::DatabaseUnavailable))
            }
            Err(error) => {
                session.retire();
                Err(error)
            }
        })
    }

    /// Whether what is written now would bear a wrong time. The server's clock tells it where there is one;
    /// elsewhere only a jump while the service runs can be seen, and starting it again confirms the clock.
    fn is_clock_wrong(&self, server_time: Option<Timestamp>) -> bool {
        let Some(watched) = &self.clock else { return false };
        let now = watched.clock.now();
        match server_time {
            Some(server_time) => clock_check::are_apart(now, server_time),
            None => clock_check::has_jumped(watched.at_start, now, watched.started.elapsed()),
        }
    }

    /// Has all_grants know, those who wait included.
    fn tell(&self, usable: Usable) {
        if !self.availability.set(usable.clone()) {
            return;
        }
        match (&usable.reads, &usable.writes, usable.is_stuck) {
            (None, None, false) => tracing::info!("the database can be read and written"),
            (None, None, true) => tracing::warn!("the database does not answer a writer"),
            (None, Some(why), _) => tracing::warn!(why = why.reason(), "writes are refused"),
            (Some(_), ..) => tracing::warn!("the database is unavailable"),
        }
        self.waiters.iter().for_each(|waiters| waiters.refuse_waiting(&usable));
    }
}

impl Supervised for Arc<Shared> {
    fn supervise(&self) {
        let mut current = self.current();
        if current.in_flight.take_after(STUCK_AFTER).is_some() {
            current.thread = None;
            self.left_behind.fetch_add(1, Ordering::Relaxed);
            self.tell(Usable::unavailable());
        }
        if current.thread.is_none()
            && !self.stopping.load(Ordering::Relaxed)
            && self.left_behind.load(Ordering::Relaxed) <= MAX_LEFT_BEHIND
            && let Err(error) = self.start_thread(&mut current)
        {
            tracing::error!(%error, "the prober cannot be started");
        }
    }
}
