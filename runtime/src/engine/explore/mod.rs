//! Executions of a model, step by step, in any order that the caller likes.
//!
//! A task is a boxed future; each poll of it runs in a coroutine, which pauses before each *scheduling point*: a critical
//! section of a `Lock`, an atomic operation outside of one, a look at the clock. What lies between two points nobody else can
//! see, so a *step* runs from one to the next. It tells its *footprint*: the objects that it read and wrote, the park tokens of
//! the tasks it woke among them. Two steps with footprints that do not conflict commute, which is what a search builds on.
//!
//! A poll begins with its first operation, and a task ends in a step of its own. While a coroutine unwinds, its operations are
//! performed at once. The clock is a task as well: its step fires the timers with the earliest deadline.
//!
//! Accesses to checked cells are no scheduling points: whether they are ordered is asked of vector clocks, and where they are,
//! moving them changes nothing.

mod assume;
mod clock;
mod fair;
mod footprint;
mod names;
mod order;
mod task;
mod world;

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use corosensei::CoroutineResult;
use corosensei::stack::DefaultStack;

pub use footprint::Footprint;
use footprint::token;
pub(crate) use footprint::{Mode, ObjectId};
pub use names::{Names, descendant, lineage};
use task::{Boxed, State, Task};
use world::WaitNote;
pub(crate) use world::{Access, World};
pub use world::{CLOCK, Choices, ClockUse, MAIN, MOST_TASKS};

use super::model::Model;
use super::{Engine, Entered, Limits, Run};
use crate::backend::Kind;
use crate::run;
use crate::task::{self as tasks, Entry};

/// Bytes of a coroutine's stack; the memory is the system's until it is touched.
const STACK: usize = 1024 * 1024;

thread_local! {
    /// Stacks of polls that have ended.
    static STACKS: RefCell<Vec<DefaultStack>> = const { RefCell::new(Vec::new()) };
    /// A run that is over.
    static SPARE: Cell<Option<Arc<run::Run>>> = const { Cell::new(None) };
}

fn take_stack() -> DefaultStack {
    let spare = STACKS.with_borrow_mut(Vec::pop);
    spare.unwrap_or_else(|| DefaultStack::new(STACK).expect("there is memory for one stack more"))
}

/// Begins a search on this thread, or joins one: its tasks have these names. `ordered` keeps the order that checked cells are
/// judged by.
pub fn begin_search(ordered: bool, names: &Names) {
    World::with(|world| world.begin_search(ordered, names));
}

/// What one step did.
#[derive(Debug, Default)]
pub struct Step {
    /// What it touched.
    pub footprint: Footprint,
    /// The choices it made: taken alternative, number of alternatives.
    pub choices: Choices,
    /// The tasks that it spawned or woke, as a set of bits.
    pub enables: u64,
    /// A poll begins with it, or goes on after it was woken: it needs a step that enables it, since the last one of its task that
    /// began so.
    pub begins: bool,
    /// What it did to the clock.
    pub clock: ClockUse,
    /// It ended a wait that could as well have begun after it: another execution has the same outcome without the wait.
    pub redundant: bool,
    /// The task panicked: see [`Run::stopped`].
    pub panicked: bool,
}

/// An execution under way.
#[derive(Debug)]
pub struct Execution {
    run: Run,
    entered: Option<Entered>,
    /// The footprint of the step in which each task began to wait for a resource, while it does.
    plain: Vec<(usize, Footprint)>,
}

impl Run {
    /// One execution of a model, for [`Execution::start`].
    pub fn explore(limits: Limits) -> Self {
        let model = Model::new(limits);
        let mut spare = SPARE.take();
        match spare.as_mut().and_then(Arc::get_mut) {
            Some(run) => run.renew(model),
            None => return Self::new(Kind::Explore, Engine { model, ..Engine::new(0) }),
        }
        Self(spare.expect("just renewed"))
    }
}

impl Execution {
    /// Begins an execution of `main`.
    pub fn start(run: Run, main: impl Future<Output = ()> + 'static) -> Self {
        let entered = run.enter();
        World::with(World::begin);
        let at = Location::caller();
        let entry = Entry::register(Some(tasks::MAIN.into()), None, at, false);
        World::with(|world| {
            // The join handle's objects are the main task's.
            world.add(world::MAIN, Task::new(State::Gone, Some(world.new_waker(MAIN))));
            world.current.set(MAIN);
            let (task, handle) = tasks::pair(Arc::clone(&entry), at, main);
            drop(handle);
            world.current.set(usize::MAX);
            world.put(MAIN, State::New(Box::pin(task)));
        });
        Self { run, entered: Some(entered), plain: Vec::new() }
    }

    /// The run.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// The tasks that can make a step, as a set of bits. A task that yielded lets others run first.
    pub fn enabled(&self) -> u64 {
        World::with(World::enabled)
    }

    /// Whether every task has ended.
    pub fn is_over(&self) -> bool {
        World::with(World::is_over)
    }

    /// Whether the outcome may depend on who waits for a mutex or a join handle, which a search that leaves out
    /// [redundant](Step::redundant) executions does not vary.
    pub fn observed_waits(&self) -> bool {
        World::with(|world| world.observed.get())
    }

    /// Whether checked cells are in use: the search is to be begun anew, and ordered.
    pub fn wants_order(&self) -> bool {
        World::with(|world| world.ordered.get())
    }

    /// Has choices that steps are not told be drawn, from `seed` on, and not be the first alternative.
    pub fn choose_by_chance(&mut self, seed: u64) {
        World::with(|world| world.luck.set(Some(seed)));
    }

    /// Whether the next step of `task` begins with an operation that does not commute with a step of this footprint, as far as
    /// that is known before it is made.
    pub fn races(&self, task: usize, footprint: &Footprint) -> bool {
        World::with(|world| {
            let tasks = world.tasks.borrow();
            let Some(Some(task)) = tasks.get(task) else { return false };
            task.next.is_some_and(|(object, mode)| footprint.is_met_by(object, mode))
        })
    }

    /// Has `task` make a step, in which it takes `choices` and then the first alternative; `None` if it cannot.
    pub fn step(&mut self, task: usize, choices: &Choices) -> Option<Step> {
        let panicked = self.perform(task, choices)?;
        let redundant = self.ends_plain_wait(task);
        World::with(|world| {
            Some(Step {
                footprint: world.footprint.take(),
                choices: world.choices.take(),
                enables: world.enables.get(),
                begins: world.begins.get(),
                clock: world.clock.get(),
                redundant,
                panicked,
            })
        })
    }

    /// [`step`](Self::step), of which nothing is new; whether it was made.
    pub fn retrace(&mut self, task: usize, choices: &Choices) -> bool {
        let made = self.perform(task, choices).is_some();
        self.ends_plain_wait(task);
        made
    }

    /// Whether the task panicked in its step; `None` if it cannot make one.
    fn perform(&mut self, task: usize, choices: &Choices) -> Option<bool> {
        let can_run = World::with(|world| {
            let can_run = world.runnable() >> task & 1 == 1;
            if can_run {
                world.begin_step(task, choices);
            }
            can_run
        });
        can_run.then(|| {
            let panicked = if task == CLOCK {
                World::with(World::fire);
                false
            } else {
                Self::resume(task, &self.run)
            };
            World::with(|world| world.end_step(task));
            panicked
        })
    }

    /// Notes a plain wait of `task`, and whether its step ended one of another task by the resource it waits for.
    fn ends_plain_wait(&mut self, task: usize) -> bool {
        World::with(|world| {
            let footprint = world.footprint.borrow();
            let mut redundant = false;
            self.plain.retain(|(waiting, _)| *waiting != task);
            for (waiting, theirs) in &self.plain {
                if footprint.touches(token(*waiting)) {
                    if footprint.meets(theirs) {
                        redundant = true;
                    } else {
                        world.observe();
                    }
                }
            }
            if world.waits_plainly.take() {
                self.plain.push((task, footprint.clone()));
            }
            redundant
        })
    }

    /// Runs `task` to its next pause; whether it panicked.
    fn resume(index: usize, run: &Run) -> bool {
        let (state, waker) = World::with(|world| {
            let mut tasks = world.tasks.borrow_mut();
            let task = tasks[index].as_mut().expect("an enabled task exists");
            let state = std::mem::replace(&mut task.state, State::Gone);
            let begins = matches!(state, State::New(_) | State::Pending(_));
            (state, if begins { task.waker.clone() } else { None })
        });
        let mut poll = match state {
            State::Paused(poll) => poll,
            State::New(future) | State::Pending(future) => {
                World::with(|world| world.begin_poll(index));
                task::poll(future, waker.expect("a task has a waker"), take_stack())
            }
            State::Blocked(poll) => {
                World::with(|world| world.begin_poll(index));
                poll
            }
            State::Clock | State::Gone => unreachable!("not enabled"),
        };
        let result = catch_unwind(AssertUnwindSafe(|| poll.resume(())));
        let state = match result {
            Ok(CoroutineResult::Yield(world::Pause::Point)) => State::Paused(poll),
            Ok(CoroutineResult::Yield(world::Pause::Parked)) => State::Blocked(poll),
            Ok(CoroutineResult::Return((future, ready))) => {
                STACKS.with_borrow_mut(|stacks| stacks.push(poll.into_stack()));
                after_poll(index, run, future, ready)
            }
            Err(_) => {
                STACKS.with_borrow_mut(|stacks| stacks.push(poll.into_stack()));
                World::with(|world| world.put(index, State::Gone));
                return true;
            }
        };
        World::with(|world| world.put(index, state));
        false
    }
}

impl Drop for Execution {
    /// Drops what has not ended. A poll under way goes on to its own end first, without a pause: that takes a tenth of the time
    /// that unwinding it would.
    fn drop(&mut self) {
        World::with(|world| {
            world.current.set(usize::MAX);
            world.ending.set(true);
            loop {
                let task = world.tasks.borrow_mut().pop();
                match task.map(|task| task.map(|task| task.state)) {
                    None => break,
                    Some(Some(State::Paused(poll))) => end_poll(world, poll, |poll| drop(poll.resume(()))),
                    Some(Some(State::Blocked(poll))) => end_poll(world, poll, task::Poll::force_unwind),
                    Some(state) => drop(state),
                }
            }
            let timers = world.timers.take();
            drop(timers);
            world.ending.set(false);
        });
        // The next one takes it over, if nobody else has it.
        drop(self.entered.take());
        SPARE.set(Some(Arc::clone(&self.run.0)));
    }
}

/// What a task is after a poll.
fn after_poll(index: usize, run: &Run, future: Boxed, ready: bool) -> State {
    if ready {
        if index == MAIN {
            run.0.engine().model.main_ended.store(true, Ordering::Relaxed);
        }
        drop(future);
        return State::Gone;
    }
    World::with(|world| world.waits_plainly.set(world.wait.get() == WaitNote::Plain));
    State::Pending(future)
}

/// Ends a poll by `end`. A panic in there is of no interest any more.
fn end_poll(world: &World, mut poll: task::Poll, end: impl FnOnce(&mut task::Poll)) {
    let _ = catch_unwind(AssertUnwindSafe(|| end(&mut poll)));
    world.yielder_gone();
    if poll.done() {
        STACKS.with_borrow_mut(|stacks| stacks.push(poll.into_stack()));
    }
}

/// Notes that an operation of the current task is pending.
pub(crate) fn note_pending(op: tasks::Op) {
    if run::kind() == Kind::Explore {
        World::with(|world| world.note(op));
    }
}

/// Notes that something else than waiting for it tells who waits in such operations.
pub(crate) fn observe_waits(op: tasks::Op) {
    if run::kind() == Kind::Explore {
        World::with(|world| world.observe_op(op));
    }
}
