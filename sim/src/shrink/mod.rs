//! The smallest failure: as few faults, as short, and as few and simple operations as still show it.
//!
//! The faults of the plan are minimised by delta debugging. Those that are left begin as early as they can, for an operation may
//! come earlier when others before it go away. Then the operations of each workload are minimised as the faults were, and each
//! that is left is simplified by its `ValueTree`. All this is done again until it changes nothing, for what an operation makes
//! necessary goes with it. At last the spells of the faults are halved from both ends while that goes, and what became needless
//! by that goes too: in the end every fault and every operation is needed for the failure.
//!
//! A step is kept if the run fails in the *same* way: by the same cause at the same source line with the same first line of its
//! message, numbers apart. The network helps by giving each packet the same luck whatever was sent before. The scheduler makes
//! no random yields beyond those that the seed decides, so there are none to take away.

mod ddmin;
mod regressions;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub use ddmin::ddmin;
pub(crate) use regressions::Regressions;

use crate::faults::{Fault, FaultPlan, Kept};
use crate::{Cause, Outcome, Scenario, Terms, artifact};

/// Steps that one operation is simplified by at most.
const MOST_STEPS: usize = 1_000;

/// What the search for the smallest failure may cost. When it is spent, the smallest so far is reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Runs; 10,000 by default.
    pub runs: u64,
    /// Real time; 30 s by default.
    pub time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { runs: 10_000, time: Duration::from_secs(30) }
    }
}

/// What is left of a failure.
#[derive(Clone, Debug)]
pub struct Smallest {
    /// Faults needed, of how many.
    pub faults: (usize, usize),
    /// Operations needed, of how many, over all workloads.
    pub operations: (usize, usize),
    /// Runs that the search took.
    pub runs: u64,
    /// Whether the budget was spent before the search was over.
    pub spent: bool,
    /// The file that replays it, below the workspace, or why there is none.
    pub file: Result<String, String>,
}

/// What makes two failures the same.
#[derive(PartialEq, Eq)]
struct Symptom {
    kind: u8,
    at: String,
    message: String,
}

impl Symptom {
    fn of(outcome: &Outcome) -> Option<Self> {
        let plain = |kind| Self { kind, at: String::new(), message: String::new() };
        Some(match outcome.cause.as_ref()? {
            Cause::Stuck(_) => return None,
            Cause::Deadlock => plain(0),
            Cause::TimeLimit => plain(1),
            Cause::Panic { message, at } => {
                let first = message.lines().next().unwrap_or_default();
                let message = first.chars().filter(|c| !c.is_ascii_digit()).collect();
                Self { at: at.clone(), message, ..plain(2) }
            }
        })
    }
}

struct Search<'a> {
    scenario: &'a Scenario,
    symptom: Symptom,
    stop: &'a AtomicBool,
    budget: &'a Budget,
    started: Instant,
    runs: u64,
    spent: bool,
    best: Outcome,
}

/// Searches for the smallest run that fails as `outcome` does, and writes the file that replays it; `None` where there is
/// nothing to take away.
pub(crate) fn smallest(
    scenario: &Scenario,
    outcome: &Outcome,
    stop: &AtomicBool,
    budget: &Budget,
) -> Option<(Outcome, Smallest)> {
    let symptom = Symptom::of(outcome).filter(|_| outcome.refused.is_none())?;
    let (faults, operations) = (outcome.plan.faults.len(), count(outcome));
    if faults + operations == 0 {
        return None;
    }
    let (started, best) = (Instant::now(), outcome.clone());
    let mut search = Search { scenario, symptom, stop, budget, started, runs: 0, spent: false, best };
    search.until_settled(|search| {
        search.fewer_faults();
        search.earlier_faults();
        search.fewer_operations();
        search.simpler_operations();
    });
    search.until_settled(|search| {
        search.shorter_faults();
        search.fewer_faults();
        search.fewer_operations();
    });
    let Search { runs, spent, best, .. } = search;
    let drawn = outcome.workloads.iter().map(|workload| workload.count).sum();
    let file = write(&scenario.name(), &best);
    let (faults, operations) = ((best.plan.faults.len(), faults), (count(&best), drawn));
    Some((best, Smallest { faults, operations, runs, spent, file }))
}

/// The operations that a run had.
fn count(outcome: &Outcome) -> usize {
    outcome.workloads.iter().map(|workload| workload.operations.len()).sum()
}

/// Writes the file that replays `outcome`.
fn write(scenario: &str, outcome: &Outcome) -> Result<String, String> {
    let plan = FaultPlan { scenario: Some(scenario.into()), seed: Some(outcome.seed), ..outcome.plan.clone() };
    artifact::save(scenario, outcome.seed, "json", &plan.to_json())
}

impl Search<'_> {
    /// What comes of `plan`, unless the budget is spent.
    fn try_plan(&mut self, plan: FaultPlan) -> Option<Outcome> {
        let late = self.runs >= self.budget.runs || self.started.elapsed() >= self.budget.time;
        if late || self.stop.load(Ordering::Relaxed) {
            self.spent = true;
            return None;
        }
        self.runs += 1;
        let patience = self.best.terms.patience.at_most(self.budget.time);
        Some(self.scenario.start(self.best.seed, Terms { record: false, plan: Some(Arc::new(plan)), patience }))
    }

    /// Runs `plan`, and keeps it if it fails in the same way.
    fn fails(&mut self, plan: FaultPlan) -> bool {
        self.try_plan(plan).is_some_and(|outcome| self.keep_if_same(outcome))
    }

    fn keep_if_same(&mut self, outcome: Outcome) -> bool {
        let same = Symptom::of(&outcome).as_ref() == Some(&self.symptom);
        if same {
            self.best = outcome;
        }
        same
    }

    /// Takes some steps again and again, until they change nothing.
    fn until_settled(&mut self, steps: impl Fn(&mut Self)) {
        loop {
            let (faults, workload) = (self.best.plan.faults.clone(), self.best.plan.workload.clone());
            steps(self);
            if (&faults, &workload) == (&self.best.plan.faults, &self.best.plan.workload) {
                return;
            }
        }
    }

    fn fewer_faults(&mut self) {
        let plan = self.best.plan.clone();
        ddmin(plan.faults.clone(), |faults| self.fails(FaultPlan { faults: faults.to_vec(), ..plan.clone() }));
    }

    fn earlier_faults(&mut self) {
        for number in 0..self.best.plan.faults.len() {
            let mut plan = self.best.plan.clone();
            if !plan.faults[number].at.is_zero() {
                plan.faults[number].at = Duration::ZERO;
                self.fails(plan);
            }
        }
    }

    fn shorter_faults(&mut self) {
        for number in 0..self.best.plan.faults.len() {
            while self.shorter(number, |fault, half| fault.until = Some(fault.at + half))
                || self.shorter(number, |fault, half| fault.at += half)
            {}
        }
    }

    /// Takes half of a fault's spell away, in whole milliseconds, as they are drawn.
    fn shorter(&mut self, number: usize, take: impl Fn(&mut Fault, Duration)) -> bool {
        let mut plan = self.best.plan.clone();
        let fault = &mut plan.faults[number];
        let spell = fault.until.map_or(Duration::ZERO, |until| until.saturating_sub(fault.at));
        let half = Duration::from_millis(u64::try_from(spell.as_millis() / 2).unwrap_or(u64::MAX));
        take(fault, half);
        !half.is_zero() && self.fails(plan)
    }

    fn fewer_operations(&mut self) {
        for workload in 0..self.best.plan.workload.len() {
            self.fewer_operations_of(workload);
        }
    }

    fn fewer_operations_of(&mut self, workload: usize) {
        let plan = self.best.plan.clone();
        let Kept { operations, steps } = plan.workload[workload].clone();
        let operations: Vec<(usize, String)> = operations.into_iter().zip(steps).collect();
        ddmin(operations, |operations| {
            let (operations, steps) = operations.iter().cloned().unzip();
            let mut plan = plan.clone();
            plan.workload[workload] = Kept { operations, steps };
            self.fails(plan)
        });
    }

    fn simpler_operations(&mut self) {
        for workload in 0..self.best.plan.workload.len() {
            for operation in 0..self.best.plan.workload[workload].operations.len() {
                self.simpler_operation(workload, operation);
            }
        }
    }

    /// proptest's way: to a simpler value as long as that fails, a step back when it does not.
    fn simpler_operation(&mut self, workload: usize, operation: usize) {
        let mut plan = self.best.plan.clone();
        for _ in 0..MOST_STEPS {
            let last_failed =
                self.best.plan.workload[workload].steps[operation] == plan.workload[workload].steps[operation];
            plan.workload[workload].steps[operation].push(if last_failed { 's' } else { 'c' });
            let Some(outcome) = self.try_plan(plan.clone()) else { return };
            if outcome.workloads.get(workload).is_none_or(|it| it.moved.get(operation) != Some(&true)) {
                return;
            }
            self.keep_if_same(outcome);
        }
    }
}
