//! Executions and speed of explore, on one thread and on two, beside loom, shuttle's depth-first search and brute force (explore
//! without its reduction), on small protocols: `cargo bench -p windtunnel-model --bench explore`.
//!
//! A column shows the executions of a search that runs to its end (with `>` before them, those of one that was stopped after a few
//! seconds) and how many are run in a second. `given up` are executions of explore that end on the way, since others have their
//! outcome: they count for its speed, as loom's and shuttle's repetitions do for theirs. Small searches are repeated, and the speeds
//! are medians of five rounds, in each of which every column has its turn.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use shuttle::scheduler::DfsScheduler;
use windtunnel::sync::Mutex;
use windtunnel::{go, spawn};
use windtunnel_model::{Builder, Engine};

type Body = Pin<Box<dyn Future<Output = ()>>>;

/// A protocol, in windtunnel's terms and in shuttle's.
#[derive(Clone)]
struct Protocol {
    name: String,
    tasks: usize,
    body: Arc<dyn Fn() -> Body + Send + Sync>,
    in_shuttle: Arc<dyn Fn() + Send + Sync>,
}

/// How long one column of a round goes on, and when a search is stopped.
const ROUND: Duration = Duration::from_millis(300);
const PATIENCE: Duration = Duration::from_secs(3);
const ROUNDS: usize = 5;

fn locks(threads: usize, operations: usize) {
    let mutex = Arc::new(Mutex::new(()));
    for _ in 0..threads {
        let mutex = Arc::clone(&mutex);
        spawn(async move {
            for _ in 0..operations {
                drop(mutex.lock().await);
            }
        });
    }
}

fn locks_in_shuttle(threads: usize, operations: usize) {
    let mutex = Arc::new(shuttle::sync::Mutex::new(()));
    let threads: Vec<_> = (0..threads)
        .map(|_| {
            let mutex = Arc::clone(&mutex);
            shuttle::thread::spawn(move || {
                for _ in 0..operations {
                    drop(mutex.lock());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("nobody panics");
    }
}

async fn scheduler(workers: usize, tasks: usize) {
    let work = go::named("work", tasks);
    let done = go::named("done", 0);
    for _ in 0..workers {
        let (work, done) = (work.clone(), done.clone());
        spawn(async move {
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

/// The same, joined at the end; its channels have one receiver, so the workers share it under a mutex.
fn scheduler_in_shuttle(workers: usize, tasks: usize) {
    use shuttle::sync::{Mutex, mpsc};
    let (work, input) = mpsc::sync_channel(tasks);
    let (output, done) = mpsc::sync_channel(0);
    let input = Arc::new(Mutex::new(input));
    let work_on = |input: Arc<Mutex<mpsc::Receiver<usize>>>, output: mpsc::SyncSender<bool>| {
        move || {
            while input.lock().expect("nobody panics").recv().is_ok() {
                output.send(true).expect("done is not closed");
            }
        }
    };
    let workers: Vec<_> =
        (0..workers).map(|_| shuttle::thread::spawn(work_on(Arc::clone(&input), output.clone()))).collect();
    for task in 0..tasks {
        work.send(task).expect("work is not closed yet");
    }
    drop(work);
    for _ in 0..tasks {
        done.recv().expect("done is not closed");
    }
    for worker in workers {
        worker.join().expect("nobody panics");
    }
}

/// What one search did.
#[derive(Clone, Copy)]
struct Searched {
    executions: u64,
    given_up: u64,
    complete: bool,
}

/// A column of the table.
struct Column {
    search: Box<dyn Fn() -> Searched>,
    last: Option<Searched>,
    /// Executions a second of each round.
    speeds: Vec<f64>,
}

impl Column {
    fn new(search: impl Fn() -> Searched + 'static) -> Self {
        Self { search: Box::new(search), last: None, speeds: Vec::new() }
    }

    #[expect(clippy::cast_precision_loss, reason = "a rate for people to read")]
    fn round(&mut self) {
        let (started, mut runs) = (Instant::now(), 0);
        while runs == 0 || started.elapsed() < ROUND {
            let searched = (self.search)();
            runs += searched.executions + searched.given_up;
            self.last = Some(searched);
        }
        self.speeds.push(runs as f64 / started.elapsed().as_secs_f64());
    }

    fn speed(&self) -> f64 {
        let mut speeds = self.speeds.clone();
        speeds.sort_by(f64::total_cmp);
        speeds.get(speeds.len() / 2).copied().unwrap_or_default()
    }

    fn cell(&self) -> String {
        let Some(Searched { executions, given_up, complete }) = self.last else { return "-".into() };
        let more = if complete { "" } else { ">" };
        let given_up = if given_up > 0 { format!(" (+{given_up})") } else { String::new() };
        format!("{more}{executions}{given_up} at {:.0} k/s", self.speed() / 1000.0)
    }
}

fn check(protocol: &Protocol, engine: Engine, threads: usize) -> Searched {
    let body = Arc::clone(&protocol.body);
    let builder = Builder::new().engine(engine).threads(threads).max_duration(PATIENCE);
    let report = builder.check("bench", move || body());
    assert!(report.failure.is_none(), "{report}");
    Searched { executions: report.executions, given_up: report.given_up, complete: report.is_complete() }
}

fn brute_force(protocol: &Protocol) -> Searched {
    let body = Arc::clone(&protocol.body);
    let outcomes = Builder::new().max_duration(PATIENCE).outcomes(false, move || body(), String::new);
    Searched { executions: outcomes.executions, given_up: outcomes.given_up, complete: outcomes.bounds.is_empty() }
}

fn by_shuttle(protocol: &Protocol) -> Searched {
    let mut config = shuttle::Config::new();
    config.max_time = Some(PATIENCE);
    let body = Arc::clone(&protocol.in_shuttle);
    let started = Instant::now();
    let executions = shuttle::Runner::new(DfsScheduler::new(None, false), config).run(move || body());
    Searched { executions: executions as u64, given_up: 0, complete: started.elapsed() < PATIENCE }
}

fn protocols() -> Vec<Protocol> {
    let mut protocols = Vec::new();
    for (threads, operations) in [(2, 1), (2, 4), (2, 6), (3, 2), (4, 1), (5, 1), (4, 2)] {
        protocols.push(Protocol {
            name: format!("{threads} tasks x {operations} locks"),
            tasks: threads + 1,
            body: Arc::new(move || Box::pin(async move { locks(threads, operations) })),
            in_shuttle: Arc::new(move || locks_in_shuttle(threads, operations)),
        });
    }
    for (workers, tasks) in [(1, 2), (2, 2), (2, 3), (3, 2), (3, 3), (3, 4)] {
        protocols.push(Protocol {
            name: format!("scheduler, {workers} x {tasks}"),
            tasks: workers + 1,
            body: Arc::new(move || Box::pin(scheduler(workers, tasks))),
            in_shuttle: Arc::new(move || scheduler_in_shuttle(workers, tasks)),
        });
    }
    protocols
}

/// Has shuttle put its panic hook in place, and takes it out again: it tells of the panics by which loom says no.
fn without_the_hook_of_shuttle() {
    shuttle::check_dfs(|| (), Some(1));
    drop(std::panic::take_hook());
}

fn main() {
    without_the_hook_of_shuttle();
    let titles = ["explore", "explore, 2 threads", "loom", "shuttle", "brute force"];
    println!("{:<20} {}", "", titles.map(|title| format!("{title:>26}")).join(" "));
    for protocol in protocols() {
        let column = |search: fn(&Protocol) -> Searched| {
            let protocol = protocol.clone();
            Column::new(move || search(&protocol))
        };
        let mut columns = [
            column(|it| check(it, Engine::Explore, 1)),
            column(|it| check(it, Engine::Explore, 2)),
            column(|it| check(it, Engine::Loom, 1)),
            column(by_shuttle),
            column(brute_force),
        ];
        for round in 0..ROUNDS {
            for (at, column) in columns.iter_mut().enumerate() {
                // loom has five tasks; what takes seconds is not repeated.
                let is_slow = column.last.is_some_and(|last| !last.complete);
                let is_too_large = at == 2 && protocol.tasks > 5;
                if !is_too_large && (round == 0 || !is_slow) {
                    column.round();
                }
            }
        }
        println!("{:<20} {}", protocol.name, columns.each_ref().map(|it| format!("{:>26}", it.cell())).join(" "));
    }
}
