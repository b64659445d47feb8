//! A lock for many readers or one writer.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::backend::{Effect, Slot};
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// A lock that many readers or one writer may hold, across awaits.
///
/// It is fair, on every runtime alike: whoever has to wait gets it in order of arrival. A read that arrives while a writer
/// waits queues behind that writer, so readers cannot starve it; and so a task that reads inside a read deadlocks once a
/// writer has come in between, as in Go. When a writer unlocks, all readers at the head of the queue go on together, or the
/// next writer does. It is not poisoned by a panic.
pub struct RwLock<T> {
    gate: Gate<Shared>,
    data: Slot<T>,
}

// SAFETY: the data is reached through guards only: one that writes, or any number that read, for which it must be Sync (a
// reader on each of two threads) and Send (a writer may move it out). Checked by the loom models.
unsafe impl<T: Send + Sync> Sync for RwLock<T> {}
// SAFETY: moving the lock moves the data, which is Send.
unsafe impl<T: Send> Send for RwLock<T> {}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

pub(crate) struct Shared {
    holders: Holders,
    waiting: WaitQueue<Access>,
}

/// Who holds the lock.
#[derive(Default)]
struct Holders {
    writer: bool,
    readers: usize,
}

impl Holders {
    /// Lets one more in, if it gets on with those inside.
    fn admit(&mut self, access: Access) -> Option<Access> {
        match access {
            Access::Read if !self.writer => self.readers += 1,
            Access::Write if !self.writer && self.readers == 0 => self.writer = true,
            _ => return None,
        }
        Some(access)
    }
}

impl Shared {
    fn new() -> Self {
        Self { holders: Holders::default(), waiting: WaitQueue::new() }
    }

    fn admit_waiting(&mut self, wakers: &mut Wakers) {
        admit(&mut self.waiting, wakers, |access| self.holders.admit(access));
    }
}

impl Rules for Shared {
    type Ask = Access;

    fn waiting(&mut self) -> &mut WaitQueue<Access> {
        &mut self.waiting
    }

    fn enter(&mut self, access: &mut Access, _wakers: &mut Wakers) -> Option<Outcome> {
        // Whoever waits arrived before: a reader does not overtake a writer.
        if !self.waiting.is_empty() {
            return None;
        }
        self.holders.admit(*access).map(|_| Outcome::Done)
    }

    /// Readers come and go in any order, as long as nobody waits: nothing but a count changes, which tells no two of them apart.
    fn effect(&self, access: Access) -> Effect {
        if access == Access::Read && self.waiting.is_empty() { Effect::Shared } else { Effect::Changed }
    }

    /// The readers behind a writer that gave up may share the lock with those inside.
    fn left(&mut self, _access: Access, wakers: &mut Wakers) {
        self.admit_waiting(wakers);
    }

    fn release(&mut self, access: Access, wakers: &mut Wakers) {
        match access {
            Access::Read => self.holders.readers -= 1,
            Access::Write => self.holders.writer = false,
        }
        self.admit_waiting(wakers);
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> RwLock<T> {
    /// An unlocked lock.
    pub fn new(data: T) -> Self {
        Self { gate: Gate::new(None, Shared::new()), data: Slot::new(data) }
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str, data: T) -> Self {
        Self { gate: Gate::new(Some(name), Shared::new()), data: Slot::new(data) }
    }

    /// Waits until no writer holds the lock or waits for it, and keeps writers out until the guard is dropped.
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place, or the lock if it had just got it.
    ///
    /// # Panics
    /// When awaited outside the run that created the lock, or polled again after it was ready.
    #[track_caller]
    pub fn read(&self) -> impl Future<Output = RwLockReadGuard<'_, T>> {
        Acquire::new(Read(self), Access::Read)
    }

    /// Waits until nobody holds the lock, and keeps everybody out until the guard is dropped.
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place, or the lock if it had just got it; readers that queued behind it go on if they
    /// can.
    ///
    /// # Panics
    /// When awaited outside the run that created the lock, or polled again after it was ready.
    #[track_caller]
    pub fn write(&self) -> impl Future<Output = RwLockWriteGuard<'_, T>> {
        Acquire::new(Write(self), Access::Write)
    }

    /// Locks for reading, if no writer holds the lock or waits for it.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.gate.try_enter(Op::RwRead, Access::Read).map(|_| RwLockReadGuard::new(self))
    }

    /// Locks for writing, if nobody holds the lock.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.gate.try_enter(Op::RwWrite, Access::Write).map(|_| RwLockWriteGuard::new(self))
    }

    /// The data, out of a lock that nobody shares any more.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }
}

impl<T> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RwLock({})", self.gate.label())
    }
}

struct Read<'a, T>(&'a RwLock<T>);

impl<'a, T> Request for Read<'a, T> {
    type Rules = Shared;
    type Output = RwLockReadGuard<'a, T>;
    const OP: Op = Op::RwRead;

    fn gate(&self) -> &Gate<Shared> {
        &self.0.gate
    }

    fn output(self, _access: Access, _outcome: Outcome) -> RwLockReadGuard<'a, T> {
        RwLockReadGuard::new(self.0)
    }
}

struct Write<'a, T>(&'a RwLock<T>);

impl<'a, T> Request for Write<'a, T> {
    type Rules = Shared;
    type Output = RwLockWriteGuard<'a, T>;
    const OP: Op = Op::RwWrite;

    fn gate(&self) -> &Gate<Shared> {
        &self.0.gate
    }

    fn output(self, _access: Access, _outcome: Outcome) -> RwLockWriteGuard<'a, T> {
        RwLockWriteGuard::new(self.0)
    }
}

/// Shared access to the data of an [`RwLock`]; unlocks when dropped.
#[must_use = "the lock unlocks when the guard is dropped"]
pub struct RwLockReadGuard<'a, T> {
    lock: &'a RwLock<T>,
    data: *const T,
}

// SAFETY: a read guard is a shared reference to the data, which may be dropped on any thread.
unsafe impl<T: Sync> Send for RwLockReadGuard<'_, T> {}
// SAFETY: as above.
unsafe impl<T: Sync> Sync for RwLockReadGuard<'_, T> {}

impl<'a, T> RwLockReadGuard<'a, T> {
    /// The lock is held for reading, once for this guard.
    fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock, data: lock.data.with(|data| data) }
    }
}

impl<T> Deref for RwLockReadGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while a guard reads, no guard writes.
        unsafe { &*self.data }
    }
}

impl<T> Drop for RwLockReadGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.gate.release(Access::Read);
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockReadGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// Exclusive access to the data of an [`RwLock`]; unlocks when dropped.
#[must_use = "the lock unlocks when the guard is dropped"]
pub struct RwLockWriteGuard<'a, T> {
    lock: &'a RwLock<T>,
    data: *mut T,
}

// SAFETY: a write guard is exclusive access to the data, which is Send, and may be dropped on any thread.
unsafe impl<T: Send> Send for RwLockWriteGuard<'_, T> {}
// SAFETY: a shared write guard gives shared access to the data.
unsafe impl<T: Sync> Sync for RwLockWriteGuard<'_, T> {}

impl<'a, T> RwLockWriteGuard<'a, T> {
    /// The lock is held for writing, for this guard.
    fn new(lock: &'a RwLock<T>) -> Self {
        Self { lock, data: lock.data.with_mut(|data| data) }
    }
}

impl<T> Deref for RwLockWriteGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: while a guard writes there is no other.
        unsafe { &*self.data }
    }
}

impl<T> DerefMut for RwLockWriteGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: while a guard writes there is no other.
        unsafe { &mut *self.data }
    }
}

impl<T> Drop for RwLockWriteGuard<'_, T> {
    fn drop(&mut self) {
        self.lock.gate.release(Access::Write);
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLockWriteGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
