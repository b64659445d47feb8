//! Something to do each period.

use std::future::Future;
use std::panic::Location;
use std::time::Duration;

use super::{Instant, Sleep};
use crate::backend;

/// What an [`Interval`] does once a tick was awaited too late, by more than 5 ms.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum MissedTickBehavior {
    /// Ticks that were missed come at once, one after another, until it has caught up.
    #[default]
    Burst,
    /// The next tick comes a period after the late one, and the others follow from there.
    Delay,
    /// Ticks that were missed are left out: the next comes at a multiple of the period from the start.
    Skip,
}

/// The precision of timers: a tick that is late by less has not been missed.
const TOLERANCE: Duration = Duration::from_millis(5);

impl MissedTickBehavior {
    /// The tick after the one of `tick`, which was told at `now`.
    fn next(self, tick: Instant, now: Instant, period: Duration) -> Instant {
        let late = now - tick;
        match self {
            MissedTickBehavior::Delay if late > TOLERANCE => now + period,
            MissedTickBehavior::Skip if late > TOLERANCE => now + period - remainder(late, period),
            _ => tick + period,
        }
    }
}

/// `duration` modulo `period`.
fn remainder(duration: Duration, period: Duration) -> Duration {
    let nanos = duration.as_nanos() % period.as_nanos();
    let seconds = u64::try_from(nanos / 1_000_000_000).expect("less than the period's");
    Duration::new(seconds, u32::try_from(nanos % 1_000_000_000).expect("less than a second"))
}

/// A tick now and every `period` from then on.
///
/// A tick that comes late does not move the later ones: they catch up at once, unless
/// [`set_missed_tick_behavior`](Interval::set_missed_tick_behavior) says otherwise.
///
/// # Panics
/// If `period` is zero.
pub fn interval(period: Duration) -> Interval {
    interval_at(Instant::now(), period)
}

/// [`interval`], with the first tick at `start`.
///
/// # Panics
/// If `period` is zero.
pub fn interval_at(start: Instant, period: Duration) -> Interval {
    assert!(!period.is_zero(), "an interval's period must be longer than zero");
    Interval { next: start, period, missed: MissedTickBehavior::default(), ticks: 0 }
}

/// See [`interval`].
#[derive(Debug)]
pub struct Interval {
    next: Instant,
    period: Duration,
    missed: MissedTickBehavior,
    ticks: u64,
}

impl Interval {
    /// Waits for the next tick and returns its scheduled moment. Cancel safe: a dropped wait loses no tick.
    #[track_caller]
    pub fn tick(&mut self) -> impl Future<Output = Instant> {
        let at = Location::caller();
        async move {
            if !backend::may_tick(self.ticks) {
                std::future::pending::<()>().await;
            }
            let mut now = Instant::now();
            if self.ticks > 0 || self.next > now {
                Sleep::until(self.next, at).await;
                now = Instant::now();
            }
            let tick = self.next;
            self.next = self.missed.next(tick, now, self.period);
            self.ticks += 1;
            tick
        }
    }

    /// Has the next tick come one period from now.
    pub fn reset(&mut self) {
        self.next = Instant::now() + self.period;
    }

    /// The time between two ticks.
    pub fn period(&self) -> Duration {
        self.period
    }

    /// What becomes of ticks that are awaited too late; [`Burst`](MissedTickBehavior::Burst) unless set.
    pub fn set_missed_tick_behavior(&mut self, behavior: MissedTickBehavior) {
        self.missed = behavior;
    }
}
