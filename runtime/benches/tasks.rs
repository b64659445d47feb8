//! Tasks against bare tokio: spawn and join, one at a time and a hundred at once; and looking at a thousand blocked tasks.

mod common;

use common::{criterion, measure, runtimes};
use criterion::{Criterion, Throughput};
use tokio::runtime::Runtime;
use windtunnel::{channel, spawn, task};

const BATCH: u64 = 100;
const BLOCKED: u64 = 1_000;

fn main() {
    let mut criterion = criterion();
    for (threads, runtime) in &runtimes() {
        one_at_a_time(&mut criterion, threads, runtime);
        many_at_once(&mut criterion, threads, runtime);
        dump(&mut criterion, threads, runtime);
    }
    criterion.final_summary();
}

fn one_at_a_time(criterion: &mut Criterion, threads: &str, runtime: &Runtime) {
    let mut group = criterion.benchmark_group(format!("spawn+join {threads} one at a time"));
    measure(&mut group, runtime, "windtunnel", |n| async move {
        for i in 0..n {
            assert_eq!(spawn(async move { i }).await, Ok(i));
        }
    });
    measure(&mut group, runtime, "tokio", |n| async move {
        for i in 0..n {
            assert_eq!(tokio::spawn(async move { i }).await.ok(), Some(i));
        }
    });
    group.finish();
}

fn many_at_once(criterion: &mut Criterion, threads: &str, runtime: &Runtime) {
    let mut group = criterion.benchmark_group(format!("spawn+join {threads} {BATCH} at once"));
    measure(&mut group, runtime, "windtunnel", |n| async move {
        for _ in 0..n.div_ceil(BATCH) {
            let tasks: Vec<_> = (0..BATCH).map(|i| spawn(async move { i })).collect();
            for (i, task) in (0..).zip(tasks) {
                assert_eq!(task.await, Ok(i));
            }
        }
    });
    measure(&mut group, runtime, "tokio", |n| async move {
        for _ in 0..n.div_ceil(BATCH) {
            let tasks: Vec<_> = (0..BATCH).map(|i| tokio::spawn(async move { i })).collect();
            for (i, task) in (0..).zip(tasks) {
                assert_eq!(task.await.ok(), Some(i));
            }
        }
    });
    group.finish();
}

/// The result is the time of one dump of all tasks. Bare tokio has nothing to compare it with.
fn dump(criterion: &mut Criterion, threads: &str, runtime: &Runtime) {
    let mut group = criterion.benchmark_group(format!("dump {threads} {BLOCKED} blocked tasks"));
    group.throughput(Throughput::Elements(BLOCKED));
    let (sender, receiver) = channel::<()>(0);
    let tasks: Vec<_> = runtime.block_on(async {
        let tasks = (0..BLOCKED).map(|_| {
            spawn({
                let receiver = receiver.clone();
                async move { receiver.recv().await }
            })
        });
        let tasks: Vec<_> = tasks.collect();
        // Until each has blocked: a dump of running tasks has less to say.
        while !blocked(task::dump().to_string().as_str()) {
            tokio::task::yield_now().await;
        }
        tasks
    });
    group.bench_function("windtunnel", |bencher| bencher.iter(task::dump));
    group.finish();
    drop(sender);
    runtime.block_on(async {
        for task in tasks {
            assert_eq!(task.await, Ok(None));
        }
    });
}

fn blocked(table: &str) -> bool {
    table.contains(&format!("{BLOCKED} × channel recv"))
}
