//! Time of the run: the clock's on tokio, simulated in a simulation, without duration in a model.
//!
//! In a model a timer may fire at once or as late as the other tasks allow, and both are explored; `Instant::now()` does
//! not move there, and an interval ticks a bounded number of times, which makes the verdict bounded.

mod instant;
mod interval;
mod sleep;
mod timer;

pub use std::time::Duration;

pub use instant::Instant;
pub use interval::{Interval, MissedTickBehavior, interval, interval_at};
pub use sleep::{Elapsed, Sleep, Timeout, sleep, sleep_until, timeout, timeout_at};
pub use timer::Timer;

/// `n` seconds.
pub const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// `n` milliseconds.
pub const fn millis(n: u64) -> Duration {
    Duration::from_millis(n)
}
