//! The end of tasks, and ticks: what no model of them is complete about.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use windtunnel::channel::{Receiver, TryRecvError};
use windtunnel::task::JoinError;
use windtunnel::time::{Instant, interval, millis, sleep, timeout};
use windtunnel::{channel, spawn};

fn run(test: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap().block_on(test);
}

#[test]
fn a_task_dropped_with_its_runtime_is_cancelled_for_its_joiner() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let task = {
        let _inside = runtime.enter();
        spawn(std::future::pending::<()>())
    };
    drop(runtime);
    run(async { assert_eq!(timeout(millis(1), task).await, Ok(Err(JoinError::Cancelled))) });
}

#[test]
fn who_joins_a_task_sees_what_its_destructors_did() {
    /// Ready, and still the owner of what it had.
    struct Holding(#[expect(dead_code, reason = "held for its Drop")] channel::Sender<u8>);

    impl Future for Holding {
        type Output = ();

        fn poll(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }

    let joined = || async {
        let (sender, input): (_, Receiver<u8>) = channel(0);
        spawn(Holding(sender)).await.unwrap();
        assert_eq!(input.try_recv(), Err(TryRecvError::Closed));
    };
    let report = windtunnel_model::Builder::new().check("joined", joined);
    assert!(report.is_complete(), "\n{report}");
}

#[test]
fn late_ticks_catch_up_and_keep_to_the_schedule() {
    run(async {
        let mut ticks = interval(millis(10));
        let start = ticks.tick().await;
        sleep(millis(35)).await;
        let late = Instant::now();
        for n in 1..=3 {
            assert_eq!(ticks.tick().await, start + millis(10 * n));
        }
        assert_eq!(Instant::now(), late, "they come at once");
        assert_eq!(ticks.tick().await, start + millis(40));
        assert_eq!(Instant::now(), start + millis(40));
    });
}

#[test]
fn a_dropped_wait_loses_no_tick() {
    run(async {
        let mut ticks = interval(millis(10));
        let start = ticks.tick().await;
        assert!(timeout(millis(5), ticks.tick()).await.is_err(), "it is early");
        assert_eq!(ticks.tick().await, start + millis(10));
    });
}
