//! Bugs of the replicated client (talk 002, pattern 3), on channels with Go's rules.

use std::sync::Arc;

use windtunnel::go::{self, Channel};
use windtunnel::sync::Mutex;
use windtunnel::task::{JoinHandle, spawn_named};
use windtunnel::time::Instant;
use windtunnel::{select, time};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &DONE_CAPACITY_1_LEAK,
    &DONE_UNBUFFERED_LEAK,
    &ALL_DEAD_HANG,
    &ZERO_SERVERS_HANG,
    &LATE_REPLY_KEEPS_SLOW_SERVER,
    &STALE_PREFERENCE,
    &TIMEOUT_BEATS_REPLY,
];

/// Asks one server after the other, each for a second, and takes the first reply of any; `capacity` is that of `done`.
async fn call(servers: usize, capacity: usize) -> usize {
    let done = go::named("done", capacity);
    for server in 1..=servers {
        spawn_named(format!("call {server}"), reply(server, done.clone()));
        if server == servers {
            break;
        }
        select! {
            reply = done.recv() => return reply.expect("done is never closed"),
            () = time::sleep(time::secs(1)) => {}
        }
    }
    done.recv().await.expect("done is never closed")
}

async fn reply(server: usize, done: Channel<usize>) {
    done.send(server).await.expect("done is never closed");
}

static DONE_CAPACITY_1_LEAK: Bug = Bug {
    id: "client-done-capacity-1-leak",
    source: "002:2500-2529",
    summary: "Three servers are asked, one reply is returned and one fits the buffer: the third waits to report for ever.",
    mend: "Room for one reply of each server.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { assert!(call(3, 1).await <= 3) }),
        mended: || Box::pin(async { assert!(call(3, 3).await <= 3) }),
        expected: Expected { word: "LEAK", tasks: &[("call", "channel send (done)")], message: "" },
    }),
};

static DONE_UNBUFFERED_LEAK: Bug = Bug {
    id: "client-done-unbuffered-leak",
    source: "003 [47:00]",
    summary: "Two servers are asked and one reply is returned; without a buffer the other waits to report for ever.",
    mend: "Room for the replies that nobody waits for any more.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { assert!(call(2, 0).await <= 2) }),
        mended: || Box::pin(async { assert!(call(2, 2).await <= 2) }),
        expected: Expected { word: "LEAK", tasks: &[("call", "channel send (done)")], message: "" },
    }),
};

/// Starts the call of a server that is dead.
fn call_the_dead(done: &Channel<usize>) -> JoinHandle<()> {
    let (done, network) = (done.clone(), go::named::<usize>("network", 0));
    spawn_named("call 1", async move {
        if let Some(server) = network.recv().await {
            reply(server, done).await;
        }
    })
}

static ALL_DEAD_HANG: Bug = Bug {
    id: "client-all-dead-hang",
    source: "002:2527",
    summary: "After the last server was asked the wait has no end: with every server dead, nobody ever replies.",
    mend: "A deadline over the whole call, after which the calls still open are ended.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let done = go::named("done", 1);
                call_the_dead(&done);
                done.recv().await;
            })
        },
        mended: || {
            Box::pin(async {
                let done = go::named("done", 1);
                let calling = call_the_dead(&done);
                select! {
                    _ = done.recv() => {}
                    () = time::sleep(time::secs(10)) => calling.abort(),
                }
            })
        },
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel recv (done)"), ("call 1", "channel recv (network)")],
            message: "",
        },
    }),
};

static ZERO_SERVERS_HANG: Bug = Bug {
    id: "client-zero-servers-hang",
    source: "002:2512-2529",
    summary: "A client without servers asks nobody, and waits for the reply.",
    mend: "Refuse a call when there is no server.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                call(0, 1).await;
            })
        },
        mended: || {
            Box::pin(async {
                let servers = 0;
                if servers > 0 {
                    call(servers, 1).await;
                }
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (done)")], message: "" },
    }),
};

/// Two servers are asked, a second apart. Whom the next call prefers is for `learn` to say, from the server that replied and
/// the last one that was asked and has not kept the caller waiting.
async fn prefer_after_a_call(learn: fn(usize, Option<usize>) -> usize) {
    let done = go::named("done", 2);
    let (mut in_time, mut replied) = (None, None);
    for server in [1, 2] {
        spawn_named(format!("call {server}"), reply(server, done.clone()));
        in_time = Some(server);
        select! {
            biased;
            server = done.recv() => {
                replied = server;
                break;
            }
            () = time::sleep(time::secs(1)) => in_time = None,
        }
    }
    let replied = match replied {
        Some(replied) => replied,
        None => done.recv().await.expect("done is never closed"),
    };
    let preferred = learn(replied, in_time);
    assert!(in_time.is_none_or(|server| server == preferred), "the server that was too slow is preferred again");
}

static LATE_REPLY_KEEPS_SLOW_SERVER: Bug = Bug {
    id: "client-late-reply-keeps-slow-server",
    source: "002:2545-2557",
    summary: "A server too slow replies before the next one does, and is preferred for it: every later call waits as long.",
    mend: "Never prefer a server that has just exceeded its time.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(prefer_after_a_call(|replied, _| replied)),
        mended: || Box::pin(prefer_after_a_call(|replied, in_time| in_time.unwrap_or(replied))),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "too slow is preferred again" },
    }),
};

/// The preferred server, and how often that has changed.
type Preference = Arc<Mutex<(usize, u32)>>;

/// A call that is answered by `server`, or by the preferred one.
async fn call_and_learn(server: Option<usize>, preference: Preference, looks_for_changes: bool) {
    let seen = *preference.lock().await;
    let replied = server.unwrap_or(seen.0);
    let mut preference = preference.lock().await;
    if !looks_for_changes || preference.1 == seen.1 {
        *preference = (replied, seen.1 + 1);
    }
}

/// One caller has its reply from server 1, which dies; another finds that out.
async fn two_callers(look_for_changes: bool) {
    let preference = Preference::new(Mutex::named("prefer", (1, 0)));
    let older = call_and_learn(None, Arc::clone(&preference), look_for_changes);
    let older = spawn_named("older call", older);
    call_and_learn(Some(2), Arc::clone(&preference), false).await;
    older.await.expect("it ends");
    assert_eq!(preference.lock().await.0, 2, "the dead server is preferred again");
}

static STALE_PREFERENCE: Bug = Bug {
    id: "client-stale-preference",
    source: "002:2533-2557",
    summary: "A call that began before another found the preferred server dead ends after it, and brings that server back.",
    mend: "Write the preference only if it is still what the call has read.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(two_callers(false)),
        mended: || Box::pin(two_callers(true)),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "dead server is preferred again" },
    }),
};

/// One server, which takes half a second to reply, and a caller who has a second for it and comes to its select when that is over.
async fn call_and_come_late(looks_again: bool) {
    let (done, deadline) = (go::named("done", 1), Instant::now() + time::secs(1));
    let replying = done.clone();
    spawn_named("call 1", async move {
        time::sleep(time::millis(500)).await;
        reply(1, replying).await;
    });
    time::sleep(time::secs(2)).await;
    let is_there = done.len() == 1;
    select! {
        _ = done.recv() => {}
        () = time::sleep_until(deadline) => {
            let found = looks_again && done.try_recv().is_ok();
            assert!(found || !is_there, "another server is asked although a reply is there");
        }
    }
}

static TIMEOUT_BEATS_REPLY: Bug = Bug {
    id: "client-timeout-beats-reply",
    source: "002:2518-2525",
    summary: "The reply is there and the time is up: the select takes either, and a second server is asked for nothing.",
    mend: "When the time is over, look for a reply once more before giving up.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(call_and_come_late(false)),
        mended: || Box::pin(call_and_come_late(true)),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "although a reply is there" },
    }),
};
