//! A count of things still to happen, and a wait for it to be zero.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::backend::Effect;
use crate::said::say;
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// Waits for a number of tasks, as Go's `sync.WaitGroup`: [`add`](Self::add) before a task starts, [`done`](Self::done)
/// at its end, [`wait`](Self::wait) for all of them. Clones share the count.
#[derive(Clone)]
pub struct WaitGroup {
    gate: Arc<Gate<Count>>,
}

pub(crate) struct Count {
    left: usize,
    waiting: WaitQueue<()>,
}

impl Rules for Count {
    type Ask = ();

    fn waiting(&mut self) -> &mut WaitQueue<()> {
        &mut self.waiting
    }

    fn enter(&mut self, (): &mut (), _wakers: &mut Wakers) -> Option<Outcome> {
        (self.left == 0).then_some(Outcome::Done)
    }

    /// Nobody but who counts down to zero sees who waits, and nobody's count above that does.
    fn effect_of_waiting(&self, (): ()) -> Effect {
        Effect::Shared
    }

    /// Who finds a count of zero changes nothing.
    fn effect(&self, (): ()) -> Effect {
        Effect::Looked
    }

    fn left(&mut self, (): (), _wakers: &mut Wakers) {}

    fn release(&mut self, (): (), _wakers: &mut Wakers) {}
}

impl Default for WaitGroup {
    fn default() -> Self {
        Self::new()
    }
}

impl WaitGroup {
    /// A group with a count of zero.
    pub fn new() -> Self {
        Self::labelled(None)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str) -> Self {
        Self::labelled(Some(name))
    }

    fn labelled(name: Option<&'static str>) -> Self {
        Self { gate: Arc::new(Gate::new(name, Count { left: 0, waiting: WaitQueue::new() })) }
    }

    /// Adds `count` to what is to be waited for.
    pub fn add(&self, count: usize) {
        self.gate.change(|rules, _| rules.left += count);
        say!("sync", "wait group ({}) adds {count}", self.gate.label());
    }

    /// Counts one down; at zero every waiter goes on.
    ///
    /// # Panics
    /// If the count is zero already: more `done` than `add`.
    pub fn done(&self) {
        let left = self.gate.change(|rules, wakers| {
            let left = rules.left.checked_sub(1)?;
            rules.left = left;
            admit(&mut rules.waiting, wakers, |()| (left == 0).then_some(()));
            if left > 0 {
                self.gate.effect(Effect::Shared);
            }
            Some(left)
        });
        let label = self.gate.label();
        let left = left.unwrap_or_else(|| panic!("wait group {label} counted below zero: more done() than add()"));
        say!("sync", "wait group ({label}) has {left} left");
    }

    /// Waits until the count is zero. Cancel safe.
    ///
    /// # Panics
    /// When awaited outside the run that created the group, or polled again after it was ready.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = ()> {
        Acquire::new(self, ())
    }
}

impl Request for &WaitGroup {
    type Rules = Count;
    type Output = ();
    const OP: Op = Op::WaitGroup;

    fn gate(&self) -> &Gate<Count> {
        &self.gate
    }

    fn output(self, (): (), _outcome: Outcome) {}
}

impl fmt::Debug for WaitGroup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WaitGroup({})", self.gate.label())
    }
}
