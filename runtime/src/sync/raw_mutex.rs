//! A mutex whose lock and unlock stand apart.

use std::fmt;
use std::future::Future;

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::said::say;
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// The rules of a mutex: one holder, the next in order of arrival.
pub(crate) struct Exclusive {
    locked: bool,
    waiting: WaitQueue<()>,
}

impl Exclusive {
    pub(crate) const fn new() -> Self {
        Self { locked: false, waiting: WaitQueue::new() }
    }
}

impl Rules for Exclusive {
    type Ask = ();

    fn waiting(&mut self) -> &mut WaitQueue<()> {
        &mut self.waiting
    }

    fn enter(&mut self, (): &mut (), _wakers: &mut Wakers) -> Option<Outcome> {
        (!std::mem::replace(&mut self.locked, true)).then_some(Outcome::Done)
    }

    /// Whoever waits behind still waits for the holder.
    fn left(&mut self, (): (), _wakers: &mut Wakers) {}

    fn release(&mut self, (): (), wakers: &mut Wakers) {
        self.locked = false;
        admit(&mut self.waiting, wakers, |()| (!std::mem::replace(&mut self.locked, true)).then_some(()));
    }
}

/// A mutual exclusion lock that guards no data, as Go's `sync.Mutex`: [`lock`](Self::lock) and [`unlock`](Self::unlock) are
/// two calls, also of two tasks. Prefer [`Mutex`](super::Mutex), whose guard cannot be forgotten.
///
/// It is fair: waiters get it in order of arrival, and unlocking hands it to the first of them. A task that ends or panics
/// leaves it as it is. Locking it twice in one task deadlocks, as in Go.
pub struct RawMutex {
    gate: Gate<Exclusive>,
}

impl Default for RawMutex {
    fn default() -> Self {
        Self::new()
    }
}

impl RawMutex {
    /// An unlocked mutex.
    pub fn new() -> Self {
        Self { gate: Gate::new(None, Exclusive::new()) }
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str) -> Self {
        Self { gate: Gate::new(Some(name), Exclusive::new()) }
    }

    /// Waits for the mutex and locks it until [`unlock`](Self::unlock).
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place; if it had just been handed the mutex, the next waiter gets it.
    ///
    /// # Panics
    /// When awaited outside the run that created the mutex, or polled again after it was ready.
    #[track_caller]
    pub fn lock(&self) -> impl Future<Output = ()> {
        Acquire::new(self, ())
    }

    /// Locks the mutex if it is free, and says whether it did.
    #[must_use = "the mutex may not be locked"]
    pub fn try_lock(&self) -> bool {
        self.gate.try_enter(Op::RawMutex, ()).is_some()
    }

    /// Hands the mutex to the first waiter, or leaves it free. Any task may unlock it.
    ///
    /// # Panics
    /// If the mutex is not locked.
    #[track_caller]
    pub fn unlock(&self) {
        let was_locked = self.gate.change(|rules, wakers| {
            let was_locked = rules.locked;
            if was_locked {
                rules.release((), wakers);
            }
            was_locked
        });
        assert!(was_locked, "raw mutex {} is unlocked already: an unlock() without its lock()", self.gate.label());
        say!("sync", "raw mutex ({}) is unlocked", self.gate.label());
    }
}

impl Request for &RawMutex {
    type Rules = Exclusive;
    type Output = ();
    const OP: Op = Op::RawMutex;

    fn gate(&self) -> &Gate<Exclusive> {
        &self.gate
    }

    fn output(self, (): (), _outcome: Outcome) {}
}

impl fmt::Debug for RawMutex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawMutex({})", self.gate.label())
    }
}
