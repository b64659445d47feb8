//! A shorter schedule for a failure: with fewer switches between tasks, then with fewer of them away from a task that could have
//! gone on, then with fewer steps.
//!
//! The schedule that was found is a list of blocks, in each of which one task runs. It is changed in one place at a time: cut off,
//! so that the tasks then go on by preference; two blocks of a task joined; a block made longer or shorter, or left out. What
//! leads to the same failure, and is shorter, is kept, until no such change makes it shorter still. The same is done from the first
//! schedule that a search finds which allows no preemption, one, or two, as far as that is cheap. So the result is a local minimum:
//! no single change of these improves on it, though an altogether different schedule may be shorter. Nothing in it is left to
//! chance, and its work is bounded.

use std::sync::Arc;

use windtunnel::task::TaskState;

use super::replay::{Cost, Followed};
use super::{Explorer, Failed};
use crate::plan::Block;
use crate::{Builder, FailureKind};

/// Executions, and steps in all of them together, that a shorter schedule may cost.
const EXECUTIONS: usize = 2000;
const STEPS: usize = 400_000;

/// Bounds on preemptions that are tried, from none on, and executions under each.
const FEW: usize = 3;
const SEARCHED: u64 = 300;

/// Steps of an execution that is too long for that.
const LONG: usize = 300;

/// The shortest schedule with this failure that was come to, from `blocks` or from one with few preemptions; `None` if `blocks` do
/// not lead there.
pub(super) fn shorten(explorer: &Explorer, blocks: &[Block], failure: &Failed) -> Option<Vec<Block>> {
    let fails = |followed: &Followed| followed.failed.as_ref().is_some_and(|other| is_same(other, failure));
    let found = explorer.follow(blocks, Cost::UNLIMITED).filter(fails)?;
    let spins = found.cost.steps > LONG;
    let shortest = descend(explorer, found, fails);
    let other = (0..FEW).filter(|_| !spins).find_map(|most| with_preemptions(explorer, most, failure));
    let other = other.and_then(|blocks| explorer.follow(&blocks, shortest.cost).filter(fails));
    Some(other.map_or(shortest, |other| descend(explorer, other, fails)).blocks)
}

/// Goes from one schedule to a shorter one for as long as there is any.
fn descend(explorer: &Explorer, mut best: Followed, fails: impl Fn(&Followed) -> bool) -> Followed {
    let (mut executions, mut steps) = (0, 0);
    loop {
        let shorter = changes(&best.blocks).find_map(|candidate| {
            executions += 1;
            steps += best.cost.steps;
            let affordable = executions <= EXECUTIONS && steps <= STEPS;
            affordable.then(|| explorer.follow(&candidate, best.cost).filter(&fails)).flatten()
        });
        match shorter {
            Some(shorter) => best = shorter,
            None => return best,
        }
    }
}

/// The first execution with this failure that a search finds under this bound on preemptions.
fn with_preemptions(explorer: &Explorer, most: usize, failure: &Failed) -> Option<Vec<Block>> {
    let builder = Builder {
        preemptions: Some(most),
        delays: None,
        sampling: None,
        max_executions: Some(SEARCHED),
        max_duration: None,
        ..explorer.builder
    };
    let bounded =
        Explorer { builder, name: explorer.name.clone(), body: Arc::clone(&explorer.body), started: explorer.started };
    let mut is_other = |failed: Option<(&FailureKind, &[TaskState])>| {
        failed.is_none_or(|(kind, tasks)| !is_same(&(kind.clone(), tasks.to_vec()), failure))
    };
    let search = bounded.search(bounded.begin(true), |search| search.run_here(&mut is_other));
    search.into_parts().0.failure.map(|(_, blocks, _)| blocks)
}

/// The same kind, with the same message; of a deadlock or a leak, the same tasks blocked at the same places.
fn is_same((kind, tasks): &Failed, (other, others): &Failed) -> bool {
    let blocks = matches!(kind, FailureKind::Deadlock | FailureKind::Leak);
    kind == other && (!blocks || places(tasks) == places(others))
}

/// Who is where. Numbers, which follow the order of events, are left out.
fn places(tasks: &[TaskState]) -> Vec<String> {
    let place = |task: &TaskState| {
        let wait = task.wait.replace(|it: char| it.is_ascii_digit(), "");
        format!("{:?} {:?} {wait} {:?}", task.name, task.spawned_at, task.at)
    };
    let mut places: Vec<_> = tasks.iter().map(place).collect();
    places.sort();
    places
}

/// What may be shorter than `blocks`.
fn changes(blocks: &[Block]) -> impl Iterator<Item = Vec<Block>> {
    let count = blocks.len();
    let cut = (0..count).map(|end| blocks[..end].to_vec());
    let pairs = move || (0..count).flat_map(move |i| (i + 1..count).map(move |j| (i, j)));
    let pairs = move || pairs().filter(|&(i, j)| blocks[i].who == blocks[j].who);
    let later_to_earlier = pairs().map(|(i, j)| moved(blocks, j, i + 1));
    let earlier_to_later = pairs().map(|(i, j)| moved(blocks, i, j - 1));
    let left_out = (0..count).map(|at| edited(blocks, |blocks| drop(blocks.remove(at))));
    let counted = (0..count).filter_map(|at| blocks[at].steps.map(|steps| (at, steps)));
    let longer = counted.clone().map(|(at, _)| edited(blocks, |blocks| blocks[at].steps = None));
    let other = counted
        .flat_map(|(at, steps)| [steps / 2, steps.saturating_sub(1), steps + 1, steps + 2].map(|steps| (at, steps)));
    let other = other.map(|(at, steps)| edited(blocks, |blocks| blocks[at].steps = Some(steps)));
    cut.chain(later_to_earlier).chain(earlier_to_later).chain(longer).chain(left_out).chain(other)
}

fn edited(blocks: &[Block], edit: impl FnOnce(&mut Vec<Block>)) -> Vec<Block> {
    let mut blocks = blocks.to_vec();
    edit(&mut blocks);
    blocks
}

/// With the block at `from` at `to`.
fn moved(blocks: &[Block], from: usize, to: usize) -> Vec<Block> {
    edited(blocks, |blocks| {
        let block = blocks.remove(from);
        blocks.insert(to, block);
    })
}
