//! The server as a mutex (A6.1, A6.2): the publisher hands the event over.

use std::fmt;
use std::sync::Arc;

use futures_util::FutureExt;
use windtunnel::sync::Mutex;

use super::subscription::{Outlets, ends};
use super::{Options, PubSub, PublishError, SubscribeError, Subscription};
use crate::owned::OwnedTasks;

/// The server as a mutex: [`publish`](PubSub::publish) returns when each subscriber has the event, or has it in its queue. With
/// [`Policy::Wait(0)`](super::Policy::Wait) everybody has received it then, "handed off" (003 at 20:03).
///
/// Hint 15, "prefer defer for unlocking mutexes": the guard unlocks, also when a filter panics.
pub struct MutexServer<E> {
    /// `None` once it is closed.
    outlets: Arc<Mutex<Option<Outlets<E>>>>,
}

impl<E: Clone> MutexServer<E> {
    /// A server without subscribers.
    pub fn new() -> Self {
        Self { outlets: Arc::new(Mutex::named("subscribers", Some(Outlets::new()))) }
    }
}

impl<E: Clone> Default for MutexServer<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Clone + Send + 'static> PubSub<E> for MutexServer<E> {
    async fn publish(&self, event: E) -> Result<(), PublishError<E>> {
        match &mut *self.outlets.lock().await {
            Some(outlets) => {
                outlets.hand_over(event).await;
                Ok(())
            }
            None => Err(PublishError(event)),
        }
    }

    async fn subscribe(&self, options: Options<E>) -> Result<Subscription<E>, SubscribeError> {
        let (outlet, inlet) = ends(options);
        let ticket = outlet.ticket();
        self.outlets.lock().await.as_mut().ok_or(SubscribeError)?.add(outlet);
        // Without a say in how long the server lives.
        let server = Arc::downgrade(&self.outlets);
        let leave = move || {
            let (server, ticket) = (server.clone(), ticket.clone());
            async move {
                let Some(server) = server.upgrade() else { return };
                if let Some(outlets) = &mut *server.lock().await {
                    outlets.remove(&ticket);
                }
            }
            .boxed()
        };
        Ok(Subscription::new(inlet, Box::new(leave), OwnedTasks::default()))
    }

    async fn close(&self) {
        let outlets = self.outlets.lock().await.take();
        drop(outlets);
    }
}

impl<E> fmt::Debug for MutexServer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MutexServer").finish_non_exhaustive()
    }
}
