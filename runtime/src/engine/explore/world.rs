//! The world of one execution, as the objects in it see it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Wake, Waker};
use std::time::Duration;

use corosensei::Yielder;
use smallvec::SmallVec;

use super::fair::Fairness;
use super::footprint::{self, Footprint, Mode, ObjectId, RANDOM_OBJECT, token};
use super::names::Names;
use super::order::Order;
use super::task::{State, Task};
use crate::backend::Effect;
use crate::engine::count_step;
use crate::task::{self, Entry, Op};

/// Why a coroutine is suspended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Pause {
    /// It is about to make an operation.
    Point,
    /// It waits to be woken, in the midst of a poll.
    Parked,
}

/// What an atomic operation does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Access {
    Read,
    Store,
    /// A read-modify-write that may fail.
    Exchange,
    Add,
}

/// What a step does to the clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClockUse {
    /// It arms a timer.
    pub arms: bool,
    /// It disarms one, which could have fired before.
    pub disarms: bool,
}

/// Tasks of one search at most, the clock included: sets of them are words.
pub const MOST_TASKS: usize = 64;
/// The clock, as a task: its steps are the firing of timers.
pub const CLOCK: usize = 0;
/// The main task.
pub const MAIN: usize = 1;
/// Outside of every step.
const NOBODY: usize = usize::MAX;

/// What the alternatives of one step's choices are, and which are taken.
pub type Choices = Vec<(usize, usize)>;

/// Objects, and how they had been touched before.
type Latest = SmallVec<[(ObjectId, Option<Mode>); 4]>;

/// A set of tasks, by bits.
pub(super) type Tasks = u64;

/// The execution of this thread.
#[derive(Default)]
pub(crate) struct World {
    /// Its number on this thread: a waker of another one wakes nobody.
    number: Cell<u64>,
    yielder: Cell<Option<NonNull<Yielder<(), Pause>>>>,
    /// Critical sections that the current step is in.
    held: Cell<u32>,
    /// A poll has begun and made no operation: its first one is part of the step that began it.
    fresh: Cell<bool>,
    /// The execution is over: what is still under way goes on without pauses.
    pub(super) ending: Cell<bool>,
    pub(super) current: Cell<usize>,
    pub(super) footprint: RefCell<Footprint>,
    pub(super) tasks: RefCell<Vec<Option<Task>>>,
    /// Those that are at a scheduling point or not begun, that are between polls or blocked in one, and that were woken since their
    /// last poll began.
    ready: Cell<Tasks>,
    parked: Cell<Tasks>,
    woken: Cell<Tasks>,
    pub(super) names: RefCell<Names>,
    /// What is known of the names on this thread, by parent and child.
    known_names: RefCell<Vec<Vec<usize>>>,
    /// Wakers of former executions, which the next ones take over.
    tokens: RefCell<Vec<Option<Arc<Token>>>>,
    /// What the latest operation of the current step touched, and how the step had touched it before.
    latest: RefCell<Latest>,
    pub(super) timers: RefCell<BTreeMap<(Duration, ObjectId), Waker>>,
    pub(super) now: Cell<Duration>,
    /// Until when the clock does not go on, while these last.
    pub(super) assumptions: RefCell<BTreeSet<(Duration, ObjectId)>>,
    /// What was assumed, in words.
    pub(super) assumed: RefCell<BTreeSet<&'static str>>,
    pub(super) choices: RefCell<Choices>,
    pub(super) chosen: Cell<usize>,
    /// Choices that are not told otherwise are drawn from here, if from anywhere.
    pub(super) luck: Cell<Option<u64>>,
    /// What the task that is at a scheduling point does next.
    pub(super) next: Cell<(ObjectId, Mode)>,
    pub(super) wait: Cell<WaitNote>,
    /// The current step ended with a wait for a resource and nothing else.
    pub(super) waits_plainly: Cell<bool>,
    pub(super) clock: Cell<ClockUse>,
    /// See [`Step`](super::Step).
    pub(super) enables: Cell<Tasks>,
    pub(super) begins: Cell<bool>,
    pub(super) fair: RefCell<Fairness>,
    pub(super) observed: Cell<bool>,
    order: RefCell<Option<Order>>,
    pub(super) ordered: Cell<bool>,
}

/// What the operations that were pending in a poll make of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum WaitNote {
    /// None was pending.
    #[default]
    Nothing,
    /// One was, a wait for a resource, in this step.
    Plain,
    /// Others were.
    Other,
}

thread_local! {
    static WORLD: World = World { current: Cell::new(NOBODY), ..World::default() };
}

impl World {
    #[inline]
    pub(crate) fn with<R>(f: impl FnOnce(&World) -> R) -> R {
        WORLD.with(f)
    }

    /// Forgets the tasks of former searches.
    pub(super) fn begin_search(&self, ordered: bool, names: &Names) {
        self.names.replace(names.clone());
        self.known_names.borrow_mut().clear();
        self.ordered.set(ordered);
    }

    pub(super) fn begin(&self) {
        self.number.set(self.number.get() + 1);
        self.current.set(NOBODY);
        self.held.set(0);
        self.now.set(Duration::ZERO);
        self.assumptions.borrow_mut().clear();
        self.assumed.borrow_mut().clear();
        self.observed.set(false);
        self.wait.set(WaitNote::Nothing);
        for set in [&self.ready, &self.parked, &self.woken] {
            set.set(0);
        }
        self.luck.set(None);
        self.fair.borrow_mut().clear();
        *self.order.borrow_mut() = self.ordered.get().then(Order::default);
        let mut tasks = self.tasks.borrow_mut();
        tasks.clear();
        tasks.push(Some(Task::new(State::Clock, None)));
    }

    pub(super) fn begin_step(&self, task: usize, choices: &Choices) {
        self.footprint.borrow_mut().clear();
        self.latest.borrow_mut().clear();
        self.choices.borrow_mut().clone_from(choices);
        self.chosen.set(0);
        self.clock.take();
        self.enables.set(0);
        self.begins.set(false);
        self.waits_plainly.set(false);
        self.current.set(task);
    }

    pub(super) fn end_step(&self, task: usize) {
        self.current.set(NOBODY);
        self.yielder_gone();
        if self.fair.borrow_mut().stepped(task, self.runnable()) {
            self.footprint.borrow_mut().yields();
        }
    }

    /// Has the task be in this state.
    pub(super) fn put(&self, task: usize, state: State) {
        self.note_state(task, &state);
        if let Some(Some(task)) = self.tasks.borrow_mut().get_mut(task) {
            task.next = matches!(state, State::Paused(_)).then(|| self.next.get());
            task.state = state;
        }
    }

    fn note_state(&self, task: usize, state: &State) {
        let (ready, parked) = match state {
            State::New(_) | State::Paused(_) => (1 << task, 0),
            State::Pending(_) | State::Blocked(_) => (0, 1 << task),
            State::Clock | State::Gone => (0, 0),
        };
        self.ready.set(self.ready.get() & !(1 << task) | ready);
        self.parked.set(self.parked.get() & !(1 << task) | parked);
    }

    /// The tasks that can go on, the clock among them if a timer may fire.
    pub(super) fn runnable(&self) -> Tasks {
        let clock = u64::from(self.clock_can_run()) << CLOCK;
        self.ready.get() | self.parked.get() & self.woken.get() | clock
    }

    /// Those that run next, or may.
    pub(super) fn enabled(&self) -> Tasks {
        self.fair.borrow().allowed(self.runnable())
    }

    /// Whether every task has ended.
    pub(super) fn is_over(&self) -> bool {
        self.ready.get() | self.parked.get() == 0
    }

    /// A scheduling point before an operation on `object`: other tasks may run first.
    pub(super) fn point(&self, object: ObjectId, mode: Mode) {
        if self.held.get() > 0 || std::thread::panicking() {
            return;
        }
        self.latest.borrow_mut().clear();
        let Some(yielder) = self.yielder.get() else { return };
        count_step();
        self.note_other();
        if !self.fresh.replace(false) && !self.ending.get() {
            self.next.set((object, mode));
            self.suspend(yielder, Pause::Point);
        }
    }

    fn suspend(&self, yielder: NonNull<Yielder<(), Pause>>, pause: Pause) {
        /// Also when the coroutine is unwound here: the task's own guards expect to find it current.
        struct Again<'a>(&'a World, Option<Arc<Entry>>, NonNull<Yielder<(), Pause>>, WaitNote);

        impl Drop for Again<'_> {
            fn drop(&mut self) {
                task::replace_current(self.1.take());
                self.0.yielder.set(Some(self.2));
                self.0.wait.set(self.3);
            }
        }

        let _again = Again(self, task::replace_current(None), yielder, self.wait.get());
        // SAFETY: the yielder lives as long as its coroutine runs, which is the one that runs now: it is set when the coroutine
        // begins and whenever it goes on, and taken away when it pauses or ends.
        unsafe { yielder.as_ref() }.suspend(pause);
    }

    /// A coroutine that begins a poll says how it pauses.
    pub(super) fn enter(&self, yielder: &Yielder<(), Pause>) {
        self.yielder.set(Some(NonNull::from(yielder)));
        self.wait.set(WaitNote::Nothing);
        self.fresh.set(true);
    }

    /// No coroutine runs.
    pub(super) fn yielder_gone(&self) {
        self.yielder.set(None);
    }

    pub(crate) fn touch(&self, object: ObjectId, mode: Mode) {
        if self.current.get() != NOBODY {
            let mut latest = self.latest.borrow_mut();
            let before = self.footprint.borrow_mut().touch(object, mode);
            if !latest.iter().any(|(known, _)| *known == object) {
                latest.push((object, before));
            }
        }
    }

    /// What the latest operation did to `object`. Not where the order of accesses to cells is kept: a lock orders more than what it
    /// guards needs, so that there the other order is to be seen.
    pub(crate) fn effect(&self, object: ObjectId, effect: Effect) {
        if self.current.get() == NOBODY || self.ordered.get() {
            return;
        }
        if let Some((_, before)) = self.latest.borrow().iter().find(|(known, _)| *known == object) {
            self.footprint.borrow_mut().refine(object, *before, effect);
        }
    }

    /// The next operation is part of this step.
    pub(crate) fn lead_on(&self) {
        if self.yielder.get().is_some() && !std::thread::panicking() {
            self.fresh.set(true);
        }
    }

    fn ordering(&self, f: impl FnOnce(&mut Order, usize)) {
        let task = self.current.get();
        if task != NOBODY
            && let Some(order) = &mut *self.order.borrow_mut()
        {
            f(order, task);
        }
    }

    /// A new object's number.
    pub(crate) fn object(&self) -> ObjectId {
        let creator = match self.current.get() {
            NOBODY => CLOCK,
            task => task,
        };
        let mut tasks = self.tasks.borrow_mut();
        let count = match tasks.get_mut(creator) {
            Some(Some(task)) => &mut task.objects,
            _ => return 0,
        };
        *count += 1;
        footprint::object(creator, *count)
    }

    pub(crate) fn lock(&self, object: ObjectId) {
        self.point(object, Mode::Write);
        self.held.set(self.held.get() + 1);
        self.touch(object, Mode::Write);
        self.ordering(|order, task| order.acquire(task, object));
    }

    pub(crate) fn unlock(&self, object: ObjectId) {
        self.held.set(self.held.get() - 1);
        self.ordering(|order, task| order.release(task, object, false));
    }

    /// A scheduling point before an operation on an atomic word.
    pub(crate) fn point_before(&self, object: ObjectId, access: Access) {
        // A poll looks whether its task was aborted, and notes that it pauses, with no task current: at moments that are the
        // beginning and the end of a step anyway. That the task has ended is news to others.
        if access == Access::Add || task::with_current(|_| ()).is_some() {
            self.point(object, if access == Access::Read { Mode::Read } else { Mode::Write });
        }
    }

    /// An operation on an atomic word, which `changed` it.
    pub(crate) fn atomic(&self, object: ObjectId, access: Access, changed: bool) {
        // An exchange that fails has passed on what its task knows, where the order of accesses to cells is kept.
        let passes_on = self.ordered.get() && access != Access::Read;
        self.touch(object, if changed || passes_on { Mode::Write } else { Mode::Read });
        self.ordering(|order, task| {
            if access != Access::Store {
                order.acquire(task, object);
            }
            if access != Access::Read {
                order.release(task, object, access != Access::Store);
            }
        });
    }

    /// The task and epoch of now, in a run whose order is kept.
    pub(crate) fn epoch(&self) -> Option<(usize, u32)> {
        let task = self.current.get();
        if task == NOBODY {
            return None;
        }
        match &mut *self.order.borrow_mut() {
            Some(order) => Some((task, order.epoch(task))),
            None => {
                self.ordered.set(true);
                None
            }
        }
    }

    pub(crate) fn knows(&self, other: usize, epoch: u32) -> bool {
        let mut knows = true;
        self.ordering(|order, task| knows = order.knows(task, other, epoch));
        knows
    }

    pub(crate) fn spawn(&self, future: Pin<Box<dyn Future<Output = ()>>>) {
        let parent = self.current.get();
        if parent == NOBODY {
            // By a destructor, after the end.
            return drop(future);
        }
        let index = self.name(parent);
        assert!(index < MOST_TASKS, "an exploration has at most {} tasks: make the model smaller", MOST_TASKS - 1);
        // It may run before the next operation of this task.
        self.fresh.set(false);
        let waker = self.new_waker(index);
        self.add(index, Task::new(State::New(future), Some(waker)));
        self.lets_go_on(index);
        self.ordering(|order, parent| order.spawn(parent, index));
    }

    pub(super) fn add(&self, index: usize, task: Task) {
        self.note_state(index, &task.state);
        let mut tasks = self.tasks.borrow_mut();
        if tasks.len() <= index {
            tasks.resize_with(index + 1, || None);
        }
        tasks[index] = Some(task);
    }

    /// The number of the next child of `parent`.
    fn name(&self, parent: usize) -> usize {
        let child = self.tasks.borrow_mut()[parent].as_mut().map_or(0, |task| {
            task.children += 1;
            task.children
        });
        let mut known = self.known_names.borrow_mut();
        if known.len() <= parent {
            known.resize_with(parent + 1, Vec::new);
        }
        let children = &mut known[parent];
        // A task may have been left out: it was refused by a limit.
        while children.len() < child as usize {
            let next = u32::try_from(children.len() + 1).expect("below the limit on tasks");
            children.push(self.names.borrow().number(parent, next));
        }
        children[child as usize - 1]
    }

    pub(super) fn new_waker(&self, index: usize) -> Waker {
        let execution = self.number.get();
        let mut tokens = self.tokens.borrow_mut();
        if tokens.len() <= index {
            tokens.resize_with(index + 1, || None);
        }
        if let Some(token) = tokens[index].as_mut().and_then(Arc::get_mut) {
            token.execution = execution;
        } else {
            tokens[index] = Some(Arc::new(Token { execution, index }));
        }
        Waker::from(Arc::clone(tokens[index].as_ref().expect("just set")))
    }

    /// The current task's waker.
    pub(crate) fn waker(&self) -> Waker {
        let tasks = self.tasks.borrow();
        tasks[self.current.get()].as_ref().and_then(|task| task.waker.clone()).expect("the current task has a waker")
    }

    fn wake(&self, execution: u64, index: usize) {
        if execution != self.number.get() || self.current.get() == NOBODY {
            return;
        }
        self.touch(token(index), Mode::Share);
        self.ordering(|order, task| order.release(task, token(index), true));
        self.woken.set(self.woken.get() | 1 << index);
        self.lets_go_on(index);
    }

    /// The current step lets `index` make one that it could not make without it, or another that does so.
    fn lets_go_on(&self, index: usize) {
        self.enables.set(self.enables.get() | 1 << index);
    }

    /// A poll of `index` begins, or goes on after it was woken.
    pub(super) fn begin_poll(&self, index: usize) {
        self.begins.set(true);
        self.woken.set(self.woken.get() & !(1 << index));
        self.touch(token(index), Mode::Write);
        self.ordering(|order, task| order.acquire(task, token(index)));
    }

    /// Waits for a wake in the midst of a poll.
    pub(crate) fn park(&self) {
        let yielder = self.yielder.get().expect("a task that blocks is being polled");
        self.suspend(yielder, Pause::Parked);
    }

    pub(crate) fn yield_now(&self) {
        self.woken.set(self.woken.get() | 1 << self.current.get());
        self.lets_go_on(self.current.get());
        self.fair.borrow_mut().yields();
        self.footprint.borrow_mut().yields();
        self.observe();
    }

    /// The taken one of `alternatives`, all of which are explored.
    pub(crate) fn choose(&self, alternatives: usize) -> usize {
        let mut choices = self.choices.borrow_mut();
        let next = self.chosen.replace(self.chosen.get() + 1);
        if next == choices.len() {
            choices.push((self.lucky() % alternatives, alternatives));
        }
        choices[next].1 = alternatives;
        choices[next].0 % alternatives
    }

    /// The next word of chance: `SplitMix64` (Steele, Lea and Flood, 2014).
    fn lucky(&self) -> usize {
        let Some(luck) = self.luck.get() else { return 0 };
        let luck = luck.wrapping_add(0x9E37_79B9_7F4A_7C15);
        self.luck.set(Some(luck));
        let mixed = (luck ^ luck >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ mixed >> 31) >> 33).expect("31 bits")
    }

    /// Something is drawn from the run's generator, in the order of steps.
    pub(crate) fn draw(&self) {
        self.point(RANDOM_OBJECT, Mode::Write);
        self.touch(RANDOM_OBJECT, Mode::Write);
    }

    /// An operation of the current task is pending.
    pub(crate) fn note(&self, op: Op) {
        match (is_resource(op), self.wait.get()) {
            (true, WaitNote::Nothing) => self.wait.set(WaitNote::Plain),
            (true, _) => self.observe(),
            (false, WaitNote::Nothing) => self.wait.set(WaitNote::Other),
            (false, _) => self.note_other(),
        }
    }

    /// The poll goes on after a pending operation, if there was one: its task does not simply wait for that.
    fn note_other(&self) {
        match self.wait.get() {
            WaitNote::Nothing | WaitNote::Other => {}
            WaitNote::Plain => {
                self.wait.set(WaitNote::Other);
                self.observe();
            }
        }
    }

    /// As [`observe`](Self::observe), if a wait in such an operation is for a resource.
    pub(super) fn observe_op(&self, op: Op) {
        if is_resource(op) && self.current.get() != NOBODY {
            self.observe();
        }
    }

    /// The outcome may depend on who waits for a resource.
    pub(super) fn observe(&self) {
        self.observed.set(true);
    }
}

/// Whether a wait in such an operation is for a resource: what it gives is the same if the wait begins once it is free.
fn is_resource(op: Op) -> bool {
    matches!(op, Op::Lock | Op::RawMutex | Op::Join)
}

/// Wakes a task of one execution.
struct Token {
    execution: u64,
    index: usize,
}

impl Wake for Token {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        World::with(|world| world.wake(self.execution, self.index));
    }
}
