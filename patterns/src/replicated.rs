//! A client of a replicated service: it keeps to the server that serves it well, asks another when that one is slow, and gives up
//! at a deadline.
//!
//! After pattern 3 of Russ Cox's MIT 6.824 lecture on Go, "replicated service client" (002:2358-2562, census A8),
//! with what the printed program lacks: a deadline, servers that fail, calls that end when they are not needed any more, and a
//! preference that leaves a server that was found slow and is not overwritten by an older call.
//!
//! ```
//! use std::io;
//! use windtunnel_patterns::replicated::{Client, Options};
//!
//! async fn call_one(server: String, question: String) -> io::Result<String> {
//!     Ok(format!("{server} says no to {question}"))
//! }
//!
//! async fn ask(servers: Vec<String>) {
//!     let client = Client::new(servers, Options::default(), call_one);
//!     match client.call("May I?".to_owned()).await {
//!         Ok(answer) => println!("{answer}"),
//!         Err(error) => println!("nobody answers: {error}"),
//!     }
//! }
//! ```
//!
//! # Contract
//!
//! - *Whom it asks.* First the preferred server. If that fails, or is silent for [`Options::stagger`], the next in the list as
//!   well, and so on, round the list once. The first answer of any is the answer, also of one that had been silent for long.
//! - *Preference.* A server that fails, or is silent for a stagger, is found wanting. The next call begins with the one that was
//!   not when this call ended, which is the one asked last, whoever answered. If all were, it begins with the one that answered;
//!   if none did, where this one began. A call that began before another one changed the preference does not change it.
//! - *When each communication proceeds.* The calls of the servers run in the task of the caller, so nobody has to report to
//!   anybody. Each wait of [`call`](Client::call) ends by [`Options::deadline`].
//! - *When each call ends.* The call of a server ends by itself, or is dropped where it waits when [`call`](Client::call) ends or
//!   is dropped; so are its timers. When [`call`](Client::call) returns, none is left.
//! - *More than once.* Each server asked may have done what it was asked: requests must be idempotent.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use windtunnel::sync::Mutex;
use windtunnel::time::{self, Instant};

use crate::call::{self, CallError, NoAnswer};
use crate::race::{Finish, Race};

/// How long to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// For one server, before the next is asked as well.
    pub stagger: Duration,
    /// For an answer, in all.
    pub deadline: Duration,
}

impl Default for Options {
    /// One second for a server, as in the talk; ten in all.
    fn default() -> Self {
        Self { stagger: time::secs(1), deadline: time::secs(10) }
    }
}

/// A client of servers that do the same. It may be shared: calls do not wait for each other.
pub struct Client<S, C> {
    servers: Vec<S>,
    call_one: C,
    options: Options,
    preference: Mutex<Preference>,
}

/// Where calls begin.
#[derive(Clone, Copy)]
struct Preference {
    server: usize,
    /// How often it has changed.
    version: u64,
}

impl Preference {
    /// A call that began when the preference was `seen` found `best`.
    fn learn(&mut self, seen: Preference, best: usize) {
        if self.version == seen.version && self.server != best {
            tracing::debug!("server {best} is preferred to server {}", self.server);
            *self = Preference { server: best, version: seen.version + 1 };
        }
    }
}

impl<S, C> Client<S, C> {
    /// A client of `servers`, each of which `call_one(server, request)` asks. It prefers the first.
    pub fn new(servers: Vec<S>, options: Options, call_one: C) -> Self {
        let preference = Mutex::named("preference", Preference { server: 0, version: 0 });
        Self { servers, call_one, options, preference }
    }

    /// The number of the server that the next call asks first.
    pub async fn preferred(&self) -> usize {
        self.preference.lock().await.server
    }
}

impl<S: Clone, C> Client<S, C> {
    /// The answer of some server to `request`.
    ///
    /// # Errors
    /// [`NoAnswer`]; its replicas are the servers, as numbered in the list.
    ///
    /// # Cancel safety
    /// Dropped, it drops the calls under way; the preference stays.
    pub async fn call<A, F, T, E>(&self, request: A) -> Result<T, NoAnswer<E>>
    where
        A: Clone,
        C: Fn(S, A) -> F,
        F: Future<Output = Result<T, E>>,
    {
        let seen = *self.preference.lock().await;
        let (mut race, mut best) = (Race::new(), seen.server);
        let begin = |server: usize| call::answer((self.call_one)(self.servers[server].clone(), request.clone()));
        let deadline = self.options.deadline;
        let answer = time::timeout(deadline, self.ask_around(begin, &mut race, &mut best)).await;
        self.preference.lock().await.learn(seen, best);
        race.end(deadline, answer)
    }

    /// Asks one server after the other, from the `best` on, until one answers or all have failed. Meanwhile `best` is where the
    /// next call should begin, as far as is known.
    async fn ask_around<F, T, E>(
        &self,
        begin: impl Fn(usize) -> F,
        race: &mut Race<F, E>,
        best: &mut usize,
    ) -> Option<T>
    where
        F: Future<Output = Result<T, CallError<E>>>,
    {
        let first = *best;
        for server in (first..self.servers.len()).chain(0..first) {
            *best = server;
            race.enter(server, begin(server));
            let patience = Instant::now() + self.options.stagger;
            loop {
                match time::timeout_at(patience, race.next()).await {
                    Ok(Some(Finish::Answer(_, answer))) => return Some(answer),
                    Ok(Some(Finish::Failed(other))) if other != server => {}
                    Ok(_) | Err(time::Elapsed) => break,
                }
            }
        }
        *best = first;
        let (server, answer) = race.answer().await?;
        *best = server;
        Some(answer)
    }
}

impl<S: fmt::Debug, C> fmt::Debug for Client<S, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("servers", &self.servers).field("options", &self.options).finish_non_exhaustive()
    }
}
