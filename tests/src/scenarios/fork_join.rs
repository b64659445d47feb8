//! Fork-join in simulated time.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use windtunnel::rand::rng;
use windtunnel::time::{self, Instant};
use windtunnel_patterns::fork_join::fork_join;
use windtunnel_sim::Sim;

use super::live_tasks_of_patterns;

/// Every worker is always at it: equal jobs take as long as there are rounds, and each is begun once.
#[windtunnel_sim::test(seeds = 64)]
pub async fn equal_jobs_take_as_long_as_the_rounds(_sim: Sim) {
    let (jobs, workers) = (rng().random_range(1..50), rng().random_range(1..10));
    let begun: Arc<Vec<AtomicUsize>> = Arc::new((0..jobs).map(|_| AtomicUsize::new(0)).collect());
    let seen = Arc::clone(&begun);
    let process = move |job: usize| {
        begun[job].fetch_add(1, Ordering::Relaxed);
        time::sleep(time::secs(1))
    };
    let start = Instant::now();
    let mut results = fork_join(0..jobs, NonZeroUsize::new(workers).expect("one at least"), process);
    let mut done = Vec::new();
    while let Some(result) = results.next().await {
        done.push(result.job);
    }
    assert_eq!(start.elapsed().as_secs(), jobs.div_ceil(workers) as u64);
    done.sort_unstable();
    assert!(done.into_iter().eq(0..jobs), "one result a job");
    assert!(seen.iter().all(|begun| begun.load(Ordering::Relaxed) == 1), "each job is begun once");
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0, "the workers have ended");
}

/// Hint 6, consider the effect of slow tasks: a reader that is slow holds the workers back, each at its first result.
#[windtunnel_sim::test(seeds = 16)]
pub async fn a_worker_whose_result_nobody_takes_begins_no_other_job(_sim: Sim) {
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&begun);
    let process = move |_: usize| {
        begun.fetch_add(1, Ordering::Relaxed);
        time::sleep(time::millis(10))
    };
    let mut results = fork_join(0..100, NonZeroUsize::new(4).expect("four"), process);
    for taken in 0..10 {
        time::sleep(time::secs(1)).await;
        assert_eq!(seen.load(Ordering::Relaxed), 4 + taken);
        results.next().await;
    }
}

/// Whenever the reader of the results stops, no worker is left, and no job begins any more.
#[windtunnel_sim::test(seeds = 64)]
pub async fn dropped_early_it_leaves_no_task(_sim: Sim) {
    let begun = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&begun);
    let process = move |_: usize| {
        begun.fetch_add(1, Ordering::Relaxed);
        time::sleep(time::millis(rng().random_range(0..100)))
    };
    let mut results = fork_join(0..100, NonZeroUsize::new(4).expect("four"), process);
    for _ in 0..rng().random_range(0..20) {
        results.next().await;
    }
    time::sleep(time::millis(rng().random_range(0..200))).await;
    drop(results);
    let before = seen.load(Ordering::Relaxed);
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
    assert_eq!(seen.load(Ordering::Relaxed), before);
}
