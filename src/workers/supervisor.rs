//! Sees to it that no wait for the database is without a bound of the service's own.
//!
//! A thread that waits in a driver cannot be woken. So the supervisor looks at every session's
//! [`Progress`](crate::repository::progress::Progress) some twenty times a second, and where one has waited
//! for too long its work is taken away and a new thread, on a new session, goes on with it. The old thread
//! ends when the driver returns; how many of them there may be is bounded.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::availability::Usable;

/// How often it looks.
const EVERY: Duration = Duration::from_millis(50);
/// How many threads one writer, all readers together, or the prober may have left behind in a driver.
/// Beyond that no new one is started before an old one ends.
pub(super) const MAX_LEFT_BEHIND: usize = 16;

/// A thread, or several, that wait for the database.
pub trait Supervised: Send + Sync {
    /// Replaces the threads that have waited for too long.
    fn supervise(&self);
}

/// Where calls wait for the database.
pub trait Waiters: Send + Sync {
    /// Refuses those that the database cannot be used for now.
    fn refuse_waiting(&self, usable: &Usable);
}

/// See the module. Its thread ends when this is dropped.
pub struct Supervisor {
    stopping: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Supervisor {
    /// Starts it over these.
    pub fn start(supervised: Vec<Arc<dyn Supervised>>) -> std::io::Result<Self> {
        let stopping: Arc<(Mutex<bool>, Condvar)> = Arc::default();
        let stops = Arc::clone(&stopping);
        let thread = std::thread::Builder::new().name("supervisor".to_owned());
        let thread = thread.spawn(move || {
            while !is_set(&stops, EVERY) {
                supervised.iter().for_each(|each| each.supervise());
            }
        })?;
        Ok(Self { stopping, thread: Some(thread) })
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        *self.stopping.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopping.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It holds no lock of ours while it waits, and each look is short.
            let _ = thread.join();
        }
    }
}

fn is_set(flag: &(Mutex<bool>, Condvar), wait: Duration) -> bool {
    let held = flag.0.lock().unwrap_or_else(PoisonError::into_inner);
    *flag.1.wait_timeout_while(held, wait, |set| !*set).unwrap_or_else(PoisonError::into_inner).0
}
