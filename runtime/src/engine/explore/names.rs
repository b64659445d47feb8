//! What a task is called beyond one search, in which it has a number: the way to it from the main task.

use super::World;
use super::world::{CLOCK, MAIN};

/// Which child of which child `task` is, from the main task on, each counted from 1: nothing for the main task itself. `None` for
/// the clock, and for what is no task of this search.
pub fn lineage(task: usize) -> Option<Vec<u32>> {
    World::with(|world| {
        let names = world.names.borrow();
        let mut lineage = Vec::new();
        let mut at = task;
        while at != MAIN {
            let (&(parent, child), _) = names.iter().find(|(_, number)| **number == at).filter(|_| at != CLOCK)?;
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
        lineage.iter().try_fold(MAIN, |parent, child| names.get(&(parent, *child)).copied())
    })
}
