//! A wait for a change of what a mutex guards.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::pin;

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use super::mutex::MutexGuard;
use crate::said::say;
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// Lets tasks wait until others have changed what a [`Mutex`](super::Mutex) guards, as Go's `sync.Cond`.
///
/// A notification that meets no waiter is lost: change the data under the mutex, then notify. There are no spurious
/// wake-ups, but a third task may change the data again before a waiter has the mutex back, so wait in a loop:
///
/// ```
/// # use windtunnel::sync::{Condvar, Mutex};
/// async fn take(stock: &Mutex<u32>, changed: &Condvar) {
///     let mut stock = stock.lock().await;
///     while *stock == 0 {
///         stock = changed.wait(stock).await;
///     }
///     *stock -= 1;
/// }
/// ```
pub struct Condvar {
    gate: Gate<Waiters>,
}

/// How a waiter was notified.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Notice {
    /// Alone: the notification must reach somebody.
    One,
    /// With all that waited.
    All,
}

pub(crate) struct Waiters {
    waiting: WaitQueue<Notice>,
}

impl Waiters {
    fn notify_one(&mut self, wakers: &mut Wakers) {
        let mut notice = Some(Notice::One);
        admit(&mut self.waiting, wakers, |_| notice.take());
    }
}

impl Rules for Waiters {
    type Ask = Notice;

    fn waiting(&mut self) -> &mut WaitQueue<Notice> {
        &mut self.waiting
    }

    fn enter(&mut self, _notice: &mut Notice, _wakers: &mut Wakers) -> Option<Outcome> {
        None
    }

    fn left(&mut self, _notice: Notice, _wakers: &mut Wakers) {}

    /// The notified waiter was dropped: the notification is the next one's.
    fn release(&mut self, notice: Notice, wakers: &mut Wakers) {
        if notice == Notice::One {
            self.notify_one(wakers);
        }
    }
}

impl Default for Condvar {
    fn default() -> Self {
        Self::new()
    }
}

impl Condvar {
    /// A condition variable that nobody waits for.
    pub fn new() -> Self {
        Self { gate: Gate::new(None, Waiters { waiting: WaitQueue::new() }) }
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str) -> Self {
        Self { gate: Gate::new(Some(name), Waiters { waiting: WaitQueue::new() }) }
    }

    /// Unlocks the mutex of `guard`, waits for a notification, and locks the mutex again.
    ///
    /// The task is among the waiters before the mutex is unlocked, so a notification by whoever locks it next is not
    /// missed. The mutex stays locked until the future is polled first.
    ///
    /// # Cancel safety
    /// The mutex is unlocked either way. A dropped wait gives up its place; if [`notify_one`](Self::notify_one) had just
    /// chosen it, the next waiter is notified instead, also while it was waiting for the mutex.
    ///
    /// # Panics
    /// When awaited outside the run that created the condition variable, or polled again after it was ready.
    #[track_caller]
    pub fn wait<'m, T>(&self, guard: MutexGuard<'m, T>) -> impl Future<Output = MutexGuard<'m, T>> {
        let (wait, locking) = (Acquire::new(self, Notice::One), guard.mutex().locking());
        async move {
            let mut guard = Some(guard);
            let mut wait = pin!(wait);
            let notified = poll_fn(|cx| {
                let notified = wait.as_mut().poll(cx);
                // The first poll has put the task into the queue.
                guard.take();
                notified
            })
            .await;
            let guard = locking.await;
            notified.received();
            guard
        }
    }

    /// Notifies the task that has waited longest, if there is one.
    pub fn notify_one(&self) {
        self.gate.change(Waiters::notify_one);
        say!("sync", "condvar ({}) notifies one", self.gate.label());
    }

    /// Notifies every task that waits now.
    pub fn notify_all(&self) {
        self.gate.change(|rules, wakers| admit(&mut rules.waiting, wakers, |_| Some(Notice::All)));
        say!("sync", "condvar ({}) notifies all", self.gate.label());
    }
}

impl<'a> Request for &'a Condvar {
    type Rules = Waiters;
    type Output = Notified<'a>;
    const OP: Op = Op::Condvar;

    fn gate(&self) -> &Gate<Waiters> {
        &self.gate
    }

    fn output(self, notice: Notice, _outcome: Outcome) -> Notified<'a> {
        Notified { condvar: self, notice }
    }
}

/// A notification whose receiver does not have the mutex yet; passed on when dropped.
pub(crate) struct Notified<'a> {
    condvar: &'a Condvar,
    notice: Notice,
}

impl Notified<'_> {
    fn received(self) {
        std::mem::forget(self);
    }
}

impl Drop for Notified<'_> {
    fn drop(&mut self) {
        self.condvar.gate.release(self.notice);
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Condvar({})", self.gate.label())
    }
}
