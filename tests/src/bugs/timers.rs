//! Bugs of calls that time out (talks 002, pattern 3, and 001): what runs twice, and timers that nobody waits for any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng as _;
use windtunnel::go;
use windtunnel::select;
use windtunnel::task::spawn_named;
use windtunnel::time::{millis, secs, sleep, timeout};
use windtunnel_sim::Sim;

use super::Bug;
use super::simulated::simulated;

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&DUPLICATE_EXECUTION, &TIMER_NOT_STOPPED, &TIMER_LEFT];

/// One call of two servers that share what they store, the second asked when the first has not replied within a second.
async fn call(servers_know_ids: bool) {
    let (effects, done) = (Arc::new(AtomicUsize::new(0)), go::named("done", 2));
    let mut asked = Vec::new();
    for server in 0..2 {
        let (effects, reply) = (Arc::clone(&effects), done.clone());
        asked.push(spawn_named(format!("server {server}"), async move {
            sleep(millis(windtunnel::rand::rng().random_range(100..1200))).await;
            if !servers_know_ids || effects.load(Ordering::Relaxed) == 0 {
                effects.fetch_add(1, Ordering::Relaxed);
            }
            reply.send(server).await.expect("done is never closed");
        }));
        if timeout(secs(1), done.recv()).await.is_ok() {
            break;
        }
    }
    for server in asked {
        server.await.expect("it does not panic");
    }
    let effects = effects.load(Ordering::Relaxed);
    assert!(effects == 1, "one Call was executed {effects} times");
}

static DUPLICATE_EXECUTION: Bug = Bug {
    id: "client-duplicate-execution",
    source: "002:2500-2529",
    summary: "A server is slow, and another is asked the same: both do what was asked once.",
    mend: "Send an id with each call, by which a server knows one that was done.",
    check: simulated(
        "client-duplicate-execution",
        "simulation",
        [|_| Box::pin(call(false)), |_| Box::pin(call(true))],
        "one Call was executed 2 times",
    ),
};

/// A hundred calls of a millisecond, each with a timeout of a second: from a timer of its own that nobody stops, or one that is
/// dropped with the call.
async fn hundred_calls(sim: Sim, stopped: bool) {
    sim.limit_timers(3);
    for _ in 0..100 {
        let (reply, timeout) = (go::named("reply", 1), go::named("timeout", 1));
        let replying = reply.clone();
        spawn_named("call", async move {
            sleep(millis(1)).await;
            replying.send(()).await.expect("it is never closed");
        });
        if stopped {
            windtunnel::time::timeout(secs(1), reply.recv()).await.expect("the reply comes first");
            continue;
        }
        let ringing = timeout.clone();
        spawn_named("timer", async move {
            sleep(secs(1)).await;
            ringing.send(()).await.expect("it is never closed");
        });
        select! {
            _ = reply.recv() => {}
            _ = timeout.recv() => {}
        }
    }
}

/// Hint 14, stop timers you don't need.
static TIMER_NOT_STOPPED: Bug = Bug {
    id: "client-timer-not-stopped",
    source: "003 [45:35], 002:2456-2478",
    summary: "Each call leaves its timer running when the reply has come: with short calls there are a thousand timers a second.",
    mend: "Stop the timer with the call; a `Sleep` that is dropped is stopped.",
    check: simulated(
        "client-timer-not-stopped",
        "metric bound",
        [|sim| Box::pin(hundred_calls(sim, false)), |sim| Box::pin(hundred_calls(sim, true))],
        "limit: timers: 4, at most 3",
    ),
};

static TIMER_LEFT: Bug = Bug {
    id: "first-timer-left",
    source: "001:168",
    summary: "`time.After` cannot be stopped: each request that was answered in time leaves one behind until it fires.",
    mend: "A timer that is dropped with the request.",
    check: simulated(
        "first-timer-left",
        "metric bound",
        [|sim| Box::pin(hundred_calls(sim, false)), |sim| Box::pin(hundred_calls(sim, true))],
        "limit: timers: 4, at most 3",
    ),
};
