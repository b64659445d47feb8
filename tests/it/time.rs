//! Sleeps, timers and intervals: the same moments on tokio, with its clock paused, and in a simulation.

use std::pin::pin;

use windtunnel::time::{
    Duration, Elapsed, Instant, MissedTickBehavior, Timer, interval, interval_at, millis, secs, sleep, sleep_until,
    timeout, timeout_at,
};
use windtunnel::{channel, select, spawn};
use windtunnel_suite::models::time as models;

use crate::common::{on_tokio_and_madsim, simulate};

mod as_in_models {
    use super::{models, on_tokio_and_madsim};

    on_tokio_and_madsim! {
        models:
        timer_stopped_never_fires
        timer_set_again_fires
        sleep_set_again_is_over_once_more
    }
}

/// A test of each body with tokio's clock paused, so that it moves only while every task waits, and on madsim.
macro_rules! with_exact_time {
    ($($body:ident)*) => {
        mod tokio_paused {
            $(#[test] fn $body() {
                let mut builder = tokio::runtime::Builder::new_current_thread();
                builder.enable_time().start_paused(true).build().unwrap().block_on(super::$body());
            })*
        }
        mod madsim {
            $(#[test] fn $body() { super::simulate(stringify!($body), |_| Box::pin(super::$body())); })*
        }
    };
}

with_exact_time! {
    a_sleep_ends_at_its_deadline
    a_sleep_set_again_ends_at_the_new_deadline_only
    a_sleep_beyond_the_last_moment_is_long
    a_deadline_that_has_passed_gives_one_poll
    a_timer_fires_whether_or_not_anybody_waits
    a_stopped_timer_stays_silent
    a_timer_set_again_forgets_its_former_time
    a_fired_timer_is_silent_until_set_again
    a_dropped_wait_loses_no_tick
    missed_ticks_burst
    missed_ticks_delay
    missed_ticks_skip
    a_tick_that_is_not_quite_in_time_has_not_been_missed
    an_interval_starts_when_told_and_again_when_reset
}

/// Time since `start` in milliseconds; the simulator's clock adds some nanoseconds for each poll.
fn millis_since(start: Instant) -> u128 {
    start.elapsed().as_millis()
}

async fn a_sleep_ends_at_its_deadline() {
    let start = Instant::now();
    let pause = sleep(millis(20));
    assert!(pause.deadline() - start < millis(21) && pause.deadline() - start >= millis(20));
    pause.await;
    assert_eq!(millis_since(start), 20);
    sleep_until(start + millis(50)).await;
    assert_eq!(millis_since(start), 50);
    sleep_until(start).await;
    assert_eq!(millis_since(start), 50, "it is over");
}

async fn a_sleep_set_again_ends_at_the_new_deadline_only() {
    let start = Instant::now();
    let mut pause = pin!(sleep(millis(20)));
    for (deadline, expected) in [(millis(50), 50), (millis(70), 70)] {
        // Polled before and after: at its former deadline it must not end.
        select! {
            biased;
            () = &mut pause => assert_eq!(millis_since(start), 50),
            default => {}
        }
        pause.as_mut().reset(start + deadline);
        assert_eq!(pause.deadline(), start + deadline);
        pause.as_mut().await;
        assert_eq!(millis_since(start), expected);
        pause.as_mut().reset(start + secs(1));
    }
}

async fn a_sleep_beyond_the_last_moment_is_long() {
    let last = Instant::now() + Duration::MAX;
    assert_eq!((last + secs(1), last.checked_add(secs(1))), (last, None));
    assert_eq!(Instant::now().checked_add(secs(1)).map(|later| later > Instant::now()), Some(true));
    assert_eq!((Instant::now() - Duration::MAX, Instant::now() - last), (last - Duration::MAX, secs(0)));
    let (values, input) = channel(1);
    values.send(7).await.unwrap();
    select! {
        it = input.recv() => assert_eq!(it, Some(7)),
        () = sleep(Duration::MAX) => panic!("it is not over yet"),
    }
    let mut sum = Instant::now();
    let start = sum;
    sum += secs(2);
    sum -= secs(1);
    assert_eq!(sum, start + secs(1));
}

async fn a_deadline_that_has_passed_gives_one_poll() {
    let start = Instant::now();
    sleep(millis(10)).await;
    assert_eq!(timeout_at(start, async { 1 }).await, Ok(1));
    assert_eq!(timeout_at(start, std::future::pending::<()>()).await, Err(Elapsed));
    assert_eq!(timeout_at(start + millis(30), std::future::pending::<()>()).await, Err(Elapsed));
    assert_eq!(millis_since(start), 30);
}

async fn a_timer_fires_whether_or_not_anybody_waits() {
    let start = Instant::now();
    let mut timer = Timer::after(millis(10));
    sleep(millis(20)).await;
    (&mut timer).await;
    assert_eq!(millis_since(start), 20, "it had fired");
    let mut unawaited = Timer::after(millis(10));
    sleep(millis(20)).await;
    assert!(!unawaited.stop(), "its time had come");
}

async fn a_stopped_timer_stays_silent() {
    let mut timer = Timer::after(millis(10));
    assert!(timer.stop());
    assert!(!timer.stop(), "it was stopped before");
    assert_eq!(timeout_at(Instant::now() + millis(50), &mut timer).await, Err(Elapsed));
    // Also when its time had come, and nobody had waited.
    timer.reset(millis(10));
    sleep(millis(20)).await;
    assert!(!timer.stop());
    assert_eq!(timeout_at(Instant::now() + millis(50), &mut timer).await, Err(Elapsed));
}

async fn a_timer_set_again_forgets_its_former_time() {
    let start = Instant::now();
    let mut timer = Timer::after(millis(10));
    select! {
        () = &mut timer => panic!("too early"),
        () = sleep(millis(5)) => {}
    }
    assert!(timer.reset(millis(30)), "it was running");
    (&mut timer).await;
    assert_eq!(millis_since(start), 35);
    assert!(!timer.reset(millis(10)), "it had fired");
    timer.await;
    assert_eq!(millis_since(start), 45);
}

async fn a_fired_timer_is_silent_until_set_again() {
    let mut timer = Timer::after(millis(10));
    let mut fired = 0;
    let mut end = pin!(sleep(millis(100)));
    loop {
        select! {
            () = &mut timer => fired += 1,
            () = &mut end => break,
        }
    }
    assert_eq!(fired, 1);
}

/// The ticks of an interval of 10 ms, in milliseconds, of which the third is awaited 25 ms late.
async fn ticks(behavior: MissedTickBehavior) -> Vec<(u128, u128)> {
    let start = Instant::now();
    let mut interval = interval(millis(10));
    interval.set_missed_tick_behavior(behavior);
    assert_eq!(interval.period(), millis(10));
    let mut ticks = Vec::new();
    for n in 0..7 {
        if n == 2 {
            sleep_until(start + millis(45)).await;
        }
        let tick = interval.tick().await - start;
        ticks.push((tick.as_millis(), millis_since(start)));
    }
    ticks
}

async fn a_dropped_wait_loses_no_tick() {
    let mut ticks = interval(millis(10));
    let start = ticks.tick().await;
    assert!(timeout(millis(5), ticks.tick()).await.is_err(), "it is early");
    assert_eq!(ticks.tick().await, start + millis(10));
}

async fn missed_ticks_burst() {
    let expected = [(0, 0), (10, 10), (20, 45), (30, 45), (40, 45), (50, 50), (60, 60)];
    assert_eq!(ticks(MissedTickBehavior::Burst).await, expected);
}

async fn missed_ticks_delay() {
    let expected = [(0, 0), (10, 10), (20, 45), (55, 55), (65, 65), (75, 75), (85, 85)];
    assert_eq!(ticks(MissedTickBehavior::Delay).await, expected);
}

async fn missed_ticks_skip() {
    let expected = [(0, 0), (10, 10), (20, 45), (50, 50), (60, 60), (70, 70), (80, 80)];
    assert_eq!(ticks(MissedTickBehavior::Skip).await, expected);
}

async fn a_tick_that_is_not_quite_in_time_has_not_been_missed() {
    let start = Instant::now();
    let mut interval = interval(millis(10));
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval.tick().await;
    sleep_until(start + millis(13)).await;
    interval.tick().await;
    interval.tick().await;
    assert_eq!(millis_since(start), 20, "3 ms late moves nothing");
}

async fn an_interval_starts_when_told_and_again_when_reset() {
    let start = Instant::now();
    let mut interval = interval_at(start + millis(30), millis(10));
    interval.tick().await;
    assert_eq!(millis_since(start), 30);
    spawn(sleep(millis(5))).await.unwrap();
    interval.reset();
    interval.tick().await;
    assert_eq!(millis_since(start), 45);
}
