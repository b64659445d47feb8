//! Accesses to a checked cell that something orders are no data race, whatever orders them. Those that nothing orders are in
//! `tests/it/cell.rs`.

use std::sync::Arc;

use windtunnel::cell::CheckedCell;
use windtunnel::sync::{Context, Mutex, RwLock};
use windtunnel::{channel, spawn};

fn shared() -> (Arc<CheckedCell<u32>>, Arc<CheckedCell<u32>>) {
    let cell = Arc::new(CheckedCell::named("count", 0));
    (Arc::clone(&cell), cell)
}

/// A mutex orders the accesses of its holders.
#[windtunnel_model::test]
pub async fn ordered_by_a_mutex() {
    let (cell, other) = shared();
    let mutex = Arc::new(Mutex::new(()));
    let theirs = Arc::clone(&mutex);
    let task = spawn(async move {
        let _held = theirs.lock().await;
        other.set(other.get() + 1);
    });
    {
        let _held = mutex.lock().await;
        cell.with_mut(|count| *count += 1);
    }
    task.await.expect("it counts");
    assert_eq!(Arc::into_inner(cell).expect("the other task has ended").into_inner(), 2);
}

/// A message orders what its sender did before it and what its receiver does after it.
#[windtunnel_model::test]
pub async fn ordered_by_a_message() {
    for capacity in [0, 1] {
        let (cell, other) = shared();
        let (done, wait) = channel(capacity);
        spawn(async move {
            other.set(1);
            done.send(()).await.expect("main waits");
        });
        assert_eq!(wait.recv().await, Some(()));
        assert_eq!(cell.replace(2), 1);
    }
}

/// A join orders all that the task did.
#[windtunnel_model::test]
pub async fn ordered_by_a_join() {
    let (cell, other) = shared();
    spawn(async move { other.set(1) }).await.expect("it writes");
    assert_eq!(cell.get(), 1);
    cell.set(2);
}

/// A cancellation orders what was done before it.
#[windtunnel_model::test]
pub async fn ordered_by_a_cancellation() {
    let (cell, other) = shared();
    let context = Context::new();
    let cancelled = context.cancelled();
    spawn(async move {
        other.set(1);
        context.cancel();
    });
    cancelled.await;
    cell.set(2);
}

/// Reads may come in any order and overlap, if all are ordered with the writes.
#[windtunnel_model::test]
pub async fn reads_overlap() {
    let (cell, other) = shared();
    let lock = Arc::new(RwLock::new(()));
    let theirs = Arc::clone(&lock);
    cell.set(1);
    let task = spawn(async move {
        let _reading = theirs.read().await;
        // The checker switches tasks at a lock: within the read, here.
        other.with(|_| assert!(theirs.try_write().is_none()));
    });
    {
        let _reading = lock.read().await;
        cell.with(|outer| assert_eq!(cell.get(), *outer));
    }
    {
        let _writing = lock.write().await;
        cell.set(2);
    }
    task.await.expect("it reads");
}
