//! The work scheduler on a simulated cluster.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use windtunnel::channel::{self, Receiver};
use windtunnel::net::TcpListener;
use windtunnel::task;
use windtunnel::time::{self, Instant};
use windtunnel_patterns::scheduler::{GivenUp, Options, ScheduleError, schedule};
use windtunnel_sim::oracle::sometimes;
use windtunnel_sim::{Node, Sim, faults};

use crate::worker;

const PORT: u16 = 700;
const TASKS: usize = 12;

/// How often each task was run, over all servers.
type Runs = Arc<Mutex<Vec<u32>>>;

/// Counts the runs of each task; a task runs in the server's memory, so a run that was counted has happened.
fn counting(runs: &Runs) -> worker::Run {
    let runs = Arc::clone(runs);
    Arc::new(move |task, _key| {
        runs.lock().unwrap_or_else(PoisonError::into_inner)[task] += 1;
        true
    })
}

fn servers(sim: &Sim, count: usize, run: worker::Run) -> Vec<Node> {
    sim.nodes("server", count, move |node| {
        let run = Arc::clone(&run);
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            worker::serve(listener, run).await;
        }
    })
}

/// A stream that gives the addresses of `nodes` and ends.
fn addresses(nodes: &[Node]) -> Receiver<SocketAddr> {
    let (sender, receiver) = channel::named("servers", nodes.len());
    for node in nodes {
        sender.try_send(node.addr(PORT)).expect("there is room for each");
    }
    receiver
}

/// Many attempts and short deadlines: faults last seconds.
fn options() -> Options {
    let (backoff, backoff_max) = (time::millis(50), time::secs(1));
    Options { attempts: 100, deadline: time::millis(500), backoff, backoff_max, run: None }
}

fn assert_each_ran(runs: &Runs) {
    let runs = runs.lock().unwrap_or_else(PoisonError::into_inner);
    for (task, runs) in runs.iter().enumerate() {
        assert!(*runs > 0, "task {task} never ran");
    }
}

/// Without faults, each task runs exactly once, and nothing of the scheduler is left.
#[windtunnel_sim::test(seeds = 256)]
pub async fn every_task_runs_once_without_faults(sim: Sim) {
    let runs = Runs::new(Mutex::new(vec![0; TASKS]));
    let nodes = servers(&sim, 3, counting(&runs));
    time::sleep(time::secs(1)).await;
    schedule(addresses(&nodes), TASKS, options(), worker::call).await.expect("no faults");
    assert_eq!(*runs.lock().unwrap_or_else(PoisonError::into_inner), vec![1; TASKS], "each task runs once");
    time::sleep(time::secs(1)).await;
    let workers = task::dump().groups.into_iter().flat_map(|group| group.tasks);
    let left: Vec<_> = workers.filter(|task| task.label().starts_with("worker")).collect();
    assert!(left.is_empty(), "workers are left: {left:?}");
}

/// Servers and their links are in any trouble for ten seconds; in each of ten rounds every task is done all the same.
#[windtunnel_sim::test(seeds = 256)]
pub async fn every_task_runs_despite_faults(sim: Sim) {
    let runs = Runs::new(Mutex::new(vec![0; TASKS]));
    let nodes = servers(&sim, 3, counting(&runs));
    sim.faults(faults::any().on(&nodes).on_ports([PORT]).healed_by(time::secs(10)));
    let rounds = async {
        for round in 0..10 {
            schedule(addresses(&nodes), TASKS, options(), worker::call)
                .await
                .expect("the faults end before the attempts do");
            let fewest = runs.lock().unwrap_or_else(PoisonError::into_inner).iter().copied().min();
            assert!(fewest > Some(round), "a task did not run in round {round}");
            time::sleep(time::secs(1)).await;
        }
    };
    sim.progress_within(time::secs(60), rounds).await;
}

/// A server that is down for good takes no task with it: the others do them all.
#[windtunnel_sim::test(seeds = 256)]
pub async fn a_dead_server_is_done_without(sim: Sim) {
    let runs = Runs::new(Mutex::new(vec![0; TASKS]));
    let nodes = servers(&sim, 3, counting(&runs));
    sim.kill(&nodes[0]);
    schedule(addresses(&nodes), TASKS, options(), worker::call).await.expect("two servers are up");
    assert_each_ran(&runs);
}

/// With every server dead, each task is given up after its attempts.
#[windtunnel_sim::test(seeds = 256)]
pub async fn dead_servers_end_in_an_error(sim: Sim) {
    let runs = Runs::new(Mutex::new(vec![0; TASKS]));
    let nodes = servers(&sim, 2, counting(&runs));
    for node in &nodes {
        sim.kill(node);
    }
    let options = Options { attempts: 3, ..options() };
    match schedule(addresses(&nodes), TASKS, options, worker::call).await {
        Err(ScheduleError::GaveUp(tasks)) => assert_eq!(tasks.len(), TASKS, "each task is given up"),
        other => panic!("expected every task to be given up, got {other:?}"),
    }
}

/// A scheduler that is dropped half-way leaves no worker behind.
#[windtunnel_sim::test(seeds = 256)]
pub async fn a_dropped_scheduler_leaves_no_task(sim: Sim) {
    let runs = Runs::new(Mutex::new(vec![0; TASKS]));
    let nodes = servers(&sim, 3, counting(&runs));
    let scheduled = schedule(addresses(&nodes), TASKS, options(), worker::call);
    let limit = time::millis(rand::Rng::random_range(&mut windtunnel::rand::rng(), 1..80));
    let _ = time::timeout(limit, scheduled).await;
    // A call ends at its deadline, and a rest within two seconds.
    time::sleep(time::secs(3)).await;
    let tasks = task::dump();
    assert!(!tasks.to_string().contains("patterns/src/scheduler.rs"), "the scheduler left tasks behind:\n{tasks}");
}

/// A task that fails wherever it is tried is named and given up, after its attempts; the others are done as if it were not there.
#[windtunnel_sim::test(seeds = 128)]
pub async fn a_poison_task_is_given_up_by_name_and_the_others_are_done(sim: Sim) {
    let (runs, poison) = (Runs::new(Mutex::new(vec![0; TASKS])), windtunnel::rand::choose(TASKS));
    let count = counting(&runs);
    let nodes = servers(&sim, 3, Arc::new(move |task, key| count(task, key) && task != poison));
    time::sleep(time::secs(1)).await;
    let options = Options { attempts: 6, ..options() };
    let result = schedule(addresses(&nodes), TASKS, options, worker::call).await;
    let last_error = "the server said \"failed\\n\"".to_owned();
    assert_eq!(result, Err(ScheduleError::GaveUp(vec![GivenUp { task: poison, attempts: 6, last_error }])));
    let mut expected = vec![1; TASKS];
    expected[poison] = 6;
    assert_eq!(*runs.lock().unwrap_or_else(PoisonError::into_inner), expected);
}

/// A server that is slower than the deadline keeps the task that it has for so long, and no other: hint 6, "consider the effect of
/// slow goroutines".
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_slow_server_delays_the_end_by_no_more_than_the_deadline(sim: Sim) {
    let runs = Runs::new(Mutex::new(vec![0; TASKS]));
    let nodes = servers(&sim, 3, counting(&runs));
    time::sleep(time::secs(1)).await;
    sim.slow_link(sim.main(), &nodes[0], time::secs(2));
    let (start, options) = (Instant::now(), options());
    let limit = options.deadline + time::millis(300);
    schedule(addresses(&nodes), TASKS, options, worker::call).await.expect("two servers are fast");
    assert!(start.elapsed() < limit, "{:?}", start.elapsed());
    assert_each_ran(&runs);
}

/// How often each task was done in effect, and the keys of what was done. It survives the servers, as a disk would.
type Effects = Arc<Mutex<(HashSet<String>, Vec<u32>)>>;

/// Replies are lost, so that tasks are done again: by their keys, which are the same in each attempt and others in each run, each
/// is done in effect once a run.
#[windtunnel_sim::test(seeds = 128)]
pub async fn each_key_has_one_effect_however_often_its_task_is_executed(sim: Sim) {
    const ROUNDS: u32 = 4;
    let (runs, effects) = (Runs::new(Mutex::new(vec![0; TASKS])), Effects::default());
    effects.lock().unwrap_or_else(PoisonError::into_inner).1 = vec![0; TASKS];
    let (count, done) = (counting(&runs), Arc::clone(&effects));
    let nodes = servers(
        &sim,
        3,
        Arc::new(move |task, key| {
            let (keys, effects) = &mut *done.lock().unwrap_or_else(PoisonError::into_inner);
            effects[task] += u32::from(keys.insert(key.to_owned()));
            count(task, key)
        }),
    );
    sim.faults(faults::any().on(&nodes).on_ports([PORT]).healed_by(time::secs(10)));
    let rounds = async {
        for round in 0..ROUNDS {
            // By turns a name of its own, and one that is drawn.
            let options = Options { run: (round % 2 == 0).then(|| format!("round {round}")), ..options() };
            schedule(addresses(&nodes), TASKS, options, worker::call)
                .await
                .expect("the faults end before the attempts do");
            time::sleep(time::secs(2)).await;
        }
    };
    sim.progress_within(time::secs(60), rounds).await;
    let runs: u32 = runs.lock().unwrap_or_else(PoisonError::into_inner).iter().sum();
    sometimes("a task was executed again", runs as usize > ROUNDS as usize * TASKS);
    assert_eq!(effects.lock().unwrap_or_else(PoisonError::into_inner).1, vec![ROUNDS; TASKS]);
}
