//! A plan carried out: by a task of the simulator's own, on a node that nothing can befall.

use std::collections::BTreeMap;
use std::future::{Future, pending, poll_fn};
use std::panic::Location;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use madsim::task::NodeId;
use madsim::time::TimeHandle;
use windtunnel::engine::net::LinkConditions;
use windtunnel::engine::now;

use super::check::pairs;
use super::draw::Origin;
use super::{Deed, Fault, FaultKind, FaultPlan, Faults, PlanError};
use crate::world::{Node, Sim};

/// What a run knows of its plan.
#[derive(Debug, Default)]
pub(crate) struct Planned {
    /// The plan that the run was given, which takes the place of what it would draw.
    pub(crate) given: Option<Arc<FaultPlan>>,
    /// The faults that are carried out.
    pub(crate) faults: Option<Vec<Fault>>,
    /// Why the plan that was given cannot be.
    pub(crate) refused: Option<PlanError>,
    /// Where the driver runs.
    pub(crate) driver: Option<NodeId>,
}

impl Sim {
    /// Has faults happen from now on: those that a strategy draws from the seed, or those of a plan. It returns at once; each
    /// fault begins and ends at its time. A plan that the run is given (`--faults`, `WINDTUNNEL_FAULTS`) takes the place of
    /// `faults`. Nodes that faults name must be there.
    ///
    /// # Panics
    /// The second time, and if a plan in the code does not fit the cluster, which ends the run with a line that says why.
    #[track_caller]
    pub fn faults(&self, faults: impl Into<Faults>) {
        let at = Location::caller();
        let names = self.node_names();
        let given = self.planned(|planned| {
            assert!(
                planned.faults.is_none(),
                "a scenario says once what faults it has: make one strategy or plan of them"
            );
            planned.faults = Some(Vec::new());
            planned.given.clone()
        });
        let plan = match (given, faults.into().0) {
            (Some(given), _) => FaultPlan::clone(&given),
            (None, Origin::Given(plan)) => plan,
            (None, Origin::Drawn(strategy)) => strategy.draw(&mut self.fault_rng(), &names, now()).into(),
        };
        if let Err(error) = plan.check_for(&names) {
            self.fail(error.to_string(), at);
            return self.planned(|planned| planned.refused = Some(error));
        }
        self.planned(|planned| planned.faults = Some(plan.faults.clone()));
        if !plan.faults.is_empty() {
            let driver = self.spawn_driver(drive(self.clone(), plan.faults));
            self.planned(|planned| planned.driver = Some(driver));
        }
    }

    /// Awaits `future`, and fails the run if it is not ready `within` so long after the last fault of [`faults`](Self::faults)
    /// was undone, or after now, if that is later. The report says where each task is blocked then.
    #[track_caller]
    pub fn progress_within<F: Future>(&self, within: Duration, future: F) -> impl Future<Output = F::Output> + use<F> {
        let at = Location::caller();
        let sim = self.clone();
        async move {
            let faults = sim.planned(|planned| planned.faults.clone()).unwrap_or_default();
            let healed = FaultPlan::from(faults).healed_at().max(now());
            let (mut future, mut limit) = (pin!(future), pin!(until(healed.saturating_add(within))));
            let result = poll_fn(|cx| match future.as_mut().poll(cx) {
                Poll::Ready(result) => Poll::Ready(Some(result)),
                Poll::Pending => limit.as_mut().poll(cx).map(|()| None),
            });
            if let Some(result) = result.await {
                return result;
            }
            sim.fail(format!("no progress within {within:?} after the heal"), at);
            pending().await
        }
    }
}

/// Completes at `moment` of the run.
async fn until(moment: Duration) {
    let time = TimeHandle::current();
    let deadline = time.now_instant() + moment.saturating_sub(time.elapsed());
    let mut sleep = pin!(time.sleep_until(deadline));
    // A new sleep takes a millisecond at least; one that is reset takes what it is told.
    sleep.as_mut().reset(deadline);
    sleep.await;
}

/// Begins and ends each fault at its time; at one moment, ends come first.
async fn drive(sim: Sim, faults: Vec<Fault>) {
    let begins = faults.iter().enumerate().map(|(number, fault)| (fault.at, true, number));
    let ends = faults.iter().enumerate().filter_map(|(number, fault)| Some((fault.until?, false, number)));
    let mut moments: Vec<_> = begins.chain(ends).collect();
    moments.sort_unstable();
    let mut before = BTreeMap::new();
    for (at, begins, number) in moments {
        until(at).await;
        let fault = &faults[number];
        if begins {
            sim.record(Deed::Began(fault.clone()));
            before.insert(number, sim.begin(&fault.kind).await);
        } else {
            sim.record(Deed::Ended(fault.clone()));
            sim.end(&fault.kind, before.remove(&number).unwrap_or_default()).await;
        }
    }
}

/// The one condition of a link that a fault changes.
#[derive(Clone, Copy)]
enum Condition {
    Clogged(bool),
    Extra(Duration),
    Loss(f64),
    Duplicate(f64),
    Bandwidth(Option<u64>),
}

impl Condition {
    /// Puts this in the place of what is there, and the other way round.
    fn swap(&mut self, link: &mut LinkConditions) {
        match self {
            Self::Clogged(clogged) => std::mem::swap(clogged, &mut link.clogged),
            Self::Extra(extra) => std::mem::swap(extra, &mut link.extra_latency),
            Self::Loss(share) => std::mem::swap(share, &mut link.loss),
            Self::Duplicate(share) => std::mem::swap(share, &mut link.duplicate),
            Self::Bandwidth(bandwidth) => std::mem::swap(bandwidth, &mut link.bandwidth),
        }
    }
}

/// Links, each with the condition that it had before, or is to have.
type Links = Vec<(Node, Node, Condition)>;

impl Sim {
    /// Begins a fault; gives the links that it changed, as they were.
    async fn begin(&self, kind: &FaultKind) -> Links {
        let run = self.run();
        match kind {
            FaultKind::Kill { node } => self.power_off(&self.find(node)),
            FaultKind::Restart { node } => {
                self.power_off(&self.find(node));
                self.power_on(&self.find(node)).await;
            }
            FaultKind::Pause { node } => self.pause(&self.find(node), true),
            FaultKind::Slowness { node, factor } => run.slow_node(node, *factor),
            FaultKind::ClockSkew { node, ppm } => run.skew_clock(node, i64::from(*ppm)),
            FaultKind::ClockJump { node, by, back } => {
                let nanos = i64::try_from(by.as_nanos()).unwrap_or(i64::MAX);
                run.jump_clock(node, if *back { -nanos } else { nanos });
            }
            FaultKind::Refuse { node, port } => self.network().refuse(self.find(node).host(), *port, true),
            FaultKind::FailLookups { name } => self.network().fail_lookups(name, true),
            FaultKind::Partition { .. }
            | FaultKind::Clog { .. }
            | FaultKind::Latency { .. }
            | FaultKind::Loss { .. }
            | FaultKind::Duplication { .. }
            | FaultKind::Bandwidth { .. } => return self.swap(self.links(kind)),
        }
        Links::new()
    }

    /// Ends a fault that has an end; `before` is what [`begin`](Self::begin) gave.
    async fn end(&self, kind: &FaultKind, before: Links) {
        self.swap(before);
        match kind {
            FaultKind::Kill { node } => self.power_on(&self.find(node)).await,
            FaultKind::Pause { node } => self.pause(&self.find(node), false),
            FaultKind::Slowness { node, .. } => self.run().slow_node(node, 0),
            FaultKind::ClockSkew { node, .. } => self.run().skew_clock(node, 0),
            FaultKind::Refuse { node, port } => self.network().refuse(self.find(node).host(), *port, false),
            FaultKind::FailLookups { name } => self.network().fail_lookups(name, false),
            _ => {}
        }
    }

    /// Sets a condition of each link; gives what it was.
    fn swap(&self, mut links: Links) -> Links {
        for (from, to, condition) in &mut links {
            let mut conditions = self.link(from, to);
            condition.swap(&mut conditions);
            self.network().set_link(from.host(), to.host(), conditions);
        }
        links
    }

    /// The links that a fault changes, and to what.
    fn links(&self, kind: &FaultKind) -> Links {
        let condition = match kind {
            FaultKind::Latency { extra, .. } => Condition::Extra(*extra),
            FaultKind::Loss { share, .. } => Condition::Loss(*share),
            FaultKind::Duplication { share, .. } => Condition::Duplicate(*share),
            FaultKind::Bandwidth { bytes_per_second, .. } => Condition::Bandwidth(Some(*bytes_per_second)),
            _ => Condition::Clogged(true),
        };
        let names = self.node_names();
        let mut links: Vec<(&str, &str)> = pairs(kind, &names).collect();
        if let FaultKind::Partition { one, other, one_way } = kind {
            for (a, b) in one.iter().flat_map(|a| other.iter().map(move |b| (a, b))) {
                links.push((a, b));
                links.extend((!one_way).then_some((b.as_str(), a.as_str())));
            }
        }
        links.into_iter().map(|(from, to)| (self.find(from), self.find(to), condition)).collect()
    }
}
