//! One run: a fresh thread, a fresh madsim runtime, the body on a node of its own, and everything dropped at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use madsim::runtime::Runtime;
use madsim::time::TimeHandle;
use windtunnel::engine::{Run, Stop, Stopped, now, traced};
use windtunnel::task::TaskState;

use crate::faults::{FaultPlan, FaultRecord, PlanError, Planned};
use crate::net::Recording;
use crate::oracle::{self, Conditions, Sometimes};
use crate::trace::{Account, MOST_FIRST_LINES, Trace, TraceLine};
use crate::watch::{self, Live, Patience, Stuck, Watch};
use crate::workload::Drawn;
use crate::world::{Facts, Sim};

/// A run that has not ended by then fails.
const TIME_LIMIT: Duration = Duration::from_hours(1);

/// A run's stack: bodies of deep futures in debug builds.
const STACK_BYTES: usize = 4 << 20;

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// A task panicked.
    Panic {
        /// The message.
        message: String,
        /// `file:line`.
        at: String,
    },
    /// No task can move and no timer is left.
    Deadlock,
    /// An hour of simulated time has passed.
    TimeLimit,
    /// It took more real time than there was patience.
    Stuck(Stuck),
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::Panic { message, .. } => f.write_str(message),
            Cause::Deadlock => f.write_str("deadlock: no task can move and no timer is left"),
            Cause::TimeLimit => f.write_str("no end within an hour of simulated time"),
            Cause::Stuck(stuck) => stuck.fmt(f),
        }
    }
}

impl Cause {
    /// The first line of the message.
    pub(crate) fn first_line(&self) -> String {
        self.to_string().lines().next().unwrap_or_default().to_owned()
    }
}

/// What came of one seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// Why it failed, if it did.
    pub cause: Option<Cause>,
    /// Simulated time at the end.
    pub simulated: Duration,
    /// Real time taken.
    pub real: Duration,
    /// What was done to the cluster, and how those faults of the plan ended that did.
    pub faults: Vec<FaultRecord>,
    /// The plan by which they were done: what was drawn, or given.
    pub plan: FaultPlan,
    /// Why the plan that was given could not be carried out.
    pub refused: Option<PlanError>,
    /// The workloads that were drawn, in order.
    pub workloads: Vec<Drawn>,
    /// Where every task was when the run failed.
    pub tasks: Vec<TaskState>,
    /// The number of the task that failed, if it was a task that did: one of `tasks`.
    pub failed_task: Option<u64>,
    /// The hash of the trace.
    pub trace: u64,
    /// The trace, if it was kept.
    pub lines: Vec<TraceLine>,
    /// What should hold in some run, and whether it did in this one.
    pub sometimes: BTreeMap<Sometimes, bool>,
    /// What went over the network, if the trace was kept.
    pub network: Recording,
    /// The low half of the hash after each line.
    pub(crate) prefixes: Vec<u32>,
    /// How it was run.
    pub(crate) terms: Terms,
}

impl Outcome {
    /// The line of this number, from 0, or the one that says that it was left out; if it was kept.
    pub(crate) fn line(&self, number: usize) -> Option<&TraceLine> {
        let whole = self.lines.len() <= 2 * MOST_FIRST_LINES;
        self.lines.get(if whole { number } else { number.min(MOST_FIRST_LINES) })
    }

    /// Whether the run was given up: another would be as well.
    pub(crate) fn is_stuck(&self) -> bool {
        matches!(self.cause, Some(Cause::Stuck(_)))
    }
}

/// How a seed is run.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// Whether every line of the trace is kept, and what goes over the network.
    pub record: bool,
    /// The plan that the run is given, in the place of the faults, and of the workloads, that the scenario draws.
    pub plan: Option<Arc<FaultPlan>>,
    /// What the run may take of real time.
    pub patience: Patience,
}

/// Runs `body` under `seed` on a fresh thread: what came of the run and, if it ended by itself, the body's result.
pub(crate) fn run<T, F>(seed: u64, terms: Terms, body: impl FnOnce(Sim) -> F + Send + 'static) -> (Outcome, Option<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let started = Instant::now();
    let watch = Arc::new(Watch::default());
    let (own, watched) = (terms.clone(), Arc::clone(&watch));
    let run = move || {
        watch::tell_end(Arc::clone(&watched));
        let (remains, result) = run_here(seed, &own, &watched, body);
        (remains.outcome(seed, own, watched.stuck()), result)
    };
    let thread = std::thread::Builder::new().name(format!("seed {seed}")).stack_size(STACK_BYTES);
    let thread = thread.spawn(run).expect("a thread can be started");
    let (mut outcome, result) = if watch.wait(terms.patience) {
        thread.join().expect("a run catches its panics")
    } else {
        (Remains::left_behind(&watch).outcome(seed, terms, watch.stuck()), None)
    };
    outcome.real = started.elapsed();
    (outcome, result)
}

/// What is left of a run, from which its outcome is made.
#[derive(Default)]
struct Remains {
    stopped: Option<Stopped>,
    /// When it ended by itself.
    ended: Option<Duration>,
    facts: Facts,
    network: Recording,
    sometimes: Conditions,
    said: Account,
}

impl Remains {
    /// Those of a run whose thread does not end: as much as it shares.
    fn left_behind(watch: &Watch) -> Self {
        let mut stopped = Stopped { stop: Stop::GivenUp, tasks: Vec::new(), task: None, at: Duration::ZERO };
        let Some(Live { run, sim, trace, clock }) = &*watch.live() else {
            return Self { stopped: Some(stopped), ..Self::default() };
        };
        stopped.tasks = run.tasks();
        stopped.at = clock.elapsed();
        let (network, said) = (run.network().take_recording(), trace.finish());
        Self { stopped: Some(stopped), facts: sim.facts(), network, said, ..Self::default() }
    }

    fn outcome(self, seed: u64, terms: Terms, stuck: Option<&Stuck>) -> Outcome {
        let (faults, planned, workloads) = self.facts;
        let (cause, simulated, tasks, failed_task) = match self.stopped {
            Some(Stopped { stop, at, tasks, task }) => {
                let suspect = || stuck.and_then(|stuck| stuck.task.as_ref()).map(|task| task.id);
                (Some(cause(stop, stuck)), at, tasks, task.or_else(suspect))
            }
            None => (None, self.ended.unwrap_or(TIME_LIMIT), Vec::new(), None),
        };
        let (plan, refused) = carried_out(planned, &workloads, cause.is_some());
        let refusal = || refused.as_ref().map(|error| Cause::Panic { message: error.to_string(), at: String::new() });
        Outcome {
            seed,
            cause: cause.or_else(refusal),
            simulated,
            real: Duration::ZERO,
            faults,
            plan,
            refused,
            workloads,
            tasks,
            failed_task,
            trace: self.said.hash,
            lines: self.said.lines,
            sometimes: self.sometimes,
            network: self.network,
            prefixes: self.said.prefixes,
            terms,
        }
    }
}

fn run_here<T, F>(seed: u64, terms: &Terms, watch: &Watch, body: impl FnOnce(Sim) -> F) -> (Remains, Option<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    // It keeps a generator for each thread, which follows the number of the thread otherwise.
    fastrand::seed(seed);
    let run = Run::simulation(seed);
    let _entered = run.enter();
    let trace = Trace::new(terms.record);
    oracle::replace(Some(Conditions::new()));
    if terms.record {
        run.network().record();
    }
    let mut end = None;
    let simulate = || simulate(seed, terms.plan.clone(), body, &run, &trace, watch, &mut end);
    let (facts, network) = traced(Box::new(trace.clone()), simulate);
    let sometimes = oracle::replace(None);
    let (ended, result) = end.unzip();
    (Remains { stopped: run.stopped(), ended, facts, network, sometimes, said: trace.finish() }, result)
}

/// The run proper. What stopped it is in `run`; when and how it ended by itself is put into `end`.
fn simulate<T, F>(
    seed: u64,
    given: Option<Arc<FaultPlan>>,
    body: impl FnOnce(Sim) -> F,
    run: &Run,
    trace: &Trace,
    watch: &Watch,
    end: &mut Option<(Duration, T)>,
) -> (Facts, Recording)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let mut runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
    runtime.set_time_limit(TIME_LIMIT);
    let sim = Sim::new(run.clone(), seed, runtime.handle(), given);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let clock = TimeHandle::current();
            watch.begin(Live { run: run.clone(), sim: sim.clone(), trace: trace.clone(), clock });
            let done = sim.spawn_on(sim.main(), "main", body(sim.clone()));
            *end = unless(run.carry(), done).await.and_then(Result::ok).map(|result| (now(), result));
        });
    }));
    trace.close();
    let network = run.network().take_recording();
    // Destructors run inside the context, so that nothing of this run is left to the next.
    let drained = catch_unwind(AssertUnwindSafe(|| runtime.block_on(sim.drain())));
    // A panic is noted in `run`; one in a destructor, after the end, has been noted there as well.
    drop((ended, drained));
    watch.end();
    (sim.facts(), network)
}

/// The plan that a run had, and why it had not the one that it was given.
fn carried_out(planned: Planned, workloads: &[Drawn], failed: bool) -> (FaultPlan, Option<PlanError>) {
    let unused =
        || planned.given.as_ref().filter(|given| !failed && !given.faults.is_empty() && planned.faults.is_none());
    let refused = planned.refused.or_else(|| unused().map(|given| given.unused()));
    let mut plan = FaultPlan::from(planned.faults.unwrap_or_default());
    plan.workload = workloads.iter().map(|workload| workload.kept.clone()).collect();
    (plan, refused)
}

/// Waits for `result`, unless `failure` comes first.
async fn unless<T>(failure: impl Future<Output = ()>, result: impl Future<Output = T>) -> Option<T> {
    let (mut failure, mut result) = (pin!(failure), pin!(result));
    poll_fn(|cx| match failure.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(None),
        Poll::Pending => result.as_mut().poll(cx).map(Some),
    })
    .await
}

pub(crate) fn cause(stop: Stop, stuck: Option<&Stuck>) -> Cause {
    match stop {
        Stop::GivenUp => Cause::Stuck(stuck.expect("who gives a run up says why first").clone()),
        Stop::Panic { message, .. } if message.contains("all tasks will block forever") => Cause::Deadlock,
        Stop::Panic { message, .. } if message.starts_with("time limit exceeded") => Cause::TimeLimit,
        Stop::Panic { message, at } => Cause::Panic { message, at },
        Stop::Steps | Stop::Tasks | Stop::DataRace(_) => unreachable!("only a model stops so"),
    }
}
