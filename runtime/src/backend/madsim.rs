//! madsim: a cluster in one thread, deterministic. A run has one thread, so tokio's lock, atomic and slot serve here, and the
//! network is the engine's.

use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Waker};
use std::time::Duration;

pub(crate) use madsim::time::Sleep;

pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(madsim::task::spawn(future));
}

pub(crate) fn now() -> Duration {
    madsim::time::TimeHandle::try_current().map_or(Duration::ZERO, |time| time.elapsed())
}

/// Longer sleeps would overflow madsim's clock.
const LONGEST_SLEEP: Duration = Duration::from_hours(100 * 365 * 24);

pub(crate) fn sleep_until(deadline: Duration) -> Sleep {
    let now = now();
    let mut sleep = madsim::time::sleep(deadline.saturating_sub(now).min(LONGEST_SLEEP));
    if deadline < now {
        // It is over, as on tokio; madsim would have it take its least millisecond.
        Pin::new(&mut sleep).reset(madsim::time::Instant::now());
    }
    sleep
}

/// Has `waker` woken at `at`. What is left of a run when its context has gone is not.
pub(crate) fn wake_at(at: Duration, waker: &Waker) {
    let Some(time) = madsim::time::TimeHandle::try_current() else { return };
    let deadline = time.now_instant() + at.saturating_sub(time.elapsed());
    let mut sleep = pin!(time.sleep_until(deadline));
    // A new sleep takes a millisecond at least; one that is reset takes what it is told.
    sleep.as_mut().reset(deadline);
    if sleep.poll(&mut Context::from_waker(waker)).is_ready() {
        waker.wake_by_ref();
    }
}
