//! Channels with Go's rules: one cloneable handle, no effect of drops, an explicit close.
//!
//! Because dropping a handle changes nothing, a program that leaks in Go leaks here too, and the checkers show it: a send
//! that nobody receives and a receive that nobody feeds wait for ever. Where Go panics (a send to a closed channel, a second
//! close) there is an error, which gives the value back: `unwrap` to do as Go does.

use std::fmt;
use std::sync::Arc;

use crate::channel::{Chan, Handle, observers, receives, sends};

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
    sends!("the channel is closed");
    receives!();

    /// Closes the channel: receivers drain what is buffered and then see the end, sends give their value back.
    ///
    /// # Errors
    /// If it was closed before. Go panics there: `unwrap` to do the same.
    pub fn close(&self) -> Result<(), CloseError> {
        if self.chan.close() { Ok(()) } else { Err(CloseError) }
    }

    observers!();
}

impl<T> Handle<T> for Channel<T> {
    fn chan(&self) -> &Chan<T> {
        &self.chan
    }
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
