//! The halves of a channel as a stream and a sink, for the combinators of the futures crates.

use std::fmt;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::{FusedStream, Stream};
use futures_sink::Sink;
use pin_project::pin_project;

use super::SendError;
use super::chan::Handle;
use super::ops::{Operation, Receiving, Sending};

/// The receiving half of a channel as a [`Stream`]. See [`Receiver::into_stream`](super::Receiver::into_stream).
///
/// # Cancel safety
/// A dropped stream loses no message: what it had been handed goes to the next receiver, or back to the front.
#[pin_project]
#[must_use = "a stream does nothing unless polled"]
pub struct RecvStream<H: Handle<T>, T> {
    #[pin]
    recv: Operation<H, T, Receiving>,
    ended: bool,
}

impl<H: Handle<T>, T> RecvStream<H, T> {
    #[track_caller]
    pub(crate) fn new(handle: H) -> Self {
        Self { recv: Operation::new(handle, None, Location::caller()), ended: false }
    }
}

impl<H: Handle<T>, T> fmt::Debug for RecvStream<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RecvStream").field(&self.recv).finish()
    }
}

impl<H: Handle<T>, T> Stream for RecvStream<H, T> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let mut this = self.project();
        if *this.ended {
            return Poll::Ready(None);
        }
        let next = ready!(this.recv.as_mut().poll(cx));
        *this.ended = next.is_none();
        this.recv.rearm(None);
        Poll::Ready(next)
    }
}

impl<H: Handle<T>, T> FusedStream for RecvStream<H, T> {
    fn is_terminated(&self) -> bool {
        self.ended
    }
}

/// The sending half of a channel as a [`Sink`]. See [`Sender::into_sink`](super::Sender::into_sink).
///
/// It holds one value on its way to the channel; to flush is to wait until the channel has it. To close it is to flush it and
/// drop the handle.
///
/// # Errors
/// The value that was on its way when the channel was found closed.
#[pin_project]
#[must_use = "a sink does nothing unless polled"]
pub struct SendSink<H: Handle<T>, T> {
    /// `None` once closed.
    #[pin]
    send: Option<Operation<H, T, Sending>>,
    sending: bool,
}

impl<H: Handle<T>, T> SendSink<H, T> {
    #[track_caller]
    pub(crate) fn new(handle: H) -> Self {
        Self { send: Some(Operation::new(handle, None, Location::caller())), sending: false }
    }
}

impl<H: Handle<T>, T> fmt::Debug for SendSink<H, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SendSink").field(&self.send).finish()
    }
}

impl<H: Handle<T>, T> Sink<T> for SendSink<H, T> {
    type Error = SendError<T>;

    fn poll_ready(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        self.poll_flush(cx)
    }

    /// # Panics
    /// Without a `poll_ready` that was ready, or after the sink was closed.
    fn start_send(self: Pin<&mut Self>, value: T) -> Result<(), SendError<T>> {
        let this = self.project();
        assert!(!*this.sending, "a value is on its way: await `poll_ready` first");
        *this.sending = true;
        this.send.as_pin_mut().expect("a closed sink takes no value").rearm(Some(value));
        Ok(())
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let this = self.project();
        let Some(send) = this.send.as_pin_mut().filter(|_| *this.sending) else { return Poll::Ready(Ok(())) };
        let result = ready!(send.poll(cx));
        *this.sending = false;
        Poll::Ready(result)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let result = ready!(self.as_mut().poll_flush(cx));
        self.project().send.set(None);
        Poll::Ready(result)
    }
}
