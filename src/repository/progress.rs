//! How long a session has been waiting for its database, so that another thread can give it up.
//!
//! A database may be reachable and silent: a pooler that hangs, a frozen server, storage that does not
//! answer. The drivers wait without a bound, and nothing can wake them. So the thread that uses a session
//! notes each of its waits here, and a supervisor that finds one too long gives the session up: from then
//! on nothing more is sent on it, whenever its thread wakes. What may race is the COMMIT, and one lock
//! decides it: either COMMIT is noted first, and the supervisor is told that it may have been sent, or
//! the session is given up first, and COMMIT is never sent.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::error::{DbError, DbErrorKind};

/// What a session was doing when it was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// COMMIT had not been sent and never will be.
    Working,
    /// COMMIT had been sent: whether it was done is not known.
    Committing,
}

#[derive(Debug)]
struct State {
    waiting_since: Option<Instant>,
    stage: Stage,
    given_up: bool,
}

/// Shared by the thread that uses a session and the supervisor that watches it.
#[derive(Debug)]
pub struct Progress(Mutex<State>);

impl Default for Progress {
    fn default() -> Self {
        Self(Mutex::new(State { waiting_since: None, stage: Stage::Working, given_up: false }))
    }
}

impl Progress {
    /// Runs `send`, which sends something and waits for the answer; not if the session was given up.
    pub(super) fn waiting<T, E: From<DbError>>(
        &self,
        stage: Stage,
        send: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, E> {
        {
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

    /// For how long the session has been waiting for an answer, if it is.
    pub fn waiting_for(&self) -> Option<Duration> {
        self.state().waiting_since.map(|since| since.elapsed())
    }

    /// Gives the session up if it has been waiting for longer than `limit`; what it was doing.
    pub fn give_up_after(&self, limit: Duration) -> Option<Stage> {
        let mut state = self.state();
        if state.given_up || state.waiting_since.is_none_or(|since| since.elapsed() <= limit) {
            return None;
        }
        state.given_up = true;
        Some(state.stage)
    }

    /// Whether the session was given up.
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
