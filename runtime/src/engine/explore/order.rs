//! Which events of an execution are ordered by synchronisation: vector clocks (Mattern, "Virtual time and global states of
//! distributed systems", 1989), for the accesses to checked cells.

use std::collections::HashMap;

use super::footprint::ObjectId;

/// For each task the number of its epochs that are known.
type Clock = Vec<u32>;

fn join(clock: &mut Clock, other: &Clock) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// What is known where: a lock, an atomic or a park token passes on what was known by who wrote it last.
#[derive(Default)]
pub(crate) struct Order {
    tasks: Vec<Clock>,
    objects: HashMap<ObjectId, Clock>,
}

impl Order {
    fn clock(&mut self, task: usize) -> &mut Clock {
        if self.tasks.len() <= task {
            self.tasks.resize_with(task + 1, Vec::new);
        }
        let clock = &mut self.tasks[task];
        if clock.len() <= task {
            clock.resize(task + 1, 0);
        }
        clock[task] = clock[task].max(1);
        clock
    }

    /// `task` learns what `object` passes on.
    pub(crate) fn acquire(&mut self, task: usize, object: ObjectId) {
        self.clock(task);
        if let Some(known) = self.objects.get(&object) {
            join(&mut self.tasks[task], known);
        }
    }

    /// `object` passes on what `task` knows; `adds`: beside what it passed on before.
    pub(crate) fn release(&mut self, task: usize, object: ObjectId, adds: bool) {
        let clock = self.clock(task).clone();
        let known = self.objects.entry(object).or_default();
        if adds {
            join(known, &clock);
        } else {
            *known = clock;
        }
        self.clock(task)[task] += 1;
    }

    /// `child` begins with what `parent` knows.
    pub(crate) fn spawn(&mut self, parent: usize, child: usize) {
        let clock = self.clock(parent).clone();
        join(self.clock(child), &clock);
        self.clock(parent)[parent] += 1;
    }

    /// The present epoch of `task`.
    pub(crate) fn epoch(&mut self, task: usize) -> u32 {
        self.clock(task)[task]
    }

    /// Whether `task` knows `epoch` of `other`.
    pub(crate) fn knows(&mut self, task: usize, other: usize, epoch: u32) -> bool {
        self.clock(task).get(other).is_some_and(|known| *known >= epoch)
    }
}
