//! Aborts and sets of tasks under every interleaving.

use std::sync::Arc;

use windtunnel::sync::Semaphore;
use windtunnel::task::{AbortHandle, JoinError, JoinSet, yield_now};
use windtunnel::{channel, go, spawn};

/// Waits for what never comes.
pub async fn forever() {
    go::channel::<()>(0).recv().await;
}

/// A task aborted while it ends gives its result or is cancelled, and its joiner learns which.
#[windtunnel_model::test]
pub async fn abort_against_completion() {
    let (go, gone) = channel::<()>(0);
    let task = spawn(async move { gone.recv().await });
    let abort = task.abort_handle();
    spawn(async move { abort.abort() });
    drop(go);
    let abort = task.abort_handle();
    assert!(matches!(task.await, Ok(None) | Err(JoinError::Cancelled)));
    assert!(abort.is_finished());
    abort.abort();
}

/// An aborted task does not run on: only what was before its next wait happens.
#[windtunnel_model::test]
pub async fn abort_drops_a_task_that_waits() {
    let (held, gone) = channel::<()>(0);
    let task = spawn(async move {
        let _held = held;
        forever().await;
    });
    task.abort();
    assert_eq!(gone.recv().await, None, "what the task had is dropped");
    assert_eq!(task.await, Err(JoinError::Cancelled));
}

/// Two aborts of one task are as one.
#[windtunnel_model::test]
pub async fn abort_twice() {
    let task = spawn(async { yield_now().await });
    let abort = task.abort_handle();
    spawn(async move { abort.abort() });
    task.abort();
    assert!(matches!(task.await, Ok(()) | Err(JoinError::Cancelled)));
}

/// A receive that was handed a value and then aborted puts it back: no message is lost.
#[windtunnel_model::test]
pub async fn abort_of_a_blocked_receive_loses_no_message() {
    let (values, input) = channel(0);
    let other = input.clone();
    let task = spawn(async move { other.recv().await });
    spawn(async move { values.send(7).await.expect("somebody receives") });
    task.abort();
    match task.await {
        Ok(received) => assert_eq!((received, input.recv().await), (Some(7), None)),
        Err(_) => assert_eq!(input.recv().await, Some(7)),
    }
}

/// An aborted send has happened or not: its message comes once or not at all, and the channel goes on.
#[windtunnel_model::test]
pub async fn abort_of_a_blocked_send_leaves_the_channel_usable() {
    let (values, input) = channel(1);
    values.send(1).await.expect("there is room");
    let task = spawn(async move { values.send(2).await });
    let abort = task.abort_handle();
    spawn(async move { abort.abort() });
    assert_eq!(input.recv().await, Some(1));
    let (second, sent) = (input.recv().await, task.await);
    assert!(second == Some(2) || (second.is_none() && sent.is_err()), "{second:?}, {sent:?}");
}

/// A task that aborts itself goes on to its next wait, and no further.
#[windtunnel_model::test]
pub async fn abort_from_inside() {
    let ((own, handle), (reached, reads)) = (channel::<AbortHandle>(1), channel(2));
    let task = spawn(async move {
        handle.recv().await.expect("its own").abort();
        reached.send("before the wait").await.expect("it is read");
        yield_now().await;
        reached.send("after it").await.expect("it is read");
    });
    own.send(task.abort_handle()).await.expect("the task receives");
    assert_eq!(task.await, Err(JoinError::Cancelled));
    assert_eq!((reads.recv().await, reads.recv().await), (Some("before the wait"), None));
}

/// A set gives each result once, in order of completion, and then its end.
#[windtunnel_model::test]
pub async fn set_gives_each_result_once() {
    let set = JoinSet::new();
    for n in 0..2 {
        set.spawn(async move { n }).await;
    }
    let mut results = [set.join_next().await, set.join_next().await];
    results.sort_unstable_by_key(|result| result.clone().map(Result::ok));
    assert_eq!(results, [Some(Ok(0)), Some(Ok(1))]);
    assert_eq!((set.join_next().await, set.is_empty()), (None, true));
}

/// A dropped wait for the next result leaves it to another.
#[windtunnel_model::test]
pub async fn set_dropped_join_loses_no_result() {
    let set = Arc::new(JoinSet::new());
    set.spawn(async { 7 }).await;
    let other = Arc::clone(&set);
    let task = spawn(async move { other.join_next().await });
    task.abort();
    let result = match task.await {
        Ok(result) => result,
        Err(_) => set.join_next().await,
    };
    assert_eq!(result, Some(Ok(7)));
    assert_eq!(set.join_next().await, None);
}

/// Of two who wait for the last result one gets it, and the other learns that there is no more.
#[windtunnel_model::test]
pub async fn set_last_result_lets_every_join_go() {
    let set = Arc::new(JoinSet::new());
    set.spawn(async { 7 }).await;
    let other = Arc::clone(&set);
    let task = spawn(async move { other.join_next().await });
    let mine = set.join_next().await;
    let both = [mine, task.await.expect("it ends")];
    assert!(both.contains(&Some(Ok(7))) && both.contains(&None), "{both:?}");
}

/// Counts those inside; at most one may be.
async fn alone(inside: Arc<Semaphore>) {
    let _inside = inside.try_acquire().expect("the limit holds");
    yield_now().await;
}

/// A set runs no more tasks at once than its limit, and a spawn that waits gets the place of one that ends.
#[windtunnel_model::test]
pub async fn set_limit_holds() {
    let (set, inside) = (JoinSet::with_limit(1), Arc::new(Semaphore::new(1)));
    set.spawn(alone(Arc::clone(&inside))).await;
    set.spawn(alone(inside)).await;
    assert_eq!((set.join_next().await, set.join_next().await), (Some(Ok(())), Some(Ok(()))));
    assert_eq!(set.join_next().await, None);
}

/// A spawn that waits gets the place of a task that is aborted, also if that one never ran.
#[windtunnel_model::test]
pub async fn set_place_of_an_aborted_task_is_given_on() {
    let set = JoinSet::with_limit(1);
    set.spawn(forever()).await.abort();
    set.spawn(async {}).await;
    let both = [set.join_next().await, set.join_next().await];
    assert!(both.contains(&Some(Err(JoinError::Cancelled))) && both.contains(&Some(Ok(()))), "{both:?}");
}

/// Dropping a set aborts its tasks, wherever they are.
#[windtunnel_model::test]
pub async fn set_dropped_aborts_its_tasks() {
    let (held, gone) = channel::<()>(0);
    let set = JoinSet::new();
    for _ in 0..2 {
        let held = held.clone();
        set.spawn(async move {
            let _held = held;
            forever().await;
        })
        .await;
    }
    drop((held, set));
    assert_eq!(gone.recv().await, None);
}

/// A shutdown waits until every task is gone.
#[windtunnel_model::test]
pub async fn set_shutdown_waits_for_all() {
    let alive = Arc::new(());
    let set = JoinSet::new();
    for _ in 0..2 {
        let alive = Arc::clone(&alive);
        set.spawn(async move {
            forever().await;
            drop(alive);
        })
        .await;
    }
    set.shutdown().await;
    assert_eq!((Arc::strong_count(&alive), set.len()), (1, 0));
}

/// A detached task goes on to its end, and is joined no more.
#[windtunnel_model::test]
pub async fn set_detached_tasks_go_on() {
    let (values, input) = channel(1);
    let set = JoinSet::new();
    set.spawn(async move { values.send(7).await }).await;
    set.detach_all();
    assert!(matches!(set.join_next().await, None | Some(Ok(Ok(())))));
    drop(set);
    assert_eq!(input.recv().await, Some(7));
}
