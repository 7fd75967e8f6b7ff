//! The tasks of a connection's calls, each with an end that its call may set. An answer that its peer
//! does not read is not asked for its next bytes, and so cannot end itself: its task is ended, which
//! resets its stream and frees what waits in it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Instant;

use hyper::rt::Executor;
use tokio::time::Sleep;

/// When the task of a call ends, if its call has said so.
type End = Arc<Mutex<Option<Pin<Box<Sleep>>>>>;

tokio::task_local! {
    static END: End;
}

/// Ends the task of this call at `end`, whatever it waits for then. Outside of a call it does nothing.
pub fn set_call_timeout(end: Instant) {
    let set = |slot: &End| {
        let sleep = Box::pin(tokio::time::sleep_until(end.into()));
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(sleep);
    };
    // Without a task there is nothing to end.
    let _ = END.try_with(set);
}

/// Runs the calls of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct StreamExecutor;

impl<F> Executor<F> for StreamExecutor
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, call: F) {
        let end = End::default();
        let call = Box::pin(END.scope(Arc::clone(&end), call));
        tokio::spawn(TimedStream { call, end });
    }
}

struct TimedStream<F> {
    call: Pin<Box<F>>,
    end: End,
}

impl<F: Future> Future for TimedStream<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.call.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut end = self.end.lock().unwrap_or_else(PoisonError::into_inner);
        end.as_mut().map_or(Poll::Pending, |end| end.as_mut().poll(cx))
    }
}
