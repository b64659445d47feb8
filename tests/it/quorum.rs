//! Replicated storage: in production, and what its reads would do without write-back.

use std::sync::atomic::AtomicBool;

use insta::assert_snapshot;
use windtunnel::net::TcpListener;
use windtunnel::sync::Context;
use windtunnel::{spawn, time};
use windtunnel_patterns::quorum::{Client, QuorumError, Reads, Replica, TooFewReplicas};
use windtunnel_patterns::service::{Options, serve};
use windtunnel_sim::{Body, Outcome, Scenario, Sim, Sweep, SweepReport};
use windtunnel_suite::models::quorum as models;
use windtunnel_suite::scenarios::quorum::whatever_fails;

use crate::common::{on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    a_read_ends_at_its_quorum
    without_a_quorum_a_read_fails
    what_was_written_is_read
    a_dropped_read_leaves_no_call
}

const SEEDS: u64 = 200;

fn scenario(function: &'static str, body: fn(Sim) -> Body) -> Scenario {
    Scenario { module: "quorum", function, package: "", summary: "", seeds: SEEDS, body }
}

fn sweep(scenario: &Scenario) -> SweepReport {
    Sweep::new(0..SEEDS).run(scenario, &AtomicBool::new(false), &|| {})
}

/// A later read finds an older value (census: `quorum-read-inversion`), and that is all that is left of thirty steps under up
/// to thirty faults.
#[test]
fn without_write_back_one_write_and_two_reads_go_wrong_and_no_fault_too_many() {
    let regular = scenario("regular", |sim| Box::pin(whatever_fails(sim, Reads::Regular)));
    let mut failure = sweep(&regular).failure.expect("it is found within 200 seeds");
    assert!(failure.symptom().contains("not linearizable"), "\n{failure}");
    assert_eq!(failure.divergence, None);
    let small = failure.smallest.as_ref().expect("it was shrunk");
    assert_eq!((small.operations, small.spent), ((3, 30), false), "\n{failure}");
    let does = |what: &str| failure.outcome.workloads[0].operations.iter().filter(|it| it.contains(what)).count();
    assert_eq!((does(" writes "), does(" reads ")), (1, 2), "\n{failure}");
    let Outcome { seed, cause, plan, .. } = &failure.outcome;
    assert_ne!(plan.faults.len(), 0, "links are fast enough without");
    for number in 0..plan.faults.len() {
        let mut fewer = plan.clone();
        let gone = fewer.faults.remove(number);
        let without = regular.run_with(*seed, fewer).cause;
        assert_eq!((without, cause.is_some()), (None, true), "needless: {gone}\n{failure}");
    }
    failure.show_real_time = false;
    assert_snapshot!(failure);
}

#[test]
fn with_write_back_none_of_these_seeds_fails() {
    let report = sweep(&scenario("atomic", |sim| Box::pin(whatever_fails(sim, Reads::Atomic))));
    assert!(report.failure.is_none(), "\n{}", report.failure.unwrap());
}

async fn over_loopback(count: usize) -> Vec<String> {
    let mut addresses = Vec::new();
    for _ in 0..count {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.push(listener.local_addr().unwrap().to_string());
        spawn(serve(listener, Replica::new(time::secs(5)), Options::default(), Context::named("never")));
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
