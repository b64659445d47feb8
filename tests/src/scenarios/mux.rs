//! The protocol multiplexer over a simulated network.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::Rng;
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::task::{JoinHandle, spawn_named};
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::mux::{Lost, Mux, MuxError, Options, serve};
use windtunnel_sim::{Node, Sim, faults};

use super::live_tasks_of_patterns;

const PORT: u16 = 810;
const CALLERS: usize = 3;

fn options(in_flight: usize) -> Options {
    let in_flight = in_flight.try_into().expect("at least one");
    Options { in_flight, body: 64, deadline: Some(time::secs(2)) }
}

/// How many handlers run.
#[derive(Default)]
struct Load {
    running: AtomicUsize,
    most: AtomicUsize,
}

/// A server that gives each request back after a pause of up to `pause`, so many at once.
fn server(sim: &Sim, in_flight: usize, pause: Duration) -> (Node, Arc<Load>) {
    let load = Arc::<Load>::default();
    let counted = Arc::clone(&load);
    let node = sim.node("server", move |node| {
        let load = Arc::clone(&counted);
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            while let Ok((stream, _)) = listener.accept().await {
                let load = Arc::clone(&load);
                let echo = move |request| {
                    let load = Arc::clone(&load);
                    async move {
                        let running = load.running.fetch_add(1, Ordering::Relaxed) + 1;
                        load.most.fetch_max(running, Ordering::Relaxed);
                        time::sleep(pause.mul_f64(rng().random())).await;
                        load.running.fetch_sub(1, Ordering::Relaxed);
                        Ok::<_, String>(request)
                    }
                };
                spawn_named("connection", serve(stream, options(in_flight), echo));
            }
        }
    });
    (node, load)
}

async fn connect(node: &Node, in_flight: usize) -> Arc<Mux> {
    time::sleep(time::secs(1)).await;
    let stream = TcpStream::connect(node.addr(PORT)).await.expect("the server is up");
    Arc::new(Mux::new(stream, options(in_flight)))
}

/// A caller that makes so many calls, of which it drops some half-way.
fn caller(mux: &Arc<Mux>, name: usize, calls: usize, drops: f64) -> JoinHandle<usize> {
    let mux = Arc::clone(mux);
    spawn_named(format!("caller {name}"), async move {
        let mut answered = 0;
        for number in 0..calls {
            let request = format!("{name}/{number}");
            let patience =
                if rng().random_bool(drops) { time::millis(rng().random_range(0..60)) } else { time::secs(60) };
            if let Ok(reply) = time::timeout(patience, mux.call(request.clone())).await {
                assert_eq!(reply.expect("the server is well"), request);
                answered += 1;
            }
        }
        answered
    })
}

/// Callers who drop calls at any moment: each reply is that of its own request, and nothing is left.
#[windtunnel_sim::test(seeds = 64)]
pub async fn replies_match_requests_whoever_gives_up(sim: Sim) {
    let (node, _) = server(&sim, 4, time::millis(50));
    let mux = connect(&node, 2).await;
    let callers: Vec<_> = (0..CALLERS).map(|name| caller(&mux, name, 20, 0.5)).collect();
    for caller in callers {
        assert!(caller.await.expect("its replies match") > 0);
    }
    let stats = mux.stats();
    assert_eq!((stats.in_flight, stats.unknown), (0, 0));
    assert_eq!(mux.close(time::secs(1)).await, Ok(()));
    time::sleep(time::secs(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// The server answers as many at once as it may, and no more.
#[windtunnel_sim::test(seeds = 32)]
pub async fn a_server_answers_so_many_at_once(sim: Sim) {
    let (node, load) = server(&sim, 2, time::millis(50));
    let mux = connect(&node, 3).await;
    let callers: Vec<_> = (0..CALLERS).map(|name| caller(&mux, name, 10, 0.0)).collect();
    for caller in callers {
        assert_eq!(caller.await.expect("its replies match"), 10);
    }
    assert_eq!(load.most.load(Ordering::Relaxed), 2);
}

/// Closing waits for calls in flight, which have their replies; a call that comes meanwhile fails.
#[windtunnel_sim::test(seeds = 32)]
pub async fn close_waits_for_calls_in_flight(sim: Sim) {
    let (node, _) = server(&sim, CALLERS, time::millis(500));
    let mux = connect(&node, CALLERS).await;
    let callers: Vec<_> = (0..CALLERS).map(|name| caller(&mux, name, 1, 0.0)).collect();
    time::sleep(time::millis(1)).await;
    assert_eq!(mux.stats().in_flight, CALLERS);
    assert_eq!(mux.close(time::secs(5)).await, Ok(()));
    for caller in callers {
        assert_eq!(caller.await.expect("its replies match"), 1);
    }
    assert_eq!(mux.call("late").await, Err(MuxError::Lost(Lost::Closed)));
    time::sleep(time::secs(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0, "the server sees the end");
}

/// A link with 800 ms of delay each way: calls side by side share the wait, and each has its reply.
#[windtunnel_sim::test(seeds = 32)]
pub async fn calls_share_a_slow_link(sim: Sim) {
    let (node, _) = server(&sim, CALLERS, Duration::ZERO);
    let mux = connect(&node, CALLERS).await;
    sim.slow_link(&node, sim.main(), time::millis(800));
    sim.slow_link(sim.main(), &node, time::millis(800));
    let start = Instant::now();
    let callers: Vec<_> = (0..CALLERS).map(|name| caller(&mux, name, 1, 0.0)).collect();
    for caller in callers {
        assert_eq!(caller.await.expect("its replies match"), 1);
    }
    assert!(start.elapsed() < time::secs(2), "{:?}", start.elapsed());
}

/// The server is killed with calls in flight: each ends by its deadline at the latest. Once it is back, it does not know the
/// connection: the next call fails, and later ones at once.
#[windtunnel_sim::test(seeds = 64)]
pub async fn a_killed_server_fails_every_pending_call(sim: Sim) {
    let (node, _) = server(&sim, CALLERS, time::secs(1));
    let mux = connect(&node, CALLERS).await;
    let calls = (0..CALLERS).map(|name| {
        let mux = Arc::clone(&mux);
        spawn_named("caller", async move { mux.call(format!("{name}")).await })
    });
    let (calls, start): (Vec<_>, _) = (calls.collect(), Instant::now());
    time::sleep(time::millis(rng().random_range(0..20))).await;
    sim.kill(&node);
    for call in calls {
        let reply = call.await.expect("it ends");
        assert!(matches!(reply, Ok(_) | Err(MuxError::TimedOut(_) | MuxError::Lost(_))), "{reply:?}");
    }
    assert!(start.elapsed() < time::secs(3), "{:?}", start.elapsed());
    assert_eq!(mux.stats().in_flight, 0);
    sim.restart(&node).await;
    time::sleep(time::secs(1)).await;
    let lost = mux.call("again").await;
    assert!(matches!(lost, Err(MuxError::Lost(Lost::Broken(_)))), "{lost:?}");
    let start = Instant::now();
    assert_eq!(mux.call("and again").await, lost);
    assert_eq!(start.elapsed(), Duration::ZERO);
    assert_eq!(connect(&node, 1).await.call("anew").await.expect("the server is up"), "anew");
}

/// Whatever befalls the server and its links: a reply that comes is that of its request, and calls are answered once it is over.
#[windtunnel_sim::test(seeds = 128)]
pub async fn replies_match_requests_whatever_fails(sim: Sim) {
    let (node, _) = server(&sim, 4, time::millis(20));
    sim.faults(faults::any().on(std::slice::from_ref(&node)).on_ports([PORT]).healed_by(time::secs(10)));
    let begin = Instant::now();
    let mut number = 0;
    while begin.elapsed() < time::secs(12) {
        let Ok(Ok(stream)) = time::timeout(time::secs(1), TcpStream::connect(node.addr(PORT))).await else {
            time::sleep(time::millis(100)).await;
            continue;
        };
        let mux = Arc::new(Mux::new(stream, options(2)));
        while begin.elapsed() < time::secs(12) {
            number += 1;
            let request = format!("{number}");
            match mux.call(request.clone()).await {
                Ok(reply) => assert_eq!(reply, request),
                Err(MuxError::TimedOut(_) | MuxError::Lost(_)) => break,
                Err(error) => panic!("{error}"),
            }
            time::sleep(time::millis(50)).await;
        }
    }
    let mux = connect(&node, 1).await;
    assert_eq!(mux.call("well").await.expect("all is well"), "well");
}
