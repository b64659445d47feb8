//! As many home routers as the talk has (census A10.2), on tokio: what each takes while it is idle, and how long an event and a
//! query over HTTP take. `ci/routers.sh` runs it beside the same program in Go.

mod probe;
mod web;

use std::future::Future;
use std::sync::Arc;

use windtunnel::spawn;
use windtunnel::task::{JoinHandle, dump};
use windtunnel::time::{self, Instant};
use windtunnel_patterns::routers::{Calculator, Options, Routers};

use probe::resident;

/// Counts what it hears of.
struct Counter;

impl Calculator for Counter {
    type Id = u64;
    type Event = u64;
    type State = u64;

    async fn begin(&self, _router: &u64) -> u64 {
        0
    }

    async fn event(&self, count: &mut u64, event: u64) {
        *count += event;
    }
}

const ROUTERS: u64 = 200_000;
/// Bytes that an idle router may take: less than half of what Go takes.
const MOST_BYTES: u64 = 1_300;
/// Events for each router, after the first.
const MORE: u64 = 5;
const THREADS: usize = 2;
const CONNECTIONS: u64 = 8;

fn main() {
    assert!(windtunnel::is_production(), "build it with -p: it measures tokio, not what simulations and models add");
    let routers = match std::env::args().nth(1).map(|count| count.parse()) {
        None => ROUTERS,
        Some(Ok(count)) if count >= CONNECTIONS => count,
        Some(_) => {
            eprintln!("usage: windtunnel-routers [ROUTERS], a number from {CONNECTIONS} on; {ROUTERS} by default");
            std::process::exit(2);
        }
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build();
    runtime.expect("a runtime").block_on(run(routers));
}

/// Microseconds for each of `count` of what `work` does.
async fn micros(count: u64, work: impl Future<Output = ()>) -> f64 {
    let start = Instant::now();
    work.await;
    #[expect(clippy::cast_precision_loss, reason = "a measurement")]
    let count = count as f64;
    start.elapsed().as_secs_f64() * 1e6 / count
}

/// Each event in a task, as everywhere in a program.
fn source(routers: &Arc<Routers<Counter>>, count: u64, rounds: u64) -> JoinHandle<()> {
    let routers = Arc::clone(routers);
    spawn(async move {
        for _ in 0..rounds {
            for router in 0..count {
                routers.event(router, 1).await.expect("they are not stopped");
            }
        }
    })
}

/// Asks the routers themselves, until each has said what it has heard.
async fn all_have(routers: &Routers<Counter>, count: u64, events: u64) {
    for router in 0..count {
        assert_eq!(routers.query(&router).await, Ok(events));
    }
}

async fn run(count: u64) {
    let routers = Arc::new(Routers::new(Options::default(), Counter));
    let before = resident();
    let creating = micros(count, async { source(&routers, count, 1).await.expect("it ends") }).await;
    all_have(&routers, count, 1).await;
    // Nothing is under way any more.
    time::sleep(time::millis(100)).await;
    assert_eq!(u64::try_from(routers.count().await), Ok(count));
    let memory = resident().saturating_sub(before) / count;
    // Of few routers, what the program takes by itself would be the most.
    assert!(count < ROUTERS || memory <= MOST_BYTES, "an idle router takes {memory} bytes, more than {MOST_BYTES}");
    let event = micros(count * MORE, async { source(&routers, count, MORE).await.expect("it ends") }).await;
    all_have(&routers, count, 1 + MORE).await;
    let server = web::serve(&routers).await;
    let query = micros(count, web::ask_for_all(server.addr, count, CONNECTIONS, 1 + MORE)).await;
    server.stop().await;
    let stopping = micros(count, routers.stop()).await;
    assert_eq!(dump().len(), 0, "tasks are left:\n{}", dump());
    println!("{memory} {creating:.2} {event:.2} {query:.2} {stopping:.2}");
}
