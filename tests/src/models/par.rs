//! `Par` under every interleaving.

use std::num::NonZeroUsize;
use std::pin::pin;
use std::sync::Arc;

use windtunnel::sync::Semaphore;
use windtunnel::task::{JoinError, yield_now};
use windtunnel::{channel, time};
use windtunnel_patterns::par::Par;

use super::begin;
use super::task::forever;

const ONE: NonZeroUsize = NonZeroUsize::MIN;

/// The first job ends after the second: the results are in order of start all the same, and `Par` is as new.
#[windtunnel_model::test]
pub async fn results_come_in_the_order_of_start() {
    let (values, input) = channel(0);
    let mut par = Par::new();
    par.run(async move { input.recv().await }).await;
    par.run(async move { values.send(7).await.err().map(|error| error.0) }).await;
    assert_eq!(par.wait().await, [Ok(Some(7)), Ok(None)]);
    par.run(async { Some(8) }).await;
    assert_eq!(par.wait().await, [Ok(Some(8))]);
    assert_eq!(par.wait().await, []);
}

/// No more jobs run at once than the limit says.
#[windtunnel_model::test]
pub async fn limit_holds() {
    let (mut par, inside) = (Par::limit(ONE), Arc::new(Semaphore::new(1)));
    for _ in 0..2 {
        let inside = Arc::clone(&inside);
        let job = async move {
            let _inside = inside.try_acquire().expect("the limit holds");
            yield_now().await;
        };
        par.run(job).await;
    }
    assert_eq!(par.wait().await, [Ok(()), Ok(())]);
}

/// Hint 7, know why and when each communication will proceed: a job beyond the limit starts when another has ended.
#[windtunnel_model::test]
pub async fn a_job_beyond_the_limit_waits_before_it_is_a_task() {
    let (go, gone) = channel::<()>(0);
    let mut par = Par::limit(ONE);
    par.run(async move { gone.recv().await.map_or(1, |()| 0) }).await;
    {
        let mut second = pin!(par.run(async { 2 }));
        begin(second.as_mut()).await;
        drop(go);
        second.await;
    }
    assert_eq!(par.wait().await, [Ok(1), Ok(2)]);
}

/// A `run` that is dropped while it waits for a place starts nothing, and leaves the place to the next.
#[windtunnel_model::test]
pub async fn a_dropped_run_starts_nothing() {
    let (go, gone) = channel::<()>(0);
    let mut par = Par::limit(ONE);
    par.run(async move { gone.recv().await.map_or(1, |()| 0) }).await;
    begin(pin!(par.run(async { 2 })).as_mut()).await;
    drop(go);
    par.run(async { 3 }).await;
    assert_eq!(par.wait().await, [Ok(1), Ok(3)]);
}

/// A dropped wait loses no result, and the next one has them all.
#[windtunnel_model::test]
pub async fn a_dropped_wait_loses_no_result() {
    let mut par = Par::new();
    for n in 0..2 {
        par.run(async move { n }).await;
    }
    let results = match time::timeout(time::secs(1), par.wait()).await {
        Ok(results) => results,
        Err(time::Elapsed) => par.wait().await,
    };
    assert_eq!(results, [Ok(0), Ok(1)]);
}

/// Cancelled at any moment: what had ended has its result, and the rest say that they were cancelled.
#[windtunnel_model::test]
pub async fn cancelled_jobs_say_so() {
    let mut par = Par::new();
    par.run(async {}).await;
    par.run(forever()).await;
    par.cancel();
    let results = par.wait().await;
    assert!(matches!(results[0], Ok(()) | Err(JoinError::Cancelled)), "{results:?}");
    assert_eq!(results[1..], [Err(JoinError::Cancelled)]);
}

/// Hint 8, know why and when each task will exit: with its `Par`, at the latest.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_job() {
    let (held, gone) = channel::<()>(0);
    let mut par = Par::limit(ONE.saturating_add(1));
    for _ in 0..2 {
        let held = held.clone();
        let job = async move {
            let _held = held;
            forever().await;
        };
        par.run(job).await;
    }
    drop((held, par));
    assert_eq!(gone.recv().await, None, "what the jobs had is dropped");
}

/// Four jobs, of which no more than two run at once, each taking its time: the results are in order of start.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn four_jobs_two_at_once() {
    let (mut par, inside) = (Par::limit(ONE.saturating_add(1)), Arc::new(Semaphore::new(2)));
    for n in 0..4 {
        let inside = Arc::clone(&inside);
        let job = async move {
            let _inside = inside.try_acquire().expect("the limit holds");
            time::sleep(time::millis(5 - n)).await;
            n
        };
        par.run(job).await;
    }
    assert_eq!(par.wait().await, [0, 1, 2, 3].map(Ok));
}
