//! The work that a thread has in flight on the database, kept where the supervisor can take it away.
//!
//! Before it uses its session, a thread puts a copy of its work into its slot; afterwards it takes it back. If
//! the session waits for longer than the limit, the supervisor gives the session up and takes the work. Which of
//! the two comes first is decided by the slot's lock: work is either finished by its thread or taken by the
//! supervisor, never both. A thread that finds its slot empty has been superseded and must end without touching
//! the work, whose callers another thread answers by now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::repository::progress::{Progress, Stage};
use crate::repository::session::{ServerProcess, Session};

/// The supervisor has taken this thread's work: the thread must end, because another has replaced it.
#[derive(Debug)]
pub(super) struct Superseded;

/// What a thread is doing, and on which session.
struct Entry<W> {
    work: W,
    progress: Arc<Progress>,
    process: Option<ServerProcess>,
}

/// Work that was taken from a thread whose session was given up.
pub(super) struct Taken<W> {
    /// What the thread was doing.
    pub(super) work: W,
    /// Whether COMMIT had been sent: if so, the work may have been done.
    pub(super) stage: Stage,
    /// The process that serves the session on the database server. It may still hold locks, and should be ended
    /// before the work is done again; `None` with SQLite.
    pub(super) process: Option<ServerProcess>,
}

/// The slot of one thread; empty while the thread does not use its session.
pub(super) struct InFlight<W>(Mutex<Option<Entry<W>>>);

impl<W> Default for InFlight<W> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<W> InFlight<W> {
    /// Puts work into the slot, before its first statement is sent on this session.
    pub(super) fn begin(&self, work: W, session: &Session) {
        let progress = Arc::clone(session.progress());
        let process = session.server_process().cloned();
        *self.lock() = Some(Entry { work, progress, process });
    }

    /// Takes the work back; an error if the supervisor has taken it meanwhile.
    pub(super) fn end(&self) -> Result<W, Superseded> {
        match self.lock().take() {
            Some(entry) => Ok(entry.work),
            None => Err(Superseded),
        }
    }

    /// Takes the work away from its thread if its session has been waiting for longer than `limit`. Nothing more
    /// is sent on the session from then on.
    pub(super) fn take_after(&self, limit: Duration) -> Option<Taken<W>> {
        let mut slot = self.lock();
        // From here on the session sends nothing more, so the stage cannot change any more.
        let stage = slot.as_ref()?.progress.give_up_after(limit)?;
        let Entry { work, process, .. } = slot.take()?;
        Some(Taken { work, stage, process })
    }

    /// For how long the session has been waiting for an answer; `None` if it is not waiting.
    pub(super) fn waiting_for(&self) -> Option<Duration> {
        self.lock().as_ref()?.progress.waiting_for()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Entry<W>>> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;

    use super::*;
    use crate::repository::dialect::Purpose;
    use crate::repository::session::Observer;
    use crate::repository::url::DatabaseUrl;

    /// A session on a database of its own; `during` runs while the session waits for a statement.
    fn session(during: impl Fn() + Send + Sync + 'static) -> (Session, TempDir) {
        let folder = TempDir::new().unwrap();
        let url = DatabaseUrl::Sqlite(folder.path().join("test.sqlite").display().to_string());
        let observer: Observer = Arc::new(move |_| during());
        (Session::connect(&url, Purpose::Operate, Some(&observer)).unwrap(), folder)
    }

    #[test]
    fn work_whose_session_does_not_wait_stays_with_its_thread() {
        let (mut session, _folder) = session(|| {});
        let in_flight = InFlight::default();
        in_flight.begin("work", &session);
        session.batch("SELECT 1").unwrap();
        assert!(in_flight.take_after(Duration::ZERO).is_none());
        assert_eq!(in_flight.end().unwrap(), "work");
        assert!(in_flight.take_after(Duration::ZERO).is_none(), "what has ended cannot be taken");
    }

    #[test]
    fn work_whose_session_waits_within_the_limit_stays_with_its_thread() {
        let in_flight = Arc::new(InFlight::default());
        let watched = Arc::clone(&in_flight);
        let (mut session, _folder) = session(move || {
            assert!(watched.take_after(Duration::from_secs(3_600)).is_none());
        });
        in_flight.begin("work", &session);
        session.batch("SELECT 1").unwrap();
        assert_eq!(in_flight.end().unwrap(), "work");
    }

    #[test]
    fn work_whose_session_waits_for_too_long_is_taken_once_and_its_thread_is_superseded() {
        let in_flight = Arc::new(InFlight::default());
        let taken: Arc<Mutex<Option<Taken<&str>>>> = Arc::default();
        let (watched, kept) = (Arc::clone(&in_flight), Arc::clone(&taken));
        let (mut session, _folder) = session(move || {
            // Statements of the session's set-up come before there is any work.
            while watched.waiting_for().is_some() {
                if let Some(taken) = watched.take_after(Duration::ZERO) {
                    *kept.lock().unwrap() = Some(taken);
                }
            }
        });
        in_flight.begin("work", &session);
        session.batch("SELECT 1").unwrap();

        assert!(in_flight.end().is_err(), "the thread must not touch it any more");
        let taken = taken.lock().unwrap().take().unwrap();
        assert_eq!((taken.work, taken.stage), ("work", Stage::Working));
        assert!(in_flight.take_after(Duration::ZERO).is_none());
        assert!(session.batch("SELECT 1").is_err(), "nothing more is sent on its session");
    }
}
