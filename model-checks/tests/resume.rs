//! A search that is stopped goes on from its file, and makes the executions that it would have made.

use std::path::Path;

use windtunnel::time::{secs, sleep};
use windtunnel::{go, rand, spawn};
use windtunnel_model::{Builder, Engine, Report, SavedError};

fn explore() -> Builder {
    Builder::new().engine(Engine::Explore)
}

/// Senders, a receiver, a timer and choices.
async fn program(senders: usize) {
    let values = go::named("values", 1);
    for sender in 0..senders {
        let values = values.clone();
        spawn(async move {
            if sender == 0 {
                sleep(secs(1)).await;
            }
            values.send(rand::choose(2)).await.expect("nobody closes it");
        });
    }
    for _ in 0..senders {
        values.recv().await.expect("nobody closes it");
    }
}

/// Searches in stretches of `stretch` executions, until it is done; how often it was stopped.
fn in_stretches(file: &Path, stretch: u64, threads: usize) -> (Report, u32) {
    for stops in 0.. {
        let builder = explore().threads(threads).max_executions(stretch);
        let report = builder.check_from("program", || program(3), file).expect("the file is as it was left");
        if report.is_complete() {
            return (report, stops);
        }
        assert!(file.exists(), "{report}");
    }
    unreachable!("some stretch is the last")
}

#[test]
fn a_search_in_stretches_makes_the_executions_of_one_that_is_not_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let whole = explore().check("program", || program(3));
    assert!(whole.is_complete() && whole.executions > 500, "{whole}");
    for (stretch, threads) in [(1_000_000, 1), (100, 1), (7, 1), (50, 3)] {
        let (report, stops) = in_stretches(&file, stretch, threads);
        assert_eq!(report.executions, whole.executions, "{stretch} at a time, {threads} threads");
        assert!(u64::from(stops) >= whole.executions / (stretch + threads as u64), "{stops} stops");
        assert!(!file.exists(), "it is removed at the end");
    }
}

#[test]
fn a_failure_after_a_stop_is_found() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let last = || async {
        let values = go::named("values", 0);
        for value in 0..4 {
            let values = values.clone();
            spawn(async move { values.send(value).await });
        }
        let mut seen = Vec::new();
        for _ in 0..4 {
            seen.push(values.recv().await.expect("nobody closes it"));
        }
        assert_ne!(seen, [2, 3, 1, 0]);
    };
    let whole = explore().check("order", last).failure.expect("the order occurs");
    let stop = |executions| explore().max_executions(executions).check_from("order", last, &file).unwrap();
    assert!(whole.execution > 2 && stop(whole.execution - 1).failure.is_none());
    let found = stop(1).failure.expect("it is the next execution");
    assert_eq!((found.kind, found.execution), (whole.kind, whole.execution));
    assert!(!file.exists());
}

#[test]
fn a_file_that_does_not_fit_is_one_line() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    let stopped = explore().max_executions(10);
    let go_on = |builder: Builder, name: &str, senders| builder.check_from(name, move || program(senders), &file);
    assert!(!go_on(stopped, "program", 3).unwrap().is_complete());
    let one_line = |result: Result<Report, SavedError>, says: &str| {
        let error = result.expect_err("it does not fit").to_string();
        assert!(error.contains(says) && error.lines().count() == 1, "{error}");
        assert!(file.exists(), "it is left alone");
    };
    one_line(go_on(stopped, "another", 3), "is a search of program, not of another");
    one_line(go_on(stopped.max_ticks(9), "program", 3), "under other bounds");
    one_line(go_on(stopped.preemptions(1), "program", 3), "under other bounds");
    one_line(go_on(stopped, "program", 2), "the model has changed since");
    one_line(go_on(stopped.engine(Engine::Loom), "program", 3), "--engine explore");
    let text = std::fs::read_to_string(&file).unwrap();
    for (at, _) in text.match_indices(|it: char| it.is_ascii_digit()).step_by(17) {
        let mut other = text.clone();
        other.replace_range(at..=at, "9");
        std::fs::write(&file, other).unwrap();
        // Whatever it says, it is refused or goes on: never a panic.
        if let Err(error) = go_on(stopped, "program", 3) {
            assert_eq!(error.to_string().lines().count(), 1, "{error}");
        }
    }
    std::fs::write(&file, "{}").unwrap();
    one_line(go_on(stopped, "program", 3), "is not a search");
    let nowhere = directory.path().join("no/such/directory");
    let error = stopped.check_from("program", || program(3), &nowhere).expect_err("nowhere to write").to_string();
    assert!(error.contains("cannot write") && error.lines().count() == 1, "{error}");
}
