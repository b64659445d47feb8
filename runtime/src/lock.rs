//! `Lock<T>`: a short critical section, never held across an await. With the wait queue it carries every primitive.

use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

use crate::backend::{RawGuard, RawLock};

/// Data under a [`RawLock`].
pub(crate) struct Lock<T> {
    raw: RawLock,
    data: UnsafeCell<T>,
}

// SAFETY: the data is reached only by the holder of the lock, one thread at a time. Checked by the loom models.
unsafe impl<T: Send> Sync for Lock<T> {}
// SAFETY: moving the lock moves the data, which is Send; the raw lock is a plain value.
unsafe impl<T: Send> Send for Lock<T> {}

impl<T> Lock<T> {
    pub(crate) fn new(data: T) -> Self {
        Self { raw: RawLock::new(), data: UnsafeCell::new(data) }
    }

    /// A lock for what decides no outcome, such as the notes that reports are made of: no model looks at it.
    pub(crate) const fn outside_models(data: T) -> Self {
        Self { raw: RawLock::outside_models(), data: UnsafeCell::new(data) }
    }

    #[inline]
    pub(crate) fn lock(&self) -> Guard<'_, T> {
        Guard { lock: self, _raw: self.raw.lock() }
    }

    /// As [`lock`](Self::lock), for use in `Drop`: `None` once the run has failed or ended.
    #[inline]
    pub(crate) fn lock_in_drop(&self) -> Option<Guard<'_, T>> {
        Some(Guard { lock: self, _raw: self.raw.lock_in_drop()? })
    }

    /// The data, for a caller that needs no lock to read it.
    ///
    /// # Safety
    /// As long as the reference lives nobody writes: the caller is the only writer.
    #[inline]
    pub(crate) unsafe fn peek(&self) -> &T {
        // SAFETY: the caller's promise; other threads read at most.
        unsafe { &*self.data.get() }
    }

    /// The lock without its data: `select!` holds several locks at once, whatever they guard.
    pub(crate) fn raw(&self) -> &RawLock {
        &self.raw
    }

    /// The data, for a caller that holds [`raw`](Self::raw).
    ///
    /// # Safety
    /// The calling thread holds the raw lock for as long as the reference lives, and makes no second reference.
    #[expect(clippy::mut_from_ref, reason = "the raw lock is what makes it exclusive")]
    pub(crate) unsafe fn held(&self) -> &mut T {
        // SAFETY: exclusive by the caller's promise.
        unsafe { &mut *self.data.get() }
    }
}

/// Access to the data of a [`Lock`] until dropped.
pub(crate) struct Guard<'a, T> {
    lock: &'a Lock<T>,
    _raw: RawGuard<'a>,
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: the raw guard excludes other holders.
        unsafe { &*self.lock.data.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: the raw guard excludes other holders, `&mut self` other references through this guard.
        unsafe { &mut *self.lock.data.get() }
    }
}
