//! The limits of a check.

use std::future::Future;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use windtunnel::engine::Limits;

use crate::search::Search;
use crate::{Report, Schedule, ScheduleError};

/// Tasks that loom can have, main included.
pub(crate) const LOOM_TASKS: u64 = 5;

/// A model check and its limits. All of them are honoured; one that is hit is named in the report, and makes it bounded.
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    pub(crate) preemptions: Option<usize>,
    pub(crate) max_executions: Option<u64>,
    pub(crate) max_duration: Option<Duration>,
    pub(crate) limits: Limits,
    pub(crate) stop: Option<&'static AtomicBool>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// No limit on executions, duration or preemptions; five tasks, 20,000 steps in an execution, two ticks of an interval.
    pub fn new() -> Self {
        let limits = Limits { tasks: LOOM_TASKS, steps: 20_000, ticks: 2 };
        Self { preemptions: None, max_executions: None, max_duration: None, limits, stop: None }
    }

    /// Explores only executions with at most this many preemptions: switches away from a task that could have gone on.
    /// Few are enough for most bugs, and make large models feasible; the verdict is bounded.
    #[must_use]
    pub fn preemptions(mut self, most: usize) -> Self {
        self.preemptions = Some(most);
        self
    }

    /// Stops the search after this many executions.
    #[must_use]
    pub fn max_executions(mut self, most: u64) -> Self {
        self.max_executions = Some(most);
        self
    }

    /// Stops the search after this time.
    #[must_use]
    pub fn max_duration(mut self, most: Duration) -> Self {
        self.max_duration = Some(most);
        self
    }

    /// [`max_duration`](Self::max_duration), in seconds.
    #[must_use]
    pub fn max_seconds(self, most: u64) -> Self {
        self.max_duration(Duration::from_secs(most))
    }

    /// Fails an execution that has more tasks than this, main included; loom's own limit is 5.
    #[must_use]
    pub fn max_tasks(mut self, most: u64) -> Self {
        self.limits.tasks = most.min(LOOM_TASKS);
        self
    }

    /// Fails an execution that makes more operations on shared objects than this: it makes no progress.
    #[must_use]
    pub fn max_steps(mut self, most: u64) -> Self {
        self.limits.steps = most;
        self
    }

    /// Lets each interval tick at most this often; a model with an interval is bounded.
    #[must_use]
    pub fn max_ticks(mut self, most: u64) -> Self {
        self.limits.ticks = most;
        self
    }

    /// Stops the search once `stop` is set: the report says that it was interrupted.
    #[must_use]
    pub fn stop_when(mut self, stop: &'static AtomicBool) -> Self {
        self.stop = Some(stop);
        self
    }

    /// Checks `body` under every interleaving, until one fails.
    pub fn check<F>(&self, name: &str, body: impl Fn() -> F + Send + Sync + 'static) -> Report
    where
        F: Future<Output = ()> + 'static,
    {
        Search::new(*self, name, body).run()
    }

    /// Runs the one execution of `body` that `schedule` describes.
    ///
    /// # Errors
    /// If the schedule belongs to another model, or the model has changed so that it no longer applies.
    pub fn replay<F>(
        &self,
        name: &str,
        body: impl Fn() -> F + Send + Sync + 'static,
        schedule: &Schedule,
    ) -> Result<Report, ScheduleError>
    where
        F: Future<Output = ()> + 'static,
    {
        Search::new(*self, name, body).replay(schedule)
    }
}
