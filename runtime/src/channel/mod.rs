//! Channels with Rust's ownership: many producers, many consumers, first in first out.
//!
//! [`channel(n)`](channel()) gives a [`Sender`] and a [`Receiver`], both cloneable. With `n == 0` it is a rendezvous: a send
//! completes when a receiver has the value. Otherwise up to `n` values are buffered. Dropping the last sender closes the
//! channel: receivers drain what is buffered and then see the end. After the last receiver is gone, a send fails and gives
//! the value back. For Go's rules (one handle, no effect of drops, explicit close) see [`go::channel`](crate::go::channel).

mod chan;
mod ops;

use std::fmt;
use std::panic::Location;
use std::sync::Arc;

pub(crate) use chan::Chan;
pub use ops::{Direction, Operation, Receiving, Recv, Send, Sending};

/// The value of a send that found the channel closed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct SendError<T>(pub T);

impl<T> fmt::Debug for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError").finish_non_exhaustive()
    }
}

impl<T> fmt::Display for SendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the channel is closed")
    }
}

impl<T> std::error::Error for SendError<T> {}

/// The value of a [`Sender::try_send`] that did not happen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum TrySendError<T> {
    /// No receiver waits and the buffer is full.
    Full(T),
    /// The channel is closed.
    Closed(T),
}

impl<T> fmt::Debug for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "Full(..)",
            TrySendError::Closed(_) => "Closed(..)",
        })
    }
}

impl<T> fmt::Display for TrySendError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TrySendError::Full(_) => "the channel is full",
            TrySendError::Closed(_) => "the channel is closed",
        })
    }
}

impl<T> std::error::Error for TrySendError<T> {}

/// Why a [`Receiver::try_recv`] gave no value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TryRecvError {
    /// Nothing is buffered and no sender waits.
    Empty,
    /// The channel is closed and drained.
    Closed,
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TryRecvError::Empty => "the channel is empty",
            TryRecvError::Closed => "the channel is closed and drained",
        })
    }
}

impl std::error::Error for TryRecvError {}

/// What every handle can be asked about its channel.
macro_rules! observers {
    () => {
        /// Values buffered at this moment: in a concurrent program it may be another the next.
        pub fn len(&self) -> usize {
            self.chan.len()
        }

        /// Whether nothing is buffered at this moment.
        pub fn is_empty(&self) -> bool {
            self.len() == 0
        }

        /// The number of values that the channel buffers; zero for a rendezvous.
        pub fn capacity(&self) -> usize {
            self.chan.capacity()
        }

        /// Whether the channel is closed; what is buffered can still be received.
        pub fn is_closed(&self) -> bool {
            self.chan.is_closed()
        }
    };
}
pub(crate) use observers;

/// A channel that buffers `capacity` values; none for a rendezvous.
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(None, capacity)
}

/// [`channel()`], with a name that reports and traces show.
pub fn named<T>(name: &'static str, capacity: usize) -> (Sender<T>, Receiver<T>) {
    pair(Some(name), capacity)
}

fn pair<T>(name: Option<&'static str>, capacity: usize) -> (Sender<T>, Receiver<T>) {
    let chan = Arc::new(Chan::new(name, capacity));
    (Sender { chan: Arc::clone(&chan) }, Receiver { chan })
}

/// The sending half of a [`channel()`]. Dropping the last clone closes the channel.
pub struct Sender<T> {
    chan: Arc<Chan<T>>,
}

impl<T> Sender<T> {
    /// Sends `value`: completes when it is buffered or, in a rendezvous, when a receiver has it.
    ///
    /// # Errors
    /// Gives the value back if every receiver is gone, before or while it waits.
    ///
    /// # Cancel safety
    /// A dropped send either happened or did not: if it was not complete, the value is dropped with it.
    #[track_caller]
    pub fn send(&self, value: T) -> Send<'_, T> {
        Send::new(&self.chan, Some(value), Location::caller())
    }

    /// Sends `value` if that needs no waiting.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.chan.try_send(value)
    }

    observers!();
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.chan.add_sender();
        Self { chan: Arc::clone(&self.chan) }
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        self.chan.drop_sender();
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sender({})", self.chan.label())
    }
}

/// The receiving half of a [`channel()`]. After the last clone is dropped every send fails, and what was buffered is dropped.
pub struct Receiver<T> {
    chan: Arc<Chan<T>>,
}

impl<T> Receiver<T> {
    /// Receives the next value, or `None` once the channel is closed and drained.
    ///
    /// # Cancel safety
    /// No message is lost: a dropped receive that had been handed a value gives it to the next receiver, or puts it back in
    /// front.
    #[track_caller]
    pub fn recv(&self) -> Recv<'_, T> {
        Recv::new(&self.chan, None, Location::caller())
    }

    /// Receives a value if one is there.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        self.chan.try_recv()
    }

    observers!();
}

impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.chan.add_receiver();
        Self { chan: Arc::clone(&self.chan) }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.chan.drop_receiver();
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Receiver({})", self.chan.label())
    }
}
