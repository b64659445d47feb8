//! Bugs of the repository and the safe map (talk 004), and of what becomes of them without a rendezvous.

use std::collections::HashMap;

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel::{select, time};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] =
    &[&NO_SHUTDOWN, &ABANDONED_GET, &NO_RENDEZVOUS, &REENTRANT_COMMAND, &NO_CLOSE, &INSERT_AFTER_CLOSE];

type Found = Option<char>;

/// The repository as printed: `puts`, and `gets` with where each answer goes.
#[derive(Clone)]
struct Repository {
    puts: Channel<(u8, char)>,
    gets: Channel<(u8, Channel<Found>)>,
    quit: Channel<()>,
}

impl Repository {
    /// `go repo.dispatch()`, with room for so many requests of a kind.
    fn start(room: usize) -> Self {
        let repo = Self { puts: go::named("puts", room), gets: go::named("gets", room), quit: go::named("quit", 0) };
        spawn_named("dispatch", repo.clone().dispatch());
        repo
    }

    /// `for { select { … } }`, and a way out, which the printed one lacks.
    async fn dispatch(self) {
        let mut storage = HashMap::new();
        loop {
            select! {
                put = self.puts.recv() => {
                    let (id, value) = put.expect("never closed");
                    storage.insert(id, value);
                }
                get = self.gets.recv() => {
                    let (id, response) = get.expect("never closed");
                    response.send(storage.get(&id).copied()).await.expect("never closed");
                }
                _ = self.quit.recv() => return,
            }
        }
    }

    async fn put(&self, id: u8, value: char) {
        self.puts.send((id, value)).await.expect("never closed");
    }

    /// `r.gets <- getRequest{…}; response := <-getResponses`
    async fn get(&self, id: u8, room: usize) -> Found {
        let response = go::named("response", room);
        self.gets.send((id, response.clone())).await.expect("never closed");
        response.recv().await.expect("never closed")
    }
}

static NO_SHUTDOWN: Bug = Bug {
    id: "repo-no-shutdown",
    source: "004:258-273",
    summary: "The dispatcher has no way out: whoever is done with the repository leaves it behind.",
    mend: "An arm by which the dispatcher is told to quit.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let repo = Repository::start(0);
                repo.put(1, 'a').await;
            })
        },
        mended: || {
            Box::pin(async {
                let repo = Repository::start(0);
                repo.put(1, 'a').await;
                repo.quit.close().expect("closed once");
            })
        },
        expected: Expected {
            word: "LEAK",
            tasks: &[("dispatch", "select {channel recv (puts), channel recv (gets), channel recv (quit)}")],
            message: "",
        },
    }),
};

/// Somebody asks and goes away, maybe before the answer comes; then somebody puts.
async fn put_after_an_abandoned_get(room: usize) {
    let repo = Repository::start(0);
    let _ = time::timeout(time::secs(1), repo.get(1, room)).await;
    repo.put(1, 'a').await;
    repo.quit.close().expect("closed once");
}

static ABANDONED_GET: Bug = Bug {
    id: "repo-abandoned-get",
    source: "004:247-256, with a caller that can be dropped",
    summary: "A caller goes away between its request and the answer: the dispatcher waits to answer for ever, and all with it.",
    mend: "Room for the response, so that the dispatcher never waits for who asked.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(put_after_an_abandoned_get(0)),
        mended: || Box::pin(put_after_an_abandoned_get(1)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel send (puts)"), ("dispatch", "channel send (response)")],
            message: "",
        },
    }),
};

/// Reads what it has put, with room for so many requests of a kind.
async fn reads_its_own_put(room: usize) {
    let repo = Repository::start(room);
    repo.put(1, 'a').await;
    let found = repo.get(1, 1).await;
    repo.quit.close().expect("closed once");
    assert_eq!(found, Some('a'), "an own put is not seen");
}

static NO_RENDEZVOUS: Bug = Bug {
    id: "no-rendezvous",
    source: "004:258-280, with buffers of one",
    summary: "Without a rendezvous both requests wait, and the select takes the later one first: an own put is not seen.",
    mend: "One channel for every kind of request, or channels that really hand over.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(reads_its_own_put(1)),
        mended: || Box::pin(reads_its_own_put(0)),
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "an own put is not seen" },
    }),
};

/// What a closure of the safe map does.
enum Command {
    Insert(u8, char),
    /// Inserts what is at the first key at the second as well.
    Copy(u8, u8),
}

/// `for command := range sm { command(st) }`; `calls` says whether a copy calls `sm.Insert`, or changes `st` by itself.
async fn run(sm: Channel<Command>, calls: bool) {
    let mut st = HashMap::new();
    while let Some(command) = sm.recv().await {
        let (key, value) = match command {
            Command::Insert(key, value) => (key, value),
            Command::Copy(from, to) if calls => {
                sm.send(Command::Insert(to, st[&from])).await.expect("not closed yet");
                continue;
            }
            Command::Copy(from, to) => (to, st[&from]),
        };
        st.insert(key, value);
    }
}

/// `go sm.run()`
fn safe_map(calls: bool) -> Channel<Command> {
    let sm = go::named("sm", 0);
    spawn_named("run", run(sm.clone(), calls));
    sm
}

async fn insert(sm: &Channel<Command>) {
    sm.send(Command::Insert(1, 'a')).await.expect("send on closed channel");
}

async fn insert_and_copy(calls: bool) {
    let sm = safe_map(calls);
    insert(&sm).await;
    sm.send(Command::Copy(1, 2)).await.expect("send on closed channel");
    insert(&sm).await;
    sm.close().expect("closed once");
}

static REENTRANT_COMMAND: Bug = Bug {
    id: "safemap-reentrant-command",
    source: "004:291-302",
    summary: "A command inserts something itself: the one task that could take it is the one that sends it.",
    mend: "Commands get the map, and not the handle that sends commands.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(insert_and_copy(true)),
        mended: || Box::pin(insert_and_copy(false)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel send (sm)"), ("run", "channel send (sm)")],
            message: "",
        },
    }),
};

static NO_CLOSE: Bug = Bug {
    id: "safemap-no-close",
    source: "004:285-296",
    summary: "Nobody closes the channel of commands: the map's task waits for the next one for ever.",
    mend: "A close, at which the owner of the map ends.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                insert(&safe_map(false)).await;
            })
        },
        mended: || {
            Box::pin(async {
                let sm = safe_map(false);
                insert(&sm).await;
                sm.close().expect("closed once");
            })
        },
        expected: Expected { word: "LEAK", tasks: &[("run", "channel recv (sm)")], message: "" },
    }),
};

static INSERT_AFTER_CLOSE: Bug = Bug {
    id: "safemap-insert-after-close",
    source: "004:298-302",
    summary: "The map is closed while somebody is still to insert: send on a closed channel.",
    mend: "An insert after the close is an error.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let sm = safe_map(false);
                sm.close().expect("closed once");
                insert(&sm).await;
            })
        },
        mended: || {
            Box::pin(async {
                let sm = safe_map(false);
                sm.close().expect("closed once");
                // The end is an answer for the caller, not for the process.
                assert!(sm.send(Command::Insert(1, 'a')).await.is_err());
            })
        },
        expected: Expected { word: "PANIC", tasks: &[("main", "running")], message: "send on closed channel" },
    }),
};
