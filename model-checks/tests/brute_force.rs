//! The reduction leaves nothing out: on random programs it finds the ends that brute force finds, and that loom finds.

mod programs;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestRng, TestRunner};
use windtunnel_model::{Builder, Engine, Outcomes};

use programs::{Log, Program, programs, read};

/// Executions by brute force of a program that is small enough; a long run takes larger ones.
fn most() -> u64 {
    if std::env::var("WINDTUNNEL_PROGRAMS").is_ok() { 5000 } else { 200 }
}

fn outcomes(program: &Arc<Program>, reduced: bool) -> Outcomes {
    outcomes_of(Builder::new().max_executions(most()), program, reduced)
}

fn outcomes_of(builder: Builder, program: &Arc<Program>, reduced: bool) -> Outcomes {
    let log = Log::default();
    let seen = Arc::clone(&log);
    let program = Arc::clone(program);
    let body = move || Arc::clone(&program).run(Arc::clone(&log));
    builder.outcomes(reduced, body, move || read(&seen))
}

/// A search is worth its time.
fn is_small(program: &Program) -> bool {
    std::env::var("WINDTUNNEL_PROGRAMS").is_ok() || program.tasks.iter().map(Vec::len).sum::<usize>() <= 5
}

fn runner(cases: u32) -> TestRunner {
    let config = Config { cases, max_global_rejects: 1_000_000, failure_persistence: None, ..Config::default() };
    match std::env::var("WINDTUNNEL_PROGRAMS") {
        Ok(_) => TestRunner::new(config),
        Err(_) => TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha)),
    }
}

/// A panic ends an execution, so of several not each is met.
fn split(ends: &BTreeSet<String>) -> (BTreeSet<&String>, BTreeSet<&String>) {
    ends.iter().partition(|end| end.starts_with("Panic"))
}

/// Compares the two on `cases` programs.
fn compare(cases: u32, tasks: usize, ops: usize, timed: bool) {
    compare_by(Builder::new().max_executions(most()), cases, tasks, ops, timed);
}

fn compare_by(builder: Builder, cases: u32, tasks: usize, ops: usize, timed: bool) {
    let run = runner(cases).run(&programs(tasks, ops, timed).prop_filter("small", is_small), |program| {
        let program = Arc::new(program);
        let bounds = builder.outcomes(true, || async {}, String::new).bounds.len();
        let all = outcomes_of(builder, &program, false);
        if all.bounds.len() > bounds {
            return Err(TestCaseError::reject("too large"));
        }
        let reduced = outcomes_of(builder, &program, true);
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

#[test]
fn the_reduction_finds_every_end_that_a_bound_on_preemptions_allows() {
    for (most, timed) in [(0, false), (1, false), (2, false), (0, true), (1, true)] {
        compare_by(Builder::new().max_executions(self::most()).preemptions(most), cases() / 2, 3, 3, timed);
    }
}

/// What loom finds at the end of a program that its main task waits for; `None` if not all, or if it fails.
fn found_by_loom(program: &Arc<Program>) -> Option<BTreeSet<String>> {
    let ends = Arc::new(Mutex::new(BTreeSet::new()));
    let (all, program) = (Arc::clone(&ends), Arc::clone(program));
    let report = Builder::new().max_executions(3000).check("program", move || {
        let (all, program, log) = (Arc::clone(&all), Arc::clone(&program), Log::default());
        async move {
            program.run(Arc::clone(&log)).await;
            all.lock().unwrap().insert(read(&log));
        }
    });
    report.is_complete().then(|| ends.lock().unwrap().clone())
}

#[test]
fn the_exploration_finds_the_ends_that_loom_finds() {
    let run = runner(cases() / 2).run(
        &programs(2, 2, false).prop_filter("loom yields less", |it| !it.yields()),
        |mut program| {
            program.joins = true;
            let program = Arc::new(program);
            let Some(by_loom) = found_by_loom(&program) else { return Err(TestCaseError::reject("not complete")) };
            let explored = outcomes(&program, true);
            prop_assert!(explored.bounds.is_empty());
            prop_assert_eq!(&explored.ends, &by_loom, "explored, and by loom");
            Ok(())
        },
    );
    run.unwrap_or_else(|error| panic!("{error}"));
}

/// Executions and verdict of a program, on so many threads.
fn searched(program: &Arc<Program>, threads: usize) -> (u64, bool, bool) {
    let program = Arc::clone(program);
    let builder = Builder::new().engine(Engine::Explore).threads(threads).max_executions(20_000);
    let report = builder.check("program", move || Arc::clone(&program).run(Log::default()));
    (report.executions, report.is_complete(), report.failure.is_some())
}

#[test]
fn threads_make_the_executions_that_one_thread_makes() {
    let run = runner(cases()).run(&programs(4, 3, true), |program| {
        let program = Arc::new(program);
        let alone = searched(&program, 1);
        let (executions, complete, fails) = searched(&program, 3);
        prop_assert_eq!(fails, alone.2);
        // Where an execution fails, or a limit is hit, threads stop at different ones.
        if alone.1 {
            prop_assert_eq!((executions, complete), (alone.0, true));
        }
        Ok(())
    });
    run.unwrap_or_else(|error| panic!("{error}"));
}
