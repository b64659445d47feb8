//! madsim: a cluster in one thread, deterministic. A run has one thread, so tokio's lock, atomic and slot serve here, and the
//! network is the engine's.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

pub(crate) use madsim::time::Sleep;

pub(crate) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    drop(madsim::task::spawn(future));
}

pub(crate) fn now() -> Duration {
    madsim::time::TimeHandle::try_current().map_or(Duration::ZERO, |time| time.elapsed())
}

pub(crate) fn sleep(duration: Duration) -> Sleep {
    madsim::time::sleep(duration)
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
