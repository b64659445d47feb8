//! Contexts under every interleaving: cancellation against waits, children, deadlines, drops and other cancellations.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use windtunnel::sync::{Cause, Context, Semaphore};
use windtunnel::time::{secs, timeout};
use windtunnel::{channel, select, spawn};

/// Polls `future` once: from then on it waits.
async fn begin<F: Future>(mut future: Pin<&mut F>) {
    let waits = poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_pending())).await;
    assert!(waits, "nothing lets it go on yet");
}

/// Whoever waits for a context is woken when it is cancelled, and told why.
#[windtunnel_model::test]
pub async fn cancel_wakes_who_waits() {
    let context = Context::new();
    let waiting = [context.cancelled(), context.cancelled()].map(spawn);
    context.cancel_because("enough");
    for waiting in waiting {
        assert_eq!(waiting.await, Ok(Cause::Because("enough".into())));
    }
}

/// Cancelling a parent reaches a grandchild that waits, with the parent's cause.
#[windtunnel_model::test]
pub async fn cancel_reaches_a_grandchild() {
    let root = Context::new();
    let grandchild = root.child().child();
    let waiting = spawn(async move { grandchild.cancelled().await });
    root.cancel_because("enough");
    assert_eq!(waiting.await, Ok(Cause::Because("enough".into())));
}

/// A child that is made while its parent is cancelled is cancelled with it.
#[windtunnel_model::test]
pub async fn cancel_and_a_new_child() {
    let root = Context::new();
    let parent = root.clone();
    let task = spawn(async move { parent.child().child().cancelled().await });
    root.cancel_because("enough");
    assert_eq!(task.await, Ok(Cause::Because("enough".into())));
}

/// Nobody sees a part of a cancellation: a child is cancelled when its parent is.
#[windtunnel_model::test]
pub async fn cancel_is_seen_whole() {
    let root = Context::new();
    let (first, second) = (root.child(), root.child());
    let task = spawn(async move {
        let seen = first.is_cancelled();
        assert!(!seen || second.is_cancelled(), "a sibling, looked at later, is cancelled as well");
    });
    root.cancel();
    task.await.expect("it sees all or nothing");
}

/// A child never cancels its parent.
#[windtunnel_model::test]
pub async fn cancel_of_a_child_leaves_its_parent() {
    let root = Context::new();
    let (child, sibling) = (root.child(), root.child());
    let below = child.child();
    let task = spawn(async move { child.cancel() });
    assert_eq!(below.cancelled().await, Cause::Cancelled);
    task.await.expect("it cancels");
    assert!(!root.is_cancelled() && !sibling.is_cancelled());
}

/// A dropped wait leaves the others waiting, and is not missed.
#[windtunnel_model::test]
pub async fn cancel_and_a_dropped_wait() {
    let context = Context::new();
    let (first, second) = (context.clone(), context.clone());
    spawn(async move { drop(timeout(secs(1), first.cancelled()).await) });
    let waiting = spawn(async move { second.cancelled().await });
    context.cancel();
    assert_eq!(waiting.await, Ok(Cause::Cancelled));
}

/// Of two cancellations one is first, and its cause is everybody's.
#[windtunnel_model::test]
pub async fn cancel_twice_has_one_cause() {
    let root = Context::new();
    let (parent, child) = (root.clone(), root.child());
    let task = spawn(async move {
        parent.cancel_because("first");
        parent.cause()
    });
    root.cancel_because("second");
    let cause = root.cause();
    assert!(cause.is_some());
    assert_eq!((task.await, child.cancelled().await), (Ok(cause.clone()), cause.clone().expect("cancelled")));
    assert_eq!(root.cause(), cause);
}

/// A child and its parent are cancelled at the same time: the child keeps the first cause, and the parent has its own.
#[windtunnel_model::test]
pub async fn cancel_of_a_parent_and_its_child() {
    let root = Context::new();
    let child = root.child();
    let task = spawn(async move {
        child.cancel_because("child");
        child.cause()
    });
    root.cancel_because("root");
    let cause = task.await.expect("it cancels").expect("cancelled");
    assert!(cause == Cause::Because("child".into()) || cause == Cause::Because("root".into()));
    assert_eq!(root.cause(), Some(Cause::Because("root".into())));
}

/// A deadline and a cancellation: the first of them is the cause, for all; the parent is untouched.
#[windtunnel_model::test]
pub async fn deadline_and_cancel() {
    let root = Context::new();
    let limited = root.child_with_timeout(secs(1));
    let below = limited.child();
    let waiting = spawn(async move { below.cancelled().await });
    limited.cancel();
    let cause = waiting.await.expect("it waits");
    assert_eq!(limited.cause(), Some(cause));
    assert!(!root.is_cancelled());
}

/// A deadline that a child finds past is past for the context that has it, and for whoever waits there.
#[windtunnel_model::test]
pub async fn deadline_is_everybodys() {
    let limited = Context::new().child_with_timeout(secs(1));
    let child = limited.child();
    let waiting = [child.cancelled(), limited.cancelled()].map(spawn);
    for waiting in waiting {
        assert_eq!(waiting.await, Ok(Cause::DeadlineExceeded));
        assert!(child.is_cancelled() && limited.is_cancelled());
    }
}

/// A context that goes while its parent is cancelled does not cut its children off.
#[windtunnel_model::test]
pub async fn drop_of_a_child_while_its_parent_is_cancelled() {
    let root = Context::new();
    let child = root.child();
    let below = child.child();
    let task = spawn(async move { drop(child) });
    root.cancel();
    assert_eq!(below.cancelled().await, Cause::Cancelled);
    task.await.expect("it drops");
}

/// A guard that is dropped cancels; dropping handles, or a guard that was disarmed, does not.
#[windtunnel_model::test]
pub async fn guard_cancels_when_dropped() {
    let context = Context::new();
    let (guard, disarmed) = (context.guard(), context.guard());
    drop(disarmed.disarm());
    let mut cancelled = pin!(context.cancelled());
    begin(cancelled.as_mut()).await;
    let task = spawn(async move { drop(guard) });
    assert_eq!(cancelled.await, Cause::Cancelled);
    task.await.expect("it drops");
}

/// A future that is run under a context gives its result, or is dropped: the permit it may hold is free again.
#[windtunnel_model::test]
pub async fn run_and_cancel() {
    let (context, permits) = (Context::new(), Arc::new(Semaphore::new(0)));
    let (running, wanted) = (context.clone(), Arc::clone(&permits));
    let task = spawn(async move { running.run(async { wanted.acquire().await.is_ok() }).await });
    permits.add_permits(1);
    context.cancel();
    let result = task.await.expect("it runs");
    assert!(result == Ok(true) || result == Err(Cause::Cancelled));
    assert_eq!(permits.available_permits(), 1);
}

/// An arm of a select: the message is received or left, the cancellation is not missed.
#[windtunnel_model::test]
pub async fn select_of_a_message_and_a_cancellation() {
    let context = Context::new();
    let (values, input) = channel(1);
    let selecting = context.clone();
    let task = spawn(async move {
        select! {
            value = input.recv() => {
                selecting.cancelled().await;
                value
            }
            cause = selecting.cancelled() => {
                assert_eq!(cause, Cause::Cancelled);
                input.recv().await
            }
        }
    });
    values.send(1).await.expect("there is room");
    context.cancel();
    assert_eq!(task.await, Ok(Some(1)));
}
