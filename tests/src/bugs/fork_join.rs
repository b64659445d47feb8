//! Bugs of fork-join (talk 001).

use windtunnel::go::{self, Channel};
use windtunnel::task::spawn_named;
use windtunnel::{Sender, channel};
use windtunnel_model::Builder;

use super::{Bug, Check, Exhaustive, Expected};

/// See [`super::all`].
pub(super) const BUGS: &[&Bug] = &[&UNBUFFERED_JOBS, &EARLY_EXIT_LEAK];

/// `for job := range jobs { results <- ProcessJob(job) }`
fn start_worker(jobs: &Channel<usize>, results: &Channel<usize>) {
    let (jobs, results) = (jobs.clone(), results.clone());
    spawn_named("worker", async move {
        while let Some(job) = jobs.recv().await {
            results.send(job).await.expect("results is never closed");
        }
    });
}

async fn load(jobs: &Channel<usize>) {
    for job in 0..2 {
        jobs.send(job).await.expect("jobs is not closed yet");
    }
    jobs.close().expect("closed once");
}

/// Two jobs and one worker.
async fn with_room_for(jobs: usize) {
    let (jobs, results) = (go::named("jobs", jobs), go::named("results", 0));
    start_worker(&jobs, &results);
    load(&jobs).await;
    for _ in 0..2 {
        results.recv().await;
    }
}

static UNBUFFERED_JOBS: Bug = Bug {
    id: "forkjoin-unbuffered-jobs",
    source: "001:29-58, with a smaller queue",
    summary: "With more jobs than workers and room, main waits to hand out a job while every worker waits to hand in a result.",
    mend: "Room for every job.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || Box::pin(with_room_for(0)),
        mended: || Box::pin(with_room_for(2)),
        expected: Expected {
            word: "DEADLOCK",
            tasks: &[("main", "channel send (jobs)"), ("worker", "channel send (results)")],
            message: "",
        },
    }),
};

async fn work_for_who_may_go(jobs: Channel<usize>, results: Sender<usize>) {
    while let Some(job) = jobs.recv().await {
        if results.send(job).await.is_err() {
            return;
        }
    }
}

static EARLY_EXIT_LEAK: Bug = Bug {
    id: "forkjoin-early-exit-leak",
    source: "001:51-57, if the handler returns",
    summary: "Main has what it was looking for and goes: the worker waits to hand in the next result for ever.",
    mend: "Tell the workers when the results are no longer read.",
    check: Check::Exhaustive(Exhaustive {
        builder: Builder::new,
        buggy: || {
            Box::pin(async {
                let (jobs, results) = (go::named("jobs", 2), go::named("results", 0));
                start_worker(&jobs, &results);
                load(&jobs).await;
                results.recv().await;
            })
        },
        mended: || {
            Box::pin(async {
                let (jobs, (results, input)) = (go::named("jobs", 2), channel(0));
                spawn_named("worker", work_for_who_may_go(jobs.clone(), results));
                load(&jobs).await;
                input.recv().await;
            })
        },
        expected: Expected { word: "LEAK", tasks: &[("worker", "channel send (results)")], message: "" },
    }),
};
