//! The addresses of a list of hosts, in each form that a concurrent loop can take.
//!
//! After the address lookup of Russ Cox's "Go, for Distributed Systems" (000:436-973, census A2.1 to A2.7), which goes from the
//! plain loop to bounded parallelism. [`Form::Par`] is the one to use; the others are its ancestors, kept so that their cost can
//! be compared, and proved to give the same.
//!
//! ```
//! use windtunnel_patterns::lookup::{Form, Found, System, lookup};
//!
//! async fn print_addresses(hosts: Vec<String>) {
//!     for Found { host, addresses } in lookup(hosts, System, Form::Par(None)).await {
//!         match addresses {
//!             Ok(addresses) => println!("{host}: {addresses:?}"),
//!             Err(error) => println!("{host}: error: {error}"),
//!         }
//!     }
//! }
//! ```
//!
//! # Contract, of every form
//!
//! Each host is looked up once. The answers stand in the order of the list. A look-up that fails or panics has an error for an
//! answer, and the others go on. Every task ends with its look-up; it waits for nothing else but its turn, in
//! [`Form::LimitInside`], since there is room for every report. A look-up of the whole list that is dropped drops those under
//! way.
//!
//! There is no deadline: a resolver that may hang needs one of its own.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::num::NonZeroUsize;
use std::sync::Arc;

use windtunnel::cell::CheckedCell;
use windtunnel::go::{self, Channel};
use windtunnel::net;
use windtunnel::sync::{Semaphore, WaitGroup};
use windtunnel::time::Instant;

use crate::call::{self, CallError};
use crate::owned::OwnedTasks;
use crate::par::Par;

/// Finds the addresses of a host. Functions do: `async fn(String) -> Result<Vec<IpAddr>, E>`.
pub trait Resolver: Clone + Send + Sync + 'static {
    /// Why a host has no address.
    type Error: Send + Sync + 'static;

    /// The addresses of `host`.
    fn resolve(&self, host: String) -> impl Future<Output = Result<Vec<IpAddr>, Self::Error>> + Send;
}

impl<R, F, E> Resolver for R
where
    R: Fn(String) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Result<Vec<IpAddr>, E>> + Send,
    E: Send + Sync + 'static,
{
    type Error = E;

    fn resolve(&self, host: String) -> impl Future<Output = Result<Vec<IpAddr>, E>> + Send {
        self(host)
    }
}

/// The resolver of the runtime: see [`net::lookup_host`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct System;

impl Resolver for System {
    type Error = io::Error;

    async fn resolve(&self, host: String) -> io::Result<Vec<IpAddr>> {
        let addresses = net::lookup_host(format!("{host}:0")).await?;
        Ok(addresses.into_iter().map(|address| address.ip()).collect())
    }
}

/// How to go through the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// One after the other: takes the sum of the look-ups (A2.1).
    Sequential,
    /// A task for each, which report on a channel: takes as long as the longest (A2.2).
    Channel,
    /// A task for each, counted by a wait group (A2.3).
    WaitGroup,
    /// A task for each, of which so many look up at once: the look-ups are limited, the tasks are not (A2.5).
    LimitInside(NonZeroUsize),
    /// A task at a time for each of so many places: the loop waits for one to end before it starts the next (A2.6).
    LimitBefore(NonZeroUsize),
    /// [`Par`], with this limit (A2.4, A2.7).
    Par(Option<NonZeroUsize>),
}

/// What a look-up gave.
pub type Answer<E> = Result<Vec<IpAddr>, CallError<E>>;

/// A host and its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<E> {
    /// As it stands in the list.
    pub host: String,
    /// What the resolver said.
    pub addresses: Answer<E>,
}

/// Looks every host up, and gives the answers in the order of the list. How long each took is said in the trace.
///
/// # Cancel safety
/// Dropped, it drops the look-ups under way.
pub async fn lookup<R: Resolver>(hosts: Vec<String>, resolver: R, form: Form) -> Vec<Found<R::Error>> {
    let answers = match form {
        Form::Sequential => sequential(&hosts, resolver).await,
        Form::Channel => parallel(&hosts, resolver).await,
        Form::WaitGroup => counted(&hosts, resolver).await,
        Form::LimitInside(most) => parallel(&hosts, Limited::new(resolver, most)).await,
        Form::LimitBefore(most) => in_places(&hosts, resolver, most.get()).await,
        Form::Par(most) => on(most.map_or_else(Par::new, Par::limit), &hosts, resolver).await,
    };
    hosts.into_iter().zip(answers).map(|(host, addresses)| Found { host, addresses }).collect()
}

async fn sequential<R: Resolver>(hosts: &[String], resolver: R) -> Vec<Answer<R::Error>> {
    let mut answers = Vec::with_capacity(hosts.len());
    for host in hosts {
        answers.push(look_up(resolver.clone(), host.clone()).await);
    }
    answers
}

async fn parallel<R: Resolver>(hosts: &[String], resolver: R) -> Vec<Answer<R::Error>> {
    let done = go::named("done", hosts.len());
    let mut tasks = OwnedTasks::default();
    for (number, host) in hosts.iter().enumerate() {
        tasks.spawn("look-up", report(number, look_up(resolver.clone(), host.clone()), done.clone()));
    }
    let mut answers = unanswered(hosts);
    for _ in hosts {
        enter(&done, &mut answers).await;
    }
    tasks.detach();
    complete(answers)
}

async fn counted<R: Resolver>(hosts: &[String], resolver: R) -> Vec<Answer<R::Error>> {
    let (group, mut tasks) = (WaitGroup::named("look-ups"), OwnedTasks::default());
    let answers: Vec<_> = hosts.iter().map(|_| Arc::new(CheckedCell::named("answer", None))).collect();
    for (host, cell) in hosts.iter().zip(&answers) {
        group.add(1);
        let (group, cell, answer) = (group.clone(), Arc::clone(cell), look_up(resolver.clone(), host.clone()));
        tasks.spawn("look-up", async move {
            cell.set(Some(answer.await));
            group.done();
        });
    }
    group.wait().await;
    tasks.detach();
    complete(answers.iter().map(|cell| cell.replace(None)).collect())
}

async fn in_places<R: Resolver>(hosts: &[String], resolver: R, most: usize) -> Vec<Answer<R::Error>> {
    let done = go::named("done", most);
    let (mut tasks, mut answers, mut running) = (OwnedTasks::default(), unanswered(hosts), 0);
    for (number, host) in hosts.iter().enumerate() {
        if running == most {
            enter(&done, &mut answers).await;
            running -= 1;
        }
        running += 1;
        tasks.spawn("look-up", report(number, look_up(resolver.clone(), host.clone()), done.clone()));
    }
    for _ in 0..running {
        enter(&done, &mut answers).await;
    }
    tasks.detach();
    complete(answers)
}

async fn on<R: Resolver>(mut par: Par<Answer<R::Error>>, hosts: &[String], resolver: R) -> Vec<Answer<R::Error>> {
    for host in hosts {
        par.run(look_up(resolver.clone(), host.clone())).await;
    }
    par.wait().await.into_iter().map(|joined| joined.unwrap_or_else(|died| Err(CallError::Died(died)))).collect()
}

/// One look-up, which always has an answer.
async fn look_up<R: Resolver>(resolver: R, host: String) -> Answer<R::Error> {
    let start = Instant::now();
    let answer = call::answer(async { resolver.resolve(host.clone()).await }).await;
    tracing::debug!("lookup {host}: {:.3} seconds", start.elapsed().as_secs_f64());
    answer
}

fn unanswered<E>(hosts: &[String]) -> Vec<Option<Answer<E>>> {
    hosts.iter().map(|_| None).collect()
}

type Report<E> = (usize, Answer<E>);

/// A task that looks a host up and reports: at once, since `done` has room for it, and to nobody if the list was given up.
async fn report<E>(number: usize, look_up: impl Future<Output = Answer<E>>, done: Channel<Report<E>>) {
    done.send((number, look_up.await)).await.expect("`done` is never closed");
}

/// Enters the next report.
async fn enter<E>(done: &Channel<Report<E>>, answers: &mut [Option<Answer<E>>]) {
    let (number, answer) = done.recv().await.expect("`done` is never closed");
    answers[number] = Some(answer);
}

fn complete<E>(answers: Vec<Option<Answer<E>>>) -> Vec<Answer<E>> {
    answers.into_iter().map(|answer| answer.expect("every look-up has reported")).collect()
}

/// A resolver that makes its callers wait for their turn.
#[derive(Clone)]
struct Limited<R> {
    resolver: R,
    places: Arc<Semaphore>,
}

impl<R> Limited<R> {
    fn new(resolver: R, most: NonZeroUsize) -> Self {
        let places = Semaphore::named("limit", most.get().min(Semaphore::MAX_PERMITS));
        Self { resolver, places: Arc::new(places) }
    }
}

impl<R: Resolver> Resolver for Limited<R> {
    type Error = R::Error;

    async fn resolve(&self, host: String) -> Result<Vec<IpAddr>, R::Error> {
        let _place = self.places.acquire().await.expect("the places are never closed");
        self.resolver.resolve(host).await
    }
}
