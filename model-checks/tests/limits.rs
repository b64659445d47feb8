//! The limits of an exploration are honoured and named, and it says how far it is.

use std::sync::Mutex;

use windtunnel::{go, spawn};
use windtunnel_model::{Builder, Engine, Progress};

fn explore() -> Builder {
    Builder::new().engine(Engine::Explore)
}

/// So many senders on a rendezvous; their number's factorial of executions, and more.
async fn senders(count: usize) {
    let values = go::named("values", 0);
    for value in 0..count {
        let values = values.clone();
        spawn(async move { values.send(value).await });
    }
    for _ in 0..count {
        values.recv().await.expect("nobody closes it");
    }
}

#[test]
fn a_limit_of_memory_stops_the_search_and_is_named() {
    let report = explore().max_memory(1_000_000).check("senders", || senders(3));
    assert!(report.is_complete() && report.longest > 6, "{report}");
    for threads in [1, 2] {
        let report = explore().threads(threads).max_memory(3000).check("senders", || senders(3));
        assert!(!report.is_complete() && report.failure.is_none(), "{report}");
        assert_eq!(report.bounds(), ["stopped when what is known of states took 3000 bytes"]);
    }
}

static SHOWN: Mutex<Vec<Progress>> = Mutex::new(Vec::new());

#[test]
fn a_search_says_how_far_it_is_and_comes_to_all_of_it() {
    let show = |progress: &Progress| SHOWN.lock().unwrap().push(*progress);
    // As many senders as it takes for progress to be shown.
    let mut reports = (5..9).map(|count| explore().on_progress(show).check("senders", move || senders(count)));
    let report = reports.find(|_| !SHOWN.lock().unwrap().is_empty()).expect("some search takes long enough");
    assert!(report.is_complete(), "{report}");
    let shown = SHOWN.lock().unwrap();
    for pair in shown.windows(2) {
        assert!(pair[0].executions <= pair[1].executions && pair[0].elapsed < pair[1].elapsed, "{pair:?}");
    }
    assert!(shown.iter().all(|it| (0.0..=1.0).contains(&it.share)), "{shown:?}");
    let last = shown.last().unwrap();
    assert!(last.executions <= report.executions, "{last:?}");
    #[expect(clippy::cast_precision_loss, reason = "an estimate")]
    let really = last.executions as f64 / report.executions as f64;
    // Every order of senders takes as long, so that the estimate is good here.
    assert!((last.share - really).abs() < 0.25, "{last:?} of {report}");
    assert!(last.to_string().contains(" % explored"), "{last}");
}
