//! One run: a fresh thread, a fresh madsim runtime, the body on a node of its own, and everything dropped at the end.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use madsim::runtime::Runtime;
use windtunnel::engine::{Run, Stop, Stopped, now, traced};
use windtunnel::task::TaskState;

use crate::Body;
use crate::trace::Trace;
use crate::world::Sim;

/// A run that has not ended by then fails.
const TIME_LIMIT: Duration = Duration::from_hours(1);

/// A run's stack: bodies of deep futures in debug builds.
const STACK_BYTES: usize = 4 << 20;

/// A fault, as it was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultRecord {
    /// Simulated time.
    pub at: Duration,
    /// What was done, for example `partition {n2} | {n1, n3}`.
    pub what: String,
}

impl fmt::Display for FaultRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} s {}", self.at.as_secs_f64(), self.what)
    }
}

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
    /// The faults that were done.
    pub faults: Vec<FaultRecord>,
    /// Where every task was when the run failed.
    pub tasks: Vec<TaskState>,
    /// The hash of the trace.
    pub trace: u64,
    /// The trace, if it was kept.
    pub lines: Vec<String>,
    /// The low half of the hash after each line.
    pub(crate) prefixes: Vec<u32>,
}

/// Runs `body` under `seed`.
pub(crate) fn run(body: fn(Sim) -> Body, seed: u64, keep_lines: bool) -> Outcome {
    let thread = std::thread::Builder::new().name(format!("seed {seed}")).stack_size(STACK_BYTES);
    let run = move || run_here(body, seed, keep_lines);
    thread.spawn(run).expect("a thread can be started").join().expect("a run catches its panics")
}

fn run_here(body: fn(Sim) -> Body, seed: u64, keep_lines: bool) -> Outcome {
    let started = Instant::now();
    let run = Run::simulation(seed);
    let _entered = run.enter();
    let trace = Trace::new(keep_lines);
    let (simulated, faults) = traced(Box::new(trace.clone()), || simulate(body, seed, &run, &trace));
    let (hash, prefixes, lines) = trace.finish();
    let (cause, simulated, tasks) = match run.stopped() {
        Some(Stopped { stop, at, tasks }) => (Some(cause(stop)), at, tasks),
        None => (None, simulated, Vec::new()),
    };
    Outcome { seed, cause, simulated, real: started.elapsed(), faults, tasks, trace: hash, lines, prefixes }
}

/// The run proper. What stopped it is in `run`.
fn simulate(body: fn(Sim) -> Body, seed: u64, run: &Run, trace: &Trace) -> (Duration, Vec<FaultRecord>) {
    let mut runtime = Runtime::with_seed_and_config(seed, madsim::Config::default());
    runtime.set_time_limit(TIME_LIMIT);
    let sim = Sim::new(run.clone(), seed, runtime.handle());
    let simulated = std::sync::Mutex::new(TIME_LIMIT);
    let ended = catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            let done = sim.spawn_on_main(body(sim.clone()));
            // Either way the body is over: it has ended, or a task has panicked.
            first(done, run.failed()).await;
            *simulated.lock().expect("held nowhere else") = now();
        });
    }));
    trace.close();
    // Destructors run inside the context, so that nothing of this run is left to the next.
    let drained = catch_unwind(AssertUnwindSafe(|| runtime.block_on(sim.drain())));
    drop((ended, drained));
    let simulated = *simulated.lock().expect("held nowhere else");
    (simulated, sim.fault_records())
}

/// Waits for either.
async fn first<A>(a: impl Future<Output = A>, b: impl Future<Output = ()>) {
    let (mut a, mut b) = (std::pin::pin!(a), std::pin::pin!(b));
    std::future::poll_fn(|cx| {
        let ready = a.as_mut().poll(cx).is_ready() | b.as_mut().poll(cx).is_ready();
        if ready { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

fn cause(stop: Stop) -> Cause {
    match stop {
        Stop::Panic { message, .. } if message.contains("all tasks will block forever") => Cause::Deadlock,
        Stop::Panic { message, .. } if message.starts_with("time limit exceeded") => Cause::TimeLimit,
        Stop::Panic { message, at } => Cause::Panic { message, at },
        Stop::Steps | Stop::Tasks => unreachable!("a simulation has no such limits"),
    }
}
