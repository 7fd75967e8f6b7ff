//! Bounds every wait for the database.
//!
//! A thread that waits inside a database driver cannot be interrupted. So the supervisor looks at the
//! [`Progress`](crate::repository::progress::Progress) of every session some twenty times a second. When one has
//! waited for too long, the session is given up: the thread's work is taken away from it, and a new thread on a
//! new session goes on with it. The old thread is abandoned; it ends by itself when the driver returns, if it
//! ever does. The number of abandoned threads is bounded, because each costs memory and a connection.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::availability::AvailabilityState;

/// The time between two checks. It is added to every timeout of the database, so it is short.
const INTERVAL: Duration = Duration::from_millis(50);
/// How many abandoned threads one writer, all readers together, or the prober may have. Beyond that no
/// replacement is started before an abandoned thread has ended.
pub(super) const MAX_ABANDONED_THREADS: usize = 16;

/// One or several threads that wait for the database.
pub trait Supervised: Send + Sync {
    /// Replaces the threads that have waited for too long. Called again and again; must not block.
    fn supervise(&self);
}

/// A queue of calls that wait for a thread.
pub trait PendingCalls: Send + Sync {
    /// Refuses the queued calls that cannot be served in this state, so that their callers do not wait for a
    /// database that is known to be unavailable.
    fn refuse_pending(&self, state: &AvailabilityState);
}

/// The thread that supervises all others. It ends when this is dropped.
pub struct Supervisor {
    stopping: Arc<StopSignal>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct StopSignal {
    is_set: Mutex<bool>,
    changed: Condvar,
}

impl StopSignal {
    fn set(&self) {
        *self.is_set.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Waits until it is set, at most for this long; returns whether it is.
    fn wait(&self, at_most: Duration) -> bool {
        let is_set = self.is_set.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(is_set, at_most, |is_set| !*is_set);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

impl Supervisor {
    /// Starts to supervise these threads.
    pub fn start(supervised: Vec<Arc<dyn Supervised>>) -> std::io::Result<Self> {
        let stopping = Arc::<StopSignal>::default();
        let signal = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
            // Waiting for the signal, instead of sleeping, lets the thread end at once.
            while !signal.wait(INTERVAL) {
                supervised.iter().for_each(|each| each.supervise());
            }
        })?;
        Ok(Self { stopping, thread: Some(thread) })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        self.stopping.set();
        if let Some(thread) = self.thread.take() {
            // This does not take long: a check never blocks. A panic in it was logged when it happened.
            let _ = thread.join();
        }
    }
}
