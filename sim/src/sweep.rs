//! A scenario over many seeds, in parallel.

use std::fmt::Write;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::report::{Divergence, Failure};
use crate::trace::Fnv;
use crate::{Outcome, Scenario};

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
}

/// What came of a sweep.
#[derive(Clone, Debug)]
pub struct SweepReport {
    /// The scenario.
    pub name: String,
    /// Runs made, both of a verified seed counted.
    pub runs: u64,
    /// A hash over the traces of all seeds, in the order of the seeds: equal between two sweeps that did the same.
    pub trace: u64,
    /// The failing seed with the lowest position.
    pub failure: Option<Failure>,
    /// The lowest seed whose second run went another way.
    pub diverged: Option<(u64, Divergence)>,
    /// Whether it was stopped from outside before its end.
    pub interrupted: bool,
    /// Time taken.
    pub elapsed: Duration,
}

impl Sweep {
    /// Every seed of `seeds` once, on every core.
    pub fn new(seeds: Range<u64>) -> Self {
        let jobs = std::thread::available_parallelism().map_or(1, usize::from);
        Self { seeds, jobs, shard: (1, 1), verify: false }
    }

    fn selected(&self) -> Vec<u64> {
        let (shard, of) = self.shard;
        self.seeds.clone().filter(|seed| (seed - self.seeds.start) % of == shard - 1).collect()
    }

    /// The number of runs this sweep makes if nothing fails.
    pub fn runs(&self) -> u64 {
        self.selected().len() as u64 * if self.verify { 2 } else { 1 }
    }

    /// Runs the sweep until its end, the first failure, or until `stop` is set. Calls `tick` after each run.
    ///
    /// The failure reported is the one with the lowest position, whatever the number of jobs.
    pub fn run(&self, scenario: &Scenario, stop: &AtomicBool, tick: &(dyn Fn() + Sync)) -> SweepReport {
        let started = Instant::now();
        let seeds = self.selected();
        let mut report = SweepReport {
            name: scenario.name(),
            runs: 0,
            trace: 0,
            failure: None,
            diverged: None,
            interrupted: false,
            elapsed: Duration::ZERO,
        };
        let first = self.pass(scenario, &seeds, stop, tick);
        report.runs += first.len() as u64;
        let mut hash = Fnv::default();
        for (_, outcome) in &first {
            write!(hash, "{:016x}", outcome.trace).expect("a hash takes anything");
        }
        report.trace = hash.0;
        if let Some((index, outcome)) = first.iter().find(|(_, outcome)| outcome.cause.is_some()) {
            report.failure = Failure::examine(scenario, outcome.clone());
            if let Some(failure) = &mut report.failure {
                failure.position = Some((*index as u64 + 1, seeds.len() as u64));
            }
        } else if self.verify {
            let backwards: Vec<u64> = seeds.iter().rev().copied().collect();
            let mut second = self.pass(scenario, &backwards, stop, tick);
            second.reverse();
            report.runs += second.len() as u64;
            report.diverged = diverged(scenario, &first, &second);
        }
        report.interrupted = stop.load(Ordering::Relaxed) && report.runs < self.runs() && report.failure.is_none();
        report.elapsed = started.elapsed();
        report
    }

    /// One run of each seed, with its position, in the order of `seeds`; fewer after a failure or a stop.
    fn pass(
        &self,
        scenario: &Scenario,
        seeds: &[u64],
        stop: &AtomicBool,
        tick: &(dyn Fn() + Sync),
    ) -> Vec<(usize, Outcome)> {
        let next = AtomicU64::new(0);
        let failed = AtomicBool::new(false);
        let runs = Mutex::new(Vec::with_capacity(seeds.len()));
        let work = || {
            while !stop.load(Ordering::Relaxed) && !failed.load(Ordering::Relaxed) {
                let index = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).unwrap_or(usize::MAX);
                let Some(seed) = seeds.get(index) else { return };
                let outcome = scenario.run(*seed);
                failed.fetch_or(outcome.cause.is_some(), Ordering::Relaxed);
                runs.lock().unwrap_or_else(PoisonError::into_inner).push((index, outcome));
                tick();
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.jobs.max(1) {
                scope.spawn(work);
            }
        });
        let mut runs = runs.into_inner().unwrap_or_else(PoisonError::into_inner);
        runs.sort_by_key(|(index, ..)| *index);
        runs
    }
}

/// The lowest seed whose runs differ. A third run, recorded, shows what happens at that event.
fn diverged(scenario: &Scenario, first: &[(usize, Outcome)], second: &[(usize, Outcome)]) -> Option<(u64, Divergence)> {
    for (_, first) in first {
        let Some((_, second)) = second.iter().find(|(_, second)| second.seed == first.seed) else { continue };
        if first.trace != second.trace {
            let second = Outcome { lines: scenario.run_traced(first.seed).lines, ..second.clone() };
            return Divergence::between(first, &second).map(|divergence| (first.seed, divergence));
        }
    }
    None
}
