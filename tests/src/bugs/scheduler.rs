//! Bugs of the work scheduler (talk 002, pattern 2), on channels with Go's rules.

use windtunnel::go::{self, Channel};
use windtunnel::select;
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[
    &LEN_OF_CHANNEL,
    &WORK_DONE_DEADLOCK,
    &ACCEPT_LEAK,
    &CLOSE_BEFORE_REQUEUE,
    &REQUEUE_UNBUFFERED,
    &CLOSED_SERVERS_SPIN,
    &NAIVE_CLOSE_FIX,
    &LATE_REGISTRATION_BLOCKS,
];

type Server = &'static str;

/// A channel that holds `servers` and stays open, as a registrar would leave it.
fn registered(servers: &[Server]) -> Channel<Server> {
    let channel = go::named("servers", servers.len());
    for server in servers {
        channel.try_send(*server).expect("there is room for each");
    }
    channel
}

/// `for task := range work { call(srv, task); done <- true }`
async fn run_tasks(_server: Server, work: Channel<usize>, done: Channel<bool>) {
    while work.recv().await.is_some() {
        done.send(true).await.expect("send on closed channel");
    }
}

/// `for srv := range servers { go runTasks(srv) }`
fn accept_for_ever(servers: Channel<Server>, work: &Channel<usize>, done: &Channel<bool>) {
    let (work, done) = (work.clone(), done.clone());
    spawn_named("accept", async move {
        while let Some(server) = servers.recv().await {
            spawn_named(format!("run {server}"), run_tasks(server, work.clone(), done.clone()));
        }
    });
}

/// The same with a reason to exit.
fn accept_until(exit: &Channel<()>, servers: Channel<Server>, work: &Channel<usize>, done: &Channel<bool>) {
    let (exit, work, done) = (exit.clone(), work.clone(), done.clone());
    spawn_named("accept", async move {
        let mut servers = Some(servers);
        loop {
            select! {
                server = servers.as_ref().map(Channel::recv) => match server {
                    Some(server) => {
                        spawn_named(format!("run {server}"), run_tasks(server, work.clone(), done.clone()));
                    }
                    None => servers = None,
                },
                _ = exit.recv() => return,
            }
        }
    });
}

async fn send_all(work: &Channel<usize>, tasks: usize) {
    for task in 0..tasks {
        work.send(task).await.expect("send on closed channel");
    }
}

async fn receive_all(done: &Channel<bool>, tasks: usize) {
    for _ in 0..tasks {
        done.recv().await.expect("done is never closed");
    }
}

/// The step with a buffered `work` and an exit: what most of the bugs are mended to.
async fn mended(servers: Channel<Server>, tasks: usize) {
    let (work, done, exit) = (go::named("work", tasks), go::named("done", 0), go::named("exit", 0));
    accept_until(&exit, servers, &work, &done);
    send_all(&work, tasks).await;
    receive_all(&done, tasks).await;
    work.close().expect("closed once");
    exit.close().expect("closed once");
}

static LEN_OF_CHANNEL: Bug = Bug {
    id: "sched-len-of-channel",
    source: "002:1773-1792",
    summary: "The length of a channel is what waits in it, here nothing, and not how many servers came: Schedule returns before its \
              task is done, and the server waits for ever to report.",
    mend: "Report each task instead of each server: their number is known.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let (servers, work, done) = (registered(&["a"]), go::named("work", 0), go::named("done", 0));
                // So that the accept loop, which has no other end yet, is not the leak that is seen.
                servers.close().expect("closed once");
                accept_for_ever(servers.clone(), &work, &done);
                send_all(&work, 1).await;
                work.close().expect("closed once");
                receive_all(&done, servers.len()).await;
            })
        },
        mended: || Box::pin(mended(registered(&["a"]), 1)),
        expected: Expected { word: "LEAK", tasks: &[("run a", "channel send (done)")], message: "" },
    }),
};

static WORK_DONE_DEADLOCK: Bug = Bug {
    id: "sched-work-done-deadlock",
    source: "002:1849-1856",
    summary: "With more tasks than servers, main waits to hand out a task while every server waits to report one.",
    mend: "Send the work from a task of its own, or select between sending work and receiving what is done, or buffer all the work.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let (work, done) = (go::named("work", 0), go::named("done", 0));
                accept_for_ever(registered(&["a"]), &work, &done);
                send_all(&work, 2).await;
                work.close().expect("closed once");
                receive_all(&done, 2).await;
            })
        },
        mended: || Box::pin(mended(registered(&["a"]), 2)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[
                ("main", "channel send (work)"),
                ("run a", "channel send (done)"),
                ("accept", "channel recv (servers)"),
            ],
            message: "",
        },
    }),
};

static ACCEPT_LEAK: Bug = Bug {
    id: "sched-accept-leak",
    source: "002:2088-2115",
    summary: "The task that accepts servers waits for the next one for ever, after all work is done.",
    mend: "Tell the accepting task to exit once all the work is done.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let (work, done) = (go::named("work", 1), go::named("done", 0));
                accept_for_ever(registered(&["a"]), &work, &done);
                send_all(&work, 1).await;
                work.close().expect("closed once");
                receive_all(&done, 1).await;
            })
        },
        mended: || Box::pin(mended(registered(&["a"]), 1)),
        expected: Expected { word: "LEAK", tasks: &[("accept", "channel recv (servers)")], message: "" },
    }),
};

/// `if call(srv, task) { done <- true } else { work <- task }`, where the first call fails.
async fn requeueing(work: Channel<(usize, u32)>, done: Channel<bool>) {
    while let Some((task, attempt)) = work.recv().await {
        if attempt == 0 {
            work.send((task, attempt + 1)).await.expect("send on closed channel");
        } else {
            done.send(true).await.expect("done is never closed");
        }
    }
}

async fn with_requeueing(close_before_counting: bool) {
    let (work, done) = (go::named("work", 1), go::named("done", 0));
    spawn_named("run a", requeueing(work.clone(), done.clone()));
    work.send((0, 0)).await.expect("send on closed channel");
    if close_before_counting {
        work.close().expect("closed once");
    }
    done.recv().await.expect("done is never closed");
    if !close_before_counting {
        work.close().expect("closed once");
    }
}

static CLOSE_BEFORE_REQUEUE: Bug = Bug {
    id: "sched-close-before-requeue",
    source: "002:2121-2250",
    summary: "Main closes the queue of tasks while a failed one is still to be put back: send on a closed channel.",
    mend: "Close the work only after every task was counted as done.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(with_requeueing(true)),
        mended: || Box::pin(with_requeueing(false)),
        expected: Expected { word: "PANIC", tasks: &[("run a", "running")], message: "send on closed channel" },
    }),
};

/// The work is sent by a task of its own, as one step has it, with so much room; a failed task is put back.
async fn with_a_sender(room: usize) {
    let (work, done) = (go::named("work", room), go::named("done", 0));
    spawn_named("run a", requeueing(work.clone(), done.clone()));
    let sending = work.clone();
    spawn_named("send", async move { sending.send((0, 0)).await.expect("send on closed channel") });
    done.recv().await.expect("done is never closed");
    work.close().expect("closed once");
}

static REQUEUE_UNBUFFERED: Bug = Bug {
    id: "sched-requeue-unbuffered",
    source: "002:2001-2006 with 002:2121-2285",
    summary: "The only server puts its failed task back into a queue without room: it waits for a server to take it, which is itself.",
    mend: "Room for every task in the queue of work.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(with_a_sender(0)),
        mended: || Box::pin(with_a_sender(1)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel recv (done)"), ("run a", "channel send (work)")],
            message: "",
        },
    }),
};

static CLOSED_SERVERS_SPIN: Bug = Bug {
    id: "sched-closed-servers-spin",
    source: "002:2336",
    summary: "A closed stream of servers is always ready: the accept loop starts a task for server \"\" again and again.",
    mend: "Look at whether the list of servers is closed, and then disable its arm.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let servers = registered(&[]);
                servers.close().expect("closed once");
                let (work, done, exit) = (go::named("work", 1), go::named("done", 0), go::named("exit", 0));
                let (accepted, reported, end) = (work.clone(), done.clone(), exit.clone());
                spawn_named("accept", async move {
                    loop {
                        select! {
                            server = servers.recv() => {
                                // Go's receive from a closed channel: the zero value, at once.
                                let server = server.unwrap_or_default();
                                spawn_named(format!("run {server:?}"), run_tasks(server, accepted.clone(), reported.clone()));
                            }
                            _ = end.recv() => return,
                        }
                    }
                });
                send_all(&work, 1).await;
                receive_all(&done, 1).await;
                work.close().expect("closed once");
                exit.send(()).await.expect("exit is never closed");
            })
        },
        mended: || Box::pin(mended(closed_list(), 1)),
        expected: Expected {
            word: "TOO MANY TASKS",
            tasks: &[("run \"\"", "running"), ("accept", "running")],
            message: "",
        },
    }),
};

/// `srv, ok := <-servers; if !ok { return }`
async fn accept_until_closed(exit: Channel<()>, servers: Channel<Server>, work: Channel<usize>, done: Channel<bool>) {
    loop {
        select! {
            server = servers.recv() => {
                let Some(server) = server else { return };
                spawn_named(format!("run {server}"), run_tasks(server, work.clone(), done.clone()));
            }
            _ = exit.recv() => return,
        }
    }
}

/// One server and one task; the list of servers is complete.
fn closed_list() -> Channel<Server> {
    let servers = registered(&["a"]);
    servers.close().expect("closed once");
    servers
}

static NAIVE_CLOSE_FIX: Bug = Bug {
    id: "sched-naive-close-fix",
    source: "002:2333-2351, with the mend that comes to mind first",
    summary: "The accept loop ends at the close of the list of servers, and Schedule waits to tell it to exit.",
    mend: "Close the exit channel instead of sending on it, which waits for nobody.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let (work, done, exit) = (go::named("work", 1), go::named("done", 0), go::named("exit", 0));
                spawn_named("accept", accept_until_closed(exit.clone(), closed_list(), work.clone(), done.clone()));
                send_all(&work, 1).await;
                receive_all(&done, 1).await;
                work.close().expect("closed once");
                exit.send(()).await.expect("exit is never closed");
            })
        },
        mended: || Box::pin(mended(closed_list(), 1)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel send (exit)")], message: "" },
    }),
};

/// A server registers after a Schedule that had no task to do; who registers it may look whether that is over.
async fn register_late(looks: bool) {
    let (servers, over) = (go::named("servers", 0), go::named::<()>("over", 0));
    mended(servers.clone(), 0).await;
    over.close().expect("closed once");
    select! {
        sent = servers.send("late") => sent.expect("servers is never closed"),
        _ = looks.then(|| over.recv()) => {}
    }
}

static LATE_REGISTRATION_BLOCKS: Bug = Bug {
    id: "sched-late-registration-blocks",
    source: "002:2333-2351",
    summary: "A server registers after Schedule has returned: nobody takes its name any more, and it waits for ever.",
    mend: "Tell the registrar when Schedule is over, and have it select on that.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(register_late(false)),
        mended: || Box::pin(register_late(true)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "select {channel send (servers)}")], message: "" },
    }),
};
