//! The send and the receive: one operation in two directions, a future on its own and an arm of `select!`.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::chan::{Chan, Handle, State};
use super::{RecvTimeoutError, SendError, SendTimeoutError};
use crate::backend::Effect;
use crate::object::Label;
use crate::said::say;
use crate::select::{Arm, Source, Take};
use crate::task::{Op, blocked};
use crate::wait::{Outcome, Signal, Wait, WaitQueue, Waiter, Wakers};

/// A send in progress. See [`Sender::send`](super::Sender::send).
pub type Send<'a, T> = Operation<&'a Chan<T>, T, Sending>;

/// A receive in progress. See [`Receiver::recv`](super::Receiver::recv).
pub type Recv<'a, T> = Operation<&'a Chan<T>, T, Receiving>;

/// The direction of a send.
#[derive(Debug)]
pub enum Sending {}

/// The direction of a receive.
#[derive(Debug)]
pub enum Receiving {}

/// What differs between a send and a receive. Sealed: [`Sending`] and [`Receiving`] are all there is.
pub trait Direction<T>: sealed::Sealed {
    /// What the operation gives.
    type Output;
    /// What it gives under a time limit.
    type Timed;
    #[doc(hidden)]
    const OP: Op;
    #[doc(hidden)]
    fn queue(state: &mut State<T>) -> &mut WaitQueue<T>;
    #[doc(hidden)]
    fn is_ready(state: &State<T>) -> bool;
    /// Performs the operation on the value in `slot`, if that needs no waiting.
    #[doc(hidden)]
    fn attempt(state: &mut State<T>, slot: &mut Option<T>, wakers: &mut Wakers) -> Option<Outcome>;
    /// What such an attempt did, if it was not then enqueued.
    #[doc(hidden)]
    fn effect(state: &State<T>, outcome: Option<Outcome>, wakers: &Wakers) -> Effect;
    #[doc(hidden)]
    fn output(outcome: Outcome, slot: Option<T>) -> Self::Output;
    /// The end of an operation with a time limit: its output, or what [`Operation::cancel`] gave when the limit ran out.
    #[doc(hidden)]
    fn timed(output: Result<Self::Output, Option<T>>) -> Self::Timed;
    /// The operation was completed but its owner has gone; `slot` is what a partner left.
    #[doc(hidden)]
    fn abandon(chan: &Chan<T>, slot: Option<T>);
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Sending {}
    impl Sealed for super::Receiving {}
}

impl<T> Direction<T> for Sending {
    type Output = Result<(), SendError<T>>;
    type Timed = Result<(), SendTimeoutError<T>>;
    const OP: Op = Op::Send;

    fn queue(state: &mut State<T>) -> &mut WaitQueue<T> {
        state.sending()
    }

    fn is_ready(state: &State<T>) -> bool {
        state.can_send()
    }

    fn attempt(state: &mut State<T>, slot: &mut Option<T>, wakers: &mut Wakers) -> Option<Outcome> {
        state.send(slot, wakers)
    }

    fn effect(state: &State<T>, outcome: Option<Outcome>, wakers: &Wakers) -> Effect {
        state.effect_of_send(outcome, wakers)
    }

    fn output(outcome: Outcome, slot: Option<T>) -> Self::Output {
        match (outcome, slot) {
            (Outcome::Closed, Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        }
    }

    fn timed(output: Result<Self::Output, Option<T>>) -> Self::Timed {
        match output {
            Ok(Ok(())) | Err(None) => Ok(()),
            Ok(Err(SendError(value))) => Err(SendTimeoutError::Closed(value)),
            Err(Some(value)) => Err(SendTimeoutError::Timeout(value)),
        }
    }

    fn abandon(chan: &Chan<T>, slot: Option<T>) {
        if !std::thread::panicking() {
            let end = if slot.is_none() { "after it was delivered" } else { "undelivered" };
            say!("channel", "channel send ({}) is dropped {end}", chan.label());
        }
        drop(slot);
    }
}

impl<T> Direction<T> for Receiving {
    type Output = Option<T>;
    type Timed = Result<T, RecvTimeoutError>;
    const OP: Op = Op::Recv;

    fn queue(state: &mut State<T>) -> &mut WaitQueue<T> {
        state.receiving()
    }

    fn is_ready(state: &State<T>) -> bool {
        state.can_recv()
    }

    fn attempt(state: &mut State<T>, slot: &mut Option<T>, wakers: &mut Wakers) -> Option<Outcome> {
        state.recv(slot, wakers)
    }

    fn effect(state: &State<T>, outcome: Option<Outcome>, wakers: &Wakers) -> Effect {
        state.effect_of_recv(outcome, wakers)
    }

    fn output(_outcome: Outcome, slot: Option<T>) -> Option<T> {
        slot
    }

    fn timed(output: Result<Self::Output, Option<T>>) -> Self::Timed {
        match output {
            Ok(Some(value)) | Err(Some(value)) => Ok(value),
            Ok(None) => Err(RecvTimeoutError::Closed),
            Err(None) => Err(RecvTimeoutError::Timeout),
        }
    }

    fn abandon(chan: &Chan<T>, slot: Option<T>) {
        if let Some(value) = slot {
            chan.give_back(value);
        }
    }
}

/// A send or a receive in progress: await it, or make it an arm of [`select!`](crate::select!).
#[must_use = "an operation does nothing unless awaited"]
pub struct Operation<H: Handle<T>, T, D: Direction<T>> {
    handle: H,
    /// The value to send until it is on its way; the value received once there is one.
    slot: Option<T>,
    at: &'static Location<'static>,
    stage: Stage<T>,
    direction: PhantomData<fn() -> D>,
}

/// Where an operation is. A waiter is made only when the operation has to wait.
enum Stage<T> {
    New,
    /// Blocked on its own.
    Waiting(Wait<T>),
    /// Blocked as an arm of a `select!`.
    Selecting(Waiter<T>),
    /// An arm that was completed; its output has not been fetched.
    Complete(Outcome),
    Finished,
}

impl<H: Handle<T>, T, D: Direction<T>> fmt::Debug for Operation<H, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", D::OP, self.handle.chan().label())
    }
}

impl<H: Handle<T>, T, D: Direction<T>> Operation<H, T, D> {
    pub(crate) fn new(handle: H, slot: Option<T>, at: &'static Location<'static>) -> Self {
        Self { handle, slot, at, stage: Stage::New, direction: PhantomData }
    }

    /// # Safety
    /// The caller moves nothing out of a stage that has a waiter in a queue.
    unsafe fn parts(self: Pin<&mut Self>) -> &mut Self {
        // SAFETY: the caller's promise.
        unsafe { self.get_unchecked_mut() }
    }

    fn trace(&self, outcome: Outcome) {
        let end = if outcome == Outcome::Done { "" } else { " finds it closed" };
        say!("channel", "{} ({}){end}", D::OP, self.handle.chan().label());
    }

    /// The first poll: performs the operation, or enqueues it.
    fn begin(&mut self, cx: &Context<'_>) -> Option<Outcome> {
        self.handle.chan().object.check();
        let mut wakers = Wakers::new();
        let mut state = self.handle.chan().state.lock();
        let outcome = D::attempt(&mut state, &mut self.slot, &mut wakers);
        if outcome.is_none() {
            self.stage = Stage::Waiting(Wait::new(self.slot.take()));
            let Stage::Waiting(wait) = &self.stage else { unreachable!("just stored") };
            // SAFETY: only `poll` calls this, on a pinned operation, so what the operation contains is pinned.
            unsafe { Pin::new_unchecked(wait) }.enqueue(D::queue(&mut state), cx);
        } else {
            self.handle.chan().state.raw().effect(|| D::effect(&state, outcome, &wakers));
        }
        drop(state);
        wakers.wake();
        outcome
    }
}

impl<H: Handle<T>, T, D: Direction<T>> Future for Operation<H, T, D> {
    type Output = D::Output;

    /// # Panics
    /// If polled again after it was ready, or outside the run that created the channel.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<D::Output> {
        // SAFETY: a stage is replaced only once its waiter has left the queue.
        let this = unsafe { self.parts() };
        let outcome = match &this.stage {
            Stage::New => this.begin(cx),
            Stage::Waiting(wait) => match wait.poll(&this.handle.chan().state, cx) {
                Poll::Ready(outcome) => {
                    this.slot = wait.take();
                    Some(outcome)
                }
                Poll::Pending => None,
            },
            _ => panic!("a channel operation was polled again after it was ready"),
        };
        let Some(outcome) = outcome else {
            blocked(D::OP, Some(this.handle.chan().label()), this.at);
            return Poll::Pending;
        };
        this.stage = Stage::Finished;
        this.trace(outcome);
        Poll::Ready(D::output(outcome, this.slot.take()))
    }
}

impl<H: Handle<T>, T, D: Direction<T>> Drop for Operation<H, T, D> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::New | Stage::Finished) {
            let slot = self.withdraw();
            D::abandon(self.handle.chan(), slot);
        }
    }
}

impl<H: Handle<T>, T, D: Direction<T>> Operation<H, T, D> {
    /// Ends the operation, and says what became of its value: a send gives it back, or nothing if it was delivered; a receive
    /// gives the value it had been handed just before, if there is one.
    ///
    /// To drop an operation does the same without saying so: the value of a send is dropped, that of a receive goes to the
    /// next receiver, or back to the front.
    pub fn cancel(self: Pin<&mut Self>) -> Option<T> {
        // SAFETY: the stage is replaced after its waiter has left the queue.
        let this = unsafe { self.parts() };
        let value = this.withdraw();
        this.stage = Stage::Finished;
        value
    }

    /// Leaves the queue; what is in the slot then. Safe to call from `Drop`.
    #[cold]
    fn withdraw(&mut self) -> Option<T> {
        let lock = &self.handle.chan().state;
        match &self.stage {
            Stage::Waiting(wait) => {
                wait.withdraw(D::queue(&mut *lock.lock_in_drop()?));
                wait.take()
            }
            Stage::Selecting(waiter) => {
                // No longer linked, a partner has completed it, under this lock.
                D::queue(&mut *lock.lock_in_drop()?).remove(waiter);
                waiter.take()
            }
            Stage::New | Stage::Complete(_) => self.slot.take(),
            Stage::Finished => None,
        }
    }

    /// Begins anew, with `slot`, after the end.
    pub(super) fn rearm(self: Pin<&mut Self>, slot: Option<T>) {
        // SAFETY: a stage without a waiter is replaced.
        let this = unsafe { self.parts() };
        debug_assert!(matches!(this.stage, Stage::New | Stage::Finished), "one operation at a time");
        this.slot = slot;
        this.stage = Stage::New;
    }
}

// SAFETY: the waiter is linked and unlinked under the lock that `source` names, and unlinked before it goes.
unsafe impl<H: Handle<T>, T, D: Direction<T>> Arm for Operation<H, T, D> {
    fn source(&self) -> Source {
        Source::Lock(self.handle.chan().label().id, NonNull::from(self.handle.chan().state.raw()))
    }

    fn describe(&self) -> (Op, Option<Label>) {
        (D::OP, Some(self.handle.chan().label()))
    }

    fn check(&self) {
        self.handle.chan().object.check();
    }

    unsafe fn is_ready(&self) -> bool {
        let lock = &self.handle.chan().state;
        lock.raw().effect(|| Effect::Looked);
        // SAFETY: the caller holds the lock of `source`.
        D::is_ready(unsafe { lock.held() })
    }

    unsafe fn attempt(self: Pin<&mut Self>, wakers: &mut Wakers) -> bool {
        // SAFETY: the stage has no waiter yet.
        let this = unsafe { self.parts() };
        // SAFETY: the caller holds the lock of `source`.
        let state = unsafe { this.handle.chan().state.held() };
        let outcome = D::attempt(state, &mut this.slot, wakers);
        this.handle.chan().state.raw().effect(|| D::effect(state, outcome, wakers));
        let Some(outcome) = outcome else { return false };
        this.stage = Stage::Complete(outcome);
        true
    }

    unsafe fn enqueue(self: Pin<&mut Self>, signal: &Signal, arm: usize) {
        // SAFETY: the stage stays in place from here until the waiter was unlinked.
        let this = unsafe { self.parts() };
        this.stage = Stage::Selecting(Waiter::new(this.slot.take()));
        let Stage::Selecting(waiter) = &this.stage else { unreachable!("just stored") };
        this.handle.chan().state.raw().effect(|| Effect::Changed);
        this.handle.chan().state.raw().depends_on(signal.word());
        // SAFETY: the caller holds the lock and keeps `signal` in place for as long as the waiter is linked.
        unsafe { D::queue(this.handle.chan().state.held()).push(waiter, signal, arm) };
    }

    unsafe fn remove(self: Pin<&mut Self>) {
        // SAFETY: the stage is replaced after the waiter was unlinked; the caller holds the lock of `source`.
        let this = unsafe { self.parts() };
        // No partner can claim it, and none has come by since: none sees whether it is linked.
        this.handle.chan().state.raw().effect(|| Effect::Unseen);
        if let Stage::Selecting(waiter) = &this.stage {
            // SAFETY: the caller holds the lock of `source`.
            D::queue(unsafe { this.handle.chan().state.held() }).remove(waiter);
            this.slot = waiter.take();
            this.stage = Stage::New;
        }
    }

    fn complete(self: Pin<&mut Self>, outcome: Outcome) {
        // SAFETY: the partner that completed the waiter has unlinked it.
        let this = unsafe { self.parts() };
        if let Stage::Selecting(waiter) = &this.stage {
            this.slot = waiter.take();
            this.stage = Stage::Complete(outcome);
        }
    }
}

impl<H: Handle<T>, T, D: Direction<T>> Take for Operation<H, T, D> {
    type Output = D::Output;

    fn take(self: Pin<&mut Self>) -> D::Output {
        // SAFETY: a completed stage has no waiter.
        let this = unsafe { self.parts() };
        let Stage::Complete(outcome) = std::mem::replace(&mut this.stage, Stage::Finished) else {
            unreachable!("only the chosen arm is asked for its output")
        };
        this.trace(outcome);
        D::output(outcome, this.slot.take())
    }
}
