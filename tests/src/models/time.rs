//! Timers under every interleaving. A model has no clock: a timer fires at once, or as late as the other tasks allow.

use std::pin::pin;

use windtunnel::time::{Instant, Timer, millis, secs, sleep};
use windtunnel::{channel, select, spawn};

/// A timer is stopped or it fires: a stop that was in time means that it never does.
#[windtunnel_model::test]
pub async fn timer_stopped_never_fires() {
    let (values, input) = channel(0);
    spawn(async move { values.send(7).await });
    let mut timer = Timer::after(secs(1));
    select! {
        it = input.recv() => assert_eq!(it, Some(7)),
        () = &mut timer => {
            assert!(!timer.stop(), "it has fired");
            drop(input);
            return;
        }
    }
    timer.stop();
    assert!(!timer.stop(), "it was stopped before");
    select! {
        biased;
        () = &mut timer => panic!("a stopped timer fires"),
        default => {}
    }
}

/// A timer set again fires, whether it was running, stopped or had fired.
#[windtunnel_model::test]
pub async fn timer_set_again_fires() {
    let mut timer = Timer::after(secs(1));
    timer.reset(millis(1));
    (&mut timer).await;
    assert!(!timer.reset(millis(1)), "it had fired");
    (&mut timer).await;
    timer.reset(millis(1));
    timer.stop();
    assert!(!timer.reset(millis(1)), "it was stopped");
    timer.await;
}

/// A sleep that is set again while another task sends ends once, after the message or before it.
#[windtunnel_model::test]
pub async fn sleep_set_again_is_over_once_more() {
    let (values, input) = channel(0);
    spawn(async move { values.send(7).await });
    let mut pause = pin!(sleep(secs(1)));
    let mut received = None;
    for _ in 0..2 {
        select! {
            it = received.is_none().then(|| input.recv()) => received = it,
            () = &mut pause => pause.as_mut().reset(Instant::now() + secs(1)),
        }
    }
    pause.await;
    assert_eq!(received.or(input.recv().await), Some(7));
}
