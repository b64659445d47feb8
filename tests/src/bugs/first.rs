//! Bugs of the first response (talk 001, "send request to all, use first one to respond").

use std::sync::Arc;

use windtunnel::cell::CheckedCell;
use windtunnel::go::{self, Channel};
use windtunnel::task::{JoinHandle, spawn_named};
use windtunnel::{select, time};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&LOOP_VAR, &UNBUFFERED_LEAK, &NO_CANCEL, &WRONG_FAST_REPLICA];

const REPLICAS: usize = 2;

/// `for _, replica := range c.Replicas { go func() { r <- replica.GetResponse(req) }() }`, where the loop has one variable for
/// all its turns, as Go had until version 1.22.
async fn ask_whom(copied: bool) {
    let r = go::named("r", REPLICAS);
    let variable = Arc::new(CheckedCell::named("replica", 0));
    for replica in 0..REPLICAS {
        variable.set(replica);
        let (r, variable) = (r.clone(), Arc::clone(&variable));
        spawn_named(format!("ask {replica}"), async move {
            let asked = if copied { replica } else { variable.get() };
            r.send(asked).await.expect("r is never closed");
        });
    }
    for _ in 0..REPLICAS {
        r.recv().await;
    }
}

/// Hint 1, use the race detector: it needs no unlucky run to see this.
static LOOP_VAR: Bug = Bug {
    id: "first-loop-var",
    source: "001:161-165",
    summary: "Each task reads the loop's variable while the loop goes on: the last replica is asked twice, the first never.",
    mend: "Give each task a copy of the variable.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(ask_whom(false)),
        mended: || Box::pin(ask_whom(true)),
        expected: Expected { word: "DATA RACE", tasks: &[("ask", "running")], message: "cell replica: " },
    }),
};

fn ask(replica: &'static str, r: &Channel<&'static str>) {
    let r = r.clone();
    spawn_named(format!("ask {replica}"), async move { r.send(replica).await.expect("r is never closed") });
}

async fn get_first(capacity: usize) {
    let r = go::named("r", capacity);
    ask("a", &r);
    ask("b", &r);
    r.recv().await;
}

static UNBUFFERED_LEAK: Bug = Bug {
    id: "first-unbuffered-leak",
    source: "001:159-178",
    summary: "Two replicas answer and one answer is taken: the other waits to be taken for ever.",
    mend: "Room for every reply.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(get_first(0)),
        mended: || Box::pin(get_first(REPLICAS)),
        expected: Expected { word: "LEAK", tasks: &[("ask", "channel send (r)")], message: "" },
    }),
};

/// Asks a replica that never answers, for a second.
async fn give_up() -> JoinHandle<()> {
    let (r, network) = (go::named::<()>("r", 1), go::named::<()>("network", 0));
    let answer = r.clone();
    let asking = spawn_named("ask a", async move {
        network.recv().await;
        answer.send(()).await.expect("r is never closed");
    });
    select! {
        _ = r.recv() => {}
        () = time::sleep(time::secs(1)) => {}
    }
    asking
}

static NO_CANCEL: Bug = Bug {
    id: "first-no-cancel",
    source: "001:168-178",
    summary: "The timeout ends the wait and not the call: who asked has gone, and the replica is still being asked.",
    mend: "Cancel the losers when the first has replied.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                give_up().await;
            })
        },
        mended: || Box::pin(async { give_up().await.abort() }),
        expected: Expected { word: "LEAK", tasks: &[("ask a", "channel recv (network)")], message: "" },
    }),
};

/// Takes the first answer that is `acceptable`; one of two replicas is wrong.
async fn first_answer(acceptable: fn(&str) -> bool) {
    let r = go::named("r", REPLICAS);
    ask("right", &r);
    ask("wrong", &r);
    let mut answer = r.recv().await;
    while answer.is_some_and(|answer| !acceptable(answer)) {
        answer = r.recv().await;
    }
    assert_eq!(answer, Some("right"), "a wrong answer is taken because it came first");
}

static WRONG_FAST_REPLICA: Bug = Bug {
    id: "first-wrong-fast-replica",
    source: "003 [83:07]",
    summary: "The fastest replica is wrong, and its answer is the answer.",
    mend: "Take the first reply that is valid, or one that a quorum agrees on.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(first_answer(|_| true)),
        mended: || Box::pin(first_answer(|answer| answer == "right")),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "because it came first" },
    }),
};
