//! Bugs of publish/subscribe (talk 002, pattern 1), on channels with Go's rules.

use std::sync::Arc;

use windtunnel::go::{self, Channel};
use windtunnel::sync::Mutex;
use windtunnel::task::spawn_named;
use windtunnel::{channel, select};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] =
    &[&CANCEL_DEADLOCK, &SUBSCRIBER_GONE_BLOCKS, &LOOP_NO_SHUTDOWN, &SELF_PUBLISH_DEADLOCK];

/// The server as a mutex, with one subscriber at most: `map[chan Event]bool`.
pub(super) type Server = Arc<Mutex<Option<Channel<u64>>>>;

pub(super) fn server_of(c: &Channel<u64>) -> Server {
    Arc::new(Mutex::named("mu", Some(c.clone())))
}

/// `s.mu.Lock(); defer s.mu.Unlock(); for c := range s.sub { c <- e }`
pub(super) async fn publish(server: &Server, event: u64) {
    if let Some(c) = &*server.lock().await {
        c.send(event).await.expect("only the server closes it");
    }
}

/// `s.mu.Lock(); defer s.mu.Unlock(); close(c); delete(s.sub, c)`
pub(super) async fn cancel(server: &Server) {
    if let Some(c) = server.lock().await.take() {
        c.close().expect("only the server closes it");
    }
}

/// A publisher and a subscriber, who cancels and then receives what is left, as the interface allows.
async fn cancel_while_publishing(receive_meanwhile: bool) {
    let c = go::named("c", 0);
    let server = server_of(&c);
    let publishing = Arc::clone(&server);
    spawn_named("publisher", async move { publish(&publishing, 1).await });
    if receive_meanwhile {
        let mut cancelled = Box::pin(cancel(&server));
        loop {
            select! {
                () = &mut cancelled => break,
                _ = c.recv() => {}
            }
        }
    } else {
        cancel(&server).await;
    }
    while c.recv().await.is_some() {}
}

/// Nobody says it in the talk: the interface has the client cancel and then receive until the channel is closed.
static CANCEL_DEADLOCK: Bug = Bug {
    id: "pubsub-cancel-deadlock",
    source: "002:380-499",
    summary: "A subscriber cancels in the task that receives: it waits for the mutex, and who has that waits for it to receive.",
    mend: "Keep receiving in another task while the cancel is on its way; or give each subscriber a helper, so that the server never waits for it.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(cancel_while_publishing(false)),
        mended: || Box::pin(cancel_while_publishing(true)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "mutex lock (mu)"), ("publisher", "channel send (c)")],
            message: "",
        },
    }),
};

static SUBSCRIBER_GONE_BLOCKS: Bug = Bug {
    id: "pubsub-subscriber-gone-blocks",
    source: "002:501-513",
    summary: "A subscriber stops receiving and does not say so: the next event waits for it for ever, with the mutex locked.",
    mend: "A helper for each subscriber, with a policy for one that does not receive.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let c = go::named("c", 0);
                let server = server_of(&c);
                drop(c);
                publish(&server, 1).await;
            })
        },
        mended: || {
            Box::pin(async {
                let (server, c) = channel::named("c", 0);
                drop(c);
                server.send(1).await.expect_err("a receiver that is dropped is seen to be gone");
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (c)")], message: "" },
    }),
};

/// `for { select { case e := <-s.publish: …; case r := <-s.subscribe: …; case r := <-s.cancel: … } }`, with a case more.
fn server_loop(stop: &Channel<()>) -> [Channel<u64>; 3] {
    let requests = ["publish", "subscribe", "cancel"].map(|name| go::named(name, 0));
    let ([publish, subscribe, cancel], stop) = (requests.clone(), stop.clone());
    spawn_named("loop", async move {
        loop {
            select! {
                _ = publish.recv() => {}
                _ = subscribe.recv() => {}
                _ = cancel.recv() => {}
                _ = stop.recv() => return,
            }
        }
    });
    requests
}

static LOOP_NO_SHUTDOWN: Bug = Bug {
    id: "pubsub-loop-no-shutdown",
    source: "002:549-793",
    summary: "There is no request to stop: the server's task outlives everybody who could ask it for anything.",
    mend: "A request that ends the loop, and with it its helpers.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let [publish, ..] = server_loop(&go::named("stop", 0));
                publish.send(1).await.expect("never closed");
            })
        },
        mended: || {
            Box::pin(async {
                let stop = go::named("stop", 0);
                let [publish, ..] = server_loop(&stop);
                publish.send(1).await.expect("never closed");
                stop.close().expect("closed once");
            })
        },
        expected: Expected {
            word: "LEAK",
            tasks: &[(
                "loop",
                "select {channel recv (publish), channel recv (subscribe), channel recv (cancel), channel recv (stop)}",
            )],
            message: "",
        },
    }),
};

/// A subscriber that publishes what it receives again, to itself among others.
async fn publish_to_oneself(capacity: usize) {
    let c = go::named("c", capacity);
    let server = server_of(&c);
    publish(&server, 1).await;
    assert_eq!(c.recv().await, Some(1));
}

static SELF_PUBLISH_DEADLOCK: Bug = Bug {
    id: "pubsub-self-publish-deadlock",
    source: "002:380-499",
    summary: "A subscriber publishes in the task that receives: it waits for itself to receive.",
    mend: "A helper for each subscriber: the server never waits for whom it serves.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(publish_to_oneself(0)),
        mended: || Box::pin(publish_to_oneself(1)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (c)")], message: "" },
    }),
};
