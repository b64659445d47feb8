//! How fast a simulation is, beside raw madsim and turmoil at its defaults: a round trip, a small cluster, a sweep on two
//! cores, idleness.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion, Throughput};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use windtunnel_sim::{Body, Scenario, Sim, Sweep, simulate};

const PORT: u16 = 7;
const BYTES: usize = 64;
const CLIENTS: usize = 3;
const ECHOES: u64 = 100;

// madsim's streams send nothing before they are flushed; for the others a flush is nothing.
async fn answer(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buf = [0; BYTES];
    while stream.read_exact(&mut buf).await.is_ok() && stream.write_all(&buf).await.is_ok() {
        if stream.flush().await.is_err() {
            return;
        }
    }
}

async fn ask(mut stream: impl AsyncRead + AsyncWrite + Unpin, times: u64) {
    let mut buf = [0; BYTES];
    for _ in 0..times {
        stream.write_all(&[1; BYTES]).await.expect("nothing breaks it");
        stream.flush().await.expect("nothing breaks it");
        stream.read_exact(&mut buf).await.expect("nothing breaks it");
    }
}

mod on_windtunnel {
    use windtunnel::net::{TcpListener, TcpStream};
    use windtunnel::spawn;
    use windtunnel_sim::{Node, faults, simulate};

    use super::{AsyncReadExt, AsyncWriteExt, BYTES, CLIENTS, Duration, ECHOES, PORT, Sim, answer, ask};

    fn server(sim: &Sim) -> Node {
        sim.node("server", |node| async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("a new node's port is free");
            while let Ok((stream, _)) = listener.accept().await {
                spawn(answer(stream));
            }
        })
    }

    pub async fn echoes(sim: Sim, clients: usize, times: u64) {
        let server = server(&sim);
        windtunnel::time::sleep(Duration::from_millis(1)).await;
        let ask = |i| {
            let (node, addr) = (sim.node(format!("client{i}"), |_| std::future::pending()), server.addr(PORT));
            sim.spawn_on(&node, "client", async move {
                ask(TcpStream::connect(addr).await.expect("it listens"), times).await;
            })
        };
        let asking: Vec<_> = (0..clients).map(ask).collect();
        for client in asking {
            client.await.expect("a client does not panic");
        }
    }

    /// The same under a drawn plan: a client whose connection breaks makes a new one.
    pub async fn echoes_under_faults(sim: Sim) {
        let server = server(&sim);
        sim.faults(faults::any().on_minority_of(std::slice::from_ref(&server)).healed_by(Duration::from_secs(2)));
        let ask = |i| {
            let (node, addr) = (sim.node(format!("client{i}"), |_| std::future::pending()), server.addr(PORT));
            sim.spawn_on(&node, "client", async move {
                let mut left = ECHOES;
                while left > 0 {
                    let Ok(mut stream) = TcpStream::connect(addr).await else {
                        windtunnel::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    };
                    let mut buf = [0; BYTES];
                    while left > 0
                        && stream.write_all(&[1; BYTES]).await.is_ok()
                        && stream.read_exact(&mut buf).await.is_ok()
                    {
                        left -= 1;
                    }
                }
            })
        };
        let asking: Vec<_> = (0..CLIENTS).map(ask).collect();
        for client in asking {
            client.await.expect("a client does not panic");
        }
    }

    pub fn run(seed: u64, clients: usize, times: u64) {
        let (outcome, _) = simulate(seed, move |sim| echoes(sim, clients, times));
        assert_eq!(outcome.cause, None);
    }
}

mod on_madsim {
    use madsim::net::{TcpListener, TcpStream};
    use madsim::runtime::{Handle, Runtime};

    use super::{Duration, IpAddr, Ipv4Addr, PORT, SocketAddr, answer, ask};

    pub fn run(seed: u64, clients: usize, times: u64) {
        let run = move || {
            Runtime::with_seed_and_config(seed, madsim::Config::default()).block_on(async move {
                let ip = |last| IpAddr::V4(Ipv4Addr::new(10, 0, 0, last));
                let addr = SocketAddr::new(ip(1), PORT);
                let handle = Handle::current();
                handle.create_node().ip(ip(1)).build().spawn(async move {
                    let listener = TcpListener::bind(addr).await.expect("a new node's port is free");
                    while let Ok((stream, _)) = listener.accept().await {
                        madsim::task::spawn(answer(stream));
                    }
                });
                madsim::time::sleep(Duration::from_millis(1)).await;
                let asking: Vec<_> = (0..clients)
                    .map(|i| {
                        let node = handle.create_node().ip(ip(u8::try_from(i).expect("few") + 2)).build();
                        node.spawn(async move {
                            ask(TcpStream::connect(addr).await.expect("it listens"), times).await;
                        })
                    })
                    .collect();
                for client in asking {
                    client.await.expect("a client does not panic");
                }
            });
        };
        std::thread::spawn(run).join().expect("it does not panic");
    }
}

mod on_turmoil {
    use turmoil::net::{TcpListener, TcpStream};

    use super::{Duration, IpAddr, Ipv4Addr, PORT, answer, ask};

    pub fn run(seed: u64, clients: usize, times: u64) {
        let mut sim = turmoil::Builder::new().rng_seed(seed).simulation_duration(Duration::MAX).build();
        sim.host("server", || async {
            let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::UNSPECIFIED), PORT)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer(stream));
            }
        });
        for i in 0..clients {
            sim.client(format!("client{i}"), async move {
                ask(TcpStream::connect(("server", PORT)).await?, times).await;
                Ok(())
            });
        }
        sim.run().expect("it ends");
    }
}

type Rival = (&'static str, fn(u64, usize, u64));
const RIVALS: [Rival; 3] =
    [("windtunnel", on_windtunnel::run), ("madsim", on_madsim::run), ("turmoil", on_turmoil::run)];

/// One connection in one run; the result is the time of one round trip of 64 bytes.
fn round_trip(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("echo, a round trip");
    for (name, run) in RIVALS {
        measure(&mut group, name, |n| run(1, 1, n));
    }
    group.finish();
}

/// Seeds a second on one core: three clients with 100 echoes each, cluster and all.
fn seeds(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("3 clients × 100 echoes, a seed");
    for (name, run) in RIVALS {
        measure(&mut group, name, |n| (0..n).for_each(|seed| run(seed, CLIENTS, ECHOES)));
    }
    measure(&mut group, "windtunnel, drawn faults", |n| {
        for seed in 0..n {
            let (outcome, _) = simulate(seed, on_windtunnel::echoes_under_faults);
            assert_eq!(outcome.cause, None, "seed {seed}");
        }
    });
    group.finish();
}

fn sweep(criterion: &mut Criterion) {
    let body: fn(Sim) -> Body = |sim| Box::pin(on_windtunnel::echoes(sim, CLIENTS, ECHOES));
    let scenario = Scenario { module: "bench", function: "echoes", package: "", summary: "", seeds: 1, body };
    let mut group = criterion.benchmark_group("a sweep, a seed");
    for jobs in [1, 2] {
        measure(&mut group, &format!("{jobs} jobs"), |n| {
            let report = Sweep { jobs, ..Sweep::new(0..n) }.run(&scenario, &AtomicBool::new(false), &|| {});
            assert_eq!(report.runs, n);
        });
    }
    group.finish();
}

fn idleness(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("ten minutes of nothing, a seed");
    measure(&mut group, "windtunnel", |n| {
        for seed in 0..n {
            let (outcome, _) = simulate(seed, |sim| async move {
                sim.nodes("idle", 3, |_| std::future::pending());
                windtunnel::time::sleep(Duration::from_mins(10)).await;
            });
            assert_eq!(outcome.cause, None);
        }
    });
    group.finish();
}

/// Real time is taken outside of the simulations, in which every clock is theirs.
fn measure(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, run: impl Fn(u64)) {
    group.throughput(Throughput::Elements(1));
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|n| {
            let start = Instant::now();
            run(n);
            start.elapsed()
        });
    });
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(2))
        .without_plots()
        .configure_from_args();
    round_trip(&mut criterion);
    seeds(&mut criterion);
    sweep(&mut criterion);
    idleness(&mut criterion);
    criterion.final_summary();
}
