//! The locks and meeting places under every interleaving: each pair of operations that meet, and each wait that is dropped.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;

use windtunnel::spawn;
use windtunnel::sync::{
    AcquireError, Barrier, Condvar, Mutex, Once, RawMutex, RwLock, Semaphore, TryAcquireError, WaitGroup,
};
use windtunnel::task::yield_now;
use windtunnel::time::{secs, timeout};

use super::begin;

/// Waits for `future` or gives up: at once, or as late as the others allow.
async fn perhaps<F: Future>(future: F) -> Option<F::Output> {
    timeout(secs(1), future).await.ok()
}

/// Two halves that agree whenever no writer is at work.
struct Pair {
    halves: (u32, u32),
    /// Every task touches it between the halves: only at operations on what they share does the checker switch tasks.
    between: Semaphore,
}

impl Default for Pair {
    fn default() -> Self {
        Self { halves: (0, 0), between: Semaphore::new(0) }
    }
}

impl Pair {
    fn write(&mut self) {
        self.halves.0 += 1;
        self.between.available_permits();
        self.halves.1 += 1;
    }

    fn read(&self) -> u32 {
        let first = self.halves.0;
        self.between.available_permits();
        assert_eq!((first, first), self.halves, "a reader meets no writer");
        first
    }
}

// ---- Mutex

/// Two tasks that lock a mutex exclude each other.
#[windtunnel_model::test]
pub async fn mutex_excludes() {
    let mutex = Arc::new(Mutex::new(Pair::default()));
    let other = Arc::clone(&mutex);
    let task = spawn(async move { other.lock().await.write() });
    mutex.lock().await.write();
    task.await.expect("it writes");
    assert_eq!(mutex.lock().await.read(), 2);
}

/// A dropped wait for a mutex passes it on if it has just got it.
#[windtunnel_model::test]
pub async fn mutex_dropped_wait_passes_it_on() {
    let mutex = Arc::new(Mutex::new(0));
    let guard = mutex.lock().await;
    for _ in 0..2 {
        let mutex = Arc::clone(&mutex);
        spawn(async move {
            if let Some(mut guard) = perhaps(mutex.lock()).await {
                *guard += 1;
            }
        });
    }
    drop(guard);
    drop(mutex.lock().await);
}

/// An owned guard locks as a borrowed one does, and unlocks in whichever task it is dropped.
#[windtunnel_model::test]
pub async fn mutex_owned_guard_moves_to_another_task() {
    let mutex = Arc::new(Mutex::new(Pair::default()));
    let mut guard = Arc::clone(&mutex).lock_owned().await;
    let task = spawn(async move { guard.write() });
    assert_eq!(mutex.lock().await.read(), 1);
    task.await.expect("it writes");
    let mutex = Arc::into_inner(mutex).expect("the guard has gone");
    assert_eq!(mutex.into_inner().halves, (1, 1));
}

// ---- RawMutex

/// A raw mutex excludes, also when it is unlocked by another task than locked it.
#[windtunnel_model::test]
pub async fn raw_mutex_unlocked_by_another_task() {
    let mutex = Arc::new(RawMutex::new());
    mutex.lock().await;
    let other = Arc::clone(&mutex);
    spawn(async move { other.unlock() });
    mutex.lock().await;
    assert!(!mutex.try_lock());
    mutex.unlock();
    assert!(mutex.try_lock());
}

/// A dropped wait for a raw mutex leaves it to the next.
#[windtunnel_model::test]
pub async fn raw_mutex_dropped_wait_passes_it_on() {
    let mutex = Arc::new(RawMutex::new());
    mutex.lock().await;
    for _ in 0..2 {
        let mutex = Arc::clone(&mutex);
        spawn(async move {
            if perhaps(mutex.lock()).await.is_some() {
                mutex.unlock();
            }
        });
    }
    mutex.unlock();
    mutex.lock().await;
}

// ---- RwLock

/// A reader never sees half of a write.
#[windtunnel_model::test]
pub async fn rwlock_read_and_write() {
    let lock = Arc::new(RwLock::new(Pair::default()));
    let other = Arc::clone(&lock);
    let writer = spawn(async move { other.write().await.write() });
    assert!(lock.read().await.read() <= 1);
    writer.await.expect("it writes");
    assert_eq!(lock.read().await.read(), 1);
}

/// Two writers exclude each other.
#[windtunnel_model::test]
pub async fn rwlock_write_and_write() {
    let lock = Arc::new(RwLock::new(Pair::default()));
    let other = Arc::clone(&lock);
    let writer = spawn(async move { other.write().await.write() });
    lock.write().await.write();
    writer.await.expect("it writes");
    let lock = Arc::into_inner(lock).expect("the other task has ended");
    assert_eq!(lock.into_inner().halves, (2, 2));
}

/// Two readers hold the lock at the same time, and a writer waits for both.
#[windtunnel_model::test]
pub async fn rwlock_readers_share() {
    let lock = Arc::new(RwLock::new(Pair::default()));
    let first = lock.read().await;
    let other = Arc::clone(&lock);
    let reader = spawn(async move { other.read().await.read() });
    assert_eq!(reader.await, Ok(0));
    assert!(lock.try_write().is_none());
    drop(first);
    lock.try_write().expect("nobody reads").write();
}

/// A writer that unlocks lets every reader at the head of the queue go on.
#[windtunnel_model::test]
pub async fn rwlock_writer_admits_all_readers() {
    let lock = Arc::new(RwLock::new(()));
    let both = Arc::new(Barrier::new(2));
    let writing = lock.write().await;
    let tasks = [(); 2].map(|()| {
        let (lock, both) = (Arc::clone(&lock), Arc::clone(&both));
        spawn(async move {
            let reading = lock.read().await;
            // Both are inside at once, or this deadlocks.
            both.wait().await;
            drop(reading);
        })
    });
    drop(writing);
    for task in tasks {
        task.await.expect("it reads");
    }
}

/// A reader that comes after a waiting writer sees what it wrote: it does not overtake it.
#[windtunnel_model::test]
pub async fn rwlock_reader_does_not_overtake_a_waiting_writer() {
    let lock = Arc::new(RwLock::new(0));
    let reading = lock.read().await;
    let mut write = pin!(lock.write());
    begin(write.as_mut()).await;
    assert!(lock.try_read().is_none(), "a writer waits");
    let other = Arc::clone(&lock);
    let reader = spawn(async move { *other.read().await });
    drop(reading);
    *write.await += 1;
    assert_eq!(reader.await, Ok(1));
}

/// A waiting writer that gives up admits the readers queued behind it, while others still read.
#[windtunnel_model::test]
pub async fn rwlock_dropped_writer_admits_readers() {
    let lock = Arc::new(RwLock::new(()));
    let reading = lock.read().await;
    let other = Arc::clone(&lock);
    spawn(async move { drop(perhaps(other.write()).await) });
    let other = Arc::clone(&lock);
    let reader = spawn(async move { drop(perhaps(other.read()).await) });
    drop(reading);
    reader.await.expect("it ends");
    drop(lock.write().await);
}

/// A reader behind a writer that gives up goes on although the lock is never unlocked.
#[windtunnel_model::test]
pub async fn rwlock_reader_behind_a_dropped_writer() {
    let lock = Arc::new(RwLock::new(()));
    let first = lock.read().await;
    let other = Arc::clone(&lock);
    // Gives up for certain, as the lock stays read.
    let writer = spawn(async move { assert!(perhaps(other.write()).await.is_none()) });
    let second = lock.read().await;
    writer.await.expect("it gives up");
    drop((first, second));
}

/// A dropped read that has just got the lock lets the writer behind it go on.
#[windtunnel_model::test]
pub async fn rwlock_dropped_read_passes_it_on() {
    let lock = Arc::new(RwLock::new(()));
    let writing = lock.write().await;
    let other = Arc::clone(&lock);
    spawn(async move { drop(perhaps(other.read()).await) });
    drop(writing);
    drop(lock.write().await);
}

// ---- Semaphore

/// No more tasks hold a permit than there are.
#[windtunnel_model::test]
pub async fn semaphore_of_one_excludes() {
    let semaphore = Arc::new(Semaphore::new(1));
    let data = Arc::new(RwLock::new(Pair::default()));
    let task = {
        let (semaphore, data) = (Arc::clone(&semaphore), Arc::clone(&data));
        spawn(async move {
            let _permit = semaphore.acquire_owned().await.expect("it is open");
            data.try_write().expect("nobody else holds a permit").write();
        })
    };
    let permit = semaphore.acquire().await.expect("it is open");
    data.try_write().expect("nobody else holds a permit").write();
    drop(permit);
    task.await.expect("it writes");
    assert_eq!(semaphore.available_permits(), 1);
}

/// Permits that are added one by one meet a request for two.
#[windtunnel_model::test]
pub async fn semaphore_many_waits_for_all() {
    let semaphore = Arc::new(Semaphore::new(0));
    for _ in 0..2 {
        let semaphore = Arc::clone(&semaphore);
        spawn(async move { semaphore.add_permits(1) });
    }
    semaphore.acquire_many(2).await.expect("it is open").forget();
    assert_eq!(semaphore.available_permits(), 0);
}

/// A large request at the head makes a small one behind it wait.
#[windtunnel_model::test]
pub async fn semaphore_small_request_does_not_overtake_a_large_one() {
    let semaphore = Arc::new(Semaphore::new(1));
    let mut large = pin!(semaphore.acquire_many(2));
    begin(large.as_mut()).await;
    assert_eq!(semaphore.try_acquire().map(drop), Err(TryAcquireError::NoPermits), "a request waits");
    let other = Arc::clone(&semaphore);
    let small = spawn(async move {
        let _permit = other.acquire().await.expect("it is open");
        assert_eq!(other.available_permits(), 1, "the large request has come and gone");
    });
    semaphore.add_permits(1);
    drop(large.await.expect("it is open"));
    small.await.expect("it ends");
}

/// A large request that gives up lets the small one behind it go on.
#[windtunnel_model::test]
pub async fn semaphore_dropped_large_request_lets_a_small_one_go_on() {
    let semaphore = Arc::new(Semaphore::new(1));
    let other = Arc::clone(&semaphore);
    // Gives up for certain: there is one permit only.
    spawn(async move { assert!(perhaps(other.acquire_many(2)).await.is_none()) });
    semaphore.acquire().await.expect("it is open").forget();
}

/// A dropped request gives back the permits it has just got.
#[windtunnel_model::test]
pub async fn semaphore_dropped_request_gives_back() {
    let semaphore = Arc::new(Semaphore::new(0));
    let other = Arc::clone(&semaphore);
    spawn(async move { drop(perhaps(other.acquire()).await) });
    semaphore.add_permits(1);
    semaphore.acquire().await.expect("it is open").forget();
}

/// Closing ends a wait, whenever it comes, and refuses later ones.
#[windtunnel_model::test]
pub async fn semaphore_close_ends_a_wait() {
    let semaphore = Arc::new(Semaphore::new(0));
    let other = Arc::clone(&semaphore);
    let task = spawn(async move { other.acquire().await.map(drop) });
    semaphore.close();
    assert_eq!(task.await, Ok(Err(AcquireError)));
    assert_eq!(semaphore.try_acquire().map(drop), Err(TryAcquireError::Closed));
}

/// Closing and a permit race for a wait that may be dropped; no permit is lost.
#[windtunnel_model::test]
pub async fn semaphore_close_against_release() {
    let semaphore = Arc::new(Semaphore::new(0));
    let other = Arc::clone(&semaphore);
    let waiting = spawn(async move { drop(perhaps(other.acquire()).await) });
    let other = Arc::clone(&semaphore);
    let closing = spawn(async move { other.close() });
    semaphore.add_permits(1);
    waiting.await.expect("it ends");
    closing.await.expect("it ends");
    assert_eq!(semaphore.available_permits(), 1);
}

// ---- Condvar

/// A flag under a mutex, and its condition variable.
#[derive(Default)]
struct Flag {
    set: Mutex<u32>,
    changed: Condvar,
}

impl Flag {
    /// Waits for one unit and takes it.
    async fn take(&self) {
        let mut set = self.set.lock().await;
        while *set == 0 {
            set = self.changed.wait(set).await;
        }
        *set -= 1;
    }
}

/// A change followed by a notification is seen by who checks in a loop.
#[windtunnel_model::test]
pub async fn condvar_notification_is_not_missed() {
    let flag = Arc::new(Flag::default());
    let other = Arc::clone(&flag);
    spawn(async move { other.take().await });
    *flag.set.lock().await += 1;
    flag.changed.notify_one();
}

/// The mutex is free while a task waits, and held again afterwards.
#[windtunnel_model::test]
pub async fn condvar_has_the_mutex_again() {
    let pair = Arc::new((Mutex::new(Pair::default()), Condvar::new()));
    let guard = pair.0.lock().await;
    let other = Arc::clone(&pair);
    spawn(async move {
        let mut guard = other.0.lock().await;
        other.1.notify_one();
        guard.write();
    });
    let guard = pair.1.wait(guard).await;
    assert_eq!(guard.read(), 1);
}

/// Two notifications reach two waiters.
#[windtunnel_model::test]
pub async fn condvar_two_notifications_reach_two_waiters() {
    let flag = Arc::new(Flag::default());
    for _ in 0..2 {
        let flag = Arc::clone(&flag);
        spawn(async move { flag.take().await });
    }
    *flag.set.lock().await += 2;
    flag.changed.notify_one();
    flag.changed.notify_one();
}

/// One notification to all reaches two waiters.
#[windtunnel_model::test]
pub async fn condvar_notify_all_reaches_two_waiters() {
    let flag = Arc::new(Flag::default());
    for _ in 0..2 {
        let flag = Arc::clone(&flag);
        spawn(async move { flag.take().await });
    }
    *flag.set.lock().await += 2;
    flag.changed.notify_all();
}

/// A waiter that is notified and then dropped, also while it locks the mutex again, passes the notification on.
#[windtunnel_model::test]
pub async fn condvar_dropped_waiter_passes_its_notification_on() {
    let flag = Arc::new(Flag::default());
    let other = Arc::clone(&flag);
    spawn(async move {
        let set = other.set.lock().await;
        if *set == 0 && perhaps(other.changed.wait(set)).await.is_some() {
            // Notified in the other's place, and leaves it the unit.
            other.changed.notify_one();
        }
    });
    let other = Arc::clone(&flag);
    spawn(async move {
        let mut set = other.set.lock().await;
        *set += 1;
        other.changed.notify_one();
    });
    flag.take().await;
}

/// A notification reaches the longest waiter, and nobody else.
#[windtunnel_model::test]
pub async fn condvar_notify_one_wakes_the_longest_waiter_only() {
    let flag = Arc::new(Flag::default());
    let mut first = pin!(flag.changed.wait(flag.set.lock().await));
    begin(first.as_mut()).await;
    let mut second = pin!(flag.changed.wait(flag.set.lock().await));
    begin(second.as_mut()).await;
    let other = Arc::clone(&flag);
    spawn(async move { other.changed.notify_one() });
    drop(first.await);
    begin(second.as_mut()).await;
    flag.changed.notify_one();
    drop(second.await);
}

/// A waiter told with all others and then dropped passes nothing on: nobody wakes without a reason.
#[windtunnel_model::test]
pub async fn condvar_dropped_waiter_of_notify_all_wakes_nobody() {
    let flag = Arc::new(Flag::default());
    let other = Arc::clone(&flag);
    let waiter = spawn(async move {
        let set = other.set.lock().await;
        drop(perhaps(other.changed.wait(set)).await);
    });
    flag.changed.notify_all();
    let other = Arc::clone(&flag);
    spawn(async move {
        waiter.await.expect("it ends");
        *other.set.lock().await = 1;
        other.changed.notify_all();
    });
    let set = flag.set.lock().await;
    if *set == 0 {
        assert_eq!(*flag.changed.wait(set).await, 1, "woken for no reason");
    }
}

// ---- Barrier

/// Nobody passes a barrier before all are there, one leads, and it serves again.
#[windtunnel_model::test]
pub async fn barrier_meets_twice() {
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    let task = spawn(async move { [other.wait().await.is_leader(), other.wait().await.is_leader()] });
    let here = [barrier.wait().await.is_leader(), barrier.wait().await.is_leader()];
    let there = task.await.expect("it ends");
    assert!(here[0] != there[0] && here[1] != there[1], "{here:?} {there:?}");
}

/// Three parties meet; exactly one leads.
#[windtunnel_model::test]
pub async fn barrier_of_three_has_one_leader() {
    let barrier = Arc::new(Barrier::new(3));
    let tasks = [(); 2].map(|()| {
        let barrier = Arc::clone(&barrier);
        spawn(async move { barrier.wait().await.is_leader() })
    });
    let mut leaders = u32::from(barrier.wait().await.is_leader());
    for task in tasks {
        leaders += u32::from(task.await.expect("it ends"));
    }
    assert_eq!(leaders, 1);
}

/// A party that gave up is not counted in the next meeting.
#[windtunnel_model::test]
pub async fn barrier_dropped_wait_is_not_counted() {
    let barrier = Arc::new(Barrier::new(2));
    assert_eq!(perhaps(barrier.wait()).await, None, "nobody meets alone");
    let other = Arc::clone(&barrier);
    let task = spawn(async move { other.wait().await.is_leader() });
    assert!(barrier.wait().await.is_leader() != task.await.expect("it ends"));
}

/// A party that gives up is not counted, unless all had arrived: then they all go on.
#[windtunnel_model::test]
pub async fn barrier_dropped_wait_takes_its_arrival_back() {
    let barrier = Arc::new(Barrier::new(2));
    let other = Arc::clone(&barrier);
    let fickle = spawn(async move { perhaps(other.wait()).await.is_some() });
    let met = perhaps(barrier.wait()).await.is_some();
    // A wait that is dropped may have met the other a moment before, but nobody meets alone.
    let _ = (fickle.await.expect("it ends"), met);
    // Nobody is left inside: two more meet, and one of them leads.
    let other = Arc::clone(&barrier);
    let task = spawn(async move { other.wait().await.is_leader() });
    assert!(barrier.wait().await.is_leader() != task.await.expect("it ends"));
}

// ---- Once

/// Of two calls one runs its closure, and both see the value.
#[windtunnel_model::test]
pub async fn once_runs_one_closure() {
    let once = Arc::new(Once::new());
    let running = Arc::new(RawMutex::new());
    let init = |value| {
        let running = Arc::clone(&running);
        async move || {
            assert!(running.try_lock(), "one closure runs, once");
            yield_now().await;
            value
        }
    };
    let (other, first) = (Arc::clone(&once), init(1));
    let task = spawn(async move { *other.call(first).await });
    let seen = *once.call(init(2)).await;
    assert_eq!(task.await, Ok(seen));
    assert_eq!(once.get(), Some(&seen));
}

/// If the one that runs is dropped, the one that waits runs its own closure.
#[windtunnel_model::test]
pub async fn once_dropped_call_leaves_it_to_the_next() {
    let once = Arc::new(Once::new());
    let other = Arc::clone(&once);
    spawn(async move { perhaps(other.call(|| std::future::ready(1))).await.copied() });
    let other = Arc::clone(&once);
    spawn(async move {
        let slow = async || {
            yield_now().await;
            2
        };
        perhaps(other.call(slow)).await.copied()
    });
    let seen = *once.call(async || 3).await;
    assert_eq!(once.get(), Some(&seen));
}

/// What is not done has no value, and what is done stays so.
#[windtunnel_model::test]
pub async fn once_get_against_call() {
    let once = Arc::new(Once::new());
    let other = Arc::clone(&once);
    let task = spawn(async move { *other.call(async || 1).await });
    assert!(matches!(once.get(), None | Some(1)));
    task.await.expect("it ends");
    assert_eq!(once.get(), Some(&1));
}

// ---- WaitGroup

/// A wait ends once every task is done, and not before.
#[windtunnel_model::test]
pub async fn wait_group_waits_for_all() {
    let group = WaitGroup::new();
    let done = Arc::new(RwLock::new(0));
    for _ in 0..2 {
        group.add(1);
        let (group, done) = (group.clone(), Arc::clone(&done));
        spawn(async move {
            *done.write().await += 1;
            group.done();
        });
    }
    group.wait().await;
    assert_eq!(*done.try_read().expect("nobody writes any more"), 2);
}

/// A dropped wait for a group harms nobody.
#[windtunnel_model::test]
pub async fn wait_group_dropped_wait() {
    let group = WaitGroup::new();
    group.add(1);
    let other = group.clone();
    spawn(async move { perhaps(other.wait()).await });
    let other = group.clone();
    spawn(async move { other.done() });
    group.wait().await;
}
