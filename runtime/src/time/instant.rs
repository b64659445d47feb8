//! Moments of a run's clock.

use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::time::Duration;

use crate::backend;

/// A moment of the run's monotonic clock.
///
/// Arithmetic saturates: past the last moment, some 5 × 10^11 years on, it stays there, and before the first, which is no later
/// than the run's start, as well. [`checked_add`](Self::checked_add) tells.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Instant(pub(super) Duration);

impl Instant {
    /// The present moment.
    pub fn now() -> Self {
        Self(backend::now())
    }

    /// Time since this moment; zero if it is still to come.
    pub fn elapsed(&self) -> Duration {
        Self::now() - *self
    }

    /// The moment `duration` later, unless that is after the last one.
    pub fn checked_add(&self, duration: Duration) -> Option<Self> {
        self.0.checked_add(duration).map(Self)
    }
}

impl Add<Duration> for Instant {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

impl AddAssign<Duration> for Instant {
    fn add_assign(&mut self, duration: Duration) {
        *self = *self + duration;
    }
}

impl Sub<Duration> for Instant {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(duration))
    }
}

impl SubAssign<Duration> for Instant {
    fn sub_assign(&mut self, duration: Duration) {
        *self = *self - duration;
    }
}

impl Sub for Instant {
    type Output = Duration;

    /// Zero if the right side is the later one.
    fn sub(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}
