//! The work scheduler: runs numbered tasks on servers that come and go.
//!
//! After Russ Cox, "Go, for Distributed Systems" (MIT 6.824), pattern 2, "work scheduler", last step. What the printed
//! program leaves open is settled here: a closed stream of servers starts nothing, no server at all is an error, a failed
//! task is tried again a limited number of times, a failing server rests before its next task, and each call has a deadline.
//!
//! # Who waits for whom
//!
//! One worker task for each server takes task numbers from `work`, calls, and reports on `done`. Only [`schedule`] itself
//! puts numbers into `work`, first all of them, later those to be tried again; at most one token per task exists, and `work`
//! has room for all of them, so putting one there never blocks. Workers end when `work` or `done` closes, which happens when
//! [`schedule`] returns *or is dropped*: there is nothing else they wait for without a deadline.
//!
//! # Once or more
//!
//! A call that failed may have done its work: its reply was lost, or late. Its task is called again, so each is *executed at least
//! once*, and reported once. Each call of a task has the same [key](Job::key), and no other task has it, nor the same task of
//! another run: a server that keeps the keys of what it has done, and passes over a call with one of them, has each task *in
//! effect* once.
//!
//! A *poison* task, which fails wherever it is tried, is given up after [`Options::attempts`]. A *slow* server holds a task for no
//! longer than [`Options::deadline`], and then rests: the others do its tasks.

use std::fmt::{self, Display};
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use rand::RngCore;
use thiserror::Error;
use windtunnel::channel::{self, Receiver, Sender};
use windtunnel::rand::rng;
use windtunnel::{select, task, time};

/// How hard to try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Calls of one task before it is given up; at least one is made.
    pub attempts: u32,
    /// Longest time of one call; it is dropped then, and counts as failed.
    pub deadline: Duration,
    /// Rest of a server after its first failed call; it doubles with each further one in a row.
    pub backoff: Duration,
    /// Longest rest of a server.
    pub backoff_max: Duration,
    /// What distinguishes the keys of this run from those of others. `None`: 128 random bits. Give a name to a run that goes on
    /// with what an earlier one of that name has left undone.
    pub run: Option<String>,
}

impl Default for Options {
    /// Five attempts, ten seconds a call, rests from 100 ms to 10 s, keys of its own.
    fn default() -> Self {
        let (backoff, backoff_max) = (time::millis(100), time::secs(10));
        Self { attempts: 5, deadline: time::secs(10), backoff, backoff_max, run: None }
    }
}

/// A task, as a server is asked to do it: the same in each attempt.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Job {
    /// Its number.
    pub task: usize,
    run: Arc<str>,
}

impl Job {
    /// Its idempotence key: what a server can know the task by when it is asked to do it again. The name of the run, a slash and
    /// the number of the task, so that no two tasks of any runs of different names have the same.
    pub fn key(&self) -> String {
        self.to_string()
    }
}

impl Display for Job {
    /// Its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.run, self.task)
    }
}

/// The name of a run that was given none.
fn drawn_name() -> String {
    let mut name = [0; 16];
    rng().fill_bytes(&mut name);
    format!("{:032x}", u128::from_be_bytes(name))
}

/// Why not every task was done.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ScheduleError {
    /// The stream of servers ended without a single one.
    #[error("no server: the stream of servers ended before one came")]
    NoServers,
    /// These tasks failed in each of their attempts; every other task was done.
    #[error("{} of the tasks failed in every attempt; the first is {}", .0.len(), .0[0])]
    GaveUp(Vec<GivenUp>),
}

/// A task that was given up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("task {task} after {attempts} attempts: {last_error}")]
pub struct GivenUp {
    /// Its number.
    pub task: usize,
    /// Calls made.
    pub attempts: u32,
    /// Why the last one failed.
    pub last_error: String,
}

/// Runs `call(server, job)` for each task `0..tasks` on some server, one task at a time on each.
///
/// Servers may join at any time through `servers`; those that came stay until the end, also when that stream is closed.
/// While none has come and more may, it waits: put a timeout around it if that can last for ever.
///
/// It returns when every task is done or given up. A task is done *at least once*: a call that ran out of its deadline may
/// have done its work all the same, so tasks must be idempotent, by nature or by their [keys](Job::key). A call that panics has failed (on tokio; in a simulation or
/// a model a panic ends the run).
///
/// # Errors
/// [`ScheduleError`]. Tasks that are given up do not keep the others from being done.
///
/// # Cancel safety
/// Dropped, it starts no more calls; workers end after the call they are in, and nothing is left behind.
pub async fn schedule<S, C, F, E>(
    servers: Receiver<S>,
    tasks: usize,
    options: Options,
    call: C,
) -> Result<(), ScheduleError>
where
    S: Clone + Send + Sync + 'static,
    C: Fn(S, Job) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Display + 'static,
{
    let (work, queue) = channel::named("work", tasks.max(1));
    let (done, outcomes) = channel::named("done", 0);
    for task in 0..tasks {
        put(&work, task);
    }
    let run: Arc<str> = options.run.clone().unwrap_or_else(drawn_name).into();
    let mut progress = Progress::new(tasks, options.attempts.max(1));
    let mut servers = Some(servers);
    let mut workers = 0_usize;
    while progress.unfinished > 0 {
        select! {
            server = servers.as_ref().map(Receiver::recv) => match server {
                Some(server) => {
                    workers += 1;
                    let (options, call, run) = (options.clone(), call.clone(), Arc::clone(&run));
                    let worker = Worker { server, options, call, run, failures: 0 };
                    task::spawn_named(format!("worker {workers}"), worker.run(queue.clone(), done.clone()));
                }
                None if workers == 0 => return Err(ScheduleError::NoServers),
                None => servers = None,
            },
            outcome = outcomes.recv() => {
                let (task, result) = outcome.expect("`done` stays open: this function holds a sender");
                if progress.try_again(task, result) {
                    put(&work, task);
                }
            }
        }
    }
    if progress.given_up.is_empty() { Ok(()) } else { Err(ScheduleError::GaveUp(progress.given_up)) }
}

/// Queues a task. There is room: `work` holds as many as there are tasks, and each task is queued, in a call, or finished.
fn put(work: &Sender<usize>, task: usize) {
    work.try_send(task).expect("`work` has room for every task, and this function holds a receiver");
}

/// What a worker says of a call.
type Outcome = (usize, Result<(), String>);

/// What is still to be done.
struct Progress {
    unfinished: usize,
    attempts: Vec<u32>,
    attempts_max: u32,
    given_up: Vec<GivenUp>,
}

impl Progress {
    fn new(tasks: usize, attempts_max: u32) -> Self {
        Self { unfinished: tasks, attempts: vec![0; tasks], attempts_max, given_up: Vec::new() }
    }

    /// Takes note of a call; true if its task is to be queued again.
    fn try_again(&mut self, task: usize, result: Result<(), String>) -> bool {
        let attempts = &mut self.attempts[task];
        *attempts += 1;
        match result {
            Ok(()) => tracing::debug!("task {task} is done"),
            Err(error) if *attempts < self.attempts_max => {
                tracing::debug!("task {task} failed in attempt {attempts}: {error}");
                return true;
            }
            Err(last_error) => {
                tracing::debug!("task {task} is given up: {last_error}");
                self.given_up.push(GivenUp { task, attempts: *attempts, last_error });
            }
        }
        self.unfinished -= 1;
        false
    }
}

/// Runs tasks on one server.
struct Worker<S, C> {
    server: S,
    options: Options,
    call: C,
    run: Arc<str>,
    /// Failed calls in a row.
    failures: u32,
}

impl<S, C, F, E> Worker<S, C>
where
    S: Clone,
    C: Fn(S, Job) -> F,
    F: Future<Output = Result<(), E>>,
    E: Display,
{
    /// Ends when there is no more work, or nobody who wants to know.
    async fn run(mut self, queue: Receiver<usize>, done: Sender<Outcome>) {
        while let Some(task) = queue.recv().await {
            let result = self.attempt(task).await;
            let failed = result.is_err();
            if done.send((task, result)).await.is_err() {
                return;
            }
            if failed {
                self.rest().await;
            }
        }
    }

    async fn attempt(&mut self, task: usize) -> Result<(), String> {
        let job = Job { task, run: Arc::clone(&self.run) };
        let call = async { (self.call)(self.server.clone(), job).await };
        let call = AssertUnwindSafe(call).catch_unwind();
        let result = match time::timeout(self.options.deadline, call).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(error))) => Err(error.to_string()),
            Ok(Err(_)) => Err("the call panicked".to_owned()),
            Err(time::Elapsed) => Err(format!("no answer within {:?}", self.options.deadline)),
        };
        self.failures = if result.is_ok() { 0 } else { self.failures.saturating_add(1) };
        result
    }

    /// Keeps a failing server from taking every task: the others get theirs meanwhile.
    async fn rest(&self) {
        let doubled = 2_u32.saturating_pow(self.failures.saturating_sub(1));
        time::sleep(self.options.backoff.saturating_mul(doubled).min(self.options.backoff_max)).await;
    }
}
