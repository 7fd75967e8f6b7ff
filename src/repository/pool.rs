//! The pool of sessions: the one module that knows r2d2.

use std::time::Duration;

use super::dialect::Purpose;
use super::error::{DbError, DbErrorKind};
use super::session::{Observer, Session};
use super::url::DatabaseUrl;

/// How long a worker waits for a connection before it says that the database is away.
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(5);

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
}

impl Pool {
    /// A pool of at most `size` sessions. Connects when somebody asks, so the database may be away.
    pub fn new(url: &DatabaseUrl, purpose: Purpose, size: usize, observer: Option<Observer>) -> Self {
        let manager = SessionManager { url: url.clone(), purpose, observer };
        // A worker keeps its session while it is well and finds out by using it when it is not, so
        // testing it at each check-out would only cost a round trip.
        let builder = r2d2::Pool::builder()
            .max_size(size as u32)
            .min_idle(Some(0))
            .test_on_check_out(false)
            .connection_timeout(CONNECTION_TIMEOUT)
            .error_handler(Box::new(LogErrors));
        Self(builder.build_unchecked(manager))
    }

    /// A session, when one is free.
    pub fn get(&self) -> Result<Pooled, DbError> {
        self.0.get().map_err(|error| DbError::new(DbErrorKind::Lost, error.to_string()))
    }
}

impl r2d2::ManageConnection for SessionManager {
    type Connection = Session;
    type Error = DbError;

    fn connect(&self) -> Result<Session, DbError> {
        Session::connect(&self.url, self.purpose, self.observer.as_ref())
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
        // r2d2 tries again many times a second; whoever waits for the session tells that it is away.
        tracing::debug!(error = %error.detail.replace('\n', " "), "cannot connect to the database");
    }
}
