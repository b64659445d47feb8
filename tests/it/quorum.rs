//! Replicated storage: in production, and what its reads would do without write-back.

use std::sync::atomic::AtomicBool;

use rand::Rng;
use windtunnel::net::TcpListener;
use windtunnel::rand::rng;
use windtunnel::{spawn, time};
use windtunnel_patterns::quorum::{Client, QuorumError, Reads, Replica, TooFewReplicas};
use windtunnel_sim::history::KeyValue;
use windtunnel_sim::net::LinkConditions;
use windtunnel_sim::{Body, Scenario, Sim, Sweep, SweepReport};
use windtunnel_suite::scenarios::quorum::{Log, client, read, replicas, write};

use crate::common::on_two_threads;

/// One write over links that take up to a second, and meanwhile one reader who reads twice (census: `quorum-read-inversion`).
async fn one_writer_one_reader(sim: Sim, reads: Reads) {
    let (nodes, log) = (replicas(&sim, 3), Log::new());
    let far = sim.node("far", |_| std::future::pending());
    for node in &nodes {
        let latency = time::millis(1)..time::secs(1);
        sim.set_link(&far, node, LinkConditions { latency, ..LinkConditions::default() });
    }
    let [mut writer, reader] = [1, 2].map(|name| client(&nodes, reads, time::secs(30), name));
    let writing = {
        let log = log.clone();
        sim.spawn_on(&far, "writer", async move { write(&mut writer, 1, "key", "new".into(), &log).await })
    };
    time::sleep(time::millis(rng().random_range(0..3_000))).await;
    for _ in 0..2 {
        read(&reader, 2, "key", &log).await;
    }
    writing.await.unwrap();
    log.history().assert_linearizable(&KeyValue::default());
}

fn sweep(seeds: u64, function: &'static str, body: fn(Sim) -> Body) -> SweepReport {
    let scenario = Scenario { module: "quorum", function, package: "", summary: "", seeds, body };
    Sweep::new(0..seeds).run(&scenario, &AtomicBool::new(false), &|| {})
}

#[test]
fn without_write_back_a_later_read_may_find_the_older_value() {
    let report = sweep(200, "regular", |sim| Box::pin(one_writer_one_reader(sim, Reads::Regular)));
    let failure = report.failure.expect("it is found within 200 seeds");
    assert!(failure.symptom().contains("not linearizable"), "{failure}");
    assert_eq!(failure.divergence, None);
}

#[test]
fn with_write_back_it_does_not() {
    let report = sweep(400, "atomic", |sim| Box::pin(one_writer_one_reader(sim, Reads::Atomic)));
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
}

async fn over_loopback(count: usize) -> Vec<String> {
    let mut addresses = Vec::new();
    for _ in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap().to_string());
        spawn(Replica::default().serve(listener, time::secs(5)));
    }
    addresses
}

#[test]
fn on_tokio_a_value_is_read_although_a_minority_is_dead() {
    on_two_threads(async {
        let mut addresses = over_loopback(3).await;
        addresses.extend(["127.0.0.1:1".into(), "127.0.0.1:2".into()]);
        let mut client = Client::new(addresses, 2, Reads::Atomic, time::secs(5), 1).unwrap();
        assert_eq!(client.read("key").await, Ok(None));
        client.write("key", "one").await.unwrap();
        client.write("key", "two").await.unwrap();
        assert_eq!(client.read("key").await, Ok(Some("two".into())));
        assert_eq!(client.read("another").await, Ok(None));
    });
}

#[test]
fn without_a_quorum_an_operation_fails() {
    on_two_threads(async {
        let mut addresses = over_loopback(1).await;
        addresses.extend(["127.0.0.1:1".into(), "127.0.0.1:2".into()]);
        let mut client = Client::new(addresses, 1, Reads::Atomic, time::secs(5), 1).unwrap();
        let failed = QuorumError::NoQuorum { answers: 1, needed: 2 };
        assert_eq!(client.read("key").await, Err(failed));
        assert_eq!(client.write("key", "one").await, Err(failed));
    });
}

#[test]
fn too_few_replicas_are_refused() {
    let refused = Client::new(vec!["a:1".into(); 4], 2, Reads::Atomic, time::secs(1), 1).unwrap_err();
    assert_eq!(refused, TooFewReplicas { replicas: 4, silent: 2 });
    assert_eq!(refused.to_string(), "4 replicas survive 1 silent ones and not 2: use 5 or more");
}
