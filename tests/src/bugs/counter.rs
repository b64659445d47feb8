//! The bug of every introduction to data races.

use std::sync::Arc;

use windtunnel::cell::CheckedCell;
use windtunnel::sync::Mutex;
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&RACY_COUNTER];

/// Two visitors count themselves, each under `mutex` if there is one.
async fn count(mutex: Option<Arc<Mutex<()>>>) {
    let hits = Arc::new(CheckedCell::named("hits", 0));
    let visitors = ["visitor 1", "visitor 2"].map(|name| {
        let (hits, mutex) = (Arc::clone(&hits), mutex.clone());
        spawn_named(name, async move {
            let _held = match &mutex {
                Some(mutex) => Some(mutex.lock().await),
                None => None,
            };
            hits.set(hits.get() + 1);
        })
    });
    for visitor in visitors {
        visitor.await.expect("it counts");
    }
    assert_eq!(hits.get(), 2);
}

static RACY_COUNTER: Bug = Bug {
    id: "racy-counter",
    source: "no talk: the classic",
    summary: "Two tasks read a counter and write it back, with nothing to order them: an increment can be lost.",
    mend: "An atomic addition, or a lock around both steps.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(count(None)),
        mended: || Box::pin(count(Some(Arc::new(Mutex::new(()))))),
        expected: Expected { word: "DATA RACE", tasks: &[("visitor", "running")], message: "cell hits: " },
    }),
};
