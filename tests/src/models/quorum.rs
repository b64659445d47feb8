//! Replicated storage under every interleaving, message by message. Each call is a task: with loom's five, one operation on three
//! replicas, or both on one.

use std::sync::Arc;

use windtunnel::channel::{self, Sender};
use windtunnel::sync::Mutex;
use windtunnel::task::spawn_named;
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

/// Replicas that are reached by messages: each is a task with a mailbox, and replies to whom the message names. The last one is slow.
#[derive(Clone)]
struct Mail(Arc<[Mailbox]>);

/// Takes requests, each with where its reply goes.
type Mailbox = Sender<(Request, Sender<Versioned>)>;

impl Mail {
    fn new(count: usize) -> Self {
        Self((0..count).map(Self::replica).collect())
    }

    fn replica(number: usize) -> Mailbox {
        let (mailbox, requests) = channel::named::<(_, Sender<_>)>("mailbox", 3);
        spawn_named(format!("replica {number}"), async move {
            let replica = Replica::new(DEADLINE);
            while let Some((request, reply)) = requests.recv().await {
                // Its client may have its quorum.
                reply.try_send(replica.answer(request)).ok();
            }
        });
        mailbox
    }
}

impl Transport for Mail {
    async fn call(&self, replica: usize, request: Request) -> Result<Versioned, CallError> {
        if replica + 1 == self.0.len() {
            time::sleep(DEADLINE / 2).await;
        }
        let (reply, replies) = channel::named("reply", 1);
        self.0[replica].send((request, reply)).await.expect("a replica lives as long as its clients");
        Ok(replies.recv().await.expect("a replica replies"))
    }
}

fn by_mail(reads: Reads) -> Client<Mail> {
    Client::over(Mail::new(3), 3, 1, reads, DEADLINE, 1).expect("they are enough")
}

/// Replicas that are one step away, each behind a lock that orders its requests; the last one is slow.
#[derive(Clone)]
struct Near(Arc<[Mutex<Replica>]>);

impl Transport for Near {
    async fn call(&self, replica: usize, request: Request) -> Result<Versioned, CallError> {
        if replica + 1 == self.0.len() {
            time::sleep(DEADLINE / 2).await;
        }
        Ok(self.0[replica].lock().await.answer(request))
    }
}

/// Three replicas, one of them slow: a read ends at its quorum, which is there in time or not.
#[windtunnel_model::test(engine = explore, test_executions = 300)]
pub async fn a_read_beside_a_slow_replica() {
    let near = Near((0..3).map(|_| Mutex::new(Replica::new(DEADLINE))).collect());
    let client = Client::over(near, 3, 1, Reads::Regular, DEADLINE, 1).expect("they are enough");
    match client.read("key").await {
        Ok(value) => assert_eq!(value, None),
        Err(error) => assert!(matches!(error, QuorumError::NoQuorum { answers: 0 | 1, needed: 2 }), "{error}"),
    }
}

/// Three replicas as tasks, one of them slow: a read ends at its quorum, and no task is left.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn a_read_by_mail_beside_a_slow_replica() {
    match by_mail(Reads::Regular).read("key").await {
        Ok(value) => assert_eq!(value, None),
        Err(error) => assert!(matches!(error, QuorumError::NoQuorum { answers: 0 | 1, needed: 2 }), "{error}"),
    }
}

/// Three replicas as tasks, one of them slow; two reads while a write is under way: the later one is not behind the earlier.
#[windtunnel_model::test(engine = explore, max_executions = 200_000, test_executions = 300)]
pub async fn reads_by_mail_during_a_write_do_not_go_back() {
    let client = by_mail(Reads::Atomic);
    let mut writer = client.clone();
    let writing = spawn(async move { writer.write("key", "one").await });
    let reads = [client.read("key").await, client.read("key").await];
    assert!(!matches!(reads, [Ok(Some(_)), Ok(None)]), "{reads:?}");
    writing.await.expect("nobody aborts it").ok();
}
