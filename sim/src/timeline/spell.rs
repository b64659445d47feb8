//! How long things were not as usual, from the changes that began and ended it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::{Nodes, nanos};
use crate::faults::{Deed, FaultKind, FaultRecord};
use crate::net::{Change, LinkConditions, Recording};

/// A time in which a node was in trouble, or a link not as usual.
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
    /// No task of the node ran.
    Paused,
    /// The node's tasks took longer.
    Sluggish,
    /// The node's wall clock was wrong.
    Clock,
    /// The node refused connections to a port.
    Refusing,
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
    clocks: BTreeMap<usize, Clock>,
    /// The ports that each node refuses connections to.
    refused: BTreeMap<usize, BTreeSet<u16>>,
}

/// How far a wall clock is from the truth.
#[derive(Clone, Copy, Default)]
struct Clock {
    /// Nanoseconds that it was ahead at `since`.
    ahead: i128,
    since: u64,
    /// Millionths by which it is fast.
    ppm: i32,
}

/// The spells of a run that ended at `end`, by the time they began.
pub(super) fn spells(network: &Recording, faults: &[FaultRecord], nodes: &Nodes<'_>, end: u64) -> Vec<Spell> {
    let mut spells = Spells::default();
    for (at, change) in &network.changes {
        spells.network(nanos(*at), change, nodes);
    }
    for FaultRecord { at, deed } in faults {
        let at = nanos(*at);
        match deed {
            Deed::Began(fault) => spells.node(at, &fault.kind, true, nodes),
            Deed::Did(kind) => spells.node(at, kind, true, nodes),
            Deed::Ended(fault) => spells.node(at, &fault.kind, false, nodes),
            Deed::Admitted { node, port } => spells.set_refusing(nodes[&**node], at, *port, false),
            // What came of these is in the network's record; a name that cannot be looked up is no node's trouble.
            Deed::SetLink { .. }
            | Deed::SetEveryLink(_)
            | Deed::SlowedLink { .. }
            | Deed::Healed
            | Deed::MendedLookups { .. } => {}
        }
    }
    spells.end(end)
}

fn pairs(nodes: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..nodes).flat_map(move |from| (0..nodes).filter(move |to| *to != from).map(move |to| (from, to)))
}

impl Spells {
    /// What the network did to hosts and links.
    fn network(&mut self, at: u64, change: &Change, nodes: &Nodes<'_>) {
        match change {
            Change::Down(node) => self.set_node(SpellKind::Dead, nodes[&**node], at, Some("dead".into())),
            Change::Up(node) => self.set_node(SpellKind::Dead, nodes[&**node], at, None),
            Change::Link { from, to, conditions } => self.set_link(nodes[&**from], nodes[&**to], at, conditions),
            Change::EveryLink(conditions) => {
                for (from, to) in pairs(nodes.len()) {
                    self.set_link(from, to, at, conditions);
                }
            }
            Change::Unclogged => {
                for (from, to) in pairs(nodes.len()) {
                    self.set((SpellKind::Cut, from, to), at, None);
                }
            }
        }
    }

    /// What a fault that begins, or ends, does to a node itself.
    fn node(&mut self, at: u64, kind: &FaultKind, begins: bool, nodes: &Nodes<'_>) {
        let index = |node: &String| nodes[&**node];
        match kind {
            FaultKind::Pause { node } => {
                self.set_node(SpellKind::Paused, index(node), at, begins.then(|| "paused".into()));
            }
            // Power goes before a pause.
            FaultKind::Kill { node } | FaultKind::Restart { node } => {
                self.set_node(SpellKind::Paused, index(node), at, None);
            }
            FaultKind::Slowness { node, factor } => {
                let text = begins.then(|| format!("slow by {factor}"));
                self.set_node(SpellKind::Sluggish, index(node), at, text);
            }
            FaultKind::ClockSkew { node, ppm } => {
                self.set_clock(index(node), at, |clock| clock.ppm = if begins { *ppm } else { 0 });
            }
            FaultKind::ClockJump { node, by, back } => {
                let by = i128::from(nanos(*by));
                self.set_clock(index(node), at, |clock| clock.ahead += if *back { -by } else { by });
            }
            FaultKind::Refuse { node, port } => self.set_refusing(index(node), at, *port, begins),
            // Links are in the network's record.
            _ => {}
        }
    }

    fn set_node(&mut self, kind: SpellKind, node: usize, at: u64, text: Option<String>) {
        self.set((kind, node, node), at, text);
    }

    fn set_clock(&mut self, node: usize, at: u64, change: impl FnOnce(&mut Clock)) {
        let clock = self.clocks.entry(node).or_default();
        clock.ahead += i128::from(at - clock.since) * i128::from(clock.ppm) / 1_000_000;
        clock.since = at;
        change(clock);
        let text = clock.text();
        self.set_node(SpellKind::Clock, node, at, text);
    }

    fn set_refusing(&mut self, node: usize, at: u64, port: u16, refused: bool) {
        let ports = self.refused.entry(node).or_default();
        let _ = if refused { ports.insert(port) } else { ports.remove(&port) };
        let names: Vec<String> = ports.iter().map(u16::to_string).collect();
        let text = (!names.is_empty()).then(|| format!("refuses connections to {}", names.join(", ")));
        self.set_node(SpellKind::Refusing, node, at, text);
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

impl Clock {
    /// What is wrong with it, if something is.
    fn text(&self) -> Option<String> {
        let by = Duration::from_nanos(u64::try_from(self.ahead.unsigned_abs()).unwrap_or(u64::MAX));
        let offset = (!by.is_zero()).then(|| format!("{by:?} {}", if self.ahead < 0 { "behind" } else { "ahead" }));
        let rate = match self.ppm {
            0 => None,
            ppm if ppm < 0 => Some(format!("losing {} ppm", ppm.unsigned_abs())),
            ppm => Some(format!("gaining {ppm} ppm")),
        };
        let words: Vec<String> = offset.into_iter().chain(rate).collect();
        (!words.is_empty()).then(|| format!("wall clock {}", words.join(", ")))
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
