//! A read-write lock side by side: uncontended, four tasks that read, and four of which one in eight operations writes. The
//! result is the time of one lock and unlock.

mod common;
mod share;

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use common::{criterion, measure, runtimes};
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use share::share;
use tokio::runtime::Runtime;

trait RwLock: Send + Sync + 'static {
    const NAME: &'static str;

    fn new() -> Self;

    fn read(&self) -> impl Future<Output = impl Deref<Target = u64> + Send> + Send;

    fn write(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;
}

macro_rules! rw_lock {
    ($lock:ty, $name:literal) => {
        impl RwLock for $lock {
            const NAME: &'static str = $name;

            fn new() -> Self {
                Self::new(0)
            }

            fn read(&self) -> impl Future<Output = impl Deref<Target = u64> + Send> + Send {
                self.read()
            }

            fn write(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send {
                self.write()
            }
        }
    };
}

rw_lock!(windtunnel::sync::RwLock<u64>, "windtunnel");
rw_lock!(tokio::sync::RwLock<u64>, "tokio");
rw_lock!(async_lock::RwLock<u64>, "async-lock");

/// Of so many operations one writes; none if there is no such number.
type WriteEach = Option<u64>;

fn main() {
    let mut criterion = criterion();
    for (threads, runtime) in &runtimes() {
        for (case, tasks, write_each) in [
            ("uncontended reads", 1, None),
            ("uncontended writes", 1, Some(1)),
            ("4 readers", 4, None),
            ("4 tasks, an eighth writes", 4, Some(8)),
        ] {
            let mut group = criterion.benchmark_group(format!("rwlock {threads} {case}"));
            add::<windtunnel::sync::RwLock<u64>>(&mut group, runtime, tasks, write_each);
            add::<tokio::sync::RwLock<u64>>(&mut group, runtime, tasks, write_each);
            add::<async_lock::RwLock<u64>>(&mut group, runtime, tasks, write_each);
            group.finish();
        }
    }
    criterion.final_summary();
}

fn add<L: RwLock>(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, tasks: u64, write_each: WriteEach) {
    measure(group, runtime, L::NAME, |n| visit::<L>(n, tasks, write_each));
}

/// Locks `n` times in all.
async fn visit<L: RwLock>(n: u64, tasks: u64, write_each: WriteEach) {
    let lock = Arc::new(L::new());
    let tasks: Vec<_> = share(n, tasks)
        .map(|n| {
            let lock = Arc::clone(&lock);
            // Every rival's task is windtunnel's, so that the difference is the lock.
            windtunnel::spawn(async move {
                let mut written = 0;
                for i in 0..n {
                    if write_each.is_some_and(|each| i % each == 0) {
                        *lock.write().await += 1;
                        written += 1;
                    } else {
                        assert!(*lock.read().await >= written);
                    }
                }
                written
            })
        })
        .collect();
    let mut written = 0;
    for task in tasks {
        written += task.await.expect("a bench does not panic");
    }
    assert_eq!(*lock.read().await, written);
}
