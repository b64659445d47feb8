//! The work scheduler under generated inputs: any number of tasks and servers, any pattern of failures.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use windtunnel::{channel, time};
use windtunnel_patterns::scheduler::{Job, Options, ScheduleError, schedule};

/// A workload: which calls fail, by server and by call number on it.
#[derive(Clone, Debug)]
struct Workload {
    tasks: usize,
    /// For each server, a bit for each of its calls: set, it fails. After the last bit its calls succeed.
    servers: Vec<u16>,
    attempts: u32,
}

fn workloads() -> impl Strategy<Value = Workload> {
    (0..30_usize, prop::collection::vec(any::<u16>(), 0..5), 1..20_u32)
        .prop_map(|(tasks, servers, attempts)| Workload { tasks, servers, attempts })
}

/// Calls made and calls that succeeded, for each task.
type Log = Arc<Mutex<Vec<(u32, u32)>>>;

async fn run(workload: Workload, log: Log) -> Result<(), ScheduleError> {
    let (sender, servers) = channel(workload.servers.len().max(1));
    for (server, failures) in workload.servers.iter().enumerate() {
        sender.try_send((server, *failures)).expect("there is room for each");
    }
    drop(sender);
    let calls = Arc::new(Mutex::new(vec![0_u32; workload.servers.len()]));
    let call = move |(server, failures): (usize, u16), job: Job| {
        let (log, calls) = (Arc::clone(&log), Arc::clone(&calls));
        async move {
            let number = std::mem::replace(&mut calls.lock().unwrap()[server], 0);
            calls.lock().unwrap()[server] = number + 1;
            time::sleep(time::millis(1)).await;
            let fails = number < 16 && failures >> number & 1 == 1;
            let entry = &mut log.lock().unwrap()[job.task];
            entry.0 += 1;
            entry.1 += u32::from(!fails);
            if fails { Err("planned") } else { Ok(()) }
        }
    };
    let options = Options { attempts: workload.attempts, ..Options::default() };
    schedule(servers, workload.tasks, options, call).await
}

/// What must hold whatever happened.
fn check(workload: &Workload, result: Result<(), ScheduleError>, log: &Log) -> Result<(), TestCaseError> {
    let log = log.lock().unwrap();
    let failed: Vec<usize> = (0..workload.tasks).filter(|task| log[*task].1 == 0).collect();
    match result {
        Ok(()) => prop_assert_eq!(&failed, &Vec::<usize>::new(), "ok means that every task was done"),
        Err(ScheduleError::NoServers) => {
            prop_assert!(workload.servers.is_empty() && workload.tasks > 0);
            return Ok(());
        }
        Err(ScheduleError::GaveUp(given_up)) => {
            let mut tasks: Vec<usize> = given_up.iter().map(|it| it.task).collect();
            tasks.sort_unstable();
            prop_assert_eq!(&tasks, &failed, "just the tasks that were never done are given up");
            prop_assert!(given_up.iter().all(|it| it.attempts == workload.attempts));
        }
        Err(other) => return Err(TestCaseError::fail(other.to_string())),
    }
    for (calls, successes) in log.iter() {
        prop_assert!(*successes <= 1, "a task that was done is not done again");
        prop_assert!(*calls <= workload.attempts, "no more calls than attempts");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn on_tokio_every_task_is_done_once_or_given_up(workload in workloads()) {
        let log = Log::new(Mutex::new(vec![(0, 0); workload.tasks]));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let result = runtime.block_on(run(workload.clone(), Arc::clone(&log)));
        check(&workload, result, &log)?;
    }

    #[test]
    fn simulated_every_task_is_done_once_or_given_up(workload in workloads(), seed: u64) {
        let log = Log::new(Mutex::new(vec![(0, 0); workload.tasks]));
        let (given, noted) = (workload.clone(), Arc::clone(&log));
        let (outcome, result) = windtunnel_sim::simulate(seed, move |_| run(given, noted));
        prop_assert!(outcome.cause.is_none(), "{:?}", outcome.cause);
        check(&workload, result.expect("it ended"), &log)?;
    }
}
