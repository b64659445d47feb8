//! A scenario over many seeds, in parallel.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::faults::FaultPlan;
use crate::oracle::{self, Sometimes};
use crate::report::{Divergence, Failure};
use crate::shrink::Budget;
use crate::trace::Hash;
use crate::{Outcome, Patience, Scenario, Terms};

/// Which seeds to run, and how.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// The seeds.
    pub seeds: Range<u64>,
    /// Threads; each carries one run at a time.
    pub jobs: usize,
    /// Of every `shard.1` seeds in turn, runs number `shard.0`, from 1.
    pub shard: (u64, u64),
    /// Runs each seed twice, the second time in the opposite order, and compares the traces.
    pub verify: bool,
    /// The plan that each run is given, in the place of what it would draw.
    pub plan: Option<Arc<FaultPlan>>,
    /// What each run may take of real time.
    pub patience: Patience,
    /// What the search for the smallest failure may cost.
    pub budget: Budget,
}

/// What came of a sweep.
#[derive(Clone, Debug)]
pub struct SweepReport {
    /// The scenario.
    pub name: String,
    /// Seeds that were run.
    pub seeds: u64,
    /// Runs made, both of a verified seed counted.
    pub runs: u64,
    /// A hash over the traces of all seeds, in the order of the seeds: equal between two sweeps that did the same.
    pub trace: u64,
    /// The failing seed with the lowest position.
    pub failure: Option<Failure>,
    /// The lowest seed whose second run went another way.
    pub diverged: Option<(u64, Divergence)>,
    /// What should hold in some run, and whether it did in any.
    pub sometimes: BTreeMap<Sometimes, bool>,
    /// Whether it was stopped from outside before its end.
    pub interrupted: bool,
    /// Time taken.
    pub elapsed: Duration,
}

impl SweepReport {
    /// What a sweep that was neither failing nor interrupted did not test: one line for each condition of
    /// [`oracle::sometimes`](crate::oracle::sometimes) that no run met.
    pub fn weakness(&self) -> Option<String> {
        if self.failure.is_some() || self.diverged.is_some() || self.interrupted {
            return None;
        }
        let never = self.sometimes.iter().filter(|(_, met)| !**met);
        let lines: Vec<String> = never.map(|(it, _)| format!("never happened in {} seeds: {it}", self.seeds)).collect();
        (!lines.is_empty()).then(|| lines.join("\n"))
    }
}

impl Sweep {
    /// Every seed of `seeds` once, on every core.
    ///
    /// # Panics
    /// If `WINDTUNNEL_PATIENCE` is not a number of seconds.
    pub fn new(seeds: Range<u64>) -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        let (patience, budget) = (Patience::default(), Budget::default());
        Self { seeds, jobs, shard: (1, 1), verify: false, plan: None, patience, budget }
    }

    /// The number of seeds.
    fn len(&self) -> u64 {
        let (shard, of) = self.shard;
        (self.seeds.end.saturating_sub(self.seeds.start).saturating_sub(shard - 1)).div_ceil(of)
    }

    /// The seed at `position`, from 0.
    fn seed(&self, position: u64) -> u64 {
        self.seeds.start + (self.shard.0 - 1) + position * self.shard.1
    }

    /// The number of runs this sweep makes if nothing fails.
    pub fn runs(&self) -> u64 {
        self.len() * if self.verify { 2 } else { 1 }
    }

    /// Runs the sweep until its end, the first failure, or until `stop` is set. Calls `tick` after each run.
    ///
    /// The failure reported is the one with the lowest position, whatever the number of jobs.
    pub fn run(&self, scenario: &Scenario, stop: &AtomicBool, tick: &(dyn Fn() + Sync)) -> SweepReport {
        let started = Instant::now();
        let mut report = SweepReport {
            name: scenario.name(),
            seeds: 0,
            runs: 0,
            trace: 0,
            failure: None,
            diverged: None,
            sometimes: BTreeMap::new(),
            interrupted: false,
            elapsed: Duration::ZERO,
        };
        let mut hash = Hash::default();
        let mut position = 0;
        while position < self.len() && report.failure.is_none() && report.diverged.is_none() {
            let chunk = position..self.len().min(position + CHUNK);
            position = chunk.end;
            self.run_chunk(scenario, chunk.collect(), stop, tick, &mut hash, &mut report);
            if stop.load(Ordering::Relaxed) {
                break;
            }
        }
        report.trace = hash.0;
        let whole = report.failure.is_some() || report.diverged.is_some() || report.runs == self.runs();
        report.interrupted = !whole;
        report.elapsed = started.elapsed();
        report
    }

    /// Runs the seeds at `positions` once or, to verify them, a second time in the opposite order.
    fn run_chunk(
        &self,
        scenario: &Scenario,
        mut positions: Vec<u64>,
        stop: &AtomicBool,
        tick: &(dyn Fn() + Sync),
        hash: &mut Hash,
        report: &mut SweepReport,
    ) {
        let first = self.pass(scenario, &positions, stop, tick);
        report.seeds += first.len() as u64;
        report.runs += first.len() as u64;
        for (_, outcome) in &first {
            oracle::merge(&mut report.sometimes, &outcome.sometimes);
            hash.add(outcome.trace, &[]);
        }
        if let Some((position, outcome)) = first.iter().find(|(_, outcome)| outcome.cause.is_some()) {
            report.failure = Failure::smallest(scenario, outcome.clone(), stop, &self.budget);
            if let Some(failure) = &mut report.failure {
                failure.position = Some((position + 1, self.len()));
            }
        } else if self.verify {
            positions.reverse();
            let second = self.pass(scenario, &positions, stop, tick);
            report.runs += second.len() as u64;
            report.diverged = diverged(scenario, &first, &second);
        }
    }

    /// One run of each seed, with its position, in order; fewer after a failure or a stop.
    fn pass(
        &self,
        scenario: &Scenario,
        positions: &[u64],
        stop: &AtomicBool,
        tick: &(dyn Fn() + Sync),
    ) -> Vec<(u64, Outcome)> {
        let next = AtomicUsize::new(0);
        let failed = AtomicBool::new(false);
        let runs = Mutex::new(Vec::with_capacity(positions.len()));
        let work = || {
            while !stop.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
                let Some(position) = positions.get(next.fetch_add(1, Ordering::Relaxed)) else { return };
                let terms = Terms { record: false, plan: self.plan.clone(), patience: self.patience };
                let outcome = scenario.start(self.seed(*position), terms);
                failed.fetch_or(outcome.cause.is_some(), Ordering::Relaxed);
                runs.lock().unwrap_or_else(PoisonError::into_inner).push((*position, outcome));
                tick();
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(work);
            }
        });
        let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        runs.sort_by_key(|(position, _)| *position);
        runs
    }
}

/// Seeds whose outcomes are held at a time, so that a sweep of any length takes bounded memory.
const CHUNK: u64 = 512;

/// The lowest seed whose runs differ. A third run, recorded, shows what happens at that event.
fn diverged(scenario: &Scenario, first: &[(u64, Outcome)], second: &[(u64, Outcome)]) -> Option<(u64, Divergence)> {
    for (_, first) in first {
        let Some((_, second)) = second.iter().find(|(_, second)| second.seed == first.seed) else { continue };
        if first.trace != second.trace {
            let second = Outcome { lines: scenario.again(first).lines, ..second.clone() };
            return Divergence::between(first, &second).map(|divergence| (first.seed, divergence));
        }
    }
    None
}
