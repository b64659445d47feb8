//! The locks on tokio, on several threads: what a model cannot say.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use windtunnel::spawn;
use windtunnel::sync::{AcquireError, Barrier, Condvar, Mutex, Once, RawMutex, RwLock, Semaphore, WaitGroup};
use windtunnel::task::{JoinError, dump, spawn_named, yield_now};
use windtunnel::time::{Duration, millis, secs, sleep, timeout};

const TASKS: u32 = 8;
const ROUNDS: u32 = 500;

/// Runs `future` on a tokio runtime with several threads; a hang is a failure.
fn run(future: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(4).enable_all().build();
    let runtime = runtime.expect("tokio starts");
    runtime.block_on(async { timeout(secs(60), future).await.expect("it does not hang") });
}

/// Runs `body` in several tasks, each many times, and waits for all.
async fn stress<F: Future<Output = ()> + Send>(body: impl Fn(u32) -> F + Clone + Send + 'static) {
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let body = body.clone();
            spawn(async move {
                for round in 0..ROUNDS {
                    body(task * ROUNDS + round).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("it ends");
    }
}

/// Drops every third `future` after a moment.
async fn sometimes<F: Future>(n: u32, future: F) -> Option<F::Output> {
    let limit = if n.is_multiple_of(3) { Duration::from_micros(u64::from(n % 7)) } else { secs(60) };
    timeout(limit, future).await.ok()
}

#[test]
fn a_waiting_writer_comes_before_later_readers() {
    run(async {
        let lock = Arc::new(RwLock::named("catalogue", ()));
        let reading = lock.read().await;
        let written = Arc::new(AtomicBool::new(false));
        let writer = {
            let (lock, written) = (Arc::clone(&lock), Arc::clone(&written));
            spawn(async move {
                let _writing = lock.write().await;
                written.store(true, Ordering::SeqCst);
            })
        };
        while lock.try_read().is_some() {
            yield_now().await;
        }
        // A read inside a read, with a writer waiting: both wait, as in Go.
        assert!(timeout(millis(20), lock.read()).await.is_err(), "it does not overtake the writer");
        let readers = [(); 4].map(|()| {
            let (lock, written) = (Arc::clone(&lock), Arc::clone(&written));
            spawn(async move {
                let _reading = lock.read().await;
                assert!(written.load(Ordering::SeqCst), "the writer came first");
            })
        });
        sleep(millis(20)).await;
        assert!(!written.load(Ordering::SeqCst));
        drop(reading);
        writer.await.expect("it writes");
        for reader in readers {
            reader.await.expect("it reads");
        }
    });
}

#[test]
fn rwlock_under_stress_with_dropped_waits() {
    run(async {
        let lock = Arc::new(RwLock::new((0_u32, 0_u32)));
        let shared = Arc::clone(&lock);
        stress(move |n| {
            let lock = Arc::clone(&shared);
            async move {
                if n % 4 == 0 {
                    if let Some(mut pair) = sometimes(n, lock.write()).await {
                        pair.0 += 1;
                        yield_now().await;
                        pair.1 += 1;
                    }
                } else if let Some(pair) = sometimes(n, lock.read()).await {
                    let first = pair.0;
                    yield_now().await;
                    assert_eq!((first, first), *pair);
                }
            }
        })
        .await;
        assert!(lock.try_write().is_some(), "nobody has it any more");
    });
}

#[test]
fn mutex_under_stress_with_dropped_waits() {
    run(async {
        let mutex = Arc::new(Mutex::new(0_u32));
        let taken = Arc::new(AtomicU32::new(0));
        let (shared, count) = (Arc::clone(&mutex), Arc::clone(&taken));
        stress(move |n| {
            let (mutex, taken) = (Arc::clone(&shared), Arc::clone(&count));
            async move {
                if let Some(mut guard) = sometimes(n, mutex.lock_owned()).await {
                    let before = *guard;
                    yield_now().await;
                    *guard = before + 1;
                    taken.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .await;
        let mutex = Arc::into_inner(mutex).expect("every task has ended");
        assert_eq!(mutex.into_inner(), taken.load(Ordering::SeqCst));
    });
}

#[test]
fn semaphore_under_stress_loses_no_permit() {
    run(async {
        let semaphore = Arc::new(Semaphore::new(3));
        let inside = Arc::new(AtomicU32::new(0));
        let shared = Arc::clone(&semaphore);
        stress(move |n| {
            let (semaphore, inside) = (Arc::clone(&shared), Arc::clone(&inside));
            async move {
                let wanted = n % 3 + 1;
                let Some(permit) = sometimes(n, semaphore.acquire_many(wanted as usize)).await else { return };
                assert!(inside.fetch_add(wanted, Ordering::SeqCst) + wanted <= 3);
                yield_now().await;
                inside.fetch_sub(wanted, Ordering::SeqCst);
                drop(permit);
            }
        })
        .await;
        assert_eq!(semaphore.available_permits(), 3);
        semaphore.close();
        assert_eq!(semaphore.acquire().await.map(drop), Err(AcquireError));
    });
}

#[test]
fn condvar_under_stress_hands_every_unit_on() {
    run(async {
        let stock = Arc::new((Mutex::new(0_u32), Condvar::new()));
        let shared = Arc::clone(&stock);
        // Each task adds a unit and takes one; a wait that is dropped is begun again.
        stress(move |n| {
            let stock = Arc::clone(&shared);
            async move {
                *stock.0.lock().await += 1;
                stock.1.notify_one();
                let mut units = stock.0.lock().await;
                while *units == 0 {
                    units = match sometimes(n, stock.1.wait(units)).await {
                        Some(units) => units,
                        None => stock.0.lock().await,
                    };
                }
                *units -= 1;
            }
        })
        .await;
        assert_eq!(*stock.0.lock().await, 0);
    });
}

#[test]
fn barrier_under_stress_has_one_leader_a_round() {
    run(async {
        let barrier = Arc::new(Barrier::new(TASKS as usize));
        let leaders = Arc::new(AtomicU32::new(0));
        let count = Arc::clone(&leaders);
        stress(move |_| {
            let (barrier, leaders) = (Arc::clone(&barrier), Arc::clone(&count));
            async move {
                if barrier.wait().await.is_leader() {
                    leaders.fetch_add(1, Ordering::SeqCst);
                }
            }
        })
        .await;
        assert_eq!(leaders.load(Ordering::SeqCst), ROUNDS);
    });
}

#[test]
fn a_once_whose_closure_panics_leaves_it_to_the_next() {
    run(async {
        let once = Arc::new(Once::named("config"));
        let (other, started) = (Arc::clone(&once), Arc::new(Semaphore::new(0)));
        let runs = Arc::clone(&started);
        let panics = spawn(async move {
            let init = async || {
                runs.add_permits(1);
                sleep(millis(20)).await;
                panic!("no config")
            };
            other.call(init).await;
        });
        drop(started.acquire().await);
        let other = Arc::clone(&once);
        let waits = spawn(async move { *other.call(async || 7).await });
        assert_eq!(panics.await, Err(JoinError::Panicked("no config".into())));
        assert_eq!(waits.await, Ok(7));
        assert_eq!(Arc::into_inner(once).expect("every task has ended").into_inner(), Some(7));
    });
}

#[test]
#[should_panic(expected = "raw mutex door is unlocked already: an unlock() without its lock()")]
fn unlocking_an_unlocked_raw_mutex_panics_and_names_it() {
    run(async { RawMutex::named("door").unlock() });
}

#[test]
#[should_panic(expected = "wait group workers counted below zero: more done() than add()")]
fn a_wait_group_counted_below_zero_panics_and_names_it() {
    run(async { WaitGroup::named("workers").done() });
}

#[test]
#[should_panic(expected = "cannot have")]
fn too_many_permits_are_refused() {
    run(async { Semaphore::new(1).add_permits(Semaphore::MAX_PERMITS) });
}

#[test]
fn a_dump_names_what_each_task_waits_for() {
    run(async {
        let raw = Arc::new(RawMutex::named("door"));
        let lock = Arc::new(RwLock::named("catalogue", ()));
        let semaphore = Arc::new(Semaphore::named("slots", 0));
        let changed = Arc::new((Mutex::named("stock", ()), Condvar::named("changed")));
        let barrier = Arc::new(Barrier::named("meeting", 2));
        let once = Arc::new(Once::<()>::named("config"));
        raw.lock().await;
        let _writing = lock.write().await;
        let tasks = {
            let (raw, reads, writes) = (raw.clone(), Arc::clone(&lock), Arc::clone(&lock));
            let (semaphore, changed, barrier, once) = (semaphore, changed, barrier, once.clone());
            [
                spawn_named("waits 1", async move { raw.lock().await }),
                spawn_named("waits 2", async move { drop(reads.read().await) }),
                spawn_named("waits 3", async move { drop(writes.write().await) }),
                spawn_named("waits 4", async move { drop(semaphore.acquire().await) }),
                spawn_named("waits 5", async move { drop(changed.1.wait(changed.0.lock().await).await) }),
                spawn_named("waits 6", async move { assert!(barrier.wait().await.is_leader()) }),
                spawn_named("waits 7", async move { *once.call(std::future::pending).await }),
            ]
        };
        sleep(millis(50)).await;
        let other = once.clone();
        spawn_named("waits 8", async move { *other.call(async || ()).await });
        sleep(millis(50)).await;
        let table = dump().to_string();
        for expected in [
            "raw mutex (door)",
            "rwlock read (catalogue)",
            "rwlock write (catalogue)",
            "semaphore (slots)",
            "condvar (changed)",
            "barrier (meeting)",
            "once (config)",
        ] {
            assert!(table.contains(expected), "{expected} is missing from\n{table}");
        }
        drop(tasks);
    });
}
