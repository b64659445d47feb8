//! Hazards of a port from Go: bugs that the talks' programs do not have, and that a direct port to Rust gets.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use windtunnel::go::{self, Channel};
use windtunnel::sync::Mutex;
use windtunnel::task::spawn_named;
use windtunnel::{Receiver, channel, select, time};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] =
    &[&CANCELLED_FUTURE, &ABORT, &PANIC_IN_TASK, &COOPERATIVE_SCHEDULING, &CLOSE_SEMANTICS, &NO_DEADLOCK_DETECTOR];

type Server = &'static str;

/// A queue of idle servers, with one in it.
fn idle() -> Channel<Server> {
    let idle = go::named("idle", 1);
    idle.try_send("a").expect("there is room for it");
    idle
}

async fn take(idle: &Channel<Server>) -> Server {
    idle.recv().await.expect("idle is never closed")
}

/// `call(srv, task)`, whose reply never comes.
async fn call(_server: Server) {
    go::named::<()>("network", 0).recv().await;
}

/// A server that is idle again when this is dropped.
struct Lent<'a> {
    server: Server,
    idle: &'a Channel<Server>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        // There is room: the server's own place.
        self.idle.try_send(self.server).ok();
    }
}

/// `srv := <-idle; call(srv, task); idle <- srv`, the body of the scheduler's goroutine.
async fn call_on_idle(idle: &Channel<Server>) {
    let server = take(idle).await;
    call(server).await;
    idle.send(server).await.expect("idle is never closed");
}

async fn call_on_lent(idle: &Channel<Server>) {
    let lent = Lent { server: take(idle).await, idle };
    call(lent.server).await;
}

static CANCELLED_FUTURE: Bug = Bug {
    id: "cancelled-future",
    source: "002:1567-1574, with a deadline around the call",
    summary: "A future is dropped between two steps of which each supposes the other: the server that it took is never idle again.",
    mend: "Give back in the drop of a guard what has to be given back.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let idle = idle();
                time::timeout(time::secs(1), call_on_idle(&idle)).await.expect_err("there is no reply");
                take(&idle).await;
            })
        },
        mended: || {
            Box::pin(async {
                let idle = idle();
                time::timeout(time::secs(1), call_on_lent(&idle)).await.expect_err("there is no reply");
                take(&idle).await;
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (idle)")], message: "" },
    }),
};

/// A goroutine that is stopped while main waits for its answer: killed, or asked to exit.
async fn stop_while_somebody_waits(kill: bool) {
    let (requests, answers, exit) = (go::named("requests", 0), go::named("answers", 0), go::named::<()>("exit", 0));
    let (asked, answered, told) = (requests.clone(), answers.clone(), exit.clone());
    let server = spawn_named("server", async move {
        loop {
            select! {
                request = asked.recv() => {
                    let request: u8 = request.expect("requests is never closed");
                    answered.send(request + 1).await.expect("answers is never closed");
                }
                _ = told.recv() => return,
            }
        }
    });
    requests.send(1).await.expect("requests is never closed");
    if kill {
        server.abort();
    } else {
        exit.close().expect("closed once");
    }
    assert_eq!(answers.recv().await, Some(2));
}

/// The talk says why Go has no such thing, and Rust does.
static ABORT: Bug = Bug {
    id: "abort",
    source: "003 [42:21-42:55]",
    summary: "A task is killed in the middle of a communication: its partner waits for the rest of it for ever.",
    mend: "Ask it to exit, and let it look between two requests.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(stop_while_somebody_waits(true)),
        mended: || Box::pin(stop_while_somebody_waits(false)),
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (answers)")], message: "" },
    }),
};

/// A task as tokio runs it: a panic ends the task, and nothing else. (A checker ends the run, unless the panic is caught.)
async fn caught(task: impl Future<Output = ()>) -> Result<(), &'static str> {
    let mut task = pin!(task);
    poll_fn(|context| match catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))) {
        Ok(polled) => polled.map(Ok),
        Err(_) => Poll::Ready(Err("the task panicked")),
    })
    .await
}

/// A call that panics; quietly, since a checker takes a panic that is reported for the end of the run.
fn panicking_call(_server: Server) {
    resume_unwind(Box::new("index out of bounds"));
}

static PANIC_IN_TASK: Bug = Bug {
    id: "panic-in-task",
    source: "002:1592-1645, with a call that panics",
    summary: "In Go a panic ends the program, here only its task: the server that it had is never idle again, and main waits for it.",
    mend: "Put the server back where the panic is caught, or in the drop of a guard.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let idle = idle();
                let (server, back) = (take(&idle).await, idle.clone());
                spawn_named("call 0", async move {
                    let task = async {
                        panicking_call(server);
                        back.send(server).await.expect("idle is never closed");
                    };
                    caught(task).await.expect_err("it panics");
                });
                take(&idle).await;
            })
        },
        mended: || {
            Box::pin(async {
                let idle = idle();
                let (server, back) = (take(&idle).await, idle.clone());
                spawn_named("call 0", async move {
                    caught(async { panicking_call(server) }).await.expect_err("it panics");
                    back.send(server).await.expect("idle is never closed");
                });
                take(&idle).await;
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (idle)")], message: "" },
    }),
};

/// Another task is to answer.
fn answering() -> Channel<u8> {
    let answers = go::named("answers", 1);
    let answered = answers.clone();
    spawn_named("answer", async move { answered.send(1).await.expect("answers is never closed") });
    answers
}

static COOPERATIVE_SCHEDULING: Bug = Bug {
    id: "cooperative-scheduling",
    source: "003 [63:50]",
    summary: "A loop looks again and again whether the answer is there and never awaits: on its thread no other task runs, and none answers.",
    mend: "Await what you wait for; in a long computation, yield now and then.",
    check: Check::Exhaustive(Exhaustive {
        builder: || Builder::new().max_steps(1000),
        buggy: || {
            Box::pin(async {
                let answers = answering();
                while answers.try_recv().is_err() {}
            })
        },
        mended: || {
            Box::pin(async {
                assert_eq!(answering().recv().await, Some(1));
            })
        },
        expected: Expected { word: "NO PROGRESS", tasks: &[("main", "running"), ("answer", "running")], message: "" },
    }),
};

/// Two inputs of which one has an event, and whose senders are then gone.
fn two_inputs() -> [Receiver<u8>; 2] {
    let ((left, events), (_, none)) = (channel::named("left", 1), channel::named("right", 1));
    left.try_send(1).expect("there is room for it");
    [events, none]
}

/// `for { select { case e := <-left: …; case e := <-right: … } }`, to which the `None` of a closed channel says nothing.
async fn handle([left, right]: [Receiver<u8>; 2]) {
    loop {
        let event = select! {
            event = left.recv() => event,
            event = right.recv() => event,
        };
        if let Some(event) = event {
            assert_eq!(event, 1);
        }
    }
}

/// The same, with arms that are disabled at the close, and an end when both are.
async fn handle_while_open(inputs: [Receiver<u8>; 2]) {
    let [mut left, mut right] = inputs.map(Some);
    while left.is_some() || right.is_some() {
        select! {
            event = left.as_ref().map(Receiver::recv) => match event {
                Some(event) => assert_eq!(event, 1),
                None => left = None,
            },
            event = right.as_ref().map(Receiver::recv) => match event {
                Some(event) => assert_eq!(event, 1),
                None => right = None,
            },
        }
    }
}

static CLOSE_SEMANTICS: Bug = Bug {
    id: "close-semantics",
    source: "000:1306-1321, on channels with Rust's rules",
    summary: "Every sender is gone, and an arm that receives is ready for ever, with nothing: the loop spins on it.",
    mend: "Disable an arm at its first `None`, and end when none is left.",
    check: Check::Exhaustive(Exhaustive {
        builder: || Builder::new().max_steps(1000),
        buggy: || {
            Box::pin(async {
                spawn_named("handler", handle(two_inputs()));
            })
        },
        mended: || {
            Box::pin(async {
                spawn_named("handler", handle_while_open(two_inputs()));
            })
        },
        expected: Expected { word: "NO PROGRESS", tasks: &[("handler", "running")], message: "" },
    }),
};

/// Two tasks that need two locks, while main has nothing to do with either.
fn two_locks(second_begins_with_a: bool) {
    let (a, b) = (Arc::new(Mutex::named("a", ())), Arc::new(Mutex::named("b", ())));
    let both = |first: &Arc<Mutex<()>>, then: &Arc<Mutex<()>>| {
        let (first, then) = (Arc::clone(first), Arc::clone(then));
        async move {
            let _first = first.lock().await;
            drop(then.lock().await);
        }
    };
    spawn_named("left", both(&a, &b));
    spawn_named("right", if second_begins_with_a { both(&a, &b) } else { both(&b, &a) });
}

static NO_DEADLOCK_DETECTOR: Bug = Bug {
    id: "no-deadlock-detector",
    source: "no talk: Go's message, and tokio's silence",
    summary: "Two tasks wait for each other while the rest of the program goes on: no runtime says a word, Go's neither.",
    mend: "One order for all locks; and a harness that asks at the end who is left.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { two_locks(false) }),
        mended: || Box::pin(async { two_locks(true) }),
        expected: Expected {
            word: "LEAK",
            tasks: &[("left", "mutex lock (b)"), ("right", "mutex lock (a)")],
            message: "",
        },
    }),
};
