//! A run is a pure function of scenario and seed: proved by running it again.

use std::sync::atomic::AtomicBool;

use windtunnel_sim::{Scenario, Sweep, scenarios};

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
fn shards_cover_every_seed_once() {
    let scenario = scenarios()[0];
    let whole = Sweep::new(0..10).run(scenario, &AtomicBool::new(false), &|| {}).runs;
    let part = |k| Sweep { shard: (k, 3), ..Sweep::new(0..10) }.run(scenario, &AtomicBool::new(false), &|| {}).runs;
    assert_eq!((whole, [part(1), part(2), part(3)]), (10, [4, 3, 3]));
}
