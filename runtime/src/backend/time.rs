//! The sleep of each runtime behind one type, and what is assumed of time.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use pin_project::pin_project;

use super::Kind;
use crate::run;

#[pin_project(project = SleepProj)]
pub(crate) enum Sleep {
    Tokio(#[pin] super::tokio::Sleep),
    #[cfg(feature = "sim")]
    Madsim(#[pin] super::madsim::Sleep),
    #[cfg(feature = "model")]
    Loom(#[pin] super::loom::Sleep),
    #[cfg(feature = "model")]
    Explore(#[pin] super::explore::Sleep),
}

impl Sleep {
    /// A sleep until the moment `deadline`, as [`now`](super::now) counts.
    pub(crate) fn until(deadline: Duration) -> Self {
        match run::kind() {
            Kind::Tokio => Self::Tokio(super::tokio::sleep_until(deadline)),
            #[cfg(feature = "sim")]
            Kind::Madsim => Self::Madsim(super::madsim::sleep_until(deadline)),
            #[cfg(feature = "model")]
            Kind::Loom => Self::Loom(super::loom::sleep_until(deadline)),
            #[cfg(feature = "model")]
            Kind::Explore => Self::Explore(super::explore::sleep_until(deadline)),
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        match self.project() {
            SleepProj::Tokio(sleep) => sleep.poll(cx),
            #[cfg(feature = "sim")]
            SleepProj::Madsim(sleep) => sleep.poll(cx),
            #[cfg(feature = "model")]
            SleepProj::Loom(sleep) => sleep.poll(cx),
            #[cfg(feature = "model")]
            SleepProj::Explore(sleep) => sleep.poll(cx),
        }
    }
}

/// While it lives, something is assumed of time where time is explored.
#[derive(Debug)]
pub(crate) enum Assumption {
    Nothing,
    #[cfg(feature = "model")]
    #[expect(dead_code, reason = "held for its Drop")]
    Explore(super::explore::Assumption),
}

impl Assumption {
    /// From now on the clock does not reach the moment that is `limit` away, for the reason `what`.
    pub(crate) fn begin(limit: Duration, what: &'static str) -> Self {
        match run::kind() {
            #[cfg(feature = "model")]
            Kind::Explore => Self::Explore(super::explore::Assumption::begin(limit, what)),
            _ => {
                let _ = (limit, what);
                Self::Nothing
            }
        }
    }
}
