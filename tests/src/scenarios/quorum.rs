//! Replicated storage on a simulated cluster.

use std::collections::BTreeMap;
use std::{fmt, future};

use proptest::bool::weighted;
use proptest::strategy::Strategy;
use windtunnel::net::TcpListener;
use windtunnel::sync::Context;
use windtunnel::time::{self, Duration};
use windtunnel_patterns::quorum::{Client, Reads, Replica};
use windtunnel_patterns::service::{Options, serve};
use windtunnel_sim::history::{EntryOp, KeyValue, Recorder, Ret};
use windtunnel_sim::{Node, Sim, faults};

const PORT: u16 = 900;
const CLIENTS: usize = 3;
const STEPS: usize = 30;
const KEYS: [&str; 2] = ["a", "b"];

/// What the clients did: a key and what was done to it.
type Log = Recorder<(String, EntryOp<String>), Ret<Option<String>>>;

/// `count` replicas, which keep what they store when their node is killed.
fn replicas(sim: &Sim, count: usize) -> Vec<Node> {
    let disks: BTreeMap<String, Replica> =
        (1..=count).map(|number| (format!("replica{number}"), Replica::new(time::secs(1)))).collect();
    sim.nodes("replica", count, move |node| {
        let disk = disks[node.name()].clone();
        async move {
            let listener = TcpListener::bind(node.addr(PORT)).await.expect("the port is free on a new node");
            serve(listener, disk, Options::default(), Context::named("never")).await;
        }
    })
}

/// A client of `nodes`, fewer than half of which may be silent.
fn client(nodes: &[Node], reads: Reads, deadline: Duration, writer: u64) -> Client {
    let addresses = nodes.iter().map(|node| format!("{}:{PORT}", node.name())).collect();
    Client::new(addresses, (nodes.len() - 1) / 2, reads, deadline, writer).expect("they are enough")
}

/// A read or a write: when, by which client, of which key.
#[derive(Clone)]
struct Step {
    at: Duration,
    client: usize,
    key: usize,
    writes: bool,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, client, key, writes } = self;
        let does = if *writes { "writes" } else { "reads" };
        write!(f, "client {} {does} {} at {at:?}", client + 1, KEYS[*key])
    }
}

impl Step {
    /// Takes it, and records it; after a failure the outcome is unknown.
    async fn take(self, mut client: Client, value: String, log: Log) {
        let (key, name) = (KEYS[self.key], format!("client {}", self.client + 1));
        if self.writes {
            let pending = log.invoke(name, (key.to_owned(), EntryOp::Put(value.clone())));
            if client.write(key, value).await.is_ok() {
                pending.returned(Ret::Done);
            }
        } else {
            let pending = log.invoke(name, (key.to_owned(), EntryOp::Get));
            if let Ok(value) = client.read(key).await {
                pending.returned(Ret::Value(value));
            }
        }
    }
}

/// A step at any millisecond of the first `span` of them; reads are more frequent, for they find what is wrong.
fn step(span: u64) -> impl Strategy<Value = Step> {
    let parts = (0..span, 0..CLIENTS, 0..KEYS.len(), weighted(0.2));
    parts.prop_map(|(at, client, key, writes)| Step { at: time::millis(at), client, key, writes })
}

/// Clients on nodes of their own, who read and write within so many milliseconds. What one does is not kept up by what it did
/// before, so that a step which goes away leaves the others where they are.
async fn workload(sim: &Sim, nodes: &[Node], reads: Reads, span: u64) -> Log {
    let clients = sim.nodes("client", CLIENTS, |_| future::pending());
    let (log, began, mut working) = (Log::new(), time::Instant::now(), Vec::new());
    for (number, step) in sim.workload(STEPS, step(span)).into_iter().enumerate() {
        let client = client(nodes, reads, time::millis(500), number as u64);
        let (node, log) = (&clients[step.client], log.clone());
        working.push(sim.spawn_on(node, "step", async move {
            time::sleep_until(began + step.at).await;
            step.take(client, format!("v{number}"), log).await;
        }));
    }
    for step in working {
        step.await.expect("a step does not panic");
    }
    log
}

/// Two of five replicas and their links are in any trouble for twelve seconds: every key stays linearizable.
#[windtunnel_sim::test(seeds = 128)]
pub async fn linearizable_while_a_minority_fails(sim: Sim) {
    let nodes = replicas(&sim, 5);
    sim.faults(faults::any().on_minority_of(&nodes).on_ports([PORT]).healed_by(time::secs(12)));
    let log = workload(&sim, &nodes, Reads::Atomic, 12_000).await;
    log.history().assert_linearizable(&KeyValue::default());
}

/// All replicas and their links are in any trouble for a second: what can be read stays linearizable.
#[windtunnel_sim::test(seeds = 128)]
pub async fn linearizable_whatever_fails(sim: Sim) {
    whatever_fails(sim, Reads::Atomic).await;
}

/// [`linearizable_whatever_fails`] with these reads.
pub async fn whatever_fails(sim: Sim, reads: Reads) {
    let nodes = replicas(&sim, 3);
    sim.faults(faults::any().on(&nodes).on_ports([PORT]).healed_by(time::secs(1)));
    let log = workload(&sim, &nodes, reads, 1_000).await;
    log.history().assert_linearizable(&KeyValue::default());
}
