//! A task of an execution: a boxed future, and a coroutine while a poll of it is under way.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Waker};

use corosensei::stack::DefaultStack;
use corosensei::{Coroutine, Yielder};

use super::footprint::{Mode, ObjectId};
use super::world::{Pause, World};
use crate::engine::count_step;

/// A task's future.
pub(super) type Boxed = Pin<Box<dyn Future<Output = ()>>>;

/// A poll under way: it gives the future back, and whether it has ended.
pub(super) type Poll = Coroutine<(), Pause, (Boxed, bool), DefaultStack>;

pub(super) enum State {
    /// The clock has no future.
    Clock,
    /// Not polled yet.
    New(Boxed),
    /// Between two polls.
    Pending(Boxed),
    /// At a scheduling point.
    Paused(Poll),
    /// In the midst of a poll, until it is woken.
    Blocked(Poll),
    /// Being polled at this moment, or ended.
    Gone,
}

pub(super) struct Task {
    pub(super) state: State,
    /// What it does next, where that is known.
    pub(super) next: Option<(ObjectId, Mode)>,
    pub(super) children: u32,
    pub(super) objects: u32,
    pub(super) waker: Option<Waker>,
}

impl Task {
    pub(super) fn new(state: State, waker: Option<Waker>) -> Self {
        Self { state, next: None, children: 0, objects: 0, waker }
    }
}

/// A poll of `future`, on `stack`.
pub(super) fn poll(mut future: Boxed, waker: Waker, stack: DefaultStack) -> Poll {
    Coroutine::with_stack(stack, move |yielder: &Yielder<(), Pause>, ()| {
        World::with(|world| world.enter(yielder));
        // A task that spins need not make an operation.
        count_step();
        let ready = future.as_mut().poll(&mut Context::from_waker(&waker)).is_ready();
        (future, ready)
    })
}
