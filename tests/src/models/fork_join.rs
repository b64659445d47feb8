//! Fork-join under every interleaving.

use std::num::NonZeroUsize;

use windtunnel::time;
use windtunnel_patterns::fork_join::{Done, fork_join};

use super::task::forever;

const ONE: NonZeroUsize = NonZeroUsize::MIN;
const TWO: NonZeroUsize = NonZeroUsize::new(2).unwrap();

fn done(job: usize, result: u32) -> Done<u32> {
    Done { job, result: Ok(result) }
}

/// Hint 11, use a buffered channel as a concurrent blocking queue: two workers share two jobs, and each is done once.
#[windtunnel_model::test]
pub async fn two_workers_process_each_job_once() {
    let mut results = fork_join([10, 20], TWO, |n| async move { n + 1 });
    let mut both = [results.next().await, results.next().await];
    both.sort_unstable_by_key(|done| done.as_ref().map(|done| done.job));
    assert_eq!(both, [Some(done(0, 11)), Some(done(1, 21))]);
    assert_eq!(results.next().await, None);
}

/// Hint 13, close a channel to signal that no more values will be sent: one worker does the jobs in order, and ends.
#[windtunnel_model::test]
pub async fn one_worker_does_the_jobs_in_order_and_ends() {
    let mut results = fork_join([10, 20, 30], ONE, |n| async move { n });
    for (job, n) in [10, 20, 30].into_iter().enumerate() {
        assert_eq!(results.next().await, Some(done(job, n)));
    }
    assert_eq!(results.next().await, None);
    assert_eq!(results.next().await, None, "it stays ended");
}

/// No job is no work, and no wait.
#[windtunnel_model::test]
pub async fn no_job_is_the_end_at_once() {
    let mut results = fork_join(Vec::<u32>::new(), TWO, |n| async move { n });
    assert_eq!(results.next().await, None);
}

/// Hint 8, know why and when each task will exit: the worker ends with the results, though nobody takes the second.
#[windtunnel_model::test]
pub async fn dropped_early_it_leaves_no_worker() {
    let mut results = fork_join([1, 2], ONE, |n| async move { n });
    assert_eq!(results.next().await, Some(done(0, 1)));
}

/// Jobs that hang are dropped with the results.
#[windtunnel_model::test]
pub async fn dropped_early_it_drops_the_jobs_under_way() {
    let mut results = fork_join([(), ()], TWO, |()| forever());
    assert_eq!(time::timeout(time::millis(10), results.next()).await, Err(time::Elapsed));
}

/// The results of these jobs, each of which takes its time, by so many workers: each is done once, and all workers end.
async fn each_in_its_time(jobs: std::ops::Range<u32>, workers: NonZeroUsize) {
    let job = |n: u32| async move {
        time::sleep(time::millis(n.into())).await;
        n + 1
    };
    let mut results = fork_join(jobs.clone(), workers, job);
    let mut seen = Vec::new();
    while let Some(done) = results.next().await {
        seen.push(done);
    }
    seen.sort_unstable_by_key(|done| done.job);
    assert!(seen.into_iter().eq(jobs.enumerate().map(|(job, n)| done(job, n + 1))));
}

/// Two workers share three jobs, each of which takes its time.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn two_workers_three_jobs_in_time() {
    each_in_its_time(10..13, TWO).await;
}

/// Three workers share three jobs, each of which takes its time.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn three_workers_three_jobs_in_time() {
    each_in_its_time(10..13, TWO.saturating_add(1)).await;
}
