//! The limits of a check are honoured and named; a bounded search never says `complete`.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use windtunnel::{channel, spawn, time};
use windtunnel_model::{Builder, FailureKind, Report};

/// Three tasks on one channel: hundreds of executions.
async fn large() {
    let (values, input) = channel(0);
    for n in 0..2 {
        let values = values.clone();
        spawn(async move { values.send(n).await.unwrap() });
    }
    drop(values);
    while input.recv().await.is_some() {}
}

fn assert_bounded(report: &Report, bound: &str) {
    assert!(report.failure.is_none() && !report.is_complete(), "\n{report}");
    let text = report.to_string();
    assert!(text.contains(bound) && !text.contains("complete"), "\n{text}");
}

#[test]
fn without_limits_the_search_is_complete() {
    let report = Builder::new().check("large", large);
    assert!(report.is_complete() && report.to_string().contains("complete"), "\n{report}");
    assert!(report.executions > 200, "\n{report}");
}

#[test]
fn executions_are_limited() {
    let report = Builder::new().max_executions(100).check("large", large);
    assert_eq!(report.executions, 100);
    assert_bounded(&report, "stopped after 100 executions");
}

#[test]
fn duration_is_limited() {
    let started = Instant::now();
    let report = Builder::new().max_duration(Duration::from_millis(5)).check("large", large);
    assert_bounded(&report, "stopped after 5ms");
    assert!(started.elapsed() < Duration::from_secs(5), "stopped late");
}

#[test]
fn preemptions_are_limited() {
    let all = Builder::new().check("large", large).executions;
    let report = Builder::new().preemptions(1).check("large", large);
    assert!(report.executions < all);
    assert_bounded(&report, "at most 1 preemptions");
}

#[test]
fn a_search_is_interrupted_from_outside() {
    static STOP: AtomicBool = AtomicBool::new(true);
    let report = Builder::new().stop_when(&STOP).check("large", large);
    assert_eq!(report.executions, 0);
    assert_bounded(&report, "interrupted");
}

#[test]
fn an_interval_makes_the_verdict_bounded() {
    let ticking = || async {
        let mut ticks = time::interval(time::secs(1));
        ticks.tick().await;
        ticks.tick().await;
        // In a model the third never comes.
        let _ = time::timeout(time::secs(9), ticks.tick()).await;
    };
    assert_bounded(&Builder::new().check("ticking", ticking), "intervals tick a bounded number of times");
}

#[test]
fn awaiting_something_foreign_makes_the_verdict_bounded() {
    let foreign = || async {
        let (sender, receiver) = tokio::sync::oneshot::channel();
        spawn(async move { sender.send(1).unwrap() });
        assert_eq!(receiver.await, Ok(1));
    };
    assert_bounded(&Builder::new().check("foreign", foreign), "not windtunnel's");
}

#[test]
fn a_task_beyond_the_limit_is_named() {
    let six = || async {
        for _ in 0..5 {
            spawn(async {});
        }
    };
    let report = Builder::new().check("six", six);
    assert_eq!(report.failure.as_ref().map(|failure| &failure.kind), Some(&FailureKind::TooManyTasks), "\n{report}");
    let report = Builder::new().max_tasks(2).check("six", six);
    assert!(report.to_string().contains("beyond 2 tasks"), "\n{report}");
}

#[test]
fn steps_are_limited() {
    let spinning = || async {
        let (_values, input) = channel::<u8>(1);
        while input.try_recv().is_err() {}
    };
    let report = Builder::new().max_steps(300).check("spinning", spinning);
    assert_eq!(report.failure.as_ref().map(|failure| &failure.kind), Some(&FailureKind::NoProgress), "\n{report}");
}

#[test]
fn unordered_accesses_to_a_checked_cell_are_a_data_race() {
    struct Shared(loom::cell::UnsafeCell<u32>);
    // SAFETY: for the test: loom checks each access, and here it must object.
    unsafe impl Sync for Shared {}
    let racing = || async {
        let shared = std::sync::Arc::new(Shared(loom::cell::UnsafeCell::new(0)));
        let other = std::sync::Arc::clone(&shared);
        // SAFETY: not needed: the second access is stopped before it happens.
        spawn(async move { other.0.with_mut(|value| unsafe { *value += 1 }) });
        // SAFETY: as above.
        shared.0.with_mut(|value| unsafe { *value += 1 });
    };
    let report = Builder::new().check("racing", racing);
    assert_eq!(report.failure.as_ref().map(|failure| failure.kind.word()), Some("DATA RACE"), "\n{report}");
}

#[test]
fn every_alternative_of_a_choice_is_explored() {
    let seen = std::sync::Arc::new(std::sync::Mutex::new(std::collections::BTreeSet::new()));
    let all = std::sync::Arc::clone(&seen);
    let report = Builder::new().check("choosing", move || {
        let seen = std::sync::Arc::clone(&seen);
        async move {
            let other = spawn(async { windtunnel::rand::choose(2) });
            let pair = (windtunnel::rand::choose(3), other.await.unwrap());
            seen.lock().unwrap().insert(pair);
        }
    });
    assert!(report.is_complete(), "\n{report}");
    assert_eq!(all.lock().unwrap().len(), 6);
}

/// loom gives the main task 32 KiB, which a future of a build without optimisation may exceed.
#[test]
#[expect(clippy::large_stack_arrays, reason = "that is the test")]
fn the_main_task_has_room_for_a_quarter_of_a_megabyte() {
    let report = Builder::new().check("room", || async {
        let (values, input) = channel(0);
        spawn(async move { values.send(1).await.unwrap() });
        let room = std::hint::black_box([1_u8; 256 * 1024]);
        assert_eq!(input.recv().await, Some(usize::from(room[0])));
    });
    assert!(report.is_complete(), "\n{report}");
}
