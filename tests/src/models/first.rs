//! The first answer under every interleaving.

use windtunnel::channel::{Receiver, TryRecvError, channel};
use windtunnel::{spawn, time};
use windtunnel_patterns::call::{CallError, Failure, NoAnswer};
use windtunnel_patterns::first;

use super::task::forever;

const LIMIT: time::Duration = time::millis(100);

type Outcome = Result<usize, NoAnswer<&'static str>>;

fn failure(replica: usize) -> Failure<&'static str> {
    Failure { replica, error: CallError::Failed("no") }
}

fn timed_out(outcome: &Outcome) -> bool {
    matches!(outcome, Err(NoAnswer::TimedOut { limit: LIMIT, .. }))
}

/// A call that another task answers.
async fn called(answer: Result<usize, &'static str>) -> Result<usize, &'static str> {
    spawn(async move { answer }).await.expect("nobody aborts it")
}

/// Either of two answers wins.
#[windtunnel_model::test]
pub async fn one_answer_wins() {
    let calls = [1, 2].map(|n| called(Ok(n)));
    let outcome = first::response(calls, LIMIT).await;
    assert!(matches!(outcome, Ok(1 | 2)) || timed_out(&outcome), "{outcome:?}");
}

/// A failure is not the answer while another replica may still give one.
#[windtunnel_model::test]
pub async fn a_failure_is_passed_over() {
    let calls = [Err("no"), Ok(2)].map(called);
    let outcome = first::response(calls, LIMIT).await;
    assert!(matches!(outcome, Ok(2)) || timed_out(&outcome), "{outcome:?}");
}

/// When all fail, all their errors are told.
#[windtunnel_model::test]
pub async fn all_failures_are_told() {
    let calls = [Err("no"); 2].map(called);
    match first::response(calls, LIMIT).await {
        Err(NoAnswer::AllFailed(mut failures)) => {
            failures.sort_unstable_by_key(|failure| failure.replica);
            assert_eq!(failures, [failure(0), failure(1)]);
        }
        outcome => assert!(timed_out(&outcome), "{outcome:?}"),
    }
}

/// Nobody to ask is an error and not a wait until the limit.
#[windtunnel_model::test]
pub async fn no_replica_is_an_error() {
    let calls: [std::future::Ready<Result<usize, &str>>; 0] = [];
    assert_eq!(first::response(calls, LIMIT).await, Err(NoAnswer::NoReplicas));
}

/// Replica 0 hangs, with something that is seen to be gone when it is dropped; replica 1 does as told.
async fn beside_one_that_hangs(other: Result<usize, &'static str>) -> (Outcome, Receiver<()>) {
    let (held, gone) = channel(0);
    let mut held = Some(held);
    let calls = [0, 1].map(|n| {
        let held = held.take();
        async move {
            if n == 0 {
                let _held = held;
                forever().await;
            }
            called(other).await
        }
    });
    (first::response(calls, LIMIT).await, gone)
}

/// Hint 8, know why and when each task will exit: the loser's call is dropped once there is an answer, or none in time.
#[windtunnel_model::test]
pub async fn the_loser_is_dropped() {
    let (outcome, gone) = beside_one_that_hangs(Ok(1)).await;
    assert!(matches!(outcome, Ok(1)) || timed_out(&outcome), "{outcome:?}");
    assert_eq!(gone.try_recv(), Err(TryRecvError::Closed), "what the loser had is dropped");
}

/// The time is up: what had failed is told, and what hangs is dropped.
#[windtunnel_model::test]
pub async fn the_limit_drops_what_hangs() {
    match beside_one_that_hangs(Err("no")).await {
        (Err(NoAnswer::TimedOut { failures, .. }), gone) => {
            assert!(failures.is_empty() || failures == [failure(1)], "{failures:?}");
            assert_eq!(gone.try_recv(), Err(TryRecvError::Closed));
        }
        (outcome, _) => panic!("{outcome:?}"),
    }
}

/// Dropped at any moment, it leaves no call behind.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_call() {
    let _ = time::timeout(LIMIT, beside_one_that_hangs(Ok(1))).await;
}

/// Four replicas, at their times: one fails, one hangs, and two answer, one of them perhaps too late.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn four_replicas_in_time() {
    let calls = (1..=4).map(|n| async move {
        match n {
            1 => forever().await,
            2 => time::sleep(LIMIT / 2).await,
            _ => time::sleep(LIMIT * n / 4).await,
        }
        spawn(async move { if n == 2 { Err("no") } else { Ok(n as usize) } }).await.expect("nobody aborts it")
    });
    let outcome = first::response(calls, LIMIT).await;
    assert!(matches!(outcome, Ok(3 | 4)) || timed_out(&outcome), "{outcome:?}");
}
