//! Time of the run: the clock's on tokio, simulated in a simulation, without duration in a model.
//!
//! In a model a timer may fire at once or as late as the other tasks allow, and both are explored; `Instant::now()` does
//! not move there, and an interval ticks a bounded number of times, which makes the verdict bounded.

use std::fmt;
use std::future::Future;
use std::ops::{Add, Sub};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project::pin_project;

pub use std::time::Duration;

use crate::backend;
use crate::task::{Op, blocked};

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}

/// A moment of the run's monotonic clock.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(Duration);

impl Instant {
    /// The present moment.
    pub fn now() -> Self {
        Self(backend::now())
    }

    /// Time since this moment; zero if it is still to come.
    pub fn elapsed(&self) -> Duration {
        Self::now() - *self
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero if the right side is the later one.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

/// Waits until `duration` has passed. Cancel safe.
#[track_caller]
pub fn sleep(duration: Duration) -> Sleep {
    Sleep { sleep: backend::Sleep::new(duration), at: Location::caller() }
}

/// See [`sleep`].
#[pin_project]
#[must_use = "a sleep does nothing unless awaited"]
pub struct Sleep {
    #[pin]
    sleep: backend::Sleep,
    at: &'static Location<'static>,
}

impl fmt::Debug for Sleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sleep").finish_non_exhaustive()
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let ready = this.sleep.poll(cx);
        if ready.is_pending() {
            blocked(Op::Sleep, None, this.at);
        } else {
            tracing::trace!(target: "windtunnel::time", "sleep is over");
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

/// Awaits `future` for at most `limit`; a result that is ready in time wins.
///
/// # Errors
/// [`Elapsed`] when the limit ran out; `future` is dropped then.
///
/// # Cancel safety
/// As `future`.
#[track_caller]
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F> {
    Timeout { future, sleep: sleep(limit) }
}

/// See [`timeout`].
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
        // Polled on the inner backend's sleep: where this task waits is what the future said.
        this.sleep.project().sleep.poll(cx).map(|()| {
            tracing::trace!(target: "windtunnel::time", "timeout");
            Err(Elapsed)
        })
    }
}

/// A tick now and every `period` from then on.
///
/// A tick that comes late does not move the later ones: they catch up at once.
///
/// # Panics
/// If `period` is zero.
pub fn interval(period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval's period must be longer than zero");
    Interval { next: Instant::now(), period, ticks: 0 }
}

/// See [`interval`].
#[derive(Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
    ticks: u64,
}

impl Interval {
    /// Waits for the next tick and returns its scheduled moment. Cancel safe: a dropped wait loses no tick.
    #[track_caller]
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        let at = Location::caller();
        async move {
            if !backend::may_tick(self.ticks) {
                std::future::pending::<()>().await;
            }
            let now = Instant::now();
            if self.ticks > 0 || self.next > now {
                Sleep { sleep: backend::Sleep::new(self.next - now), at }.await;
            }
            let tick = self.next;
            self.next = tick + self.period;
            self.ticks += 1;
            tick
        }
    }
}
