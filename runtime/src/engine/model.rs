//! What an execution of a model keeps: its limits, how far it is, and the choices it met.

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::Location;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use parking_lot::Mutex;

use super::{Engine, Run, Stop};
use crate::backend::{self, Kind};
use crate::run;
use crate::task::{self, Entry};

/// See the module.
pub(crate) struct Model {
    limits: Limits,
    tasks: AtomicU64,
    steps: AtomicU64,
    choices: Mutex<Choices>,
    ticks_bounded: AtomicBool,
    pub(super) main_ended: AtomicBool,
    probing: AtomicBool,
}

/// Bounds on one execution. They are honoured, and reported when hit.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Tasks, the main one included.
    pub tasks: u64,
    /// Operations on shared objects.
    pub steps: u64,
    /// Ticks of each interval; later ones never come, and the verdict is bounded.
    pub ticks: u64,
}

impl Default for Model {
    /// Without limits.
    fn default() -> Self {
        Self {
            limits: Limits { tasks: u64::MAX, steps: u64::MAX, ticks: u64::MAX },
            tasks: AtomicU64::new(1),
            steps: AtomicU64::new(0),
            choices: Mutex::default(),
            ticks_bounded: AtomicBool::new(false),
            main_ended: AtomicBool::new(false),
            probing: AtomicBool::new(false),
        }
    }
}

impl Model {
    pub(super) fn new(limits: Limits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// The explored alternative of the current task's next choice.
    pub(crate) fn explore(&self, alternatives: usize) -> usize {
        let task = task::current().map_or(0, |entry| entry.id);
        self.choices.lock().next(task, alternatives)
    }

    /// Whether an interval may tick again after `ticks` ticks.
    pub(crate) fn may_tick(&self, ticks: u64) -> bool {
        let more = ticks < self.limits.ticks;
        if !more {
            self.ticks_bounded.store(true, Ordering::Relaxed);
        }
        more
    }

    /// Whether a panic is to go unnoticed: see [`unnoticed`].
    pub(crate) fn is_probing(&self) -> bool {
        self.probing.load(Ordering::Relaxed)
    }
}

/// Counts an operation on a shared object, and ends the execution at the limit.
pub(crate) fn count_step() {
    let model =
        |run: &run::Run| run.engine().model.steps.fetch_add(1, Ordering::Relaxed) < run.engine().model.limits.steps;
    if !run::with(model) {
        halt(Stop::Steps);
    }
}

/// Counts a task, and ends the execution at the limit.
pub(crate) fn count_task() {
    let model =
        |run: &run::Run| run.engine().model.tasks.fetch_add(1, Ordering::Relaxed) < run.engine().model.limits.tasks;
    if !run::with(model) {
        halt(Stop::Tasks);
    }
}

/// Calls `probe`, which asks loom something that it answers no by a panic, and catches that.
pub(crate) fn unnoticed<R>(probe: impl FnOnce() -> R) -> R {
    let probing = |on| run::with(|run| run.engine().model.probing.store(on, Ordering::Relaxed));
    probing(true);
    let answer = probe();
    probing(false);
    answer
}

/// Ends the execution.
pub(crate) fn halt(stop: Stop) -> ! {
    /// The payload of a panic that ends an execution whose verdict is already noted.
    struct Halt;

    run::with(|run| run.engine().record(stop, &run.registry));
    std::panic::panic_any(Halt)
}

/// The choices of one execution: which alternative each task took at each of its choices, in order.
///
/// Missing entries are 0. An execution notes here what it met, with the number of alternatives there.
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// Taken alternative and number of alternatives, by (task, ordinal).
    pub taken: BTreeMap<(u64, u64), (usize, usize)>,
    /// Keys in the order in which they were first met.
    pub met: Vec<(u64, u64)>,
    ordinals: BTreeMap<u64, u64>,
}

impl Choices {
    fn next(&mut self, task: u64, alternatives: usize) -> usize {
        let ordinal = self.ordinals.entry(task).or_default();
        let key = (task, *ordinal);
        *ordinal += 1;
        let (taken, most) = self.taken.entry(key).or_insert_with(|| {
            self.met.push(key);
            (0, alternatives)
        });
        *most = alternatives.max(*most);
        *taken % alternatives
    }
}

impl Run {
    /// One execution of a model.
    pub fn model(limits: Limits, choices: Choices) -> Self {
        let model = Model { limits, choices: Mutex::new(choices), ..Model::default() };
        Self::new(Kind::Loom, Engine { model, ..Engine::new(0) })
    }

    /// Runs `future` as the main task of a model execution, on the current loom thread.
    pub fn block_on_main<F: Future>(future: F) {
        let at = Location::caller();
        let entry = Entry::register(Some(task::MAIN.into()), None, at, false);
        let (task, handle) = task::pair(Arc::clone(&entry), at, future);
        drop(handle);
        backend::loom::block_on(&entry, task);
        run::with(|run| run.engine().model.main_ended.store(true, Ordering::Relaxed));
    }

    /// Whether the main task of a model execution has ended.
    pub fn main_ended(&self) -> bool {
        self.0.engine().model.main_ended.load(Ordering::Relaxed)
    }

    /// Whether an interval was cut short by [`Limits::ticks`].
    pub fn ticks_were_bounded(&self) -> bool {
        self.0.engine().model.ticks_bounded.load(Ordering::Relaxed)
    }

    /// Adds the choices this execution met to `known`.
    pub fn collect_choices(&self, known: &mut Choices) {
        let choices = self.0.engine().model.choices.lock();
        for (key, (taken, most)) in &choices.taken {
            let entry = known.taken.entry(*key).or_insert_with(|| {
                known.met.push(*key);
                (*taken, *most)
            });
            entry.1 = entry.1.max(*most);
        }
    }
}
