//! Bugs of the work scheduler that show in what there is too much of, or too late: simulated, each call a time on a server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng as _;
use windtunnel::go::{self, Channel};
use windtunnel::task::{JoinSet, spawn_named};
use windtunnel::time::{millis, secs, sleep, timeout};
use windtunnel_sim::Sim;

use super::Bug;
use super::simulated::simulated;

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] =
    &[&UNBOUNDED_GOROUTINES, &RETRY_LIVELOCK, &BLACK_HOLE_SERVER, &AT_LEAST_ONCE, &HUNG_CALL];

type Server = usize;

/// The idle servers.
fn idle(servers: usize) -> Channel<Server> {
    let idle = go::named("idle", servers);
    for server in 0..servers {
        idle.try_send(server).expect("there is room for each");
    }
    idle
}

async fn take(idle: &Channel<Server>) -> Server {
    idle.recv().await.expect("idle is never closed")
}

/// Ten tasks of a second on two servers: a task for each, or one for each that has a server.
async fn ten_calls(sim: Sim, server_first: bool) {
    sim.limit_tasks(1 + 2);
    let idle = idle(2);
    for task in 0..10 {
        let server = if server_first { Some(take(&idle).await) } else { None };
        let idle = idle.clone();
        spawn_named(format!("task {task}"), async move {
            let server = match server {
                Some(server) => server,
                None => take(&idle).await,
            };
            sleep(secs(1)).await;
            idle.send(server).await.expect("idle is never closed");
        });
    }
    sleep(secs(60)).await;
}

/// Hint 12, think carefully before introducing unbounded queuing: here the tasks themselves are the queue.
static UNBOUNDED_GOROUTINES: Bug = Bug {
    id: "sched-unbounded-goroutines",
    source: "002:1134-1187",
    summary: "Each piece of work gets a task at once, which waits for a server: there are as many tasks as work, and not as servers.",
    mend: "Take an idle server before the task is started.",
    check: simulated(
        "sched-unbounded-goroutines",
        "metric bound",
        [|sim| Box::pin(ten_calls(sim, false)), |sim| Box::pin(ten_calls(sim, true))],
        "limit: live tasks: 11, at most 3",
    ),
};

/// The worker of one server, which fails each call after 10 ms; `tries` is how often the task was tried.
async fn always_failing(sim: Sim, most_tries: Option<usize>) {
    let tries = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&tries);
    sim.limit("tries of one task", 10, move || seen.load(Ordering::Relaxed));
    let work = go::named("work", 1);
    work.send("task").await.expect("work is open");
    while let Some(task) = work.recv().await {
        sleep(millis(10)).await;
        let count = tries.fetch_add(1, Ordering::Relaxed) + 1;
        if most_tries.is_some_and(|most| count >= most) {
            break;
        }
        work.send(task).await.expect("work is open");
    }
}

static RETRY_LIVELOCK: Bug = Bug {
    id: "sched-retry-livelock",
    source: "002:2121-2285",
    summary: "The only server fails every call: the task is taken, fails and is queued again, as fast as the server can fail.",
    mend: "Give a task up after some attempts, and wait longer before each.",
    check: simulated(
        "sched-retry-livelock",
        "metric bound",
        [|sim| Box::pin(always_failing(sim, None)), |sim| Box::pin(always_failing(sim, Some(5)))],
        "limit: tries of one task: 11, at most 10",
    ),
};

/// Twenty tasks, a good server that takes a second for each, and a dead one that fails within a millisecond and then rests.
async fn beside_a_dead_server(sim: Sim, rest: fn() -> windtunnel::time::Duration) {
    const TASKS: usize = 20;
    let failed = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&failed);
    sim.limit("failed calls", 5 * TASKS, move || seen.load(Ordering::Relaxed));
    let (work, done) = (go::named("work", TASKS), go::named("done", TASKS));
    for task in 0..TASKS {
        work.try_send(task).expect("there is room for each");
    }
    let (dead_work, good_work, good_done) = (work.clone(), work.clone(), done.clone());
    spawn_named("dead", async move {
        while let Some(task) = dead_work.recv().await {
            sleep(millis(1)).await;
            failed.fetch_add(1, Ordering::Relaxed);
            dead_work.send(task).await.expect("work is open until all is done");
            sleep(rest()).await;
        }
    });
    spawn_named("good", async move {
        while let Some(task) = good_work.recv().await {
            sleep(secs(1)).await;
            good_done.send(task).await.expect("done is never closed");
        }
    });
    for _ in 0..TASKS {
        done.recv().await;
    }
}

static BLACK_HOLE_SERVER: Bug = Bug {
    id: "sched-black-hole-server",
    source: "002:2121-2285, 003 [41:42]",
    summary: "A dead server fails at once and so is idle again first: it takes nearly every task, and fails it.",
    mend: "Let a server that has failed rest before it gets another task.",
    check: simulated(
        "sched-black-hole-server",
        "metric bound",
        [
            |sim| Box::pin(beside_a_dead_server(sim, || millis(0))),
            |sim| Box::pin(beside_a_dead_server(sim, || secs(1))),
        ],
        "limit: failed calls: 101, at most 100",
    ),
};

/// A call takes up to 1.2 s on the server, whoever waits for it; after a second it is made again. `twice` says whether the
/// server runs a task again that it knows.
async fn calls_again_after_a_timeout(twice: bool) {
    let effects = Arc::new(AtomicUsize::new(0));
    let calls = JoinSet::new();
    loop {
        let effects = Arc::clone(&effects);
        let call = async move {
            sleep(millis(windtunnel::rand::rng().random_range(500..1200))).await;
            if twice || effects.load(Ordering::Relaxed) == 0 {
                effects.fetch_add(1, Ordering::Relaxed);
            }
        };
        calls.spawn(call).await;
        if timeout(secs(1), calls.join_next()).await.is_ok() {
            break;
        }
    }
    while calls.join_next().await.is_some() {}
    let effects = effects.load(Ordering::Relaxed);
    assert!(effects == 1, "one task was executed {effects} times");
}

static AT_LEAST_ONCE: Bug = Bug {
    id: "sched-at-least-once",
    source: "002:2121-2285",
    summary: "A call that timed out may have run all the same: the task is given to a server again, and has its effect twice.",
    mend: "Send a key with each task, by which a server knows one that it has run.",
    check: simulated(
        "sched-at-least-once",
        "simulation",
        [|_| Box::pin(calls_again_after_a_timeout(true)), |_| Box::pin(calls_again_after_a_timeout(false))],
        "one task was executed 2 times",
    ),
};

/// Two servers and four tasks; the second server never returns from its first call.
async fn beside_a_hung_server(deadline: windtunnel::time::Duration) {
    const TASKS: usize = 4;
    let (work, done) = (go::named("work", TASKS), go::named("done", TASKS));
    for task in 0..TASKS {
        work.try_send(task).expect("there is room for each");
    }
    for server in 0..2 {
        let (work, done) = (work.clone(), done.clone());
        spawn_named(format!("run {server}"), async move {
            while let Some(task) = work.recv().await {
                let call = async {
                    if server == 1 {
                        std::future::pending::<()>().await;
                    }
                    sleep(millis(100)).await;
                };
                match timeout(deadline, call).await {
                    Ok(()) => done.send(task).await.expect("done is never closed"),
                    Err(_) => work.send(task).await.expect("work is open until all is done"),
                }
            }
        });
    }
    let all = async {
        for _ in 0..TASKS {
            done.recv().await;
        }
    };
    assert!(timeout(secs(60), all).await.is_ok(), "Schedule does not return although a server is idle");
}

static HUNG_CALL: Bug = Bug {
    id: "sched-hung-call",
    source: "002:1093-2351",
    summary: "One call never returns: its task is never done, and no other server is asked to do it.",
    mend: "A deadline around each call, after which the task is queued again.",
    check: simulated(
        "sched-hung-call",
        "simulation",
        [
            |_| Box::pin(beside_a_hung_server(windtunnel::time::Duration::from_hours(1))),
            |_| Box::pin(beside_a_hung_server(secs(1))),
        ],
        "Schedule does not return although a server is idle",
    ),
};
