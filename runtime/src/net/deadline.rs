//! A moment after which an operation fails instead of waiting.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::time::{Instant, Sleep, sleep_until};

/// A moment after which an operation fails, and the timer that runs while it waits: the deadlines of
/// [`TcpStream`](super::TcpStream), for other connections to have the same ones. Without a moment nothing fails.
///
/// ```
/// use std::io;
/// use std::pin::Pin;
/// use std::task::{Context, Poll};
///
/// use windtunnel::io::{AsyncRead, ReadBuf};
/// use windtunnel::net::Deadline;
///
/// struct Limited<R> {
///     inner: R,
///     deadline: Deadline,
/// }
///
/// impl<R: AsyncRead + Unpin> AsyncRead for Limited<R> {
///     fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
///         self.deadline.check()?;
///         match Pin::new(&mut self.inner).poll_read(cx, buf) {
///             Poll::Pending => self.deadline.poll_waiting(cx),
///             ready => ready,
///         }
///     }
/// }
/// ```
#[derive(Default)]
pub struct Deadline {
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
    /// Sets the moment; `None` takes it away. Counts from the next poll on: whoever waits is the one who sets it.
    pub fn set(&mut self, at: Option<Instant>) {
        self.at = at;
    }

    /// Whether an operation may begin.
    ///
    /// # Errors
    /// [`io::ErrorKind::TimedOut`] once the deadline has passed, until another is set.
    pub fn check(&self) -> io::Result<()> {
        match self.at {
            Some(at) if at <= Instant::now() => {
                Err(io::Error::new(io::ErrorKind::TimedOut, "the deadline of the operation has passed"))
            }
            _ => Ok(()),
        }
    }

    /// For an operation that waits, after it has noted who is to wake the task: has the task woken at the deadline too. It is
    /// never ready but with an error.
    ///
    /// # Errors
    /// As [`check`](Self::check).
    ///
    /// # Panics
    /// Outside a runtime, if a moment is set.
    pub fn poll_waiting<T>(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
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
