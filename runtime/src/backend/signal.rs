//! The source of signals of each runtime behind one type.

use std::io;
use std::task::{Context, Poll};

use super::{Kind, tokio as real};
#[cfg(feature = "sim")]
use crate::engine::signal as simulated;
use crate::run;
use crate::signal::Signal;

pub(crate) enum Signals {
    Tokio(real::Signals),
    #[cfg(feature = "sim")]
    Madsim(simulated::Signals),
    /// None ever comes.
    #[cfg(feature = "model")]
    Loom,
}

impl Signals {
    pub(crate) fn listen(kinds: Vec<Signal>) -> io::Result<Self> {
        match run::kind() {
            Kind::Tokio => real::Signals::listen(kinds).map(Self::Tokio),
            #[cfg(feature = "sim")]
            Kind::Madsim => Ok(Self::Madsim(simulated::Signals::listen(kinds))),
            #[cfg(feature = "model")]
            Kind::Loom | Kind::Explore => Ok(Self::Loom),
        }
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut Context<'_>) -> Poll<Signal> {
        match self {
            Self::Tokio(signals) => signals.poll_recv(cx),
            #[cfg(feature = "sim")]
            Self::Madsim(signals) => signals.poll_recv(cx),
            #[cfg(feature = "model")]
            Self::Loom => Poll::Pending,
        }
    }
}
