//! A schedule replays just its execution, and one that does not fit says so.

use windtunnel::go;
use windtunnel::task::spawn_named;
use windtunnel::{channel, select, spawn};
use windtunnel_model::{Builder, FailureKind, Report, Schedule, ScheduleError};

/// Fails only in some orders: two tasks race to send, and the second must not come first.
async fn racing() {
    let (values, input) = channel(2);
    for n in 1..=2 {
        let values = values.clone();
        spawn_named(format!("sender {n}"), async move { _ = values.send(n).await });
    }
    assert_eq!(input.recv().await, Some(1), "sender 1 is first");
}

/// Fails in one choice only.
async fn choosing() {
    let (a, b) = (go::channel(1), go::channel(1));
    a.send(()).await.unwrap();
    b.send(()).await.unwrap();
    select! {
        _ = a.recv() => {}
        _ = b.recv() => panic!("the second arm"),
    }
}

fn schedule_of(report: &Report) -> Schedule {
    let failure = report.failure.as_ref().expect("it fails");
    assert!(failure.replays, "\n{report}");
    failure.schedule.clone().expect("a failure has a schedule")
}

fn assert_round_trip(report: &Report, replay: impl Fn(&Schedule) -> Result<Report, ScheduleError>) {
    let schedule: Schedule = schedule_of(report).to_string().parse().expect("a printed schedule is readable");
    let again = replay(&schedule).expect("it still applies");
    let (first, second) = (report.failure.as_ref().unwrap(), again.failure.as_ref().expect("it fails again"));
    assert_eq!(again.executions, 1);
    assert_eq!(first.kind, second.kind);
    assert_eq!(first.tasks, second.tasks);
    assert_eq!(first.steps.to_vec(), second.steps.to_vec());
    assert!(!first.steps.to_vec().is_empty());
}

#[test]
fn a_failing_interleaving_replays_from_its_text() {
    let report = Builder::new().check("racing", racing);
    assert!(report.failure.as_ref().is_some_and(|failure| failure.execution > 1), "\n{report}");
    assert_round_trip(&report, |schedule| Builder::new().replay("racing", racing, schedule));
}

#[test]
fn a_failing_choice_replays_from_its_text() {
    let report = Builder::new().check("choosing", choosing);
    assert_round_trip(&report, |schedule| Builder::new().replay("choosing", choosing, schedule));
}

#[test]
fn a_failure_beyond_a_checkpoint_replays() {
    // More executions than lie between two of loom's checkpoints, and a failure only in a late one.
    let late = || async {
        let (values, input) = channel(0);
        for n in 0..2 {
            let values = values.clone();
            spawn(async move {
                values.send(2 * n).await.unwrap();
                values.send(2 * n + 1).await.unwrap();
            });
        }
        drop(values);
        let mut order = Vec::new();
        while let Some(n) = input.recv().await {
            order.push(n);
        }
        assert_ne!(order, [2, 3, 0, 1], "the second task first");
    };
    let report = Builder::new().check("late", late);
    assert!(report.failure.as_ref().is_some_and(|failure| failure.execution > 4096), "\n{report}");
    assert_round_trip(&report, |schedule| Builder::new().replay("late", late, schedule));
}

#[test]
fn a_schedule_of_another_model_is_foreign() {
    let schedule = schedule_of(&Builder::new().check("racing", racing));
    let error = Builder::new().replay("choosing", choosing, &schedule).unwrap_err();
    assert_eq!(error, ScheduleError::Foreign("choosing".into()));
}

#[test]
fn a_schedule_of_a_changed_model_is_stale() {
    let schedule = schedule_of(&Builder::new().check("racing", racing));
    let changed = || async {};
    let error = Builder::new().replay("racing", changed, &schedule).unwrap_err();
    assert_eq!(error, ScheduleError::Stale("racing".into()));
}

#[test]
fn what_is_not_a_schedule_is_unreadable() {
    for text in
        ["", "x", "w1", "w1-", "w1-00000000-0.0-", "w1-00000000--9", "w1-00000000--0xhello", "w1-zz--0", "w1-0--0-0"]
    {
        let error = text.parse::<Schedule>().unwrap_err();
        assert!(matches!(error, ScheduleError::Unreadable(_)), "{text}: {error}");
        assert_eq!(error.to_string().lines().count(), 1);
    }
    let huge = format!("w1-00000000--0x{}", u64::MAX);
    assert!(matches!(huge.parse::<Schedule>(), Err(ScheduleError::Unreadable(_))));
    assert_eq!("w2-00000000--0".parse::<Schedule>(), Err(ScheduleError::Version("2".into())));
}

#[test]
fn a_model_that_is_not_deterministic_is_told_apart() {
    static RUNS: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let changing = || async {
        let (values, input) = channel(1);
        if RUNS.fetch_add(1, std::sync::atomic::Ordering::Relaxed).is_multiple_of(2) {
            spawn(async move { values.send(1).await.unwrap() });
            input.recv().await.unwrap();
        } else {
            let _ = input.try_recv();
        }
    };
    let report = Builder::new().check("changing", changing);
    let kind = report.failure.as_ref().map(|failure| &failure.kind);
    assert_eq!(kind, Some(&FailureKind::Stale), "\n{report}");
}
