//! Notes for how long a session has been waiting for its database, so that another thread can give the session up.
//!
//! A database may be reachable and not answer: a pooler that hangs, a frozen server, storage that does not respond. The
//! drivers wait without a bound and cannot be interrupted. So the thread that uses a session notes each wait here, and a
//! supervisor that finds one too long gives the session up: from then on nothing is sent on it, even if its thread goes
//! on later.
//!
//! Giving up may race with a COMMIT, and one lock decides which comes first. Either the COMMIT is noted first, and then
//! the supervisor learns that it may have been sent; or the session is given up first, and then COMMIT is never sent. So
//! a caller is told that nothing was done only if that is certain.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{DbError, DbErrorKind};

/// What a session waits for, or waited for when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Any other statement than COMMIT. COMMIT was not sent, and never is once the session is given up.
    Working,
    /// The answer to COMMIT, or to the ROLLBACK after a COMMIT that failed: whether it was done is not known.
    Committing,
}

#[derive(Debug)]
struct State {
    /// `None` while the session does not wait.
    waiting_since: Option<Instant>,
    /// What it waits for, or waited for last.
    stage: Stage,
    /// Never goes back to `false`.
    given_up: bool,
}

/// The waits of one session. Shared by the thread that uses a session and the supervisor that watches it.
#[derive(Debug)]
pub struct Progress(Mutex<State>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(State { waiting_since: None, stage: Stage::Working, given_up: false }))
    }
}

impl Progress {
    /// Runs `send`, which sends a statement and waits for its answer, unless the session was given up.
    pub(super) fn waiting<T, E: From<DbError>>(
        &self,
        stage: Stage,
        send: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        {
            // The check and the note are one step under the lock: otherwise the session could be given up between them,
            // and the statement would be sent all the same.
            let mut state = self.state();
            if state.given_up {
                return Err(DbError::new(DbErrorKind::Lost, "the session was given up: it waited for too long").into());
            }
            state.waiting_since = Some(Instant::now());
            state.stage = stage;
        }
        let sent = send();
        self.state().waiting_since = None;
        sent
    }

    /// For how long the session has been waiting for an answer; `None` if it is not waiting.
    pub fn waiting_for(&self) -> Option<Duration> {
        self.state().waiting_since.map(|since| since.elapsed())
    }

    /// Gives the session up if it has been waiting for longer than `limit`, and returns what it waits for. `None` if it was
    /// not given up by this call, so that of several supervisors one alone acts on it.
    pub fn give_up_after(&self, limit: Duration) -> Option<Stage> {
        let mut state = self.state();
        if state.given_up || state.waiting_since.is_none_or(|since| since.elapsed() <= limit) {
            return None;
        }
        state.given_up = true;
        Some(state.stage)
    }

    /// Whether the session was given up, so that nothing can be sent on it any more.
    pub fn is_given_up(&self) -> bool {
        self.state().given_up
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(progress: &Progress, stage: Stage, during: impl FnOnce()) -> Result<(), DbError> {
        progress.waiting(stage, || {
            during();
            Ok(())
        })
    }

    #[test]
    fn a_session_that_does_not_wait_is_never_given_up() {
        let progress = Progress::default();
        wait(&progress, Stage::Working, || {}).unwrap();
        assert_eq!(progress.give_up_after(Duration::ZERO), None);
        assert!(!progress.is_given_up());
    }

    #[test]
    fn one_that_waits_within_the_limit_is_not_given_up() {
        let progress = Progress::default();
        let limit = Duration::from_secs(3600);
        wait(&progress, Stage::Working, || assert_eq!(progress.give_up_after(limit), None)).unwrap();
        wait(&progress, Stage::Working, || {}).unwrap();
    }

    #[test]
    fn what_it_was_doing_is_told_once_and_nothing_more_is_sent() {
        for stage in [Stage::Working, Stage::Committing] {
            let progress = Progress::default();
            wait(&progress, stage, || {
                while progress.waiting_for() == Some(Duration::ZERO) {}
                assert_eq!(progress.give_up_after(Duration::ZERO), Some(stage));
                assert_eq!(progress.give_up_after(Duration::ZERO), None);
            })
            .unwrap();
            let refused = wait(&progress, Stage::Committing, || unreachable!("nothing is sent any more"));
            assert_eq!(refused.unwrap_err().kind, DbErrorKind::Lost);
        }
    }
}
