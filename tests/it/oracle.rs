//! Properties of runs: held by `always` and `eventually`, counted over a sweep by `sometimes`.

use std::sync::atomic::AtomicBool;

use windtunnel::{channel, time};
use windtunnel_sim::oracle::{always, eventually, sometimes};
use windtunnel_sim::{Cause, Scenario, Sim, Sweep, simulate};

static WEAK: Scenario = Scenario {
    module: "oracle",
    function: "weak",
    package: "",
    summary: "",
    seeds: 1,
    body: |sim| {
        Box::pin(async move {
            sometimes("an odd seed", sim.seed() % 2 == 1);
            sometimes("a seed above 1000", sim.seed() > 1000);
        })
    },
};

#[test]
fn what_never_happened_in_a_sweep_is_its_weakness_and_no_failure_of_a_run() {
    let sweep = |seeds| Sweep::new(seeds).run(&WEAK, &AtomicBool::new(false), &|| {}).weakness();
    assert!(WEAK.run(0).cause.is_none());
    let line = "never happened in 600 seeds: a seed above 1000   tests/it/oracle.rs:18";
    assert_eq!(sweep(0..600).as_deref(), Some(line));
    assert_eq!(sweep(600..1200), None);
    assert_eq!(sweep(0..1).expect("both").lines().count(), 2);
}

#[test]
fn a_sweep_that_was_stopped_says_nothing_of_what_never_happened() {
    let report = Sweep::new(0..100).run(&WEAK, &AtomicBool::new(true), &|| {});
    assert!(report.interrupted && report.weakness().is_none());
}

/// The message that a run of `body` fails with.
fn message<F: Future<Output = ()> + Send + 'static>(body: impl FnOnce() -> F + Send + 'static) -> Option<String> {
    match simulate(1, |_| body()).0.cause {
        Some(Cause::Panic { message, .. }) => Some(message),
        other => other.map(|cause| panic!("{cause:?}")),
    }
}

#[test]
fn always_and_eventually_fail_by_name() {
    assert_eq!(message(|| async { always("one leader", true) }), None);
    assert_eq!(message(|| async { always("one leader", false) }).as_deref(), Some("always: one leader: does not hold"));
    let after = |limit| {
        message(move || async move {
            let start = time::Instant::now();
            eventually("a leader", time::secs(limit), || start.elapsed() >= time::secs(10)).await;
        })
    };
    assert_eq!(after(11), None);
    let late = after(9).expect("too late");
    assert!(late.starts_with("eventually: a leader: does not hold after 9s   tests/it/oracle.rs:"), "{late}");
}

/// Spawns a task that sleeps for a second, every tenth of a second.
async fn sleepers(count: usize) {
    for _ in 0..count {
        windtunnel::spawn(time::sleep(time::secs(1)));
        time::sleep(time::millis(100)).await;
    }
}

fn first_line(outcome: &windtunnel_sim::Outcome) -> String {
    outcome.cause.as_ref().map(ToString::to_string).unwrap_or_default()
}

#[test]
fn a_run_that_exceeds_a_limit_fails_when_it_does() {
    let tasks = |most| {
        move |sim: Sim| async move {
            sim.limit_tasks(most);
            sleepers(20).await;
        }
    };
    // Ten that sleep, one that begins before the oldest has ended, and main.
    assert_eq!(simulate(1, tasks(12)).0.cause, None);
    let (outcome, _) = simulate(1, tasks(5));
    assert_eq!(first_line(&outcome), "limit: live tasks: 6, at most 5");
    assert_eq!(outcome.simulated.as_millis(), 400);
    let timers = |most| {
        move |sim: Sim| async move {
            sim.limit_timers(most);
            sleepers(20).await;
            // One that was dropped is none.
            for _ in 0..100 {
                drop(time::sleep(time::secs(1)));
            }
        }
    };
    assert_eq!(simulate(1, timers(12)).0.cause, None);
    assert_eq!(first_line(&simulate(1, timers(5)).0), "limit: timers: 6, at most 5");
}

#[test]
fn what_a_scenario_counts_is_limited() {
    let body = |sim: Sim| async move {
        let (values, _input) = channel(10);
        let counted = values.clone();
        sim.limit("values", 3, move || counted.len());
        for value in 0..10 {
            values.send(value).await.unwrap();
            time::sleep(time::millis(1)).await;
        }
    };
    let (outcome, _) = simulate(1, body);
    assert_eq!(first_line(&outcome), "limit: values: 4, at most 3");
    assert_eq!(outcome.trace, simulate(1, body).0.trace);
    let (outcome, _) = simulate(1, |sim: Sim| async move { sim.limit("a panic", 3, || panic!("of the measure")) });
    assert_eq!(first_line(&outcome), "of the measure");
}
