//! Channels with Go's rules: one cloneable handle, no effect of drops, an explicit close.
//!
//! Because dropping a handle changes nothing, a program that leaks in Go leaks here too, and the checkers show it.

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

use crate::channel::{Chan, Recv, Send, TryRecvError, TrySendError, observers};

/// A channel that buffers `capacity` values; none for a rendezvous.
pub fn channel<T>(capacity: usize) -> Channel<T> {
    Channel { chan: Arc::new(Chan::new(None, capacity)) }
}

/// [`channel`], with a name that reports and traces show.
pub fn named<T>(name: &'static str, capacity: usize) -> Channel<T> {
    Channel { chan: Arc::new(Chan::new(Some(name), capacity)) }
}

/// A handle to a channel; every clone can send, receive and close.
pub struct Channel<T> {
    chan: Arc<Chan<T>>,
}

/// The channel had been closed before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CloseError;

impl fmt::Display for CloseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("close of a closed channel")
    }
}

impl std::error::Error for CloseError {}

impl<T> Channel<T> {
    /// Sends `value`: completes when it is buffered or, in a rendezvous, when a receiver has it. Nobody receiving, it waits
    /// for ever.
    ///
    /// # Errors
    /// Gives the value back if the channel is closed, before or while it waits. Go panics there: `unwrap` to do the same.
    ///
    /// # Cancel safety
    /// A dropped send either happened or did not: if it was not complete, the value is dropped with it.
    #[track_caller]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send::new(&self.chan, Some(value), Location::caller())
    }

    /// Receives the next value, or `None` once the channel is closed and drained.
    ///
    /// # Cancel safety
    /// No message is lost: a dropped receive that had been handed a value gives it to the next receiver, or puts it back in
    /// front.
    #[track_caller]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv::new(&self.chan, None, Location::caller())
    }

    /// Sends `value` if that needs no waiting.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.chan.try_send(value)
    }

    /// Receives a value if one is there.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.chan.try_recv()
    }

    /// Closes the channel: receivers drain what is buffered and then see the end, sends give their value back.
    ///
    /// # Errors
    /// If it was closed before. Go panics there: `unwrap` to do the same.
    pub fn close(&self) -> Result<(), CloseError> {
        if self.chan.close() { Ok(()) } else { Err(CloseError) }
    }

    observers!();
}

impl<T> Clone for Channel<T> {
    fn clone(&self) -> Self {
        Self { chan: Arc::clone(&self.chan) }
    }
}

impl<T> fmt::Debug for Channel<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Channel({})", self.chan.label())
    }
}
