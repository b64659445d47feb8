//! Each known leak of determinism, planted: neutralised by the simulator, or reported by a verified sweep with its event, or
//! seen only from another process. The table of them is in the documentation of `windtunnel-sim`.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::future::ready;
use std::hash::BuildHasher;
use std::ops::Range;
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use windtunnel::{go, time};
use windtunnel_sim::{Body, Cause, Failure, Scenario, Sim, Sweep, SweepReport};

/// Every leak notes what it draws in a line of the trace that begins so.
macro_rules! draw {
    ($($value:tt)*) => { tracing::info!("draws {}", format_args!($($value)*)) };
}

const fn leak(function: &'static str, body: fn(Sim) -> Body) -> Scenario {
    Scenario { module: "leaks", function, package: "", summary: "", seeds: SEEDS.end, body }
}

const SEEDS: Range<u64> = 0..24;

/// Every seed twice, in other positions, on two threads.
fn verified(leak: &Scenario) -> SweepReport {
    let sweep = Sweep { verify: true, jobs: 2, ..Sweep::new(SEEDS) };
    let report = sweep.run(leak, &AtomicBool::new(false), &|| {});
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
    report
}

/// What a run of `seed` draws.
fn drawn(leak: &Scenario, seed: u64) -> String {
    let lines = leak.run_traced(seed).lines;
    let mut drawn = lines.iter().filter(|line| line.text.starts_with("draws "));
    let line = drawn.next().expect("what is drawn is traced");
    assert!(drawn.next().is_none(), "it draws once");
    line.to_string()
}

/// The runs of a seed are the same in this process and in another, and it is the seed that they follow.
fn assert_neutralised(leak: &Scenario) {
    let report = verified(leak);
    assert_eq!((report.diverged, report.runs), (None, 2 * SEEDS.end));
    let drawn: BTreeSet<String> = SEEDS.map(|seed| drawn(leak, seed)).collect();
    assert!(drawn.len() > 20, "seeds draw different things: {drawn:#?}");
    assert_eq!(leak.run(5).trace, trace_elsewhere(leak, "5"));
    assert_eq!(leak.run(5).trace, trace_elsewhere(leak, "7 2 5"));
}

/// A verified sweep reports the event at which the value is drawn.
fn assert_reported(leak: &Scenario) {
    let (_, divergence) = verified(leak).diverged.expect("a verified sweep sees it");
    assert!(divergence.line.contains("main: draws "), "{divergence}");
}

/// A verified sweep sees nothing, and two processes differ.
fn assert_seen_from_another_process(leak: &Scenario, one: &str, other: &str) {
    assert_eq!(verified(leak).diverged, None);
    assert_ne!(trace_elsewhere(leak, one), trace_elsewhere(leak, other));
}

/// The trace of the last of `seeds`, run one after the other in a process of their own.
fn trace_elsewhere(leak: &Scenario, seeds: &str) -> u64 {
    let mut child = Command::new(std::env::current_exe().expect("a path"));
    child.args(["--ignored", "--exact", "leaks::seeds_that_another_process_asks_for", "--nocapture"]);
    let output = child.envs([("LEAK", leak.function), ("SEEDS", seeds)]).output().expect("the child starts");
    let said = String::from_utf8(output.stdout).expect("text");
    let trace = said.lines().find_map(|line| line.split("trace ").nth(1)).unwrap_or_else(|| panic!("{said}"));
    trace.parse().expect("a number")
}

#[test]
#[ignore = "it is run by the others, in a process of its own"]
fn seeds_that_another_process_asks_for() {
    let [name, seeds] = ["LEAK", "SEEDS"].map(|name| std::env::var(name).expect("the other process says what to run"));
    let leak = ALL.iter().find(|leak| leak.function == name).expect("a leak");
    let trace = |seed: &str| leak.run(seed.parse().expect("a seed")).trace;
    println!("\ntrace {}", seeds.split(' ').fold(0, |_, seed| trace(seed)));
}

static ALL: [&Scenario; 7] = [&HASH_ORDER, &CLOCKS, &RAND, &FASTRAND, &OUR_SELECT, &STATIC_ADDRESS, &SEEDED_ONCE];

static HASH_ORDER: Scenario = leak("hash_order", |_| {
    Box::pin(async {
        let set: HashSet<u32> = (0..20).collect();
        let map: HashMap<u32, u32> = (0..20).map(|n| (n, n)).collect();
        draw!("{set:?} {map:?} {:x}", RandomState::new().hash_one(1));
    })
});

#[test]
fn std_hash_maps_and_random_states_are_neutralised_in_every_run_of_a_process() {
    assert_neutralised(&HASH_ORDER);
    // Run after run from one thread, which has maps of its own.
    let first = drawn(&HASH_ORDER, 5);
    for seed in 0..5 {
        HASH_ORDER.run(seed);
        assert_eq!((0..20).collect::<HashSet<u32>>().len(), 20);
        assert_eq!(drawn(&HASH_ORDER, 5), first);
    }
}

static CLOCKS: Scenario = leak("clocks", |_| {
    Box::pin(async {
        let (instant, began) = (Instant::now(), SystemTime::now());
        time::sleep(time::secs(1)).await;
        // Real time passes, which no clock shows.
        std::thread::sleep(Duration::from_millis(1));
        let elapsed = instant.elapsed();
        assert!((1_000..1_010).contains(&elapsed.as_millis()), "{elapsed:?}");
        draw!("{elapsed:?} {:?}", began.duration_since(SystemTime::UNIX_EPOCH));
    })
});

#[test]
fn std_clocks_are_neutralised() {
    assert_neutralised(&CLOCKS);
}

static RAND: Scenario = leak("rand", |_| Box::pin(async { draw!("{}", rand::random::<u64>()) }));

#[test]
fn the_thread_generator_of_rand_0_9_is_neutralised() {
    assert_neutralised(&RAND);
}

#[test]
fn the_thread_generator_of_rand_0_8_is_reported() {
    assert_reported(&leak("rand_08", |_| Box::pin(async { draw!("{}", rand_08::random::<u64>()) })));
}

static FASTRAND: Scenario =
    leak("fastrand", |_| Box::pin(async { draw!("{} {}", fastrand::u64(..), fastrand::Rng::new().u64(..)) }));

#[test]
fn fastrand_s_functions_and_new_generators_are_neutralised() {
    assert_neutralised(&FASTRAND);
}

static OUR_SELECT: Scenario = leak("our_select", |_| {
    Box::pin(async {
        let (left, right) = (go::channel(20), go::channel(20));
        for channel in [&left, &right] {
            (0..20).for_each(|_| channel.try_send(()).unwrap());
        }
        let mut order = String::new();
        for _ in 0..20 {
            windtunnel::select! {
                _ = left.recv() => order.push('l'),
                _ = right.recv() => order.push('r'),
            }
        }
        draw!("{order}");
    })
});

#[test]
fn our_own_select_follows_the_seed() {
    assert_neutralised(&OUR_SELECT);
}

#[test]
fn tokio_s_select_is_reported_unless_it_is_biased() {
    macro_rules! selecting {
        ($($biased:tt)*) => {
            |_| Box::pin(async {
                let mut order = String::new();
                for _ in 0..20 {
                    tokio::select! {
                        $($biased)*
                        () = ready(()) => order.push('l'),
                        () = ready(()) => order.push('r'),
                    }
                }
                draw!("{order}");
            })
        };
    }
    assert_reported(&leak("tokio_select", selecting!()));
    assert_eq!(verified(&leak("biased_select", selecting!(biased;))).diverged, None);
}

#[test]
fn a_thread_local_is_neutralised_since_each_run_has_a_thread_of_its_own() {
    thread_local! {
        static COUNT: AtomicU64 = const { AtomicU64::new(0) };
    }
    let counting = leak("thread_local", |_| {
        Box::pin(async { draw!("{}", COUNT.with(|count| count.fetch_add(1, Ordering::Relaxed))) })
    });
    assert_eq!(verified(&counting).diverged, None);
    assert!(SEEDS.map(|seed| drawn(&counting, seed)).all(|line| line.ends_with("draws 0")));
}

#[test]
fn a_thread_of_the_system_is_refused_and_the_run_fails() {
    let spawning = leak("thread", |_| {
        Box::pin(async {
            let thread = std::thread::spawn(|| 1);
            draw!("{:?}", thread.join().unwrap());
        })
    });
    let failure = Failure::examine(&spawning, spawning.run(1)).expect("no thread is started");
    assert!(matches!(&failure.outcome.cause, Some(Cause::Panic { at, .. }) if at.contains("std/src/")), "{failure}");
    assert_eq!(failure.divergence, None);
}

/// Reads a process-wide counter: the same seed goes another way in the next run.
static COUNTED: Scenario = leak("counted", |_| {
    Box::pin(async {
        static RUNS: AtomicU64 = AtomicU64::new(0);
        windtunnel::spawn(async {}).await.unwrap();
        let n = RUNS.fetch_add(1, Ordering::Relaxed);
        draw!("{n}");
        assert!(n < 100, "too many runs");
    })
});

#[test]
fn a_process_static_is_reported_with_the_event_at_which_runs_differ() {
    assert_reported(&COUNTED);
    (0..100).for_each(|_| drop(COUNTED.run(7)));
    let failure = Failure::examine(&COUNTED, COUNTED.run(7)).expect("it fails by now");
    let text = failure.to_string();
    assert!(failure.divergence.is_some() && text.contains("replays   no") && text.contains("main: draws "), "{text}");
}

#[test]
fn real_time_that_is_not_asked_of_a_clock_is_reported() {
    assert_reported(&leak("file_time", |_| {
        Box::pin(async {
            // The kernel stamps files in steps of some milliseconds.
            std::thread::sleep(Duration::from_millis(5));
            let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
            std::fs::write(folder.join("stamped"), "").expect("the folder of cargo's tests can be written to");
            draw!("{:?}", folder.join("stamped").metadata().and_then(|it| it.modified()));
        })
    }));
}

#[test]
fn the_address_of_a_value_is_reported() {
    // Never freed, so that no other value has the address.
    assert_reported(&leak("heap_address", |_| Box::pin(async { draw!("{:p}", Box::leak(Box::new(1))) })));
}

static STATIC_ADDRESS: Scenario = leak("static_address", |_| Box::pin(async { draw!("{:p}", &raw const RAND) }));

#[test]
fn the_address_of_a_static_is_seen_only_from_another_process() {
    assert_seen_from_another_process(&STATIC_ADDRESS, "5", "5");
}

static SEEDED_ONCE: Scenario = leak("seeded_once", |_| {
    Box::pin(async {
        static SEED: OnceLock<u64> = OnceLock::new();
        draw!("{}", SEED.get_or_init(|| RandomState::new().hash_one(1)));
    })
});

#[test]
fn what_the_first_run_of_a_process_seeds_is_seen_only_from_another_process() {
    assert_seen_from_another_process(&SEEDED_ONCE, "5", "3 5");
}
