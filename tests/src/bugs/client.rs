//! Bugs of the replicated client (talk 002, pattern 3), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel::{select, time};
use windtunnel_model::Builder;

use super::{Bug, Expected};

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

pub(super) static DONE_CAPACITY_1_LEAK: Bug = Bug {
    id: "client-done-capacity-1-leak",
    source: "002:2500-2529",
    summary: "Three servers are asked, one reply is returned and one fits the buffer: the third waits to report for ever.",
    builder: Builder::new,
    buggy: || Box::pin(async { assert!(call(3, 1).await <= 3) }),
    mended: || Box::pin(async { assert!(call(3, 3).await <= 3) }),
    expected: Expected { word: "LEAK", tasks: &[("call", "channel send (done)")], message: "" },
};
