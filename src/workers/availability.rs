//! Whether the database can be used at this moment.
//!
//! One prober decides it, see [`super::prober`]; all_grants else asks here before they begin, so that a call
//! is refused at once while the database is known to be unavailable, and nobody else tries the transport. Who
//! finds a fault asks the prober to look.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::error::ServiceFault;

/// What the database is good for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usable {
    /// Why reads are refused, if they are.
    pub reads: Option<ServiceFault>,
    /// Why writes are refused, if they are.
    pub writes: Option<ServiceFault>,
    /// Whether a writer has been waiting for an answer for so long that the instance should be looked
    /// away from, though it refuses nothing yet.
    pub is_stuck: bool,
}

impl Usable {
    /// For nothing: there is no connection to be had.
    pub fn unavailable() -> Self {
        Self {
            reads: Some(ServiceFault::DatabaseUnavailable),
            writes: Some(ServiceFault::DatabaseUnavailable),
            is_stuck: false,
        }
    }

    /// For reads alone.
    pub fn reads_alone(why: ServiceFault) -> Self {
        Self { reads: None, writes: Some(why), is_stuck: false }
    }

    /// Whether it is good for everything.
    pub fn is_serving(&self) -> bool {
        *self == Self::default()
    }
}

/// See the module. Clones share one state.
#[derive(Clone)]
pub struct Availability {
    usable: watch::Sender<Usable>,
    asked: Arc<(Mutex<bool>, Condvar)>,
}

impl Default for Availability {
    fn default() -> Self {
        Self { usable: watch::Sender::new(Usable::default()), asked: Arc::default() }
    }
}

impl Availability {
    /// Follows it.
    pub fn follow(&self) -> watch::Receiver<Usable> {
        self.usable.subscribe()
    }

    pub(super) fn check_reads(&self) -> Result<(), ServiceFault> {
        self.usable.borrow().reads.clone().map_or(Ok(()), Err)
    }

    pub(super) fn check_writes(&self) -> Result<(), ServiceFault> {
        self.usable.borrow().writes.clone().map_or(Ok(()), Err)
    }

    /// Notes what the prober found; whether that is news.
    pub(super) fn set(&self, usable: Usable) -> bool {
        self.usable.send_if_modified(|known| {
            let news = *known != usable;
            *known = usable;
            news
        })
    }

    /// Asks the prober to look now.
    pub(super) fn ask(&self) {
        *self.asked_flag() = true;
        self.asked.1.notify_all();
    }

    /// Waits until the prober is asked to look, at most for so long.
    pub(super) fn wait_until_asked(&self, at_most: Duration) {
        let asked = self.asked_flag();
        let waited = self.asked.1.wait_timeout_while(asked, at_most, |asked| !*asked);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    fn asked_flag(&self) -> MutexGuard<'_, bool> {
        // Nothing panics while holding it.
        self.asked.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
