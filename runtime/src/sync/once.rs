//! Something that is done once, and its result.

use std::fmt;
use std::future::Future;

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::backend::Slot;
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// Runs one closure once, and keeps what it gives; as Go's `sync.Once`, with a result.
///
/// Of those that [`call`](Self::call) it, one runs its closure, the others wait until that one is done. If it never gets
/// done, because it is dropped or panics, the next in order of arrival runs its own. (Go's counts a panic as done.)
///
/// ```
/// # use windtunnel::sync::Once;
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let answer = Once::new();
/// assert_eq!(*answer.call(async || 42).await, 42);
/// assert_eq!(*answer.call(async || unreachable!("called before")).await, 42);
/// # });
/// ```
pub struct Once<T = ()> {
    gate: Gate<Turns>,
    value: Slot<Option<T>>,
}

// SAFETY: the value is written by the one task whose turn it is and read once that is done, by shared reference from any
// thread. Checked by the loom models.
unsafe impl<T: Send + Sync> Sync for Once<T> {}
// SAFETY: moving it moves the value, which is Send.
unsafe impl<T: Send> Send for Once<T> {}

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Idle,
    Running,
    Done,
}

/// What a wait is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// To run one's closure.
    Run,
    /// To go on, as another has run its own.
    Skip,
}

pub(crate) struct Turns {
    stage: Stage,
    waiting: WaitQueue<Turn>,
}

impl Turns {
    fn turn(stage: &mut Stage) -> Option<Turn> {
        match stage {
            Stage::Running => None,
            Stage::Done => Some(Turn::Skip),
            Stage::Idle => {
                *stage = Stage::Running;
                Some(Turn::Run)
            }
        }
    }

    fn end_turn(&mut self, stage: Stage, wakers: &mut Wakers) {
        self.stage = stage;
        admit(&mut self.waiting, wakers, |_| Self::turn(&mut self.stage));
    }
}

impl Rules for Turns {
    type Ask = Turn;

    fn waiting(&mut self) -> &mut WaitQueue<Turn> {
        &mut self.waiting
    }

    fn enter(&mut self, turn: &mut Turn, _wakers: &mut Wakers) -> Option<Outcome> {
        *turn = Self::turn(&mut self.stage)?;
        Some(Outcome::Done)
    }

    fn left(&mut self, _turn: Turn, _wakers: &mut Wakers) {}

    /// A turn came to nothing.
    fn release(&mut self, turn: Turn, wakers: &mut Wakers) {
        if turn == Turn::Run {
            self.end_turn(Stage::Idle, wakers);
        }
    }
}

impl<T> Default for Once<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> Once<T> {
    /// Nothing is done yet.
    pub fn new() -> Self {
        Self::labelled(None)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str) -> Self {
        Self::labelled(Some(name))
    }

    fn labelled(name: Option<&'static str>) -> Self {
        Self { gate: Gate::new(name, Turns { stage: Stage::Idle, waiting: WaitQueue::new() }), value: Slot::new(None) }
    }

    /// Runs `init` to its end if nobody has done so, and gives the value; waits for whoever is running one.
    ///
    /// Ends when a closure is done, this one or another. Called from within its own closure it deadlocks, as in Go.
    ///
    /// # Cancel safety
    /// A dropped wait gives up its place. Dropped while it runs `init`, it drops that; the next waiter then runs its own.
    ///
    /// # Panics
    /// If `init` does; the next waiter runs its own. When awaited outside the run that created it.
    #[track_caller]
    pub fn call<F: Future<Output = T>>(&self, init: impl FnOnce() -> F) -> impl Future<Output = &T> {
        let turn = Acquire::new(self, Turn::Run);
        async move {
            if turn.await == Turn::Run {
                let running = Running(self);
                let value = init().await;
                running.done(value);
            }
            self.done_value().expect("a closure was run to its end")
        }
    }

    /// The value, once there is one.
    pub fn get(&self) -> Option<&T> {
        let done = self.gate.look(|rules| rules.stage == Stage::Done);
        if done { self.done_value() } else { None }
    }

    /// The value, out of what nobody shares any more.
    pub fn into_inner(self) -> Option<T> {
        self.value.into_inner()
    }

    /// The value; called when it is known to be done.
    fn done_value(&self) -> Option<&T> {
        // SAFETY: after the one write of it, the value is read only.
        self.value.with(|value| unsafe { &*value }).as_ref()
    }
}

impl<T> Request for &Once<T> {
    type Rules = Turns;
    type Output = Turn;
    const OP: Op = Op::Once;

    fn gate(&self) -> &Gate<Turns> {
        &self.gate
    }

    fn output(self, turn: Turn, _outcome: Outcome) -> Turn {
        turn
    }
}

/// The turn of a task; the next one's when dropped.
struct Running<'a, T>(&'a Once<T>);

impl<T> Running<'_, T> {
    fn done(self, value: T) {
        // SAFETY: one task at a time is running, and nobody reads before it is done.
        self.0.value.with_mut(|slot| unsafe { *slot = Some(value) });
        self.0.gate.change(|rules, wakers| rules.end_turn(Stage::Done, wakers));
        std::mem::forget(self);
    }
}

impl<T> Drop for Running<'_, T> {
    fn drop(&mut self) {
        self.0.gate.release(Turn::Run);
    }
}

impl<T: fmt::Debug> fmt::Debug for Once<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Once({})", self.gate.label())
    }
}
