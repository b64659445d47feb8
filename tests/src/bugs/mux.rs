//! Bugs of the protocol multiplexer (talk 002, pattern 4), on channels with Go's rules.

use std::collections::BTreeMap;
use std::sync::Arc;

use windtunnel::go::{self, Channel};
use windtunnel::sync::Mutex;
use windtunnel::task::spawn_named;
use windtunnel::{select, time};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &SEND_NEVER_MADE,
    &PENDING_NEVER_DELETED,
    &DUPLICATE_REPLIES_WEDGE,
    &DUPLICATE_REPLY_CRASH,
    &LOST_REPLY_HANG,
    &NO_SHUTDOWN,
    &REGISTER_AFTER_SEND,
    &UNLOCK_BETWEEN_LOOKUP_AND_DELETE,
    &REENTRANT_LOCK_MOVE_DEADLOCK,
];

type Tag = u64;

/// `type Mux struct`, with the replies of its service.
#[derive(Clone)]
struct Mux {
    network: Channel<Tag>,
    /// Replies to each request.
    replies: usize,
    pending: Arc<Mutex<BTreeMap<Tag, Channel<Tag>>>>,
}

/// What becomes of the entry that a reply is for.
#[derive(Clone, Copy)]
enum Entry {
    /// As printed: it stays, and the reply panics if there is none.
    Kept,
    /// As spoken: it is deleted where it is looked up.
    Deleted,
    /// The reply is dropped if there is none.
    DeletedIfAny,
}

impl Mux {
    /// `Init`, with a service that sends so many replies to each request.
    fn init(replies: usize, entry: Entry) -> Self {
        let (network, pending) = (go::named("network", 2 * replies), Mutex::named("mu", BTreeMap::new()));
        let mux = Self { network, replies, pending: Arc::new(pending) };
        spawn_named("recv loop", mux.clone().recv_loop(entry));
        mux
    }

    async fn recv_loop(self, entry: Entry) {
        while let Some(tag) = self.network.recv().await {
            let done = {
                let mut pending = self.pending.lock().await;
                if matches!(entry, Entry::Kept) { pending.get(&tag).cloned() } else { pending.remove(&tag) }
            };
            match done {
                Some(done) => done.send(tag).await.expect("done is never closed"),
                None if matches!(entry, Entry::DeletedIfAny) => {}
                None => panic!("unexpected reply"),
            }
        }
    }

    async fn register(&self, tag: Tag) -> Channel<Tag> {
        let done = go::named("done", 1);
        let replaced = self.pending.lock().await.insert(tag, done.clone());
        assert!(replaced.is_none(), "mux: duplicate call tag");
        done
    }

    /// `m.srv.Send(args)`
    async fn send(&self, tag: Tag) {
        for _ in 0..self.replies {
            self.network.send(tag).await.expect("the service is there");
        }
    }

    async fn call(&self, tag: Tag) {
        let done = self.register(tag).await;
        self.send(tag).await;
        done.recv().await;
    }

    /// `for args := range m.send { m.srv.Send(args) }`; the service goes when the requests end.
    fn start_sending(&self) -> Channel<Tag> {
        let (mux, send) = (self.clone(), go::named("send", 0));
        let requests = send.clone();
        spawn_named("send loop", async move {
            while let Some(tag) = requests.recv().await {
                mux.send(tag).await;
            }
            mux.shut_down();
        });
        send
    }

    /// What the talk's does not have.
    fn shut_down(&self) {
        self.network.close().expect("closed once");
    }
}

/// One call, whose request is sent by the send loop.
async fn call_through_the_send_loop(shut_down: bool) {
    let mux = Mux::init(1, Entry::Deleted);
    let (send, done) = (mux.start_sending(), mux.register(1).await);
    send.send(1).await.expect("send is open");
    done.recv().await;
    if shut_down {
        send.close().expect("closed once");
    }
}

/// Two calls, one after the other, with the same tag.
async fn a_tag_used_twice(entry: Entry) {
    let mux = Mux::init(1, entry);
    mux.call(1).await;
    mux.call(1).await;
    mux.shut_down();
}

/// Calls 1 and 2 are registered and their requests sent: these replies come to them.
async fn replies_come<const N: usize>(replies: [Tag; N], entry: Entry) {
    let (network, pending) = (go::named("network", N), Mutex::named("mu", BTreeMap::new()));
    let mux = Mux { network, replies: 0, pending: Arc::new(pending) };
    let calls = [mux.register(1).await, mux.register(2).await];
    for tag in replies {
        mux.network.try_send(tag).expect("there is room for each");
    }
    mux.shut_down();
    spawn_named("recv loop", mux.recv_loop(entry));
    for done in calls {
        done.recv().await;
    }
}

static SEND_NEVER_MADE: Bug = Bug {
    id: "mux-send-never-made",
    source: "002:2608-2613",
    summary: "Init makes the map and not the channel: who sends on nil, or receives from it, waits for ever.",
    mend: "Make the channel.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let nil = || go::named::<Tag>("nil", 0);
                let network = go::named::<Tag>("network", 0);
                spawn_named("send loop", async move { nil().recv().await });
                spawn_named("recv loop", async move { network.recv().await });
                nil().send(1).await.expect("never closed");
            })
        },
        mended: || Box::pin(call_through_the_send_loop(true)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[
                ("main", "channel send (nil)"),
                ("send loop", "channel recv (nil)"),
                ("recv loop", "channel recv (network)"),
            ],
            message: "",
        },
    }),
};

static PENDING_NEVER_DELETED: Bug = Bug {
    id: "mux-pending-never-deleted",
    source: "002:2666-2680",
    summary: "The entry of a finished call stays in the map: it grows for ever, and a tag that is used again panics.",
    mend: "Take the entry out where the reply is looked up, in the same critical section.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(a_tag_used_twice(Entry::Kept)),
        mended: || Box::pin(a_tag_used_twice(Entry::Deleted)),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "duplicate call tag" },
    }),
};

static DUPLICATE_REPLIES_WEDGE: Bug = Bug {
    id: "mux-duplicate-replies-wedge",
    source: "002:2666-2680",
    summary: "Of three replies to a call one is taken and one fits the buffer: the third blocks the loop for every other call.",
    mend: "Take the entry out with the first reply, and drop the others.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(replies_come([1, 1, 1, 2], Entry::Kept)),
        mended: || Box::pin(replies_come([1, 1, 1, 2], Entry::DeletedIfAny)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel recv (done)"), ("recv loop", "channel send (done)")],
            message: "",
        },
    }),
};

static DUPLICATE_REPLY_CRASH: Bug = Bug {
    id: "mux-duplicate-reply-crash",
    source: "003 [51:26]",
    summary: "With the entry deleted, a second reply to a call finds none, and what a peer sends panics the client.",
    mend: "Drop a reply whose call is gone, and count it.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(replies_come([1, 1, 2], Entry::Deleted)),
        mended: || Box::pin(replies_come([1, 1, 2], Entry::DeletedIfAny)),
        expected: Expected { word: "PANIC", tasks: &[("recv loop", "running")], message: "unexpected reply" },
    }),
};

static LOST_REPLY_HANG: Bug = Bug {
    id: "mux-lost-reply-hang",
    source: "002:2718-2732",
    summary: "A reply is lost, and the call that waits for it never ends.",
    mend: "A deadline for each call; a lost connection fails every call that waits.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { Mux::init(0, Entry::Deleted).call(1).await }),
        mended: || {
            Box::pin(async {
                let mux = Mux::init(0, Entry::DeletedIfAny);
                let done = mux.register(1).await;
                mux.send(1).await;
                select! {
                    _ = done.recv() => {}
                    () = time::sleep(time::secs(1)) => drop(mux.pending.lock().await.remove(&1)),
                }
                mux.shut_down();
            })
        },
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel recv (done)"), ("recv loop", "channel recv (network)")],
            message: "",
        },
    }),
};

static NO_SHUTDOWN: Bug = Bug {
    id: "mux-no-shutdown",
    source: "002:2645-2680",
    summary: "Nothing ends the two loops: each multiplexer that is let go leaves two tasks behind.",
    mend: "Close the channel that the sending loop reads, and let the loops end.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(call_through_the_send_loop(false)),
        mended: || Box::pin(call_through_the_send_loop(true)),
        expected: Expected {
            word: "LEAK",
            tasks: &[("send loop", "channel recv (send)"), ("recv loop", "channel recv (network)")],
            message: "",
        },
    }),
};

static REGISTER_AFTER_SEND: Bug = Bug {
    id: "mux-register-after-send",
    source: "002:2718-2732",
    summary: "The request is sent before the call is registered: its reply may come first, and is expected by nobody.",
    mend: "Register the call before the request is sent.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let mux = Mux::init(1, Entry::Deleted);
                mux.send(1).await;
                mux.register(1).await.recv().await;
                mux.shut_down();
            })
        },
        mended: || {
            Box::pin(async {
                let mux = Mux::init(1, Entry::Deleted);
                let done = mux.register(1).await;
                mux.send(1).await;
                done.recv().await;
                mux.shut_down();
            })
        },
        expected: Expected { word: "PANIC", tasks: &[("recv loop", "running")], message: "unexpected reply" },
    }),
};

/// A reply is there when its call is cancelled, which closes its channel: whoever finds it in the map may.
async fn reply_against_cancel(in_one_section: bool) {
    let pending = Arc::new(Mutex::named("mu", BTreeMap::from([(1, go::named("done", 1))])));
    let calls = Arc::clone(&pending);
    spawn_named("recv loop", async move {
        let found = if in_one_section {
            calls.lock().await.remove(&1)
        } else {
            let found = calls.lock().await.get(&1).cloned();
            calls.lock().await.remove(&1);
            found
        };
        if let Some(done) = found {
            done.send(1).await.expect("send on closed channel");
        }
    });
    let found = pending.lock().await.remove(&1);
    if let Some(done) = found {
        done.close().expect("closed once");
    }
}

static UNLOCK_BETWEEN_LOOKUP_AND_DELETE: Bug = Bug {
    id: "mux-unlock-between-lookup-and-delete",
    source: "003 [71:20-71:41]",
    summary: "Between look-up and deletion the lock is let go: a cancellation finds the entry too, and the reply a closed channel.",
    mend: "Look the entry up and take it out in one critical section.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(reply_against_cancel(false)),
        mended: || Box::pin(reply_against_cancel(true)),
        expected: Expected { word: "PANIC", tasks: &[("recv loop", "running")], message: "send on closed channel" },
    }),
};

/// Counts, under a lock of its own.
async fn count(counter: Arc<Mutex<u32>>) {
    *counter.lock().await += 1;
}

static REENTRANT_LOCK_MOVE_DEADLOCK: Bug = Bug {
    id: "reentrant-lock-move-deadlock",
    source: "003 [72:20-73:10]",
    summary: "What relied on its caller's lock is moved to a task of its own: it waits for the lock, and its holder for it.",
    mend: "Do not rely on a lock that its holder can take again: pass what it protects.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let counter = Arc::new(Mutex::named("mu", 0));
                let held = counter.lock().await;
                spawn_named("callee", count(Arc::clone(&counter))).await.expect("it ends");
                drop(held);
            })
        },
        mended: || {
            Box::pin(async {
                let counter = Arc::new(Mutex::named("mu", 0));
                let held = counter.lock().await;
                drop(held);
                spawn_named("callee", count(Arc::clone(&counter))).await.expect("it ends");
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "join"), ("callee", "mutex lock (mu)")], message: "" },
    }),
};
