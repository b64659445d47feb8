//! Replicated storage with quorums: each operation returns when enough replicas have answered.
//!
//! After the replicated storage of "Go Concurrency Patterns, part 1" (census A3), with what the printed program lacks: it
//! returns at the quorum and not after the slowest replica, timestamps come from a quorum and not from clients' clocks, ties
//! are broken by the writer's number, and a read writes back what it found. With that it is the multi-writer register of
//! Attiya, Bar-Noy and Dolev ("Sharing memory robustly in message-passing systems", 1995; for several writers, Lynch and
//! Shvartsman, 1997), and every key is linearizable.
//!
//! # Contract
//!
//! Of N replicas F may be silent: dead, slow or cut off. A read asks all and needs F + 1 answers, a write needs N − F; any
//! read quorum meets any write quorum. An operation ends at its quorum, or fails once so many calls have failed that there
//! can be none. Every call to a replica has a deadline, so an operation ends within two of them, and what it leaves behind,
//! the rest of a write's calls, within one more; a read takes the rest of its calls with it.
//!
//! A write that failed may have taken effect, or may do so later, by the write-back of a read. A [`Replica`] must keep what
//! it has acknowledged across restarts.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use windtunnel::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use windtunnel::net::{TcpListener, TcpStream};
use windtunnel::task::{self, JoinSet};
use windtunnel::time;

/// When a value was written: later ones replace earlier ones, everywhere.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Stamp {
    counter: u64,
    /// Decides between two writers who saw the same counter.
    writer: u64,
}

/// A value and its stamp; what was never written has the least stamp and no value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versioned {
    /// When it was written.
    pub stamp: Stamp,
    /// What was written.
    pub value: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Request {
    Get { key: String },
    Put { key: String, versioned: Versioned },
}

/// What one replica stores. Clones share it: keep one across restarts of the replica's node, as a disk would.
#[derive(Clone, Debug, Default)]
pub struct Replica {
    data: Arc<Mutex<BTreeMap<String, Versioned>>>,
}

/// Longest request or answer, in bytes.
const MAX_LINE: u64 = 1 << 20;

impl Replica {
    fn data(&self) -> MutexGuard<'_, BTreeMap<String, Versioned>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest version of `key` here, after `request`.
    fn apply(&self, request: Request) -> Versioned {
        match request {
            Request::Get { key } => self.data().get(&key).cloned().unwrap_or_default(),
            Request::Put { key, versioned } => {
                let mut data = self.data();
                let newest = data.entry(key).or_default();
                if newest.stamp < versioned.stamp {
                    *newest = versioned;
                }
                newest.clone()
            }
        }
    }

    /// Answers requests until `listener` fails. Each connection carries one, and is dropped after `patience`.
    pub async fn serve(self, listener: TcpListener, patience: Duration) {
        while let Ok((stream, _)) = listener.accept().await {
            let replica = self.clone();
            task::spawn_named("request", async move {
                let answered = time::timeout(patience, replica.answer(stream)).await;
                if !matches!(answered, Ok(Ok(()))) {
                    tracing::debug!("a client went away: {answered:?}");
                }
            });
        }
    }

    async fn answer(&self, stream: TcpStream) -> io::Result<()> {
        let mut stream = BufReader::new(stream);
        let request = receive(&mut stream).await?;
        let answer = self.apply(request);
        send(&mut stream, &answer).await
    }
}

/// One message a line, as JSON.
async fn send(stream: &mut BufReader<TcpStream>, message: &impl Serialize) -> io::Result<()> {
    let mut line = serde_json::to_vec(message)?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    stream.flush().await
}

async fn receive<T: for<'de> Deserialize<'de>>(stream: &mut BufReader<TcpStream>) -> io::Result<T> {
    let mut line = String::new();
    stream.take(MAX_LINE).read_line(&mut line).await?;
    Ok(serde_json::from_str(&line)?)
}

/// What a read promises.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// Linearizable: a read makes sure that no later one finds an older value, by writing back what it found.
    Atomic,
    /// Cheaper by half: the last value written before the read, or one being written meanwhile; of two reads one after the
    /// other, the second may then find the older value.
    Regular,
}

/// Why an operation has no result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum QuorumError {
    /// Too many replicas are silent. A write may have taken effect, or may do so later.
    #[error("{answers} of the {needed} replicas needed have answered")]
    NoQuorum {
        /// Replicas that have answered.
        answers: usize,
        /// Replicas that should have.
        needed: usize,
    },
}

/// The replicas are too few.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("{replicas} replicas survive {} silent ones and not {silent}: use {} or more", replicas.saturating_sub(1) / 2, 2 * silent + 1)]
pub struct TooFewReplicas {
    /// N.
    pub replicas: usize,
    /// F.
    pub silent: usize,
}

/// A client of the replicas: one writer, and any number of reads.
#[derive(Clone, Debug)]
pub struct Client {
    replicas: Vec<String>,
    /// F.
    silent: usize,
    reads: Reads,
    deadline: Duration,
    writer: u64,
    /// The counter of its last write, which it may not find again if that one failed.
    last: u64,
}

impl Client {
    /// A client of the replicas at these addresses (`host:port`), of which `silent` may give no answer; each call to one of
    /// them ends after `deadline`. `writer` tells the clients apart, and no two may have the same.
    ///
    /// # Errors
    /// If there are not more than twice as many replicas as may be silent.
    pub fn new(
        replicas: Vec<String>,
        silent: usize,
        reads: Reads,
        deadline: Duration,
        writer: u64,
    ) -> Result<Self, TooFewReplicas> {
        if replicas.len() <= 2 * silent {
            return Err(TooFewReplicas { replicas: replicas.len(), silent });
        }
        Ok(Self { replicas, silent, reads, deadline, writer, last: 0 })
    }

    /// The value of `key`; `None` if it was never written.
    ///
    /// # Cancel safety
    /// A dropped read takes its calls with it.
    ///
    /// # Errors
    /// [`QuorumError::NoQuorum`].
    pub async fn read(&self, key: &str) -> Result<Option<String>, QuorumError> {
        let newest = self.newest(key).await?;
        if self.reads == Reads::Atomic && newest.value.is_some() {
            self.store(key, newest.clone()).await?;
        }
        Ok(newest.value)
    }

    /// Sets `key` to `value`, which a read quorum finds from then on.
    ///
    /// # Cancel safety
    /// A dropped write may have taken effect, or may do so later.
    ///
    /// # Errors
    /// [`QuorumError::NoQuorum`]; it may have taken effect, or may do so later.
    pub async fn write(&mut self, key: &str, value: impl Into<String>) -> Result<(), QuorumError> {
        let newest = self.newest(key).await?;
        self.last = newest.stamp.counter.max(self.last) + 1;
        let stamp = Stamp { counter: self.last, writer: self.writer };
        self.store(key, Versioned { stamp, value: Some(value.into()) }).await
    }

    /// The newest version in a read quorum.
    async fn newest(&self, key: &str) -> Result<Versioned, QuorumError> {
        let (calls, answers) = self.ask(&Request::Get { key: key.into() }, self.silent + 1).await?;
        drop(calls);
        Ok(answers.into_iter().max_by_key(|answer| answer.stamp).unwrap_or_default())
    }

    /// Puts a version into a write quorum; the calls to the other replicas go on.
    async fn store(&self, key: &str, versioned: Versioned) -> Result<(), QuorumError> {
        let put = Request::Put { key: key.into(), versioned };
        let (calls, _answers) = self.ask(&put, self.replicas.len() - self.silent).await?;
        calls.detach_all();
        Ok(())
    }

    /// Asks every replica; the first `needed` answers, and the calls that are still under way.
    async fn ask(
        &self,
        request: &Request,
        needed: usize,
    ) -> Result<(JoinSet<io::Result<Versioned>>, Vec<Versioned>), QuorumError> {
        let calls = JoinSet::new();
        for replica in &self.replicas {
            let (replica, request, deadline) = (replica.clone(), request.clone(), self.deadline);
            calls.spawn(async move { time::timeout(deadline, call(&replica, &request)).await? }).await;
        }
        let mut answers = Vec::with_capacity(needed);
        while answers.len() < needed {
            match calls.join_next().await {
                Some(Ok(Ok(answer))) => answers.push(answer),
                Some(failed) => tracing::debug!("a replica gives no answer: {failed:?}"),
                None => return Err(QuorumError::NoQuorum { answers: answers.len(), needed }),
            }
        }
        Ok((calls, answers))
    }
}

async fn call(replica: &str, request: &Request) -> io::Result<Versioned> {
    let mut stream = BufReader::new(TcpStream::connect(replica).await?);
    send(&mut stream, request).await?;
    receive(&mut stream).await
}
