//! Replicated storage on a simulated cluster.

use std::collections::BTreeMap;

use rand::Rng;
use windtunnel::net::TcpListener;
use windtunnel::rand::rng;
use windtunnel::time::Duration;
use windtunnel::{spawn, time};
use windtunnel_patterns::quorum::{Client, Reads, Replica};
use windtunnel_sim::history::{EntryOp, KeyValue, Recorder, Ret};
use windtunnel_sim::{Node, Sim, faults};

const PORT: u16 = 900;
const CLIENTS: u64 = 3;
const OPERATIONS: usize = 8;
const KEYS: [&str; 2] = ["a", "b"];

/// What the clients did: a key and what was done to it.
pub type Log = Recorder<(String, EntryOp<String>), Ret<Option<String>>>;

/// `count` replicas, which keep what they store when their node is killed.
pub fn replicas(sim: &Sim, count: usize) -> Vec<Node> {
    let disks: BTreeMap<String, Replica> =
        (1..=count).map(|number| (format!("replica{number}"), Replica::default())).collect();
    sim.nodes("replica", count, move |node| {
        let disk = disks[node.name()].clone();
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            disk.serve(listener, time::secs(1)).await;
        }
    })
}

/// A client of `nodes`, fewer than half of which may be silent.
pub fn client(nodes: &[Node], reads: Reads, deadline: Duration, writer: u64) -> Client {
    let addresses = nodes.iter().map(|node| format!("{}:{PORT}", node.name())).collect();
    Client::new(addresses, (nodes.len() - 1) / 2, reads, deadline, writer).expect("they are enough")
}

/// Writes `value`, and records it; after a failure the outcome is unknown.
pub async fn write(client: &mut Client, name: u64, key: &str, value: String, log: &Log) {
    let pending = log.invoke(format!("client {name}"), (key.to_owned(), EntryOp::Put(value.clone())));
    if client.write(key, value).await.is_ok() {
        pending.returned(Ret::Done);
    }
}

/// Reads, and records it.
pub async fn read(client: &Client, name: u64, key: &str, log: &Log) {
    let pending = log.invoke(format!("client {name}"), (key.to_owned(), EntryOp::Get));
    if let Ok(value) = client.read(key).await {
        pending.returned(Ret::Value(value));
    }
}

/// Some clients that read and write at random.
async fn workload(nodes: Vec<Node>, reads: Reads) -> Log {
    let log = Log::new();
    let clients: Vec<_> = (1..=CLIENTS)
        .map(|name| {
            let (mut client, log) = (client(&nodes, reads, time::millis(500), name), log.clone());
            spawn(async move {
                for operation in 0..OPERATIONS {
                    time::sleep(time::millis(rng().random_range(0..2_000))).await;
                    let key = KEYS[rng().random_range(0..KEYS.len())];
                    if rng().random() {
                        write(&mut client, name, key, format!("{name}.{operation}"), &log).await;
                    } else {
                        read(&client, name, key, &log).await;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("a client does not panic");
    }
    log
}

/// Two of five replicas and their links are in any trouble for twelve seconds: every key stays linearizable.
#[windtunnel_sim::test(seeds = 128)]
pub async fn linearizable_while_a_minority_fails(sim: Sim) {
    let nodes = replicas(&sim, 5);
    sim.faults(faults::any().on_minority_of(&nodes).on_ports([PORT]).healed_by(time::secs(12)));
    let log = workload(nodes, Reads::Atomic).await;
    log.history().assert_linearizable(&KeyValue::default());
}
