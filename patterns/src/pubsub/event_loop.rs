//! The server as a task that owns the subscribers (A6.3): hint 3, "convert mutexes into goroutines when it makes programs
//! clearer".

use std::fmt;

use futures_util::FutureExt;
use windtunnel::channel::{self, Receiver, Sender};

use super::subscription::{Inlet, Leave, Outlet, Outlets, Ticket, ends};
use super::{Options, PubSub, PublishError, SubscribeError, Subscription};
use crate::owned::OwnedTasks;

/// The server as a task: [`publish`](PubSub::publish) returns when the task has taken the event, and nobody may have it yet. The
/// task takes the next once it has handed the last over.
pub struct LoopServer<E> {
    requests: Sender<Request<E>>,
    _task: OwnedTasks,
}

/// What the task is asked, one thing after the other.
enum Request<E> {
    Publish(E),
    Subscribe(Outlet<E>),
    Cancel(Ticket),
    Close,
}

impl<E: Clone + Send + 'static> LoopServer<E> {
    /// A server without subscribers. Its task ends when it is closed or dropped.
    ///
    /// # Panics
    /// As [`spawn`](windtunnel::spawn).
    pub fn new() -> Self {
        let (requests, queue) = channel::named("requests", 0);
        let mut task = OwnedTasks::default();
        task.spawn("pubsub loop", serve(queue));
        Self { requests, _task: task }
    }

    /// Hands `outlet` to the task; what takes it away again.
    pub(super) async fn join(&self, outlet: Outlet<E>) -> Result<Leave, SubscribeError> {
        let (requests, ticket) = (self.requests.clone(), outlet.ticket());
        self.requests.send(Request::Subscribe(outlet)).await.map_err(|_| SubscribeError)?;
        Ok(Box::new(move || {
            let (requests, ticket) = (requests.clone(), ticket.clone());
            async move { drop(requests.send(Request::Cancel(ticket)).await) }.boxed()
        }))
    }
}

/// Ends when it is asked to, and takes the servers' ends of all subscriptions with it.
async fn serve<E: Clone>(requests: Receiver<Request<E>>) {
    let mut outlets = Outlets::new();
    while let Some(request) = requests.recv().await {
        match request {
            Request::Publish(event) => outlets.hand_over(event).await,
            Request::Subscribe(outlet) => outlets.add(outlet),
            Request::Cancel(ticket) => outlets.remove(&ticket),
            Request::Close => return,
        }
    }
}

impl<E: Clone + Send + 'static> Default for LoopServer<E> {
    fn default() -> Self {
        Self::new()
    }
}

impl<E: Clone + Send + 'static> PubSub<E> for LoopServer<E> {
    async fn publish(&self, event: E) -> Result<(), PublishError<E>> {
        self.requests.send(Request::Publish(event)).await.map_err(|refused| match refused.0 {
            Request::Publish(event) => PublishError(event),
            _ => unreachable!("a refused send gives back what was sent"),
        })
    }

    async fn subscribe(&self, options: Options<E>) -> Result<Subscription<E>, SubscribeError> {
        let (outlet, inlet): (_, Inlet<E>) = ends(options);
        Ok(Subscription::new(inlet, self.join(outlet).await?, OwnedTasks::default()))
    }

    async fn close(&self) {
        // Refused, it is closed.
        drop(self.requests.send(Request::Close).await);
    }
}

impl<E> fmt::Debug for LoopServer<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopServer").field("requests", &self.requests).finish_non_exhaustive()
    }
}
