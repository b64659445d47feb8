//! Bugs of what a subscriber may do and a publisher may rely on (talk 002, pattern 1), on channels with Go's rules.

use windtunnel::channel::{self, SendError};
use windtunnel::go::{self, Channel};
use windtunnel::sync::{Mutex, Semaphore};
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::pubsub::{self, cancel, publish, server_of};
use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &RESUBSCRIBE_CLOSED,
    &SUBSCRIBER_CLOSES,
    &PARTIAL_PUBLISH_ON_PANIC,
    &NO_DEFER_LOCK_STUCK,
    &NIL_CHANNEL,
    &LOOP_PUBLISH_WEAKER,
    &SIGNAL_UNBUFFERED_DROP,
];

/// Cancel, which closes the channel, and then Subscribe and Publish, with the same channel or with a fresh one.
async fn subscribe_again(fresh: bool) {
    let c = go::named("c", 1);
    let server = server_of(&c);
    cancel(&server).await;
    let again = if fresh { go::named("c", 1) } else { c };
    server.lock().await.replace(again.clone());
    publish(&server, 1).await;
    assert_eq!(again.recv().await, Some(1));
}

static RESUBSCRIBE_CLOSED: Bug = Bug {
    id: "pubsub-resubscribe-closed",
    source: "002:380-499",
    summary: "A subscriber cancels and comes back with its channel, which the cancel has closed: the next event is sent on it.",
    mend: "A fresh channel for each subscription.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(subscribe_again(false)),
        mended: || Box::pin(subscribe_again(true)),
        expected: Expected {
            word: "PANIC",
            tasks: &[("main", "running")],
            message: "only the server closes it: SendError",
        },
    }),
};

/// `s.publish <- e`, for a loop with one subscriber, who has room for the event. The loop says when the event has been sent; as
/// printed, nobody waits for that.
async fn publish_to_the_loop(until_sent: bool) {
    let (publish, sent, c) = (go::named("publish", 0), go::named("sent", 1), go::named("c", 1));
    let (published, says, sub) = (publish.clone(), sent.clone(), c.clone());
    spawn_named("loop", async move {
        while let Some(event) = published.recv().await {
            sub.send(event).await.expect("only the server closes it");
            says.send(()).await.expect("sent is never closed");
        }
    });
    publish.send(1).await.expect("not closed yet");
    if until_sent {
        sent.recv().await;
    }
    assert_eq!(c.len(), 1, "Publish has returned: events that the subscriber has");
    publish.close().expect("closed once");
}

/// Nobody says it in the talk, which calls the lock step of the mutex a nice property, and converts it away.
static LOOP_PUBLISH_WEAKER: Bug = Bug {
    id: "pubsub-loop-publish-weaker",
    source: "002:549-793, 003 [20:03]",
    summary: "With a mutex, Publish returns when every subscriber has the event; turned into a task, when the server has taken it.",
    mend: "Say so in the contract; or answer the publisher, as here, once the event has been sent.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(publish_to_the_loop(false)),
        mended: || Box::pin(publish_to_the_loop(true)),
        expected: Expected {
            word: "PANIC",
            tasks: &[("main", "running")],
            message: "Publish has returned: events that the subscriber has",
        },
    }),
};

static SUBSCRIBER_CLOSES: Bug = Bug {
    id: "pubsub-subscriber-closes",
    source: "003 [16:35]",
    summary: "A subscriber closes its channel because it is done: the next event is sent on a closed channel.",
    mend: "A receiver that cannot close, and whose drop is an error for the sender.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let c = go::named("c", 1);
                let server = server_of(&c);
                spawn_named("subscriber", async move { c.close().expect("closed once") });
                publish(&server, 1).await;
            })
        },
        mended: || {
            Box::pin(async {
                let (sub, c) = channel::named("c", 1);
                let server = Mutex::named("mu", Some(sub));
                spawn_named("subscriber", async move { drop(c) });
                let mut sub = server.lock().await;
                if sub.as_ref().expect("it has subscribed").send(1).await.is_err() {
                    *sub = None;
                }
            })
        },
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "only the server closes it" },
    }),
};

/// `for c := range s.sub { c <- e }`, where an error is the panic of a send on a closed channel: it leaves the loop. Somebody
/// recovers from it, as `net/http` does for each request, so that the program goes on.
async fn publish_to_each(subs: &[Channel<u64>], event: u64) -> Result<(), SendError<u64>> {
    for c in subs {
        c.send(event).await?;
    }
    Ok(())
}

/// The same, but each subscriber gets the event, whatever another has done.
async fn publish_to_all(subs: &[Channel<u64>], event: u64) -> Result<(), SendError<u64>> {
    let mut published = Ok(());
    for c in subs {
        published = published.and(c.send(event).await);
    }
    published
}

/// Two subscribers, of which the first has closed its channel.
fn culprit_and_innocent() -> [Channel<u64>; 2] {
    let subs = [go::named("culprit", 1), go::named("innocent", 1)];
    subs[0].close().expect("closed once");
    subs
}

static PARTIAL_PUBLISH_ON_PANIC: Bug = Bug {
    id: "pubsub-partial-publish-on-panic",
    source: "003 [18:25]",
    summary: "The send to one subscriber panics, and somebody recovers: those behind it in the map never get the event.",
    mend: "Send to all of them, and report afterwards who could not be reached.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let subs = culprit_and_innocent();
                publish_to_each(&subs, 1).await.expect_err("one has closed its channel");
                subs[1].recv().await;
            })
        },
        mended: || {
            Box::pin(async {
                let subs = culprit_and_innocent();
                publish_to_all(&subs, 1).await.expect_err("one has closed its channel");
                assert_eq!(subs[1].recv().await, Some(1));
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (innocent)")], message: "" },
    }),
};

/// `s.mu.Lock(); for c := range s.sub { c <- e }; s.mu.Unlock()`: Go's mutex has no guard, and a panic passes by the last line.
async fn publish_without_defer(mu: &Semaphore, subs: &[Channel<u64>], event: u64) -> Result<(), SendError<u64>> {
    mu.acquire().await.expect("never closed").forget();
    publish_to_each(subs, event).await?;
    mu.add_permits(1);
    Ok(())
}

/// Hint 15, prefer defer for unlocking mutexes: a guard is a defer that cannot be forgotten.
static NO_DEFER_LOCK_STUCK: Bug = Bug {
    id: "pubsub-no-defer-lock-stuck",
    source: "003 [17:44-18:10]",
    summary: "A panic within Publish passes by the line that unlocks the mutex: the next Subscribe waits for it for ever.",
    mend: "Unlock in a defer; in Rust, in the drop of a guard.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let mu = Semaphore::named("mu", 1);
                publish_without_defer(&mu, &culprit_and_innocent(), 1).await.expect_err("one has closed its channel");
                mu.acquire().await.expect("never closed").forget();
            })
        },
        mended: || {
            Box::pin(async {
                let server = Mutex::named("mu", culprit_and_innocent());
                let published = async { publish_to_each(&*server.lock().await, 1).await };
                published.await.expect_err("one has closed its channel");
                drop(server.lock().await);
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "semaphore (mu)")], message: "" },
    }),
};

/// `Subscribe(nil)`: Rust has to say that a channel may be missing, and then what becomes of it.
fn subscribe(c: Option<&Channel<u64>>) -> Result<pubsub::Server, &'static str> {
    c.map(server_of).ok_or("no channel to send the events on")
}

static NIL_CHANNEL: Bug = Bug {
    id: "pubsub-nil-channel",
    source: "002:398-406",
    summary: "A subscriber brings a nil channel: the next event waits to be sent on it for ever, with the mutex locked.",
    mend: "Refuse it when it subscribes; in Rust a channel is never nil.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                // A send on nil waits for ever, as one does on a channel that nobody else has.
                publish(&server_of(&go::named("nil", 0)), 1).await;
            })
        },
        mended: || Box::pin(async { assert!(subscribe(None).is_err()) }),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (nil)")], message: "" },
    }),
};

/// `signal.Notify(signals, os.Interrupt)`, and then a signal: the runtime sends it to who can take it at that moment.
async fn interrupt(room: usize) {
    let signals = go::named("signals", room);
    let notified = signals.clone();
    spawn_named("runtime", async move {
        notified.try_send("interrupt").ok();
    });
    signals.recv().await;
}

static SIGNAL_UNBUFFERED_DROP: Bug = Bug {
    id: "signal-unbuffered-drop",
    source: "003 [22:59]",
    summary: "A signal comes before anybody waits for it: the channel has no room, the signal is dropped, and its wait has no end.",
    mend: "Room for one signal, and a channel for each signal, so that one never takes the place of another.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(interrupt(0)),
        mended: || Box::pin(interrupt(1)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (signals)")], message: "" },
    }),
};
