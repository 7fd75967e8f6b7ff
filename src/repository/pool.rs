//! The pool of sessions: the one module that knows r2d2.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{SendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::{Observer, Session};
use super::url::DatabaseUrl;

/// How long a thread waits for a session before it says that there is none. Connecting may take longer and
/// goes on meanwhile; r2d2 pauses for at most half of this between two tries, so this also decides how soon
/// a database that is back is found.
const WAIT: Duration = Duration::from_secs(1);
/// How long r2d2, which has three threads to connect with, waits for a connection to be made.
const CONNECTING: Duration = Duration::from_secs(1);
/// How many connections may be in the making. One to a server that accepts it and then is silent is so until
/// that server or its network ends it.
const MAX_CONNECTING: usize = 64;
/// How many more sessions than its threads a pool may have: for those that replace a session which waits
/// for an answer that does not come.
const SPARE: usize = 20;

/// A session from a pool; goes back when it is dropped, unless it is broken.
pub type Pooled = r2d2::PooledConnection<SessionManager>;

/// A pool of sessions for one purpose.
#[derive(Clone)]
pub struct Pool(r2d2::Pool<SessionManager>);

/// Makes and judges sessions for r2d2.
#[derive(Clone)]
pub struct SessionManager {
    url: DatabaseUrl,
    purpose: Purpose,
    observer: Option<Observer>,
    connecting: Arc<AtomicUsize>,
    /// Sessions that were ready when r2d2 had stopped waiting.
    late: Arc<Mutex<Vec<Session>>>,
}

impl Pool {
    /// A pool of sessions for so many threads. Connects when somebody asks, so the database may be
    /// unavailable now.
    pub fn new(url: &DatabaseUrl, purpose: Purpose, threads: usize, observer: Option<Observer>) -> Self {
        let manager =
            SessionManager { url: url.clone(), purpose, observer, connecting: Arc::default(), late: Arc::default() };
        // A worker keeps its session while it is well and finds out by using it when it is not, so
        // testing it at each check-out would only cost a round trip.
        let builder = r2d2::Pool::builder()
            .max_size((threads + SPARE) as u32)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(WAIT)
            .error_handler(Box::new(LogErrors));
        Self(builder.build_unchecked(manager))
    }

    /// A session, when one is free.
    pub fn get(&self) -> Result<Pooled, DbError> {
        self.0.get().map_err(|error| DbError::new(DbErrorKind::Lost, error.to_string()))
    }
}

impl SessionManager {
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
        let lost = |why: String| DbError::new(DbErrorKind::Lost, why);
        if self.connecting.fetch_add(1, Ordering::Relaxed) >= MAX_CONNECTING {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(lost("too many connections are in the making already".to_owned()));
        }
        // The drivers' calls cannot be interrupted, so they have a thread of their own.
        let (manager, (send, receive)) = (self.clone(), sync_channel(1));
        let connect = std::thread::Builder::new().name("connect".to_owned()).spawn(move || {
            let connected = Session::connect(&manager.url, manager.purpose, manager.observer.as_ref());
            manager.connecting.fetch_sub(1, Ordering::Relaxed);
            if let Err(SendError(Ok(session))) = send.send(connected) {
                manager.late().push(session);
            }
        });
        if let Err(error) = connect {
            self.connecting.fetch_sub(1, Ordering::Relaxed);
            return Err(lost(format!("cannot start a thread to connect: {error}")));
        }
        receive.recv_timeout(CONNECTING).unwrap_or_else(|_| Err(lost("connecting takes too long".to_owned())))
    }

    fn is_valid(&self, session: &mut Session) -> Result<(), DbError> {
        session.batch("SELECT 1")
    }

    fn has_broken(&self, session: &mut Session) -> bool {
        session.is_broken()
    }
}

#[derive(Debug)]
struct LogErrors;

impl r2d2::HandleError<DbError> for LogErrors {
    fn handle_error(&self, error: DbError) {
        // r2d2 tries again many times a second; the worker that waits for the session reports that the database is unavailable.
        tracing::debug!(error = %error.detail.replace('\n', " "), "cannot connect to the database");
    }
}
