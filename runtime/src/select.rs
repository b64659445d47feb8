//! Waiting for the first of several operations. The macro is [`select!`](crate::select!); this is what it expands to.
//!
//! The algorithm is that of Go's `selectgo` (`runtime/select.go`): lock the distinct channels in order of creation, look for
//! a ready arm, else enqueue on all of them, unlock and park; a partner claims the whole select before it moves a value.
//! Arms that are futures and not channel operations are polled only while no partner can claim, so that exactly one arm
//! commits: see the states in `wait.rs`.

use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::marker::PhantomPinned;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use pin_project::pin_project;
use smallvec::SmallVec;

use crate::backend::{RawGuard, RawLock};
use crate::object::Label;
use crate::run;
use crate::said::say;
use crate::task::{Op, blocked_in_select};
use crate::wait::{Outcome, Signal, Wakers};

/// What makes an arm ready.
#[doc(hidden)]
pub enum Source {
    /// A channel: its number, which orders the locks, and its lock.
    Lock(u64, NonNull<RawLock>),
    /// A future, to be polled.
    Future,
    /// Nothing: an arm that is `None`.
    Never,
}

/// One arm.
///
/// # Safety
/// An arm with a lock links its waiter in `enqueue` and unlinks it in `remove` or when dropped, under that lock. The lock
/// outlives the arm.
#[doc(hidden)]
pub unsafe trait Arm {
    fn source(&self) -> Source;

    fn describe(&self) -> (Op, Option<Label>);

    /// Panics if the arm belongs to another run.
    fn check(&self) {}

    /// Whether [`attempt`](Arm::attempt) may succeed.
    ///
    /// # Safety
    /// The caller holds the lock of `source`.
    unsafe fn is_ready(&self) -> bool {
        false
    }

    /// Performs the operation, if that needs no waiting.
    ///
    /// # Safety
    /// The caller holds the lock of `source`; the arm is not enqueued.
    unsafe fn attempt(self: Pin<&mut Self>, _wakers: &mut Wakers) -> bool {
        false
    }

    /// Enqueues the operation as arm number `arm` of `signal`.
    ///
    /// # Safety
    /// The caller holds the lock of `source`, and keeps `signal` in place until the arm was removed or dropped.
    unsafe fn enqueue(self: Pin<&mut Self>, _signal: &Signal, _arm: usize) {}

    /// Leaves the queue; the arm is as new.
    ///
    /// # Safety
    /// The caller holds the lock of `source`, and no partner has claimed this arm.
    unsafe fn remove(self: Pin<&mut Self>) {}

    /// A partner has completed the operation.
    fn complete(self: Pin<&mut Self>, _outcome: Outcome) {}

    /// Polls an arm that is a future.
    fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

/// What can be an arm of a select by itself: a channel operation, or an `Option` of one.
pub trait Take: Arm {
    /// What the operation gives.
    type Output;

    #[doc(hidden)]
    fn take(self: Pin<&mut Self>) -> Self::Output;
}

// SAFETY: as for the arm inside; `None` has no waiter.
unsafe impl<A: Arm> Arm for Option<A> {
    fn source(&self) -> Source {
        self.as_ref().map_or(Source::Never, Arm::source)
    }

    fn describe(&self) -> (Op, Option<Label>) {
        self.as_ref().map_or((Op::Future, None), Arm::describe)
    }

    fn check(&self) {
        if let Some(arm) = self {
            arm.check();
        }
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller's promise.
        self.as_ref().is_some_and(|arm| unsafe { arm.is_ready() })
    }

    unsafe fn attempt(self: Pin<&mut Self>, wakers: &mut Wakers) -> bool {
        // SAFETY: the caller's promise.
        self.as_pin_mut().is_some_and(|arm| unsafe { arm.attempt(wakers) })
    }

    unsafe fn enqueue(self: Pin<&mut Self>, signal: &Signal, number: usize) {
        if let Some(arm) = self.as_pin_mut() {
            // SAFETY: the caller's promise.
            unsafe { arm.enqueue(signal, number) };
        }
    }

    unsafe fn remove(self: Pin<&mut Self>) {
        if let Some(arm) = self.as_pin_mut() {
            // SAFETY: the caller's promise.
            unsafe { arm.remove() };
        }
    }

    fn complete(self: Pin<&mut Self>, outcome: Outcome) {
        if let Some(arm) = self.as_pin_mut() {
            arm.complete(outcome);
        }
    }
}

impl<A: Take> Take for Option<A> {
    type Output = A::Output;

    fn take(self: Pin<&mut Self>) -> A::Output {
        self.as_pin_mut().expect("an arm that is None is never chosen").take()
    }
}

/// An arm that is a future.
#[pin_project]
#[doc(hidden)]
pub struct FutureArm<F: Future> {
    #[pin]
    future: F,
    output: Option<F::Output>,
}

// SAFETY: has no lock.
unsafe impl<F: Future> Arm for FutureArm<F> {
    fn source(&self) -> Source {
        Source::Future
    }

    fn describe(&self) -> (Op, Option<Label>) {
        (Op::Future, None)
    }

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        this.future.poll(cx).map(|output| *this.output = Some(output))
    }
}

impl<F: Future> Take for FutureArm<F> {
    type Output = F::Output;

    fn take(self: Pin<&mut Self>) -> F::Output {
        self.project().output.take().expect("only the chosen arm is asked for its output")
    }
}

/// Turns an expression into an arm: a channel operation (or an `Option` of one) is an [`Arm`] itself, anything else a
/// future. The choice is by method resolution: [`ViaArm`] needs one reference less than [`ViaFuture`].
#[doc(hidden)]
pub struct Probe<T>(pub Option<T>);

const PROBED: &str = "an expression becomes one arm";

#[doc(hidden)]
pub trait ViaArm {
    type Arm;
    fn arm(&mut self) -> Self::Arm;
}

impl<A: Arm> ViaArm for Probe<A> {
    type Arm = A;

    fn arm(&mut self) -> A {
        self.0.take().expect(PROBED)
    }
}

#[doc(hidden)]
pub trait ViaFuture {
    type Arm;
    fn arm(&mut self) -> Self::Arm;
}

impl<F: Future> ViaFuture for &mut Probe<F> {
    type Arm = FutureArm<F>;

    fn arm(&mut self) -> FutureArm<F> {
        FutureArm { future: self.0.take().expect(PROBED), output: None }
    }
}

/// A select over more arms than this allocates.
const INLINE: usize = 8;

/// The arms of one poll.
type Arms<'a, 'b> = [Pin<&'a mut (dyn Arm + 'b)>];

/// A select in progress. Declared before its arms, so that it is dropped after them.
#[doc(hidden)]
pub struct Select {
    /// Shared with partners once enqueued, hence the pin.
    signal: OnceCell<Signal>,
    enqueued: Cell<bool>,
    has_default: bool,
    biased: bool,
    at: &'static Location<'static>,
    _pinned: PhantomPinned,
}

// SAFETY: the signal's waker is Send, and the rest are plain values.
unsafe impl std::marker::Send for Select {}

impl Select {
    /// A select; with a default arm it does not wait, biased it takes the first ready arm.
    #[track_caller]
    pub fn new(has_default: bool, biased: bool) -> Self {
        Self {
            signal: OnceCell::new(),
            enqueued: Cell::new(false),
            has_default,
            biased,
            at: Location::caller(),
            _pinned: PhantomPinned,
        }
    }

    /// The number of the arm that was completed; the number of arms for `default`.
    pub fn poll(self: Pin<&mut Self>, arms: &mut Arms<'_, '_>, cx: &mut Context<'_>) -> Poll<usize> {
        let this = self.into_ref().get_ref();
        let chosen = if this.enqueued.get() { this.resume(arms, cx) } else { this.begin(arms, cx) };
        let Some(chosen) = chosen else {
            this.note_blocked(arms);
            return Poll::Pending;
        };
        if chosen == arms.len() {
            say!("select", "select takes default");
        } else {
            say!("select", "select takes arm {chosen}");
        }
        Poll::Ready(chosen)
    }

    /// The first poll. Where futures and channels are mixed, each that is ready has the same chance.
    fn begin(&self, arms: &mut Arms<'_, '_>, cx: &mut Context<'_>) -> Option<usize> {
        for arm in arms.iter() {
            arm.check();
        }
        if self.biased {
            return first_ready(arms, 0, cx).or_else(|| self.commit_or_enqueue(&Held::lock(arms, None), arms, cx));
        }
        let futures = futures(arms).count();
        if futures > 0 {
            let held = Held::lock(arms, None);
            let ready = ready(arms);
            let pick = if ready.is_empty() { 0 } else { run::choose(ready.len() + futures) };
            if pick < ready.len() && held.attempt(arms, ready[pick]) {
                return Some(ready[pick]);
            }
            drop(held);
            if let Some(chosen) = poll_futures(arms, cx, false) {
                return Some(chosen);
            }
        } else if !run::explores() && !arms.is_empty() {
            // One lock after the other, from a random one on, spares most of them where arms are mostly ready. It commits what
            // could have been chosen with all locks held as well, so a model does without.
            let chosen = first_ready(arms, run::choose(arms.len()), cx);
            if chosen.is_some() {
                return chosen;
            }
        }
        self.commit_or_enqueue(&Held::lock(arms, None), arms, cx)
    }

    /// Commits a ready arm, each with the same chance unless biased; else takes the default, or enqueues on every channel.
    fn commit_or_enqueue(&self, held: &Held, arms: &mut Arms<'_, '_>, cx: &Context<'_>) -> Option<usize> {
        let mut ready = ready(arms);
        while !ready.is_empty() {
            let arm = ready.remove(if self.biased { 0 } else { run::choose(ready.len()) });
            if held.attempt(arms, arm) {
                return Some(arm);
            }
        }
        if self.has_default {
            return Some(arms.len());
        }
        let signal = self.signal.get_or_init(Signal::select);
        // SAFETY: not open to partners. Every lock is held, `self` is pinned and outlives the arms.
        unsafe {
            signal.set_waker(cx.waker());
            for (number, arm) in arms.iter_mut().enumerate() {
                arm.as_mut().enqueue(signal, number);
            }
        }
        self.enqueued.set(true);
        signal.reopen();
        None
    }

    /// A later poll: a partner has completed an arm, a future has moved, or the waker has changed.
    fn resume(&self, arms: &mut Arms<'_, '_>, cx: &mut Context<'_>) -> Option<usize> {
        let signal = self.signal.get().expect("an enqueued select has a signal");
        if let Some((arm, outcome)) = signal.done() {
            return Some(Self::complete(arms, arm, outcome));
        }
        if futures(arms).next().is_none() && signal.has_waker(cx.waker()) {
            return None;
        }
        if !signal.begin_polling() {
            if let Some(arm) = signal.claimed() {
                // The partner is at it, and completes the arm before it releases this lock.
                drop(Held::lock(&arms[arm..=arm], None));
            }
            let (arm, outcome) = signal.done().expect("a claimed arm is completed under its lock");
            return Some(Self::complete(arms, arm, outcome));
        }
        // SAFETY: polling, so no partner can claim.
        unsafe { signal.set_waker(cx.waker()) };
        if let Some(chosen) = poll_futures(arms, cx, self.biased) {
            Held::lock(arms, None).remove(arms);
            return Some(chosen);
        }
        if signal.open() {
            return None;
        }
        let held = Held::lock(arms, None);
        held.remove(arms);
        self.commit_or_enqueue(&held, arms, cx)
    }

    /// A partner has completed `arm`: takes the others out of their queues.
    fn complete(arms: &mut Arms<'_, '_>, arm: usize, outcome: Outcome) -> usize {
        arms[arm].as_mut().complete(outcome);
        Held::lock(arms, Some(arm)).remove(arms);
        arm
    }

    fn note_blocked(&self, arms: &Arms<'_, '_>) {
        let waiting = arms.iter().filter(|arm| !matches!(arm.source(), Source::Never));
        blocked_in_select(waiting.map(|arm| arm.describe()), self.at);
    }
}

/// Waits for the first of operations whose number is known only at run time: its position and its output.
///
/// As [`select!`](crate::select!) otherwise: exactly one commits, at random among those that are ready. Of no operations at
/// all, it waits for ever.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let channels: Vec<_> = (0..3).map(|_| windtunnel::channel(1)).collect();
/// channels[2].0.send('c').await.unwrap();
/// let first = windtunnel::select::first(channels.iter().map(|(_, receiver)| receiver.recv()));
/// assert_eq!(first.await, (2, Some('c')));
/// # });
/// ```
///
/// # Cancel safety
/// No message is lost: dropped, none of the operations has happened.
///
/// # Panics
/// If polled again after it was ready.
#[track_caller]
pub fn first<A: Take>(operations: impl IntoIterator<Item = A>) -> First<A> {
    let arms = operations.into_iter().map(Box::pin).collect();
    First { arms, select: Box::pin(Select::new(false, false)) }
}

/// See [`first`].
#[must_use = "nothing is waited for unless this is awaited"]
pub struct First<A> {
    // Dropped before the select, whose signal they may have in a queue.
    arms: Vec<Pin<Box<A>>>,
    select: Pin<Box<Select>>,
}

impl<A> std::fmt::Debug for First<A> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "First({} operations)", self.arms.len())
    }
}

impl<A: Take> Future for First<A> {
    type Output = (usize, A::Output);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Self { arms, select } = &mut *self;
        let mut polled: SmallVec<[Pin<&mut dyn Arm>; INLINE]> =
            arms.iter_mut().map(|arm| arm.as_mut() as Pin<&mut dyn Arm>).collect();
        let chosen = select.as_mut().poll(&mut polled, cx);
        drop(polled);
        chosen.map(|chosen| (chosen, arms[chosen].as_mut().take()))
    }
}

/// The locks of the distinct channels of a select, taken in order of creation.
struct Held {
    guards: SmallVec<[RawGuard<'static>; INLINE]>,
    wakers: RefCell<Wakers>,
}

impl Held {
    /// Locks every arm's channel but that of arm `except`, which has left its queue.
    fn lock(arms: &Arms<'_, '_>, except: Option<usize>) -> Self {
        let mut locks: SmallVec<[(u64, NonNull<RawLock>); INLINE]> = SmallVec::new();
        for (number, arm) in arms.iter().enumerate() {
            if let Source::Lock(id, lock) = arm.source()
                && except != Some(number)
            {
                locks.push((id, lock));
            }
        }
        locks.sort_unstable_by_key(|(id, _)| *id);
        locks.dedup_by_key(|(id, _)| *id);
        // SAFETY: an arm's lock outlives the arm, and the guards are dropped while the arms are borrowed.
        let guards = locks.iter().map(|(_, lock)| unsafe { lock.as_ref() }.lock()).collect();
        Self { guards, wakers: RefCell::default() }
    }

    fn attempt(&self, arms: &mut Arms<'_, '_>, arm: usize) -> bool {
        // SAFETY: the locks are held; an arm is attempted before it is enqueued or after it was removed.
        unsafe { arms[arm].as_mut().attempt(&mut self.wakers.borrow_mut()) }
    }

    #[expect(clippy::unused_self, reason = "the proof that the locks are held")]
    fn remove(&self, arms: &mut Arms<'_, '_>) {
        for arm in arms {
            // SAFETY: the lock is held, but for a completed arm, which is not in a queue.
            unsafe { arm.as_mut().remove() };
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.guards.clear();
        std::mem::take(self.wakers.get_mut()).wake();
    }
}

/// The arms that a partner, a buffer or a closed channel makes ready. Their locks are held.
fn ready(arms: &Arms<'_, '_>) -> SmallVec<[usize; INLINE]> {
    // SAFETY: called with every lock held.
    (0..arms.len()).filter(|&arm| unsafe { arms[arm].is_ready() }).collect()
}

fn futures<'a>(arms: &'a Arms<'_, '_>) -> impl Iterator<Item = usize> + 'a {
    (0..arms.len()).filter(|&arm| matches!(arms[arm].source(), Source::Future))
}

/// Tries the arms in their order, beginning with number `start`.
fn first_ready(arms: &mut Arms<'_, '_>, start: usize, cx: &mut Context<'_>) -> Option<usize> {
    (start..arms.len()).chain(0..start).find(|&arm| match arms[arm].source() {
        Source::Never => false,
        Source::Future => arms[arm].as_mut().poll(cx).is_ready(),
        Source::Lock(..) => Held::lock(&arms[arm..=arm], None).attempt(arms, arm),
    })
}

/// Polls the futures, from a random one on unless biased; the first that is ready.
fn poll_futures(arms: &mut Arms<'_, '_>, cx: &mut Context<'_>, biased: bool) -> Option<usize> {
    let mut order: SmallVec<[usize; INLINE]> = futures(arms).collect();
    if order.is_empty() {
        return None;
    }
    if !biased {
        let first = run::choose(order.len());
        order.rotate_left(first);
    }
    order.into_iter().find(|&arm| arms[arm].as_mut().poll(cx).is_ready())
}
