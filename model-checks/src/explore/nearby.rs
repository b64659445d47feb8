//! Where to look for a failure again in a program that was edited since.

use std::collections::BTreeSet;

use crate::plan::{Block, Who};

/// By how many steps a block is made longer or shorter.
const NUDGES: [isize; 6] = [1, -1, 2, -2, 3, -3];

/// How many tasks more, or less, are spawned before others.
const SPAWNED: [i32; 4] = [1, -1, 2, -2];

/// Plans that are tried at most.
const MOST: usize = 2000;

/// `blocks`, and what differs from them in little: tasks are spawned before others, or are no more, and one block is longer or
/// shorter, or two are.
pub(super) fn nearby(blocks: &[Block]) -> impl Iterator<Item = Vec<Block>> {
    let mut shifts = vec![blocks.to_vec()];
    shifts.extend(
        siblings(blocks).iter().flat_map(|(parent, child)| SPAWNED.map(|by| shifted(blocks, parent, *child, by))),
    );
    let nudges = (0..blocks.len()).filter(|at| blocks[*at].steps.is_some());
    let nudges: Vec<_> = nudges.flat_map(|at| NUDGES.map(|by| (at, by))).collect();
    let pairs = |a: (usize, isize)| nudges.iter().filter(move |b| a.0 < b.0).map(move |b| vec![a, *b]);
    let one: Vec<_> = nudges.iter().map(|nudge| vec![*nudge]).collect();
    let two: Vec<_> = nudges.iter().take(MOST).flat_map(|a| pairs(*a)).take(MOST).collect();
    let all = [vec![Vec::new()], one, two].into_iter().flatten();
    let all = all.flat_map(move |nudges| shifts.clone().into_iter().map(move |blocks| nudged(blocks, &nudges)));
    all.take(MOST)
}

fn nudged(mut blocks: Vec<Block>, nudges: &[(usize, isize)]) -> Vec<Block> {
    for &(at, by) in nudges {
        blocks[at].steps = blocks[at].steps.map(|steps| steps.saturating_add_signed(by));
    }
    blocks
}

/// The tasks that are named, and those that name them, as parent and child.
fn siblings(blocks: &[Block]) -> BTreeSet<(Vec<u32>, u32)> {
    let lineages =
        blocks.iter().filter_map(|block| if let Who::Task(lineage) = &block.who { Some(lineage) } else { None });
    lineages.flat_map(|lineage| (0..lineage.len()).map(|depth| (lineage[..depth].to_vec(), lineage[depth]))).collect()
}

/// As if `parent` spawned `by` tasks more before its child number `from`.
fn shifted(blocks: &[Block], parent: &[u32], from: u32, by: i32) -> Vec<Block> {
    let mut blocks = blocks.to_vec();
    for block in &mut blocks {
        if let Who::Task(lineage) = &mut block.who
            && lineage.starts_with(parent)
            && let Some(child) = lineage.get_mut(parent.len()).filter(|child| **child >= from)
        {
            *child = child.saturating_add_signed(by);
        }
    }
    blocks
}
