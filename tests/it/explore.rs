//! The reduction of the explore engine on small programs, each of which needs one of its parts: it finds the ends that brute
//! force found. (Random programs, loom, counts and reports: `model-checks/tests`.)

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex as StdMutex};

use windtunnel::sync::Mutex;
use windtunnel::{Receiver, Sender, channel, go, rand, select, spawn, time};
use windtunnel_model::Builder;

/// What the tasks of a program saw, by task.
type Log = Arc<StdMutex<[String; 3]>>;

fn note(log: &Log, task: usize, seen: impl std::fmt::Debug) {
    let seen = format!("{seen:?} ");
    log.lock().unwrap()[task] += &seen;
}

/// Sends and receives on two channels, by three tasks.
async fn channels(log: Log) {
    let (a, b) = (go::named("a", 1), go::named::<usize>("b", 0));
    for task in 0..2 {
        let (a, b, log) = (a.clone(), b.clone(), Arc::clone(&log));
        spawn(async move {
            note(&log, task, a.try_send(task).is_ok());
            note(&log, task, b.recv().await);
        });
    }
    note(&log, 2, a.recv().await);
    b.close().unwrap();
}

/// A mutex that one task tries, and others lock one inside the other.
#[expect(clippy::unused_async, reason = "a program is a future")]
async fn mutexes(log: Log) {
    let (a, b) = (Arc::new(Mutex::named("a", 0)), Arc::new(Mutex::named("b", 0)));
    for (task, first, second) in [(0, Arc::clone(&a), Arc::clone(&b)), (1, Arc::clone(&b), Arc::clone(&a))] {
        let log = Arc::clone(&log);
        spawn(async move {
            let mut first = first.lock().await;
            *first += 1;
            note(&log, task, *second.lock().await);
        });
    }
    note(&log, 2, a.try_lock().map(|held| *held));
}

/// A timeout that may run out, or be dropped.
async fn timers(log: Log) {
    let (sender, receiver): (Sender<u8>, Receiver<u8>) = channel(0);
    let other = Arc::clone(&log);
    spawn(async move {
        note(&other, 0, time::timeout(time::secs(1), sender.send(1)).await.is_ok());
    });
    note(&log, 1, time::timeout(time::secs(2), receiver.recv()).await.ok());
}

/// Choices of a select and of the program's own, and a task that chooses who is served.
async fn choices(log: Log) {
    let (a, b) = (go::named("a", 1), go::named("b", 1));
    for (task, channel) in [(0, a.clone()), (1, b.clone())] {
        spawn(async move {
            channel.send(rand::choose(task + 1)).await.unwrap();
        });
    }
    note(&log, 2, select! { value = a.recv() => ('a', value), value = b.recv() => ('b', value) });
    note(&log, 2, (a.try_recv().ok(), b.len()));
}

/// A timer that fires before, between or after two looks at the clock.
#[expect(clippy::unused_async, reason = "a program is a future")]
async fn clock(log: Log) {
    spawn(time::sleep(time::secs(1)));
    let start = time::Instant::now();
    note(&log, 0, start.elapsed());
}

type Program = fn(Log) -> Pin<Box<dyn Future<Output = ()>>>;

/// Brute force finds the same number: in 66,640, 262,202, 39,378 and 32,340 executions for the first four, too many for a test.
#[test]
fn the_reduction_finds_as_many_ends_as_brute_force_finds() {
    let programs: [(&str, Program, usize); 5] = [
        ("channels", |log| Box::pin(channels(log)), 4),
        ("mutexes", |log| Box::pin(mutexes(log)), 8),
        ("timers", |log| Box::pin(timers(log)), 5),
        ("choices", |log| Box::pin(choices(log)), 6),
        ("clock", |log| Box::pin(clock(log)), 2),
    ];
    for (name, program, ends) in programs {
        let log = Log::default();
        let seen = Arc::clone(&log);
        let body = move || {
            *log.lock().unwrap() = <[String; 3]>::default();
            program(Arc::clone(&log))
        };
        let found = Builder::new().outcomes(true, body, move || seen.lock().unwrap().join("| "));
        assert_eq!(found.ends.len(), ends, "{name}: {:#?}", found.ends);
        assert!(found.executions < 100, "{name}: {}", found.executions);
    }
}
