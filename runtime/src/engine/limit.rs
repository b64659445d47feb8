//! What a simulation must never have more of, looked at after each poll.

use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;

use super::{Run, Stop};
use crate::run;
use crate::task;

/// What is counted.
pub enum Measure {
    /// Live tasks.
    Tasks,
    /// Sleeps that are not over: those of tickers and timeouts as well.
    Timers,
    /// What a scenario counts by itself.
    Own(Box<dyn Fn() -> usize + Send>),
}

struct Limit {
    name: String,
    most: usize,
    measure: Measure,
    at: &'static Location<'static>,
}

/// The limits of a run, and what is counted for them.
#[derive(Default)]
pub(crate) struct Limits {
    declared: Mutex<Vec<Limit>>,
    /// Whether there are any: most runs have none, and every poll asks.
    some: AtomicBool,
    timers: AtomicUsize,
}

/// A sleep that is not over.
pub(crate) struct Pending(());

impl Pending {
    pub(crate) fn new() -> Self {
        run::with(|run| run.engine().sim.limits.timers.fetch_add(1, Ordering::Relaxed));
        Self(())
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        run::with(|run| run.engine().sim.limits.timers.fetch_sub(1, Ordering::Relaxed));
    }
}

impl Run {
    /// Ends the simulation, as a panic at `at` would, after the first poll that leaves more than `most` of `measure`.
    pub fn limit(&self, name: &str, most: usize, measure: Measure, at: &'static Location<'static>) {
        let Limits { declared, some, .. } = &self.0.engine().sim.limits;
        declared.lock().push(Limit { name: name.to_owned(), most, measure, at });
        some.store(true, Ordering::Relaxed);
    }
}

/// Looks at every limit of the run on this thread.
pub(super) fn look(run: &run::Run) {
    let engine = run.engine();
    let limits = &engine.sim.limits;
    if !limits.some.load(Ordering::Relaxed) {
        return;
    }
    // A measure of the scenario's own is called without the lock: it may do anything.
    let looked_at = std::mem::take(&mut *limits.declared.lock());
    for Limit { name, most, measure, at } in &looked_at {
        let count = match measure {
            Measure::Tasks => run.registry.live().len(),
            Measure::Timers => limits.timers.load(Ordering::Relaxed),
            // A panic of it is noted as the run's by the hook.
            Measure::Own(measure) => catch_unwind(AssertUnwindSafe(measure)).unwrap_or(usize::MAX),
        };
        if count > *most {
            let message = format!("limit: {name}: {count}, at most {most}");
            engine.record(Stop::Panic { message, at: task::place(at) }, &run.registry);
            engine.sim.wake_driver();
        }
    }
    limits.declared.lock().splice(0..0, looked_at);
}
