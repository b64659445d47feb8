//! Bugs of the dispatcher of home routers (talk 004), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&HEAD_OF_LINE_BLOCKING, &NEVER_EXIT];

/// The routers, and the events of each.
const NAMES: [&str; 2] = ["router A", "router B"];
const A: usize = 0;
const B: usize = 1;

/// `processEvents`, with room for so many events. Where the printed program says "calculate something", A waits for what B's event
/// brings.
fn process_events(router: usize, room: usize, news: Channel<()>) -> Channel<usize> {
    let input = go::named(NAMES[router], room);
    let events = input.clone();
    spawn_named(NAMES[router], async move {
        while events.recv().await.is_some() {
            if router == A {
                news.recv().await;
            } else {
                // A second event of B brings nothing new.
                let _ = news.close();
            }
        }
    });
    input
}

/// `dispatch`, in the task whose events they are: a router's task begins with its first event. At the end of the events those of the
/// routers end, too, or not.
async fn dispatch(events: &[usize], room: usize, ends_routers: bool) {
    let (news, mut routers) = (go::named("news", 0), [const { None }; NAMES.len()]);
    for &router in events {
        let channel = routers[router].get_or_insert_with(|| process_events(router, room, news.clone()));
        channel.send(router).await.expect("it is not closed yet");
    }
    for channel in routers.iter().flatten().filter(|_| ends_routers) {
        channel.close().expect("closed once");
    }
}

static HEAD_OF_LINE_BLOCKING: Bug = Bug {
    id: "router-head-of-line-blocking",
    source: "004:238, with routers that wait",
    summary: "Router A is slow, and its next event waits in the dispatcher: B's event behind that never comes, which A waits for.",
    mend: "A queue for each router, with a policy for when it is full.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(dispatch(&[A, A, B], 0, true)),
        mended: || Box::pin(dispatch(&[A, A, B], 1, true)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel send (router A)"), ("router A", "channel recv (news)")],
            message: "",
        },
    }),
};

static NEVER_EXIT: Bug = Bug {
    id: "router-goroutines-never-exit",
    source: "004:214-241",
    summary: "The events are over, and the dispatcher has ended: each router waits for its next event for ever.",
    mend: "Close the channel of every router when the input ends, and end idle ones.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(dispatch(&[B], 0, false)),
        mended: || Box::pin(dispatch(&[B], 0, true)),
        expected: Expected { word: "LEAK", tasks: &[("router B", "channel recv (router B)")], message: "" },
    }),
};
