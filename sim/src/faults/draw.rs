//! Plans drawn from the seed.

use std::time::Duration;

use rand::Rng;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::check::Claims;
use super::{Fault, FaultKind, FaultPlan, Kind};
use crate::world::Node;

/// Any faults on any nodes but the scenario's own, healed by 30 s.
pub fn any() -> Strategy {
    Strategy {
        nodes: None,
        minority: false,
        healed_by: Duration::from_secs(30),
        kinds: Kind::ALL.to_vec(),
        ports: Vec::new(),
        at_most: 16,
    }
}

/// No faults, where a scenario is to have none unless it is given a plan.
pub fn none() -> Strategy {
    any().at_most(0)
}

/// What faults a seed may have.
///
/// Each seed enables a random subset of the kinds, so that some runs are full of one kind and without another that would
/// hide a defect (Groce, Zhang, Eide, Chen and Regehr, "Swarm testing", ISSTA 2012). It draws from a stream of the seed of its
/// own. Times are whole milliseconds.
#[derive(Clone, Debug)]
pub struct Strategy {
    nodes: Option<Vec<String>>,
    minority: bool,
    healed_by: Duration,
    kinds: Vec<Kind>,
    ports: Vec<u16>,
    at_most: usize,
}

impl Strategy {
    /// Only on `nodes`; what cuts or troubles a link has one of them at an end.
    #[must_use]
    pub fn on(mut self, nodes: &[Node]) -> Self {
        self.nodes = Some(nodes.iter().map(|node| node.name().to_owned()).collect());
        self
    }

    /// Only on fewer than half of `nodes`: a random choice of them, the same for all faults of a seed.
    #[must_use]
    pub fn on_minority_of(self, nodes: &[Node]) -> Self {
        Self { minority: true, ..self.on(nodes) }
    }

    /// Every fault has an end before `moment`, from the start of the run, and all that was killed runs again. Wall clocks stay
    /// as wrong as they are then.
    #[must_use]
    pub fn healed_by(self, moment: Duration) -> Self {
        Self { healed_by: moment, ..self }
    }

    /// Only of these kinds.
    #[must_use]
    pub fn only(self, kinds: impl IntoIterator<Item = Kind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), ..self }
    }

    /// The ports on which connections may be refused; none by default, hence no [`Refuse`](Kind::Refuse).
    #[must_use]
    pub fn on_ports(self, ports: impl IntoIterator<Item = u16>) -> Self {
        Self { ports: ports.into_iter().collect(), ..self }
    }

    /// So many faults or fewer; 16 by default.
    #[must_use]
    pub fn at_most(self, faults: usize) -> Self {
        Self { at_most: faults, ..self }
    }

    /// A plan for a cluster of nodes called `all`, the first of which is the scenario's own, from `now` on.
    pub(super) fn draw(&self, rng: &mut ChaCha8Rng, all: &[String], now: Duration) -> Vec<Fault> {
        let mut targets = self.nodes.clone().unwrap_or_else(|| all[1..].to_vec());
        targets.retain(|target| *target != all[0]);
        if self.minority {
            targets.shuffle(rng);
            let most = targets.len().saturating_sub(1) / 2;
            targets.truncate(if most == 0 { 0 } else { rng.random_range(1..=most) });
        }
        let begin = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        let end = u64::try_from(self.healed_by.as_millis()).unwrap_or(u64::MAX);
        let mut kinds = self.kinds.clone();
        kinds.retain(|kind| *kind != Kind::Refuse || !self.ports.is_empty());
        let Some(first) = kinds.choose(rng).copied() else { return Vec::new() };
        kinds.retain(|kind| *kind == first || rng.random());
        if targets.is_empty() || end < begin.saturating_add(4) || self.at_most == 0 {
            return Vec::new();
        }
        let mut draw = Draw { rng, all, targets: &targets, every_link: self.nodes.is_none(), ports: &self.ports };
        let (mut faults, mut claims) = (Vec::new(), Claims::new(all));
        for number in 0..draw.rng.random_range(1..=self.at_most) {
            let kind = *kinds.choose(draw.rng).expect("one is left at least");
            let fault = draw.fault(kind, begin + 1..end - 1);
            // One that another is in the way of is left out.
            if claims.enter(number, &fault).is_ok() {
                faults.push(fault);
            }
        }
        faults.sort_by_key(|fault| fault.at);
        faults
    }
}

struct Draw<'a> {
    rng: &'a mut ChaCha8Rng,
    all: &'a [String],
    targets: &'a [String],
    /// Whether links between nodes that are no targets may be troubled too.
    every_link: bool,
    ports: &'a [u16],
}

impl Draw<'_> {
    fn fault(&mut self, kind: Kind, moments: std::ops::Range<u64>) -> Fault {
        let kind = self.kind(kind);
        let at = self.rng.random_range(moments.clone());
        // Short spells are as likely as long ones.
        let longest = (moments.end - at) >> self.rng.random_range(0..6_u32);
        let until = at + self.rng.random_range(1..=longest.max(1));
        let mut fault = Fault::new(Duration::from_millis(at), Duration::from_millis(until), kind);
        if fault.is_instant() {
            fault.until = None;
        }
        fault
    }

    fn kind(&mut self, kind: Kind) -> FaultKind {
        let node = self.targets.choose(self.rng).expect("there are targets").clone();
        let share = f64::from(self.rng.random_range(1..=20_u8)) / 20.0;
        match kind {
            Kind::Partition => self.partition(),
            Kind::Clog => {
                let (from, to) = self.link(node);
                FaultKind::Clog { from, to }
            }
            Kind::Latency => {
                let extra = Duration::from_millis(self.rng.random_range(1..1000));
                let (from, to) = self.link(node);
                FaultKind::Latency { from, to, extra }
            }
            Kind::Loss => {
                let (from, to) = self.link(node);
                FaultKind::Loss { from, to, share }
            }
            Kind::Duplication => {
                let (from, to) = self.link(node);
                FaultKind::Duplication { from, to, share }
            }
            Kind::Bandwidth => {
                let bytes_per_second = 1 << self.rng.random_range(10..24_u32);
                let (from, to) = self.link(node);
                FaultKind::Bandwidth { from, to, bytes_per_second }
            }
            Kind::Kill => FaultKind::Kill { node },
            Kind::Restart => FaultKind::Restart { node },
            Kind::Pause => FaultKind::Pause { node },
            Kind::Slowness => FaultKind::Slowness { node, factor: 1 << self.rng.random_range(1..10_u32) },
            Kind::ClockSkew => FaultKind::ClockSkew { node, ppm: self.rng.random_range(-200_000..=200_000) },
            Kind::ClockJump => {
                let by = Duration::from_millis(1 << self.rng.random_range(0..22_u32));
                FaultKind::ClockJump { node, by, back: self.rng.random() }
            }
            Kind::Refuse => {
                FaultKind::Refuse { node, port: *self.ports.choose(self.rng).expect("else it is left out") }
            }
            Kind::FailLookups => FaultKind::FailLookups { name: node },
        }
    }

    /// Some of the targets, and all others.
    fn partition(&mut self) -> FaultKind {
        let size = self.rng.random_range(1..=self.targets.len());
        let mut one: Vec<String> = self.targets.choose_multiple(self.rng, size).cloned().collect();
        one.sort();
        let mut other: Vec<String> = self.all.iter().filter(|node| !one.contains(node)).cloned().collect();
        let one_way = self.rng.random_ratio(1, 4);
        if one_way && self.rng.random() {
            std::mem::swap(&mut one, &mut other);
        }
        FaultKind::Partition { one, other, one_way }
    }

    /// A link that `node` is at one end of, or every link.
    fn link(&mut self, node: String) -> (Option<String>, Option<String>) {
        if self.every_link && self.rng.random_ratio(1, 4) {
            return (None, None);
        }
        let others: Vec<&String> = self.all.iter().filter(|other| **other != node).collect();
        let other = others.choose(self.rng).map(|other| (*other).clone());
        if self.rng.random() { (Some(node), other) } else { (other, Some(node)) }
    }
}

/// What [`Sim::faults`](crate::Sim::faults) takes: a [`Strategy`], or a [`FaultPlan`] that is given.
#[derive(Clone, Debug)]
pub struct Faults(pub(super) Origin);

#[derive(Clone, Debug)]
pub(super) enum Origin {
    Drawn(Strategy),
    Given(FaultPlan),
}

impl From<Strategy> for Faults {
    fn from(strategy: Strategy) -> Self {
        Self(Origin::Drawn(strategy))
    }
}

impl From<FaultPlan> for Faults {
    fn from(plan: FaultPlan) -> Self {
        Self(Origin::Given(plan))
    }
}
