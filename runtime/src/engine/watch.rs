//! What another thread sees of a simulation that does not end, and how it ends it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Waker;
use std::time::Duration;

use super::{Run, Stop, limit};
use crate::run;
use crate::task::{self, Entry, TaskState};

/// Which task is being polled. The thread of the run writes, in every poll; others look, which needs no order between them.
#[derive(Default)]
pub(crate) struct Watch {
    /// Polls that began and polls that ended, together: odd within one.
    polls: AtomicU64,
    /// The number of the task that is polled, or was last.
    task: AtomicU64,
    given_up: AtomicBool,
}

impl Watch {
    fn begin(&self, task: u64) {
        self.task.store(task, Ordering::Relaxed);
        self.count();
    }

    /// One thread counts: a load and a store are enough.
    fn count(&self) {
        self.polls.store(self.polls.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}

/// Begins a poll of `entry` in a simulation, if the task may be polled now; [`end_poll`] ends it. `turn` is the task's own, for
/// its place in the line on a slow node.
pub(crate) fn begin_poll(entry: &Entry, turn: &mut Option<Duration>, waker: &Waker) -> bool {
    run::with(|run| {
        let engine = run.engine();
        let sim = &engine.sim;
        if sim.watch.given_up.load(Ordering::Relaxed) {
            engine.record(Stop::GivenUp, &run.registry);
            sim.wake_driver();
            return false;
        }
        let begins = sim.ailments().may_poll(entry.node.as_deref(), turn, waker);
        if begins {
            sim.watch.begin(entry.id);
        }
        begins
    })
}

/// Ends what [`begin_poll`] began.
pub(crate) fn end_poll() {
    run::with(|run| {
        run.engine().sim.watch.count();
        limit::look(run);
    });
}

/// A simulation, as another thread sees it at a moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look {
    /// Another number than in an earlier look if a poll began or ended since; odd within a poll.
    pub polls: u64,
    /// The task that is being polled or, between polls, was last. `None` if it has ended, and before the first.
    pub task: Option<TaskState>,
}

/// A simulation that does not end, for a thread that is not its own.
impl Run {
    /// Looks which task is being polled.
    pub fn look(&self) -> Look {
        let watch = &self.0.engine().sim.watch;
        let polls = watch.polls.load(Ordering::Relaxed);
        let id = watch.task.load(Ordering::Relaxed);
        let task = (polls > 0).then(|| task::find(&self.0.registry, id)).flatten();
        Look { polls, task }
    }

    /// Has the next poll end the run, with [`Stop::GivenUp`] unless something has stopped it before. A poll that is under way
    /// goes on: nothing can stop that.
    pub fn give_up(&self) {
        self.0.engine().sim.watch.given_up.store(true, Ordering::Relaxed);
    }
}
