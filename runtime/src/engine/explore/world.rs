//! The world of one execution, as the objects in it see it.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};
use std::time::Duration;

use corosensei::Yielder;

use super::fair::Fairness;
use super::footprint::{CLOCK_OBJECT, Footprint, HOLD_OBJECT, ObjectId, RANDOM_OBJECT, token};
use super::order::Order;
use super::task::{State, Task};
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
    /// The number of each task of the search, by parent and the parent's count: the same in each execution.
    pub(super) names: RefCell<BTreeMap<(usize, u32), usize>>,
    pub(super) timers: RefCell<BTreeMap<(Duration, ObjectId), Waker>>,
    now: Cell<Duration>,
    /// Until when the clock does not go on, while these last.
    pub(super) assumptions: RefCell<BTreeSet<(Duration, ObjectId)>>,
    /// What was assumed, in words.
    pub(super) assumed: RefCell<BTreeSet<&'static str>>,
    pub(super) choices: RefCell<Choices>,
    pub(super) chosen: Cell<usize>,
    /// Choices that are not told otherwise are drawn from here, if from anywhere.
    pub(super) luck: Cell<Option<u64>>,
    /// What the task that is at a scheduling point does next.
    pub(super) next: Cell<(ObjectId, bool)>,
    pub(super) wait: Cell<WaitNote>,
    pub(super) clock: Cell<ClockUse>,
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
    pub(super) fn begin_search(&self, ordered: bool) {
        self.names.borrow_mut().clear();
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
        self.luck.set(None);
        self.fair.borrow_mut().clear();
        *self.order.borrow_mut() = self.ordered.get().then(Order::default);
        let mut tasks = self.tasks.borrow_mut();
        tasks.clear();
        tasks.push(Some(Task::new(State::Clock, None)));
    }

    /// A scheduling point before an operation on `object`: other tasks may run first.
    pub(super) fn point(&self, object: ObjectId, writes: bool) {
        if self.held.get() > 0 || std::thread::panicking() {
            return;
        }
        let Some(yielder) = self.yielder.get() else { return };
        count_step();
        self.note_other();
        if !self.fresh.replace(false) && !self.ending.get() {
            self.next.set((object, writes));
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

    pub(super) fn touch(&self, object: ObjectId, writes: bool) {
        if self.current.get() != NOBODY {
            self.footprint.borrow_mut().touch(object, writes);
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
        (creator as u64) << 32 | u64::from(*count)
    }

    pub(crate) fn lock(&self, object: ObjectId) {
        self.point(object, true);
        self.held.set(self.held.get() + 1);
        self.touch(object, true);
        self.ordering(|order, task| order.acquire(task, object));
    }

    pub(crate) fn unlock(&self, object: ObjectId) {
        self.held.set(self.held.get() - 1);
        self.ordering(|order, task| order.release(task, object, false));
    }

    pub(crate) fn atomic(&self, object: ObjectId, access: Access) {
        // A poll looks whether its task was aborted, and notes that it pauses, with no task current: at moments that are the
        // beginning and the end of a step anyway. That the task has ended is news to others.
        if access == Access::Add || task::with_current(|_| ()).is_some() {
            self.point(object, access != Access::Read);
        }
        self.touch(object, access != Access::Read);
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
        self.ordering(|order, parent| order.spawn(parent, index));
    }

    pub(super) fn add(&self, index: usize, task: Task) {
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
        let mut names = self.names.borrow_mut();
        let next = MAIN + 1 + names.len();
        *names.entry((parent, child)).or_insert(next)
    }

    pub(super) fn new_waker(&self, index: usize) -> Waker {
        Waker::from(Arc::new(Token { execution: self.number.get(), index }))
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
        self.touch(token(index), true);
        self.ordering(|order, task| order.release(task, token(index), true));
        if let Some(Some(task)) = self.tasks.borrow_mut().get_mut(index) {
            task.token = true;
        }
    }

    /// A poll of `index` begins, or goes on after it was woken.
    pub(super) fn begin_poll(&self, index: usize) {
        if let Some(Some(task)) = self.tasks.borrow_mut().get_mut(index) {
            task.token = false;
        }
        self.touch(token(index), true);
        self.ordering(|order, task| order.acquire(task, token(index)));
    }

    /// Waits for a wake in the midst of a poll.
    pub(crate) fn park(&self) {
        let yielder = self.yielder.get().expect("a task that blocks is being polled");
        self.suspend(yielder, Pause::Parked);
    }

    pub(crate) fn yield_now(&self) {
        if let Some(Some(task)) = self.tasks.borrow_mut().get_mut(self.current.get()) {
            task.token = true;
        }
        self.fair.borrow_mut().yields();
        self.footprint.borrow_mut().yields();
        self.observe();
    }

    pub(crate) fn now(&self) -> Duration {
        self.point(CLOCK_OBJECT, false);
        self.touch(CLOCK_OBJECT, false);
        self.now.get()
    }

    /// What the clock shows.
    pub(crate) fn time(&self) -> Duration {
        self.now.get()
    }

    /// Arms the timer, unless its time has come. Arming commutes with arming: timers fire by their deadlines.
    pub(crate) fn poll_timer(&self, deadline: Duration, timer: &mut Option<ObjectId>, waker: &Waker) -> Poll<()> {
        self.point(CLOCK_OBJECT, false);
        self.touch(CLOCK_OBJECT, false);
        if self.now.get() >= deadline {
            if let Some(timer) = timer.take() {
                self.timers.borrow_mut().remove(&(deadline, timer));
            }
            return Poll::Ready(());
        }
        let timer = *timer.get_or_insert_with(|| self.object());
        let before = self.timers.borrow_mut().insert((deadline, timer), waker.clone());
        drop(before);
        self.touch(HOLD_OBJECT, false);
        self.clock.set(ClockUse { arms: true, ..self.clock.get() });
        Poll::Pending
    }

    pub(crate) fn disarm(&self, deadline: Duration, timer: ObjectId) {
        self.point(CLOCK_OBJECT, false);
        self.touch(CLOCK_OBJECT, false);
        self.touch(HOLD_OBJECT, false);
        let waker = self.timers.borrow_mut().remove(&(deadline, timer));
        let used = self.clock.get();
        self.clock.set(ClockUse { disarms: used.disarms || waker.is_some(), ..used });
        drop(waker);
    }

    /// The clock's step: the timers with the earliest deadline fire.
    pub(super) fn fire(&self) {
        self.touch(CLOCK_OBJECT, true);
        let Some(deadline) = self.timers.borrow().keys().next().map(|(deadline, _)| *deadline) else { return };
        self.now.set(deadline);
        let due = |world: &Self| {
            let mut timers = world.timers.borrow_mut();
            let (key, _) = timers.first_key_value().filter(|((first, _), _)| *first <= deadline)?;
            let key = *key;
            timers.remove(&key)
        };
        while let Some(waker) = due(self) {
            waker.wake();
        }
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
        self.point(RANDOM_OBJECT, true);
        self.touch(RANDOM_OBJECT, true);
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
