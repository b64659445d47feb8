//! The states that a search has on its paths, and what is still to be done there. Threads of one search share them.

use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use windtunnel::engine::explore::Footprint;

use super::bound::Spent;

/// A set of tasks.
pub(super) type Tasks = u64;

pub(super) fn has(tasks: Tasks, task: usize) -> bool {
    tasks >> task & 1 == 1
}

/// A state, and what is to be done there.
pub(super) struct Node {
    pub(super) enabled: Tasks,
    /// What the way here has cost.
    pub(super) spent: Spent,
    todo: Mutex<Todo>,
}

/// What is still to be done at a state.
pub(super) struct Todo {
    /// Tasks to be run from here.
    pub(super) backtrack: Tasks,
    /// Those who sleep: what they would do is explored elsewhere. First those that slept already when the state was reached, then
    /// those that were run from here, in this order: each sleeps for the ones after it.
    pub(super) sleepers: Vec<Sleeper>,
    /// The sleepers, as a set.
    pub(super) asleep: Tasks,
}

/// A task that need not be run.
#[derive(Clone)]
pub(super) struct Sleeper {
    pub(super) task: usize,
    /// What it would touch, in any of the variants of its step.
    pub(super) footprint: Footprint,
    /// All variants are known.
    pub(super) is_known: bool,
}

impl Todo {
    pub(super) fn new(backtrack: Tasks, sleepers: Vec<Sleeper>) -> Self {
        let asleep = sleepers.iter().fold(0, |asleep, it| asleep | 1 << it.task);
        Self { backtrack, sleepers, asleep }
    }
}

impl Node {
    pub(super) fn new(enabled: Tasks, spent: Spent, todo: Todo) -> Arc<Self> {
        Arc::new(Self { enabled, spent, todo: Mutex::new(todo) })
    }

    /// Whether what was noted of the task at `place` is this, by what it touched.
    pub(super) fn expects(&self, task: usize, place: usize, footprint: &Footprint) -> bool {
        self.todo().sleepers.get(place).is_some_and(|it| it.task == task && it.footprint.covers(footprint))
    }

    pub(super) fn todo(&self) -> MutexGuard<'_, Todo> {
        self.todo.lock()
    }

    /// Takes over the task that `choose` chooses of those that are still to be run, with its place among the sleepers. `None` if
    /// there is none, or while another thread does not know yet what one before it touches: that thread goes on here.
    pub(super) fn claim(&self, choose: impl FnOnce(Tasks) -> Option<usize>) -> Option<(usize, usize)> {
        let mut todo = self.todo();
        let left = todo.backtrack & self.enabled & !todo.asleep;
        if left == 0 || !todo.sleepers.iter().all(|it| it.is_known) {
            return None;
        }
        let task = choose(left)?;
        todo.asleep |= 1 << task;
        todo.sleepers.push(Sleeper { task, footprint: Footprint::default(), is_known: false });
        Some((task, todo.sleepers.len() - 1))
    }

    /// The task that holds `place` touched this in one of the variants of its step; `is_last` if there are no others.
    pub(super) fn learn(&self, place: usize, footprint: &Footprint, is_last: bool) {
        let sleeper = &mut self.todo().sleepers[place];
        sleeper.footprint.merge(footprint);
        sleeper.is_known = is_last;
    }

    /// Who sleeps for the task that holds `place`, and goes on to after its step.
    pub(super) fn sleep_on(&self, place: usize, footprint: &Footprint) -> Vec<Sleeper> {
        let todo = self.todo();
        let commutes = |it: &&Sleeper| !it.footprint.conflicts(footprint);
        todo.sleepers[..place].iter().filter(commutes).cloned().collect()
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.todo().sleepers.capacity() * size_of::<Sleeper>()
    }

    /// How many tasks are to be run from here, and how many before the one that holds `place`.
    pub(super) fn share(&self, place: usize) -> (usize, usize) {
        let todo = self.todo();
        let slept = todo.sleepers.iter().filter(|it| !has(todo.backtrack, it.task)).count();
        let all = (todo.backtrack & self.enabled).count_ones() as usize;
        (all.max(1), place.saturating_sub(slept))
    }
}
