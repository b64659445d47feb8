//! Contexts on every runtime, and what needs a clock that moves.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex};

use windtunnel::sync::{Cause, Context, Semaphore};
use windtunnel::task::{spawn_named, yield_now};
use windtunnel::time::{Instant, millis, secs, sleep, timeout};
use windtunnel::{channel, go, select, spawn};
use windtunnel_model::Builder;

use crate::common::{on_every_runtime, simulate};
use crate::context as bodies;

on_every_runtime! {
    bodies:
    a_parent_cancels_all_its_descendants_for_its_reason
    a_child_leaves_its_parent_and_its_siblings_alone
    the_first_cause_stays
    a_child_of_a_cancelled_context_is_cancelled
    a_deadline_cancels_its_context_and_those_below
    the_earliest_deadline_of_the_ancestors_counts
    a_dropped_handle_cancels_nothing
    a_guard_cancels_unless_disarmed
    a_future_is_run_until_the_context_is_cancelled
    a_result_that_is_ready_beats_a_cancellation
    a_select_ends_with_the_context
    a_cancelled_wait_leaves_the_others
}

async fn a_parent_cancels_all_its_descendants_for_its_reason() {
    let root = Context::named("root");
    let (child, below) = (root.child(), root.child().child());
    let waiting = below.clone();
    let task = spawn(async move { waiting.cancelled().await });
    root.cancel_because(String::from("over"));
    let cause = Cause::Because("over".into());
    assert_eq!(task.await, Ok(cause.clone()));
    assert_eq!([root.cause(), child.cause(), below.cause()], [(); 3].map(|()| Some(cause.clone())));
    assert_eq!(cause.to_string(), "cancelled: over");
}

async fn a_child_leaves_its_parent_and_its_siblings_alone() {
    let root = Context::new();
    let (child, sibling) = (root.child(), root.child());
    child.cancel();
    assert!(child.is_cancelled() && !root.is_cancelled() && !sibling.is_cancelled());
    root.cancel_because("root");
    assert_eq!((child.cause(), sibling.cause()), (Some(Cause::Cancelled), Some(Cause::Because("root".into()))));
}

async fn the_first_cause_stays() {
    let context = Context::new();
    assert_eq!(context.cause(), None);
    context.cancel_because("first");
    context.cancel();
    assert_eq!(context.cancelled().await, Cause::Because("first".into()));
}

async fn a_child_of_a_cancelled_context_is_cancelled() {
    let context = Context::new();
    context.cancel_because("over");
    assert_eq!(context.child().child_with_timeout(secs(1)).cancelled().await, Cause::Because("over".into()));
}

async fn a_deadline_cancels_its_context_and_those_below() {
    let root = Context::new();
    let limited = root.child_with_timeout(millis(1));
    let below = limited.child();
    assert_eq!(below.cancelled().await, Cause::DeadlineExceeded);
    assert_eq!((limited.cause(), root.cause()), (Some(Cause::DeadlineExceeded), None));
}

async fn the_earliest_deadline_of_the_ancestors_counts() {
    let now = Instant::now();
    let limited = Context::new().child_with_deadline(now + secs(60));
    assert_eq!(limited.deadline(), Some(now + secs(60)));
    assert_eq!(limited.child_with_deadline(now + secs(90)).child().deadline(), limited.deadline());
    assert_eq!(limited.child_with_deadline(now + secs(30)).deadline(), Some(now + secs(30)));
    assert!(limited.child_with_deadline(now).is_cancelled(), "it is past");
    assert!(!limited.is_cancelled());
}

async fn a_dropped_handle_cancels_nothing() {
    let root = Context::new();
    let child = root.child();
    let below = child.child();
    drop((child, root.clone()));
    assert!(!below.is_cancelled());
    root.cancel();
    assert!(below.is_cancelled());
}

async fn a_guard_cancels_unless_disarmed() {
    let (context, other) = (Context::new(), Context::new());
    let (guard, disarmed) = (context.guard(), other.guard());
    let task = spawn(async move { drop(guard) });
    assert_eq!(context.cancelled().await, Cause::Cancelled);
    assert!(!disarmed.disarm().is_cancelled());
    task.await.unwrap();
}

async fn a_future_is_run_until_the_context_is_cancelled() {
    let (context, permits) = (Context::new(), Arc::new(Semaphore::new(1)));
    let (running, held) = (context.clone(), Arc::clone(&permits));
    let task = spawn(async move {
        let mut run = pin!(running.run(async {
            let _held = held.acquire().await;
            go::channel::<()>(0).recv().await;
        }));
        let result = (&mut run).await;
        assert_eq!(held.available_permits(), 1, "the future is dropped by now");
        result
    });
    context.cancel();
    assert_eq!(task.await, Ok(Err(Cause::Cancelled)));
}

async fn a_result_that_is_ready_beats_a_cancellation() {
    let context = Context::new();
    context.cancel();
    assert_eq!(context.run(async { 1 }).await, Ok(1));
    assert_eq!(context.run(std::future::pending::<()>()).await, Err(Cause::Cancelled));
}

async fn a_select_ends_with_the_context() {
    let context = Context::new();
    let (_values, input) = channel::<u8>(0);
    let selecting = context.child();
    let task = spawn(async move {
        select! {
            value = input.recv() => panic!("{value:?} from nobody"),
            cause = selecting.cancelled() => cause,
        }
    });
    context.cancel();
    assert_eq!(task.await, Ok(Cause::Cancelled));
}

async fn a_cancelled_wait_leaves_the_others() {
    let context = Context::new();
    let mut dropped = Box::pin(context.cancelled());
    assert!(timeout(millis(1), &mut dropped).await.is_err());
    let waiting = context.clone();
    let task = spawn(async move { waiting.cancelled().await });
    yield_now().await;
    drop(dropped);
    context.cancel();
    assert_eq!(task.await, Ok(Cause::Cancelled));
}

/// Deadlines that nobody waits for.
async fn unwaited_deadlines() {
    let root = Context::new();
    let (seen, late, below) = (root.child_with_timeout(millis(2)), root.child_with_timeout(millis(2)), root.child());
    let inherits = below.child_with_timeout(millis(2)).child();
    sleep(millis(10)).await;
    assert_eq!(seen.cause(), Some(Cause::DeadlineExceeded));
    late.cancel();
    assert_eq!(late.cause(), Some(Cause::DeadlineExceeded), "the cancellation came after the deadline");
    root.cancel();
    assert_eq!(inherits.cause(), Some(Cause::DeadlineExceeded), "the cancellation came after the deadline");
    assert_eq!((root.cause(), below.cause()), (Some(Cause::Cancelled), Some(Cause::Cancelled)));
}

#[test]
fn a_deadline_that_is_past_counts_though_nobody_waited_for_it() {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(unwaited_deadlines());
    simulate("unwaited deadlines", |_| Box::pin(unwaited_deadlines()));
}

#[test]
fn a_model_explores_whether_a_deadline_is_past() {
    let found = Arc::new(Mutex::new(BTreeSet::new()));
    let all = Arc::clone(&found);
    let report = Builder::new().check("deadline", move || {
        let found = Arc::clone(&found);
        async move {
            let limited = Context::new().child_with_timeout(secs(1));
            let waiting = spawn(limited.cancelled());
            limited.cancel();
            let cause = waiting.await.unwrap();
            found.lock().unwrap().insert(cause.to_string());
        }
    });
    assert!(report.is_complete(), "\n{report}");
    assert_eq!(*all.lock().unwrap(), BTreeSet::from(["cancelled".into(), "deadline exceeded".into()]));
}

#[test]
fn a_dump_shows_who_waits_for_a_context() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let waits = runtime.block_on(async {
        let server = Context::named("the server of the dump");
        let (waiting, running) = (server.cancelled(), server.child());
        spawn(waiting);
        spawn_named("running", async move { running.run(sleep(secs(100))).await });
        yield_now().await;
        windtunnel::task::dump().to_string()
    });
    let waits: Vec<_> = waits.lines().filter(|line| line.contains("tests/it/context.rs")).collect();
    assert!(waits.iter().any(|line| line.starts_with("1 × context (the server of the dump) ")), "{waits:#?}");
    assert!(waits.iter().any(|line| line.starts_with("1 × sleep ")), "a future that is run says where it waits");
}

#[test]
fn nobody_is_missed_when_children_are_made_by_the_thousand() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        for _ in 0..100 {
            let root = Context::new();
            let tasks: Vec<_> = (0..50)
                .map(|_| {
                    let parent = root.clone();
                    spawn(async move { parent.child().child().cancelled().await })
                })
                .collect();
            yield_now().await;
            root.cancel();
            for task in tasks {
                assert_eq!(timeout(secs(60), task).await, Ok(Ok(Cause::Cancelled)));
            }
        }
    });
}
