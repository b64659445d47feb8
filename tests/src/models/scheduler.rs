//! The work scheduler under every interleaving.

use std::sync::{Arc, Mutex, PoisonError};

use windtunnel::channel::{self, Receiver};
use windtunnel::task::spawn_named;
use windtunnel::{go, time};
use windtunnel_patterns::scheduler::{GivenUp, Job, Options, ScheduleError, schedule};

/// A stream that gives `servers` and ends.
fn closed_after(servers: &[&'static str]) -> Receiver<&'static str> {
    let (sender, receiver) = channel::named("servers", servers.len());
    for server in servers {
        sender.try_send(*server).expect("there is room for each");
    }
    receiver
}

fn attempts(attempts: u32) -> Options {
    Options { attempts, ..Options::default() }
}

async fn succeed(_server: &'static str, _job: Job) -> Result<(), String> {
    Ok(())
}

async fn fail(_server: &'static str, _job: Job) -> Result<(), String> {
    Err("no".into())
}

/// The talk's protocol (A7.9c): workers take from a buffered channel and report on a rendezvous.
pub async fn protocol(workers: usize, tasks: usize) {
    let work = go::named("work", tasks);
    let done = go::named("done", 0);
    for worker in 1..=workers {
        let (work, done) = (work.clone(), done.clone());
        spawn_named(format!("worker {worker}"), async move {
            while work.recv().await.is_some() {
                done.send(true).await.expect("done is not closed");
            }
        });
    }
    for task in 0..tasks {
        work.send(task).await.expect("work is not closed yet");
    }
    work.close().expect("closed once");
    for _ in 0..tasks {
        done.recv().await.expect("done is not closed");
    }
}

/// The protocol whose execution count is on record: 1 worker, 2 tasks.
#[windtunnel_model::test]
pub async fn protocol_1_worker_2_tasks() {
    protocol(1, 2).await;
}

/// The protocol whose execution count is on record: 2 workers, 2 tasks.
#[windtunnel_model::test]
pub async fn protocol_2_workers_2_tasks() {
    protocol(2, 2).await;
}

/// One server does two tasks, and its worker ends.
#[windtunnel_model::test]
pub async fn one_server_two_tasks() {
    schedule(closed_after(&["a"]), 2, attempts(1), succeed).await.expect("every call succeeds");
}

/// Two servers share one task, and both workers end.
#[windtunnel_model::test]
pub async fn two_servers_one_task() {
    schedule(closed_after(&["a", "b"]), 1, attempts(1), succeed).await.expect("every call succeeds");
}

/// A failed task is tried again, and given up after its attempts.
#[windtunnel_model::test]
pub async fn a_failing_task_is_given_up() {
    let result = schedule(closed_after(&["a"]), 1, attempts(2), fail).await;
    let given_up = GivenUp { task: 0, attempts: 2, last_error: "no".into() };
    assert_eq!(result, Err(ScheduleError::GaveUp(vec![given_up])));
}

/// No server, and none to come: an error and not a wait for ever.
#[windtunnel_model::test]
pub async fn no_server_is_an_error() {
    assert_eq!(schedule(closed_after(&[]), 1, attempts(1), succeed).await, Err(ScheduleError::NoServers));
}

/// No task is done at once, whatever becomes of the servers.
#[windtunnel_model::test]
pub async fn no_task_is_no_work() {
    assert_eq!(schedule(closed_after(&[]), 0, attempts(1), succeed).await, Ok(()));
}

/// A server that registers late, and a stream that then ends, at any moment.
#[windtunnel_model::test]
pub async fn a_server_joins_late() {
    let (sender, servers) = channel::named("servers", 0);
    spawn_named("registrar", async move {
        sender.send("a").await.expect("the scheduler waits for a server");
    });
    schedule(servers, 1, attempts(1), succeed).await.expect("every call succeeds");
}

/// A call that never answers ends at its deadline.
#[windtunnel_model::test]
pub async fn a_hung_call_ends_at_its_deadline() {
    let hang = |_server, _job| async {
        go::named::<()>("never", 0).recv().await;
        Ok::<(), String>(())
    };
    let result = schedule(closed_after(&["a"]), 1, attempts(1), hang).await;
    assert!(matches!(result, Err(ScheduleError::GaveUp(_))), "{result:?}");
}

/// Dropped at any moment, the scheduler leaves no worker behind.
#[windtunnel_model::test]
pub async fn dropped_it_leaves_no_worker() {
    let scheduled = schedule(closed_after(&["a"]), 1, attempts(1), succeed);
    let _ = time::timeout(time::secs(1), scheduled).await;
}

/// Runs `tasks` tasks on these servers, in which the first call of task 0 fails: each task is done once, and every worker ends.
async fn with_a_failure(servers: &[&'static str], tasks: usize) {
    let calls = Arc::new(Mutex::new(vec![0; tasks]));
    let counted = Arc::clone(&calls);
    let call = move |_server, job: Job| {
        let mut counts = counted.lock().unwrap_or_else(PoisonError::into_inner);
        counts[job.task] += 1;
        let fails = job.task == 0 && counts[0] == 1;
        async move { if fails { Err("no") } else { Ok(()) } }
    };
    schedule(closed_after(servers), tasks, attempts(2), call).await.expect("the second call succeeds");
    let calls = calls.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(calls.iter().enumerate().all(|(task, calls)| *calls == 1 + u32::from(task == 0)), "{calls:?}");
}

/// Two servers, two tasks, one failure, and the rest after it in its time: each task is done once, and every worker ends.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn two_servers_two_tasks_and_a_failure() {
    with_a_failure(&["a", "b"], 2).await;
}

/// Three servers, three tasks, one failure: each task is done once, and every worker ends.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn three_servers_three_tasks_and_a_failure() {
    with_a_failure(&["a", "b", "c"], 3).await;
}

/// The protocol on record at the size that loom does not end at: 3 workers, 3 tasks.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn protocol_3_workers_3_tasks() {
    protocol(3, 3).await;
}
