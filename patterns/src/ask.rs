//! Questions to the task that owns something.

use windtunnel::Sender;
use windtunnel::channel;

/// Where an answer goes. There is room for it: who answers never waits.
pub(crate) struct Reply<A>(Sender<A>);

impl<A> Reply<A> {
    /// Answers; whoever asked may be gone by now, and the answer is dropped.
    pub(crate) fn send(self, answer: A) {
        drop(self.0.try_send(answer));
    }
}

/// Sends `owner` the request that `request` makes, and waits for the answer; `None` if the owner has ended before it gave one.
/// A dropped wait leaves the owner's answer to nobody.
pub(crate) async fn ask<Q, A>(owner: &Sender<Q>, request: impl FnOnce(Reply<A>) -> Q) -> Option<A> {
    let (reply, answer) = channel::named("answer", 1);
    owner.send(request(Reply(reply))).await.ok()?;
    answer.recv().await
}
