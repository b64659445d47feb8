//! What a bounded search counts, and how much of it an execution may have.
//!
//! *Preemptions* (Musuvathi and Qadeer, "Iterative context bounding", PLDI 2007): switches away from a task that could have gone on.
//! The reduction then needs more: an order that a race asks for may cost a preemption where another that is equivalent costs none.
//! So it is tried from the beginning of the block as well, nobody sleeps, and no wait is left out (Coons, Musuvathi and `McKinley`,
//! "Bounded partial-order reduction", OOPSLA 2013).
//!
//! *Delays* (Emmi, Qadeer and Rakamarić, "Delay-bounded scheduling", POPL 2011): a scheduler that lets each task run for as long as
//! it can, and then the next one by number, the clock last, is told so many times in all to pass over whose turn it is. Each such
//! execution is tried: with this bound nothing is reduced.

use serde::{Deserialize, Serialize};
use windtunnel::engine::explore::{CLOCK, MAIN};

use super::tree::Tasks;
use crate::Builder;
use crate::report::Bound;

/// What an execution has had so far.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub(super) struct Spent {
    pub(super) preemptions: usize,
    pub(super) delays: usize,
}

impl Builder {
    pub(super) fn is_bounded(&self) -> bool {
        self.preemptions.is_some() || self.delays.is_some()
    }

    /// Whether the search may leave out executions that are equivalent to others.
    pub(super) fn is_reducible(&self) -> bool {
        self.delays.is_none()
    }

    pub(super) fn is_within_bounds(&self, spent: Spent) -> bool {
        self.preemptions.is_none_or(|most| spent.preemptions <= most)
            && self.delays.is_none_or(|most| spent.delays <= most)
    }

    /// The bounds that a search is under from the beginning.
    pub(super) fn bounds(&self) -> Vec<Bound> {
        self.preemptions.map(Bound::Preemptions).into_iter().chain(self.delays.map(Bound::Delays)).collect()
    }
}

impl Spent {
    /// With a step of `task`, where those of `enabled` can run and `previous` ran last.
    pub(super) fn with(self, previous: Option<usize>, enabled: Tasks, task: usize) -> Self {
        let last = previous.filter(|previous| *previous != CLOCK);
        let preempts = last.is_some_and(|last| last != task && enabled >> last & 1 == 1);
        let delays = passed_over(last.unwrap_or(MAIN), enabled, task);
        Self { preemptions: self.preemptions + usize::from(preempts), delays: self.delays + delays }
    }
}

/// How many of `enabled` are before `task`, counted from `last` on.
fn passed_over(last: usize, enabled: Tasks, task: usize) -> usize {
    let others = enabled & !(1 << CLOCK);
    let before = if task == CLOCK {
        others
    } else {
        let turn = (task + 64 - last) % 64;
        others.rotate_right(u32::try_from(last).expect("below 64")) & ((1 << turn) - 1)
    };
    before.count_ones() as usize
}
