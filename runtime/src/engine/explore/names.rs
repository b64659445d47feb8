//! What the tasks of a search are called: a number in the search, and beyond it the way to the task from the main task.

use std::sync::Arc;

use parking_lot::Mutex;

use super::World;
use super::world::{CLOCK, MAIN};

/// The numbers of the tasks of one search, the same in each execution and on each thread: a task is known by its parent and
/// which of its children it is.
#[derive(Clone, Debug, Default)]
pub struct Names(Arc<Mutex<Vec<(usize, u32)>>>);

impl Names {
    /// From what [`to_vec`](Self::to_vec) gave.
    pub fn from_vec(names: Vec<(usize, u32)>) -> Self {
        Self(Arc::new(Mutex::new(names)))
    }

    /// Parent and place among its children of the tasks that follow main.
    pub fn to_vec(&self) -> Vec<(usize, u32)> {
        self.0.lock().clone()
    }

    pub(super) fn number(&self, parent: usize, child: u32) -> usize {
        let mut names = self.0.lock();
        let known = names.iter().position(|&name| name == (parent, child));
        MAIN + 1
            + known.unwrap_or_else(|| {
                names.push((parent, child));
                names.len() - 1
            })
    }
}

impl Names {
    /// Parent and place among its children of `task`, which is neither main nor the clock.
    fn name(&self, task: usize) -> Option<(usize, u32)> {
        self.0.lock().get(task.checked_sub(MAIN + 1)?).copied()
    }

    fn known(&self, parent: usize, child: u32) -> Option<usize> {
        self.0.lock().iter().position(|&name| name == (parent, child)).map(|at| MAIN + 1 + at)
    }
}

/// Which child of which child `task` is, from the main task on, each counted from 1: nothing for the main task itself. `None` for
/// the clock, and for what is no task of this search.
pub fn lineage(task: usize) -> Option<Vec<u32>> {
    World::with(|world| {
        let names = world.names.borrow();
        let mut lineage = Vec::new();
        let mut at = task;
        while at != MAIN {
            let (parent, child) = names.name(at).filter(|_| at != CLOCK)?;
            lineage.insert(0, child);
            at = parent;
        }
        Some(lineage)
    })
}

/// The task of this lineage, once it was spawned in this search.
pub fn descendant(lineage: &[u32]) -> Option<usize> {
    World::with(|world| {
        let names = world.names.borrow();
        lineage.iter().try_fold(MAIN, |parent, child| names.known(parent, *child))
    })
}
