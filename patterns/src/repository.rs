//! A map that one task owns: everybody else sends it what is to be done.
//!
//! After the repository and the safe map of "Golang design4concurrency" (004:244-308, census A10.6 and A10.7), "never share
//! memory, only send messages using channels". They are one thing here: the commands are closures, as the safe map's, and each
//! has an answer, as the repository's `Get`. What the talk leaves open is settled: a call returns when its command was executed,
//! not when it was taken; a caller who goes away keeps nobody waiting; and the owner has a way to end.
//!
//! ```
//! use windtunnel_patterns::repository::{Closed, Repository};
//!
//! async fn count(words: impl Iterator<Item = String>, counts: &Repository<String, u64>) -> Result<Option<u64>, Closed> {
//!     for word in words {
//!         counts.run(|map| *map.entry(word).or_default() += 1).await?;
//!     }
//!     counts.get("and".into()).await
//! }
//! ```
//!
//! # Contract
//!
//! - *Ordering.* The owner executes one command after the other, in the order in which the calls were made. That order is one in
//!   which each call takes effect between its beginning and its end: the map is linearizable, over all keys at once. (There is
//!   one channel. With one for each kind of request, a `select!` over channels with buffers takes a later one first: census D1.)
//! - *Delivery.* A command is executed once, or the call says [`Closed`] and it never is.
//! - *When each communication proceeds.* The owner takes the next command when it has executed the last: callers wait in line,
//!   which is the *back-pressure*. Its answer never waits, not even for a caller who is gone.
//! - *When the task exits.* The owner ends when it is [closed](Repository::close), or when the last [`Repository`] is dropped.
//! - *Commands are short.* They run in the owner's task and cannot wait. So none can call the repository and wait for itself
//!   (census `safemap-reentrant-command`), and none can keep the map (`safemap-escape`).
//! - *Panics.* A command that panics does so in the task of its caller; the owner goes on, with the map as the command left it,
//!   as after a panic under a [`Mutex`](windtunnel::sync::Mutex). (In a simulation or a model a panic ends the run.)

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use windtunnel::channel::{self, Receiver, Sender};
use windtunnel::task::spawn_named;

use crate::ask::{Reply, ask};

/// A map in the care of a task. Clones are handles of the same map. See the [module](self).
pub struct Repository<K, V> {
    owner: Sender<Request<K, V>>,
}

/// The owner has ended: what was asked of it was not done, and never will be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the repository is closed: nothing was done")]
pub struct Closed;

/// Something to be done with the map; it answers by itself.
type Command<K, V> = Box<dyn FnOnce(&mut HashMap<K, V>) + Send>;

/// What the owner is asked.
enum Request<K, V> {
    Run(Command<K, V>),
    Close(Reply<HashMap<K, V>>),
}

impl<K, V> Repository<K, V>
where
    K: Eq + Hash + Send + 'static,
    V: Send + 'static,
{
    /// A repository with nothing in it.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    pub fn new() -> Self {
        let (owner, requests) = channel::named("requests", 0);
        spawn_named("repository", serve(requests));
        Self { owner }
    }

    /// Has `value` at `key` from now on; what was there before. (`Put`; the safe map's `Insert`.)
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn insert(&self, key: K, value: V) -> Result<Option<V>, Closed> {
        self.run(|map| map.insert(key, value)).await
    }

    /// A copy of what is at `key`. (`Get`, with its `Found`.)
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn get(&self, key: K) -> Result<Option<V>, Closed>
    where
        V: Clone,
    {
        self.run(move |map| map.get(&key).cloned()).await
    }

    /// Takes out what is at `key`. (`Delete`.)
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn remove(&self, key: K) -> Result<Option<V>, Closed> {
        self.run(move |map| map.remove(&key)).await
    }

    /// Changes what is at `key`, if something is, and gives what `change` says.
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    ///
    /// # Panics
    /// As `change` does.
    pub async fn update<R>(
        &self,
        key: K,
        change: impl FnOnce(&mut V) -> R + Send + 'static,
    ) -> Result<Option<R>, Closed>
    where
        R: Send + 'static,
    {
        self.run(move |map| map.get_mut(&key).map(change)).await
    }

    /// The number of entries.
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn len(&self) -> Result<usize, Closed> {
        self.run(|map| map.len()).await
    }

    /// Whether there is no entry.
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// As [`run`](Self::run).
    pub async fn is_empty(&self) -> Result<bool, Closed> {
        self.run(|map| map.is_empty()).await
    }

    /// Executes `command` on the whole map while nobody else does anything with it, and gives what it returns.
    ///
    /// # Errors
    /// [`Closed`].
    ///
    /// # Cancel safety
    /// Of a dropped call the command is executed as a whole, now or soon, or never.
    ///
    /// # Panics
    /// As `command` does.
    pub async fn run<R>(&self, command: impl FnOnce(&mut HashMap<K, V>) -> R + Send + 'static) -> Result<R, Closed>
    where
        R: Send + 'static,
    {
        let answer = ask(&self.owner, |reply| {
            Request::Run(Box::new(move |map| reply.send(catch_unwind(AssertUnwindSafe(|| command(map))))))
        });
        answer.await.ok_or(Closed)?.or_else(|panic| resume_unwind(panic))
    }

    /// Has the owner end, and gives what it had. Calls that were made before are answered; later ones are [`Closed`].
    ///
    /// # Errors
    /// [`Closed`], if it was before.
    ///
    /// # Cancel safety
    /// A dropped call closes the repository or does not; if it does, what the owner had is dropped.
    pub async fn close(&self) -> Result<HashMap<K, V>, Closed> {
        ask(&self.owner, Request::Close).await.ok_or(Closed)
    }
}

/// The owner.
async fn serve<K, V>(requests: Receiver<Request<K, V>>) {
    let mut map = HashMap::new();
    while let Some(request) = requests.recv().await {
        match request {
            Request::Run(command) => command(&mut map),
            Request::Close(reply) => return reply.send(map),
        }
    }
}

impl<K, V> Default for Repository<K, V>
where
    K: Eq + Hash + Send + 'static,
    V: Send + 'static,
{
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V> Clone for Repository<K, V> {
    fn clone(&self) -> Self {
        Self { owner: self.owner.clone() }
    }
}

impl<K, V> fmt::Debug for Repository<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Repository").field("owner", &self.owner).finish()
    }
}
