//! The path of the current execution: what ran at each node, what is still to be run there, and which steps race.

use smallvec::SmallVec;
use windtunnel::engine::explore::{CLOCK, Choices, Footprint, Step};

use super::bound::Spent;

/// For each task, how many of its steps come before or are the step that this belongs to.
pub(super) type Clock = SmallVec<[u32; 8]>;

/// A set of tasks.
pub(super) type Tasks = u64;

pub(super) fn has(tasks: Tasks, task: usize) -> bool {
    tasks >> task & 1 == 1
}

/// A step that was made.
pub(super) struct Event {
    pub(super) task: usize,
    pub(super) choices: Choices,
    footprint: Footprint,
    enabled: Tasks,
    arms: bool,
    /// Its number among the steps of its task, from 1 on.
    number: u32,
    clock: Clock,
}

impl Event {
    /// Whether this step comes before the one of `clock`.
    fn before(&self, clock: &Clock) -> bool {
        clock.get(self.task).is_some_and(|known| *known >= self.number)
    }
}

fn join(clock: &mut Clock, other: &Clock) {
    if clock.len() < other.len() {
        clock.resize(other.len(), 0);
    }
    for (mine, theirs) in clock.iter_mut().zip(other) {
        *mine = (*mine).max(*theirs);
    }
}

/// A state that the path goes through, and what is to be done there.
pub(super) struct Node {
    pub(super) enabled: Tasks,
    /// Tasks to be run from here.
    pub(super) backtrack: Tasks,
    /// Tasks that need not be run from here: what they would do is explored elsewhere. With what they would touch.
    sleep: Vec<(usize, Footprint)>,
    pub(super) asleep: Tasks,
    /// The step that the path takes from here.
    pub(super) event: Option<Event>,
    /// What its variants touched, by other choices.
    touched: Footprint,
    /// What the way here has cost.
    spent: Spent,
}

impl Node {
    fn new(enabled: Tasks, sleep: Vec<(usize, Footprint)>, spent: Spent) -> Self {
        let asleep = sleep.iter().map(|(task, _)| 1 << task).sum();
        Self { enabled, backtrack: 0, sleep, asleep, event: None, touched: Footprint::default(), spent }
    }

    /// The choices of the next variant of the event, if there is one.
    pub(super) fn next_variant(&self) -> Option<(usize, Choices)> {
        let event = self.event.as_ref()?;
        let mut choices = event.choices.clone();
        while let Some((taken, alternatives)) = choices.last_mut() {
            *taken += 1;
            if taken < alternatives {
                return Some((event.task, choices));
            }
            choices.pop();
        }
        None
    }

    /// Everything that follows the event was explored.
    pub(super) fn finish_event(&mut self) {
        if let Some(event) = self.event.take() {
            self.asleep |= 1 << event.task;
            self.sleep.push((event.task, std::mem::take(&mut self.touched)));
        }
    }

    /// The tasks that are still to be run.
    pub(super) fn todo(&self) -> Tasks {
        self.backtrack & self.enabled & !self.asleep
    }
}

/// A path from the start on.
pub(super) struct Path {
    pub(super) nodes: Vec<Node>,
    /// Equivalent executions are left out.
    reduced: bool,
    /// What costs more than a bound allows is left out.
    bounded: bool,
}

impl Path {
    pub(super) fn new(reduced: bool, bounded: bool) -> Self {
        Self { nodes: Vec::new(), reduced, bounded }
    }

    /// Adds the state after the last event. Who sleeps goes on to sleep if what was done commutes with what it would do.
    pub(super) fn push(&mut self, enabled: Tasks) {
        let Some(last) = self.nodes.last() else {
            return self.nodes.push(Node::new(enabled, Vec::new(), Spent::default()));
        };
        let event = last.event.as_ref().expect("a path goes on after a step");
        let sleeps = |&&(task, ref footprint): &&(usize, Footprint)| {
            self.reduced && !self.bounded && task != event.task && !footprint.conflicts(&event.footprint)
        };
        let sleep = last.sleep.iter().filter(sleeps).cloned().collect();
        let spent = self.spent_with(event.task);
        self.nodes.push(Node::new(enabled, sleep, spent));
    }

    /// Who made the step to the last node.
    pub(super) fn previous(&self) -> Option<usize> {
        let before = self.nodes.len().checked_sub(2)?;
        self.nodes[before].event.as_ref().map(|event| event.task)
    }

    /// What the way here costs, with a step of `task` from the last node.
    pub(super) fn spent_with(&self, task: usize) -> Spent {
        self.nodes.last().map_or(Spent::default(), |last| last.spent.with(self.previous(), last.enabled, task))
    }

    /// Enters `step` of `task` at the last node, and has what races with it be tried in the other order as well: source sets
    /// and Algorithm 1 of Abdulla, Aronis, Jonsson and Sagonas, "Optimal dynamic partial order reduction" (POPL 2014).
    pub(super) fn enter(&mut self, task: usize, step: Step) {
        let last = self.nodes.len() - 1;
        let (number, clock, races) = self.order(task, &step);
        let node = &mut self.nodes[last];
        node.touched.merge(&step.footprint);
        let Step { footprint, choices, enabled, clock: used, .. } = step;
        if used.disarms {
            // The one step that another can take away: where it is not made, no race shows.
            node.backtrack |= 1 << CLOCK;
        }
        node.event = Some(Event { task, choices, footprint, enabled, arms: used.arms, number, clock });
        if used.disarms && self.bounded {
            let start = self.block_start(last);
            self.nodes[start].backtrack |= 1 << CLOCK;
        }
        if self.reduced {
            for earlier in races {
                self.reverse(earlier, last);
            }
        }
    }

    fn event(&self, index: usize) -> &Event {
        self.nodes[index].event.as_ref().expect("an event within the path")
    }

    /// The number and the clock of a step at the last node, and the steps that it races with: those it conflicts with and that
    /// come before it by nothing else.
    fn order(&self, task: usize, step: &Step) -> (u32, Clock, SmallVec<[usize; 8]>) {
        let last = self.nodes.len() - 1;
        let own = (0..last).rev().find(|&index| self.event(index).task == task);
        let (number, mut clock) = own.map_or((1, Clock::new()), |own| {
            let own = self.event(own);
            (own.number + 1, own.clock.clone())
        });
        let mut races = SmallVec::new();
        for index in (0..last).rev() {
            let event = self.event(index);
            // Without what made the step possible it cannot be first.
            if has(event.enabled, task) && own.is_none_or(|own| own < index) {
                join(&mut clock, &event.clock);
            }
            if event.task != task && event.footprint.conflicts(&step.footprint) && !event.before(&clock) {
                races.push(index);
                join(&mut clock, &event.clock);
            }
        }
        if clock.len() <= task {
            clock.resize(task + 1, 0);
        }
        clock[task] = number;
        (number, clock, races)
    }

    /// Has some execution begin, where `earlier` was made, with what leads to `later` without it.
    fn reverse(&mut self, earlier: usize, later: usize) {
        let first = self.event(earlier);
        let between = (earlier + 1..later).filter(|&index| !first.before(&self.event(index).clock));
        let mut without: SmallVec<[usize; 32]> = between.collect();
        let task = self.event(later).task;
        if task == CLOCK && !has(self.nodes[earlier].enabled, CLOCK) && !without.iter().any(|&it| self.event(it).arms) {
            return;
        }
        without.push(later);
        let (mut seen, mut initials): (Tasks, Tasks) = (0, 0);
        for (position, &index) in without.iter().enumerate() {
            let event = self.event(index);
            if !has(seen, event.task) {
                seen |= 1 << event.task;
                let follows = without[..position].iter().any(|&other| self.event(other).before(&event.clock));
                initials |= u64::from(!follows) << event.task;
            }
        }
        if self.bounded {
            return self.reverse_bounded(earlier, task, initials);
        }
        let node = &mut self.nodes[earlier];
        if initials & (node.backtrack | node.asleep) != 0 {
            return;
        }
        let possible = initials & node.enabled;
        node.backtrack |= match possible {
            // A task that yielded was not to be run yet.
            0 => node.enabled,
            _ if has(possible, task) => 1 << task,
            _ => possible & possible.wrapping_neg(),
        };
    }
    /// Has `task`, or else whoever can, run where `earlier` was made, and at the beginning of its block, where that may cost less.
    fn reverse_bounded(&mut self, earlier: usize, task: usize, initials: Tasks) {
        for at in [earlier, self.block_start(earlier)] {
            let node = &mut self.nodes[at];
            node.backtrack |= if has(initials & node.enabled, task) { 1 << task } else { node.enabled };
        }
    }

    /// The first step of those that were made in a row, up to `index`, by one task.
    fn block_start(&self, index: usize) -> usize {
        let task = self.event(index).task;
        (0..index).rev().take_while(|&before| self.event(before).task == task).last().unwrap_or(index)
    }
}
