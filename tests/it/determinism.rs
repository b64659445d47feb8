//! A run is a pure function of scenario and seed: proved by running it again, and a planted leak is reported.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use windtunnel::{rand, spawn, time};
use windtunnel_sim::{Failure, Scenario, Sweep, scenarios};

fn sweep(scenario: &Scenario, seeds: std::ops::Range<u64>) -> windtunnel_sim::SweepReport {
    Sweep { verify: true, ..Sweep::new(seeds) }.run(scenario, &AtomicBool::new(false), &|| {})
}

#[test]
fn every_scenario_replays_in_other_positions_and_alone() {
    for scenario in scenarios() {
        let report = sweep(scenario, 0..100);
        assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
        assert_eq!(report.diverged, None, "{}", report.name);
        assert_eq!(report.runs, 200);
        let (alone, again) = (scenario.run(42), scenario.run_traced(42));
        assert_eq!(alone.trace, again.trace, "{}", report.name);
        assert!(again.lines.len() > 10, "{}: the trace says something", report.name);
        assert_ne!(alone.trace, scenario.run(43).trace, "{}: another seed is another run", report.name);
    }
}

#[test]
fn hash_maps_clocks_and_generators_follow_the_seed() {
    let hidden = Scenario {
        module: "determinism",
        function: "hidden",
        package: "",
        summary: "",
        seeds: 8,
        body: |_| {
            Box::pin(async {
                let set: std::collections::HashSet<u32> = (0..20).collect();
                let order: Vec<u32> = set.into_iter().collect();
                let (instant, clock) = (std::time::Instant::now(), std::time::SystemTime::now());
                time::sleep(time::secs(1)).await;
                let draw = ::rand::Rng::random::<u64>(&mut rand::rng());
                tracing::info!(?order, elapsed = ?instant.elapsed(), ?clock, draw, choice = rand::choose(9), "drawn");
            })
        },
    };
    assert_eq!(sweep(&hidden, 0..50).diverged, None);
}

/// Reads a process-wide counter: the same seed goes another way in the next run.
static LEAKY: Scenario = Scenario {
    module: "determinism",
    function: "leaky",
    package: "",
    summary: "",
    seeds: 8,
    body: |_| {
        Box::pin(async {
            static RUNS: AtomicU64 = AtomicU64::new(0);
            spawn(async {}).await.unwrap();
            let n = RUNS.fetch_add(1, Ordering::Relaxed);
            tracing::info!("run {n}");
            assert!(n < 100, "too many runs");
        })
    },
};

#[test]
fn a_process_static_is_reported_with_the_event_at_which_runs_differ() {
    let (seed, divergence) = sweep(&LEAKY, 0..4).diverged.expect("a static leaks from run to run");
    assert_eq!(seed, 0);
    assert!(divergence.line.contains("main: run "), "{divergence}");
    for _ in 0..100 {
        LEAKY.run(7);
    }
    let failure = Failure::examine(&LEAKY, LEAKY.run(7)).expect("it fails by now");
    assert!(failure.divergence.is_some() && failure.to_string().contains("replays   no"), "{failure}");
}

#[test]
fn shards_cover_every_seed_once() {
    let scenario = scenarios()[0];
    let whole = Sweep::new(0..10).run(scenario, &AtomicBool::new(false), &|| {}).runs;
    let part = |k| Sweep { shard: (k, 3), ..Sweep::new(0..10) }.run(scenario, &AtomicBool::new(false), &|| {}).runs;
    assert_eq!((whole, [part(1), part(2), part(3)]), (10, [4, 3, 3]));
}
