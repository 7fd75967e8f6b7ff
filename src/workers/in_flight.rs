//! A thread's work on the database, kept where a supervisor can take it away.
//!
//! The thread puts what it is about to do in its slot, does it, and takes it back. If its session waits
//! for longer than the limit, the supervisor gives the session up and takes the work instead; when the
//! thread wakes it finds its slot empty, and ends without having touched what is no longer its own.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::repository::progress::{Progress, Stage};
use crate::repository::session::{ServerProcess, Session};

/// What a thread is doing, and on which session.
struct Entry<W> {
    work: W,
    progress: Arc<Progress>,
    process: Option<ServerProcess>,
}

/// Work that was taken from a thread whose session was given up.
pub(super) struct Taken<W> {
    /// What it was doing.
    pub(super) work: W,
    /// How far it had come.
    pub(super) stage: Stage,
    /// The server's process that may still hold its locks.
    pub(super) process: Option<ServerProcess>,
}

/// See the module.
pub(super) struct InFlight<W>(Mutex<Option<Entry<W>>>);

impl<W> Default for InFlight<W> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

impl<W> InFlight<W> {
    /// Puts down what is about to be done on a session.
    pub(super) fn begin(&self, work: W, session: &Session) {
        let (progress, process) = (Arc::clone(session.progress()), session.server_process().cloned());
        *self.entry() = Some(Entry { work, progress, process });
    }

    /// Takes it back; `None` if the supervisor has taken it.
    pub(super) fn end(&self) -> Option<W> {
        self.entry().take().map(|entry| entry.work)
    }

    /// Takes the work away if its session has been waiting for longer than `limit`.
    pub(super) fn take_after(&self, limit: Duration) -> Option<Taken<W>> {
        let mut entry = self.entry();
        let stage = entry.as_ref()?.progress.give_up_after(limit)?;
        let Entry { work, process, .. } = entry.take()?;
        Some(Taken { work, stage, process })
    }

    /// For how long the session has been waiting for the database's answer, if it is.
    pub(super) fn waiting_for(&self) -> Option<Duration> {
        self.entry().as_ref()?.progress.waiting_for()
    }

    fn entry(&self) -> MutexGuard<'_, Option<Entry<W>>> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
