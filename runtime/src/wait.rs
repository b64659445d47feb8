//! The wait queue: an intrusive list of blocked operations, each living inside its own pinned future.
//!
//! A queue lives under a [`Lock`]. A [`Waiter`] is linked into it while its operation is blocked; the *partner* that
//! completes the operation (a sender for a blocked receiver, and so on) does so under that lock, in this order: claim the
//! waiter, move the value into or out of the waiter's own slot, take the waker, store `DONE`. Storing `DONE` is the last
//! touch: the owner may go on, and free the waiter, from then. The partner unlocks and only then wakes. Because the value is
//! in the waiter's own slot, the woken task need not take the lock again.
//!
//! # States of a signal
//!
//! ```text
//!             partner claims                 partner stores
//!  WAITING ───────────────────▶ CLAIMED(arm) ──────────────▶ DONE(arm, outcome)
//!   ▲   │ owner polls its foreign futures
//!   │   ▼
//!  POLLING ── a partner that could not claim ──▶ RESCAN (the owner looks at its channels again)
//! ```
//!
//! A blocked single operation has a signal of its own and is claimed by being unlinked; the arms of a `select!` share one
//! signal, which exactly one partner claims by compare-and-swap.

use std::cell::{Cell, UnsafeCell};
use std::marker::PhantomPinned;
use std::mem;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, Waker};

use crate::backend::{Atomic, Slot};
use crate::lock::Lock;

const WAITING: u32 = 0;
const POLLING: u32 = 1;
const RESCAN: u32 = 2;
const CLAIMED: u32 = 3;
const DONE: u32 = 4;
const PHASE: u32 = 0b111;
const CLOSED: u32 = 0b1000;
const ARM_SHIFT: u32 = 4;

/// How a partner completed an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// A value was put into the slot, or taken from it.
    Done,
    /// The object was closed; a value to be sent is still in the slot.
    Closed,
}

/// Wakers to wake once every lock is released. One is the rule; only closing wakes more.
///
/// The first has a place of its own, written and read in words: an array of them that is moved as a whole makes the processor
/// wait until the few words written have left its store buffer, which took a quarter of a send.
#[derive(Default)]
pub struct Wakers {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakers {
    #[inline]
    pub(crate) const fn new() -> Self {
        Self { first: None, rest: Vec::new() }
    }

    #[inline]
    pub(crate) fn push(&mut self, waker: Waker) {
        if self.first.is_none() {
            self.first = Some(waker);
        } else {
            self.rest.push(waker);
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.is_none()
    }

    /// Wakes them in the order in which they were pushed.
    #[inline]
    pub(crate) fn wake(mut self) {
        match self.first.take() {
            Some(first) => Self::wake_each(first, mem::take(&mut self.rest)),
            // Nothing is left to drop: looking through both fields for it would take as long as the rest of a send.
            None => mem::forget(self),
        }
    }

    fn wake_each(first: Waker, rest: Vec<Waker>) {
        first.wake();
        rest.into_iter().for_each(Waker::wake);
    }
}

/// Where the partner of a blocked operation, or of a whole `select!`, reports.
pub struct Signal {
    state: Atomic,
    /// Written by the owner before it enqueues, under the lock, or while `POLLING`; taken by the partner that claimed.
    waker: UnsafeCell<Option<Waker>>,
    /// The owner's own note of the waker it stored, so that comparing needs no access to `waker`.
    seen: Cell<Option<WakerId>>,
    select: bool,
}

type WakerId = (*const (), *const std::task::RawWakerVTable);

fn waker_id(waker: &Waker) -> WakerId {
    (waker.data(), waker.vtable())
}

impl Signal {
    /// The signal of one operation.
    pub(crate) fn single() -> Self {
        Self::new(WAITING, false)
    }

    /// The signal of a `select!`, not yet open to partners.
    pub(crate) fn select() -> Self {
        Self::new(POLLING, true)
    }

    fn new(state: u32, select: bool) -> Self {
        Self { state: Atomic::new(state), waker: UnsafeCell::new(None), seen: Cell::new(None), select }
    }

    /// The word that says whether partners can claim.
    pub(crate) fn word(&self) -> &Atomic {
        &self.state
    }

    /// Whether the stored waker is `waker`.
    pub(crate) fn has_waker(&self, waker: &Waker) -> bool {
        self.seen.get() == Some(waker_id(waker))
    }

    /// # Safety
    /// The caller is the owner, and no partner can have claimed: before enqueueing, under the queue's lock while waiting,
    /// or while polling.
    pub(crate) unsafe fn set_waker(&self, waker: &Waker) {
        self.seen.set(Some(waker_id(waker)));
        // SAFETY: no partner reads the waker unless it has claimed.
        unsafe { *self.waker.get() = Some(waker.clone()) };
    }

    /// The arm that completed, and how. Called by the owner, without a lock.
    pub(crate) fn done(&self) -> Option<(usize, Outcome)> {
        let state = self.state.load();
        (state & PHASE == DONE).then(|| {
            let outcome = if state & CLOSED == 0 { Outcome::Done } else { Outcome::Closed };
            ((state >> ARM_SHIFT) as usize, outcome)
        })
    }

    /// The arm a partner is about to complete: it does so under that arm's lock.
    pub(crate) fn claimed(&self) -> Option<usize> {
        let state = self.state.load();
        (state & PHASE == CLAIMED).then_some((state >> ARM_SHIFT) as usize)
    }

    /// Owner: partners may claim from now on. False if one came by meanwhile: look at the channels again.
    pub(crate) fn open(&self) -> bool {
        self.state.compare_exchange(POLLING, WAITING).is_ok()
    }

    /// Owner, holding the locks of every queue it is in: partners may claim once those are released.
    pub(crate) fn reopen(&self) {
        self.state.store(WAITING);
    }

    /// Owner: no partner can claim from now on. False if one already has.
    pub(crate) fn begin_polling(&self) -> bool {
        self.state.compare_exchange(WAITING, POLLING).is_ok()
    }

    /// Partner: whether the operation is now this partner's to complete.
    fn claim(&self, arm: u32) -> bool {
        if !self.select {
            return true;
        }
        loop {
            match self.state.compare_exchange(WAITING, CLAIMED | arm << ARM_SHIFT) {
                Ok(()) => return true,
                Err(POLLING) if self.state.compare_exchange(POLLING, RESCAN).is_err() => {}
                Err(_) => return false,
            }
        }
    }

    /// Partner, after claiming: the last touch.
    fn finish(&self, arm: u32, outcome: Outcome) -> Waker {
        // SAFETY: this partner has claimed, and the owner leaves the waker alone from then on.
        let waker = unsafe { (*self.waker.get()).take() };
        let closed = if outcome == Outcome::Closed { CLOSED } else { 0 };
        self.state.store(DONE | closed | arm << ARM_SHIFT);
        waker.expect("a waker is stored before enqueueing")
    }
}

/// One blocked operation in a queue. Pinned inside its future; every field is shared with partners, under the lock.
pub struct Waiter<T> {
    previous: Cell<Option<NonNull<Waiter<T>>>>,
    next: Cell<Option<NonNull<Waiter<T>>>>,
    queued: Cell<bool>,
    signal: Cell<Option<NonNull<Signal>>>,
    arm: Cell<u32>,
    /// The value on its way: from a sender until it is taken, to a receiver until its owner takes it.
    slot: Slot<Option<T>>,
    _pinned: PhantomPinned,
}

// SAFETY: links and signal are touched under the queue's lock only, the slot by whoever the signal says; the value is Send.
// Checked by the loom models.
unsafe impl<T: Send> Send for Waiter<T> {}

impl<T> Waiter<T> {
    pub(crate) fn new(value: Option<T>) -> Self {
        Self {
            previous: Cell::new(None),
            next: Cell::new(None),
            queued: Cell::new(false),
            signal: Cell::new(None),
            arm: Cell::new(0),
            slot: Slot::new(value),
            _pinned: PhantomPinned,
        }
    }

    /// Takes what is in the slot. Called by the owner when no partner can be using it: not queued, or `DONE`.
    pub(crate) fn take(&self) -> Option<T> {
        // SAFETY: see above; loom checks it.
        self.slot.with_mut(|slot| unsafe { (*slot).take() })
    }
}

/// Blocked operations in order of arrival.
pub struct WaitQueue<T> {
    head: Option<NonNull<Waiter<T>>>,
    tail: Option<NonNull<Waiter<T>>>,
}

// SAFETY: a queue lives under a lock; it owns nothing and points to waiters whose values are Send.
unsafe impl<T: Send> Send for WaitQueue<T> {}

impl<T> WaitQueue<T> {
    pub(crate) const fn new() -> Self {
        Self { head: None, tail: None }
    }

    /// Links `waiter` at the end.
    ///
    /// # Safety
    /// Under the queue's lock. `waiter` stays in place until it was claimed or [`remove`](Self::remove)d, and so does
    /// `signal`.
    pub(crate) unsafe fn push(&mut self, waiter: &Waiter<T>, signal: &Signal, arm: usize) {
        debug_assert!(!waiter.queued.get(), "a waiter is in one queue at a time");
        waiter.signal.set(Some(NonNull::from(signal)));
        waiter.arm.set(u32::try_from(arm).expect("fewer than 2^28 arms"));
        waiter.previous.set(self.tail);
        waiter.next.set(None);
        waiter.queued.set(true);
        let node = Some(NonNull::from(waiter));
        match self.tail {
            // SAFETY: a linked waiter is alive.
            Some(tail) => unsafe { tail.as_ref() }.next.set(node),
            None => self.head = node,
        }
        self.tail = node;
    }

    /// Unlinks `waiter`; false if it was not linked. Under the queue's lock, by the owner or the partner that claimed it.
    pub(crate) fn remove(&mut self, waiter: &Waiter<T>) -> bool {
        if !waiter.queued.replace(false) {
            return false;
        }
        let (previous, next) = (waiter.previous.take(), waiter.next.take());
        match previous {
            // SAFETY: a linked waiter's neighbours are linked, hence alive.
            Some(previous) => unsafe { previous.as_ref() }.next.set(next),
            None => self.head = next,
        }
        match next {
            // SAFETY: as above.
            Some(next) => unsafe { next.as_ref() }.previous.set(previous),
            None => self.tail = previous,
        }
        true
    }

    /// Claims the first operation that can be claimed, and unlinks it.
    #[inline]
    pub(crate) fn claim(&mut self) -> Option<Claimed<T>> {
        if self.is_empty() { None } else { self.claim_first() }
    }

    fn claim_first(&mut self) -> Option<Claimed<T>> {
        let mut cursor = self.head;
        while let Some(node) = cursor {
            // SAFETY: a linked waiter is alive: its owner unlinks it, under this lock, before it goes.
            let waiter = unsafe { node.as_ref() };
            cursor = waiter.next.get();
            let signal = waiter.signal.get().expect("set on enqueueing");
            // SAFETY: the signal lives as long as the waiter is linked.
            if unsafe { signal.as_ref() }.claim(waiter.arm.get()) {
                self.remove(waiter);
                return Some(Claimed { node, signal });
            }
        }
        None
    }

    /// Closes every operation that can be claimed.
    pub(crate) fn close(&mut self, wakers: &mut Wakers) {
        while let Some(claimed) = self.claim() {
            wakers.push(claimed.close());
        }
    }

    /// What is in the slot of the first operation. For queues without arms of a `select!`: the first can be claimed then.
    pub(crate) fn first(&self) -> Option<T>
    where
        T: Copy,
    {
        // SAFETY: a linked waiter is alive: its owner unlinks it, under this lock, before it goes.
        let waiter = unsafe { self.head?.as_ref() };
        // SAFETY: the slot of a linked waiter is touched under the queue's lock only; loom checks it.
        waiter.slot.with(|slot| unsafe { *slot })
    }

    /// Whether an operation waits, claimable or not.
    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_none()
    }
}

/// A claimed operation. It is completed exactly once, still under the lock it was claimed under.
#[must_use]
pub(crate) struct Claimed<T> {
    node: NonNull<Waiter<T>>,
    signal: NonNull<Signal>,
}

impl<T> Claimed<T> {
    /// Hands `value` over.
    pub(crate) fn put(self, value: T) -> Waker {
        self.waiter().slot.with_mut(|slot| {
            // SAFETY: a claimed waiter's slot is its partner's until `finish`.
            unsafe { *slot = Some(value) };
        });
        self.finish(Outcome::Done)
    }

    /// Takes the value over.
    pub(crate) fn take(self) -> (T, Waker) {
        let value = self.waiter().take().expect("a blocked sender holds its value");
        (value, self.finish(Outcome::Done))
    }

    fn close(self) -> Waker {
        self.finish(Outcome::Closed)
    }

    fn waiter(&self) -> &Waiter<T> {
        // SAFETY: the owner keeps a claimed waiter alive until `finish`.
        unsafe { self.node.as_ref() }
    }

    fn finish(self, outcome: Outcome) -> Waker {
        let arm = self.waiter().arm.get();
        // SAFETY: the owner keeps the signal alive until `DONE` is stored, which is the last thing done here.
        unsafe { self.signal.as_ref() }.finish(arm, outcome)
    }
}

/// A single blocked operation: a waiter with a signal of its own.
pub(crate) struct Wait<T> {
    signal: Signal,
    waiter: Waiter<T>,
}

// SAFETY: as for `Waiter`; the waker in the signal is Send.
unsafe impl<T: Send> Send for Wait<T> {}

impl<T> Wait<T> {
    pub(crate) fn new(value: Option<T>) -> Self {
        Self { signal: Signal::single(), waiter: Waiter::new(value) }
    }

    /// Enqueues the operation. Under the queue's lock.
    pub(crate) fn enqueue(self: Pin<&Self>, queue: &mut WaitQueue<T>, cx: &Context<'_>) {
        let this = self.get_ref();
        // SAFETY: not yet enqueued; pinned, and `cancel` unlinks before it goes.
        unsafe {
            this.signal.set_waker(cx.waker());
            queue.push(&this.waiter, &this.signal, 0);
        }
    }

    /// Ready once a partner has completed the operation.
    pub(crate) fn poll<S>(&self, lock: &Lock<S>, cx: &Context<'_>) -> Poll<Outcome> {
        if let Some((_, outcome)) = self.signal.done() {
            return Poll::Ready(outcome);
        }
        if self.signal.has_waker(cx.waker()) {
            return Poll::Pending;
        }
        let _held = lock.lock();
        if let Some((_, outcome)) = self.signal.done() {
            return Poll::Ready(outcome);
        }
        // SAFETY: waiting, and under the lock that a partner needs in order to claim.
        unsafe { self.signal.set_waker(cx.waker()) };
        Poll::Pending
    }

    /// Leaves the queue, or learns how a partner was faster. Under the queue's lock.
    pub(crate) fn withdraw(&self, queue: &mut WaitQueue<T>) -> Option<Outcome> {
        let done = self.signal.done();
        if done.is_none() {
            queue.remove(&self.waiter);
        }
        done.map(|(_, outcome)| outcome)
    }

    /// What is in the slot, once the operation has completed or left the queue.
    pub(crate) fn take(&self) -> Option<T> {
        self.waiter.take()
    }
}
