//! The server as a task with a helper for each subscriber (A6.7): hint 5, "use goroutines to let independent concerns run
//! independently".

use super::subscription::{Inlet, Outlet, ends};
use super::{LoopServer, Notice, Options, Policy, PubSub, PublishError, SubscribeError, Subscription};
use crate::owned::OwnedTasks;

/// A [`LoopServer`] whose subscribers are helpers, each a task that hands the events on to one subscriber as its policy says: the
/// loop waits for a helper only while that one still waits for its subscriber to take the event before.
#[derive(Debug)]
pub struct HelperServer<E> {
    server: LoopServer<E>,
}

impl<E: Clone + Send + 'static> HelperServer<E> {
    /// A server without subscribers. Its task ends when it is closed or dropped; each helper when it has delivered what it
    /// holds, or when its subscription is dropped.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    pub fn new() -> Self {
        Self { server: LoopServer::new() }
    }
}

/// Hands on what comes, until nothing more does or nobody wants it.
async fn help<E: Clone>(mut events: Inlet<E>, mut outlet: Outlet<E>) {
    while let Some(Notice::Event(event)) = events.recv().await {
        if !outlet.put(event).await {
            return;
        }
    }
}

impl<E: Clone + Send + 'static> Default for HelperServer<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Clone + Send + 'static> PubSub<E> for HelperServer<E> {
    async fn publish(&self, event: E) -> Result<(), PublishError<E>> {
        self.server.publish(event).await
    }

    async fn subscribe(&self, options: Options<E>) -> Result<Subscription<E>, SubscribeError> {
        let (outlet, inlet) = ends(Options::new(options.policy));
        let (to_helper, events) = ends(Options { policy: Policy::Wait(0), ..options });
        let leave = self.server.join(to_helper).await?;
        let mut helper = OwnedTasks::default();
        helper.spawn("pubsub helper", help(events, outlet));
        Ok(Subscription::new(inlet, leave, helper))
    }

    async fn close(&self) {
        self.server.close().await;
    }
}
