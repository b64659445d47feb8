//! How many executions an exploration takes: as many as there are orders that differ.

use std::sync::Arc;

use windtunnel::sync::{Mutex, RawMutex};
use windtunnel::{go, spawn};
use windtunnel_model::{Builder, Engine};

fn explore() -> Builder {
    Builder::new().engine(Engine::Explore)
}

/// Executions of `threads` tasks that lock and unlock a mutex so many times each, and are joined.
fn locks(threads: usize, operations: usize) -> u64 {
    let report = explore().check("locks", move || async move {
        let mutex = Arc::new(Mutex::new(0));
        let tasks: Vec<_> = (0..threads)
            .map(|_| {
                let mutex = Arc::clone(&mutex);
                spawn(async move {
                    for _ in 0..operations {
                        *mutex.lock().await += 1;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(*mutex.lock().await, threads * operations);
    });
    assert!(report.is_complete(), "{report}");
    report.executions
}

/// [`locks`], on a raw mutex, and nobody joins.
fn raw_locks(threads: usize, operations: usize) -> u64 {
    let report = explore().check("raw locks", move || async move {
        let mutex = Arc::new(RawMutex::new());
        for _ in 0..threads {
            let mutex = Arc::clone(&mutex);
            spawn(async move {
                for _ in 0..operations {
                    mutex.lock().await;
                    mutex.unlock();
                }
            });
        }
    });
    assert!(report.is_complete(), "{report}");
    report.executions
}

#[test]
fn operations_on_a_mutex_take_as_many_executions_as_there_are_orders() {
    for (threads, operations, orders) in
        [(2, 1, 2), (2, 4, 70), (2, 6, 924), (3, 2, 90), (4, 1, 24), (5, 1, 120), (4, 2, 2520)]
    {
        assert_eq!(locks(threads, operations), orders, "{threads} x {operations}, joined");
        assert_eq!(raw_locks(threads, operations), orders, "{threads} x {operations}, raw");
    }
}

/// The talk's protocol (A7.9c): workers take from a buffered channel and report on a rendezvous.
fn scheduler(workers: usize, tasks: usize) -> u64 {
    let report = explore().check("scheduler", move || async move {
        let work = go::named("work", tasks);
        let done = go::named("done", 0);
        for _ in 0..workers {
            let (work, done) = (work.clone(), done.clone());
            spawn(async move {
                while work.recv().await.is_some() {
                    done.send(true).await.expect("done is not closed");
                }
            });
        }
        for task in 0..tasks {
            work.send(task).await.expect("work is not closed yet");
        }
        work.close().expect("closed once");
        for _ in 0..tasks {
            done.recv().await.expect("done is not closed");
        }
    });
    assert!(report.is_complete(), "{report}");
    report.executions
}

/// At the level of channel operations, where two on one channel never commute, 464 and 4,520 orders differ; sends and receives on a
/// buffer commute here.
#[test]
fn the_scheduler_takes_fewer_executions_than_there_are_orders_of_channel_operations() {
    assert_eq!(scheduler(2, 2), 232);
    assert_eq!(scheduler(2, 3), 1676);
}
