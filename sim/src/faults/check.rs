//! What a plan must keep to: nodes exist, values make sense, and no two faults of a kind are in one place at one time.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Fault, FaultKind, FaultPlan, PlanError};
use crate::text;

/// What one fault at a time has for itself: what of it, and whose.
type Claim = (&'static str, String, String);

/// Which fault has what, from when to when.
#[derive(Debug)]
pub(super) struct Claims<'a> {
    nodes: &'a [String],
    taken: BTreeMap<Claim, Vec<(Duration, Duration, usize)>>,
}

impl<'a> Claims<'a> {
    /// For faults on `nodes`.
    pub(super) fn new(nodes: &'a [String]) -> Self {
        Self { nodes, taken: BTreeMap::new() }
    }

    /// Enters `fault` under `number`, unless another one is in its way: the number of that, and where.
    pub(super) fn enter(&mut self, number: usize, fault: &Fault) -> Result<(), (usize, String)> {
        let (start, end) = (fault.at, span_end(fault));
        let claims = self.claims(&fault.kind);
        for claim in &claims {
            for (other_start, other_end, other) in self.taken.get(claim).into_iter().flatten() {
                if start < *other_end && *other_start < end {
                    let (what, one, two) = claim;
                    let place = if two.is_empty() { one.clone() } else { format!("{one} to {two}") };
                    return Err((*other, format!("the {what} of {place}")));
                }
            }
        }
        for claim in claims {
            self.taken.entry(claim).or_default().push((start, end, number));
        }
        Ok(())
    }

    fn claims(&self, kind: &FaultKind) -> Vec<Claim> {
        let of = |what, node: &str| vec![(what, node.to_owned(), String::new())];
        match kind {
            FaultKind::Partition { one, other, one_way } => {
                let cut = |from: &String, to: &String| ("links", from.clone(), to.clone());
                let there = one.iter().flat_map(|a| other.iter().map(move |b| cut(a, b)));
                let back = one.iter().flat_map(|a| other.iter().map(move |b| cut(b, a))).filter(|_| !one_way);
                there.chain(back).collect()
            }
            FaultKind::Clog { .. } => self.links("links", kind),
            FaultKind::Latency { .. } => self.links("latency", kind),
            FaultKind::Loss { .. } => self.links("loss", kind),
            FaultKind::Duplication { .. } => self.links("duplication", kind),
            FaultKind::Bandwidth { .. } => self.links("bandwidth", kind),
            FaultKind::Kill { node } | FaultKind::Restart { node } | FaultKind::Pause { node } => of("power", node),
            FaultKind::Slowness { node, .. } => of("pace", node),
            FaultKind::ClockSkew { node, .. } => of("clock's pace", node),
            FaultKind::ClockJump { node, .. } => of("clock", node),
            FaultKind::Refuse { node, port } => of("listener", &format!("{node}:{port}")),
            FaultKind::FailLookups { name } => of("lookup", name),
        }
    }

    fn links(&self, what: &'static str, kind: &FaultKind) -> Vec<Claim> {
        pairs(kind, self.nodes).map(|(from, to)| (what, from.to_owned(), to.to_owned())).collect()
    }
}

/// The links that `kind` is on, among `nodes`.
pub(super) fn pairs<'a>(kind: &'a FaultKind, nodes: &'a [String]) -> impl Iterator<Item = (&'a str, &'a str)> {
    let (one, every) = match kind.link() {
        Some((Some(from), Some(to))) => (Some((from, to)), &[][..]),
        Some(_) => (None, nodes),
        None => (None, &[][..]),
    };
    let others = move |from: &'a String| every.iter().map(move |to| (from.as_str(), to.as_str()));
    one.into_iter().chain(every.iter().flat_map(others).filter(|(from, to)| from != to))
}

/// A kill without an end can be followed by a restart; other faults without an end last.
fn span_end(fault: &Fault) -> Duration {
    let instant = fault.is_instant() || matches!(fault.kind, FaultKind::Kill { .. });
    let lasting = if instant { fault.at.saturating_add(Duration::from_nanos(1)) } else { Duration::MAX };
    fault.until.unwrap_or(lasting)
}

impl FaultPlan {
    /// What can be said before the nodes are known.
    pub(super) fn check(&self) -> Result<(), PlanError> {
        for (number, fault) in self.faults.iter().enumerate() {
            check_fault(fault).map_err(|what| self.error(number, what))?;
        }
        let mut nodes: Vec<String> = self.faults.iter().flat_map(|it| it.kind.nodes()).map(str::to_owned).collect();
        nodes.sort();
        nodes.dedup();
        self.check_overlaps(&nodes)
    }

    /// Whether the plan can be carried out in a cluster of `nodes`, the first of which is the scenario's own.
    pub(super) fn check_for(&self, nodes: &[String]) -> Result<(), PlanError> {
        self.check()?;
        for (number, fault) in self.faults.iter().enumerate() {
            let unknown = fault.kind.nodes().into_iter().find(|name| !nodes.iter().any(|node| node == name));
            if let Some(unknown) = unknown {
                let mend = match text::nearest(unknown, nodes.iter().map(String::as_str)) {
                    Some(nearest) => format!("did you mean `{nearest}`?"),
                    None => "name a node of the scenario".into(),
                };
                return Err(self.error(number, format!("there is no node `{unknown}`: {mend}")));
            }
            let main = &nodes[0];
            let on_power = matches!(
                &fault.kind,
                FaultKind::Kill { node } | FaultKind::Restart { node } | FaultKind::Pause { node } if node == main
            );
            if on_power {
                return Err(self.error(number, format!("`{main}` runs the scenario itself: name another node")));
            }
        }
        self.check_overlaps(nodes)
    }

    fn check_overlaps(&self, nodes: &[String]) -> Result<(), PlanError> {
        let mut claims = Claims::new(nodes);
        for (number, fault) in self.faults.iter().enumerate() {
            claims.enter(number, fault).map_err(|(other, place)| {
                let other = self.place(other);
                self.error(number, format!("overlaps with {other} in {place}: end one before the other begins"))
            })?;
        }
        Ok(())
    }
}

fn check_fault(fault: &Fault) -> Result<(), String> {
    if fault.until.is_some_and(|until| until <= fault.at) {
        return Err("ends before it has begun: `until` counts from the start of the run and must be after `at`".into());
    }
    if fault.until.is_some() && fault.is_instant() {
        return Err("is over at once: leave `until` away".into());
    }
    match &fault.kind {
        FaultKind::Partition { one, other, .. } => match one.iter().find(|node| other.contains(node)) {
            Some(both) => Err(format!("has `{both}` on both sides: put it on one")),
            None if one.is_empty() || other.is_empty() => Err("has an empty side: name nodes on both".into()),
            None => Ok(()),
        },
        FaultKind::Loss { share, .. } | FaultKind::Duplication { share, .. } if !(0.0..=1.0).contains(share) => {
            Err(format!("has a share of {share}: write a number from 0 to 1"))
        }
        FaultKind::Bandwidth { bytes_per_second: 0, .. } => {
            Err("has no bandwidth at all: write a number above 0, or use `clog`".into())
        }
        FaultKind::Slowness { factor: 0, .. } => Err("has a factor of 0: write 1 or more".into()),
        kind => match kind.link() {
            Some((Some(from), Some(to))) if from == to => Err(format!("is on a link from `{from}` to itself")),
            Some((Some(_), None) | (None, Some(_))) => {
                Err("names one end of a link: give `from` and `to`, or neither for every link".into())
            }
            _ => Ok(()),
        },
    }
}
