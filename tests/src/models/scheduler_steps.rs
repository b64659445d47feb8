//! The work scheduler as the talk prints it, from the first program that is whole to the last (002:1592-2351): the ancestors of
//! [`schedule`](windtunnel_patterns::scheduler::schedule). Each is as close to the print as Rust allows, on channels with Go's
//! rules; what is wrong with the programs in between is in [`bugs`](crate::bugs).
//!
//! What they have in common is in [`STEPS`], so that one body checks them all: every task is finished when the program returns,
//! none was counted twice, and no task of its own is left.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use windtunnel::go::{self, Channel};
use windtunnel::select;
use windtunnel::task::spawn_named;

/// Its number.
pub type Server = usize;

/// The talk's `call func(srv string, task int) bool`: false if it failed.
pub type Call = Arc<dyn Fn(Server, usize) -> Run<bool> + Send + Sync>;

/// Something under way.
pub type Run<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A program of the talk.
pub struct Step {
    /// Its row in the census, and the lines of 002 where it stands.
    pub row: &'static str,
    form: Form,
    /// What it promises: the most tasks of its own, for so many servers.
    pub most_tasks: fn(usize) -> usize,
    /// Whether a call that failed is made again. Before A7.10 none fails.
    pub retries: bool,
}

/// How it is told of the servers.
enum Form {
    /// All at the beginning.
    List(fn(Vec<Server>, usize, Call) -> Run<()>),
    /// By a channel, which must be closed for the program to end whole: its accept loop has no other reason to exit.
    Closed(fn(Channel<Server>, usize, Call) -> Run<()>),
    /// By a channel, which stays open.
    Open(fn(Channel<Server>, usize, Call) -> Run<()>),
}

/// The programs, in the order of the talk.
pub static STEPS: [Step; 7] = [IDLE_SERVERS, WORKERS, SELECT_LOOP, SENDING_TASK, BUFFERED_WORK, REQUEUE, EXIT];

const IDLE_SERVERS: Step = Step {
    row: "A7.5 (002:1592-1645)",
    form: Form::List(|servers, tasks, call| Box::pin(idle_servers(servers, tasks, call))),
    most_tasks: |servers| servers,
    retries: false,
};

const WORKERS: Step = Step {
    row: "A7.6 (002:1658-1722)",
    form: Form::List(|servers, tasks, call| Box::pin(workers(servers, tasks, call))),
    most_tasks: |servers| servers,
    retries: false,
};

const SELECT_LOOP: Step = Step {
    row: "A7.9a (002:1933-1949)",
    form: Form::Closed(|servers, tasks, call| Box::pin(select_loop(servers, tasks, call))),
    most_tasks: |servers| servers + 1,
    retries: false,
};

const SENDING_TASK: Step = Step {
    row: "A7.9b (002:2001-2006)",
    form: Form::Closed(|servers, tasks, call| Box::pin(sending_task(servers, tasks, call))),
    most_tasks: |servers| servers + 2,
    retries: false,
};

const BUFFERED_WORK: Step = Step {
    row: "A7.9c (002:2055, 2088-2115)",
    form: Form::Closed(|servers, tasks, call| Box::pin(buffered_work(servers, tasks, call))),
    most_tasks: |servers| servers + 1,
    retries: false,
};

const REQUEUE: Step = Step {
    row: "A7.10 (002:2121-2285)",
    form: Form::Closed(|servers, tasks, call| Box::pin(requeue(servers, tasks, call))),
    most_tasks: |servers| servers + 1,
    retries: true,
};

const EXIT: Step = Step {
    row: "A7.11 (002:2321-2351)",
    form: Form::Open(|servers, tasks, call| Box::pin(exit(servers, tasks, call))),
    most_tasks: |servers| servers + 1,
    retries: true,
};

impl Step {
    /// Runs the program on `servers`, each of which is there at once or, where the program is told of them by a channel, comes
    /// when its `delay` is over.
    pub async fn schedule<D>(&self, servers: usize, tasks: usize, call: Call, delay: impl Fn(Server) -> D)
    where
        D: Future<Output = ()> + Send + 'static,
    {
        let (run, closes) = match self.form {
            Form::List(run) => return run((0..servers).collect(), tasks, call).await,
            Form::Closed(run) => (run, true),
            Form::Open(run) => (run, false),
        };
        let stream = go::named("servers", servers);
        let delays: Vec<_> = (0..servers).map(delay).collect();
        let registering = {
            let stream = stream.clone();
            async move {
                for (server, delay) in delays.into_iter().enumerate() {
                    delay.await;
                    stream.send(server).await.expect(OPEN);
                }
                if closes {
                    stream.close().expect("closed once");
                }
            }
        };
        // The registrar is not of the program: where it need not wait, it is no task, which would multiply the executions.
        let mut registering = Box::pin(registering);
        if super::begun(registering.as_mut()).await {
            spawn_named(REGISTRAR, registering);
        }
        run(stream, tasks, call).await;
    }
}

/// The name of the task that registers servers, which is not of the program.
pub const REGISTRAR: &str = "registrar";

const OPEN: &str = "nobody has closed it";

/// A7.5: hint 11, "use a buffered channel as a concurrent blocking queue". A task for each call, which begins when its server is
/// idle; the end is when all servers are. Without a server it waits for ever (`sched-zero-servers-hang`).
async fn idle_servers(servers: Vec<Server>, tasks: usize, call: Call) {
    let idle = go::named("idle", servers.len());
    for server in &servers {
        idle.send(*server).await.expect(OPEN);
    }
    for task in 0..tasks {
        let server = idle.recv().await.expect(OPEN);
        let (idle, call) = (idle.clone(), Arc::clone(&call));
        spawn_named(format!("task {task}"), async move {
            call(server, task).await;
            idle.send(server).await.expect(OPEN);
        });
    }
    for _ in 0..servers.len() {
        idle.recv().await.expect(OPEN);
    }
}

/// A7.6: a task for each server; hint 13, "close a channel to signal that no more values will be sent".
async fn workers(servers: Vec<Server>, tasks: usize, call: Call) {
    let (work, done) = (go::named::<usize>("work", 0), go::named("done", 0));
    for server in &servers {
        let (server, work, done, call) = (*server, work.clone(), done.clone(), Arc::clone(&call));
        spawn_named(format!("run {server}"), async move {
            while let Some(task) = work.recv().await {
                call(server, task).await;
            }
            done.send(true).await.expect(OPEN);
        });
    }
    send_all(&work, tasks).await;
    work.close().expect("closed once");
    receive_all(&done, servers.len()).await;
}

/// `for task := range work { call(srv, task); done <- true }`
fn run_tasks(server: Server, work: &Channel<usize>, done: &Channel<bool>, call: &Call) {
    let (work, done, call) = (work.clone(), done.clone(), Arc::clone(call));
    spawn_named(format!("run {server}"), async move {
        while let Some(task) = work.recv().await {
            call(server, task).await;
            done.send(true).await.expect(OPEN);
        }
    });
}

/// `for srv := range servers { go runTasks(srv) }`, which ends when `servers` is closed (`sched-accept-leak` if it is not).
fn accept(servers: Channel<Server>, run_tasks: impl Fn(Server) + Send + 'static) {
    spawn_named("accept", async move {
        while let Some(server) = servers.recv().await {
            run_tasks(server);
        }
    });
}

async fn send_all(work: &Channel<usize>, tasks: usize) {
    for task in 0..tasks {
        work.send(task).await.expect(OPEN);
    }
}

async fn receive_all(done: &Channel<bool>, count: usize) {
    for _ in 0..count {
        done.recv().await.expect(OPEN);
    }
}

/// A7.9a: whoever hands out tasks takes reports meanwhile, which mends `sched-work-done-deadlock`.
async fn select_loop(servers: Channel<Server>, tasks: usize, call: Call) {
    let (work, done) = (go::named("work", 0), go::named("done", 0));
    let (queue, reports) = (work.clone(), done.clone());
    accept(servers, move |server| run_tasks(server, &queue, &reports, &call));
    let mut counted = 0;
    for task in 0..tasks {
        loop {
            select! {
                sent = work.send(task) => {
                    sent.expect(OPEN);
                    break;
                }
                _ = done.recv() => counted += 1,
            }
        }
    }
    work.close().expect("closed once");
    receive_all(&done, tasks - counted).await;
}

/// A7.9b: hint 5, "use goroutines to let independent concerns run independently".
async fn sending_task(servers: Channel<Server>, tasks: usize, call: Call) {
    let (work, done) = (go::named("work", 0), go::named("done", 0));
    let (queue, reports) = (work.clone(), done.clone());
    accept(servers, move |server| run_tasks(server, &queue, &reports, &call));
    spawn_named("send", async move {
        send_all(&work, tasks).await;
        work.close().expect("closed once");
    });
    receive_all(&done, tasks).await;
}

/// A7.9c: a buffer for all tasks, "the simplest possible fix".
async fn buffered_work(servers: Channel<Server>, tasks: usize, call: Call) {
    let (work, done) = (go::named("work", tasks), go::named("done", 0));
    let (queue, reports) = (work.clone(), done.clone());
    accept(servers, move |server| run_tasks(server, &queue, &reports, &call));
    send_all(&work, tasks).await;
    work.close().expect("closed once");
    receive_all(&done, tasks).await;
}

/// `if call(srv, task) { done <- true } else { work <- task }`
fn run_or_requeue(server: Server, work: &Channel<usize>, done: &Channel<bool>, call: &Call) {
    let (work, done, call) = (work.clone(), done.clone(), Arc::clone(call));
    spawn_named(format!("run {server}"), async move {
        while let Some(task) = work.recv().await {
            if call(server, task).await {
                done.send(true).await.expect(OPEN);
            } else {
                work.send(task).await.expect(OPEN);
            }
        }
    });
}

/// A7.10: hint 7, "know why and when each communication will proceed". There is room to queue a task again, as there is at most
/// one of each; and nobody does after the last was counted.
async fn requeue(servers: Channel<Server>, tasks: usize, call: Call) {
    let (work, done) = (go::named("work", tasks), go::named("done", 0));
    let (queue, reports) = (work.clone(), done.clone());
    accept(servers, move |server| run_or_requeue(server, &queue, &reports, &call));
    send_all(&work, tasks).await;
    receive_all(&done, tasks).await;
    work.close().expect("closed once");
}

/// A7.11: hint 8, "make sure you know why and when each goroutine will exit". Right while `servers` stays open
/// (`sched-closed-servers-spin`).
async fn exit(servers: Channel<Server>, tasks: usize, call: Call) {
    let (work, done, exit) = (go::named("work", tasks), go::named("done", 0), go::named("exit", 0));
    let (queue, reports, told) = (work.clone(), done.clone(), exit.clone());
    spawn_named("accept", async move {
        loop {
            select! {
                server = servers.recv() => run_or_requeue(server.expect(OPEN), &queue, &reports, &call),
                _ = told.recv() => return,
            }
        }
    });
    send_all(&work, tasks).await;
    receive_all(&done, tasks).await;
    work.close().expect("closed once");
    exit.send(true).await.expect(OPEN);
}

/// For each task, what became of its calls.
type Results = Arc<Mutex<Vec<Vec<bool>>>>;

/// The first call of the first task fails, if the program makes failed calls again. All tasks are finished when it returns, each
/// called as often as it must be; the end of the model checks that no task is left.
async fn every_task_is_counted_once(step: &Step, servers: usize, tasks: usize) {
    let results = Results::new(Mutex::new(vec![Vec::new(); tasks]));
    let (noted, retries) = (Arc::clone(&results), step.retries);
    let call: Call = Arc::new(move |_, task| {
        let of_task = &mut noted.lock().unwrap_or_else(PoisonError::into_inner)[task];
        let fails = retries && task == 0 && of_task.is_empty();
        of_task.push(!fails);
        Box::pin(std::future::ready(!fails))
    });
    step.schedule(servers, tasks, call, |_| std::future::ready(())).await;
    for (task, results) in results.lock().unwrap_or_else(PoisonError::into_inner).iter().enumerate() {
        let expected: &[bool] = if retries && task == 0 { &[false, true] } else { &[true] };
        assert_eq!(results, expected, "{}: the calls of task {task}", step.row);
    }
}

/// Models of the programs, at two sizes.
macro_rules! models {
    ($($(#[doc = $doc:tt])* $model:ident($($limits:tt)*): $step:ident, $servers:literal, $tasks:literal;)*) => { $(
        $(#[doc = $doc])*
        #[windtunnel_model::test($($limits)*)]
        pub async fn $model() {
            every_task_is_counted_once(&$step, $servers, $tasks).await;
        }
    )* };
}

models! {
    /// A7.5: one idle server, which two tasks share.
    idle_servers_1_for_2(): IDLE_SERVERS, 1, 2;
    /// A7.5: two idle servers, which three tasks share.
    idle_servers_2_for_3(preemptions = 2): IDLE_SERVERS, 2, 3;
    /// A7.6: one worker does two tasks, and ends.
    workers_1_for_2(): WORKERS, 1, 2;
    /// A7.6: two workers share three tasks, and end.
    workers_2_for_3(preemptions = 2): WORKERS, 2, 3;
    /// A7.9a: more tasks than servers, and no deadlock.
    select_loop_1_for_2(): SELECT_LOOP, 1, 2;
    /// A7.9a: two workers share three tasks.
    select_loop_2_for_3(preemptions = 1): SELECT_LOOP, 2, 3;
    /// A7.9b: more tasks than servers, and no deadlock.
    sending_task_1_for_2(): SENDING_TASK, 1, 2;
    /// A7.9b: two workers share three tasks.
    sending_task_2_for_3(preemptions = 1): SENDING_TASK, 2, 3;
    /// A7.9c: more tasks than servers, and no deadlock.
    buffered_work_1_for_2(): BUFFERED_WORK, 1, 2;
    /// A7.9c: two workers share three tasks.
    buffered_work_2_for_3(preemptions = 1): BUFFERED_WORK, 2, 3;
    /// A7.10: of two tasks one fails, is called again, and counts once.
    requeue_1_for_2(): REQUEUE, 1, 2;
    /// A7.10: two workers share three tasks, of which one fails.
    requeue_2_for_3(preemptions = 1): REQUEUE, 2, 3;
    /// A7.11: of two tasks one fails; the accept loop is told to end.
    exit_1_for_2(): EXIT, 1, 2;
    /// A7.11: two workers share three tasks, of which one fails.
    exit_2_for_3(preemptions = 1): EXIT, 2, 3;
}
