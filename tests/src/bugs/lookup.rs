//! Bugs of the address lookup (talk 000).

use windtunnel::task::{spawn_named, yield_now};
use windtunnel::{channel, go};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&DONE_NOT_DEFERRED];

/// What a look-up does before it can report.
async fn look_up() {
    yield_now().await;
}

static DONE_NOT_DEFERRED: Bug = Bug {
    id: "lookup-done-not-deferred",
    source: "000:556-559",
    summary: "A look-up dies before it reports (here it is aborted; a panic does the same), and its report is waited for.",
    mend: "Report from a guard, whose drop runs in a panic as well.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let done = go::named("done", 1);
                let report = done.clone();
                let task = spawn_named("look-up", async move {
                    look_up().await;
                    report.send(true).await.expect("done is never closed");
                });
                task.abort();
                done.recv().await;
            })
        },
        mended: || {
            Box::pin(async {
                let (done, reports) = channel::<bool>(1);
                let task = spawn_named("look-up", async move {
                    // Dropped on whichever way out, as by a `defer`.
                    let _done = done;
                    look_up().await;
                });
                task.abort();
                reports.recv().await;
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (done)")], message: "" },
    }),
};
