//! Whether the database can be used at this moment, as the last probe found it.
//!
//! Only the prober decides that, see [`super::prober`]. Everything else checks the state here before it queues
//! work, so that calls are refused at once while the database is known to be unavailable instead of each waiting
//! for a timeout of its own. A worker that sees a fault does not change the state; it requests a probe.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::error::ServiceFault;

/// What the database can be used for. The default is: for everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AvailabilityState {
    /// The fault that reads are refused with; `None` while they are accepted.
    pub reads: Option<ServiceFault>,
    /// The fault that writes are refused with; `None` while they are accepted.
    pub writes: Option<ServiceFault>,
    /// Whether a writer has been waiting for an answer for so long that health should report NOT_SERVING, though
    /// no call is refused yet: the wait may still end well.
    pub writer_stalled: bool,
}

impl AvailabilityState {
    /// Nothing works: no connection can be made, or none is answered.
    pub fn unavailable() -> Self {
        Self {
            reads: Some(ServiceFault::DatabaseUnavailable),
            writes: Some(ServiceFault::DatabaseUnavailable),
            writer_stalled: false,
        }
    }

    /// Reads are accepted, and writes are refused with this fault.
    pub fn read_only(fault: ServiceFault) -> Self {
        Self { reads: None, writes: Some(fault), writer_stalled: false }
    }

    /// Whether health reports SERVING: everything is accepted, and no writer is stalled.
    pub fn is_serving(&self) -> bool {
        *self == Self::default()
    }
}

/// The state that the prober has published, and the way to request a probe. Clones share both.
#[derive(Clone)]
pub struct Availability {
    state: watch::Sender<AvailabilityState>,
    /// Whether a probe was requested since the last one began.
    probe_requested: Arc<(Mutex<bool>, Condvar)>,
}

impl Default for Availability {
    fn default() -> Self {
        Self { state: watch::Sender::new(AvailabilityState::default()), probe_requested: Arc::default() }
    }
}

impl Availability {
    /// Subscribes to the state and its changes.
    pub fn follow(&self) -> watch::Receiver<AvailabilityState> {
        self.state.subscribe()
    }

    pub(super) fn check_reads(&self) -> Result<(), ServiceFault> {
        match &self.state.borrow().reads {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    pub(super) fn check_writes(&self) -> Result<(), ServiceFault> {
        match &self.state.borrow().writes {
            Some(fault) => Err(fault.clone()),
            None => Ok(()),
        }
    }

    /// Publishes what a probe has found; returns whether it differs from what was known. Subscribers are woken
    /// only if it does.
    pub(super) fn set(&self, new: AvailabilityState) -> bool {
        self.state.send_if_modified(|state| {
            let is_changed = *state != new;
            *state = new;
            is_changed
        })
    }

    /// Has the prober probe now instead of at its next interval.
    pub(super) fn request_probe(&self) {
        *self.lock_request() = true;
        self.probe_requested.1.notify_all();
    }

    /// Waits until a probe is requested, at most for this long. A request that came before counts; it is used up
    /// by this.
    pub(super) fn wait_for_probe_request(&self, at_most: Duration) {
        let requested = self.lock_request();
        let waited = self.probe_requested.1.wait_timeout_while(requested, at_most, |requested| !*requested);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }

    fn lock_request(&self) -> MutexGuard<'_, bool> {
        // Nothing panics while holding it.
        self.probe_requested.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AN_HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn each_kind_of_call_is_refused_with_its_own_fault() {
        let availability = Availability::default();
        assert_eq!((availability.check_reads(), availability.check_writes()), (Ok(()), Ok(())));

        availability.set(AvailabilityState::read_only(ServiceFault::StorageFull));
        assert_eq!(availability.check_reads(), Ok(()));
        assert_eq!(availability.check_writes(), Err(ServiceFault::StorageFull));

        availability.set(AvailabilityState::unavailable());
        assert_eq!(availability.check_reads(), Err(ServiceFault::DatabaseUnavailable));
        assert_eq!(availability.check_writes(), Err(ServiceFault::DatabaseUnavailable));
    }

    #[test]
    fn a_stalled_writer_is_reported_and_refuses_nothing() {
        let availability = Availability::default();
        availability.set(AvailabilityState { writer_stalled: true, ..AvailabilityState::default() });
        assert_eq!((availability.check_reads(), availability.check_writes()), (Ok(()), Ok(())));
        assert!(!availability.follow().borrow().is_serving());
    }

    #[test]
    fn only_a_change_wakes_those_who_follow() {
        let availability = Availability::default();
        let mut followed = availability.follow();
        assert!(!availability.set(AvailabilityState::default()));
        assert!(!followed.has_changed().unwrap());
        assert!(availability.set(AvailabilityState::unavailable()));
        assert!(followed.has_changed().unwrap());
        assert!(!followed.borrow_and_update().is_serving());
        assert!(!availability.set(AvailabilityState::unavailable()));
        assert!(!followed.has_changed().unwrap());
    }

    #[test]
    fn a_request_ends_the_wait_whether_it_comes_before_or_during_it() {
        let availability = Availability::default();
        availability.request_probe();
        availability.wait_for_probe_request(AN_HOUR);

        assert!(!*availability.lock_request(), "a request is used up by the wait that it ends");
        let other = availability.clone();
        let waiting = std::thread::spawn(move || other.wait_for_probe_request(AN_HOUR));
        while !waiting.is_finished() {
            availability.request_probe();
            std::thread::yield_now();
        }
        waiting.join().unwrap();
    }

    #[test]
    fn without_a_request_the_wait_ends_by_itself() {
        Availability::default().wait_for_probe_request(Duration::from_millis(1));
    }
}
