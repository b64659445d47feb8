//! The limits of a check.

use std::fmt;
use std::future::Future;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use windtunnel::engine::Limits;
use windtunnel::engine::explore::MOST_TASKS;

use crate::explore::{Explorer, Outcomes, Progress, SavedError};
use crate::search::Search;
use crate::{Report, Schedule, ScheduleError};

/// Tasks that loom can have, main included.
pub(crate) const LOOM_TASKS: u64 = 5;

/// Tasks that an exploration can have, main included.
pub(crate) const EXPLORE_TASKS: u64 = MOST_TASKS as u64 - 1;

/// What runs the executions of a check.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Engine {
    /// Every interleaving of operations under the C11 memory model, by loom: at most five tasks, and no time.
    #[default]
    Loom,
    /// Every order of steps that can make a difference, a step being a critical section: any number of tasks, and time.
    Explore,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Engine::Loom => "loom",
            Engine::Explore => "explore",
        })
    }
}

/// How executions are drawn at random, by explore, where there are too many to try them all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Sampling {
    /// By random priorities of tasks that change at `depth` - 1 random steps (PCT): the verdict says with what probability a bug is
    /// missed that needs at most `depth` steps to be in a certain order.
    Pct {
        /// At least 1; 2 or 3 for most bugs.
        depth: usize,
    },
    /// By random priorities of steps, drawn anew for those that race (POS): orders that differ are more equally likely than by
    /// random walks.
    Pos,
    /// By random walks: each task that can run is as likely.
    Random,
}

impl fmt::Display for Sampling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Sampling::Pct { depth } => write!(f, "PCT of depth {depth}"),
            Sampling::Pos => f.write_str("partial-order sampling"),
            Sampling::Random => f.write_str("random walks"),
        }
    }
}

/// A model check and its limits. All of them are honoured; one that is hit is named in the report, and makes it bounded.
#[derive(Clone, Copy, Debug)]
pub struct Builder {
    pub(crate) engine: Engine,
    pub(crate) preemptions: Option<usize>,
    pub(crate) delays: Option<usize>,
    pub(crate) sampling: Option<Sampling>,
    pub(crate) seed: u64,
    pub(crate) max_executions: Option<u64>,
    pub(crate) max_duration: Option<Duration>,
    pub(crate) max_memory: Option<usize>,
    pub(crate) limits: Limits,
    pub(crate) stop: Option<&'static AtomicBool>,
    pub(crate) threads: usize,
    pub(crate) progress: Option<fn(&Progress)>,
}

impl Default for Builder {
    fn default() -> Self {
        Self::new()
    }
}

impl Builder {
    /// On loom. No limit on executions, duration or preemptions; the engine's on tasks; 20,000 steps in an execution, two ticks
    /// of an interval.
    pub fn new() -> Self {
        let limits = Limits { tasks: u64::MAX, steps: 20_000, ticks: 2 };
        Self {
            engine: Engine::default(),
            preemptions: None,
            delays: None,
            sampling: None,
            seed: 0,
            max_executions: None,
            max_duration: None,
            max_memory: None,
            limits,
            stop: None,
            threads: 1,
            progress: None,
        }
    }

    /// Checks by this engine.
    #[must_use]
    pub fn engine(mut self, engine: Engine) -> Self {
        self.engine = engine;
        self
    }

    /// Explores only executions with at most this many preemptions: switches away from a task that could have gone on.
    /// Few are enough for most bugs, and make large models feasible; the verdict is bounded.
    #[must_use]
    pub fn preemptions(mut self, most: usize) -> Self {
        self.preemptions = Some(most);
        self
    }

    /// Explores, by explore, only executions in which a scheduler that lets each task run for as long as it can, and then the next
    /// one, passes at most so many times in all over whose turn it is; the verdict is bounded.
    #[must_use]
    pub fn delays(mut self, most: usize) -> Self {
        self.delays = Some(most);
        self.engine(Engine::Explore)
    }

    /// Draws executions at random, by explore, as many as [`max_executions`](Self::max_executions) says or else 10,000; the verdict
    /// is bounded, and says what may have been missed. Bounds on preemptions and delays have no effect on them.
    #[must_use]
    pub fn sample(mut self, sampling: Sampling) -> Self {
        self.sampling = Some(sampling);
        self.engine(Engine::Explore)
    }

    /// The seed of the executions that are drawn at random: the same seed gives the same ones. 0 unless told otherwise.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
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

    /// Stops an exploration once what it knows of the states on its paths takes so many bytes: it grows with the steps of an
    /// execution and the number of tasks, not with executions. What the program itself needs does not count. Of no effect on loom.
    #[must_use]
    pub fn max_memory(mut self, most: usize) -> Self {
        self.max_memory = Some(most);
        self
    }

    /// Fails an execution that has more tasks than this, main included; loom's own limit is 5, explore's 63.
    #[must_use]
    pub fn max_tasks(mut self, most: u64) -> Self {
        self.limits.tasks = most;
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

    /// Explores on so many threads at once. Which failing execution is the first then varies from run to run; each replays. Of
    /// no effect on loom.
    #[must_use]
    pub fn threads(mut self, threads: usize) -> Self {
        self.threads = threads;
        self
    }

    /// Has `show` called some times a second in the course of an exploration, by one of its threads. Of no effect on loom.
    #[must_use]
    pub fn on_progress(mut self, show: fn(&Progress)) -> Self {
        self.progress = Some(show);
        self
    }

    /// The limits on an execution, those of the engine among them.
    pub(crate) fn limits(&self) -> Limits {
        let most = match self.engine {
            Engine::Loom => LOOM_TASKS,
            Engine::Explore => EXPLORE_TASKS,
        };
        Limits { tasks: self.limits.tasks.min(most), ..self.limits }
    }

    /// Checks `body` under every interleaving, until one fails.
    pub fn check<F>(&self, name: &str, body: impl Fn() -> F + Send + Sync + 'static) -> Report
    where
        F: Future<Output = ()> + 'static,
    {
        match self.engine {
            Engine::Loom => Search::new(*self, name, body).run(),
            Engine::Explore => Explorer::new(*self, name, body).run(),
        }
    }

    /// Explores `body` from where the search that `file` keeps was stopped, or from the beginning if there is no such file. If it is
    /// stopped again (by a limit, or from outside), it is kept there; once it has come to its end, the file is removed. Limits of
    /// time and executions count from now on; the bounds must be those that the search began with. The executions that are
    /// reported are those of all of it.
    ///
    /// # Errors
    /// If the file keeps something else, `body` has changed since, or the file cannot be written.
    pub fn check_from<F>(
        &self,
        name: &str,
        body: impl Fn() -> F + Send + Sync + 'static,
        file: &Path,
    ) -> Result<Report, SavedError>
    where
        F: Future<Output = ()> + 'static,
    {
        match self.engine {
            Engine::Loom => Err(SavedError::NotExplored),
            Engine::Explore => Explorer::new(*self, name, body).run_from(file),
        }
    }

    /// Runs the one execution of `body` that `schedule` describes, by the engine that it comes from.
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
        match schedule.engine() {
            Engine::Loom => Search::new(self.engine(Engine::Loom), name, body).replay(schedule),
            Engine::Explore => Explorer::new(self.engine(Engine::Explore), name, body).replay(schedule),
        }
    }

    /// Every end of `body` in an exploration that goes on after failures, as `seen` describes it; without `reduced` each order of
    /// steps is tried.
    #[doc(hidden)]
    pub fn outcomes<F>(
        &self,
        reduced: bool,
        body: impl Fn() -> F + Send + Sync + 'static,
        seen: impl FnMut() -> String,
    ) -> Outcomes
    where
        F: Future<Output = ()> + 'static,
    {
        Explorer::new(self.engine(Engine::Explore), "outcomes", body).outcomes(reduced, seen)
    }
}
