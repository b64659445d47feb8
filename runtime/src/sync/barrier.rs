//! A place where a number of tasks meet.

use std::fmt;
use std::future::Future;

use super::acquire::{Acquire, Gate, Request, Rules, admit};
use crate::task::Op;
use crate::wait::{Outcome, WaitQueue, Wakers};

/// Lets a fixed number of tasks wait for each other, again and again.
///
/// The wait that completes the number ends at once, as the *leader*, and with it the others; the barrier is then as new.
pub struct Barrier {
    gate: Gate<Parties>,
}

pub(crate) struct Parties {
    /// How many make a meeting.
    needed: usize,
    /// How many wait for it.
    arrived: usize,
    /// Each with whether it leads.
    waiting: WaitQueue<bool>,
}

impl Rules for Parties {
    type Ask = bool;

    fn waiting(&mut self) -> &mut WaitQueue<bool> {
        &mut self.waiting
    }

    fn enter(&mut self, leads: &mut bool, wakers: &mut Wakers) -> Option<Outcome> {
        if self.arrived + 1 < self.needed {
            self.arrived += 1;
            return None;
        }
        self.arrived = 0;
        admit(&mut self.waiting, wakers, Some);
        *leads = true;
        Some(Outcome::Done)
    }

    fn left(&mut self, _leads: bool, _wakers: &mut Wakers) {
        self.arrived -= 1;
    }

    /// Who took part, took part.
    fn release(&mut self, _leads: bool, _wakers: &mut Wakers) {}
}

impl Barrier {
    /// A barrier for `parties` tasks. One for no task is as one for a single task: no wait is one.
    pub fn new(parties: usize) -> Self {
        Self::labelled(None, parties)
    }

    /// [`new`](Self::new), with a name that reports and traces show.
    pub fn named(name: &'static str, parties: usize) -> Self {
        Self::labelled(Some(name), parties)
    }

    fn labelled(name: Option<&'static str>, parties: usize) -> Self {
        Self { gate: Gate::new(name, Parties { needed: parties, arrived: 0, waiting: WaitQueue::new() }) }
    }

    /// Waits until all parties are here. Exactly one of them is told that it leads: the last to arrive.
    ///
    /// # Cancel safety
    /// A dropped wait takes its arrival back, and another is needed in its place; unless the parties were complete a moment
    /// before, for they have gone on then.
    ///
    /// # Panics
    /// When awaited outside the run that created the barrier, or polled again after it was ready.
    #[track_caller]
    pub fn wait(&self) -> impl Future<Output = BarrierWaitResult> {
        Acquire::new(self, false)
    }
}

impl Request for &Barrier {
    type Rules = Parties;
    type Output = BarrierWaitResult;
    const OP: Op = Op::Barrier;

    fn gate(&self) -> &Gate<Parties> {
        &self.gate
    }

    fn output(self, leads: bool, _outcome: Outcome) -> BarrierWaitResult {
        BarrierWaitResult { leads }
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Barrier({})", self.gate.label())
    }
}

/// What [`Barrier::wait`] tells each party.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BarrierWaitResult {
    leads: bool,
}

impl BarrierWaitResult {
    /// Whether this is the one party, of those that met, that leads.
    pub fn is_leader(&self) -> bool {
        self.leads
    }
}
