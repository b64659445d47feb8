//! A moment after which an operation fails instead of waiting.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::time::{Instant, Sleep, sleep_until};

/// A deadline, and the timer that runs while an operation waits.
#[derive(Default)]
pub(super) struct Deadline {
    at: Option<Instant>,
    /// Ends at that moment or, if the deadline was moved since, before it. Kept, since moving it costs nothing then.
    sleep: Option<(Instant, Pin<Box<Sleep>>)>,
}

impl fmt::Debug for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.at.fmt(f)
    }
}

impl Deadline {
    pub(super) fn set(&mut self, at: Option<Instant>) {
        self.at = at;
    }

    /// Fails once the deadline has passed.
    pub(super) fn check(&self) -> io::Result<()> {
        match self.at {
            Some(at) if at <= Instant::now() => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the deadline of the operation has passed"))
            }
            _ => Ok(()),
        }
    }

    /// For an operation that waits: has the task woken at the deadline, and fails when it has passed.
    pub(super) fn poll_waiting<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
        let Some(at) = self.at else { return Poll::Pending };
        loop {
            self.check()?;
            let (end, sleep) = match &mut self.sleep {
                Some((end, sleep)) if *end <= at => (*end, sleep),
                sleep => {
                    let (end, timer) = sleep.insert((at, Box::pin(sleep_until(at))));
                    (*end, timer)
                }
            };
            if sleep.as_mut().poll_unnoted(cx).is_pending() {
                return Poll::Pending;
            }
            if end >= at {
                self.at = Some(at.min(Instant::now()));
            }
            self.sleep = None;
        }
    }
}
