//! A task for each of very many things that send events, here home routers: each has its state, which can be asked for at any time.
//!
//! After the network operator of the talk with the hints (004:89-131 and 214-241, census A10.2 and A10.3): "200,000 routers = min
//! 200,000 goroutines". It has what the printed program lacks: queries, an end for every task, and routers that do not wait for a
//! slow one (`router-head-of-line-blocking`, `router-goroutines-never-exit`, `router-map-growth`, `router-no-query-path`).
//!
//! ```
//! use std::time::Duration;
//! use windtunnel_patterns::routers::{Calculator, Options, Routers};
//!
//! /// Adds up how long a router was down.
//! struct Downtime;
//!
//! impl Calculator for Downtime {
//!     type Id = u64;
//!     type Event = Duration;
//!     type State = Duration;
//!
//!     async fn begin(&self, _router: &u64) -> Duration {
//!         Duration::ZERO
//!     }
//!
//!     async fn event(&self, total: &mut Duration, outage: Duration) {
//!         *total += outage;
//!     }
//! }
//!
//! async fn run() {
//!     let routers = Routers::new(Options::default(), Downtime);
//!     routers.event(7, Duration::from_secs(3)).await.expect("they are not stopped");
//!     assert_eq!(routers.query(&7).await, Ok(Duration::from_secs(3)));
//!     routers.stop().await;
//! }
//! ```
//!
//! # Contract
//!
//! - *Ordering.* The events of a router are worked into its state one after the other, in the order in which
//!   [`event`](Routers::event) accepted them: an event whose call began after that of another had returned comes after it. Events of
//!   different routers are worked in side by side.
//! - *Queries.* A [`query`](Routers::query) waits in the same line: the state has every event that was accepted before, in whole.
//! - *When each communication proceeds.* There is no dispatcher: who has an event hands it to the router's task itself. So a slow
//!   router keeps those waiting who have something for it, and nobody else; what that means is for the [`Policy`] to say. A source
//!   that hands its events in one after the other, and under [`Policy::Wait`], has made itself wait for a slow router: it is the
//!   head of its line.
//! - *When each task exits.* The task of a router begins with its first event. It ends with [`stop`](Routers::stop); or when it has
//!   been idle for [`Options::idle`]; or when its [`Calculator`] panics; or it is dropped where it waits when the [`Routers`] are.
//!   A router that is heard of again has a task anew, which begins when [`Calculator::end`] of the one before has returned.
//! - *What is not lost.* An event that was accepted is worked in, and the state handed to [`Calculator::end`], unless the calculator
//!   panics or the whole is dropped.
//! - *Who waits for itself.* A calculator that awaits an event or a query of its own router may wait for ever.
//! - *Memory.* An idle router is a task with its state, a channel with a buffer as large as the policy says, and an entry in a map.

mod life;
pub mod web;

use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::mem;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use indexmap::IndexMap;
use windtunnel::channel::{self, SendError, Sender, TrySendError};
use windtunnel::go::{self, Channel};
use windtunnel::sync::Mutex;

use crate::owned::OwnedTask;
use life::{Home, Life};

/// What events do to the state of a router.
pub trait Calculator: Send + Sync + 'static {
    /// Says which router.
    type Id: Clone + Eq + Hash + Send + Sync + 'static;
    /// What routers send.
    type Event: Send + 'static;
    /// What is known of a router.
    type State: Clone + Send + 'static;

    /// The state of a router that is heard of for the first time, or again after [`end`](Self::end).
    fn begin(&self, router: &Self::Id) -> impl Future<Output = Self::State> + Send;

    /// Works `event` into the state of its router. The next one waits.
    fn event(&self, state: &mut Self::State, event: Self::Event) -> impl Future<Output = ()> + Send;

    /// Takes the state of a router that was idle for too long, or is stopped: to store it, for instance. By default it is dropped.
    fn end(&self, router: &Self::Id, state: Self::State) -> impl Future<Output = ()> + Send {
        let _ = router;
        async move { drop(state) }
    }
}

/// What becomes of an event for a router that is slow: hint 6 of talk 002, "consider the effect of slow goroutines". Named as those
/// of [`pubsub`](crate::pubsub::Policy).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    /// Who has it waits, until the router has room in a queue of this length; without one, until it takes the event.
    Wait(usize),
    /// What does not fit a queue of this length is lost: it is given back at once, and counted.
    Drop(NonZeroUsize),
}

impl Policy {
    fn capacity(self) -> usize {
        match self {
            Policy::Wait(capacity) => capacity,
            Policy::Drop(capacity) => capacity.get(),
        }
    }
}

/// The limits of [`Routers`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How slow routers are dealt with; by default who has an event waits until the router takes it, as in the talk.
    pub policy: Policy,
    /// How long a router may have neither events nor queries before its task ends; by default for ever.
    pub idle: Option<Duration>,
    /// Routers at once; a million by default.
    pub routers: NonZeroUsize,
}

impl Default for Options {
    fn default() -> Self {
        Self { policy: Policy::Wait(0), idle: None, routers: NonZeroUsize::new(1_000_000).expect("not zero") }
    }
}

/// The event was not accepted; it is given back.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError<E> {
    /// The router is slow, and its queue full, under [`Policy::Drop`].
    #[error("the router's queue is full: the event is lost unless it is sent again")]
    Lost(E),
    /// It would be one router more than [`Options::routers`].
    #[error("there are as many routers as may be: raise the limit, or have idle ones end")]
    TooMany(E),
    /// Nothing is accepted any more.
    #[error("the routers are stopped: no event is accepted")]
    Stopped(E),
}

impl<E> EventError<E> {
    /// The event.
    pub fn into_event(self) -> E {
        match self {
            EventError::Lost(event) | EventError::TooMany(event) | EventError::Stopped(event) => event,
        }
    }
}

impl<E> fmt::Debug for EventError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EventError::Lost(_) => "Lost(..)",
            EventError::TooMany(_) => "TooMany(..)",
            EventError::Stopped(_) => "Stopped(..)",
        })
    }
}

/// There is no state to tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// No event of it has come, or none since it was idle for too long.
    #[error("nothing is known of that router")]
    Unknown,
    /// Its calculator panicked before it came to the query, or it was dropped.
    #[error("the router's task ended before it answered: ask again after its next event")]
    Died,
    /// There are no routers any more.
    #[error("the routers are stopped: none has a state")]
    Stopped,
}

/// Routers, each a task with a state. Dropped, they end at once: see [`stop`](Self::stop) for an end in good order.
pub struct Routers<C: Calculator> {
    fleet: Arc<Mutex<Fleet<C>>>,
    home: Arc<Home<C>>,
}

/// What a router is sent.
enum Message<C: Calculator> {
    Event(C::Event),
    Query(Sender<C::State>),
}

impl<C: Calculator> Message<C> {
    /// Of one that was given back.
    fn into_event(self) -> C::Event {
        match self {
            Message::Event(event) => event,
            Message::Query(_) => unreachable!("a refused send gives back what was sent"),
        }
    }
}

type Mailbox<C> = Channel<Message<C>>;

/// What is to be sent, once there is room, and where.
type Waiting<C> = (Mailbox<C>, Message<C>);

/// Where to find the routers. Dropped, it aborts their tasks.
struct Fleet<C: Calculator> {
    /// In the order in which they came, or a run would depend on how their names are hashed.
    routers: IndexMap<C::Id, Router<C>>,
    /// Tasks that have nothing more to wait for, and may not have ended yet: as many as there are threads at most.
    leaving: Vec<OwnedTask>,
    lost: u64,
    stopped: bool,
}

/// A router that has a task. Once its mailbox is closed it is about to end, and a successor may take its place.
struct Router<C: Calculator> {
    mailbox: Mailbox<C>,
    task: OwnedTask,
}

impl<C: Calculator> Routers<C> {
    /// Routers whose states `calculator` calculates. There are none yet.
    pub fn new(options: Options, calculator: C) -> Self {
        let fleet = Fleet { routers: IndexMap::new(), leaving: Vec::new(), lost: 0, stopped: false };
        let fleet = Arc::new(Mutex::named("routers", fleet));
        let home = Arc::new(Home { calculator, options, fleet: Arc::downgrade(&fleet) });
        Self { fleet, home }
    }

    /// Hands `event` to the task of `router`, which begins if it is the first.
    ///
    /// # Errors
    /// Gives the event back: see [`EventError`].
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    ///
    /// # Cancel safety
    /// Dropped, the event was accepted or it was not, and is dropped.
    pub async fn event(&self, router: C::Id, mut event: C::Event) -> Result<(), EventError<C::Event>> {
        loop {
            let offered = self.fleet.lock().await.offer(&self.home, &router, event)?;
            let Some((mailbox, message)) = offered else { return Ok(()) };
            match mailbox.send(message).await {
                Ok(()) => return Ok(()),
                // It ends meanwhile: a successor is to have the event.
                Err(SendError(message)) => event = message.into_event(),
            }
        }
    }

    /// The state of `router` with every event that was accepted before. It counts as a sign of life.
    ///
    /// # Errors
    /// [`QueryError`].
    ///
    /// # Cancel safety
    /// Dropped, it changes nothing.
    pub async fn query(&self, router: &C::Id) -> Result<C::State, QueryError> {
        loop {
            let mailbox = self.fleet.lock().await.mailbox(router)?;
            let (reply, answer) = channel::named("state", 1);
            if mailbox.send(Message::Query(reply)).await.is_ok() {
                return answer.recv().await.ok_or(QueryError::Died);
            }
        }
    }

    /// How many routers have a task.
    pub async fn count(&self) -> usize {
        self.fleet.lock().await.routers.len()
    }

    /// How many events were [lost](EventError::Lost).
    pub async fn lost(&self) -> u64 {
        self.fleet.lock().await.lost
    }

    /// Ends all routers in good order: from now on nothing is accepted; what was is worked in, and the states are handed to
    /// [`Calculator::end`]. When it returns no task is left. A second call does nothing, and does not wait for the first.
    ///
    /// # Cancel safety
    /// Dropped, it aborts the routers that have not ended: under a [`timeout`](windtunnel::time::timeout) it is an end in good order
    /// with a limit.
    pub async fn stop(&self) {
        let (routers, leaving) = {
            let mut fleet = self.fleet.lock().await;
            fleet.stopped = true;
            (mem::take(&mut fleet.routers), mem::take(&mut fleet.leaving))
        };
        for router in routers.values() {
            life::close(&router.mailbox);
        }
        for task in routers.into_values().map(|router| router.task).chain(leaving) {
            task.ended().await;
        }
    }
}

impl<C: Calculator> Fleet<C> {
    /// Hands `event` to `router`, if that needs no waiting. Otherwise gives what is to be sent, and where.
    fn offer(
        &mut self,
        home: &Arc<Home<C>>,
        router: &C::Id,
        event: C::Event,
    ) -> Result<Option<Waiting<C>>, EventError<C::Event>> {
        if self.stopped {
            return Err(EventError::Stopped(event));
        }
        let Some(Router { mailbox, .. }) = self.routers.get(router) else {
            if self.routers.len() >= home.options.routers.get() {
                return Err(EventError::TooMany(event));
            }
            self.start(home, router, event);
            return Ok(None);
        };
        match (mailbox.try_send(Message::Event(event)), home.options.policy) {
            (Ok(()), _) => Ok(None),
            (Err(TrySendError::Full(message)), Policy::Wait(_)) => Ok(Some((mailbox.clone(), message))),
            (Err(TrySendError::Full(message)), Policy::Drop(_)) => {
                self.lost += 1;
                Err(EventError::Lost(message.into_event()))
            }
            (Err(TrySendError::Closed(message)), _) => {
                self.start(home, router, message.into_event());
                Ok(None)
            }
        }
    }

    /// Starts the task of `id`, which begins when the one in its place has ended.
    fn start(&mut self, home: &Arc<Home<C>>, id: &C::Id, first: C::Event) {
        let before = self.routers.swap_remove(id).map(|router| router.task);
        let mailbox = go::named("router", home.options.policy.capacity());
        let life = Life { home: Arc::clone(home), id: id.clone(), mailbox: mailbox.clone() };
        let router = Router { mailbox, task: OwnedTask::spawn(life.live(before, first)) };
        self.routers.insert(id.clone(), router);
    }

    fn mailbox(&self, router: &C::Id) -> Result<Mailbox<C>, QueryError> {
        if self.stopped {
            return Err(QueryError::Stopped);
        }
        let router = self.routers.get(router).filter(|router| !router.mailbox.is_closed());
        router.map(|router| router.mailbox.clone()).ok_or(QueryError::Unknown)
    }

    /// Forgets `router`, whose task ends with this, unless it has a successor.
    fn forget(&mut self, router: &C::Id) {
        if self.routers.get(router).is_some_and(|router| router.mailbox.is_closed()) {
            let gone = self.routers.swap_remove(router).map(|router| router.task);
            self.leaving.retain(|task| !task.is_finished());
            self.leaving.extend(gone);
        }
    }
}

impl<C: Calculator> fmt::Debug for Routers<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Routers").field("options", &self.home.options).finish_non_exhaustive()
    }
}
