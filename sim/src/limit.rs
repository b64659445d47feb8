//! Metric bounds: what a run must never have more of.

use std::panic::Location;

use windtunnel::engine::Measure;

use crate::Sim;

/// Bounds, each looked at after every poll of a task: a run that exceeds one fails there, and the report names it.
impl Sim {
    /// At most so many live tasks in the cluster, the main one counted.
    #[track_caller]
    pub fn limit_tasks(&self, most: usize) {
        self.run().limit("live tasks", most, Measure::Tasks, Location::caller());
    }

    /// At most so many sleeps that are not over, those of tickers and timeouts counted.
    #[track_caller]
    pub fn limit_timers(&self, most: usize) {
        self.run().limit("timers", most, Measure::Timers, Location::caller());
    }

    /// At most so many of what `measure` counts: entries of a queue, retries, bytes. It is called within polls, so it must not
    /// wait.
    ///
    /// # Panics
    /// A panic of `measure` is the run's.
    #[track_caller]
    pub fn limit(&self, name: &str, most: usize, measure: impl Fn() -> usize + Send + 'static) {
        self.run().limit(name, most, Measure::Own(Box::new(measure)), Location::caller());
    }
}
