//! Bugs that are found by simulating a cluster.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use windtunnel_sim::shrink::Budget;
use windtunnel_sim::{Failure, Scenario, Sim, Sweep};

use super::{Check, Verdict};

/// A program, its mended twin, and the failure that the first must end in.
#[derive(Debug)]
pub struct Simulated {
    /// What sees it: `simulation`, `history` or `metric bound`.
    pub checker: &'static str,
    /// The program as printed, as close as Rust allows.
    pub buggy: Scenario,
    /// The program, mended.
    pub mended: Scenario,
    /// The failure that must be found.
    pub symptom: Symptom,
}

/// What a failing run must show.
#[derive(Debug)]
pub struct Symptom {
    /// What its message must contain.
    pub message: &'static str,
    /// Beginnings of task names, and the operation each must be in.
    pub tasks: &'static [(&'static str, &'static str)],
}

/// The main task of a simulation.
pub(super) type Program = fn(Sim) -> windtunnel_sim::Body;

/// A program as a scenario that no list shows.
pub(super) const fn scenario(id: &'static str, body: Program) -> Scenario {
    Scenario { module: "bugs", function: id, package: "windtunnel-suite", summary: "", seeds: 1, body }
}

/// A program and its mended twin, of which `checker` must say `message`.
pub(super) const fn simulated(
    id: &'static str,
    checker: &'static str,
    programs: [Program; 2],
    message: &'static str,
) -> Check {
    Check::Simulated(simulation(id, checker, programs, message))
}

/// As [`simulated`], for a bug that is found in another way as well.
pub(super) const fn simulation(
    id: &'static str,
    checker: &'static str,
    programs: [Program; 2],
    message: &'static str,
) -> Simulated {
    let [buggy, mended] = programs;
    let symptom = Symptom { message, tasks: &[] };
    Simulated { checker, buggy: scenario(id, buggy), mended: scenario(id, mended), symptom }
}

/// Points at which a search for the first failing seed begins, and the distance between two of them.
const STARTS: u64 = 20;
const DISTANCE: u64 = 1000;

/// Seeds over which a mended program is run at least.
const LEAST_MENDED: u64 = 100;

impl Simulated {
    pub(super) fn verdict(&self, stop: &'static AtomicBool) -> Verdict {
        let started = Instant::now();
        let mut counts: Vec<u64> = (0..STARTS).filter_map(|k| self.seeds_to_failure(k * DISTANCE, stop)).collect();
        counts.sort_unstable();
        let median = counts.get(counts.len() / 2).copied().unwrap_or(DISTANCE);
        let failure = self.first_failure(stop);
        let tenfold = (10 * counts.last().copied().unwrap_or(1)).max(LEAST_MENDED);
        let mended = Sweep::new(0..tenfold).run(&self.mended, stop, &|| {});
        let missed = self.missing(counts.len(), failure.as_ref()).or_else(|| {
            mended.failure.as_ref().map(|failure| format!("the mended program fails: {}", failure.symptom()))
        });
        Verdict {
            runs: median,
            explored: None,
            complete: !mended.interrupted,
            symptom: failure.as_ref().map(Failure::symptom).unwrap_or_default(),
            replay: failure.as_ref().map(Failure::replay_command),
            report: failure.map(|failure| failure.to_string()).unwrap_or_default(),
            mended: mended.failure.map_or(format!("{tenfold} seeds, no failure"), |failure| failure.to_string()),
            missed,
            elapsed: started.elapsed(),
        }
    }

    /// Seeds from `start` on, the failing one included.
    fn seeds_to_failure(&self, start: u64, stop: &AtomicBool) -> Option<u64> {
        let seeds = (start..start + DISTANCE).take_while(|_| !stop.load(Ordering::Relaxed));
        seeds.zip(1..).find(|(seed, _)| self.buggy.run(*seed).cause.is_some()).map(|(_, count)| count)
    }

    /// The smallest run that fails as the first failing seed does.
    fn first_failure(&self, stop: &AtomicBool) -> Option<Failure> {
        let seeds = (0..DISTANCE).take_while(|_| !stop.load(Ordering::Relaxed));
        let outcome = seeds.map(|seed| self.buggy.run(seed)).find(|outcome| outcome.cause.is_some())?;
        let mut failure = Failure::smallest(&self.buggy, outcome, stop, &Budget::default())?;
        failure.show_real_time = false;
        failure.command = Some("cargo windtunnel");
        Some(failure)
    }

    /// What the failure lacks, which was seen from `found` starting points.
    fn missing(&self, found: usize, failure: Option<&Failure>) -> Option<String> {
        let Symptom { message, tasks } = self.symptom;
        let Some(failure) = failure else {
            return Some(format!("expected `{message}`, found nothing in {DISTANCE} seeds"));
        };
        if found < usize::try_from(STARTS).expect("a small number") {
            return Some(format!("expected it from {STARTS} starting points, found it from {found}"));
        }
        if failure.divergence.is_some() {
            return Some(format!("seed {} does not replay", failure.outcome.seed));
        }
        if !failure.symptom().contains(message) {
            return Some(format!("expected `{message}`, found `{}`", failure.symptom()));
        }
        let seen = &failure.outcome.tasks;
        let absent = tasks
            .iter()
            .find(|(name, wait)| !seen.iter().any(|task| task.label().starts_with(name) && task.wait == *wait));
        absent.map(|(name, wait)| format!("expected task `{name}` in `{wait}`"))
    }
}
