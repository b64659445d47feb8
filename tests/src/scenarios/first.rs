//! The first answer of several replicas on a simulated network.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rand::seq::SliceRandom;
use windtunnel::io::{AsyncReadExt, AsyncWriteExt};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::rand::rng;
use windtunnel::task::spawn_named;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::call::{CallError, NoAnswer};
use windtunnel_patterns::first;
use windtunnel_sim::{Node, Sim, faults};

use super::live_tasks_of_patterns;

/// Where replicas listen.
pub const PORT: u16 = 800;

/// Replicas that answer with their numbers, each after its pause; and how many callers left before they were answered.
pub fn replicas(sim: &Sim, pauses: &[Duration]) -> (Vec<Node>, Arc<AtomicUsize>) {
    let left = Arc::new(AtomicUsize::new(0));
    let replica = |(number, pause): (u8, &Duration)| {
        let (left, pause) = (Arc::clone(&left), *pause);
        sim.node(format!("replica{number}"), move |node| {
            let left = Arc::clone(&left);
            async move {
                let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
                while let Ok((stream, _)) = listener.accept().await {
                    spawn_named("request", serve(stream, number, pause, Arc::clone(&left)));
                }
            }
        })
    };
    ((0..).zip(pauses).map(replica).collect(), left)
}

async fn serve(mut stream: TcpStream, number: u8, pause: Duration, left: Arc<AtomicUsize>) {
    match time::timeout(pause, stream.read_u8()).await {
        Ok(_) => drop(left.fetch_add(1, Ordering::Relaxed)),
        Err(time::Elapsed) => drop(stream.write_u8(number).await),
    }
}

/// The number of the replica at `addr`.
pub async fn ask(addr: SocketAddr) -> io::Result<u8> {
    TcpStream::connect(addr).await?.read_u8().await
}

async fn first_of(nodes: &[Node], limit: Duration) -> Result<u8, NoAnswer<io::Error>> {
    first::response(nodes.iter().map(|node| ask(node.addr(PORT))).collect::<Vec<_>>(), limit).await
}

/// The fastest replica answers, after as long as it takes and no longer; the others see their caller go.
#[windtunnel_sim::test(seeds = 64)]
pub async fn the_fastest_answers_and_the_others_are_cancelled(sim: Sim) {
    let mut pauses = [100, 400, 800].map(time::millis);
    pauses.shuffle(&mut rng());
    let (nodes, left) = replicas(&sim, &pauses);
    time::sleep(time::secs(1)).await;
    let start = Instant::now();
    let answer = first_of(&nodes, time::secs(5)).await.expect("all are well");
    assert_eq!(pauses[usize::from(answer)], time::millis(100));
    assert!((100..200).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    time::sleep(time::millis(200)).await;
    assert_eq!(left.load(Ordering::Relaxed), 2, "the losers' connections are closed");
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// One replica is dead, one cut off, one refuses, one is far: the one that is well answers as if it were alone.
#[windtunnel_sim::test(seeds = 64)]
pub async fn replicas_in_trouble_do_not_matter(sim: Sim) {
    let (nodes, _) = replicas(&sim, &[time::millis(10); 5]);
    time::sleep(time::secs(1)).await;
    sim.kill(&nodes[0]);
    sim.partition(&[&nodes[1]], &[sim.main()]);
    sim.refuse(&nodes[2], PORT);
    sim.slow_link(&nodes[3], sim.main(), time::secs(2));
    let start = Instant::now();
    let answer = first_of(&nodes, time::secs(60)).await;
    assert_eq!(answer.expect("one is well"), 4);
    assert!(start.elapsed() < time::millis(100), "{:?}", start.elapsed());
}

/// With none that answers, it ends at its limit, tells who failed, and nothing goes on.
#[windtunnel_sim::test(seeds = 64)]
pub async fn the_limit_holds_for_all_of_them(sim: Sim) {
    let (nodes, left) = replicas(&sim, &[time::millis(10), time::secs(100), time::secs(100)]);
    time::sleep(time::secs(1)).await;
    sim.refuse(&nodes[0], PORT);
    sim.partition(&[&nodes[1]], &[sim.main()]);
    let (start, limit) = (Instant::now(), time::secs(5));
    match first_of(&nodes, limit).await {
        Err(NoAnswer::TimedOut { failures, .. }) => {
            let [failure] = &failures[..] else { panic!("{failures:?}") };
            let refused =
                matches!(&failure.error, CallError::Failed(error) if error.kind() == io::ErrorKind::ConnectionRefused);
            assert!(refused && failure.replica == 0, "{failure:?}");
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(start.elapsed().as_secs(), limit.as_secs());
    time::sleep(time::secs(1)).await;
    assert_eq!(left.load(Ordering::Relaxed), 1, "the one that was still at it sees the caller go");
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// Whatever befalls a minority, the majority answers in time.
#[windtunnel_sim::test(seeds = 128)]
pub async fn a_minority_in_trouble_keeps_nobody_waiting(sim: Sim) {
    let (nodes, _) = replicas(&sim, &[time::millis(10); 3]);
    sim.faults(faults::any().on_minority_of(&nodes).on_ports([PORT]).healed_by(time::secs(10)));
    for _ in 0..40 {
        first_of(&nodes, time::secs(2)).await.expect("two replicas are well");
        time::sleep(time::millis(300)).await;
    }
    assert_eq!(live_tasks_of_patterns(), 0);
}
