//! The repository: the bodies of its models on tokio and madsim, generated programs, panics, and what a map in its place that is
//! not linearizable would do to the scenario.

use std::collections::HashMap;
use std::future::Future;
use std::pin::pin;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Waker};

use proptest::prelude::*;
use windtunnel::go::{self, Channel};
use windtunnel::{select, spawn};
use windtunnel_patterns::repository::{Closed, Repository};
use windtunnel_sim::history::{EntryOp, Ret};
use windtunnel_sim::{Scenario, Sweep};
use windtunnel_suite::models::repository as models;
use windtunnel_suite::scenarios::repository::{Answer, Op, Store, linearizable};

use crate::common::{on_one_thread, on_tokio_and_madsim, on_two_threads};

on_tokio_and_madsim! {
    models:
    the_later_of_two_inserts_finds_the_earlier
    a_call_that_returned_was_executed
    what_is_removed_is_gone
    an_abandoned_get_blocks_nobody
    an_abandoned_insert_is_done_or_not
    close_against_insert
    a_closed_repository_refuses
    one_of_two_closes_it
    dropped_it_leaves_no_task
}

/// What one client does.
#[derive(Clone, Debug)]
enum Operation {
    Insert(u8, u64),
    Remove(u8),
    Add(u8, u64),
    /// An insert that is dropped where it waits first.
    Abandon(u8, u64),
    Close,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let key = 0..4_u8;
    let operation = prop_oneof![
        6 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Operation::Insert(key, value)),
        3 => key.clone().prop_map(Operation::Remove),
        3 => (key.clone(), any::<u64>()).prop_map(|(key, value)| Operation::Add(key, value)),
        3 => (key, any::<u64>()).prop_map(|(key, value)| Operation::Abandon(key, value)),
        1 => Just(Operation::Close),
    ];
    prop::collection::vec(operation, 0..60)
}

/// Does `operation` with both; they must agree.
async fn agree(map: &Repository<u8, u64>, reference: &mut Result<HashMap<u8, u64>, Closed>, operation: Operation) {
    let open = reference.as_mut().map_err(|closed| *closed);
    match operation {
        Operation::Insert(key, value) => {
            assert_eq!(map.insert(key, value).await, open.map(|it| it.insert(key, value)));
        }
        Operation::Remove(key) => assert_eq!(map.remove(key).await, open.map(|it| it.remove(&key))),
        Operation::Add(key, by) => {
            let add = move |value: &mut u64| {
                *value = value.wrapping_add(by);
                *value
            };
            assert_eq!(map.update(key, add).await, open.map(|it| it.get_mut(&key).map(add)));
        }
        Operation::Abandon(key, value) => {
            let poll = pin!(map.insert(key, value)).poll(&mut Context::from_waker(Waker::noop()));
            assert!(poll.is_pending() || open.is_err());
            let before = open.as_ref().map(|it| it.get(&key).copied()).map_err(|closed| *closed);
            let found = map.get(key).await;
            assert!(found == before || found == Ok(Some(value)) && before.is_ok(), "{found:?}");
            if let (Ok(reference), Ok(Some(found))) = (open, found) {
                reference.insert(key, found);
            }
        }
        Operation::Close => assert_eq!(map.close().await, std::mem::replace(reference, Err(Closed))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn it_does_what_a_map_does(operations in operations()) {
        on_one_thread(async {
            let (map, mut reference) = (Repository::new(), Ok(HashMap::new()));
            for operation in operations {
                agree(&map, &mut reference, operation).await;
                assert_eq!(map.len().await, reference.as_ref().map(HashMap::len).map_err(|it| *it));
                assert_eq!(map.is_empty().await, reference.as_ref().map(HashMap::is_empty).map_err(|it| *it));
            }
        });
    }
}

#[test]
fn on_tokio_ten_thousand_increments_of_ten_tasks_add_up() {
    on_two_threads(async {
        let map = Repository::new();
        let tasks = [0; 10].map(|key| {
            let map = map.clone();
            spawn(async move {
                for _ in 0..1_000 {
                    map.run(move |map| *map.entry(key).or_insert(0) += 1).await.unwrap();
                }
            })
        });
        for task in tasks {
            task.await.unwrap();
        }
        assert_eq!(map.get(0).await, Ok(Some(10_000)));
    });
}

#[test]
fn a_command_that_panics_does_so_in_its_callers_task_and_the_owner_goes_on() {
    on_two_threads(async {
        let map = Repository::new();
        map.insert(0, 13).await.unwrap();
        let unlucky = map.clone();
        let caller = spawn(async move {
            unlucky
                .update(0, |value| {
                    *value += 1;
                    assert_ne!(*value, 14, "bad luck");
                })
                .await
        });
        assert!(caller.await.unwrap_err().to_string().contains("bad luck"));
        assert_eq!(map.get(0).await, Ok(Some(14)), "what it did before it panicked is done");
    });
}

#[test]
fn an_error_says_in_one_line_what_happened() {
    insta::assert_snapshot!(Closed.to_string(), @"the repository is closed: nothing was done");
}

/// The repository of the talk with buffers for rendezvous (census D1): a put returns when it waits with the others.
#[derive(Clone)]
struct Buffered {
    puts: Channel<(u8, u64)>,
    gets: Channel<(u8, Channel<Option<u64>>)>,
}

impl Buffered {
    fn start() -> Self {
        let store = Self { puts: go::channel(1), gets: go::channel(1) };
        let Self { puts, gets } = store.clone();
        spawn(async move {
            let mut storage = HashMap::new();
            loop {
                select! {
                    put = puts.recv() => drop(put.map(|(key, value)| storage.insert(key, value))),
                    get = gets.recv() => {
                        let Some((key, response)) = get else { return };
                        response.send(storage.get(&key).copied()).await.unwrap();
                    }
                }
            }
        });
        store
    }
}

impl Store for Buffered {
    async fn apply(&self, key: u8, op: Op) -> Result<Answer, Closed> {
        match op {
            EntryOp::Put(value) => self.puts.send((key, value)).await.map(|()| Ret::Done).map_err(|_| Closed),
            EntryOp::Get => {
                let response = go::channel(1);
                self.gets.send((key, response.clone())).await.map_err(|_| Closed)?;
                Ok(Ret::Value(response.recv().await.ok_or(Closed)?))
            }
            EntryOp::Delete | EntryOp::Cas(..) => Err(Closed),
        }
    }
}

#[test]
fn the_same_clients_find_that_two_channels_with_buffers_are_not_linearizable() {
    let scenario = Scenario {
        module: "repository",
        function: "buffered",
        package: "",
        summary: "",
        seeds: 64,
        body: |sim| Box::pin(linearizable(sim, Buffered::start())),
    };
    let failure = Sweep::new(0..64).run(&scenario, &AtomicBool::new(false), &|| {}).failure.expect("it is found");
    assert!(failure.symptom().contains("not linearizable"), "\n{failure}");
}
