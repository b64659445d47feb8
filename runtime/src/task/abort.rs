//! Stopping a task from outside: one mechanism for every runtime.

use std::fmt;
use std::sync::Arc;
use std::task::Waker;

use super::{Entry, Op};
use crate::backend::{self, Atomic, Effect, Slot};
use crate::said::say;

/// The task is to be dropped.
const ABORTED: u32 = 1;
/// The task's waker is stored.
const PAUSED: u32 = 2;
/// The task's future is gone.
const ENDED: u32 = 4;

/// Whether a task is to be dropped, and how to tell it.
///
/// Only the task drops its future, in a poll, so that it is never polled meanwhile and goes once. An abort is a mark that each
/// poll looks at first, and a wake, so that there is a next poll. A runtime gives a task the same waker for all its life: it is
/// stored when the task first waits, and taken by whichever is first to follow, an abort or the end.
pub(crate) struct Abort {
    state: Atomic,
    waker: Slot<Option<Waker>>,
}

// SAFETY: the waker, which is Sync itself, is written by the task before `PAUSED` is set, and taken by the one that next sets
// another bit. Checked by the loom models.
unsafe impl Sync for Abort {}

impl Abort {
    pub(super) fn new() -> Self {
        Self { state: Atomic::new(0), waker: Slot::new(None) }
    }

    /// What the task finds when it is polled.
    #[inline]
    pub(super) fn look(&self) -> Seen {
        Seen(self.state.watch())
    }

    /// The task waits for the first time, with `waker`.
    pub(super) fn pause(&self, waker: &Waker) {
        // SAFETY: nobody else touches it before `PAUSED` is set.
        self.waker.with_mut(|slot| unsafe { *slot = Some(waker.clone()) });
        if self.state.compare_exchange(0, PAUSED).is_err() {
            // Aborted while it was polled: it polls once more.
            self.take_waker().wake_by_ref();
        }
        self.state.effect(|| Effect::Shared);
    }

    /// It commutes with a pause, since the task is woken either way, and with the end, which it comes too late for either way.
    fn request(&self) {
        let first = self.state.compare_exchange(0, ABORTED);
        if first == Err(PAUSED) {
            self.state.leads_on();
            if self.state.compare_exchange(PAUSED, PAUSED | ABORTED).is_ok() {
                // By reference: it is not the only way in which the task could have been woken.
                self.take_waker().wake_by_ref();
            }
        }
        self.state.effect(|| Effect::Shared);
    }

    /// The task's future is gone. In `Drop` as well.
    pub(super) fn end(&self) {
        if !self.state.alive_in_drop() {
            return;
        }
        if self.state.fetch_add(ENDED) == PAUSED {
            drop(self.take_waker());
        }
        self.state.effect(|| Effect::Shared);
    }

    /// By whoever has set the bit after `PAUSED`, or could not set that one.
    fn take_waker(&self) -> Waker {
        // SAFETY: the caller is the only one to take it, and sees what the task wrote.
        self.waker.with_mut(|slot| unsafe { (*slot).take() }).expect("stored when the task first waited")
    }
}

/// See [`Abort::look`].
#[derive(Clone, Copy)]
pub(super) struct Seen(u32);

impl Seen {
    pub(super) fn is_aborted(self) -> bool {
        self.0 & ABORTED != 0
    }

    pub(super) fn has_paused(self) -> bool {
        self.0 & PAUSED != 0
    }
}

/// Aborts a task from anywhere. It keeps nothing of the task alive but its name; clones abort the same task.
#[derive(Clone)]
pub struct AbortHandle {
    entry: Arc<Entry>,
}

impl fmt::Debug for AbortHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AbortHandle({})", self.entry)
    }
}

impl AbortHandle {
    pub(super) fn new(entry: &Arc<Entry>) -> Self {
        Self { entry: Arc::clone(entry) }
    }

    /// Has the task's future dropped the next time its runtime would poll it, which is soon; its joiner gets
    /// [`JoinError::Cancelled`](super::JoinError::Cancelled).
    ///
    /// A poll in progress goes on: a task that ends in it has ended, with its result. A task may so abort itself, and drops
    /// where it waits next. Aborting a task that has ended, or a second time, does nothing. A task of
    /// [`spawn_blocking`](super::spawn_blocking) can be aborted only before it starts.
    pub fn abort(&self) {
        say!("task", "aborts {}", self.entry);
        backend::observe_waits(Op::Join);
        self.entry.abort.request();
    }

    /// Whether the task's future is gone: it has ended, was aborted or was dropped. Its joiner knows in a moment.
    pub fn is_finished(&self) -> bool {
        self.entry.abort.state.watch() & ENDED != 0
    }

    /// The task's number in its run, in order of spawning.
    pub fn id(&self) -> u64 {
        self.entry.id
    }
}
