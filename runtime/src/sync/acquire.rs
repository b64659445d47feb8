//! The one wait that the primitives of this module share.
//!
//! A primitive is a [`Gate`]: its [`Rules`] under a lock. A wait *enters* the gate: the rules meet it at once, or it queues
//! with what it *asks* for in its slot, until whoever changes the state meets it by putting the *answer* there. A wait that
//! is dropped leaves the queue, or gives back what it had been given a moment before; in both cases the rules then let go
//! on whoever may go on because of it.

use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::backend::{self, Effect};
use crate::lock::Lock;
use crate::object::{Label, Object};
use crate::said::say;
use crate::task::{Op, blocked};
use crate::wait::{Outcome, Wait, WaitQueue, Wakers};

/// The state of a primitive, and when a wait is over. Every method runs under the lock and leaves nobody waiting who could
/// go on.
pub(crate) trait Rules {
    /// What a wait asks for and, once it is over, what it was given.
    type Ask: Copy;

    /// Those who wait, in order of arrival.
    fn waiting(&mut self) -> &mut WaitQueue<Self::Ask>;

    /// Meets `ask` now, leaving the answer in it, or returns `None`: it is enqueued then.
    fn enter(&mut self, ask: &mut Self::Ask, wakers: &mut Wakers) -> Option<Outcome>;

    /// A wait for `ask` was dropped before it was met, and has left the queue.
    fn left(&mut self, ask: Self::Ask, wakers: &mut Wakers);

    /// What it does to meet `ask`, or to release it.
    fn effect(&self, _ask: Self::Ask) -> Effect {
        Effect::Changed
    }

    /// What it does to wait for `ask`.
    fn effect_of_waiting(&self, _ask: Self::Ask) -> Effect {
        Effect::Changed
    }

    /// What was given is free again: a guard was dropped, or a wait that had just been met.
    fn release(&mut self, given: Self::Ask, wakers: &mut Wakers);
}

/// Meets waits from the head of the queue on, for as long as `answer` has one for the next.
pub(crate) fn admit<A: Copy>(waiting: &mut WaitQueue<A>, wakers: &mut Wakers, mut answer: impl FnMut(A) -> Option<A>) {
    while let Some(given) = waiting.first().and_then(&mut answer) {
        let first = waiting.claim().expect("the first of a queue without selects can be claimed");
        wakers.push(first.put(given));
    }
}

/// A primitive: its identity, and its rules under a lock.
pub(crate) struct Gate<R> {
    object: Object,
    rules: Lock<R>,
}

impl<R: Rules> Gate<R> {
    pub(crate) fn new(name: Option<&'static str>, rules: R) -> Self {
        Self { object: Object::new(name), rules: Lock::new(rules) }
    }

    /// The label, for reports.
    pub(crate) fn label(&self) -> Label {
        self.object.label()
    }

    /// Changes the state by `change`, then wakes whom it let go on.
    ///
    /// # Panics
    /// If the primitive belongs to another run.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut R, &mut Wakers) -> T) -> T {
        self.object.check();
        let mut wakers = Wakers::new();
        let result = change(&mut self.rules.lock(), &mut wakers);
        wakers.wake();
        result
    }

    /// What the state is at this moment.
    ///
    /// # Panics
    /// If the primitive belongs to another run.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&R) -> T) -> T {
        self.change(|rules, _| {
            self.effect(Effect::Looked);
            look(rules)
        })
    }

    /// As [`change`](Self::change), for use in `Drop`: does nothing once the run has failed or ended.
    pub(crate) fn change_in_drop(&self, change: impl FnOnce(&mut R, &mut Wakers)) {
        let Some(mut rules) = self.rules.lock_in_drop() else { return };
        let mut wakers = Wakers::new();
        change(&mut rules, &mut wakers);
        drop(rules);
        wakers.wake();
    }

    /// Frees what a guard or a wait was given.
    pub(crate) fn release(&self, given: R::Ask) {
        self.change_in_drop(|rules, wakers| {
            self.effect(rules.effect(given));
            rules.release(given, wakers);
        });
    }

    /// Says what the change that the caller is in does, where that is less than to change everything.
    pub(crate) fn effect(&self, effect: Effect) {
        self.rules.raw().effect(|| effect);
    }

    /// Meets `ask` if that needs no waiting.
    pub(crate) fn try_enter(&self, op: Op, mut ask: R::Ask) -> Option<Outcome> {
        backend::observe_waits(op);
        let outcome = self.change(|rules, wakers| {
            let outcome = rules.enter(&mut ask, wakers);
            self.effect(if outcome.is_some() { rules.effect(ask) } else { Effect::Looked });
            outcome
        })?;
        trace(op, self.label(), outcome);
        Some(outcome)
    }
}

/// A line for the completion of `op`.
fn trace(op: Op, label: Label, outcome: Outcome) {
    let end = if outcome == Outcome::Done { "" } else { " finds it closed" };
    say!("sync", "{op} ({label}){end}");
}

/// What a wait keeps in order to reach its gate, and what it makes of the answer.
pub(crate) trait Request {
    type Rules: Rules;
    /// What the wait gives.
    type Output;
    /// What the task is blocked in.
    const OP: Op;

    fn gate(&self) -> &Gate<Self::Rules>;

    fn output(self, given: <Self::Rules as Rules>::Ask, outcome: Outcome) -> Self::Output;
}

type Ask<Q> = <<Q as Request>::Rules as Rules>::Ask;

/// A wait at a gate, as a future.
pub(crate) struct Acquire<Q: Request> {
    /// Gone once the wait is over.
    request: Option<Q>,
    ask: Ask<Q>,
    wait: Option<Wait<Ask<Q>>>,
    at: &'static Location<'static>,
}

impl<Q: Request> Acquire<Q> {
    #[track_caller]
    pub(crate) fn new(request: Q, ask: Ask<Q>) -> Self {
        Self::at(Location::caller(), request, ask)
    }

    /// [`new`](Self::new), for a wait on behalf of the operation at `at`.
    pub(crate) fn at(at: &'static Location<'static>, request: Q, ask: Ask<Q>) -> Self {
        Self { request: Some(request), ask, wait: None, at }
    }
}

impl<Q: Request> Future for Acquire<Q> {
    type Output = Q::Output;

    /// # Panics
    /// If polled again after it was ready, or outside the run that created the primitive.
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Q::Output> {
        // SAFETY: nothing but `wait` must stay in place, and it is dropped there, after it left the queue.
        let this = unsafe { self.get_unchecked_mut() };
        let Some(request) = &this.request else { panic!("a {} was polled again after it was ready", Q::OP) };
        let gate = request.gate();
        let outcome = match &this.wait {
            Some(wait) => match wait.poll(&gate.rules, cx) {
                Poll::Ready(outcome) => {
                    this.ask = wait.take().expect("the slot keeps what was asked for or given");
                    Some(outcome)
                }
                Poll::Pending => None,
            },
            None => gate.change(|rules, wakers| {
                let outcome = rules.enter(&mut this.ask, wakers);
                if outcome.is_none() {
                    let wait = this.wait.insert(Wait::new(Some(this.ask)));
                    // SAFETY: `self` is pinned and so is what it contains.
                    unsafe { Pin::new_unchecked(&*wait) }.enqueue(rules.waiting(), cx);
                    gate.effect(rules.effect_of_waiting(this.ask));
                } else {
                    gate.effect(rules.effect(this.ask));
                }
                outcome
            }),
        };
        let label = gate.object.check();
        let Some(outcome) = outcome else {
            blocked(Q::OP, Some(label), this.at);
            return Poll::Pending;
        };
        trace(Q::OP, label, outcome);
        let request = this.request.take().expect("looked at above");
        Poll::Ready(request.output(this.ask, outcome))
    }
}

impl<Q: Request> Drop for Acquire<Q> {
    fn drop(&mut self) {
        let (Some(request), Some(wait)) = (&self.request, &self.wait) else { return };
        backend::observe_waits(Q::OP);
        request.gate().change_in_drop(|rules, wakers| match wait.withdraw(rules.waiting()) {
            None => rules.left(self.ask, wakers),
            Some(Outcome::Done) => {
                rules.release(wait.take().expect("the slot keeps what was given"), wakers);
            }
            Some(Outcome::Closed) => {}
        });
    }
}
