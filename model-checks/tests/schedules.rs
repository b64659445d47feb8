//! The schedule of a failure: how short it is, what it survives, and what is found where executions are drawn or bounded.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex};

use windtunnel::sync::Mutex;
use windtunnel::task::{spawn_named, yield_now};
use windtunnel::{go, rand, spawn, time};
use windtunnel_model::{Builder, Engine, FailureKind, Report, Sampling, Schedule};

fn explore() -> Builder {
    Builder::new().engine(Engine::Explore)
}

fn check<F: Future<Output = ()> + 'static>(body: fn() -> F) -> Report {
    explore().max_executions(1_000_000).check("model", body)
}

/// Two tasks that lock two mutexes in opposite orders.
async fn opposite_orders() {
    let (a, b) = (Arc::new(Mutex::named("a", ())), Arc::new(Mutex::named("b", ())));
    for (name, first, second) in [("one", Arc::clone(&a), Arc::clone(&b)), ("other", b, a)] {
        spawn_named(name, async move {
            let first = first.lock().await;
            let second = second.lock().await;
            drop((first, second));
        });
    }
}

#[test]
fn a_schedule_runs_the_failing_execution_again() {
    let report = check(opposite_orders);
    let schedule = report.failure.as_ref().and_then(|failure| failure.schedule.clone()).expect("a schedule");
    let text = schedule.to_string();
    assert!(text.starts_with("x2-"), "{text}");
    assert_eq!(text.parse(), Ok(schedule.clone()));
    // By the engine that it comes from, whatever the builder says.
    let again = Builder::new().replay("model", opposite_orders, &schedule).expect("it applies");
    let (found, again) = (report.failure.expect("found above"), again.failure.expect("it fails again"));
    assert_eq!((again.kind, again.tasks, again.steps.to_vec()), (found.kind, found.tasks, found.steps.to_vec()));
}

#[test]
fn a_schedule_that_does_not_apply_is_one_line() {
    let schedule = check(opposite_orders).failure.and_then(|failure| failure.schedule).expect("a schedule");
    let foreign = explore().replay("another", opposite_orders, &schedule).expect_err("of another model");
    let stale = explore().replay("model", || async {}, &schedule).expect_err("the model is another");
    let unreadable = [
        "",
        "x2",
        "x2-0",
        "x2-zz-leak-m",
        "x2-0-leak-y",
        "x2-0-leak-mx",
        "x2-0-leak-m1/",
        "x2-0-none-m",
        "x2-0-leak-m-2",
    ];
    let unreadable = unreadable.map(|text| text.parse::<Schedule>().expect_err(text));
    let version = "x3-0-leak-m".parse::<Schedule>().expect_err("of another version");
    for error in [foreign, stale, version].iter().chain(&unreadable) {
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

/// Fails if the counter is read by one task before the other has written what it read: at least two switches, one of them away
/// from a task that could have gone on.
async fn lost_update(busy: usize) {
    let counter = Arc::new(Mutex::new(0));
    let noise = Arc::new(Mutex::new(0));
    for _ in 0..busy {
        let noise = Arc::clone(&noise);
        spawn(async move { *noise.lock().await += 1 });
    }
    let tasks = [0, 1].map(|_| {
        let counter = Arc::clone(&counter);
        spawn(async move {
            let read = *counter.lock().await;
            *counter.lock().await = read + 1;
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*counter.lock().await, 2, "an update was lost");
}

fn schedule(report: &Report) -> String {
    report.failure.as_ref().and_then(|failure| failure.schedule.as_ref()).expect("it fails").to_string()
}

#[test]
fn the_schedule_of_a_failure_has_the_fewest_switches() {
    // The main task spawns and waits, one task reads, the other writes, the first writes as well, and the main task looks.
    let report = check(|| lost_update(0));
    assert!(report.failure.as_ref().unwrap().replays, "{report}");
    assert!(schedule(&report).ends_with("-panic-m,m1x2,m2,m1,m"), "{report}");
    // Those that have nothing to do with it do not run.
    let report = check(|| lost_update(2));
    assert!(schedule(&report).ends_with("-panic-m,m3x2,m4,m3,m"), "{report}");
    assert_eq!(schedule(&check(|| lost_update(2))), schedule(&report), "the same each time");
}

/// The program of a schedule, edited: how it then fails.
fn replayed<F: Future<Output = ()> + 'static>(schedule: &str, body: fn() -> F) -> Option<FailureKind> {
    let schedule: Schedule = schedule.parse().unwrap();
    let report = explore().replay("model", body, &schedule).ok()?;
    let failure = report.failure.expect("a replay fails");
    // What is found nearby replays as well.
    let again = explore().replay("model", body, &failure.schedule.unwrap()).expect("it is that of this program");
    assert_eq!(again.failure.unwrap().kind, failure.kind);
    Some(failure.kind)
}

#[test]
fn a_schedule_survives_unrelated_edits_of_the_program() {
    let lost = schedule(&check(|| lost_update(0)));
    let leak = schedule(&check(opposite_orders));
    assert!(matches!(replayed(&lost, || lost_update(0)), Some(FailureKind::Panic { .. })));
    let edited = replayed(&lost, || async {
        let noise = Arc::new(Mutex::new(0));
        *noise.lock().await += 1;
        lost_update(0).await;
    });
    assert!(matches!(edited, Some(FailureKind::Panic { .. })), "steps before");
    let edited = replayed(&lost, || async {
        let counter = Arc::new(Mutex::new(0));
        let tasks = [0, 1].map(|_| {
            let (counter, noise) = (Arc::clone(&counter), Arc::new(Mutex::new(0)));
            spawn(async move {
                *noise.lock().await += 1;
                let read = *counter.lock().await;
                *noise.lock().await += 1;
                *counter.lock().await = read + 1;
            })
        });
        spawn(async { time::sleep(time::secs(1)).await });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*counter.lock().await, 2);
    });
    assert!(matches!(edited, Some(FailureKind::Panic { .. })), "steps within, and a task and a timer more");
    let edited = replayed(&lost, || async {
        spawn(time::sleep(time::secs(1)));
        lost_update(1).await;
    });
    assert!(matches!(edited, Some(FailureKind::Panic { .. })), "tasks before");
    let edited = replayed(&leak, || async {
        opposite_orders().await;
        spawn(async { yield_now().await });
        yield_now().await;
    });
    assert_eq!(edited, Some(FailureKind::Leak), "steps after");
}

#[test]
fn a_schedule_of_a_program_that_was_mended_says_so() {
    let lost: Schedule = schedule(&check(|| lost_update(0))).parse().unwrap();
    let mended = || async {
        let counter = Arc::new(Mutex::new(0));
        let tasks = [0, 1].map(|_| {
            let counter = Arc::clone(&counter);
            spawn(async move { *counter.lock().await += 1 })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*counter.lock().await, 2);
    };
    let error = explore().replay("model", mended, &lost).expect_err("it is mended").to_string();
    assert!(error.contains("no longer applies") && !error.contains('\n'), "{error}");
    // Another failure is not the one that was to be seen.
    let error = explore().replay("model", || async { assert_eq!(go::channel::<()>(0).recv().await, None) }, &lost);
    assert!(error.is_err());
}

#[test]
fn tasks_are_the_same_in_a_replay_whatever_order_they_were_spawned_in() {
    // Which of the grandchildren is spawned first differs between executions.
    let report = check(|| async {
        let order = Arc::new(StdMutex::new(Vec::new()));
        let tasks = [0, 1].map(|child| {
            let order = Arc::clone(&order);
            spawn(async move {
                yield_now().await;
                spawn(async move { order.lock().unwrap().push(child) }).await.unwrap();
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_ne!(*order.lock().unwrap(), [1, 0]);
    });
    assert!(report.failure.as_ref().is_some_and(|failure| failure.replays), "{report}");
}

const SAMPLINGS: [Sampling; 3] = [Sampling::Pct { depth: 2 }, Sampling::Pos, Sampling::Random];

#[test]
fn a_bug_is_found_by_chance_and_its_schedule_is_as_short_as_any() {
    for sampling in SAMPLINGS {
        let report = explore().sample(sampling).max_executions(1000).seed(7).check("model", || lost_update(2));
        assert!(report.failure.as_ref().is_some_and(|failure| failure.replays), "{report}");
        assert!(report.to_string().contains(&format!("(explore, {sampling}, seed 7; stopped")), "{report}");
        assert_eq!(schedule(&report).split(',').count(), 5, "{report}");
        let again = explore().sample(sampling).max_executions(1000).seed(7).check("model", || lost_update(2));
        assert_eq!(again.to_string(), report.to_string(), "the same seed");
    }
    let found = |seed| {
        let builder = explore().sample(Sampling::Random).max_executions(1000).seed(seed);
        builder.check("model", || lost_update(2)).failure.map(|failure| failure.execution)
    };
    assert!((0..9).map(found).collect::<BTreeSet<_>>().len() > 1, "another seed");
}

#[test]
fn a_sampled_search_says_what_it_may_have_missed_and_is_never_complete() {
    let report = explore().sample(Sampling::Pct { depth: 2 }).max_executions(500).seed(3).check("model", || async {
        let task = spawn(async {});
        task.await.unwrap();
    });
    assert!(!report.is_complete() && report.failure.is_none(), "{report}");
    // Two tasks; and three steps, so that two in a certain order are met with a probability of a sixth.
    assert!(
        report.to_string().contains(
            "bounded (PCT of depth 2, 500 executions, seed 3; a bug of depth 2 is missed with probability ≤ "
        ),
        "{report}"
    );
    let report = explore().sample(Sampling::Pos).max_executions(500).check("model", || async {});
    assert!(report.to_string().contains("bounded (partial-order sampling, 500 executions, seed 0; a bug that one execution in 167 shows is missed with probability ≤ 0.05)"), "{report}");
}

/// What executions that are drawn at random end with.
fn drawn(sampling: Sampling, executions: u64) -> BTreeMap<Vec<usize>, u64> {
    let ends = Arc::new(StdMutex::new(BTreeMap::new()));
    let all = Arc::clone(&ends);
    let report = explore().sample(sampling).max_executions(executions).check("model", move || {
        let all = Arc::clone(&all);
        async move {
            let order = Arc::new(Mutex::new(Vec::new()));
            let tasks = [0, 1, 2].map(|task| {
                let order = Arc::clone(&order);
                spawn(async move { order.lock().await.push(10 * task + rand::choose(3)) })
            });
            for task in tasks {
                task.await.unwrap();
            }
            let order = order.lock().await.clone();
            *all.lock().unwrap().entry(order).or_insert(0) += 1;
        }
    });
    assert_eq!(report.executions, executions, "{report}");
    Arc::into_inner(ends).unwrap().into_inner().unwrap()
}

#[test]
fn every_order_and_every_choice_is_drawn_about_as_often_as_it_should_be() {
    for sampling in SAMPLINGS {
        let ends = drawn(sampling, 4000);
        assert_eq!(ends.len(), 6 * 27, "{sampling}");
        let least = ends.values().min().unwrap();
        // PCT promises one in n k ways, POS and random walks draw each order of these about as often.
        assert!(*least >= 4000 / (6 * 27) / 8, "{sampling}: {least}");
    }
}

#[test]
fn a_bound_on_delays_allows_what_so_many_delays_lead_to() {
    async fn order() -> Vec<usize> {
        let order = Arc::new(Mutex::new(Vec::new()));
        let tasks = [0, 1, 2].map(|task| {
            let order = Arc::clone(&order);
            spawn(async move { order.lock().await.push(task) })
        });
        for task in tasks {
            task.await.unwrap();
        }
        order.lock().await.clone()
    }
    let orders = |delays: usize| {
        let ends = Arc::new(StdMutex::new(BTreeSet::new()));
        let all = Arc::clone(&ends);
        let report = explore().delays(delays).check("model", move || {
            let all = Arc::clone(&all);
            async move {
                let order = order().await;
                all.lock().unwrap().insert(order);
            }
        });
        assert!(report.to_string().contains(&format!("bounded (at most {delays} delays)")), "{report}");
        Arc::into_inner(ends).unwrap().into_inner().unwrap()
    };
    assert_eq!(orders(0), BTreeSet::from([vec![0, 1, 2]]), "one scheduler, one execution");
    // Passing over the first and then the second, or the second alone.
    assert_eq!(orders(1), BTreeSet::from([vec![0, 1, 2], vec![0, 2, 1], vec![1, 2, 0]]));
    assert_eq!(orders(4).len(), 6);
}
