//! The reduction of the explore engine on small programs, each of which needs one of its parts: it finds the ends that brute
//! force found. (Random programs, loom, counts and reports: `model-checks/tests`.)

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex as StdMutex};
use std::task::Poll;

use windtunnel::sync::{Context, Mutex, RwLock, WaitGroup};
use windtunnel::task::yield_now;
use windtunnel::{Receiver, Sender, channel, go, rand, select, spawn, time};
use windtunnel_model::{Builder, Engine, Report, Sampling};

use crate::common::on_every_runtime;

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

/// A buffer with one place, which two tasks try.
#[expect(clippy::unused_async, reason = "a program is a future")]
async fn buffers(log: Log) {
    let values = go::named("values", 1);
    let (sends, other) = (values.clone(), Arc::clone(&log));
    spawn(async move {
        for value in 0..2 {
            note(&other, 0, sends.try_send(value).is_ok());
        }
    });
    for _ in 0..2 {
        note(&log, 1, values.try_recv().ok());
    }
}

/// A buffer that is full until somebody takes a value out.
#[expect(clippy::unused_async, reason = "a program is a future")]
async fn room(log: Log) {
    let values = go::named("values", 1);
    assert!(values.try_send(0).is_ok(), "there is room at first");
    let receives = values.clone();
    spawn(async move { receives.try_recv().ok() });
    note(&log, 0, values.try_send(1).is_ok());
}

/// A reader beside a writer, and one that only tries.
async fn readers(log: Log) {
    let lock = Arc::new(RwLock::named("lock", 0));
    let (writes, tries, other) = (Arc::clone(&lock), Arc::clone(&lock), Arc::clone(&log));
    spawn(async move { *writes.write().await += 1 });
    spawn(async move { note(&other, 0, tries.try_read().map(|read| *read)) });
    note(&log, 1, *lock.read().await);
}

/// What is assumed for as long as nobody has looked at the clock: that shows another moment only if the timer fired before.
async fn assumed_later(log: Log) {
    let (sender, receiver) = channel(1);
    let (start, other) = (time::Instant::now(), Arc::clone(&log));
    spawn(async move {
        note(&other, 0, start.elapsed());
        sender.send(()).await.unwrap();
    });
    spawn(time::sleep(time::secs(1)));
    note(&log, 1, time::assume_within(time::secs(1), "a reply takes less than a second", receiver.recv()).await);
}

/// What is assumed before a timer is armed: the clock shows another moment only if that is over, and the timer not dropped.
async fn assumed_before(log: Log) {
    let (sender, receiver) = channel(1);
    let (start, other) = (time::Instant::now(), Arc::clone(&log));
    let mut sleep = pin!(time::sleep(time::secs(1)));
    let reply = async {
        assert!(poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await.is_pending(), "armed");
        spawn(async move { note(&other, 0, start.elapsed()) });
        spawn(async move { sender.send(()).await.unwrap() });
        receiver.recv().await
    };
    note(&log, 1, time::assume_within(time::secs(1), "a reply takes less than a second", reply).await);
}

/// Two values come, each by itself: the task that waits for both sees one or the other first, or both at once.
async fn wakes(log: Log) {
    let (a, b) = (go::named("a", 1), go::named("b", 1));
    let (mut from_a, mut from_b) = (pin!(a.recv()), pin!(b.recv()));
    let mut seen = async |log: &Log| {
        let seen = poll_fn(|cx| {
            let seen = [from_a.as_mut().poll(cx), from_b.as_mut().poll(cx)].map(|it| it.is_ready());
            if seen == [false; 2] && log.lock().unwrap()[2].is_empty() { Poll::Ready(seen) } else { first(seen) }
        });
        note(log, 2, seen.await);
    };
    seen(&log).await;
    for channel in [a.clone(), b.clone()] {
        spawn(async move { channel.send(()).await });
    }
    seen(&log).await;
}

/// Waits until one of them is there.
fn first(seen: [bool; 2]) -> Poll<[bool; 2]> {
    if seen == [false; 2] { Poll::Pending } else { Poll::Ready(seen) }
}

/// A select that waits at two channels: whoever finds it first has it, and the other has nobody.
async fn one_of_two(log: Log) {
    let (a, b) = (go::named("a", 0), go::named("b", 0));
    for (task, channel) in [(0, a.clone()), (1, b.clone())] {
        let log = Arc::clone(&log);
        spawn(async move { note(&log, task, channel.try_send(()).is_ok()) });
    }
    note(&log, 2, select! { _ = a.recv() => 'a', _ = b.recv() => 'b', () = time::sleep(time::secs(1)) => '-' });
}

/// A select that has had enough of its channel, and who comes too late for it, or not.
#[expect(clippy::unused_async, reason = "a program is a future")]
async fn leaves(log: Log) {
    let values = go::named("values", 0);
    let (sends, other) = (values.clone(), Arc::clone(&log));
    spawn(async move {
        note(&other, 0, select! { _ = values.recv() => "received", () = yield_now() => "yielded" });
    });
    spawn(async move { note(&log, 1, sends.try_send(()).is_ok()) });
}

/// A context that is cancelled before somebody looks, or after.
#[expect(clippy::unused_async, reason = "a program is a future")]
async fn looks(log: Log) {
    let context = Context::new();
    let cancels = context.clone();
    spawn(async move { cancels.cancel() });
    note(&log, 0, context.is_cancelled());
}

/// A wait group that comes to zero before somebody waits, or after.
async fn counts(log: Log) {
    let group = WaitGroup::new();
    group.add(1);
    let done = group.clone();
    spawn(async move { done.done() });
    let mut wait = pin!(group.wait());
    note(&log, 0, poll_fn(|cx| Poll::Ready(wait.as_mut().poll(cx).is_ready())).await);
    wait.await;
}

/// A timer that is armed before another one of its deadline fires, or not any more.
async fn deadlines(log: Log) {
    let deadline = time::Instant::now() + time::secs(1);
    spawn(time::sleep_until(deadline));
    note(&log, 0, poll_fn(|cx| Poll::Ready(pin!(time::sleep_until(deadline)).poll(cx).is_ready())).await);
}

type Program = fn(Log) -> Pin<Box<dyn Future<Output = ()>>>;

/// Brute force finds the same number, in up to 1,150,345 executions: too many for a test.
#[test]
fn the_reduction_finds_as_many_ends_as_brute_force_finds() {
    let programs: [(&str, Program, usize); 16] = [
        ("channels", |log| Box::pin(channels(log)), 4),
        ("mutexes", |log| Box::pin(mutexes(log)), 8),
        ("timers", |log| Box::pin(timers(log)), 5),
        ("choices", |log| Box::pin(choices(log)), 6),
        ("clock", |log| Box::pin(clock(log)), 2),
        ("buffers", |log| Box::pin(buffers(log)), 6),
        ("room", |log| Box::pin(room(log)), 2),
        ("readers", |log| Box::pin(readers(log)), 6),
        ("assumed later", |log| Box::pin(assumed_later(log)), 2),
        ("assumed before", |log| Box::pin(assumed_before(log)), 2),
        ("wakes", |log| Box::pin(wakes(log)), 3),
        ("one of two", |log| Box::pin(one_of_two(log)), 3),
        ("leaves", |log| Box::pin(leaves(log)), 2),
        ("looks", |log| Box::pin(looks(log)), 2),
        ("counts", |log| Box::pin(counts(log)), 2),
        ("deadlines", |log| Box::pin(deadlines(log)), 2),
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

/// Under a bound brute force is quick: what it finds is what the search finds that leaves out what is equivalent.
#[test]
fn a_bound_on_preemptions_loses_nothing_within_it() {
    let programs: [(Program, usize); 4] = [
        (|log| Box::pin(channels(log)), 0),
        (|log| Box::pin(mutexes(log)), 1),
        (|log| Box::pin(timers(log)), 0),
        (|log| Box::pin(choices(log)), 0),
    ];
    for (program, most) in programs {
        let [all, found] = [false, true].map(|reduced| {
            let log = Log::default();
            let seen = Arc::clone(&log);
            let body = move || {
                *log.lock().unwrap() = <[String; 3]>::default();
                program(Arc::clone(&log))
            };
            Builder::new().preemptions(most).outcomes(reduced, body, move || seen.lock().unwrap().join("| "))
        });
        assert_eq!(found.ends, all.ends);
        assert!(found.executions <= all.executions, "{} {}", found.executions, all.executions);
    }
}

fn explore() -> Builder {
    Builder::new().engine(Engine::Explore)
}

/// Two tasks count to two, and each may overwrite what the other counted; others have nothing to do with it.
async fn lost_update(others: usize) {
    let (counter, noise) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(0)));
    let tasks: Vec<_> = (0..others + 2)
        .map(|task| {
            let (counter, noise) = (Arc::clone(&counter), Arc::clone(&noise));
            spawn(async move {
                if task >= 2 {
                    *noise.lock().await += 1;
                } else {
                    let read = *counter.lock().await;
                    *counter.lock().await = read + 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*counter.lock().await, 2, "an update was lost");
}

fn schedule(report: &Report) -> String {
    let failure = report.failure.as_ref().expect("it fails");
    assert!(failure.replays, "{report}");
    failure.schedule.as_ref().expect("with a schedule").to_string()
}

#[test]
fn the_same_seed_draws_the_same_executions_and_what_fails_is_shown_by_a_short_schedule() {
    for sampling in [Sampling::Pct { depth: 2 }, Sampling::Pos, Sampling::Random] {
        let report = || explore().sample(sampling).max_executions(1000).seed(7).check("lost", || lost_update(2));
        let (first, again) = (report(), report());
        assert_eq!(first.to_string(), again.to_string());
        assert!(first.to_string().contains(&format!("(explore, {sampling}, seed 7; stopped")), "{first}");
        // The others, one that reads, one that counts, the first that counts as well, and the main task.
        let blocks = schedule(&first).split(',').count();
        assert!(blocks <= 7, "{first}");
    }
}

/// An update is lost if either reads before the other writes, which is a bug of depth 2. By n tasks in k steps, an execution shows it
/// with probability 1 / (n k) or more; the first one is drawn before anything is known of k.
#[test]
fn pct_shows_a_bug_as_often_as_it_promises() {
    let (seeds, executions) = (200, 20);
    let report = |seed| {
        let drawn = explore().sample(Sampling::Pct { depth: 2 }).max_executions(executions).seed(seed);
        drawn.check("lost", || lost_update(0))
    };
    let reports: Vec<_> = (0..seeds).map(report).collect();
    let found = reports.iter().filter(|report| report.failure.is_some()).count();
    let steps = reports.iter().map(|report| report.longest).max().expect("some were made");
    let (tasks, steps) = (3.0, f64::from(u32::try_from(steps).unwrap()));
    let missed = (1.0 - 1.0 / (tasks * steps)).powi(i32::try_from(executions).unwrap() - 1);
    let promised = f64::from(u32::try_from(seeds).unwrap()) * (1.0 - missed);
    assert!(f64::from(u32::try_from(found).unwrap()) >= promised, "{found} where {promised:.0} were promised");
}

/// Two tasks that must take turns, which is more than a search for few preemptions allows, among others.
async fn turns() {
    let order = Arc::new(Mutex::new(Vec::new()));
    for _ in 0..3 {
        spawn(async {
            for _ in 0..3 {
                *Mutex::new(0).lock().await += 1;
            }
        });
    }
    let tasks = [0, 1].map(|task| {
        let order = Arc::clone(&order);
        spawn(async move {
            for _ in 0..3 {
                order.lock().await.push(task);
            }
        })
    });
    for task in tasks {
        task.await.unwrap();
    }
    assert_ne!(*order.lock().await, [0, 1, 0, 1, 0, 1]);
}

#[test]
fn a_schedule_has_no_switch_that_its_failure_does_not_need() {
    for seed in 0..4 {
        let report = explore().sample(Sampling::Random).max_executions(3000).seed(seed).check("turns", turns);
        // The main task, six turns, and the main task; two more where the mutex, which is handed on, has them wait in turn.
        assert!(schedule(&report).split(',').count() <= 10, "{report}");
    }
}

#[test]
fn a_schedule_is_as_short_as_it_can_be_and_survives_edits() {
    let report = explore().check("lost", || lost_update(0));
    let found = schedule(&report);
    assert!(found.ends_with("-panic-m,m1x2,m2,m1,m"), "{found}");
    let found = found.parse().expect("a schedule");
    let edited = || async {
        spawn(time::sleep(time::secs(1)));
        *Mutex::new(0).lock().await += 1;
        lost_update(3).await;
    };
    let again = explore().replay("lost", edited, &found).expect("it still applies");
    assert_eq!(again.failure.map(|failure| failure.kind.word()), Some("PANIC"));
    let mended = explore().replay("lost", || async {}, &found).expect_err("it does not fail");
    assert!(mended.to_string().contains("no longer applies"), "{mended}");
}

#[test]
fn tasks_that_yield_to_each_other_do_not_keep_a_third_from_running() {
    let report = explore().max_steps(300).check("fair", || async {
        let flag = go::channel(2);
        for _ in 0..2 {
            let flag = flag.clone();
            spawn(async move {
                while flag.try_recv().is_err() {
                    yield_now().await;
                }
            });
        }
        spawn(async move {
            flag.send(()).await.unwrap();
            flag.send(()).await.unwrap();
        });
    });
    assert!(report.is_complete() && report.executions > 1, "{report}");
}

#[test]
fn what_is_assumed_of_time_is_honoured_and_named() {
    async fn lease(takes: u64) {
        let ((ask, asked), (reply, replied)) = (channel(1), channel(1));
        spawn(async move {
            asked.recv().await;
            time::sleep(time::secs(takes)).await;
            reply.send(()).await
        });
        let lease = spawn(time::sleep(time::secs(3)));
        let asks = async {
            ask.send(()).await.unwrap();
            replied.recv().await
        };
        time::assume_within(time::secs(3), "a reply takes less than the lease", asks).await;
        lease.abort();
    }
    let named = "ok  complete, assuming a reply takes less than the lease  ";
    let report = explore().check("quick", || lease(2));
    assert!(report.to_string().contains(named), "{report}");
    let report = explore().check("slow", || lease(3));
    assert!(!report.is_complete() && report.failure.is_none(), "{report}");
    assert!(report.to_string().contains("bounded (every execution contradicts what is assumed)"), "{report}");
}

/// Senders that choose what they send, and one that waits.
async fn senders() {
    let values = go::named("values", 1);
    for sender in 0..3 {
        let values = values.clone();
        spawn(async move {
            if sender == 0 {
                time::sleep(time::secs(1)).await;
            }
            values.send(rand::choose(2)).await.unwrap();
        });
    }
    for _ in 0..3 {
        values.recv().await.unwrap();
    }
}

#[test]
fn threads_and_stretches_make_the_executions_of_one_search() {
    let whole = explore().check("senders", senders).executions;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("search");
    for stretch in [20, 100, 1000] {
        let stretch = explore().threads(3).max_executions(stretch);
        let report = (0..).map(|_| stretch.check_from("senders", senders, &file).unwrap());
        let last = report.into_iter().find(Report::is_complete).expect("some stretch is the last");
        assert_eq!(last.executions, whole, "{last}");
    }
}

mod bodies {
    use super::*;

    pub(super) async fn what_is_assumed_of_time_changes_nothing_elsewhere() {
        let (sender, receiver) = channel(1);
        let sends = spawn(async move { sender.send(1).await });
        let reply = time::assume_within(time::millis(1), "a send is quick", receiver.recv());
        assert_eq!(reply.await, Some(1));
        sends.await.unwrap().unwrap();
        // Dropped while it waits, and never polled.
        let (_sender, receiver) = channel::<u8>(0);
        let waits = time::assume_within(time::millis(1), "somebody sends", receiver.recv());
        assert_eq!(time::timeout(time::millis(2), waits).await, Err(time::Elapsed));
        drop(time::assume_within(time::millis(1), "somebody sends", receiver.recv()));
    }
}

on_every_runtime! { bodies: what_is_assumed_of_time_changes_nothing_elsewhere }
