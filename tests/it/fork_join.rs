//! Fork-join on tokio and madsim, by the bodies of its models; and panics, which end a model.

use std::thread;

use windtunnel::task::JoinError;
use windtunnel_patterns::fork_join::{Done, fork_join};
use windtunnel_suite::models::fork_join as models;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    two_workers_process_each_job_once
    one_worker_does_the_jobs_in_order_and_ends
    no_job_is_the_end_at_once
    dropped_early_it_leaves_no_worker
    dropped_early_it_drops_the_jobs_under_way
}

#[test]
fn on_tokio_ten_thousand_jobs_are_done_once_each() {
    on_two_threads(async {
        let workers = thread::available_parallelism().unwrap();
        let mut results = fork_join(0..10_000_u64, workers, |n| async move { n * n });
        let mut squares = vec![None; 10_000];
        while let Some(Done { job, result }) = results.next().await {
            assert_eq!(squares[job].replace(result.unwrap()), None, "job {job} has two results");
        }
        assert!((0..10_000).map(|n| Some(n * n)).eq(squares));
    });
}

#[test]
fn a_job_that_panics_keeps_no_other_from_being_done() {
    on_two_threads(async {
        let process = |n: usize| async move {
            assert!(!n.is_multiple_of(3), "a multiple of three");
            n
        };
        let mut results = fork_join(0..30, std::num::NonZeroUsize::MIN, process);
        for n in 0..30 {
            let Done { job, result } = results.next().await.unwrap();
            assert_eq!(job, n);
            match result {
                Ok(result) => assert_eq!(result, n),
                Err(died) => {
                    assert!(n.is_multiple_of(3) && died == JoinError::Panicked("a multiple of three".into()), "{died}");
                }
            }
        }
        assert_eq!(results.next().await, None);
    });
}
