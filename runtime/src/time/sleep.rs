//! Waiting for a moment, and waiting for something else no longer than that.

use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::Instant;
use crate::backend;
use crate::said::say;
use crate::task::{Op, blocked};

/// Waits until `duration` has passed. Cancel safe.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    sleep_until(Instant::now() + duration)
}

/// Waits until `deadline`. Cancel safe.
///
/// Timers have the runtime's precision: milliseconds, never too early. A deadline more than a century away counts as that far.
#[track_caller]
pub fn sleep_until(deadline: Instant) -> Sleep {
    Sleep::until(deadline, Location::caller())
}

/// See [`sleep`] and [`sleep_until`].
#[pin_project]
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    #[pin]
    inner: backend::Sleep,
    deadline: Instant,
    at: &'static Location<'static>,
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl Sleep {
    /// [`sleep_until`], as part of the operation at `at`.
    pub(super) fn until(deadline: Instant, at: &'static Location<'static>) -> Self {
        Self { inner: backend::Sleep::until(deadline.0), deadline, at }
    }

    /// Polls it without a note of where the task waits.
    pub(crate) fn poll_unnoted(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().inner.poll(cx)
    }

    /// The moment at which it is over.
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    /// Sleeps until `deadline` instead, whether or not it was over. Poll it again afterwards: nothing is woken before that.
    pub fn reset(self: Pin<&mut Self>, deadline: Instant) {
        let mut this = self.project();
        this.inner.set(backend::Sleep::until(deadline.0));
        *this.deadline = deadline;
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let ready = this.inner.poll(cx);
        if ready.is_pending() {
            blocked(Op::Sleep, None, this.at);
        } else {
            say!("time", "sleep is over");
        }
        ready
    }
}

/// The time limit of a [`timeout`] ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Elapsed;

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit ran out")
    }
}

impl std::error::Error for Elapsed {}

impl From<Elapsed> for std::io::Error {
    fn from(elapsed: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, elapsed)
    }
}

/// Awaits `future` for at most `limit`; a result that is ready in time wins.
///
/// # Errors
/// [`Elapsed`] when the limit ran out; `future` is dropped with the timeout.
///
/// # Cancel safety
/// As `future`.
#[track_caller]
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(limit) }
}

/// [`timeout`], with the moment at which the time runs out.
#[track_caller]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep_until(deadline) }
}

/// See [`timeout`] and [`timeout_at`].
#[pin_project]
#[must_use = "a timeout does nothing unless awaited"]
#[derive(Debug)]
pub struct Timeout<F> {
    #[pin]
    future: F,
    #[pin]
    sleep: Sleep,
}

impl<F> Timeout<F> {
    /// The future under the limit.
    pub(crate) fn get_ref(&self) -> &F {
        &self.future
    }

    /// [`get_ref`](Self::get_ref), to be polled or cancelled.
    pub(crate) fn get_pin_mut(self: Pin<&mut Self>) -> Pin<&mut F> {
        self.project().future
    }
}

impl<F: Future> Future for Timeout<F> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Poll::Ready(output) = this.future.poll(cx) {
            return Poll::Ready(Ok(output));
        }
        // Where this task waits is what the future said.
        this.sleep.poll_unnoted(cx).map(|()| {
            say!("time", "timeout");
            Err(Elapsed)
        })
    }
}
