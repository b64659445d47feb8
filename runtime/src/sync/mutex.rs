//! A mutual exclusion lock for tasks.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::acquire::{Acquire, Gate, Request};
use super::raw_mutex::Exclusive;
use crate::backend::Slot;
use crate::task::Op;
use crate::wait::Outcome;

/// A mutual exclusion lock that may be held across awaits.
///
/// It is fair: waiters get it in order of arrival, and unlocking hands it to the first of them. It is not poisoned by a
/// panic. Locking it twice in one task deadlocks, as in Go.
pub struct Mutex<T> {
    gate: Gate<Exclusive>,
    data: Slot<T>,
}

// SAFETY: the data is reached through a guard only, and there is one guard at a time. Checked by the loom models.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: moving the mutex moves the data, which is Send.
unsafe impl<T: Send> Send for Mutex<T> {}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub fn new(data: T) -> Self {
        Self { gate: Gate::new(None, Exclusive::new()), data: Slot::new(data) }
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str, data: T) -> Self {
        Self { gate: Gate::new(Some(name), Exclusive::new()), data: Slot::new(data) }
    }

    /// Waits for the mutex and locks it until the guard is dropped.
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place; if it had just been handed the mutex, the next waiter gets it.
    ///
    /// # Panics
    /// When awaited outside the run that created the mutex, or polled again after it was ready.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = MutexGuard<'_, T>> {
        self.locking()
    }

    /// [`lock`](Self::lock), under a name that other primitives can store.
    #[track_caller]
    pub(super) fn locking(&self) -> Acquire<&Self> {
        Acquire::new(self, ())
    }

    /// [`lock`](Self::lock), with a guard that keeps the mutex alive: it can be stored, or moved into another task.
    #[track_caller]
    pub fn lock_owned(self: Arc<Self>) -> impl Future<Output = OwnedMutexGuard<T>> {
        Acquire::new(self, ())
    }

    /// Locks the mutex if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.gate.try_enter(Op::Lock, ()).map(|_| MutexGuard::new(self))
    }

    /// The data, out of a mutex that nobody shares any more.
    pub fn into_inner(self) -> T {
        self.data.into_inner()
    }

    /// The data, for a new guard.
    fn pointer(&self) -> *mut T {
        self.data.with_mut(|data| data)
    }
}

impl<'a, T> Request for &'a Mutex<T> {
    type Rules = Exclusive;
    type Output = MutexGuard<'a, T>;
    const OP: Op = Op::Lock;

    fn gate(&self) -> &Gate<Exclusive> {
        &self.gate
    }

    fn output(self, (): (), _outcome: Outcome) -> MutexGuard<'a, T> {
        MutexGuard::new(self)
    }
}

impl<T> Request for Arc<Mutex<T>> {
    type Rules = Exclusive;
    type Output = OwnedMutexGuard<T>;
    const OP: Op = Op::Lock;

    fn gate(&self) -> &Gate<Exclusive> {
        &self.gate
    }

    fn output(self, (): (), _outcome: Outcome) -> OwnedMutexGuard<T> {
        OwnedMutexGuard { data: self.pointer(), mutex: self }
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mutex({})", self.gate.label())
    }
}

/// Access to the data of a locked [`Mutex`]; unlocks when dropped.
#[must_use = "the mutex unlocks when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    data: *mut T,
}

impl<'a, T> MutexGuard<'a, T> {
    /// The mutex is locked and nobody else has a guard.
    fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, data: mutex.pointer() }
    }

    /// The mutex that is locked.
    pub(super) fn mutex(&self) -> &'a Mutex<T> {
        self.mutex
    }
}

/// Access to the data of a locked [`Mutex`] that it keeps alive; unlocks when dropped. See [`Mutex::lock_owned`].
#[must_use = "the mutex unlocks when the guard is dropped"]
pub struct OwnedMutexGuard<T> {
    mutex: Arc<Mutex<T>>,
    data: *mut T,
}

/// What the two guards have in common.
macro_rules! guard {
    ($($guard:ty),+) => {$(
        // SAFETY: a guard is exclusive access to the data, which is Send (the lock may be released on any thread).
        unsafe impl<T: Send> Send for $guard {}
        // SAFETY: a shared guard gives shared access to the data.
        unsafe impl<T: Sync> Sync for $guard {}

        impl<T> Deref for $guard {
            type Target = T;

            fn deref(&self) -> &T {
                // SAFETY: the one guard of a locked mutex.
                unsafe { &*self.data }
            }
        }

        impl<T> DerefMut for $guard {
            fn deref_mut(&mut self) -> &mut T {
                // SAFETY: the one guard of a locked mutex.
                unsafe { &mut *self.data }
            }
        }

        impl<T> Drop for $guard {
            fn drop(&mut self) {
                self.mutex.gate.release(());
            }
        }

        impl<T: fmt::Debug> fmt::Debug for $guard {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                (**self).fmt(f)
            }
        }
    )+};
}

guard!(MutexGuard<'_, T>, OwnedMutexGuard<T>);
