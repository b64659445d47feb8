//! Sends and receives with a time limit.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::chan::{Chan, Handle};
use super::ops::{Direction, Operation, Receiving, Sending};
use crate::time::{Timeout, timeout};

/// A send in progress with a time limit. See [`Sender::send_timeout`](super::Sender::send_timeout).
pub type SendTimeout<'a, T> = Timed<&'a Chan<T>, T, Sending>;

/// A receive in progress with a time limit. See [`Receiver::recv_timeout`](super::Receiver::recv_timeout).
pub type RecvTimeout<'a, T> = Timed<&'a Chan<T>, T, Receiving>;

/// An [`Operation`] with a time limit. When the limit runs out it is cancelled, and what it gives then is not lost.
#[pin_project]
#[must_use = "an operation does nothing unless awaited"]
pub struct Timed<H: Handle<T>, T, D: Direction<T>> {
    #[pin]
    operation: Timeout<Operation<H, T, D>>,
}

impl<H: Handle<T>, T, D: Direction<T>> Timed<H, T, D> {
    #[track_caller]
    pub(crate) fn new(limit: Duration, operation: Operation<H, T, D>) -> Self {
        Self { operation: timeout(limit, operation) }
    }
}

impl<H: Handle<T>, T, D: Direction<T>> fmt::Debug for Timed<H, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} with a limit", self.operation.get_ref())
    }
}

impl<H: Handle<T>, T, D: Direction<T>> Future for Timed<H, T, D> {
    type Output = D::Timed;

    /// # Panics
    /// If polled again after it was ready, or outside the run that created the channel.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<D::Timed> {
        let mut operation = self.project().operation;
        operation.as_mut().poll(cx).map(|ended| D::timed(ended.map_err(|_| operation.get_pin_mut().cancel())))
    }
}
