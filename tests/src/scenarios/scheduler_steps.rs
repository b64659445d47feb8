//! The talk's programs of the work scheduler in simulated time, each on the same work.

use std::sync::{Arc, Mutex, PoisonError};

use rand::Rng;
use windtunnel::rand::rng;
use windtunnel::task::dump;
use windtunnel::time::{self, Duration};
use windtunnel_sim::Sim;

use crate::models::scheduler_steps::{Call, REGISTRAR, STEPS, Step};

/// What there is to do, on which servers.
#[derive(Clone)]
pub struct Workload {
    /// When each server comes, if the program waits for it.
    arrivals: Vec<Duration>,
    /// How long each task takes, and how often its call fails if the program makes it again.
    tasks: Vec<(Duration, u32)>,
}

/// What was seen of a program.
struct Seen {
    /// For each task, the calls that failed and those that did not.
    calls: Vec<(u32, u32)>,
    /// Whether each server is busy.
    busy: Vec<bool>,
    most_tasks: usize,
}

/// The live tasks of the programs.
fn live_tasks() -> usize {
    let of_programs = |task: &windtunnel::task::TaskState| {
        let at = task.spawned_at.is_some_and(|at| at.file().ends_with("models/scheduler_steps.rs"));
        at && task.name.as_deref() != Some(REGISTRAR)
    };
    dump().groups.iter().flat_map(|group| &group.tasks).filter(|task| of_programs(task)).count()
}

impl Workload {
    /// A drawn one, of a few milliseconds.
    pub fn drawn() -> Self {
        let some = |most: u64| time::millis(rng().random_range(0..=most));
        let (servers, tasks) = (rng().random_range(1..6), rng().random_range(0..20));
        let arrivals = (0..servers).map(|_| some(5)).collect();
        Self { arrivals, tasks: (0..tasks).map(|_| (some(4), rng().random_range(0..3))).collect() }
    }

    /// Runs `step` and checks what it promises: all tasks are finished when it returns, and each counted once; a server has one
    /// call at a time; there are never more than so many tasks of its own, and `slack`; and in the end none.
    pub async fn check(&self, step: &Step, slack: usize) {
        let (servers, tasks) = (self.arrivals.len(), self.tasks.len());
        let seen = Seen { calls: vec![(0, 0); tasks], busy: vec![false; servers], most_tasks: 0 };
        let seen = Arc::new(Mutex::new(seen));
        let arrivals = self.arrivals.clone();
        step.schedule(servers, tasks, self.call(step, &seen), |server| time::sleep(arrivals[server])).await;
        let (most_tasks, expected) = {
            let seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            let failures = |times: u32| if step.retries { times } else { 0 };
            let expected: Vec<_> = self.tasks.iter().map(|(_, times)| (failures(*times), 1)).collect();
            assert_eq!(seen.calls, expected, "{}", step.row);
            (seen.most_tasks, (step.most_tasks)(servers) + slack)
        };
        assert!(most_tasks <= expected, "{}: {most_tasks} tasks for {servers} servers", step.row);
        // All servers have come by then, and the accept loop has seen the end.
        time::sleep(self.arrivals.iter().sum::<Duration>() + time::millis(5)).await;
        assert_eq!(live_tasks(), 0, "{}", step.row);
    }

    fn call(&self, step: &Step, seen: &Arc<Mutex<Seen>>) -> Call {
        let (tasks, seen, retries) = (self.tasks.clone(), Arc::clone(seen), step.retries);
        Arc::new(move |server, task| {
            let ((pause, failures), seen) = (tasks[task], Arc::clone(&seen));
            Box::pin(async move {
                {
                    let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                    assert!(!std::mem::replace(&mut seen.busy[server], true), "server {server} has two calls");
                    seen.most_tasks = seen.most_tasks.max(live_tasks());
                }
                time::sleep(pause).await;
                let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
                seen.busy[server] = false;
                let (failed, finished) = &mut seen.calls[task];
                let fails = retries && *failed < failures;
                *(if fails { failed } else { finished }) += 1;
                !fails
            })
        })
    }
}

/// The programs of the talk, each on the same servers and tasks, whose times are drawn: they finish the same tasks, each once, with
/// no more tasks of their own than they promise, and leave none.
#[windtunnel_sim::test(seeds = 64)]
pub async fn every_program_finishes_the_same_tasks(_sim: Sim) {
    let workload = Workload::drawn();
    for step in &STEPS {
        workload.check(step, 0).await;
    }
}
