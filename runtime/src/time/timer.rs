//! A timer that can be stopped and set again.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use super::{Instant, Sleep, sleep};
use crate::backend;
use crate::task::{Op, blocked};

/// A timer that can be stopped and set again, as Go's since version 1.23.
///
/// It fires once each time it is set, when its time has come, whether or not anybody waits. Await `&mut timer`, in a `select!`
/// as well, to learn of it: once told, or stopped, it is pending until it is set again. Cancel safe.
///
/// ```
/// use windtunnel::{channel, select, time};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let (sender, receiver) = channel(1);
/// let mut idle = time::Timer::after(time::secs(60));
/// sender.send("hello").await.unwrap();
/// select! {
///     message = receiver.recv() => assert_eq!(message, Some("hello")),
///     () = &mut idle => panic!("nothing came for a minute"),
/// }
/// assert!(idle.reset(time::secs(60)), "it was still running");
/// assert!(idle.stop());
/// # });
/// ```
#[must_use = "a timer that nobody awaits has no effect"]
#[derive(Debug)]
pub struct Timer {
    /// `None` once it was stopped, or awaited to its end.
    sleep: Option<Pin<Box<Sleep>>>,
    at: &'static Location<'static>,
}

impl Timer {
    /// A timer that fires when `duration` has passed.
    #[track_caller]
    pub fn after(duration: Duration) -> Self {
        Self { sleep: Some(Box::pin(sleep(duration))), at: Location::caller() }
    }

    /// Stops it: from now on it does not fire. True if it was running; false if its time had come, or it was stopped before.
    pub fn stop(&mut self) -> bool {
        let was_running = self.is_running();
        self.sleep = None;
        was_running
    }

    /// Sets it to fire when `duration` has passed from now, and no more at its former time. True if it was running, as
    /// [`stop`](Self::stop).
    pub fn reset(&mut self, duration: Duration) -> bool {
        let was_running = self.is_running();
        match &mut self.sleep {
            Some(sleep) => sleep.as_mut().reset(Instant::now() + duration),
            None => self.sleep = Some(Box::pin(sleep(duration))),
        }
        was_running
    }

    fn is_running(&self) -> bool {
        self.sleep.as_ref().is_some_and(|sleep| !backend::has_come(sleep.deadline().0))
    }
}

impl Future for Timer {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let fires = self.sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready());
        if fires {
            self.sleep = None;
            return Poll::Ready(());
        }
        blocked(Op::Timer, None, self.at);
        Poll::Pending
    }
}
