//! The explore engine: a depth-first search over the orders of steps, by running the model again and again.
//!
//! Orders that differ only in steps that commute are one. Which other orders there are is learnt from each execution (dynamic
//! partial-order reduction): where two steps race, that is conflict and are ordered by nothing else, the other order is to be
//! tried. Source sets keep such additions few, and sleep sets (Godefroid, 1996) stop an execution that could only repeat what
//! was explored: no two executions that run to their end are equivalent.
//!
//! *Waits for a resource.* A task that simply waits for a mutex or for the end of a task gets the same whether its wait begins
//! before the resource is free or after. So an execution in which such a wait is ended by its resource is given up there, and not
//! counted: another one, in which the wait begins later, has its outcome. That holds only if nobody looks at who waits (by
//! `try_lock`, a time limit, a `select!`, an abort): once anybody does, the search begins anew, without that shortcut.

mod bound;
mod nearby;
mod path;
mod replay;
mod sample;
mod saved;
mod search;
mod shorten;
mod tree;

use std::collections::BTreeSet;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use windtunnel::engine::explore::Execution;
use windtunnel::engine::{Run, Stop, Stopped};
use windtunnel::task::TaskState;

pub use self::saved::SavedError;
use self::search::{Job, Mode, Search};
use crate::builder::Engine;
use crate::report::{FailureKind, Report};
use crate::{Body, Builder};

/// How far a search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Executions that ran to their end.
    pub executions: u64,
    /// Executions that were given up since others have their outcome.
    pub given_up: u64,
    /// Time since the search began.
    pub elapsed: Duration,
    /// The estimated share that is done, from 0 to 1: as if each alternative took as long as every other that is known so far.
    pub share: f64,
}

impl fmt::Display for Progress {
    #[expect(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "an estimate"
    )]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = self.executions + self.given_up;
        let rate = (all as f64 / self.elapsed.as_secs_f64()) as u64;
        write!(f, "{} executions, {rate} a second, about {:.0} % explored", self.executions, self.share * 100.0)
    }
}

/// What an exploration that goes on after failures found.
#[doc(hidden)]
#[derive(Clone, Debug)]
pub struct Outcomes {
    /// Executions that ran to their end.
    pub executions: u64,
    /// Executions that were given up since others have their outcome.
    pub given_up: u64,
    /// How they ended: what was seen, and how it failed, with who was blocked where.
    pub ends: BTreeSet<String>,
    /// The bounds that were hit.
    pub bounds: Vec<String>,
}

pub(crate) struct Explorer {
    builder: Builder,
    name: String,
    body: Arc<dyn Fn() -> Body + Send + Sync>,
    started: Instant,
}

/// How an execution failed, and where its tasks were.
type Failed = (FailureKind, Vec<TaskState>);

impl Explorer {
    pub(crate) fn new<F>(builder: Builder, name: &str, body: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = ()> + 'static,
    {
        let body = Arc::new(move || Box::pin(body()) as Body);
        Self { builder, name: name.into(), body, started: Instant::now() }
    }

    /// Searches until everything is explored, a limit is hit, or an execution fails.
    pub(crate) fn run(&self) -> Report {
        if let Some(sampling) = self.builder.sampling {
            return self.sample(sampling);
        }
        self.report(self.search(self.begin(true), Search::run)).0
    }

    /// What a search has found, and what it left.
    fn report(&self, search: Search<'_>) -> (Report, Vec<Job>) {
        let mut report = Report::new(&self.name, Engine::Explore);
        report.executions = search.executions.load(Ordering::Relaxed);
        report.given_up = search.given_up.load(Ordering::Relaxed);
        report.longest = search.longest.load(Ordering::Relaxed);
        let left_out = search.left_out.load(Ordering::Relaxed);
        let (found, left) = search.into_parts();
        report.add_assumptions(found.assumptions, left_out);
        found.bounds.into_iter().for_each(|bound| report.add_bound(bound));
        report.failure = found.failure.map(|(failed, blocks, number)| self.explain((failed, blocks), number));
        report.elapsed = self.started.elapsed();
        (report, left)
    }

    pub(crate) fn outcomes(&self, reduced: bool, mut seen: impl FnMut() -> String) -> Outcomes {
        let mut ends = BTreeSet::new();
        let mut ended = |failure: Option<(&FailureKind, &[TaskState])>| {
            ends.insert(match failure {
                None => seen(),
                Some((FailureKind::Deadlock | FailureKind::Leak, tasks)) => {
                    format!("{} blocked: {}", seen(), blocked(tasks))
                }
                // How far the others were then is of no interest.
                Some((kind, _)) => format!("{kind:?}"),
            });
            true
        };
        let search = self.search(self.begin(reduced), |search| search.run_here(&mut ended));
        let [executions, given_up] = [&search.executions, &search.given_up].map(|it| it.load(Ordering::Relaxed));
        let bounds = search.into_parts().0.bounds.iter().map(ToString::to_string).collect();
        Outcomes { executions, given_up, ends, bounds }
    }

    /// Runs a search, in one mode after another until one will do.
    fn search<'a>(&'a self, first: Search<'a>, mut run: impl FnMut(&Search<'a>) -> Option<Mode>) -> Search<'a> {
        let mut search = first;
        while let Some(mode) = run(&search) {
            search = Search::new(self, mode);
        }
        search
    }

    /// A search that has not begun.
    fn begin(&self, reduced: bool) -> Search<'_> {
        Search::new(self, Mode::new(&self.builder, reduced))
    }

    fn start(&self) -> Execution {
        let body = Arc::clone(&self.body);
        Execution::start(Run::explore(self.builder.limits()), async move { body().await })
    }
}

/// Who is blocked where.
fn blocked(tasks: &[TaskState]) -> String {
    let mut blocked: Vec<_> = tasks.iter().map(|task| format!("{} {}", task.label(), task.wait)).collect();
    blocked.sort();
    blocked.join(", ")
}

/// What became of an execution in which a task panicked.
fn failed(run: &Run) -> Failed {
    let Some(Stopped { stop, tasks, .. }) = run.stopped() else { return (FailureKind::Stale, run.tasks()) };
    let kind = match stop {
        Stop::Steps => FailureKind::NoProgress,
        Stop::Tasks => FailureKind::TooManyTasks,
        Stop::DataRace(race) => FailureKind::DataRace { race },
        Stop::Panic { message, at } => FailureKind::Panic { message, at },
        Stop::GivenUp => FailureKind::Stale,
    };
    (kind, tasks)
}

/// Whether an execution in which nothing can run could go on if more time passed than the model assumes.
fn is_left_out(execution: &Execution) -> bool {
    execution.holds_the_clock() && !execution.is_over()
}

/// How an execution failed in which nothing can run.
fn verdict(execution: &Execution) -> Option<Failed> {
    let run = execution.run();
    if is_left_out(execution) {
        return None;
    }
    let kind = match (execution.is_over(), run.main_ended()) {
        (true, _) => return None,
        (false, true) => FailureKind::Leak,
        (false, false) => FailureKind::Deadlock,
    };
    Some((kind, run.tasks()))
}
