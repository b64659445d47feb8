//! Replicated storage with quorums: each operation returns when enough replicas have answered.
//!
//! After the replicated storage of "Go Concurrency Patterns, part 1" (census A3), with what the printed program lacks: it
//! returns at the quorum and not after the slowest replica, timestamps come from a quorum and not from clients' clocks, ties
//! are broken by the writer's number, and a read writes back what it found. With that it is the multi-writer register of
//! Attiya, Bar-Noy and Dolev ("Sharing memory robustly in message-passing systems", 1995; for several writers, Lynch and
//! Shvartsman, 1997), and every key is linearizable.
//!
//! ```
//! use windtunnel::net::TcpListener;
//! use windtunnel::sync::Context;
//! use windtunnel::time::secs;
//! use windtunnel_patterns::quorum::{Client, Reads, Replica};
//! use windtunnel_patterns::service::{self, Options};
//!
//! async fn run_replica(disk: Replica, stop: Context) -> std::io::Result<()> {
//!     let listener = TcpListener::bind("0.0.0.0:900").await?;
//!     service::serve(listener, disk, Options::default(), stop).await;
//!     Ok(())
//! }
//!
//! async fn count_up(replicas: Vec<String>) -> Result<(), Box<dyn std::error::Error>> {
//!     let mut client = Client::new(replicas, 1, Reads::Atomic, secs(1), 7)?;
//!     let count = client.read("count").await?.map_or(Ok(0), |count| count.parse::<u64>())?;
//!     client.write("count", (count + 1).to_string()).await?;
//!     Ok(())
//! }
//! ```
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
use std::future::Future;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use windtunnel::io::{AsyncRead, AsyncWrite};
use windtunnel::net::TcpStream;
use windtunnel::sync::Context;
use windtunnel::task::JoinSet;
use windtunnel::time;

use crate::frame::{Frame, FrameError, FrameReader, FrameWriter};
use crate::service::Service;

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

/// What a client asks of a replica.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// The newest version of a key.
    Get {
        /// The key.
        key: String,
    },
    /// To keep a version, unless there is a newer one.
    Put {
        /// The key.
        key: String,
        /// The version.
        versioned: Versioned,
    },
}

/// What one replica stores. Clones share it: keep one across restarts of the replica's node, as a disk would.
///
/// As a [`Service`] it answers one request a connection.
#[derive(Clone, Debug)]
pub struct Replica {
    data: Arc<Mutex<BTreeMap<String, Versioned>>>,
    patience: Duration,
}

impl Replica {
    /// An empty one, whose connections end after `patience`.
    pub fn new(patience: Duration) -> Self {
        Self { data: Arc::default(), patience }
    }

    fn data(&self) -> MutexGuard<'_, BTreeMap<String, Versioned>> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The newest version of the key here, after `request`.
    pub fn answer(&self, request: Request) -> Versioned {
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

    async fn converse(&self, conn: impl AsyncRead + AsyncWrite) -> Result<(), CallError> {
        let (input, output) = windtunnel::io::split(conn);
        let request = receive(input).await?;
        send(output, &self.answer(request)).await
    }
}

impl<C: AsyncRead + AsyncWrite + Send + 'static> Service<C> for Replica {
    async fn handle(&self, conn: C, _draining: Context) {
        let answered = time::timeout(self.patience, self.converse(conn)).await;
        if !matches!(answered, Ok(Ok(()))) {
            tracing::debug!("a client went away: {answered:?}");
        }
    }
}

/// How a client's calls come to the replicas.
pub trait Transport: Clone + Send + Sync + 'static {
    /// What the replica of this number, from zero, answers.
    fn call(&self, replica: usize, request: Request) -> impl Future<Output = Result<Versioned, CallError>> + Send;
}

/// Why a call to a replica gave no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum CallError {
    /// The connection failed, or the time was up.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It ended too early, or said too much.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// What came is not what was to come.
    #[error(transparent)]
    Message(#[from] serde_json::Error),
}

/// TCP, with a connection for each call: a message is one [frame](crate::frame), with JSON in it.
#[derive(Clone, Debug)]
pub struct Tcp(Arc<[String]>);

impl Transport for Tcp {
    async fn call(&self, replica: usize, request: Request) -> Result<Versioned, CallError> {
        let (input, output) = TcpStream::connect(&*self.0[replica]).await?.into_split();
        send(output, &request).await?;
        receive(input).await
    }
}

/// Longest request or answer, in bytes.
const LONGEST: usize = 1 << 20;

async fn send(output: impl AsyncWrite + Unpin, message: &impl Serialize) -> Result<(), CallError> {
    let body = Bytes::from(serde_json::to_vec(message)?);
    Ok(FrameWriter::new(output, LONGEST).write(&Frame { kind: 0, tag: 0, body }).await?)
}

async fn receive<T: for<'de> Deserialize<'de>>(input: impl AsyncRead + Unpin) -> Result<T, CallError> {
    let frame = FrameReader::new(input, LONGEST).next().await?.ok_or(FrameError::Truncated)?;
    Ok(serde_json::from_slice(&frame.body)?)
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
pub struct Client<T = Tcp> {
    transport: T,
    /// N.
    replicas: usize,
    /// F.
    silent: usize,
    reads: Reads,
    deadline: Duration,
    writer: u64,
    /// The counter of its last write, which it may not find again if that one failed.
    last: u64,
}

impl Client<Tcp> {
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
        let count = replicas.len();
        Self::over(Tcp(replicas.into()), count, silent, reads, deadline, writer)
    }
}

impl<T: Transport> Client<T> {
    /// A [client](Client::new) of `replicas` replicas that are reached by `transport`.
    ///
    /// # Errors
    /// As [`Client::new`].
    pub fn over(
        transport: T,
        replicas: usize,
        silent: usize,
        reads: Reads,
        deadline: Duration,
        writer: u64,
    ) -> Result<Self, TooFewReplicas> {
        if replicas <= 2 * silent {
            return Err(TooFewReplicas { replicas, silent });
        }
        Ok(Self { transport, replicas, silent, reads, deadline, writer, last: 0 })
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
        let (calls, _answers) = self.ask(&put, self.replicas - self.silent).await?;
        calls.detach_all();
        Ok(())
    }

    /// Asks every replica; the first `needed` answers, and the calls that are still under way.
    async fn ask(&self, request: &Request, needed: usize) -> Result<(Calls, Vec<Versioned>), QuorumError> {
        let calls = JoinSet::new();
        for replica in 0..self.replicas {
            let (transport, request, deadline) = (self.transport.clone(), request.clone(), self.deadline);
            let call = async move { time::timeout(deadline, transport.call(replica, request)).await };
            calls.spawn(async move { call.await.map_err(io::Error::from)? }).await;
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

type Calls = JoinSet<Result<Versioned, CallError>>;
