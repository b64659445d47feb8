//! Publish/subscribe: every subscriber sees the same events in the same order. One contract, three forms.
//!
//! After pattern 1 of Russ Cox's MIT 6.824 lecture on Go, "publish/subscribe server" (002:335-1075, census A6), with what the
//! printed programs lack: a shutdown, a cancel that may be called by the task that receives, subscribers that go without saying
//! so, and a bound on every queue.
//!
//! ```
//! use windtunnel_patterns::pubsub::{MutexServer, Notice, Options, PubSub, PublishError};
//!
//! async fn greet() -> Result<(), PublishError<String>> {
//!     let server = MutexServer::new();
//!     let short = Options::default().only(|greeting: &String| greeting.len() < 6);
//!     let mut greetings = server.subscribe(short).await.expect("it is open");
//!     server.publish("hello".to_owned()).await?;
//!     assert_eq!(greetings.recv().await, Some(Notice::Event("hello".to_owned())));
//!     server.close().await;
//!     assert_eq!(greetings.recv().await, None);
//!     Ok(())
//! }
//! ```
//!
//! # Contract
//!
//! - *Delivery.* Each event goes to every subscription there is when the server takes it. Nothing is lost but by the [`Policy`] of
//!   a subscription, which loses for that one only, and says so.
//! - *Order.* All subscribers see the same order, and it respects program order: an event whose publish began after that of
//!   another had returned comes after it.
//! - *Cancel.* After [`Subscription::cancel`] the events published before are still delivered, none published later is, and then
//!   the end is seen. It may be called by the task that receives, whatever the server is at: it receives meanwhile. Dropping a
//!   subscription ends it at once.
//! - *Close.* [`close`](PubSub::close) lets what was published reach everybody; then subscribers see the end, and publishers an
//!   error. Dropping a server closes it abruptly: the event that is being handed over may reach some and not others.
//! - *One way.* Subscribers cannot close, nor subscribe the same receiver twice: each [`Subscription`] has a channel of its own.
//!
//! # The forms
//!
//! | form | who hands the events over | [`publish`](PubSub::publish) returns | tasks |
//! | --- | --- | --- | --- |
//! | [`MutexServer`] | the publisher, holding a mutex | when each subscriber has it, or has it in its queue | none |
//! | [`LoopServer`] | one task, which owns the subscribers | when the task has taken it, before anybody has it | 1 |
//! | [`HelperServer`] | a helper for each subscriber | when the task has taken it, before any helper has it | 1, and 1 a subscriber |
//!
//! - *Back-pressure.* The next event waits until the last was handed over. That takes long only where a subscriber is slow
//!   whose policy is [`Policy::Wait`]. Then it keeps the others waiting too: in the first two forms once it is as many events
//!   behind as its queue holds; with helpers one event later, which is enough for events that come more slowly than every
//!   subscriber takes them. With any other policy nobody ever waits for a subscriber.
//! - *Who waits for itself.* A task that publishes or subscribes while a subscription of its own waits to be received from, may
//!   wait for ever: receive in another task, or use another policy.
//! - *When each task exits.* The loop ends at [`close`](PubSub::close), or when the server is dropped. A helper ends when its
//!   subscription is cancelled, the server has ended, or its queue overflows under [`Policy::Disconnect`], and what it holds was
//!   delivered; at once when the subscription is dropped.
//! - *Filters* are called by the server, for every event before anybody gets it. One that panics ends a loop, as if the server
//!   were dropped; in the first form it panics in the publisher, and nobody gets that event. So does a `Clone` that panics.

mod event_loop;
mod helpers;
mod mutex;
pub mod remote;
mod subscription;

use std::fmt;
use std::future::Future;
use std::num::NonZeroUsize;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use event_loop::LoopServer;
pub use helpers::HelperServer;
pub use mutex::MutexServer;
pub use subscription::Subscription;

/// What every form of the server does. See the [module](self).
pub trait PubSub<E>: Send + Sync + 'static {
    /// Publishes `event`. When it returns depends on the form: see the [table](self#the-forms).
    ///
    /// # Errors
    /// Gives the event back, which nobody gets, if the server is closed.
    ///
    /// # Cancel safety
    /// Dropped, it published the event or did not. But by a [`MutexServer`] the event may have reached some subscribers and not
    /// others.
    fn publish(&self, event: E) -> impl Future<Output = Result<(), PublishError<E>>> + Send;

    /// A subscription to what is published from now on.
    ///
    /// # Errors
    /// If the server is closed.
    ///
    /// # Cancel safety
    /// Dropped, it leaves no subscription.
    fn subscribe(&self, options: Options<E>) -> impl Future<Output = Result<Subscription<E>, SubscribeError>> + Send;

    /// Closes the server, once what was published before has been handed over. To close one that is closed does nothing.
    ///
    /// # Cancel safety
    /// Dropped, it closed the server or did not.
    fn close(&self) -> impl Future<Output = ()> + Send;
}

/// What happens to a subscriber that is slower than the publishers: hint 6 of the talk, "consider the effect of slow goroutines".
/// Each has a bound (hint 12, "think carefully before introducing unbounded queuing"), which is the number of events in its queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Policy {
    /// The publishers wait, and with them everybody. Without a queue, for each event until it is received. Nothing is lost.
    Wait(usize),
    /// What does not fit is lost for it; [`Subscription::missed`] counts.
    Drop(NonZeroUsize),
    /// What does not fit is lost for it; in its place comes [`Notice::Missed`].
    Coalesce(NonZeroUsize),
    /// At the first event that does not fit the subscription ends: after what is in its queue comes [`Notice::Disconnected`].
    Disconnect(NonZeroUsize),
}

impl Policy {
    fn capacity(self) -> usize {
        match self {
            Policy::Wait(capacity) => capacity,
            Policy::Drop(capacity) | Policy::Coalesce(capacity) | Policy::Disconnect(capacity) => capacity.get(),
        }
    }
}

impl Default for Policy {
    /// [`Policy::Coalesce`] with a queue of 64: nobody waits, memory is bounded, and nothing is lost in silence.
    fn default() -> Self {
        const QUEUE: NonZeroUsize = NonZeroUsize::new(64).unwrap();
        Policy::Coalesce(QUEUE)
    }
}

type Filter<E> = Arc<dyn Fn(&E) -> bool + Send + Sync>;

/// What a subscriber wants.
pub struct Options<E> {
    policy: Policy,
    filter: Option<Filter<E>>,
}

impl<E> Options<E> {
    /// Every event, under `policy`.
    pub fn new(policy: Policy) -> Self {
        Self { policy, filter: None }
    }

    /// Only the events for which `filter` is true: those of a topic, for instance. It replaces an earlier filter. See the
    /// [module](self#the-forms) on one that panics.
    #[must_use]
    pub fn only(self, filter: impl Fn(&E) -> bool + Send + Sync + 'static) -> Self {
        Self { filter: Some(Arc::new(filter)), ..self }
    }
}

impl<E> Default for Options<E> {
    /// Every event, under [`Policy::default`].
    fn default() -> Self {
        Self::new(Policy::default())
    }
}

impl<E> Clone for Options<E> {
    fn clone(&self) -> Self {
        Self { policy: self.policy, filter: self.filter.clone() }
    }
}

impl<E> fmt::Debug for Options<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { policy, filter } = self;
        f.debug_struct("Options").field("policy", policy).field("filtered", &filter.is_some()).finish()
    }
}

/// What a subscriber gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Notice<E> {
    /// An event.
    Event(E),
    /// In this place so many events did not fit the queue, under [`Policy::Coalesce`]. Events and these numbers add up to what was
    /// published.
    Missed(u64),
    /// An event did not fit the queue, under [`Policy::Disconnect`]; the end follows.
    Disconnected,
}

/// The event was not published: the server is closed.
#[derive(Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the server is closed: nobody gets the event")]
pub struct PublishError<E>(pub E);

impl<E> fmt::Debug for PublishError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PublishError").finish_non_exhaustive()
    }
}

/// Nothing can be subscribed to: the server is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the server is closed: there is nothing to subscribe to")]
pub struct SubscribeError;
