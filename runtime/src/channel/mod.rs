//! Channels with Rust's ownership: many producers, many consumers, first in first out.
//!
//! [`channel(n)`](channel()) gives a [`Sender`] and a [`Receiver`], both cloneable. With `n == 0` it is a rendezvous: a send
//! completes when a receiver has the value. Otherwise up to `n` values are buffered. Dropping the last sender closes the
//! channel: receivers drain what is buffered and then see the end. After the last receiver is gone, a send fails and gives
//! the value back. For Go's rules (one handle, no effect of drops, explicit close) see [`go::channel`](crate::go::channel).

mod chan;
mod error;
mod forms;
mod ops;
mod stream;
mod timed;

use std::fmt;
use std::sync::Arc;

pub(crate) use chan::Chan;
pub use chan::Handle;
pub use error::{RecvTimeoutError, SendError, SendTimeoutError, TryRecvError, TrySendError};
pub(crate) use forms::{observers, receives, sends};
pub use ops::{Direction, Operation, Receiving, Recv, Send, Sending};
pub use stream::{RecvStream, SendSink};
pub use timed::{RecvTimeout, SendTimeout, Timed};

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
    sends!("every receiver is gone");
    observers!();
}

impl<T> Handle<T> for Sender<T> {
    fn chan(&self) -> &Chan<T> {
        &self.chan
    }
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
    receives!();
    observers!();
}

impl<T> Handle<T> for Receiver<T> {
    fn chan(&self) -> &Chan<T> {
        &self.chan
    }
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
