//! Pools of sessions, one per purpose. It is the only module that knows r2d2, so that it can be replaced.
//!
//! No thread waits longer than a second for a session, whatever the database does. The drivers' connect calls cannot be
//! interrupted, so each runs on a thread of its own, and the number of these threads is bounded. A session that becomes
//! ready after nobody waits for it any more is kept and used by the next who asks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::{Observer, Session};
use super::transaction::{TransactionCounters, TransactionName, TransactionOutcome};
use super::url::DatabaseUrl;

/// How long a thread waits for a session before it gets an error. Connecting may take longer and goes on meanwhile. r2d2
/// pauses between two attempts for at most half of this, so it also decides how soon a database that is back is found.
const SESSION_TIMEOUT: Duration = Duration::from_secs(1);
/// How long r2d2 waits for one connection to be made. It has three threads to connect with, which a server that accepts
/// connections and stays silent would otherwise keep for good.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// How many threads may be connecting at once. One that connects to a silent server stays until the server or the
/// network ends the attempt.
const MAX_CONNECTING: usize = 64;
/// How many more sessions than threads a pool may have. A session that waits for an answer that does not come keeps its
/// place in the pool, and the thread that replaces its thread needs another one.
const SPARE: usize = 20;

/// A session from a pool. It goes back when it is dropped, or is closed then if it is broken.
pub type Pooled = r2d2::PooledConnection<SessionManager>;

/// A pool of sessions for one purpose. Clones share it.
#[derive(Clone)]
pub struct Pool {
    sessions: r2d2::Pool<SessionManager>,
    counters: Arc<TransactionCounters>,
}

/// How many sessions a pool has at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PoolState {
    /// Those that somebody holds. Workers hold theirs while they wait for work too.
    pub in_use: u32,
    /// Those that nobody holds.
    pub idle: u32,
    /// How many there may be.
    pub limit: u32,
}

/// Makes sessions for r2d2, and tells it which of them must not be used again.
#[derive(Clone)]
pub struct SessionManager {
    url: DatabaseUrl,
    purpose: Purpose,
    observer: Option<Observer>,
    counters: Arc<TransactionCounters>,
    /// How many threads are connecting. It is only compared with a bound, so no other memory depends on its order.
    connecting: Arc<AtomicUsize>,
    /// Sessions that became ready when r2d2 had stopped waiting for them.
    late: Arc<Mutex<Vec<Session>>>,
}

impl Pool {
    /// A pool for this many threads, with counters of its own.
    pub fn new(url: &DatabaseUrl, purpose: Purpose, threads: usize, observer: Option<Observer>) -> Self {
        Self::counted(url, purpose, threads, observer, &Arc::default())
    }

    /// A pool for this many threads, whose sessions count their transactions in `counters`. It connects only when
    /// somebody asks for a session, so that a server can start while its database is unavailable.
    pub fn counted(
        url: &DatabaseUrl,
        purpose: Purpose,
        threads: usize,
        observer: Option<Observer>,
        counters: &Arc<TransactionCounters>,
    ) -> Self {
        let manager = SessionManager {
            url: url.clone(),
            purpose,
            observer,
            counters: Arc::clone(counters),
            connecting: Arc::default(),
            late: Arc::default(),
        };
        // A worker keeps its session while it works, and finds out by using it when it does not. A test at each
        // check-out would cost a round trip and could be outdated by the next statement.
        let builder = r2d2::Pool::builder()
            .max_size((threads + SPARE) as u32)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(SESSION_TIMEOUT)
            .error_handler(Box::new(LogErrors));
        Self { sessions: builder.build_unchecked(manager), counters: Arc::clone(counters) }
    }

    /// Gets a session for a transaction. If there is none within a second, that counts as an attempt of it.
    pub fn get(&self, name: TransactionName) -> Result<Pooled, DbError> {
        self.sessions.get().map_err(|error| {
            self.counters.count(name, TransactionOutcome::NoConnection);
            DbError::new(DbErrorKind::Lost, error.to_string())
        })
    }

    /// How many sessions it has now. It waits for nothing but a lock that is held for moments.
    pub fn state(&self) -> PoolState {
        let state = self.sessions.state();
        PoolState {
            in_use: state.connections.saturating_sub(state.idle_connections),
            idle: state.idle_connections,
            limit: self.sessions.max_size(),
        }
    }

    /// Where its sessions count their transactions, for those who retry one.
    pub fn counters(&self) -> &TransactionCounters {
        &self.counters
    }
}

impl SessionManager {
    /// Connects on the calling thread, however long that takes.
    fn connect_blocking(&self) -> Result<Session, DbError> {
        let mut session = Session::connect(&self.url, self.purpose, self.observer.as_ref())?;
        session.count_in(&self.counters);
        Ok(session)
    }

    fn late(&self) -> MutexGuard<'_, Vec<Session>> {
        // Nothing panics while holding it.
        self.late.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl r2d2::ManageConnection for SessionManager {
    type Connection = Session;
    type Error = DbError;

    fn connect(&self) -> Result<Session, DbError> {
        if let Some(session) = self.late().pop() {
            return Ok(session);
        }
        if self.connecting.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTING {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(DbError::new(DbErrorKind::Lost, "too many threads are connecting already"));
        }
        let manager = self.clone();
        let (sender, receiver) = sync_channel(1);
        let thread = std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
            let connected = manager.connect_blocking();
            manager.connecting.fetch_sub(1, Ordering::Relaxed);
            // The receiver is gone if connecting took too long. The channel has room for one value, so a session that
            // is sent just when the receiver goes is dropped with it, which costs a connection and nothing else.
            if let Err(SendError(Ok(session))) = sender.send(connected) {
                manager.late().push(session);
            }
        });
        if let Err(error) = thread {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(DbError::new(DbErrorKind::Lost, format!("cannot start a thread to connect: {error}")));
        }
        match receiver.recv_timeout(CONNECT_TIMEOUT) {
            Ok(connected) => connected,
            Err(_) => Err(DbError::new(DbErrorKind::Lost, "connecting takes too long")),
        }
    }

    fn is_valid(&self, session: &mut Session) -> Result<(), DbError> {
        session.test_connection()
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.is_broken()
    }
}

/// Logs why r2d2 cannot connect, which it would otherwise do itself at a level of its own.
#[derive(Debug)]
struct LogErrors;

impl r2d2::HandleError<DbError> for LogErrors {
    fn handle_error(&self, error: DbError) {
        // Not a warning: r2d2 retries many times a second, and the worker that waits for the session reports it.
        tracing::debug!(error = %error.detail.replace('\n', " "), "cannot connect to the database");
    }
}
