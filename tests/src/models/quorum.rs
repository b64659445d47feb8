//! Replicated storage under every interleaving, message by message. Each call is a task: with loom's five, one operation on three
//! replicas, or both on one.

use std::sync::Arc;

use windtunnel::{spawn, time};
use windtunnel_patterns::quorum::{CallError, Client, QuorumError, Reads, Replica, Request, Transport, Versioned};

use super::task::forever;

const DEADLINE: time::Duration = time::millis(100);

/// Replicas in memory, the last of which may say nothing.
#[derive(Clone)]
struct Memory {
    replicas: Arc<[Replica]>,
    silent: usize,
}

impl Transport for Memory {
    async fn call(&self, replica: usize, request: Request) -> Result<Versioned, CallError> {
        if replica + self.silent >= self.replicas.len() {
            forever().await;
        }
        Ok(self.replicas[replica].answer(request))
    }
}

/// A client of `count` replicas of which it lets `silent` be silent; `truly_silent` are.
fn client(count: usize, silent: usize, truly_silent: usize, reads: Reads) -> Client<Memory> {
    let replicas = (0..count).map(|_| Replica::new(DEADLINE)).collect();
    let memory = Memory { replicas, silent: truly_silent };
    Client::over(memory, count, silent, reads, DEADLINE, 1).expect("they are enough")
}

/// A read of three replicas ends at its quorum although one is silent, unless another call's time is up first, and takes the call
/// that is left with it.
#[windtunnel_model::test(preemptions = 1)]
pub async fn a_read_ends_at_its_quorum() {
    match client(3, 1, 1, Reads::Regular).read("key").await {
        Ok(value) => assert_eq!(value, None),
        Err(error) => assert!(matches!(error, QuorumError::NoQuorum { answers: 0 | 1, needed: 2 }), "{error}"),
    }
}

/// Without a quorum a read fails once the time is up.
#[windtunnel_model::test(preemptions = 1)]
pub async fn without_a_quorum_a_read_fails() {
    let failed = client(3, 1, 2, Reads::Regular).read("key").await;
    assert!(matches!(failed, Err(QuorumError::NoQuorum { answers: 0 | 1, needed: 2 })), "{failed:?}");
}

/// What was written is read; a write whose time was up may have been.
#[windtunnel_model::test]
pub async fn what_was_written_is_read() {
    let mut client = client(1, 0, 0, Reads::Regular);
    let written = client.write("key", "one").await;
    match client.read("key").await {
        Ok(value) if written.is_ok() => assert_eq!(value.as_deref(), Some("one")),
        Ok(value) => assert!(matches!(value.as_deref(), None | Some("one")), "{value:?}"),
        Err(error) => assert_eq!(error, QuorumError::NoQuorum { answers: 0, needed: 1 }),
    }
}

/// A read that is dropped takes its calls with it.
#[windtunnel_model::test(preemptions = 1)]
pub async fn a_dropped_read_leaves_no_call() {
    let client = client(3, 1, 3, Reads::Regular);
    let reading = spawn(async move { client.read("key").await });
    reading.abort();
    if let Ok(outcome) = reading.await {
        assert_eq!(outcome, Err(QuorumError::NoQuorum { answers: 0, needed: 2 }));
    }
}
