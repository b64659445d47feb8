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
mod shorten;

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use windtunnel::engine::explore::{CLOCK, Choices, Execution, begin_search};
use windtunnel::engine::{Run, Stop, Stopped};
use windtunnel::task::TaskState;

use self::path::{Path, Tasks, has};
use crate::builder::Engine;
use crate::plan::Block;
use crate::report::{Bound, FailureKind, Report};
use crate::{Body, Builder};

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
    body: Arc<dyn Fn() -> Body>,
    started: Instant,
}

/// How a search goes about it.
#[derive(Clone, Copy)]
struct Mode {
    /// Leaves out equivalent executions.
    reduced: bool,
    /// Leaves out waits for resources that could begin later.
    skips_waits: bool,
    /// Keeps the order that checked cells are judged by.
    ordered: bool,
}

/// Is told how an execution ended; whether the search goes on after that.
type Ended<'a> = dyn FnMut(Option<(&FailureKind, &[TaskState])>) -> bool + 'a;

/// A search under way.
struct Search<'a> {
    explorer: &'a Explorer,
    mode: Mode,
    path: Path,
    executions: u64,
    given_up: u64,
    left_out: u64,
    assumptions: BTreeSet<&'static str>,
    bounds: Vec<Bound>,
    failure: Option<(Failed, Vec<Block>)>,
}

/// How an execution failed, and where its tasks were.
type Failed = (FailureKind, Vec<TaskState>);

/// Why an execution ended.
enum End {
    /// Nothing is left to run.
    Complete,
    /// What could follow is explored elsewhere, or beyond a bound.
    GivenUp,
    /// It contradicts what the model assumes.
    LeftOut,
    Failed(FailureKind, Vec<TaskState>),
    /// The search is to begin anew, in another mode.
    Anew(Mode),
}

impl Explorer {
    pub(crate) fn new<F>(builder: Builder, name: &str, body: impl Fn() -> F + 'static) -> Self
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
        let search = self.search(true, |failure| failure.is_none());
        let mut report = Report::new(&self.name, Engine::Explore);
        report.executions = search.executions;
        search.bounds.into_iter().for_each(|bound| report.add_bound(bound));
        report.add_assumptions(search.assumptions, search.left_out);
        report.failure = search.failure.map(|failure| self.explain(failure, search.executions));
        report.elapsed = self.started.elapsed();
        report
    }

    pub(crate) fn outcomes(&self, reduced: bool, mut seen: impl FnMut() -> String) -> Outcomes {
        let mut ends = BTreeSet::new();
        let search = self.search(reduced, |failure| {
            ends.insert(match failure {
                None => seen(),
                Some((FailureKind::Deadlock | FailureKind::Leak, tasks)) => {
                    format!("{} blocked: {}", seen(), blocked(tasks))
                }
                // How far the others were then is of no interest.
                Some((kind, _)) => format!("{kind:?}"),
            });
            true
        });
        let Search { executions, given_up, bounds, .. } = search;
        Outcomes { executions, given_up, ends, bounds: bounds.iter().map(ToString::to_string).collect() }
    }

    fn search(&self, reduced: bool, mut ended: impl FnMut(Option<(&FailureKind, &[TaskState])>) -> bool) -> Search<'_> {
        let (bounded, reducible) = (self.builder.is_bounded(), self.builder.is_reducible());
        let mut mode = Mode { reduced: reduced && reducible, skips_waits: reduced && !bounded, ordered: false };
        loop {
            let mut search = Search {
                explorer: self,
                mode,
                path: Path::new(mode.reduced, self.builder.is_bounded()),
                executions: 0,
                given_up: 0,
                left_out: 0,
                assumptions: BTreeSet::new(),
                bounds: self.builder.bounds(),
                failure: None,
            };
            match search.run(&mut ended) {
                Some(other) => mode = other,
                None => return search,
            }
        }
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

impl Search<'_> {
    /// Runs executions until nothing is left; the mode in which to begin anew, if this one will not do.
    fn run(&mut self, ended: &mut Ended<'_>) -> Option<Mode> {
        begin_search(self.mode.ordered);
        let mut next = None;
        loop {
            let builder = &self.explorer.builder;
            if let Some(bound) = builder.bound_hit(self.executions + self.left_out, self.explorer.started) {
                self.bounds.push(bound);
                return None;
            }
            // Until what came of it is told, it is not dropped: that runs the destructors of the model.
            let mut execution = self.explorer.start();
            let end = self.execute(&mut execution, next);
            self.assumptions.extend(execution.assumptions());
            match end {
                End::Anew(mode) => return Some(mode),
                End::GivenUp => self.given_up += 1,
                End::LeftOut => self.left_out += 1,
                End::Complete => {
                    self.executions += 1;
                    ended(None);
                }
                End::Failed(kind, tasks) => {
                    self.executions += 1;
                    if !ended(Some((&kind, &tasks))) {
                        self.failure = Some(((kind, tasks), self.blocks()));
                        return None;
                    }
                }
            }
            next = Some(self.backtrack()?);
        }
    }

    /// The step to be made at the last node of the path, which is cut back to there.
    fn backtrack(&mut self) -> Option<(usize, Choices)> {
        loop {
            let node = self.path.nodes.last_mut()?;
            if let Some(variant) = node.next_variant() {
                return Some(variant);
            }
            if self.mode.reduced || node.event.is_some() {
                node.finish_event();
            }
            let todo = self.within_bounds(self.path.nodes.last()?.todo());
            if let Some(task) = self.preferred(todo) {
                return Some((task, Choices::new()));
            }
            self.path.nodes.pop();
        }
    }

    /// Of the tasks that may run next, those that the bounds allow.
    fn within_bounds(&self, tasks: Tasks) -> Tasks {
        let builder = &self.explorer.builder;
        if !builder.is_bounded() {
            return tasks;
        }
        let allowed = |task: &usize| has(tasks, *task) && builder.is_within_bounds(self.path.spent_with(*task));
        (0..64).filter(allowed).map(|task| 1 << task).sum()
    }

    /// Who runs by preference.
    fn preferred(&self, tasks: Tasks) -> Option<usize> {
        let previous = self.path.previous();
        // What costs nothing goes first, where costs are bounded.
        let free = previous.filter(|task| self.explorer.builder.is_bounded() && *task != CLOCK && has(tasks, *task));
        free.or_else(|| replay::preferred(tasks, previous))
    }

    /// Runs an execution along the path, with `next` at its end, and on from there.
    fn execute(&mut self, execution: &mut Execution, next: Option<(usize, Choices)>) -> End {
        let along = self.path.nodes.len().saturating_sub(1);
        for node in &self.path.nodes[..along] {
            let event = node.event.as_ref().expect("all but the last node have one");
            if execution.step(event.task, event.choices.clone()).is_none() {
                return End::Failed(FailureKind::Stale, execution.run().tasks());
            }
        }
        let mut next = next;
        loop {
            let (task, choices) = match next.take() {
                Some(next) => next,
                None => match self.extend(execution) {
                    Ok(task) => (task, Choices::new()),
                    Err(end) => return end,
                },
            };
            let Some(step) = execution.step(task, choices) else {
                return End::Failed(FailureKind::Stale, execution.run().tasks());
            };
            let (panicked, redundant) = (step.panicked, step.redundant);
            self.path.enter(task, step);
            if let Some(end) = self.look(execution, panicked, redundant) {
                return end;
            }
        }
    }

    /// What an execution is ended by, after a step.
    fn look(&mut self, execution: &Execution, panicked: bool, redundant: bool) -> Option<End> {
        if execution.wants_order() && !self.mode.ordered {
            return Some(End::Anew(Mode { ordered: true, ..self.mode }));
        }
        if self.mode.skips_waits && execution.observed_waits() {
            return Some(End::Anew(Mode { skips_waits: false, ..self.mode }));
        }
        if panicked {
            let (kind, tasks) = failed(execution.run());
            return Some(End::Failed(kind, tasks));
        }
        (self.mode.skips_waits && redundant).then_some(End::GivenUp)
    }

    /// Adds the state that `execution` is in, and says which task runs there.
    fn extend(&mut self, execution: &Execution) -> Result<usize, End> {
        let enabled = execution.enabled();
        self.path.push(enabled);
        if enabled == 0 {
            self.note_bounds(execution.run());
            if is_left_out(execution) {
                return Err(End::LeftOut);
            }
            return Err(verdict(execution).map_or(End::Complete, |(kind, tasks)| End::Failed(kind, tasks)));
        }
        let node = self.path.nodes.last().expect("just added");
        let candidates = self.within_bounds(enabled & !node.asleep);
        let task = self.preferred(candidates).ok_or(End::GivenUp)?;
        let backtrack = if self.mode.reduced { 1 << task } else { enabled };
        self.path.nodes.last_mut().expect("just added").backtrack = backtrack;
        Ok(task)
    }

    fn note_bounds(&mut self, run: &Run) {
        let found = [(run.ticks_were_bounded(), Bound::Ticks), (run.awaited_foreign(), Bound::Foreign)];
        for (hit, bound) in found {
            if hit && !self.bounds.contains(&bound) {
                self.bounds.push(bound);
            }
        }
    }

    /// The path.
    fn blocks(&self) -> Vec<Block> {
        let events = self.path.nodes.iter().filter_map(|node| node.event.as_ref());
        replay::blocks(events.map(|event| (event.task, &event.choices)))
    }
}
