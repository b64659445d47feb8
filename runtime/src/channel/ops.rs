//! The send and the receive: one operation in two directions, a future on its own and an arm of `select!`.

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::SendError;
use super::chan::{Chan, State};
use crate::object::Label;
use crate::select::{Arm, Source, Take};
use crate::task::{Op, blocked};
use crate::wait::{Outcome, Signal, Wait, WaitQueue, Waiter, Wakers};

/// A send in progress. See [`Sender::send`](super::Sender::send).
pub type Send<'a, T> = Operation<'a, T, Sending>;

/// A receive in progress. See [`Receiver::recv`](super::Receiver::recv).
pub type Recv<'a, T> = Operation<'a, T, Receiving>;

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
    #[doc(hidden)]
    const OP: Op;
    #[doc(hidden)]
    fn queue(state: &mut State<T>) -> &mut WaitQueue<T>;
    #[doc(hidden)]
    fn is_ready(state: &State<T>) -> bool;
    /// Performs the operation on the value in `slot`, if that needs no waiting.
    #[doc(hidden)]
    fn attempt(state: &mut State<T>, slot: &mut Option<T>, wakers: &mut Wakers) -> Option<Outcome>;
    #[doc(hidden)]
    fn output(outcome: Outcome, slot: Option<T>) -> Self::Output;
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

    fn output(outcome: Outcome, slot: Option<T>) -> Self::Output {
        match (outcome, slot) {
            (Outcome::Closed, Some(value)) => Err(SendError(value)),
            _ => Ok(()),
        }
    }

    fn abandon(_chan: &Chan<T>, slot: Option<T>) {
        drop(slot);
    }
}

impl<T> Direction<T> for Receiving {
    type Output = Option<T>;
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

    fn output(_outcome: Outcome, slot: Option<T>) -> Option<T> {
        slot
    }

    fn abandon(chan: &Chan<T>, slot: Option<T>) {
        if let Some(value) = slot {
            chan.give_back(value);
        }
    }
}

/// A send or a receive in progress: await it, or make it an arm of [`select!`](crate::select!).
#[must_use = "an operation does nothing unless awaited"]
pub struct Operation<'a, T, D: Direction<T>> {
    chan: &'a Chan<T>,
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

impl<T, D: Direction<T>> fmt::Debug for Operation<'_, T, D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", D::OP, self.chan.label())
    }
}

impl<'a, T, D: Direction<T>> Operation<'a, T, D> {
    pub(crate) fn new(chan: &'a Chan<T>, slot: Option<T>, at: &'static Location<'static>) -> Self {
        Self { chan, slot, at, stage: Stage::New, direction: PhantomData }
    }

    /// # Safety
    /// The caller moves nothing out of a stage that has a waiter in a queue.
    unsafe fn parts(self: Pin<&mut Self>) -> &mut Self {
        // SAFETY: the caller's promise.
        unsafe { self.get_unchecked_mut() }
    }

    fn trace(&self, outcome: Outcome) {
        let end = if outcome == Outcome::Done { "" } else { " finds it closed" };
        tracing::trace!(target: "windtunnel::channel", "{} ({}){end}", D::OP, self.chan.label());
    }

    /// The first poll: performs the operation, or enqueues it.
    fn begin(&mut self, cx: &Context<'_>) -> Option<Outcome> {
        self.chan.object.check();
        let mut wakers = Wakers::new();
        let mut state = self.chan.state.lock();
        let outcome = D::attempt(&mut state, &mut self.slot, &mut wakers);
        if outcome.is_none() {
            self.stage = Stage::Waiting(Wait::new(self.slot.take()));
            let Stage::Waiting(wait) = &self.stage else { unreachable!("just stored") };
            // SAFETY: only `poll` calls this, on a pinned operation, so what the operation contains is pinned.
            unsafe { Pin::new_unchecked(wait) }.enqueue(D::queue(&mut state), cx);
        }
        drop(state);
        wakers.wake();
        outcome
    }
}

impl<T, D: Direction<T>> Future for Operation<'_, T, D> {
    type Output = D::Output;

    /// # Panics
    /// If polled again after it was ready, or outside the run that created the channel.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<D::Output> {
        // SAFETY: a stage is replaced only once its waiter has left the queue.
        let this = unsafe { self.parts() };
        let outcome = match &this.stage {
            Stage::New => this.begin(cx),
            Stage::Waiting(wait) => match wait.poll(&this.chan.state, cx) {
                Poll::Ready(outcome) => {
                    this.slot = wait.take();
                    Some(outcome)
                }
                Poll::Pending => None,
            },
            _ => panic!("a channel operation was polled again after it was ready"),
        };
        let Some(outcome) = outcome else {
            blocked(D::OP, Some(this.chan.label()), this.at);
            return Poll::Pending;
        };
        this.stage = Stage::Finished;
        this.trace(outcome);
        Poll::Ready(D::output(outcome, this.slot.take()))
    }
}

impl<T, D: Direction<T>> Drop for Operation<'_, T, D> {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.stage, Stage::New | Stage::Finished) {
            self.cancel();
        }
    }
}

impl<T, D: Direction<T>> Operation<'_, T, D> {
    /// The operation is dropped before it was ready.
    #[cold]
    fn cancel(&mut self) {
        let completed = match &self.stage {
            Stage::Waiting(wait) => wait.cancel(&self.chan.state, D::queue).map(|_| wait.take()),
            Stage::Selecting(waiter) => self.chan.state.lock_in_drop().and_then(|mut state| {
                // Still linked: nobody completed it. Otherwise a partner did, under this lock.
                let linked = D::queue(&mut state).remove(waiter);
                (!linked).then(|| waiter.take())
            }),
            Stage::Complete(_) => Some(self.slot.take()),
            Stage::New | Stage::Finished => None,
        };
        if let Some(slot) = completed {
            D::abandon(self.chan, slot);
        }
    }
}

// SAFETY: the waiter is linked and unlinked under the lock that `source` names, and unlinked before it goes.
unsafe impl<T, D: Direction<T>> Arm for Operation<'_, T, D> {
    fn source(&self) -> Source {
        Source::Lock(self.chan.label().id, NonNull::from(self.chan.state.raw()))
    }

    fn describe(&self) -> (Op, Option<Label>) {
        (D::OP, Some(self.chan.label()))
    }

    fn check(&self) {
        self.chan.object.check();
    }

    unsafe fn is_ready(&self) -> bool {
        // SAFETY: the caller holds the lock of `source`.
        D::is_ready(unsafe { self.chan.state.held() })
    }

    unsafe fn attempt(self: Pin<&mut Self>, wakers: &mut Wakers) -> bool {
        // SAFETY: the stage has no waiter yet; the caller holds the lock of `source`.
        let (this, state) = unsafe {
            let this = self.parts();
            let chan = this.chan;
            (this, chan.state.held())
        };
        let Some(outcome) = D::attempt(state, &mut this.slot, wakers) else { return false };
        this.stage = Stage::Complete(outcome);
        true
    }

    unsafe fn enqueue(self: Pin<&mut Self>, signal: &Signal, arm: usize) {
        // SAFETY: the stage stays in place from here until the waiter was unlinked.
        let this = unsafe { self.parts() };
        this.stage = Stage::Selecting(Waiter::new(this.slot.take()));
        let Stage::Selecting(waiter) = &this.stage else { unreachable!("just stored") };
        // SAFETY: the caller holds the lock and keeps `signal` in place for as long as the waiter is linked.
        unsafe { D::queue(this.chan.state.held()).push(waiter, signal, arm) };
    }

    unsafe fn remove(self: Pin<&mut Self>) {
        // SAFETY: the stage is replaced after the waiter was unlinked; the caller holds the lock of `source`.
        let this = unsafe { self.parts() };
        if let Stage::Selecting(waiter) = &this.stage {
            // SAFETY: the caller holds the lock of `source`.
            D::queue(unsafe { this.chan.state.held() }).remove(waiter);
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

impl<T, D: Direction<T>> Take for Operation<'_, T, D> {
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
