//! The reduction leaves nothing out: on random programs it finds the ends that brute force finds, and that loom finds.

mod programs;

use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use windtunnel_model::{Builder, Outcomes};

use programs::{Log, Program, programs, read};

/// Executions by brute force of a program that is small enough; a long run takes larger ones.
fn most() -> u64 {
    if std::env::var("WINDTUNNEL_PROGRAMS").is_ok() { 5000 } else { 300 }
}

fn outcomes(program: &Arc<Program>, reduced: bool) -> Outcomes {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let program = Arc::clone(program);
    let body = move || Arc::clone(&program).run(Arc::clone(&log));
    Builder::new().max_executions(most()).outcomes(reduced, body, move || read(&seen))
}

/// A panic ends an execution, so of several not each is met.
fn split(ends: &BTreeSet<String>) -> (BTreeSet<&String>, BTreeSet<&String>) {
    ends.iter().partition(|end| end.starts_with("Panic"))
}

/// Compares the two on `cases` programs.
fn compare(cases: u32, tasks: usize, ops: usize, timed: bool) {
    let config = Config { cases, max_global_rejects: 1_000_000, failure_persistence: None, ..Config::default() };
    let mut runner = match std::env::var("WINDTUNNEL_PROGRAMS") {
        Ok(_) => TestRunner::new(config),
        Err(_) => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    };
    let run = runner.run(&programs(tasks, ops, timed), |program| {
        let program = Arc::new(program);
        let all = outcomes(&program, false);
        if !all.bounds.is_empty() {
            return Err(TestCaseError::reject("too large"));
        }
        let reduced = outcomes(&program, true);
        let ((panics, others), (all_panics, all_others)) = (split(&reduced.ends), split(&all.ends));
        prop_assert!(panics.is_subset(&all_panics), "{panics:?} is not in {all_panics:?}");
        prop_assert_eq!(panics.is_empty(), all_panics.is_empty(), "{:#?} {:#?}", panics, all_panics);
        let lost: Vec<_> = all_others.difference(&others).collect();
        let invented: Vec<_> = others.difference(&all_others).collect();
        prop_assert!(invented.is_empty(), "invented {invented:#?}");
        prop_assert!(lost.is_empty() || !panics.is_empty(), "lost {lost:#?}");
        prop_assert!(reduced.executions <= all.executions);
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// `WINDTUNNEL_PROGRAMS` for a long run, of other programs each time.
fn cases() -> u32 {
    std::env::var("WINDTUNNEL_PROGRAMS").ok().and_then(|cases| cases.parse().ok()).unwrap_or(100)
}

#[test]
fn the_reduction_finds_every_end_that_brute_force_finds() {
    compare(cases(), 3, 3, false);
}

#[test]
fn the_reduction_finds_every_end_that_brute_force_finds_with_timers() {
    compare(cases(), 3, 2, true);
}

#[test]
fn the_reduction_finds_every_end_of_four_tasks() {
    compare(cases(), 4, 1, true);
}
