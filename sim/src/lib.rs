//! Deterministic simulation: a whole cluster in one thread, under faults, where any seed replays exactly.
//!
//! ```
//! use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
//! use windtunnel::net::{TcpListener, TcpStream};
//! use windtunnel_sim::Sim;
//!
//! /// A server answers although its link is slow.
//! #[windtunnel_sim::test(seeds = 16)]
//! async fn a_slow_server_answers(sim: Sim) {
//!     let server = sim.node("server", |node| async move {
//!         let listener = TcpListener::bind(node.addr(80)).await.unwrap();
//!         let (mut stream, _) = listener.accept().await.unwrap();
//!         stream.write_all(b"hello").await.unwrap();
//!         std::future::pending::<()>().await;
//!     });
//!     sim.slow_link(&server, sim.main(), windtunnel::time::millis(300));
//!     windtunnel::time::sleep(windtunnel::time::secs(1)).await;
//!     let mut stream = TcpStream::connect(server.addr(80)).await.unwrap();
//!     let mut answer = [0; 5];
//!     stream.read_exact(&mut answer).await.unwrap();
//!     assert_eq!(&answer, b"hello");
//! }
//! # fn main() {
//! #     windtunnel_sim::run_test(windtunnel_sim::scenarios()[0]);
//! # }
//! ```
//!
//! The attribute makes the function a `#[test]` that runs it once for each seed, in parallel, and enters it into
//! [`scenarios`]. A run is a pure function of (scenario, seed): the same alone, as one of a sweep, in another process. It
//! fails by a panic, by a deadlock (nothing can move and no timer is left), or by exceeding an hour of simulated time. A
//! failing seed is run again at once, and the report says whether it replays.
//!
//! What a run must not have too much of is declared: [`Sim::limit_tasks`], [`Sim::limit_timers`], and [`Sim::limit`] for queues,
//! retries and whatever else can be counted.
//!
//! A run that takes more than a minute of real time is given up, and the report names the task that spins or blocks the
//! thread. `WINDTUNNEL_PATIENCE`, in seconds, is another limit than the minute; 0 is none, for a debugger.
//!
//! # What a run depends on
//!
//! | what code draws from | in a run |
//! | --- | --- |
//! | windtunnel's `select!`, time, network and `rand` | follows the seed |
//! | std `HashMap`, `HashSet`, `RandomState` | neutralised: follows the seed |
//! | std `Instant` and `SystemTime` | neutralised: shows simulated time |
//! | `rand::rng()` of rand 0.9, seeded by getrandom 0.3 | neutralised: follows the seed |
//! | fastrand 2, its functions and `Rng::new()` | neutralised: follows the seed |
//! | a thread-local | neutralised: each run has a thread of its own |
//! | `std::thread::spawn` | refused: the run fails |
//! | tokio's `select!`, seeded by a count that the process keeps | reported: use [`windtunnel::select!`], or `biased` |
//! | `thread_rng()` of rand 0.8, which asks the kernel | reported |
//! | a static that runs change | reported |
//! | real time that is not asked of a clock, as in a file's | reported |
//! | the address of a value | reported |
//! | the address of a static or a function | seen only from another process |
//! | what the first run of a process makes for all | seen only from another process |
//!
//! *Reported*: a sweep that verifies (`--verify`, [`Sweep::verify`]) runs every seed twice and names the first event of the
//! trace that differs, if anything in the trace does. *Seen only from another process*: all runs of a process agree, and only
//! the hashes of two processes tell ([`SweepReport::trace`], `trace` in the output of `sweep --json`).

mod artifact;
pub mod faults;
pub mod history;
mod limit;
mod log;
pub mod net;
pub mod oracle;
mod outcome;
mod report;
pub mod shrink;
mod sweep;
#[doc(hidden)]
pub mod text;
pub mod timeline;
mod trace;
mod watch;
mod workload;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use faults::{FaultPlan, PlanError};
use shrink::{Budget, Regressions};

pub use faults::FaultRecord;
pub use log::{LogFilter, LogFilterError};
pub use outcome::{Cause, Outcome, Terms};
pub use report::{Divergence, Failure, set_replay_command};
pub use sweep::{Sweep, SweepReport};
pub use timeline::Timeline;
pub use trace::TraceLine;
pub use watch::{Hang, Patience, PatienceError, Stuck};
pub use windtunnel_macros::sim_test as test;
pub use workload::Drawn;
pub use world::{Node, Sim};

#[doc(hidden)]
pub use inventory;

/// The future of a scenario's main task.
pub type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A function under `#[windtunnel_sim::test]`.
#[derive(Debug)]
pub struct Scenario {
    /// `module_path!()` of the function.
    pub module: &'static str,
    /// The function's name.
    pub function: &'static str,
    /// The package it is in.
    pub package: &'static str,
    /// The first line of its documentation.
    pub summary: &'static str,
    /// Seeds that its test runs.
    pub seeds: u64,
    /// Calls it.
    pub body: fn(Sim) -> Body,
}

impl Scenario {
    /// `module::function`, by the last module only.
    pub fn name(&self) -> String {
        let module = self.module.rsplit("::").next().unwrap_or_default();
        format!("{module}::{}", self.function)
    }

    /// Runs one seed, on a fresh thread.
    pub fn run(&self, seed: u64) -> Outcome {
        self.start(seed, Terms::default())
    }

    /// [`run`](Self::run), keeping every line of the trace.
    pub fn run_traced(&self, seed: u64) -> Outcome {
        self.start(seed, Terms { record: true, ..Terms::default() })
    }

    /// [`run`](Self::run) with `plan` in the place of the faults, and of the workloads, that the scenario draws.
    pub fn run_with(&self, seed: u64, plan: FaultPlan) -> Outcome {
        self.start(seed, Terms { plan: Some(Arc::new(plan)), ..Terms::default() })
    }

    /// Runs one seed, on a fresh thread, on these terms.
    pub fn start(&self, seed: u64, terms: Terms) -> Outcome {
        outcome::run(seed, terms, self.body).0
    }

    /// The run again, recorded.
    pub(crate) fn again(&self, outcome: &Outcome) -> Outcome {
        self.start(outcome.seed, Terms { record: true, ..outcome.terms.clone() })
    }

    /// Whether `plan` is for this scenario, and fits its cluster under `seed`; one run tells.
    ///
    /// # Errors
    /// If it is for another scenario, or does not fit.
    pub fn accepts(&self, seed: u64, plan: &Arc<FaultPlan>, patience: Patience) -> Result<(), PlanError> {
        plan.is_for(&self.name(), None)?;
        let terms = Terms { record: false, plan: Some(Arc::clone(plan)), patience };
        self.start(seed, terms).refused.map_or(Ok(()), Err)
    }
}

/// Runs `body` under `seed`: what came of the run and, unless it failed, the body's result. For generated workloads; a named
/// test over many seeds is a [`Scenario`].
pub fn simulate<T, F>(seed: u64, body: impl FnOnce(Sim) -> F + Send + 'static) -> (Outcome, Option<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    outcome::run(seed, Terms::default(), body)
}

/// An entry of the registry behind [`scenarios`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Registered(pub &'static Scenario);

inventory::collect!(Registered);

/// Enters a scenario into the registry.
#[doc(hidden)]
#[macro_export]
macro_rules! submit {
    ($scenario:expr) => {
        $crate::inventory::submit! { $crate::Registered($scenario) }
    };
}

/// Every scenario linked into this program, by name.
pub fn scenarios() -> Vec<&'static Scenario> {
    let mut scenarios: Vec<_> = inventory::iter::<Registered>().map(|entry| entry.0).collect();
    scenarios.sort_by_key(|scenario| scenario.name());
    scenarios
}

/// Sweeps the scenario's seeds, or replays the seed in `WINDTUNNEL_SEED`, with the plan in the file `WINDTUNNEL_FAULTS` if that
/// is set too, and prints what `RUST_LOG` asks for of its trace.
///
/// # Panics
/// With the report, if a seed fails.
#[doc(hidden)]
pub fn run_test(scenario: &Scenario) {
    if let Ok(text) = std::env::var("WINDTUNNEL_SEED") {
        return replay(scenario, &text);
    }
    sweep_test(scenario, None);
}

/// What the attribute's `#[test]` does: [`run_test`], and before it the seeds that have failed, kept beside the source file.
///
/// # Panics
/// With the report, if a seed fails.
#[doc(hidden)]
pub fn run_test_beside(scenario: &Scenario, file: &str, manifest: &str) {
    if std::env::var_os("WINDTUNNEL_SEED").is_some() {
        return run_test(scenario);
    }
    let regressions = Regressions::beside(file, manifest);
    let seeds = regressions.as_ref().map_or(Ok(Vec::new()), |regressions| regressions.seeds(&scenario.name()));
    for seed in seeds.unwrap_or_else(|error| panic!("{error}")) {
        let running = AtomicBool::new(false);
        if let Some(failure) = Failure::smallest(scenario, scenario.run(seed), &running, &Budget::default()) {
            panic!("\na seed that has failed before fails again\n{failure}");
        }
    }
    sweep_test(scenario, regressions.as_ref());
}

fn sweep_test(scenario: &Scenario, regressions: Option<&Regressions>) {
    let report = Sweep::new(0..scenario.seeds).run(scenario, &AtomicBool::new(false), &|| {});
    if let Some(failure) = &report.failure {
        let kept = regressions.map_or(Ok(()), |it| it.enter(&failure.name, failure.outcome.seed, &failure.symptom()));
        let unkept = kept.err().map_or(String::new(), |error| format!("\n  the seed could not be kept: {error}"));
        panic!("\n{failure}{unkept}");
    }
    if let Some(weakness) = report.weakness() {
        panic!("\n{}  {weakness}", report.name);
    }
    println!("{}  ok  {} seeds  traces {:08x}", report.name, report.runs, report.trace >> 32);
}

fn replay(scenario: &Scenario, seed: &str) {
    let seed =
        seed.parse().unwrap_or_else(|_| panic!("WINDTUNNEL_SEED is `{seed}`: set it to a number from 0 to 2^64 - 1"));
    let plan = std::env::var_os("WINDTUNNEL_FAULTS").map(|file| {
        let plan = FaultPlan::read(file).and_then(|plan| plan.is_for(&scenario.name(), Some(seed)).map(|()| plan));
        Arc::new(plan.unwrap_or_else(|error| panic!("{error}")))
    });
    let filter = LogFilter::from_env().unwrap_or_else(|error| panic!("{error}"));
    let outcome = scenario.start(seed, Terms { record: true, plan, ..Terms::default() });
    outcome.lines.iter().filter(|line| filter.shows(line)).for_each(|line| println!("{line}"));
    if let Some(failure) = Failure::examine(scenario, outcome) {
        panic!("\n{failure}");
    }
}
