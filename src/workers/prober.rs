//! The prober asks the database, on a session of its own, whether it can be read and written: every second, more
//! often while it cannot, and at once when a worker has seen a fault. It is the only one that changes
//! [`Availability`], so that calls and health always agree about the state.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::availability::{Availability, AvailabilityState};
use super::error::ServiceFault;
use super::in_flight::{InFlight, Superseded};
use super::supervisor::{MAX_ABANDONED_THREADS, PendingCalls, Supervised};
use super::writer::Writer;
use super::{Readers, Writers};
use crate::clock::Clock;
use crate::domain::clock_check;
use crate::domain::time::Timestamp;
use crate::repository::error::DbError;
use crate::repository::pool::{Pool, PoolState, Pooled};
use crate::repository::probe::{self, DatabaseState, ProbeResult};
use crate::repository::transaction::TransactionName;
use crate::repository::url::DatabaseUrl;

/// The time between two probes while everything works.
const INTERVAL: Duration = Duration::from_secs(1);
/// The time between two probes while something does not: a database that has recovered should be used soon.
const INTERVAL_WHILE_UNAVAILABLE: Duration = Duration::from_millis(200);
/// How long a probe, or a writer, may wait for one answer before health reports NOT_SERVING.
const STALLED_AFTER: Duration = Duration::from_secs(2);

/// The prober of an instance. Its thread ends when this is dropped.
pub struct Prober(Arc<Shared>);

struct Shared {
    pool: Pool,
    database: DatabaseUrl,
    clock: Option<WatchedClock>,
    availability: Availability,
    /// The queues whose calls are refused when the database becomes unavailable.
    pending_calls: Vec<Arc<dyn PendingCalls>>,
    /// The writers whose waits are reported as stalled.
    writers: Vec<Arc<Writer>>,
    stopping: AtomicBool,
    current: Mutex<CurrentThread>,
    /// How many threads were replaced and have not ended yet.
    abandoned_threads: AtomicUsize,
}

/// Why a probe has no result.
enum ProbeError {
    /// The database did not answer as it should.
    Database(DbError),
    /// The supervisor has replaced the thread that probed.
    Superseded,
}

/// The clock that writes are dated by, and what it showed at the start.
struct WatchedClock {
    clock: Arc<dyn Clock>,
    at_start: Timestamp,
    /// When that was by the monotonic clock, which never jumps.
    started: Instant,
}

/// The thread that probes at present.
#[derive(Default)]
struct CurrentThread {
    /// The slot by which the supervisor sees how long a probe has been waiting.
    in_flight: Arc<InFlight<()>>,
    /// `None` while there is no thread, because none could be started or too many are abandoned.
    handle: Option<JoinHandle<()>>,
}

impl Prober {
    /// Starts it on a session of `pool`, which needs room for some more to replace one that hangs. `clock` is the
    /// clock that writes are dated by, if it is to be checked.
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
            pending_calls: writers.pending_calls().chain([readers.pending_calls()]).collect(),
            writers: writers.writers.clone(),
            stopping: AtomicBool::new(false),
            current: Mutex::default(),
            abandoned_threads: AtomicUsize::new(0),
        });
        shared.start_thread(&mut shared.current())?;
        Ok(Self(shared))
    }

    /// Stops probing, and waits until the probe in flight has ended and its session is back in the pool.
    pub fn stop(&self) {
        self.signal_stop();
        let thread = self.0.current().handle.take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the prober thread ended with a panic");
        }
    }

    fn signal_stop(&self) {
        self.0.stopping.store(true, Ordering::Relaxed);
        // Wakes the thread, which looks at `stopping` before it probes.
        self.0.availability.request_probe();
    }

    /// The session of the prober.
    pub fn pool(&self) -> PoolState {
        self.0.pool.state()
    }

    /// The prober as the supervisor needs it, to replace its thread if it hangs.
    pub fn supervised(&self) -> Arc<dyn Supervised> {
        Arc::new(Arc::clone(&self.0))
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        self.signal_stop();
    }
}

impl Shared {
    fn current(&self) -> MutexGuard<'_, CurrentThread> {
        // Nothing panics while holding it.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_thread(self: &Arc<Self>, current: &mut CurrentThread) -> std::io::Result<()> {
        let shared = Arc::clone(self);
        let in_flight = Arc::<InFlight<()>>::default();
        *current = CurrentThread { in_flight: Arc::clone(&in_flight), handle: None };
        let thread = std::thread::Builder::new().name("prober".to_owned()).spawn(move || {
            if let Err(Superseded) = shared.run(&in_flight) {
                shared.abandoned_threads.fetch_sub(1, Ordering::Relaxed);
            }
        })?;
        current.handle = Some(thread);
        Ok(())
    }

    /// Probes until the prober stops.
    fn run(&self, in_flight: &InFlight<()>) -> Result<(), Superseded> {
        let mut kept_session = None;
        // The first probe comes at once: until then every call is accepted.
        let mut interval = Duration::ZERO;
        loop {
            self.availability.wait_for_probe_request(interval);
            if self.stopping.load(Ordering::Relaxed) {
                return Ok(());
            }
            // A thread that was superseded ends here: it never publishes over what its replacement has found.
            let state = self.probe(&mut kept_session, in_flight)?;
            interval = if state.is_serving() { INTERVAL } else { INTERVAL_WHILE_UNAVAILABLE };
            self.publish(state);
        }
    }

    /// Probes on the kept session, and on a new one if that fails: the kept session may have lost its connection
    /// while the database works, so only the failure of a new one means that the database is unavailable.
    fn probe(
        &self,
        kept_session: &mut Option<Pooled>,
        in_flight: &InFlight<()>,
    ) -> Result<AvailabilityState, Superseded> {
        if let Some(session) = kept_session.take() {
            match self.probe_on(session, kept_session, in_flight) {
                Ok(state) => return Ok(state),
                Err(ProbeError::Superseded) => return Err(Superseded),
                // Not logged: losing an idle connection is no fault.
                Err(ProbeError::Database(_)) => {}
            }
        }
        let probed = match self.pool.get(TransactionName::Probe) {
            Ok(session) => self.probe_on(session, kept_session, in_flight),
            Err(error) => Err(ProbeError::Database(error)),
        };
        match probed {
            Ok(state) => Ok(state),
            Err(ProbeError::Superseded) => Err(Superseded),
            Err(ProbeError::Database(error)) => {
                tracing::debug!(%error, "the database does not answer the probe");
                Ok(AvailabilityState::unavailable())
            }
        }
    }

    /// Probes on a session, and keeps the session if it can be used again.
    fn probe_on(
        &self,
        mut session: Pooled,
        kept_session: &mut Option<Pooled>,
        in_flight: &InFlight<()>,
    ) -> Result<AvailabilityState, ProbeError> {
        in_flight.begin((), &session);
        let probed = probe::ask(&mut session, &self.database);
        if in_flight.end().is_err() {
            session.retire();
            return Err(ProbeError::Superseded);
        }
        let ProbeResult { state: database_state, server_time } = match probed {
            Ok(result) => result,
            Err(error) => {
                session.retire();
                return Err(ProbeError::Database(error));
            }
        };
        let state = match database_state {
            DatabaseState::Writable if self.is_clock_wrong(server_time) => {
                AvailabilityState::read_only(ServiceFault::ClockSkewed)
            }
            DatabaseState::Writable => {
                // `None`, of a writer that does not wait, is less than any time.
                let writer_stalled = self.writers.iter().any(|writer| writer.waiting_for() > Some(STALLED_AFTER));
                AvailabilityState { writer_stalled, ..AvailabilityState::default() }
            }
            DatabaseState::StorageFull => AvailabilityState::read_only(ServiceFault::StorageFull),
            DatabaseState::ReadOnly => {
                // After a failover the address may lead to another server, which only a new connection finds.
                session.retire();
                return Ok(AvailabilityState::read_only(ServiceFault::DatabaseUnavailable));
            }
        };
        *kept_session = Some(session);
        Ok(state)
    }

    /// Whether what is written now would have a wrong time. A database server has a clock to compare with. With
    /// SQLite only a jump while the service runs can be seen; restarting the service confirms the new time.
    fn is_clock_wrong(&self, server_time: Option<Timestamp>) -> bool {
        let Some(watched) = &self.clock else { return false };
        let now = watched.clock.now();
        match server_time {
            Some(server_time) => clock_check::are_apart(now, server_time),
            None => clock_check::has_jumped(watched.at_start, now, watched.started.elapsed()),
        }
    }

    /// Publishes a state. If it is new, it is logged, and the waiting calls that it refuses are refused.
    fn publish(&self, state: AvailabilityState) {
        if !self.availability.set(state.clone()) {
            // Calls that were queued since are refused or executed by their workers.
            return;
        }
        match (&state.reads, &state.writes, state.writer_stalled) {
            (None, None, false) => tracing::info!("the database can be read and written"),
            (None, None, true) => tracing::warn!("the database does not answer a writer"),
            (None, Some(fault), _) => tracing::warn!(reason = fault.reason(), "writes are refused"),
            (Some(_), ..) => tracing::warn!("the database is unavailable"),
        }
        self.pending_calls.iter().for_each(|calls| calls.refuse_pending(&state));
    }
}

impl Supervised for Arc<Shared> {
    fn supervise(&self) {
        let mut current = self.current();
        if current.in_flight.take_after(STALLED_AFTER).is_some() {
            current.handle = None;
            self.abandoned_threads.fetch_add(1, Ordering::Relaxed);
            // The thread that hangs cannot publish it.
            self.publish(AvailabilityState::unavailable());
        }
        if current.handle.is_none()
            && !self.stopping.load(Ordering::Relaxed)
            && self.abandoned_threads.load(Ordering::Relaxed) <= MAX_ABANDONED_THREADS
            && let Err(error) = self.start_thread(&mut current)
        {
            tracing::error!(%error, "cannot start the prober thread");
        }
    }
}
