//! Races on plain flags: the delay of the quorum storage (talk 000) and the draining of the mail service (talk 001). Both are latent:
//! the programs as printed cannot get there, and each does with the mend of another of its bugs.

use std::sync::Arc;

use windtunnel::cell::CheckedCell;
use windtunnel::go;
use windtunnel::sync::Mutex;
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&DRAINING_RACE, &DELAY_FLAG_RACE];

/// `Handle` of one connection beside a `Shutdown` that a signal calls.
fn shut_down_while_handling() {
    let draining = Arc::new(CheckedCell::named("draining", false));
    let seen = Arc::clone(&draining);
    spawn_named("handle", async move {
        let _refused = seen.get();
    });
    draining.set(true);
}

/// The same under a lock, and `Shutdown` waits for the sessions that it has let in: none while it drains.
async fn drain_while_handling() {
    let sessions = Arc::new(Mutex::named("sessions", Some(0)));
    let (seen, ended) = (Arc::clone(&sessions), go::named("ended", 1));
    let ending = ended.clone();
    spawn_named("handle", async move {
        let mut sessions = seen.lock().await;
        let Some(admitted) = &mut *sessions else { return };
        *admitted += 1;
        drop(sessions);
        ending.send(()).await.expect("ended is never closed");
    });
    let admitted = sessions.lock().await.take();
    for _ in 0..admitted.expect("drained once") {
        ended.recv().await;
    }
}

static DRAINING_RACE: Bug = Bug {
    id: "smtp-draining-race",
    source: "001:104-126, with a Shutdown that the signal calls",
    summary: "The shutdown writes a plain flag that a new connection reads, with nothing to order them: it may be let in all the same.",
    mend: "A lock around the flag and the number of sessions, so that the shutdown knows whom it has to wait for.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { shut_down_while_handling() }),
        mended: || Box::pin(drain_while_handling()),
        expected: Expected { word: "DATA RACE", tasks: &[("handle", "running")], message: "cell draining: " },
    }),
};

/// `Write` to two replicas, of which a quorum of one is waited for; then main turns the delay on. A replica looks at the
/// variable, or at what it was given.
async fn write_and_turn_the_delay_on(is_argument: bool) {
    let delay = Arc::new(CheckedCell::named("delay", false));
    let done = go::named("done", 2);
    for replica in 0..2 {
        let (done, variable, argument) = (done.clone(), Arc::clone(&delay), delay.get());
        spawn_named(format!("replica {replica}"), async move {
            let _delayed = if is_argument { argument } else { variable.get() };
            done.send(true).await.expect("done is never closed");
        });
    }
    done.recv().await;
    delay.set(true);
}

static DELAY_FLAG_RACE: Bug = Bug {
    id: "quorum-delay-flag-race",
    source: "000:1011-1140, with a Write that returns at the quorum",
    summary: "A write returns at its quorum, and main changes a plain variable that the slower replicas are still to read.",
    mend: "Pass the value to each replica as an argument.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(write_and_turn_the_delay_on(false)),
        mended: || Box::pin(write_and_turn_the_delay_on(true)),
        expected: Expected { word: "DATA RACE", tasks: &[("replica", "running")], message: "cell delay: " },
    }),
};
