//! Bugs of the program to try the tools on (talk 002): a hundred goroutines that are started, and forgotten.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;
use windtunnel_sim::Sim;

use super::simulated::simulated;
use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&LEAK, &UNBOUNDED_RECURSION];

/// `func f(x int) { g(x + 1) }`, where `x` is the depth.
fn f(c: Channel<u8>, x: Arc<AtomicUsize>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(g(c, x))
}

/// `func g(x int) { h(x + 1) }`
async fn g(c: Channel<u8>, x: Arc<AtomicUsize>) {
    h(c, x).await;
}

/// `func h(x int) { c <- 1; f(x + 1) }`
async fn h(c: Channel<u8>, x: Arc<AtomicUsize>) {
    c.send(1).await.expect("c is never closed");
    x.fetch_add(1, Ordering::Relaxed);
    f(c, x).await;
}

/// What the recursion comes to, if it ends when nobody receives any more.
async fn send_until_closed(c: Channel<u8>) {
    while c.send(1).await.is_ok() {}
}

/// Hint 8, know why and when each goroutine will exit: these do not, on purpose.
static LEAK: Bug = Bug {
    id: "xgo-leak",
    source: "002:222-249, with two of the hundred",
    summary: "Goroutines are started that send on a channel which nobody receives from: all of them are left behind.",
    mend: "Give them a reason to exit: here c is closed when nobody is to receive from it.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let c = go::named("c", 0);
                for i in 0..2 {
                    spawn_named(format!("f {i}"), f(c.clone(), Arc::default()));
                }
            })
        },
        mended: || {
            Box::pin(async {
                let c = go::named("c", 0);
                for i in 0..2 {
                    spawn_named(format!("f {i}"), send_until_closed(c.clone()));
                }
                c.close().expect("closed once");
            })
        },
        expected: Expected {
            word: "LEAK",
            tasks: &[("f 0", "channel send (c)"), ("f 1", "channel send (c)")],
            message: "",
        },
    }),
};

/// Somebody receives what one goroutine sends, two hundred times.
async fn receive(sim: Sim, recursive: bool) {
    let (c, depth) = (go::named("c", 0), Arc::new(AtomicUsize::new(0)));
    let seen = Arc::clone(&depth);
    sim.limit("calls of f that have not returned", 100, move || seen.load(Ordering::Relaxed));
    if recursive {
        spawn_named("f", f(c.clone(), depth));
    } else {
        spawn_named("f", send_until_closed(c.clone()));
    }
    for _ in 0..200 {
        c.recv().await;
    }
    c.close().expect("closed once");
}

static UNBOUNDED_RECURSION: Bug = Bug {
    id: "xgo-unbounded-recursion",
    source: "002:246-249",
    summary: "After each send h calls f again, which calls h: once somebody receives, the stack grows with each value.",
    mend: "A loop instead of the call.",
    check: simulated(
        "xgo-unbounded-recursion",
        "metric bound",
        [|sim| Box::pin(receive(sim, true)), |sim| Box::pin(receive(sim, false))],
        "limit: calls of f that have not returned: 101, at most 100",
    ),
};
