//! What ails a node of a simulation: a processor that is slow, a wall clock that is wrong.
//!
//! # The model of slowness
//!
//! A slow node has one processor. Each poll of one of its tasks occupies it for the node's factor times [`POLL_COST`] of
//! simulated time, and polls take turns in the order in which they were asked for. A node that is not slow has no such limit:
//! its polls take the 50 to 100 ns that madsim gives them.
//!
//! # The model of the wall clock
//!
//! madsim's wall clock begins at a moment drawn from the seed. A node's own is that plus an offset: jumps change the offset,
//! a skew has it grow by so many millionths of the time that passes. The monotonic clock is one for all nodes, and untouched.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::Waker;
use std::time::{Duration, SystemTime};

use super::Run;
use crate::backend;

/// What one poll costs on a node that is slow by the factor one.
pub const POLL_COST: Duration = Duration::from_micros(10);

/// What ails which node, by name.
#[derive(Default)]
pub(crate) struct Ailments {
    slow: BTreeMap<Arc<str>, Processor>,
    clocks: BTreeMap<Arc<str>, Clock>,
}

struct Processor {
    poll_cost: Duration,
    /// When the last poll that has a turn is over.
    free_at: Duration,
}

/// How far a node's wall clock is ahead.
#[derive(Clone, Copy, Default)]
struct Clock {
    /// Nanoseconds that it was ahead at `since`.
    ahead: i128,
    since: Duration,
    /// Millionths by which it is fast.
    ppm: i64,
}

impl Clock {
    fn ahead_at(&self, now: Duration) -> i128 {
        let passed = i128::try_from(now.saturating_sub(self.since).as_nanos()).unwrap_or(i128::MAX);
        self.ahead + passed / 1_000_000 * i128::from(self.ppm) + passed % 1_000_000 * i128::from(self.ppm) / 1_000_000
    }
}

impl Ailments {
    /// Whether a task of `node` may be polled now. `turn` is the task's own: if it is not its turn, that is noted there, and
    /// `waker` is woken when it comes.
    pub(crate) fn may_poll(&mut self, node: Option<&str>, turn: &mut Option<Duration>, waker: &Waker) -> bool {
        let Some(processor) = node.and_then(|node| self.slow.get_mut(node)) else {
            *turn = None;
            return true;
        };
        let now = backend::now();
        let begins = *turn.get_or_insert_with(|| {
            let begins = processor.free_at.max(now);
            processor.free_at = begins + processor.poll_cost;
            begins
        });
        if now < begins {
            backend::wake_at(begins, waker);
            return false;
        }
        *turn = None;
        true
    }

    /// The wall clock of `node`, where a clock that nothing ails says `true_time`.
    pub(crate) fn wall_clock(&self, node: Option<&str>, true_time: SystemTime) -> SystemTime {
        let ahead = node.and_then(|node| self.clocks.get(node)).map_or(0, |clock| clock.ahead_at(backend::now()));
        let by = Duration::from_nanos(u64::try_from(ahead.unsigned_abs()).unwrap_or(u64::MAX));
        let shown = if ahead < 0 { true_time.checked_sub(by) } else { true_time.checked_add(by) };
        shown.unwrap_or(true_time)
    }

    fn change_clock(&mut self, node: &str, change: impl FnOnce(&mut Clock)) {
        let now = backend::now();
        let clock = self.clocks.entry(node.into()).or_default();
        *clock = Clock { ahead: clock.ahead_at(now), since: now, ppm: clock.ppm };
        change(clock);
    }
}

/// What a simulation's driver does to nodes, by name.
impl Run {
    /// Has each poll of a task on `node` cost `factor` times [`POLL_COST`], one after the other; zero ends that.
    pub fn slow_node(&self, node: &str, factor: u32) {
        let mut ailments = self.0.engine().sim.ailments();
        if factor == 0 {
            ailments.slow.remove(node);
        } else {
            let processor = Processor { poll_cost: POLL_COST * factor, free_at: backend::now() };
            ailments.slow.insert(node.into(), processor);
        }
    }

    /// Sets the wall clock of `node` forward by `nanos`, or back.
    pub fn jump_clock(&self, node: &str, nanos: i64) {
        self.0.engine().sim.ailments().change_clock(node, |clock| clock.ahead += i128::from(nanos));
    }

    /// Has the wall clock of `node` gain `ppm` millionths of the time that passes from now on, or lose them.
    pub fn skew_clock(&self, node: &str, ppm: i64) {
        self.0.engine().sim.ailments().change_clock(node, |clock| clock.ppm = ppm);
    }
}
