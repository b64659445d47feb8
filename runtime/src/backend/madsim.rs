//! madsim: a cluster in one thread, deterministic. A run has one thread, so tokio's lock, atomic and slot serve here, and the
//! network is the engine's.

use std::cell::OnceCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use madsim::time::TimeHandle;
use pin_project::pin_project;

use crate::engine::Pending;

pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(madsim::task::spawn(future));
}

thread_local! {
    /// The clock of the run, which has a thread to itself: asking madsim for it each time costs more than reading it.
    static CLOCK: OnceCell<TimeHandle> = const { OnceCell::new() };
}

/// Calls `f` with the clock of the run; `None` before it has begun.
fn with_clock<R>(f: impl FnOnce(&TimeHandle) -> R) -> Option<R> {
    CLOCK.with(|clock| {
        if clock.get().is_none() {
            clock.set(TimeHandle::try_current()?).ok()?;
        }
        clock.get().map(f)
    })
}

pub(crate) fn now() -> Duration {
    with_clock(TimeHandle::elapsed).unwrap_or_default()
}

/// Longer sleeps would overflow madsim's clock.
const LONGEST_SLEEP: Duration = Duration::from_hours(100 * 365 * 24);

/// madsim's, counted for as long as it is not over.
#[pin_project]
pub(crate) struct Sleep {
    #[pin]
    inner: madsim::time::Sleep,
    pending: Option<Pending>,
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let polled = this.inner.poll(cx);
        if polled.is_ready() {
            *this.pending = None;
        }
        polled
    }
}

pub(crate) fn sleep_until(deadline: Duration) -> Sleep {
    let now = now();
    let mut inner = madsim::time::sleep(deadline.saturating_sub(now).min(LONGEST_SLEEP));
    if deadline < now {
        // It is over, as on tokio; madsim would have it take its least millisecond.
        Pin::new(&mut inner).reset(madsim::time::Instant::now());
    }
    Sleep { inner, pending: Some(Pending::new()) }
}

/// Has `waker` woken at `at`.
pub(crate) fn wake_at(at: Duration, waker: &Waker) {
    with_clock(|clock| {
        let deadline = clock.now_instant() + at.saturating_sub(clock.elapsed());
        let mut sleep = pin!(clock.sleep_until(deadline));
        // A new sleep takes a millisecond at least; one that is reset takes what it is told.
        sleep.as_mut().reset(deadline);
        if sleep.poll(&mut Context::from_waker(waker)).is_ready() {
            waker.wake_by_ref();
        }
    });
}
