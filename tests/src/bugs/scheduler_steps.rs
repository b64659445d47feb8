//! Bugs of the work scheduler's first steps (talk 002, pattern 2): a task for each piece of work, and a queue of idle servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use windtunnel::cell::CheckedCell;
use windtunnel::channel;
use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel_model::Builder;
use windtunnel_patterns::scheduler::{self, Job, Options, ScheduleError};

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&LOOP_VAR_RACE, &PARAM_IGNORED, &NO_WAIT, &ZERO_SERVERS_HANG];

type Server = &'static str;

/// `idle := make(chan string, len(servers)); for _, srv := range servers { idle <- srv }`
fn idle(servers: &[Server]) -> Channel<Server> {
    let idle = go::named("idle", servers.len());
    for server in servers {
        idle.try_send(*server).expect("there is room for each");
    }
    idle
}

async fn take(idle: &Channel<Server>) -> Server {
    idle.recv().await.expect("idle is never closed")
}

/// Which variable a goroutine calls its server with.
#[derive(Clone, Copy)]
enum Read {
    /// `go func() { call(srv, task) }()`
    Variable,
    /// `go func(task2 int) { call(srv, task) }(task)`
    VariableBesideParameter,
    /// `go func(task int) { call(srv, task) }(task)`
    Parameter,
}

/// `for task := 0; task < numTask; task++ { go … }` for one server and one task. The loop has one variable for all its turns, as
/// Go had until version 1.22.
async fn schedule_one(read: Read) {
    let (idle, called) = (idle(&["a"]), go::named("called", 1));
    let variable = Arc::new(CheckedCell::named("task", 0));
    while variable.get() < 1 {
        let (captured, parameter) = (Arc::clone(&variable), variable.get());
        let (idle, called) = (idle.clone(), called.clone());
        spawn_named(format!("call {parameter}"), async move {
            let server = take(&idle).await;
            let task = match read {
                Read::Variable | Read::VariableBesideParameter => captured.get(),
                Read::Parameter => parameter,
            };
            called.send(task).await.expect("called is never closed");
            idle.send(server).await.expect("idle is never closed");
        });
        variable.set(variable.get() + 1);
    }
    assert_eq!(called.recv().await, Some(0));
}

/// Hint 1, use the race detector: this is the program of the slide, and the report beside it.
static LOOP_VAR_RACE: Bug = Bug {
    id: "sched-loop-var-race",
    source: "002:1143",
    summary: "The loop goes on to the next number before the task it started has read its own: task 0 is never run, another twice.",
    mend: "Give each task its number as a parameter, or a copy of the variable.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(schedule_one(Read::Variable)),
        mended: || Box::pin(schedule_one(Read::Parameter)),
        expected: Expected { word: "DATA RACE", tasks: &[("call 0", "running")], message: "cell task: " },
    }),
};

static PARAM_IGNORED: Bug = Bug {
    id: "sched-param-ignored",
    source: "002:1275-1281",
    summary: "The task is given its number as a parameter, and reads the loop's variable all the same.",
    mend: "Call the parameter as the variable is called, so that it hides it.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(schedule_one(Read::VariableBesideParameter)),
        mended: || Box::pin(schedule_one(Read::Parameter)),
        expected: Expected { word: "DATA RACE", tasks: &[("call 0", "running")], message: "cell task: " },
    }),
};

/// The loop that takes an idle server first; `collects` is the loop below it, which the talk adds last.
async fn schedule(servers: &[Server], tasks: usize, done: &Arc<AtomicUsize>, collects: bool) {
    let idle = idle(servers);
    for task in 0..tasks {
        let server = take(&idle).await;
        let (idle, done) = (idle.clone(), Arc::clone(done));
        spawn_named(format!("call {task}"), async move {
            done.fetch_add(1, Ordering::Relaxed);
            idle.send(server).await.expect("idle is never closed");
        });
    }
    if collects {
        for _ in servers {
            take(&idle).await;
        }
    }
}

async fn done_at_return(collects: bool) {
    let done = Arc::default();
    schedule(&["a"], 1, &done, collects).await;
    assert_eq!(done.load(Ordering::Relaxed), 1, "tasks that are done when Schedule returns");
}

static NO_WAIT: Bug = Bug {
    id: "sched-no-wait",
    source: "002:1567-1574",
    summary: "Schedule returns once the last task is handed out, and not when it is done.",
    mend: "Take every server back before returning: who has them all knows that no call is under way.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(done_at_return(false)),
        mended: || Box::pin(done_at_return(true)),
        expected: Expected {
            word: "PANIC",
            tasks: &[("main", "running"), ("call 0", "running")],
            message: "tasks that are done when Schedule returns",
        },
    }),
};

static ZERO_SERVERS_HANG: Bug = Bug {
    id: "sched-zero-servers-hang",
    source: "002:1592-1645",
    summary: "The list of servers is empty: Schedule waits for one of them to be idle.",
    mend: "An error when there is no server and none can come.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(async { schedule(&[], 1, &Arc::default(), true).await }),
        mended: || {
            Box::pin(async {
                let (_, servers) = channel::<Server>(0);
                let options = Options { run: Some("no server".into()), ..Options::default() };
                let call = |_: Server, _: Job| async { Ok::<(), &str>(()) };
                let scheduled = scheduler::schedule(servers, 1, options, call).await;
                assert_eq!(scheduled, Err(ScheduleError::NoServers));
            })
        },
        expected: Expected { word: "DEADLOCK", tasks: &[("main", "channel recv (idle)")], message: "" },
    }),
};
