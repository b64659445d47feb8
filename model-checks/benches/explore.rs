//! Executions and speed of the two engines, and of brute force, on small protocols: `cargo bench -p windtunnel-model`.
//!
//! Each search ends after five seconds at most; `>` stands before the executions of one that did not come to its end.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use windtunnel::sync::Mutex;
use windtunnel::{go, spawn};
use windtunnel_model::{Builder, Engine};

type Body = Pin<Box<dyn Future<Output = ()>>>;
type Protocol = (String, u64, Arc<dyn Fn() -> Body + Send + Sync>);

const PATIENCE: Duration = Duration::from_secs(5);

fn locks(threads: usize, operations: usize) {
    let mutex = Arc::new(Mutex::new(()));
    for _ in 0..threads {
        let mutex = Arc::clone(&mutex);
        spawn(async move {
            for _ in 0..operations {
                drop(mutex.lock().await);
            }
        });
    }
}

async fn scheduler(workers: usize, tasks: usize) {
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
}

/// Executions, whether they are all, and how long they took.
fn cell((executions, complete, elapsed): (u64, bool, Duration)) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    let rate = executions as f64 / elapsed.as_secs_f64() / 1000.0;
    let more = if complete { "" } else { ">" };
    format!("{more}{executions} at {rate:.0} k/s")
}

fn check(engine: Engine, protocol: &Protocol) -> (u64, bool, Duration) {
    let body = Arc::clone(&protocol.2);
    let report = Builder::new().engine(engine).max_duration(PATIENCE).check("bench", move || body());
    assert!(report.failure.is_none(), "{report}");
    (report.executions, report.is_complete(), report.elapsed)
}

fn brute_force(protocol: &Protocol) -> (u64, bool, Duration) {
    let body = Arc::clone(&protocol.2);
    let started = Instant::now();
    let outcomes = Builder::new().max_duration(PATIENCE).outcomes(false, move || body(), String::new);
    (outcomes.executions, outcomes.bounds.is_empty(), started.elapsed())
}

fn main() {
    let mut protocols: Vec<Protocol> = Vec::new();
    for (threads, operations) in [(2, 1), (2, 4), (2, 6), (3, 2), (4, 1), (5, 1), (4, 2)] {
        let name = format!("{threads} tasks x {operations} lock operations");
        protocols.push((
            name,
            threads as u64 + 1,
            Arc::new(move || Box::pin(async move { locks(threads, operations) })),
        ));
    }
    for (workers, tasks) in [(1, 2), (2, 2), (2, 3), (3, 2), (3, 3)] {
        let name = format!("scheduler, {workers} workers, {tasks} tasks");
        protocols.push((name, workers as u64 + 1, Arc::new(move || Box::pin(scheduler(workers, tasks)))));
    }
    println!("{:<34} {:>24} {:>24} {:>24}", "", "explore", "loom", "brute force");
    for protocol in &protocols {
        let loom = if protocol.1 <= 5 { cell(check(Engine::Loom, protocol)) } else { "-".into() };
        let (explore, brute_force) = (cell(check(Engine::Explore, protocol)), cell(brute_force(protocol)));
        println!("{:<34} {explore:>24} {loom:>24} {brute_force:>24}", protocol.0);
    }
}
