//! explore: every order of the steps of a protocol, on one thread. See [`engine::explore`](crate::engine::explore).
//!
//! A critical section is one step, and so is an atomic operation outside of one: nobody else runs in between, so nothing
//! here blocks and plain words are enough. What an object does is to say that it was touched, and how.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use parking_lot::Mutex;

use super::Effect;
use crate::engine::count_task;
use crate::engine::explore::{Access, Mode, ObjectId, World};

pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    count_task();
    World::with(|world| world.spawn(Box::pin(future)));
}

/// Drives `future` in the midst of a poll, for a task that may block.
pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    let waker = World::with(World::waker);
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return output;
        }
        World::with(World::park);
    }
}

/// The current task, which returns `Pending` next, is polled again after another task has run.
pub(crate) fn yield_now() {
    World::with(World::yield_now);
}

/// The next operation of the current task is part of the step.
pub(crate) fn lead_on() {
    World::with(World::lead_on);
}

/// The deadline of the timer that fired last.
pub(crate) fn now() -> Duration {
    World::with(World::now)
}

/// The same, at a moment that is no step's.
pub(crate) fn stopped_at() -> Duration {
    World::with(World::time)
}

pub struct RawLock(ObjectId);

/// Ends the critical section.
pub(crate) struct RawGuard<'a>(&'a RawLock);

impl RawLock {
    pub(crate) fn new() -> Self {
        Self(World::with(World::object))
    }

    pub(crate) fn lock(&self) -> RawGuard<'_> {
        World::with(|world| world.lock(self.0));
        RawGuard(self)
    }

    pub(crate) fn effect(&self, effect: Effect) {
        World::with(|world| world.effect(self.0, effect));
    }
}

impl Drop for RawGuard<'_> {
    fn drop(&mut self) {
        World::with(|world| world.unlock(self.0.0));
    }
}

pub(crate) struct Atomic {
    id: ObjectId,
    value: AtomicU32,
    /// The locks that guard what depends on it.
    locks: Mutex<Vec<ObjectId>>,
}

impl Atomic {
    pub(crate) fn new(value: u32) -> Self {
        Self { id: World::with(World::object), value: AtomicU32::new(value), locks: Mutex::default() }
    }

    /// Performs an operation, and says that it `changed` the word.
    fn access<R>(
        &self,
        access: Access,
        operation: impl FnOnce(&AtomicU32) -> R,
        changed: impl FnOnce(&R) -> bool,
    ) -> R {
        World::with(|world| world.point_before(self.id, access));
        let result = operation(&self.value);
        let changed = changed(&result);
        World::with(|world| {
            world.atomic(self.id, access, changed);
            if changed {
                self.locks.lock().iter().for_each(|lock| world.touch(*lock, Mode::Write));
            }
        });
        result
    }

    pub(crate) fn load(&self) -> u32 {
        self.access(Access::Read, |value| value.load(Ordering::Relaxed), |_| false)
    }

    pub(crate) fn store(&self, new: u32) {
        self.access(Access::Store, |value| value.store(new, Ordering::Relaxed), |()| true);
    }

    pub(crate) fn fetch_add(&self, delta: u32) -> u32 {
        self.access(Access::Add, |value| value.fetch_add(delta, Ordering::Relaxed), |_| true)
    }

    pub(crate) fn compare_exchange(&self, current: u32, new: u32) -> Result<(), u32> {
        let exchange =
            |value: &AtomicU32| value.compare_exchange(current, new, Ordering::Relaxed, Ordering::Relaxed).map(drop);
        self.access(Access::Exchange, exchange, Result::is_ok)
    }

    /// What `lock` guards depends on the word.
    pub(crate) fn add_lock(&self, lock: &RawLock) {
        let mut locks = self.locks.lock();
        if !locks.contains(&lock.0) {
            locks.push(lock.0);
        }
    }

    pub(crate) fn effect(&self, effect: Effect) {
        World::with(|world| world.effect(self.id, effect));
    }
}

/// When a task did something: an epoch of its own.
pub(crate) struct Moment {
    task: usize,
    epoch: u32,
}

impl Moment {
    /// `None` outside of a task.
    pub(crate) fn now() -> Option<Self> {
        World::with(World::epoch).map(|(task, epoch)| Self { task, epoch })
    }

    pub(crate) fn is_past(&self) -> bool {
        World::with(|world| world.knows(self.task, self.epoch))
    }
}

/// An armed timer may fire at any moment, in the order of deadlines.
pub(crate) struct Sleep {
    deadline: Duration,
    timer: Option<ObjectId>,
}

pub(crate) fn sleep_until(deadline: Duration) -> Sleep {
    Sleep { deadline, timer: None }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let Self { deadline, timer } = &mut *self;
        World::with(|world| world.poll_timer(*deadline, timer, cx.waker()))
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(timer) = self.timer.take() {
            World::with(|world| world.disarm(self.deadline, timer));
        }
    }
}

/// While it lives, the clock does not reach its end.
#[derive(Debug)]
pub(crate) struct Assumption(Duration, ObjectId);

impl Assumption {
    pub(crate) fn begin(limit: Duration, what: &'static str) -> Self {
        let (end, id) = World::with(|world| world.begin_assumption(limit, what));
        Self(end, id)
    }
}

impl Drop for Assumption {
    fn drop(&mut self) {
        World::with(|world| world.end_assumption((self.0, self.1)));
    }
}
