//! The work scheduler in production: tokio, and TCP over loopback.

use std::sync::{Arc, Mutex};

use windtunnel::channel::{self, Receiver};
use windtunnel::net::TcpListener;
use windtunnel::time;
use windtunnel_patterns::scheduler::{Options, ScheduleError, schedule};
use windtunnel_suite::models::scheduler_steps::STEPS;
use windtunnel_suite::scenarios::scheduler_steps::Workload;
use windtunnel_suite::worker;

use crate::common::{on_one_thread, on_two_threads};

const TASKS: usize = 200;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn stream<T>(items: Vec<T>) -> Receiver<T> {
    let (sender, receiver) = channel::named("servers", items.len().max(1));
    for item in items {
        assert!(sender.try_send(item).is_ok());
    }
    receiver
}

#[test]
fn tasks_run_over_real_tcp_although_one_server_is_dead() {
    runtime().block_on(async {
        let runs = Arc::new(Mutex::new(vec![0; TASKS]));
        let mut addresses = vec!["127.0.0.1:1".parse().unwrap()];
        for _ in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            addresses.push(listener.local_addr().unwrap());
            let runs = Arc::clone(&runs);
            let run = move |task: usize, _key: &str| {
                runs.lock().unwrap()[task] += 1;
                true
            };
            windtunnel::spawn(worker::serve(listener, Arc::new(run)));
        }
        let options = Options { backoff: time::millis(5), ..Options::default() };
        schedule(stream(addresses), TASKS, options, worker::call).await.unwrap();
        assert_eq!(*runs.lock().unwrap(), vec![1; TASKS]);
    });
}

#[test]
fn a_call_that_panics_has_failed_and_its_task_is_tried_elsewhere() {
    runtime().block_on(async {
        let call = |server: &'static str, job| async move {
            assert_ne!(server, "cursed", "{job} on a cursed server");
            Ok::<(), String>(())
        };
        let options = Options { attempts: 100, backoff: time::millis(1), ..Options::default() };
        schedule(stream(vec!["cursed", "blessed"]), 50, options, call).await.unwrap();
    });
}

#[test]
fn a_call_that_hangs_ends_at_its_deadline() {
    runtime().block_on(async {
        let options =
            Options { attempts: 2, deadline: time::millis(5), backoff: time::millis(1), ..Options::default() };
        let hang = |(), _job| std::future::pending::<Result<(), String>>();
        match schedule(stream(vec![()]), 1, options, hang).await {
            Err(ScheduleError::GaveUp(tasks)) => assert_eq!(tasks[0].attempts, 2),
            other => panic!("expected the task to be given up, got {other:?}"),
        }
    });
}

/// One test, as it counts the tasks of the process.
#[test]
fn the_talks_programs_finish_the_same_tasks() {
    for _ in 0..8 {
        // What a task does last, it may still be at when another thread has begun the next one.
        for (threads, slack) in [(1, 0), (2, 2)] {
            let body = async {
                let workload = Workload::drawn();
                for step in &STEPS {
                    workload.check(step, slack).await;
                }
            };
            if threads == 1 { on_one_thread(body) } else { on_two_threads(body) }
        }
    }
}

#[test]
#[ignore = "takes minutes: the size at which loom is out of its depth, for comparison"]
fn the_protocol_of_2_workers_and_3_tasks_is_complete() {
    let report = windtunnel_model::Builder::new().check("2x3", || windtunnel_suite::models::scheduler::protocol(2, 3));
    assert!(report.is_complete(), "\n{report}");
    println!("{report}");
}
