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

pub mod history;
pub mod net;
pub mod oracle;
mod outcome;
mod report;
mod sweep;
pub mod timeline;
mod trace;
mod world;

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::AtomicBool;

pub use outcome::{Cause, FaultRecord, Outcome};
pub use report::{Divergence, Failure, set_replay_command};
pub use sweep::{Sweep, SweepReport};
pub use timeline::Timeline;
pub use trace::TraceLine;
pub use windtunnel_macros::sim_test as test;
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
        outcome::run(seed, false, self.body).0
    }

    /// [`run`](Self::run), keeping every line of the trace.
    pub fn run_traced(&self, seed: u64) -> Outcome {
        outcome::run(seed, true, self.body).0
    }
}

/// Runs `body` under `seed`: what came of the run and, unless it failed, the body's result. For generated workloads; a named
/// test over many seeds is a [`Scenario`].
pub fn simulate<T, F>(seed: u64, body: impl FnOnce(Sim) -> F + Send + 'static) -> (Outcome, Option<T>)
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    outcome::run(seed, false, body)
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

/// What the attribute's `#[test]` does: sweeps the scenario's seeds, or replays the seed in `WINDTUNNEL_SEED` and prints its
/// trace.
///
/// # Panics
/// With the report, if a seed fails.
#[doc(hidden)]
pub fn run_test(scenario: &Scenario) {
    if let Ok(text) = std::env::var("WINDTUNNEL_SEED") {
        let seed = text
            .parse()
            .unwrap_or_else(|_| panic!("WINDTUNNEL_SEED is `{text}`: set it to a number from 0 to 2^64 - 1"));
        let outcome = scenario.run_traced(seed);
        outcome.lines.iter().for_each(|line| println!("{line}"));
        if let Some(failure) = Failure::examine(scenario, outcome) {
            panic!("\n{failure}");
        }
        return;
    }
    let report = Sweep::new(0..scenario.seeds).run(scenario, &AtomicBool::new(false), &|| {});
    if let Some(failure) = &report.failure {
        panic!("\n{failure}");
    }
    if let Some(weakness) = report.weakness() {
        panic!("\n{}  {weakness}", report.name);
    }
    println!("{}  ok  {} seeds  traces {:08x}", report.name, report.runs, report.trace >> 32);
}
