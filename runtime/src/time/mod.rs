//! Time of the run: the clock's on tokio, simulated in a simulation, without duration in a model.
//!
//! In a model a timer may fire at once or as late as the other tasks allow, and both are explored; `Instant::now()` does
//! not move there, and an interval ticks a bounded number of times, which makes the verdict bounded. By the engine explore a timer
//! may fire at any moment, in the order of deadlines, and `now()` is the deadline of the one that fired last; what a model assumes
//! beyond that it says by [`assume_within`].

mod assume;
mod instant;
mod interval;
mod sleep;
mod timer;

pub use std::time::{Duration, SystemTime};

pub use assume::{AssumeWithin, assume_within};
pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Elapsed, Sleep, Timeout, sleep, sleep_until, timeout, timeout_at};
pub use timer::Timer;

/// The wall clock: the system's on tokio, the epoch in a model.
///
/// In a simulation it begins at a moment drawn from the seed, and each node has its own, which a fault can set or have run fast
/// or slow. It may go back: measure with [`Instant`], which keeps its promise on every node.
pub fn system_now() -> SystemTime {
    crate::backend::system_now()
}

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
