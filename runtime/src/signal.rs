//! What asks a process from outside to stop, or to say what it does.
//!
//! In production these are the operating system's. In a simulation a scenario sends them to the processes of a node, which ends as
//! by a kill if nobody there listens; in a model none ever comes.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::panic::Location;
use std::task::Poll;

use crate::backend;
use crate::said::say;
use crate::task::{Op, blocked};

/// A signal, by POSIX's name for it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Signal {
    /// SIGHUP: the terminal is gone, or the configuration is to be read again.
    Hangup,
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGQUIT: Ctrl-\, by custom to say what it does.
    Quit,
    /// SIGTERM: to stop in good order.
    Terminate,
}

impl fmt::Display for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Hangup => "SIGHUP",
            Self::Interrupt => "SIGINT",
            Self::Quit => "SIGQUIT",
            Self::Terminate => "SIGTERM",
        })
    }
}

/// The signals of some kinds, from when it was made.
///
/// One that comes while the last of its kind has not been received is the same as that: of each kind one is kept, so none is
/// missed, and two may be told as one.
pub struct Signals(backend::Signals);

impl fmt::Debug for Signals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signals").finish_non_exhaustive()
    }
}

impl Signals {
    /// Listens for `kinds`. What the system does about them by itself, it does no longer: on tokio never again in this process.
    ///
    /// # Errors
    /// The system's. [`io::ErrorKind::Unsupported`] where there are no such signals.
    ///
    /// # Panics
    /// Outside a runtime.
    pub fn listen(kinds: impl IntoIterator<Item = Signal>) -> io::Result<Self> {
        backend::Signals::listen(kinds.into_iter().collect()).map(Self)
    }

    /// Waits for the next signal. Cancel safe: none is lost.
    #[track_caller]
    pub fn recv(&mut self) -> impl Future<Output = Signal> + Send + '_ {
        let at = Location::caller();
        poll_fn(move |cx| {
            let polled = self.0.poll_recv(cx);
            match polled {
                Poll::Pending => blocked(Op::Signal, None, at),
                Poll::Ready(signal) => say!("signal", "{signal} is received"),
            }
            polled
        })
    }
}
