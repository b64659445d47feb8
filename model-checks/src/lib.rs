//! Model checks: every interleaving of a small program.
//!
//! ```
//! use windtunnel::{channel, spawn};
//!
//! #[windtunnel_model::test]
//! async fn a_value_sent_is_received() {
//!     let (values, input) = channel(0);
//!     spawn(async move { values.send(1).await.unwrap() });
//!     assert_eq!(input.recv().await, Some(1));
//! }
//! # fn main() {
//! #     let report = windtunnel_model::models()[0].check();
//! #     assert!(report.is_complete(), "{report}");
//! # }
//! ```
//!
//! The attribute makes the function a `#[test]` and enters it into [`models`]. There are two engines, and both stop at the first
//! execution that fails: a
//! *deadlock* (the main task is blocked), a *leak* (the main task has ended and others are blocked), a *panic*, a *data
//! race* (of two accesses to a cell), *no progress* (a task spins), or more tasks than the limit. The failure is reported with
//! who is blocked where, the steps that led there, and a schedule that replays just that execution.
//!
//! - [loom], unless told otherwise, runs the function once for each interleaving of operations that can make a difference, under
//!   the C11 memory model. It has five tasks and no time: a timer fires at once or as late as the other tasks allow.
//! - *explore* (`#[windtunnel_model::test(engine = explore)]`) takes a critical section as one step and runs the function once for
//!   each order of steps that can make a difference. It has up to 63 tasks, and time: an armed timer may fire at any moment, in
//!   the order of deadlines, and the clock shows the deadline of the one that fired last.
//!
//! Where even explore cannot try everything, a model is bounded ([`preemptions`](Builder::preemptions), [`delays`](Builder::delays))
//! or its executions are drawn at random ([`sample`](Builder::sample)); the verdict then says what was covered. What a model may
//! assume of time it says by `windtunnel::time::assume_within`, and the verdict names that: "complete, assuming a reply takes less
//! than the lease". A failure that explore finds is shown by a schedule that is as short as changes of the first one make it
//! ([`Failure::steps`]), and which survives unrelated edits of the program ([`Schedule`]). A task that spins is shown with its loop.
//!
//! A model that is too large for `cargo test` names the executions after which its `#[test]` stops, and says that it is bounded;
//! the command line searches it to the end: `#[windtunnel_model::test(engine = explore, test_executions = 1000)]`.
//!
//! Random choices take every value. A verdict is
//! *complete* only if the search ended by itself, under no bound. What the checker cannot see (std atomics and mutexes in the
//! code under test, futures that are not windtunnel's) is not explored; a task that awaits such a future makes the verdict
//! bounded.
//!
//! [loom]: https://docs.rs/loom

mod builder;
mod cycle;
mod explore;
mod plan;
mod report;
mod schedule;
mod search;

use std::future::Future;
use std::pin::Pin;

pub use builder::{Builder, Engine, Sampling};
#[doc(hidden)]
pub use explore::Outcomes;
pub use explore::{Progress, SavedError};
pub use report::{Failure, FailureKind, Report, set_replay_command};
pub use schedule::{Schedule, ScheduleError};
pub use windtunnel_macros::model_test as test;

#[doc(hidden)]
pub use inventory;

/// The future of a model's main task.
pub type Body = Pin<Box<dyn Future<Output = ()>>>;

/// A function under `#[windtunnel_model::test]`.
#[derive(Debug)]
pub struct Model {
    /// `module_path!()` of the function.
    pub module: &'static str,
    /// The function's name.
    pub function: &'static str,
    /// The package it is in.
    pub package: &'static str,
    /// The first line of its documentation.
    pub summary: &'static str,
    /// Its limits.
    pub builder: fn() -> Builder,
    /// Executions after which its `#[test]` stops, if it is too large for one; whoever checks it otherwise searches on.
    pub test_executions: Option<u64>,
    /// Calls it.
    pub body: fn() -> Body,
}

impl Model {
    /// `module::function`, by the last module only.
    pub fn name(&self) -> String {
        let module = self.module.rsplit("::").next().unwrap_or_default();
        format!("{module}::{}", self.function)
    }

    /// Checks the model.
    pub fn check(&self) -> Report {
        self.check_with((self.builder)())
    }

    /// Checks the model under other limits than its own.
    pub fn check_with(&self, builder: Builder) -> Report {
        let name = self.name();
        builder.check(&name, self.body).replayed_by(report::replay_template(&name, self.package))
    }

    /// Explores the model from where the search that `file` keeps was stopped: see [`Builder::check_from`].
    ///
    /// # Errors
    /// As there.
    pub fn check_from(&self, builder: Builder, file: &std::path::Path) -> Result<Report, SavedError> {
        let name = self.name();
        let report = builder.check_from(&name, self.body, file)?;
        Ok(report.replayed_by(report::replay_template(&name, self.package)))
    }

    /// Runs one execution of the model again.
    ///
    /// # Errors
    /// If the schedule belongs to another model, or the model has changed so that it no longer applies.
    pub fn replay(&self, schedule: &Schedule) -> Result<Report, ScheduleError> {
        let name = self.name();
        let report = (self.builder)().replay(&name, self.body, schedule)?;
        Ok(report.replayed_by(report::replay_template(&name, self.package)))
    }
}

/// An entry of the registry behind [`models`].
#[doc(hidden)]
#[derive(Debug)]
pub struct Registered(pub &'static Model);

inventory::collect!(Registered);

/// Enters a model into the registry.
#[doc(hidden)]
#[macro_export]
macro_rules! submit {
    ($model:expr) => {
        $crate::inventory::submit! { $crate::Registered($model) }
    };
}

/// Every model linked into this program, by name.
pub fn models() -> Vec<&'static Model> {
    let mut models: Vec<_> = inventory::iter::<Registered>().map(|entry| entry.0).collect();
    models.sort_by_key(|model| model.name());
    models
}

/// What the attribute's `#[test]` does: checks the model, or replays the schedule in `WINDTUNNEL_SCHEDULE`.
///
/// # Panics
/// With the report, if the model fails.
#[doc(hidden)]
pub fn run_test(model: &Model) {
    let report = match std::env::var("WINDTUNNEL_SCHEDULE") {
        Ok(text) => text.parse().and_then(|schedule| model.replay(&schedule)).unwrap_or_else(|error| panic!("{error}")),
        Err(_) => {
            let builder = (model.builder)();
            model.check_with(model.test_executions.map_or(builder, |most| builder.max_executions(most)))
        }
    };
    assert!(report.failure.is_none(), "\n{report}");
    println!("{report}");
}
