//! The path of an execution: what it did at each state, and which of its steps race.

use std::sync::Arc;

use smallvec::SmallVec;
use windtunnel::engine::explore::{CLOCK, Choices, Footprint, Step};

use super::bound::Spent;
use super::tree::{Node, Tasks, Todo, has};

/// For each task, how many of its steps come before or are the step that this belongs to.
type Clock = SmallVec<[u32; 8]>;

/// A step to be made at the last state of a path.
#[derive(Clone, Debug)]
pub(super) struct Next {
    pub(super) task: usize,
    pub(super) choices: Choices,
    /// The task's place among the sleepers of the state.
    pub(super) place: usize,
}

/// A step that was made.
#[derive(Clone)]
pub(super) struct Event {
    footprint: Footprint,
    clock: Clock,
    pub(super) task: usize,
    /// Its number among the steps of its task, from 1 on.
    number: u32,
    enables: Tasks,
    begins: bool,
    arms: bool,
    pub(super) place: usize,
    pub(super) choices: Choices,
    /// The other variants of the step are left to the path that this one was split from.
    pub(super) is_borrowed: bool,
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

/// The choices of the next variant of a step, if there is one.
fn next_variant(choices: &Choices) -> Option<Choices> {
    let mut choices = choices.clone();
    while let Some((taken, alternatives)) = choices.last_mut() {
        *taken += 1;
        if taken < alternatives {
            return Some(choices);
        }
        choices.pop();
    }
    None
}

/// States from the start on, and the step that was made at each; at the last one none has been yet, unless the execution has ended
/// with it.
pub(super) struct Path {
    pub(super) nodes: Vec<Arc<Node>>,
    pub(super) events: Vec<Event>,
    /// Equivalent executions are left out.
    reduced: bool,
    /// What costs more than a bound allows is left out.
    bounded: bool,
}

impl Path {
    pub(super) fn new(reduced: bool, bounded: bool) -> Self {
        Self { nodes: Vec::new(), events: Vec::new(), reduced, bounded }
    }

    /// Goes back to the last state where something is to be done, and takes that over; `None` if there is none.
    pub(super) fn next(&mut self, choose: impl Fn(&Self, usize, Tasks) -> Option<usize>) -> Option<Next> {
        while let Some(last) = self.nodes.len().checked_sub(1) {
            if self.events.len() > last {
                let event = self.events.pop().expect("as many as nodes");
                if let Some(choices) = next_variant(&event.choices).filter(|_| !event.is_borrowed) {
                    return Some(Next { task: event.task, choices, place: event.place });
                }
            }
            if let Some(next) = self.claim(last, &choose) {
                return Some(next);
            }
            // Who is left there sees to what is added later.
            self.nodes.pop();
        }
        None
    }

    /// A path of its own to something that is to be done at a state of this one, the first there is.
    pub(super) fn split(&self, choose: impl Fn(&Self, usize, Tasks) -> Option<usize>) -> Option<(Self, Next)> {
        let (at, next) = (0..self.events.len()).find_map(|at| Some((at, self.claim(at, &choose)?)))?;
        let events = self.events[..at].iter().map(|event| Event { is_borrowed: true, ..event.clone() });
        Some((Self { nodes: self.nodes[..=at].to_vec(), events: events.collect(), ..*self }, next))
    }

    /// Whether `next` is what was taken over at the last state.
    pub(super) fn can_go_on_with(&self, next: Option<&Next>) -> bool {
        match (self.nodes.last(), next) {
            (None, None) => true,
            (Some(last), Some(next)) => {
                self.nodes.len() == self.events.len() + 1 && last.expects(next.task, next.place, &Footprint::default())
            }
            _ => false,
        }
    }

    fn claim(&self, at: usize, choose: &impl Fn(&Self, usize, Tasks) -> Option<usize>) -> Option<Next> {
        let (task, place) = self.nodes[at].claim(|left| choose(self, at, left))?;
        Some(Next { task, choices: Choices::new(), place })
    }

    /// Adds the state after the last event.
    pub(super) fn push(&mut self, enabled: Tasks) {
        let (mut sleepers, mut spent) = (Vec::new(), Spent::default());
        if let (Some(node), Some(event)) = (self.nodes.last(), self.events.last()) {
            if self.reduced && !self.bounded {
                sleepers = node.sleep_on(event.place, &event.footprint);
            }
            spent = self.spent_with(self.events.len() - 1, event.task);
        }
        self.nodes.push(Node::new(enabled, spent, Todo::new(0, sleepers)));
    }

    /// Who made the step before the state at `at`.
    pub(super) fn previous(&self, at: usize) -> Option<usize> {
        Some(self.events[at.checked_sub(1)?].task)
    }

    /// What the way to the state at `at` costs, with a step of `task` from there.
    pub(super) fn spent_with(&self, at: usize, task: usize) -> Spent {
        self.nodes[at].spent.with(self.previous(at), self.nodes[at].enabled, task)
    }

    /// Enters `step` at the last state, and has what races with it be tried in the other order as well: source sets and
    /// Algorithm 1 of Abdulla, Aronis, Jonsson and Sagonas, "Optimal dynamic partial order reduction" (POPL 2014).
    pub(super) fn enter(&mut self, task: usize, place: usize, step: Step) {
        let node = self.nodes.last().expect("a step is made at a state");
        node.learn(place, &step.footprint, next_variant(&step.choices).is_none());
        let disarms = step.clock.disarms;
        let races = self.append(task, place, step);
        let last = self.events.len() - 1;
        if disarms {
            // The one step that another can take away: where it is not made, no race shows.
            self.nodes[last].todo().backtrack |= 1 << CLOCK;
            if self.bounded {
                self.nodes[self.block_start(last)].todo().backtrack |= 1 << CLOCK;
            }
        }
        if self.reduced {
            races.into_iter().for_each(|earlier| self.reverse(earlier, last));
        }
    }

    /// Adds a step, and gives the ones that it races with: those it conflicts with and that come before it by nothing else.
    pub(super) fn append(&mut self, task: usize, place: usize, step: Step) -> SmallVec<[usize; 8]> {
        let own = self.events.iter().rposition(|event| event.task == task);
        let (number, mut clock) =
            own.map_or((1, Clock::new()), |own| (self.events[own].number + 1, self.events[own].clock.clone()));
        let needed = self.needed(task, &step);
        let mut races = SmallVec::new();
        for (index, event) in self.events.iter().enumerate().rev() {
            if needed.contains(&index) {
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
        let Step { footprint, choices, enables, begins, clock: used, .. } = step;
        self.events.push(Event {
            footprint,
            clock,
            task,
            number,
            enables,
            begins,
            arms: used.arms,
            place,
            choices,
            is_borrowed: false,
        });
        races
    }

    /// The steps without which `task` could not make `step`, those of its own aside: of those that let it go on, each that comes
    /// before all of them.
    fn needed(&self, task: usize, step: &Step) -> SmallVec<[usize; 4]> {
        if !step.begins {
            return SmallVec::new();
        }
        let began = self.events.iter().rposition(|event| event.task == task && event.begins).unwrap_or(0);
        let enabling: SmallVec<[usize; 4]> =
            (began..self.events.len()).filter(|&index| has(self.events[index].enables, task)).collect();
        let is_needed = |&index: &usize| {
            let event = &self.events[index];
            enabling.iter().all(|&other| event.before(&self.events[other].clock))
        };
        enabling.iter().copied().filter(is_needed).collect()
    }

    /// Has some execution begin, where `earlier` was made, with what leads to `later` without it.
    fn reverse(&self, earlier: usize, later: usize) {
        let (first, task) = (&self.events[earlier], self.events[later].task);
        let between = (earlier + 1..later).filter(|&index| !first.before(&self.events[index].clock));
        let mut without: SmallVec<[usize; 32]> = between.collect();
        let node = &self.nodes[earlier];
        if task == CLOCK && !has(node.enabled, CLOCK) && !without.iter().any(|&it| self.events[it].arms) {
            return;
        }
        without.push(later);
        let (mut seen, mut initials): (Tasks, Tasks) = (0, 0);
        for (position, &index) in without.iter().enumerate() {
            let event = &self.events[index];
            if !has(seen, event.task) {
                seen |= 1 << event.task;
                let follows = without[..position].iter().any(|&other| self.events[other].before(&event.clock));
                initials |= u64::from(!follows) << event.task;
            }
        }
        if self.bounded {
            return self.reverse_bounded(earlier, task, initials);
        }
        let mut todo = node.todo();
        if initials & (todo.backtrack | todo.asleep) != 0 {
            return;
        }
        let possible = initials & node.enabled;
        todo.backtrack |= match possible {
            // A task that yielded was not to be run yet.
            0 => node.enabled,
            _ if has(possible, task) => 1 << task,
            _ => possible & possible.wrapping_neg(),
        };
    }

    /// Has `task`, or else whoever can, run where `earlier` was made, and at the beginning of its block, where that may cost less.
    fn reverse_bounded(&self, earlier: usize, task: usize, initials: Tasks) {
        for at in [earlier, self.block_start(earlier)] {
            let node = &self.nodes[at];
            node.todo().backtrack |= if has(initials & node.enabled, task) { 1 << task } else { node.enabled };
        }
    }

    /// The first step of those that were made in a row, up to `index`, by one task.
    fn block_start(&self, index: usize) -> usize {
        let task = self.events[index].task;
        (0..index).rev().take_while(|&before| self.events[before].task == task).last().unwrap_or(index)
    }

    /// Bytes that the path takes, spilled clocks and footprints aside.
    pub(super) fn bytes(&self) -> usize {
        let states: usize = self.nodes.iter().map(|node| node.bytes()).sum();
        states + self.events.len() * size_of::<Event>()
    }

    /// The estimated share of the search that is done, if all that is to be run from a state takes as long: what Knuth estimates a
    /// tree's size by ("Estimating the efficiency of backtrack programs", 1975).
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    pub(super) fn share_done(&self) -> f64 {
        let (mut done, mut weight) = (0.0, 1.0);
        for (node, event) in self.nodes.iter().zip(&self.events) {
            let (tasks, before) = node.share(event.place);
            done += weight * before as f64 / tasks as f64;
            weight /= tasks as f64;
            for &(taken, alternatives) in &event.choices {
                done += weight * taken as f64 / alternatives as f64;
                weight /= alternatives as f64;
            }
        }
        done
    }
}
