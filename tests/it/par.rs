//! `Par` on tokio and madsim, by the bodies of its models; and panics, which end a model.

use std::num::NonZeroUsize;

use windtunnel::task::JoinError;
use windtunnel_patterns::par::Par;
use windtunnel_suite::models::par as models;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    results_come_in_the_order_of_start
    limit_holds
    a_job_beyond_the_limit_waits_before_it_is_a_task
    a_dropped_run_starts_nothing
    a_dropped_wait_loses_no_result
    cancelled_jobs_say_so
    dropped_it_leaves_no_job
}

/// Hint 15, prefer defer for unlocking mutexes: what a guard gives back is given back on every way out, a panic too.
#[test]
fn a_job_that_panics_frees_its_place_and_the_others_go_on() {
    on_two_threads(async {
        let mut par = Par::limit(NonZeroUsize::MIN);
        for n in 0..5 {
            par.run(async move {
                assert_ne!(n, 2, "not this one");
                n
            })
            .await;
        }
        let results = par.wait().await;
        assert!(matches!(&results[2], Err(JoinError::Panicked(message)) if message.contains("not this one")));
        let others: Vec<_> = results.into_iter().flatten().collect();
        assert_eq!(others, [0, 1, 3, 4]);
    });
}

#[test]
fn a_limit_beyond_what_a_semaphore_holds_is_no_limit() {
    on_two_threads(async {
        let mut par = Par::limit(NonZeroUsize::MAX);
        par.run(async {}).await;
        assert_eq!(par.wait().await, [Ok(())]);
    });
}
