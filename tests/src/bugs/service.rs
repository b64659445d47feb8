//! Bugs of the TCP and SMTP services (talk 001), on channels with Go's rules: connections and errors come from a channel.

use windtunnel::go::{self, Channel};
use windtunnel::select;
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&ACCEPT_ERROR_SPIN, &NO_SHUTDOWN, &SECOND_EXIT_BLOCKS];

/// Accepts until the listener is closed; `Err` is what a closed listener gives, at once and for ever.
async fn accept(listener: &Channel<()>) -> Result<(), &'static str> {
    listener.recv().await.ok_or("use of closed network connection")
}

static ACCEPT_ERROR_SPIN: Bug = Bug {
    id: "tcp-accept-error-spin",
    source: "001:69-72",
    summary: "Any error of accept is passed over; that of a closed listener comes at once, again and again.",
    mend: "Tell errors apart: end at a closed listener, wait before trying again at one that passes.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let listener = go::named("listener", 1);
                listener.close().expect("closed once");
                loop {
                    // The printed `continue`, whatever went wrong.
                    accept(&listener).await.ok();
                }
            })
        },
        mended: || {
            Box::pin(async {
                let listener = go::named("listener", 1);
                listener.close().expect("closed once");
                while accept(&listener).await.is_ok() {}
            })
        },
        expected: Expected { word: "NO PROGRESS", tasks: &[("main", "running")], message: "" },
    }),
};

static NO_SHUTDOWN: Bug = Bug {
    id: "tcp-no-shutdown",
    source: "001:66-78",
    summary: "The accept loop has no way out: whoever started the service and is done with it leaves it behind.",
    mend: "A stop signal that closes the listener.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let listener = go::named("listener", 0);
                spawn_named("accept", async move { while accept(&listener).await.is_ok() {} });
            })
        },
        mended: || {
            Box::pin(async {
                let (listener, stop) = (go::named("listener", 0), go::named::<()>("stop", 0));
                let stopping = stop.clone();
                spawn_named("accept", async move {
                    loop {
                        select! {
                            accepted = accept(&listener) => accepted.expect("nobody closes it"),
                            _ = stopping.recv() => return,
                        }
                    }
                });
                stop.close().expect("closed once");
            })
        },
        expected: Expected { word: "LEAK", tasks: &[("accept", "channel recv (listener)")], message: "" },
    }),
};

/// Two shut the service down, a signal and an operator; main waits for the first.
async fn shut_down_twice(capacity: usize) {
    let exited = go::named("exited", capacity);
    for who in ["signal", "operator"] {
        let exited = exited.clone();
        spawn_named(who, async move { exited.send(()).await.expect("exited is never closed") });
    }
    exited.recv().await;
}

static SECOND_EXIT_BLOCKS: Bug = Bug {
    id: "smtp-second-exit-blocks",
    source: "001:136-147",
    summary: "Two shut the service down and one word is waited for: the second to say it does so for ever.",
    mend: "Room for one signal, and one more is not waited for.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(shut_down_twice(0)),
        mended: || Box::pin(shut_down_twice(1)),
        expected: Expected { word: "LEAK", tasks: &[("", "channel send (exited)")], message: "" },
    }),
};
