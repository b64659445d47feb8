//! The repository with clients in any trouble.

use std::fmt;
use std::future::{self, Future};

use proptest::prelude::*;
use windtunnel::time::{self, Duration, Instant};
use windtunnel_patterns::repository::{Closed, Repository};
use windtunnel_sim::faults::Kind;
use windtunnel_sim::history::{EntryOp, KeyValue, Recorder, Ret};
use windtunnel_sim::{Sim, faults};

use super::live_tasks_of_patterns;

const CLIENTS: usize = 3;
const STEPS: usize = 60;
const SPAN_MS: u64 = 40;

type Key = u8;
/// An operation on the entry of a key.
pub type Op = EntryOp<u64>;
/// What it returned.
pub type Answer = Ret<Option<u64>>;

/// A map as its clients see it.
pub trait Store: Clone + Send + 'static {
    /// Does `op` at `key`.
    ///
    /// # Errors
    /// If it was not done.
    fn apply(&self, key: Key, op: Op) -> impl Future<Output = Result<Answer, Closed>> + Send;
}

impl Store for Repository<Key, u64> {
    async fn apply(&self, key: Key, op: Op) -> Result<Answer, Closed> {
        Ok(match op {
            EntryOp::Get => Ret::Value(self.get(key).await?),
            EntryOp::Put(value) => self.insert(key, value).await.map(|_| Ret::Done)?,
            EntryOp::Delete => self.remove(key).await.map(|_| Ret::Done)?,
            EntryOp::Cas(from, to) => Ret::Swapped(
                self.run(move |map| {
                    let swaps = map.get(&key).copied() == from;
                    if swaps {
                        map.insert(key, to);
                    }
                    swaps
                })
                .await?,
            ),
        })
    }
}

/// When, by which client, at which key, and what.
#[derive(Clone)]
struct Step {
    at: Duration,
    client: usize,
    key: Key,
    op: Op,
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, client, key, op } = self;
        write!(f, "client {} does {op:?} at key {key} at {at:?}", client + 1)
    }
}

fn step() -> impl Strategy<Value = Step> {
    let value = 0..4_u64;
    let op = prop_oneof![
        4 => Just(EntryOp::Get),
        2 => value.clone().prop_map(EntryOp::Put),
        1 => Just(EntryOp::Delete),
        1 => (prop::option::of(value.clone()), value).prop_map(|(from, to)| EntryOp::Cas(from, to)),
    ];
    let parts = (0..SPAN_MS, 0..CLIENTS, 0..2_u8, op);
    parts.prop_map(|(at, client, key, op)| Step { at: time::millis(at), client, key, op })
}

/// Clients of `store` that are killed, paused or slow, whatever they are at: what they saw is linearizable.
pub async fn linearizable(sim: Sim, store: impl Store) {
    let nodes = sim.nodes("client", CLIENTS, |_| future::pending());
    let trouble = [Kind::Kill, Kind::Restart, Kind::Pause, Kind::Slowness];
    sim.faults(faults::any().on(&nodes).only(trouble).healed_by(time::millis(SPAN_MS)));
    let (log, began, mut working) = (Recorder::new(), Instant::now(), Vec::new());
    let mut steps = sim.workload(STEPS, step());
    steps.sort_by_key(|step| step.at);
    for Step { at, client, key, op } in steps {
        time::sleep_until(began + at).await;
        let (store, log) = (store.clone(), log.clone());
        working.push(sim.spawn_on(&nodes[client], "step", async move {
            let pending = log.invoke(format!("client {}", client + 1), (key, op.clone()));
            if let Ok(answer) = store.apply(key, op).await {
                pending.returned(answer);
            }
        }));
    }
    for step in working {
        // A step is gone with its node.
        drop(step.await);
    }
    log.history().assert_linearizable(&KeyValue::default());
}

/// Clients in any trouble: what they see is linearizable, the owner answers who is well at once, and ends with its handles.
#[windtunnel_sim::test(seeds = 128)]
pub async fn linearizable_whoever_is_in_trouble(sim: Sim) {
    let map = Repository::new();
    linearizable(sim, map.clone()).await;
    let asked = Instant::now();
    map.len().await.expect("it is open");
    assert!(asked.elapsed() < time::millis(1), "{:?}", asked.elapsed());
    drop(map);
    time::sleep(time::millis(1)).await;
    assert_eq!(live_tasks_of_patterns(), 0);
}

/// Closed while its clients are at it: what they were told was done is in what the owner had, and nothing else.
#[windtunnel_sim::test(seeds = 128)]
pub async fn a_close_is_exact(_sim: Sim) {
    let map = Repository::new();
    let inserting: Vec<_> = (0..20_u64)
        .map(|key| {
            let map = map.clone();
            windtunnel::spawn(async move {
                time::sleep(time::millis(key / 5)).await;
                map.insert(key, key).await.is_ok().then_some(key)
            })
        })
        .collect();
    time::sleep(time::millis(windtunnel::rand::choose(5) as u64)).await;
    let mut left: Vec<_> = map.close().await.expect("closed once").into_keys().collect();
    let mut told = Vec::new();
    for insert in inserting {
        told.extend(insert.await.expect("it does not panic"));
    }
    left.sort_unstable();
    assert_eq!(left, told);
}
