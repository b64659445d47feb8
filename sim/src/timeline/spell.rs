//! How long things were not as usual, from the changes that began and ended it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Nodes, nanos};
use crate::net::{Change, LinkConditions, Recording};

/// A time in which a node was dead, or a link not as usual.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Spell {
    /// When it began.
    pub start: u64,
    /// When it ended: with the run, at the latest.
    pub end: u64,
    /// What was wrong.
    pub kind: SpellKind,
    /// The node, or the node that the link comes from.
    pub from: usize,
    /// The node, or the node that the link goes to.
    pub to: usize,
    /// What was wrong, in words.
    pub text: String,
}

/// What was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SpellKind {
    /// The node had no power.
    Dead,
    /// The link carried nothing, this way.
    Cut,
    /// The link was not as by default: slower, losing or doubling packets, of limited bandwidth.
    Slow,
}

/// What can be wrong: with a node, both names are its own.
type Place = (SpellKind, usize, usize);

#[derive(Default)]
struct Spells {
    open: BTreeMap<Place, (u64, String)>,
    closed: Vec<Spell>,
}

/// The spells of a run that ended at `end`, by the time they began.
pub(super) fn spells(network: &Recording, nodes: &Nodes<'_>, end: u64) -> Vec<Spell> {
    let mut spells = Spells::default();
    for (at, change) in &network.changes {
        let at = nanos(*at);
        match change {
            Change::Down(node) => spells.set_dead(nodes[&**node], at, true),
            Change::Up(node) => spells.set_dead(nodes[&**node], at, false),
            Change::Link { from, to, conditions } => spells.set_link(nodes[&**from], nodes[&**to], at, conditions),
            Change::EveryLink(conditions) => {
                for (from, to) in pairs(nodes.len()) {
                    spells.set_link(from, to, at, conditions);
                }
            }
            Change::Unclogged => {
                for (from, to) in pairs(nodes.len()) {
                    spells.set((SpellKind::Cut, from, to), at, None);
                }
            }
        }
    }
    spells.end(end)
}

fn pairs(nodes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..nodes).flat_map(move |from| (0..nodes).filter(move |to| *to != from).map(move |to| (from, to)))
}

impl Spells {
    fn set_dead(&mut self, node: usize, at: u64, dead: bool) {
        self.set((SpellKind::Dead, node, node), at, dead.then(|| "dead".into()));
    }

    fn set_link(&mut self, from: usize, to: usize, at: u64, conditions: &LinkConditions) {
        self.set((SpellKind::Cut, from, to), at, conditions.clogged.then(|| "cut".into()));
        self.set((SpellKind::Slow, from, to), at, unusual(conditions));
    }

    /// From `at` on, `text` is wrong there, or nothing.
    fn set(&mut self, place: Place, at: u64, text: Option<String>) {
        if self.open.get(&place).map(|(_, known)| known) == text.as_ref() {
            return;
        }
        self.close(place, at);
        if let Some(text) = text {
            self.open.insert(place, (at, text));
        }
    }

    fn close(&mut self, place: Place, end: u64) {
        let (kind, from, to) = place;
        if let Some((start, text)) = self.open.remove(&place)
            && start < end
        {
            self.closed.push(Spell { start, end, kind, from, to, text });
        }
    }

    fn end(mut self, end: u64) -> Vec<Spell> {
        while let Some((&place, _)) = self.open.first_key_value() {
            self.close(place, end);
        }
        self.closed.sort();
        self.closed
    }
}

/// What is not as by default, but for being cut.
fn unusual(conditions: &LinkConditions) -> Option<String> {
    let usual = LinkConditions::default();
    let LinkConditions { latency, extra_latency, loss, duplicate, bandwidth, clogged: _ } = conditions;
    let mut words = Vec::new();
    if !extra_latency.is_zero() {
        words.push(format!("slower by {extra_latency:?}"));
    }
    if *latency != usual.latency {
        words.push(format!("latency {:?} to {:?}", latency.start, latency.end));
    }
    if *loss > 0.0 {
        words.push(format!("loses {:.0} %", loss * 100.0));
    }
    if *duplicate > 0.0 {
        words.push(format!("doubles {:.0} %", duplicate * 100.0));
    }
    if let Some(bandwidth) = bandwidth {
        words.push(format!("{bandwidth} bytes/s"));
    }
    (!words.is_empty()).then(|| words.join(", "))
}
