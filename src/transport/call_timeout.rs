//! Ends the task of an HTTP/2 stream, or an HTTP/1.1 connection, at a time that its call sets.
//!
//! Hyper runs each HTTP/2 stream in a task of its own. While the peer does not read the response, flow control keeps
//! hyper from polling the response body, so no timeout inside the body would ever be noticed. Therefore the
//! timeout is part of the task: when it expires the task is dropped, which resets the stream and frees the
//! bytes that wait in it. Without it a peer could hold the memory of its calls for as long as it likes.
//!
//! An HTTP/1.1 connection serves one call after another in one task, whose timeout each call replaces. When a response has
//! been handed to the connection its last bytes may not be sent yet, so the timeout must not be taken away then: it becomes
//! the time that the connection may be idle.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::rt::Executor;
use tokio::time::Sleep;

/// The timeout of one stream's task: `None` until its call has set one.
#[derive(Clone, Default)]
struct TimeoutSlot(Arc<Mutex<Option<Pin<Box<Sleep>>>>>);

impl TimeoutSlot {
    fn lock(&self) -> MutexGuard<'_, Option<Pin<Box<Sleep>>>> {
        // Nothing panics while holding it.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

tokio::task_local! {
    /// The slot of the task that is polled at this moment, by which [`set_call_timeout`] finds it.
    static TIMEOUT: TimeoutSlot;
}

/// Ends the task of the current call at `end`, whatever it waits for then. Replaces an earlier timeout of the
/// same call; outside of a stream's task it does nothing.
pub fn set_call_timeout(end: Instant) {
    // An error means that there is no stream to end, as in a unit test of a handler.
    let _ = TIMEOUT.try_with(|slot| *slot.lock() = Some(Box::pin(tokio::time::sleep_until(end.into()))));
}

/// Runs a task until it is ready or a timeout that one of its calls has set has expired; then `None`.
pub fn timed<F: Future>(task: F) -> impl Future<Output = Option<F::Output>> {
    let timeout = TimeoutSlot::default();
    TimedTask { task: Box::pin(TIMEOUT.scope(timeout.clone(), task)), timeout }
}

/// Spawns the tasks of a connection's streams, each with a timeout that its call may set. Hyper asks it to.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamExecutor;

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        tokio::spawn(timed(stream));
    }
}

/// A task with a timeout that its calls set.
struct TimedTask<F> {
    task: Pin<Box<F>>,
    timeout: TimeoutSlot,
}

impl<F: Future> Future for TimedTask<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = self.task.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        // The task may have set its timeout just now, so it must be polled after the task: else nothing
        // would wake this task when it expires.
        match &mut *self.timeout.lock() {
            Some(sleep) => sleep.as_mut().poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::sync::oneshot;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Runs a stream that sets this timeout and then waits for `work`; answers when its task has ended with
    /// whether `work` was done, and how long that took.
    async fn run(timeout: Option<Duration>, work: impl Future<Output = ()> + Send + 'static) -> (bool, Duration) {
        let start = tokio::time::Instant::now();
        let (done, ended) = oneshot::channel();
        StreamExecutor.execute(async move {
            if let Some(timeout) = timeout {
                set_call_timeout((start + timeout).into_std());
            }
            work.await;
            let _ = done.send(());
        });
        // The sender is dropped with the task.
        (ended.await.is_ok(), start.elapsed())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_is_stuck_ends_at_its_timeout() {
        let (was_done, took) = run(Some(5 * SECOND), std::future::pending()).await;
        assert!(!was_done && took >= 5 * SECOND && took < 6 * SECOND, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_that_ends_in_time_is_not_cut_off() {
        let (was_done, took) = run(Some(5 * SECOND), tokio::time::sleep(4 * SECOND)).await;
        assert!(was_done && took < 5 * SECOND, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_without_a_timeout_runs_for_as_long_as_it_takes() {
        let (was_done, _) = run(None, tokio::time::sleep(100_000 * SECOND)).await;
        assert!(was_done);
    }

    #[tokio::test(start_paused = true)]
    async fn a_later_timeout_replaces_an_earlier_one() {
        let work = async {
            set_call_timeout((tokio::time::Instant::now() + 60 * SECOND).into_std());
            tokio::time::sleep(30 * SECOND).await;
        };
        let (was_done, _) = run(Some(SECOND), work).await;
        assert!(was_done);
    }

    #[tokio::test]
    async fn outside_of_a_stream_there_is_nothing_to_end() {
        set_call_timeout(Instant::now());
    }
}
