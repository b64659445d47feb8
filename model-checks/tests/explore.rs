//! What an exploration finds, how it says so, and how it runs an execution again.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::{Arc, Mutex as StdMutex};
use std::time::Duration;

use windtunnel::cell::CheckedCell;
use windtunnel::sync::Mutex;
use windtunnel::task::{spawn_named, yield_now};
use windtunnel::{channel, go, rand, select, spawn, time};
use windtunnel_model::{Builder, Engine, FailureKind, Report};

fn explore() -> Builder {
    Builder::new().engine(Engine::Explore)
}

fn check<F: Future<Output = ()> + 'static>(body: fn() -> F) -> Report {
    explore().max_executions(1_000_000).check("model", body)
}

/// What the executions of `body` end with, all of which succeed.
fn ends<T: Ord + Send + 'static, F: Future<Output = T> + 'static>(body: fn() -> F) -> BTreeSet<T> {
    let ends = Arc::new(StdMutex::new(BTreeSet::new()));
    let all = Arc::clone(&ends);
    let report = explore().check("model", move || {
        let all = Arc::clone(&all);
        async move {
            let end = body().await;
            all.lock().unwrap().insert(end);
        }
    });
    assert!(report.is_complete(), "{report}");
    Arc::into_inner(ends).map_or_else(BTreeSet::new, |ends| ends.into_inner().unwrap())
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
fn a_leak_is_found_and_shows_who_is_blocked_where() {
    let report = check(opposite_orders);
    let failure = report.failure.as_ref().expect("the tasks block each other");
    assert_eq!(failure.kind, FailureKind::Leak, "{report}");
    assert!(failure.replays, "{report}");
    let blocked: Vec<_> = failure.tasks.iter().map(|task| (task.label(), task.wait.clone())).collect();
    assert_eq!(blocked, [("one".into(), "mutex lock (b)".into()), ("other".into(), "mutex lock (a)".into())]);
    assert!(report.to_string().contains("(explore; stopped at the first failure)"), "{report}");
}

#[test]
fn a_deadlock_of_the_main_task_is_found() {
    let report = check(|| async { assert_eq!(go::channel::<()>(0).recv().await, None) });
    assert_eq!(report.failure.expect("nobody sends").kind, FailureKind::Deadlock);
}

#[test]
fn a_panic_is_found_in_the_one_order_that_leads_to_it() {
    let report = check(|| async {
        let (sender, receiver) = channel(2);
        for value in 0..3 {
            let sender = sender.clone();
            spawn(async move { sender.send(value).await });
        }
        drop(sender);
        let mut values = Vec::new();
        while let Some(value) = receiver.recv().await {
            values.push(value);
        }
        assert_ne!(values, [2, 1, 0]);
    });
    let failure = report.failure.as_ref().expect("every order is tried");
    assert!(matches!(&failure.kind, FailureKind::Panic { at, .. } if at.contains("explore.rs")), "{report}");
    assert!(failure.replays, "{report}");
}

#[test]
fn a_data_race_is_found_whatever_the_order_of_the_accesses() {
    let report = check(|| async {
        let cell = Arc::new(CheckedCell::named("hits", 0));
        let other = Arc::clone(&cell);
        let task = spawn(async move { other.set(other.get() + 1) });
        cell.set(cell.get() + 1);
        task.await.unwrap();
    });
    let failure = report.failure.as_ref().expect("nothing orders the accesses");
    assert!(matches!(&failure.kind, FailureKind::DataRace { race } if race.contains("hits")), "{report}");
    assert!(failure.replays, "{report}");
}

#[test]
fn accesses_that_a_mutex_or_a_join_orders_are_no_data_race() {
    let report = check(|| async {
        let shared = Arc::new((Mutex::new(()), CheckedCell::named("hits", 0)));
        let tasks: Vec<_> = (0..2)
            .map(|_| {
                let shared = Arc::clone(&shared);
                spawn(async move {
                    let _held = shared.0.lock().await;
                    shared.1.set(shared.1.get() + 1);
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(shared.1.get(), 2);
    });
    assert!(report.is_complete(), "{report}");
}

#[test]
fn a_task_that_spins_makes_no_progress_and_the_loop_is_shown_once() {
    for engine in [Engine::Explore, Engine::Loom] {
        let report = Builder::new().engine(engine).max_steps(500).check("spin", || async {
            spawn_named("other", async {
                let channel = go::named("never", 1);
                while channel.try_recv() != Ok(()) {
                    yield_now().await;
                }
            });
        });
        assert_eq!(report.failure.as_ref().expect("it spins").kind, FailureKind::NoProgress, "{report}");
        let text = report.to_string();
        assert!(text.contains("\n  the loop ") && text.contains(" times\n"), "{report}");
        assert_eq!(text.matches("other blocks in yield").count(), 1, "{report}");
        assert!(text.lines().count() < 16, "{report}");
    }
}

#[test]
fn a_task_that_yields_until_a_timer_fires_makes_progress() {
    let report = explore().max_steps(300).check("fair clock", || async {
        let fired = go::channel(1);
        let other = fired.clone();
        spawn(async move {
            time::sleep(time::secs(1)).await;
            other.send(()).await.unwrap();
        });
        spawn(async { yield_now().await });
        while fired.try_recv().is_err() {
            yield_now().await;
        }
    });
    assert!(report.is_complete(), "{report}");
}

#[test]
fn a_task_that_yields_until_another_is_done_makes_progress() {
    let report = explore().max_steps(500).check("polling", || async {
        let flag = go::channel(1);
        let other = flag.clone();
        spawn(async move { other.send(()).await.unwrap() });
        while flag.try_recv().is_err() {
            yield_now().await;
        }
    });
    assert!(report.is_complete(), "{report}");
}

#[test]
fn a_bound_that_was_hit_is_named_and_the_verdict_is_not_complete() {
    async fn body() {
        for _ in 0..3 {
            let channel = go::channel(1);
            spawn(async move { channel.send(()).await.unwrap() });
        }
        let lock = Arc::new(Mutex::new(0));
        for _ in 0..3 {
            let lock = Arc::clone(&lock);
            spawn(async move { *lock.lock().await += 1 });
        }
    }
    let complete = explore().check("bounds", body);
    assert!(complete.is_complete(), "{complete}");
    for builder in [
        explore().max_executions(2),
        explore().preemptions(0),
        explore().delays(1),
        explore().max_duration(Duration::ZERO),
    ] {
        let report = builder.check("bounds", body);
        assert!(!report.is_complete() && report.failure.is_none(), "{report}");
        assert!(report.to_string().contains("bounded ("), "{report}");
    }
}

#[test]
fn every_choice_is_explored() {
    let pairs = ends(|| async { (rand::choose(3), rand::choose(2)) });
    assert_eq!(pairs.len(), 6);
    let arms = ends(|| async {
        let (a, b) = (go::channel(1), go::channel(1));
        a.send('a').await.unwrap();
        b.send('b').await.unwrap();
        select! { it = a.recv() => it, it = b.recv() => it }
    });
    assert_eq!(arms, BTreeSet::from([Some('a'), Some('b')]));
}

#[test]
fn timers_fire_at_any_moment_in_the_order_of_deadlines() {
    let order = ends(|| async {
        let told = Arc::new(StdMutex::new(Vec::new()));
        let tasks: Vec<_> = [2, 1, 3]
            .map(|seconds| {
                let told = Arc::clone(&told);
                spawn(async move {
                    let until = time::Instant::now() + time::secs(seconds);
                    time::sleep_until(until).await;
                    told.lock().unwrap().push(seconds);
                    assert!(time::Instant::now() >= until);
                })
            })
            .into_iter()
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        told.lock().unwrap().len()
    });
    assert_eq!(order, BTreeSet::from([3]));
    let replies = ends(|| async {
        let (sender, receiver) = channel(1);
        spawn(async move { sender.send(7).await });
        time::timeout(time::secs(1), receiver.recv()).await.ok().flatten()
    });
    assert_eq!(replies, BTreeSet::from([None, Some(7)]));
    let in_order = ends(|| async {
        let mut first = std::pin::pin!(time::sleep(time::secs(1)));
        let mut second = std::pin::pin!(time::sleep(time::secs(2)));
        select! { () = &mut first => 1, () = &mut second => 2 }
    });
    assert_eq!(in_order, BTreeSet::from([1, 2]), "both may have fired before the task runs again");
}

#[test]
fn more_tasks_than_loom_has_are_explored() {
    let report = check(|| async {
        let tasks: Vec<_> = (0..12).map(|_| spawn(async { go::channel(1).send(()).await.unwrap() })).collect();
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert!(report.is_complete(), "{report}");
    assert_eq!(report.executions, 1, "nothing conflicts: {report}");
    let report = explore().max_tasks(3).check("many", || async {
        for _ in 0..3 {
            spawn(async {});
        }
    });
    assert_eq!(report.failure.as_ref().expect("four tasks").kind, FailureKind::TooManyTasks, "{report}");
}

/// A lease is asked for, granted, and used until it ends; the reply may be assumed to be in time.
async fn lease(assumes: bool) {
    let (ask, asked) = channel(1);
    let (grant, granted) = channel(1);
    spawn(async move {
        asked.recv().await;
        let _ = grant.send(()).await;
    });
    let until = time::Instant::now() + time::secs(10);
    ask.send(()).await.unwrap();
    // Something else that is due at some time.
    spawn(time::sleep(time::secs(20)));
    spawn(time::sleep(time::secs(5)));
    if assumes {
        time::assume_within(time::secs(10), "a reply takes less than the lease", granted.recv()).await;
    } else {
        granted.recv().await;
    }
    assert!(time::Instant::now() < until + time::secs(5), "the lease is over");
}

#[test]
fn what_is_assumed_of_time_is_honoured_and_named() {
    let report = check(|| lease(false));
    assert!(matches!(report.failure.as_ref().unwrap().kind, FailureKind::Panic { .. }), "{report}");
    let seen = ends(|| async {
        let (sender, receiver) = channel(1);
        spawn(time::sleep(time::secs(1)));
        spawn(time::sleep(time::secs(2)));
        spawn(async move { sender.send(()).await });
        let start = time::Instant::now();
        time::assume_within(time::secs(2), "a send takes less than two seconds", receiver.recv()).await;
        start.elapsed().as_secs()
    });
    // After it the clock may go on before it is looked at.
    assert_eq!(seen, BTreeSet::from([0, 1, 2]));
    let report = check(|| async {
        let (sender, receiver) = channel(1);
        spawn(async move { time::timeout(time::secs(2), sender.send(())).await });
        let reply = time::assume_within(time::secs(2), "a send takes less than two seconds", receiver.recv()).await;
        assert_eq!(reply, Some(()));
    });
    assert!(report.is_complete(), "{report}");
    assert!(
        report.to_string().starts_with("model  ok  complete, assuming a send takes less than two seconds  "),
        "{report}"
    );
    let without = check(|| async {
        let (sender, receiver) = channel::<()>(1);
        spawn(async move {
            time::sleep(time::secs(2)).await;
            drop(sender);
        });
        assert_eq!(time::timeout(time::secs(1), receiver.recv()).await, Err(time::Elapsed));
    });
    assert!(without.failure.is_some(), "both may have fired: {without}");
}

#[test]
fn executions_that_contradict_what_is_assumed_are_left_out_and_counted() {
    let report = check(|| async {
        let slow = rand::choose(2) == 1;
        let ((ask, asked), (reply, replied)) = (channel(1), channel(1));
        spawn(async move {
            asked.recv().await;
            if slow {
                time::sleep(time::secs(3)).await;
            }
            reply.send(()).await
        });
        time::assume_within(time::secs(3), "a reply takes less than three seconds", async {
            ask.send(()).await.unwrap();
            replied.recv().await
        })
        .await;
        assert!(!slow);
    });
    assert!(report.is_complete(), "{report}");
    assert!(report.left_out > 0, "{report}");
    assert!(
        report.to_string().contains(&format!(" executions, {} left out that contradict it (explore)", report.left_out)),
        "{report}"
    );
    let none = check(|| async {
        time::assume_within(time::secs(1), "a second takes less than a second", time::sleep(time::secs(1))).await;
    });
    assert!(!none.is_complete() && none.failure.is_none() && none.executions == 0, "{none}");
    assert!(
        none.to_string().contains("bounded (every execution contradicts what is assumed), assuming a second"),
        "{none}"
    );
    let blocked = check(|| async {
        time::assume_within(time::secs(1), "somebody sends", go::channel::<()>(0).recv()).await;
    });
    assert_eq!(blocked.failure.as_ref().expect("no time can pass").kind, FailureKind::Deadlock, "{blocked}");
    assert!(blocked.to_string().contains("\n  assuming  somebody sends\n"), "{blocked}");
}

#[test]
fn what_is_assumed_holds_no_longer_once_it_is_dropped() {
    let report = check(|| async {
        let never = go::channel::<()>(0);
        let wait = time::assume_within(time::secs(2), "a wait is short", never.recv());
        assert_eq!(time::timeout(time::secs(1), wait).await, Err(time::Elapsed));
        time::sleep(time::secs(5)).await;
    });
    assert!(report.is_complete() && report.left_out == 0, "{report}");
}
