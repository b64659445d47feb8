//! A mutex side by side: uncontended, four tasks that hold it briefly, and four that hold it across an await. The result is
//! the time of one lock and unlock.

mod common;
mod share;

use std::future::Future;
use std::ops::DerefMut;
use std::sync::Arc;

use common::{criterion, measure, runtimes};
use criterion::BenchmarkGroup;
use criterion::measurement::WallTime;
use share::share;
use tokio::runtime::Runtime;

trait Mutex: Send + Sync + 'static {
    const NAME: &'static str;

    fn new() -> Self;

    fn lock(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send;
}

macro_rules! mutex {
    ($mutex:ty, $name:literal) => {
        impl Mutex for $mutex {
            const NAME: &'static str = $name;

            fn new() -> Self {
                Self::new(0)
            }

            fn lock(&self) -> impl Future<Output = impl DerefMut<Target = u64> + Send> + Send {
                self.lock()
            }
        }
    };
}

mutex!(windtunnel::sync::Mutex<u64>, "windtunnel");
mutex!(tokio::sync::Mutex<u64>, "tokio");
mutex!(async_lock::Mutex<u64>, "async-lock");

fn main() {
    let mut criterion = criterion();
    for (threads, runtime) in &runtimes() {
        for (case, tasks, across_await) in
            [("uncontended", 1, false), ("4 tasks", 4, false), ("4 tasks, across await", 4, true)]
        {
            let mut group = criterion.benchmark_group(format!("mutex {threads} {case}"));
            add::<windtunnel::sync::Mutex<u64>>(&mut group, runtime, tasks, across_await);
            add::<tokio::sync::Mutex<u64>>(&mut group, runtime, tasks, across_await);
            add::<async_lock::Mutex<u64>>(&mut group, runtime, tasks, across_await);
            group.finish();
        }
    }
    criterion.final_summary();
}

fn add<M: Mutex>(group: &mut BenchmarkGroup<'_, WallTime>, runtime: &Runtime, tasks: u64, across_await: bool) {
    measure(group, runtime, M::NAME, |n| count::<M>(n, tasks, across_await));
}

/// Locks a mutex `n` times in all.
async fn count<M: Mutex>(n: u64, tasks: u64, across_await: bool) {
    let mutex = Arc::new(M::new());
    let tasks: Vec<_> = share(n, tasks)
        .map(|n| {
            let mutex = Arc::clone(&mutex);
            // Every rival's task is windtunnel's, so that the difference is the mutex.
            windtunnel::spawn(async move {
                for _ in 0..n {
                    let mut count = mutex.lock().await;
                    if across_await {
                        tokio::task::yield_now().await;
                    }
                    *count += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("a bench does not panic");
    }
    assert_eq!(*mutex.lock().await, n);
}
