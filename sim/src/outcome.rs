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
use windtunnel::engine::{Run, Stop, Stopped, now, traced};
use windtunnel::task::TaskState;

use crate::faults::{FaultPlan, FaultRecord, PlanError, Planned};
use crate::net::Recording;
use crate::oracle::{self, Conditions, Sometimes};
use crate::trace::{Trace, TraceLine};
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
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Cause::Panic { message, .. } => message,
            Cause::Deadlock => "deadlock: no task can move and no timer is left",
            Cause::TimeLimit => "no end within an hour of simulated time",
        })
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
    /// The plan that the run was given.
    pub(crate) given: Option<Arc<FaultPlan>>,
}

/// Runs `body` under `seed` on a fresh thread: what came of the run and, if it ended by itself, the body's result.
pub(crate) fn run<T, F>(
    seed: u64,
    keep_lines: bool,
    given: Option<Arc<FaultPlan>>,
    body: impl FnOnce(Sim) -> F + Send + 'static,
) -> (Outcome, Option<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let thread = std::thread::Builder::new().name(format!("seed {seed}")).stack_size(STACK_BYTES);
    let run = move || run_here(seed, keep_lines, given, body);
    thread.spawn(run).expect("a thread can be started").join().expect("a run catches its panics")
}

fn run_here<T, F>(
    seed: u64,
    keep_lines: bool,
    given: Option<Arc<FaultPlan>>,
    body: impl FnOnce(Sim) -> F,
) -> (Outcome, Option<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let started = Instant::now();
    let run = Run::simulation(seed);
    let _entered = run.enter();
    let trace = Trace::new(keep_lines);
    oracle::replace(Some(Conditions::new()));
    let mut end = None;
    if keep_lines {
        run.network().record();
    }
    let simulate = || simulate(seed, given.clone(), body, &run, &trace, &mut end);
    let (facts, network) = traced(Box::new(trace.clone()), simulate);
    let (faults, planned, workloads) = facts;
    let sometimes = oracle::replace(None);
    let (hash, prefixes, lines) = trace.finish();
    let (cause, simulated, tasks, failed_task) = match run.stopped() {
        Some(Stopped { stop, at, tasks, task }) => (Some(cause(stop)), at, tasks, task),
        None => (None, end.as_ref().map_or(TIME_LIMIT, |(at, _)| *at), Vec::new(), None),
    };
    let (plan, refused) = carried_out(planned, &workloads, cause.is_some());
    let cause =
        cause.or_else(|| refused.as_ref().map(|error| Cause::Panic { message: error.to_string(), at: String::new() }));
    let real = started.elapsed();
    let trace = hash;
    let outcome = Outcome {
        seed,
        cause,
        simulated,
        real,
        faults,
        plan,
        refused,
        workloads,
        tasks,
        failed_task,
        trace,
        lines,
        sometimes,
        network,
        prefixes,
        given,
    };
    (outcome, end.map(|(_, result)| result))
}

/// The run proper. What stopped it is in `run`; when and how it ended by itself is put into `end`.
fn simulate<T, F>(
    seed: u64,
    given: Option<Arc<FaultPlan>>,
    body: impl FnOnce(Sim) -> F,
    run: &Run,
    trace: &Trace,
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

fn cause(stop: Stop) -> Cause {
    match stop {
        Stop::Panic { message, .. } if message.contains("all tasks will block forever") => Cause::Deadlock,
        Stop::Panic { message, .. } if message.starts_with("time limit exceeded") => Cause::TimeLimit,
        Stop::Panic { message, at } => Cause::Panic { message, at },
        Stop::Steps | Stop::Tasks | Stop::DataRace(_) => unreachable!("only a model stops so"),
    }
}
