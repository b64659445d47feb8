//! A run that does not end is given up in real time, and the report names the task that spins.

use std::hint::{black_box, spin_loop};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use windtunnel::task::{TaskState, spawn_named, yield_now};
use windtunnel::{channel, go, spawn, time};
use windtunnel_sim::shrink::Budget;
use windtunnel_sim::{Body, Cause, Failure, Hang, Outcome, Patience, Scenario, Sim, Stuck, Sweep, Terms};

const fn scenario(function: &'static str, body: fn(Sim) -> Body) -> Scenario {
    Scenario { module: "watchdog", function, package: "", summary: "", seeds: 1, body }
}

fn terms(millis: u64) -> Terms {
    Terms { patience: Patience::of(Duration::from_millis(millis)), ..Terms::default() }
}

fn stuck(outcome: &Outcome) -> &Stuck {
    match &outcome.cause {
        Some(Cause::Stuck(stuck)) => stuck,
        other => panic!("it is given up, and not {other:?}"),
    }
}

fn report(scenario: &Scenario, outcome: Outcome) -> Failure {
    let mut failure =
        Failure::smallest(scenario, outcome, &AtomicBool::new(false), &Budget::default()).expect("it fails");
    failure.show_real_time = false;
    failure
}

/// Waits for what a thread that was left behind does when it is let go, so that none outlives its test.
fn awaited(condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(10), "the thread of the run did not end");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Sets its flag when it is dropped.
struct Dropped(&'static AtomicBool);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_poll_that_never_returns_is_named_and_its_thread_left_behind() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static LET_GO: AtomicBool = AtomicBool::new(false);
    static OVER: AtomicBool = AtomicBool::new(false);
    let looping = scenario("looping", |sim| {
        Box::pin(async move {
            RUNS.fetch_add(1, Ordering::Relaxed);
            let n1 = sim.node("n1", |_| async {
                let (numbers, input) = channel::named::<u8>("numbers", 1);
                let reader = spawn_named("reader", async move {
                    let _dropped = Dropped(&OVER);
                    while input.try_recv().is_err() && !LET_GO.load(Ordering::Relaxed) {}
                    std::future::pending::<()>().await;
                });
                reader.await.unwrap();
                drop(numbers);
            });
            sim.slow_link(&n1, sim.main(), time::millis(7));
            time::sleep(time::secs(1)).await;
        })
    });
    let outcome = looping.start(8412, terms(300));
    assert_eq!((stuck(&outcome).hang, stuck(&outcome).seen), (Hang::Poll, 100));
    assert!(!OVER.load(Ordering::Relaxed), "the thread is still there");
    assert_snapshot!(report(&looping, outcome));
    assert_eq!(RUNS.load(Ordering::Relaxed), 1, "the report comes at once: nothing is run again");
    // Once the poll returns, the run ends after all and drops what it had.
    LET_GO.store(true, Ordering::Relaxed);
    awaited(|| OVER.load(Ordering::Relaxed));
}

#[test]
fn a_task_that_is_polled_for_ever_is_named_and_its_run_ended() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    static OVER: AtomicBool = AtomicBool::new(false);
    let yielding = scenario("yielding", |_| {
        Box::pin(async {
            RUNS.fetch_add(1, Ordering::Relaxed);
            spawn(std::future::pending::<()>());
            spawn_named("waiter", async {
                let _dropped = Dropped(&OVER);
                loop {
                    yield_now().await;
                }
            });
            go::channel::<u8>(0).recv().await;
        })
    });
    let outcome = yielding.start(8412, terms(300));
    assert!(OVER.load(Ordering::Relaxed), "its destructors have run");
    assert_eq!((stuck(&outcome).hang, stuck(&outcome).seen), (Hang::Polls, 100));
    assert!(outcome.simulated > Duration::ZERO && outcome.simulated < Duration::from_secs(10));
    let mut failure = report(&yielding, outcome);
    failure.outcome.simulated = Duration::ZERO;
    assert_snapshot!(failure);
    assert_eq!(RUNS.load(Ordering::Relaxed), 1, "nothing is run again");
}

#[test]
fn a_thread_that_a_task_blocks_is_named() {
    static SENDER: std::sync::Mutex<Option<std::sync::mpsc::Sender<()>>> = std::sync::Mutex::new(None);
    static OVER: AtomicBool = AtomicBool::new(false);
    let blocking = scenario("blocking", |_| {
        Box::pin(async {
            let _dropped = Dropped(&OVER);
            let (sender, receiver) = std::sync::mpsc::channel();
            *SENDER.lock().unwrap() = Some(sender);
            assert!(receiver.recv().is_err());
        })
    });
    let failure = report(&blocking, blocking.start(1, terms(300)));
    let text = failure.to_string();
    assert!(text.contains("a poll of `main` does not return: have it await"), "{text}");
    assert!(text.contains("main on main, in 100 of 100 looks"), "{text}");
    drop(SENDER.lock().unwrap().take());
    awaited(|| OVER.load(Ordering::Relaxed));
}

/// Takes as long as `units` say, whatever that is in time.
fn compute(units: u32) {
    (0..units * 20_000).for_each(|n| _ = black_box(n));
}

#[test]
fn of_many_tasks_the_one_that_is_polled_most_of_the_time_is_named() {
    let unequal = scenario("unequal", |_| {
        Box::pin(async {
            for (name, units) in [("light", 1), ("heavy", 20), ("light too", 1)] {
                spawn_named(name, async move {
                    loop {
                        compute(units);
                        yield_now().await;
                    }
                });
            }
            std::future::pending::<()>().await;
        })
    });
    // Looks are samples: while the thread has no processor they all see the same.
    let named = |seed| stuck(&unequal.start(seed, terms(20))).task.as_ref().map(TaskState::label);
    let named: Vec<_> = (0..5).map(named).collect();
    assert!(named.iter().flatten().filter(|label| *label == "heavy").count() >= 3, "{named:?}");
}

#[test]
fn tasks_that_follow_each_other_are_named_by_where_they_are_spawned() {
    const SPAWN: u32 = line!() + 2;
    fn relay() -> Body {
        Box::pin(async { drop(spawn(relay())) })
    }
    let relaying = scenario("relaying", |_| {
        Box::pin(async {
            spawn(relay());
            std::future::pending::<()>().await;
        })
    });
    let outcome = relaying.start(1, terms(50));
    let stuck = stuck(&outcome);
    assert_eq!((stuck.hang, stuck.task.as_ref().unwrap().spawned_at.unwrap().line()), (Hang::Polls, SPAWN));
    assert!(stuck.seen > 5, "{stuck:?}");
}

/// Hangs when it is dropped, until it is let go.
struct Hangs(&'static AtomicBool);

impl Drop for Hangs {
    fn drop(&mut self) {
        while !self.0.load(Ordering::Relaxed) {
            spin_loop();
        }
    }
}

#[test]
fn what_hangs_outside_a_poll_is_laid_on_no_task_and_the_failure_before_it_is_told() {
    static LET_GO: AtomicBool = AtomicBool::new(false);
    let hanging = scenario("hanging", |sim| {
        Box::pin(async move {
            sim.node("n1", |_| async {
                let _hangs = Hangs(&LET_GO);
                std::future::pending::<()>().await;
            });
            time::sleep(time::secs(1)).await;
            panic!("as planned");
        })
    });
    let outcome = hanging.start(1, terms(300));
    let stuck = stuck(&outcome);
    assert_eq!((stuck.hang, &stuck.task, stuck.after.as_deref()), (Hang::Elsewhere, &None, Some("as planned")));
    let text = report(&hanging, outcome).to_string();
    let expected = "no end within 300ms of real time, after it had failed (as planned): no task is being polled: mend";
    assert!(text.contains(expected), "{text}");
    LET_GO.store(true, Ordering::Relaxed);
}

#[test]
fn a_thread_local_that_hangs_is_given_up_as_well() {
    static LET_GO: AtomicBool = AtomicBool::new(false);
    thread_local! {
        static HANGS: Hangs = const { Hangs(&LET_GO) };
    }
    let hanging = scenario("thread_local", |_| Box::pin(async { HANGS.with(|_| ()) }));
    assert_eq!(stuck(&hanging.start(1, terms(300))).hang, Hang::Elsewhere);
    LET_GO.store(true, Ordering::Relaxed);
}

#[test]
fn a_long_run_is_told_from_one_that_spins() {
    let long = scenario("long", |_| {
        Box::pin(async {
            loop {
                time::sleep(time::millis(1)).await;
            }
        })
    });
    assert_eq!(stuck(&long.start(1, terms(50))).hang, Hang::Long);
}

#[test]
fn without_a_limit_a_run_takes_as_long_as_it_likes() {
    let slow = scenario("slow", |_| Box::pin(async { std::thread::sleep(Duration::from_millis(300)) }));
    assert_eq!(slow.start(1, terms(0)).cause, None);
}

#[test]
fn a_run_that_ends_while_it_is_looked_at_has_ended() {
    let late = scenario("late", |_| Box::pin(async { std::thread::sleep(Duration::from_millis(5)) }));
    assert_eq!(late.start(1, terms(1)).cause, None);
}

#[test]
fn a_sweep_ends_at_the_seed_that_spins_and_a_replay_draws_it() {
    let one = scenario("one", |sim| {
        Box::pin(async move {
            time::sleep(time::secs(1)).await;
            while sim.seed() == 5 {
                yield_now().await;
            }
        })
    });
    let sweep = Sweep { patience: terms(200).patience, ..Sweep::new(0..8) };
    let report = sweep.run(&one, &AtomicBool::new(false), &|| {});
    let failure = report.failure.expect("seed 5 spins");
    assert_eq!((failure.outcome.seed, failure.position), (5, Some((6, 8))));
    assert_eq!(failure.timeline, Err("drawn by the replay".into()));
    let replayed = Failure::examine(&one, one.start(5, Terms { record: true, ..terms(50) })).expect("it spins again");
    assert_eq!(replayed.timeline, Ok("target/windtunnel/watchdog.one.5.html".into()));
}

#[test]
fn a_try_that_spins_ends_the_search_for_the_smallest_failure_with_its_budget() {
    static LET_GO: AtomicBool = AtomicBool::new(false);
    let shrinking = scenario("shrinking", |sim| {
        Box::pin(async move {
            let operations = sim.workload(4, 0..10_u8);
            while operations.len() < 4 && !LET_GO.load(Ordering::Relaxed) {}
            panic!("all four are needed");
        })
    });
    let budget = Budget { time: Duration::from_millis(100), ..Budget::default() };
    let (started, outcome) = (Instant::now(), shrinking.start(1, terms(8_000)));
    let failure = Failure::smallest(&shrinking, outcome, &AtomicBool::new(false), &budget).expect("it fails");
    assert!(started.elapsed() < Duration::from_secs(5), "the patience was not cut to the budget");
    let smallest = failure.smallest.expect("there was something to take away");
    assert_eq!((smallest.operations, smallest.spent), ((4, 4), true));
    LET_GO.store(true, Ordering::Relaxed);
}

#[test]
fn a_patience_that_is_no_number_of_seconds_is_one_line() {
    assert_eq!("0".parse(), Ok(Patience::ENDLESS));
    assert_eq!("0.25".parse(), Ok(Patience::of(Duration::from_millis(250))));
    for text in ["", "soon", "-1", "nan", "inf", "1e300", "1e-300", "1m"] {
        let error = text.parse::<Patience>().unwrap_err().to_string();
        assert!(error.starts_with("write a number of seconds") && error.lines().count() == 1, "{text}: {error}");
    }
    let mut test = Command::new(std::env::current_exe().expect("a path"));
    let output = test.args(["readme::a_partitioned_server", "--nocapture"]).env("WINDTUNNEL_PATIENCE", "soon").output();
    let said = String::from_utf8(output.expect("the test starts").stderr).expect("text");
    assert!(said.lines().any(|line| line.starts_with("WINDTUNNEL_PATIENCE is `soon`: write a number")), "{said}");
}
