//! A mutual exclusion lock for tasks.

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::backend::Slot;
use crate::lock::Lock;
use crate::object::Object;
use crate::task::{Op, blocked};
use crate::wait::{Outcome, Wait, WaitQueue, wake_all};

/// A mutual exclusion lock that may be held across awaits.
///
/// It is fair: waiters get it in order of arrival, and unlocking hands it to the first of them. It is not poisoned by a
/// panic. Locking it twice in one task deadlocks, as in Go.
pub struct Mutex<T> {
    object: Object,
    state: Lock<State>,
    data: Slot<T>,
}

struct State {
    locked: bool,
    waiting: WaitQueue<()>,
}

impl State {
    fn waiting(&mut self) -> &mut WaitQueue<()> {
        &mut self.waiting
    }
}

// SAFETY: the data is reached through a guard only, and there is one guard at a time. Checked by the loom models.
unsafe impl<T: Send> Sync for Mutex<T> {}
// SAFETY: moving the mutex moves the data, which is Send.
unsafe impl<T: Send> Send for Mutex<T> {}

impl<T> Mutex<T> {
    /// An unlocked mutex.
    pub fn new(data: T) -> Self {
        Self::labelled(None, data)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str, data: T) -> Self {
        Self::labelled(Some(name), data)
    }

    fn labelled(name: Option<&'static str>, data: T) -> Self {
        let state = State { locked: false, waiting: WaitQueue::new() };
        Self { object: Object::new(name), state: Lock::new(state), data: Slot::new(data) }
    }

    /// Waits for the mutex and locks it until the guard is dropped.
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place; if it had just been handed the mutex, the next waiter gets it.
    #[track_caller]
    pub fn lock(&self) -> Locking<'_, T> {
        Locking { mutex: self, wait: None, finished: false, at: Location::caller() }
    }

    /// Locks the mutex if it is free.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        let label = self.object.check();
        if std::mem::replace(&mut self.state.lock().locked, true) {
            return None;
        }
        tracing::trace!(target: "windtunnel::sync", "mutex lock ({label})");
        Some(MutexGuard::new(self))
    }

    /// The data, out of a mutex that nobody shares any more.
    pub fn into_inner(mut self) -> T
    where
        T: Default,
    {
        std::mem::take(self.data.get_mut())
    }

    /// Hands the mutex to the first waiter, or leaves it free.
    fn unlock(&self) {
        let Some(mut state) = self.state.lock_in_drop() else { return };
        let waker = match state.waiting.claim() {
            Some(next) => Some(next.put(())),
            None => {
                state.locked = false;
                None
            }
        };
        drop(state);
        wake_all(waker.into_iter().collect());
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mutex({})", self.object.label())
    }
}

/// Waits for a mutex. See [`Mutex::lock`].
#[must_use = "the mutex is not locked unless this is awaited"]
pub struct Locking<'a, T> {
    mutex: &'a Mutex<T>,
    wait: Option<Wait<()>>,
    finished: bool,
    at: &'static Location<'static>,
}

impl<'a, T> Future for Locking<'a, T> {
    type Output = MutexGuard<'a, T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<MutexGuard<'a, T>> {
        // SAFETY: a wait is dropped in place, and only after it left the queue.
        let this = unsafe { self.get_unchecked_mut() };
        assert!(!this.finished, "a lock was polled again after it was ready");
        let mutex = this.mutex;
        let label = mutex.object.check();
        match &this.wait {
            Some(wait) => {
                if wait.poll(&mutex.state, cx).is_pending() {
                    blocked(Op::Lock, Some(label), this.at);
                    return Poll::Pending;
                }
            }
            None => {
                let mut state = mutex.state.lock();
                if std::mem::replace(&mut state.locked, true) {
                    let wait = this.wait.insert(Wait::new(None));
                    // SAFETY: `self` is pinned and so is what it contains.
                    unsafe { Pin::new_unchecked(&*wait) }.enqueue(&mut state.waiting, cx);
                    drop(state);
                    blocked(Op::Lock, Some(label), this.at);
                    return Poll::Pending;
                }
            }
        }
        this.finished = true;
        tracing::trace!(target: "windtunnel::sync", "mutex lock ({label})");
        Poll::Ready(MutexGuard::new(mutex))
    }
}

impl<T> Drop for Locking<'_, T> {
    fn drop(&mut self) {
        if let Some(wait) = &self.wait
            && !self.finished
            && wait.cancel(&self.mutex.state, State::waiting) == Some(Outcome::Done)
        {
            self.mutex.unlock();
        }
    }
}

/// Access to the data of a locked [`Mutex`]; unlocks when dropped.
#[must_use = "the mutex unlocks when the guard is dropped"]
pub struct MutexGuard<'a, T> {
    mutex: &'a Mutex<T>,
    data: *mut T,
}

// SAFETY: a guard is exclusive access to the data, which is Send (the lock may be released on any thread).
unsafe impl<T: Send> Send for MutexGuard<'_, T> {}
// SAFETY: a shared guard gives shared access to the data.
unsafe impl<T: Sync> Sync for MutexGuard<'_, T> {}

impl<'a, T> MutexGuard<'a, T> {
    /// The mutex is locked and nobody else has a guard.
    fn new(mutex: &'a Mutex<T>) -> Self {
        Self { mutex, data: mutex.data.with_mut(|data| data) }
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        // SAFETY: the one guard of a locked mutex.
        unsafe { &*self.data }
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the one guard of a locked mutex.
        unsafe { &mut *self.data }
    }
}

impl<T> Drop for MutexGuard<'_, T> {
    fn drop(&mut self) {
        self.mutex.unlock();
    }
}

impl<T: fmt::Debug> fmt::Debug for MutexGuard<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
